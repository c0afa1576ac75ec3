"""Scenes drawn from ranges: `invent(settings, seed, index)` is a function of its arguments alone."""

from functools import lru_cache
from pathlib import Path

import numpy as np

from ..errors import UserError
from . import placing
from .cases import laid_out, packed
from .company import View, clutter_of, hand_on, kin_of, seats_of
from .lights import SUFFIXES
from .scene import (
    Background,
    Camera,
    Effects,
    Lamp,
    Light,
    Placed,
    Scene,
    Source,
    Surface,
    Wall,
    half_size,
    rows,
)
from .scraps import photographs
from .settings import SceneSettings, one_of
from .things import families, outline

LYING = ("grass",)  # kinds of ground that no wall is made of


def invent(settings: SceneSettings, seed: int, index: int, aspect: float = 1.0) -> Scene:
    """One draw from the settings: a function of its arguments alone.

    Args:
        aspect: width over height of the pictures to come.

    Raises:
        UserError: a family, mesh or folder that is not there. DataError: a mesh or its landmarks are faulty.
    """
    rng = np.random.default_rng([seed, index])
    what = settings.objects[rng.integers(len(settings.objects))]
    if what == "shelf":
        from .racks import shelves  # which draws scenes of its own

        return shelves(settings, rng, seed, index, aspect)
    kind = "family" if what in families() else "mesh"
    draw = int(rng.integers(settings.object.draws or 2**31)) if kind == "family" else 0
    source = Source(kind=kind, name=what, seed=draw)
    points = outline(source.kind, source.name, source.seed)
    how = one_of(rng, settings.object.poses)
    upright = how == "upright"
    rotation = np.eye(3) if upright else placing.posed(rng, how, points, settings.object.lean_deg)
    floats = how == "air" and rng.random() < settings.ground.none_in_air
    height = rng.uniform(*settings.object.air_m) if how == "air" else 0.0
    matrix = placing.placed(rotation, points, np.zeros(2), height)
    solid = placing.carried(matrix, points)
    camera, view_m = _camera(rng, settings, solid, aspect, anywhere=floats)
    view_m = max(view_m, 1.3 * float(np.ptp(solid, axis=0).max())) if upright else view_m
    view = View(camera, aspect, view_m, floats, upright)
    first = Placed(source=source, matrix=rows(matrix), instance=1)
    chance = np.random.default_rng([seed, index, 59])  # its own: other scenes stay as they are
    cased = how in ("lying", "rolled") and not floats and chance.random() < settings.clutter.case
    settings = laid_out(settings) if cased else settings
    others, taken = kin_of(rng, settings, first, solid, view), [solid]
    taken += [
        placing.carried(np.array(o.matrix), outline(kind, o.source.name, o.source.seed)) for o in others
    ]
    clutter = clutter_of(rng, settings, what, first, taken, view)
    if rng.random() < settings.clutter.hand:
        clutter = (*hand_on(rng, first, solid, view), *clutter)
    objects = (first, *others, *seats_of((first, *others)), *clutter)
    objects, case = packed(chance, objects) if cased else (objects, None)
    background, walls = _background(rng, settings, camera, view_m)
    return Scene(
        seed=seed,
        index=index,
        objects=objects,
        camera=camera,
        light=light_from(rng, settings),
        ground=None if floats else _surface(rng, settings, view_m),
        walls=walls,
        case=case,
        background=background,
        effects=effects_from(rng, settings),
        least_area=settings.object.least_area,
    )


@lru_cache
def files(folder: str, suffixes: tuple[str, ...]) -> tuple[str, ...]:
    """The files in a folder with one of these suffixes, sorted. Raises a UserError if there is none."""
    path = Path(folder)
    found = sorted(str(p) for p in path.iterdir() if p.suffix.lower() in suffixes) if path.is_dir() else []
    if not found:
        raise UserError(f"{folder}: must be a folder with {', '.join(suffixes)} files")
    return tuple(found)


def _kind(rng: np.random.Generator, weights: dict[str, float], folder: str | None, needs: str) -> str:
    """One of the kinds; never the one that `needs` a folder if there is none."""
    left = weights if folder else {k: v for k, v in weights.items() if k != needs}
    if not left or sum(left.values()) <= 0:
        raise UserError(f"the only kind wanted is {needs!r}, and no folder is given for it")
    return one_of(rng, left)


def _camera(
    rng: np.random.Generator, settings: SceneSettings, solid: np.ndarray, aspect: float, anywhere: bool
) -> tuple[Camera, float]:
    """A camera that sees the solid (M, 3) as the settings want, and how many metres the picture covers."""
    for _ in range(12):  # some draws cannot be had: the eye would be under the ground, or inside the object
        fov, matrix, good = _viewed(rng, settings, solid, aspect, anywhere)
        if good:
            break
    depths = (solid - matrix[:3, 3]) @ matrix[:3, 2]
    distance = float((depths.min() + depths.max()) / 2)
    opened = rng.random() < settings.camera.depth_of_field
    blur = rng.uniform(*settings.camera.defocus_px) if opened else 0.0
    aperture = 2 * distance * blur / (112 / np.tan(np.deg2rad(fov) / 2))
    focus = float(rng.uniform(depths.min(), depths.max())) if opened else distance
    camera = Camera(matrix=rows(matrix), fov_deg=fov, aperture_m=aperture, focus_m=max(focus, 1e-3))
    return camera, float(2 * half_size(fov, aspect).min() * distance)


def _viewed(
    rng: np.random.Generator, settings: SceneSettings, solid: np.ndarray, aspect: float, anywhere: bool
) -> tuple[float, np.ndarray, bool]:
    """(field of view in degrees, camera (4, 4), whether it sees the solid as it was meant to)."""
    wanted, ours = settings.object, settings.camera
    fov = rng.uniform(*ours.fov_deg)
    elevation = rng.uniform(75, 90) if rng.random() < ours.top_down else rng.uniform(*ours.elevation_deg)
    elevation = rng.uniform(-60, 90) if anywhere else elevation
    roll = rng.uniform(*(ours.roll_deg if elevation > 70 else ours.tilt_deg))
    azimuth, e = rng.uniform(0, 2 * np.pi), np.deg2rad(elevation)
    if ours.in_front and rng.random() < ours.in_front:
        azimuth = np.deg2rad(rng.normal(0, 35))
    towards = np.array([np.cos(e) * np.cos(azimuth), np.cos(e) * np.sin(azimuth), np.sin(e)])
    half = half_size(fov, aspect)
    unit = 2 * half.min()
    extent = rng.uniform(*(wanted.small_extent if rng.random() < wanted.small else wanted.extent))
    near = bool(wanted.closeup) and rng.random() < wanted.closeup
    extent = rng.uniform(*wanted.closeup_extent) if near else extent
    matrix = placing.framed(solid, towards, roll, half, extent, np.zeros(2))
    side = np.ptp(placing.seen(matrix, solid), axis=0) / unit
    room = np.maximum(half / unit - side / 2, 0)  # to the edge on either side
    centre = rng.uniform(-0.95, 0.95, 2) * room
    if near:  # the top of it stays in
        centre[1] = side[1] / 2 - half[1] / unit + rng.uniform(0.02, 0.25)
    elif rng.random() < wanted.truncated:
        axis = rng.integers(2)
        centre[axis] = rng.choice([-1, 1]) * (room[axis] + rng.uniform(0.05, 0.35) * side[axis])
    matrix = placing.framed(solid, towards, roll, half, extent, centre)
    flat = placing.seen(matrix, solid) / unit
    low, high = flat.min(0), flat.max(0)
    as_meant = (
        np.abs((low + high) / 2 - centre).max() < 0.05 * max(extent, 1)
        and 0.85 < (high - low).max() / extent < 1.15
    )
    return fov, matrix, bool(as_meant and (anywhere or matrix[2, 3] > 0.02))


def _surface(
    rng: np.random.Generator, settings: SceneSettings, view_m: float, standing: bool = False
) -> Surface:
    """What the ground is made of; or, `standing`, a wall, which is never what only lies."""
    ours = settings.ground
    left = {kind: weight for kind, weight in ours.kinds.items() if kind not in LYING or not standing}
    kind = _kind(rng, left if set(left) - {"photo"} or ours.folder else ours.kinds, ours.folder, "photo")
    shown = photographs(ours.folder) if kind == "photo" else ()
    return Surface(
        kind=kind,
        path=str(shown[rng.integers(len(shown))]) if shown else "",
        seed=int(rng.integers(2**31)),
        tile_m=view_m * rng.uniform(*ours.tile_views),
        turn_deg=rng.uniform(-180, 180),
    )


def _background(
    rng: np.random.Generator, settings: SceneSettings, camera: Camera, view_m: float
) -> tuple[Background, tuple[Wall, ...]]:
    ours = settings.background
    kind = _kind(rng, ours.kinds, ours.folder, "photo")
    seed = int(rng.integers(2**31))
    if kind == "photo" and ours.folder:
        shown = photographs(ours.folder)
        return Background(kind="photo", path=str(shown[rng.integers(len(shown))]), seed=seed), ()
    if kind in ("invented", "vista", "white"):
        return Background(kind=kind, seed=seed), ()  # type: ignore[arg-type]
    walls = []
    if kind == "walls":
        forward = np.array(camera.matrix)[:2, 2]
        ahead = np.rad2deg(np.arctan2(forward[1], forward[0])) + rng.uniform(-30, 30)
        for turn in (0, rng.choice([-90, 90]))[: rng.integers(1, 3)]:
            distance = view_m * rng.uniform(0.6, 3.0)
            surface = _surface(rng, settings, view_m, standing=True)
            walls.append(Wall(surface=surface, distance_m=distance, azimuth_deg=ahead + turn))
    return Background(kind="environment", seed=seed), tuple(walls)


def light_from(rng: np.random.Generator, settings: SceneSettings) -> Light:
    ours = settings.light
    kind = _kind(rng, ours.kinds, ours.folder, "file")
    maps = files(ours.folder, SUFFIXES) if kind == "file" and ours.folder else ()
    lamps = tuple(
        Lamp(
            azimuth_deg=rng.uniform(0, 360),
            elevation_deg=rng.uniform(10, 85),
            radius_deg=float(np.exp(rng.uniform(np.log(1.5), np.log(20)))),
            color=(1.0, rng.uniform(0.75, 1.0), rng.uniform(0.5, 1.1)),
            share=rng.uniform(*ours.lamp_share),
        )
        for _ in range(rng.integers(ours.lamps[0], ours.lamps[1] + 1))
    )
    return Light(
        kind=kind,  # type: ignore[arg-type]
        path=maps[rng.integers(len(maps))] if maps else "",
        seed=int(rng.integers(2**31)),
        turn_deg=rng.uniform(0, 360),
        strength=rng.uniform(*ours.strength),
        lamps=lamps,
    )


def effects_from(rng: np.random.Generator, settings: SceneSettings) -> Effects:
    ours = settings.effects
    warm, tint = rng.uniform(*ours.temperature), rng.uniform(*ours.tint)
    angle = rng.uniform(0, 2 * np.pi)
    shake = rng.uniform(*ours.motion_px) if rng.random() < ours.motion else 0.0
    return Effects(
        exposure_ev=rng.uniform(*ours.exposure_ev),
        white_balance=(float(2**warm), float(2**tint), float(2**-warm)),
        blur_px=rng.uniform(*ours.blur_px),
        motion_px=(float(shake * np.cos(angle)), float(shake * np.sin(angle))),
        noise=rng.uniform(*ours.noise),
        contrast=rng.uniform(*ours.contrast),
        saturation=0.0 if rng.random() < ours.grey else rng.uniform(*ours.saturation),
        vignette=rng.uniform(*ours.vignette),
        seed=int(rng.integers(2**31)),
        stretch=_stretch(rng, settings) if rng.random() < ours.stretched else 1.0,
    )


def _stretch(rng: np.random.Generator, settings: SceneSettings) -> float:
    """How much wider the picture is made; half of the time below 1, so higher."""
    by = float(np.exp(rng.uniform(*np.log(settings.effects.stretch))))
    return by if rng.random() < 0.5 else 1 / by
