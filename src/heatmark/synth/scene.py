"""What is in a picture, as data: the ranges (SceneSettings, one YAML file) and one draw from them (Scene).

A Scene names what to build by (kind, name, seed) and says where it lies; it holds no mesh or pixel, so it
can be saved as JSON, compared and drawn again. `invent(settings, seed, index)` depends on its arguments only.

World: metres, z up, the ground is z = 0. Camera: x right, y down, z forward, so that
`pixel = (f X/Z + W/2, f Y/Z + H/2)` with X, Y, Z in the camera's coordinates and no lens distortion.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import ValidationError

from ..errors import DataError, UserError
from . import placing
from .grounds import PICTURES
from .lights import SUFFIXES
from .settings import SceneSettings as SceneSettings
from .settings import Strict, first_fault
from .settings import settings_of as settings_of
from .things import build, families, outline, sits, tools

LYING = ("grass",)  # kinds of ground that no wall is made of
KIN = 64  # different objects that lie beside the first; each has many sizes, and is kept once built
CROWDED = 0.6  # of somebody's box that may be hidden by others
LEAST = 0.18  # of the picture's shorter side, that an object labelled beside the first is long
Vector = tuple[float, float, float]
Matrix = tuple[tuple[float, float, float, float], ...]  # (4, 4), rows


class Source(Strict):
    """What to build: a built-in family, a mesh file or folder, clutter, a hand, furniture, somebody's seat, a
    product, a rack."""

    kind: Literal["family", "mesh", "clutter", "hand", "furniture", "seat", "product", "rack"]
    name: str = ""  # of the family, the path of the mesh, the number of the product's maker
    seed: int = 0


class Placed(Strict):
    """An object where it lies."""

    source: Source
    matrix: Matrix  # object -> world, metres
    instance: int = 0  # 1, 2 ... of the labelled objects; 0 for everything else


class Camera(Strict):
    """A thin lens."""

    matrix: Matrix  # camera -> world
    fov_deg: float  # angle the longer side of the picture covers
    aperture_m: float = 0.0  # radius of the lens opening; 0 is a pinhole
    focus_m: float = 1.0  # distance along the axis that is sharp


class Lamp(Strict):
    """A disc of light far away."""

    azimuth_deg: float
    elevation_deg: float
    radius_deg: float
    color: Vector  # linear RGB
    share: float  # of the irradiance that the rest of the light gives


class Light(Strict):
    """The light from all sides."""

    kind: Literal["sky", "studio", "workshop", "file"]
    path: str = ""  # of the environment map, for "file"
    seed: int = 0
    turn_deg: float = 0.0
    strength: float = 1.0  # a white floor far from everything appears this bright
    lamps: tuple[Lamp, ...] = ()


class Surface(Strict):
    """A textured plane: a ground or a wall."""

    kind: str  # a key of grounds.GROUNDS, or "photo"
    path: str = ""  # of the photograph, for "photo"
    seed: int = 0
    tile_m: float = 0.5  # metres that the texture covers
    turn_deg: float = 0.0


class Wall(Strict):
    """A vertical plane."""

    surface: Surface
    distance_m: float  # from the origin
    azimuth_deg: float  # direction in which it stands


class Background(Strict):
    """What is seen where nothing stands."""

    kind: Literal["photo", "invented", "vista", "environment"]
    path: str = ""  # of the photograph
    seed: int = 0  # of the part of it that is seen, or of what is invented


class Effects(Strict):
    """What the camera does to the picture after the light; compose.develop applies it."""

    exposure_ev: float = 0.0
    white_balance: Vector = (1.0, 1.0, 1.0)  # gains of linear RGB
    blur_px: float = 0.0  # sigma of a Gaussian
    motion_px: tuple[float, float] = (0.0, 0.0)  # x y
    noise: float = 0.0  # standard deviation at white of the sensor's shot noise, as a fraction of white
    contrast: float = 1.0
    saturation: float = 1.0
    vignette: float = 0.0  # light lost in the corners, in [0, 1]
    seed: int = 0  # of the noise


class Scene(Strict):
    """Everything a picture depends on except its size and number of samples."""

    seed: int
    index: int
    objects: tuple[Placed, ...]
    camera: Camera
    light: Light
    ground: Surface | None = None  # None: the object hangs in the air
    walls: tuple[Wall, ...] = ()
    background: Background = Background(kind="environment")
    effects: Effects = Effects()

    def to_json(self) -> str:
        return self.model_dump_json()

    @classmethod
    def from_json(cls, text: str) -> "Scene":
        """The inverse of to_json. Raises a DataError."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise DataError(f"not a scene: {first_fault(error)}") from error


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
    how = _pick(rng, settings.object.poses)
    upright = how == "upright"
    rotation = np.eye(3) if upright else placing.posed(rng, how, points, settings.object.lean_deg)
    floats = how == "air" and rng.random() < settings.ground.none_in_air
    height = rng.uniform(*settings.object.air_m) if how == "air" else 0.0
    matrix = placing.placed(rotation, points, np.zeros(2), height)
    solid = placing.carried(matrix, points)
    camera, view_m = _camera(rng, settings, solid, aspect, anywhere=floats)
    view_m = max(view_m, 1.3 * float(np.ptp(solid, axis=0).max())) if upright else view_m
    view = View(camera, aspect, view_m, floats, upright)
    first = Placed(source=source, matrix=_rows(matrix), instance=1)
    others, taken = _kin(rng, settings, first, solid, view), [solid]
    taken += [
        placing.carried(np.array(o.matrix), outline(kind, o.source.name, o.source.seed)) for o in others
    ]
    clutter = _clutter(rng, settings, what, first, taken, view)
    if rng.random() < settings.clutter.hand:
        clutter = (*_hand(rng, first, solid, view), *clutter)
    background, walls = _background(rng, settings, camera, view_m)
    return Scene(
        seed=seed,
        index=index,
        objects=(first, *others, *_seats((first, *others)), *clutter),
        camera=camera,
        light=_light(rng, settings),
        ground=None if floats else _surface(rng, settings, view_m),
        walls=walls,
        background=background,
        effects=_effects(rng, settings),
    )


def _pick(rng: np.random.Generator, weights: dict[str, float]) -> str:
    names = list(weights)
    chances = np.array([weights[n] for n in names])
    return names[rng.choice(len(names), p=chances / chances.sum())]


def _rows(matrix: np.ndarray) -> Matrix:
    return tuple(tuple(float(v) for v in row) for row in matrix)  # type: ignore[return-value]


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
    return _pick(rng, left)


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
    camera = Camera(matrix=_rows(matrix), fov_deg=fov, aperture_m=aperture, focus_m=max(focus, 1e-3))
    return camera, float(2 * _half(fov, aspect).min() * distance)


def _half(fov_deg: float, aspect: float) -> np.ndarray:
    """(2,) half the picture's width and height at distance 1."""
    return np.array([1, 1 / aspect] if aspect >= 1 else [aspect, 1]) * np.tan(np.deg2rad(fov_deg) / 2)


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
    half = _half(fov, aspect)
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
    shown = files(ours.folder, PICTURES) if kind == "photo" and ours.folder else ()
    return Surface(
        kind=kind,
        path=shown[rng.integers(len(shown))] if shown else "",
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
        shown = files(ours.folder, PICTURES)
        return Background(kind="photo", path=shown[rng.integers(len(shown))], seed=seed), ()
    if kind in ("invented", "vista"):
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


def _light(rng: np.random.Generator, settings: SceneSettings) -> Light:
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


def _effects(rng: np.random.Generator, settings: SceneSettings) -> Effects:
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
    )


@dataclass(frozen=True)
class View:
    """What the camera sees, for those who put things into it."""

    camera: Camera
    aspect: float
    metres: float  # that the picture covers at the object
    floats: bool  # nothing lies on a ground
    upright: bool  # things stand on it as they were built

    @property
    def matrix(self) -> np.ndarray:
        return np.array(self.camera.matrix)

    @property
    def half(self) -> np.ndarray:
        return _half(self.camera.fov_deg, self.aspect)

    def spot(
        self,
        rng: np.random.Generator,
        rotation: np.ndarray,
        points: np.ndarray,
        reach: float,
        depths: tuple[float, float],
    ) -> np.ndarray | None:
        """(4, 4) that puts an outline somewhere into the picture, whose edge is at `reach` 1; None above the
        horizon. In the air it comes to one of `depths`, in distances of the object.
        """
        half, matrix = self.half, self.matrix
        if self.upright:
            return self._stands(rng, rotation, points, reach, depths)
        way = matrix[:3, :3] @ np.append(rng.uniform(-reach, reach, 2) * half, 1.0)
        if self.floats:
            spot = matrix[:3, 3] + way * self.metres / (2 * half.min()) * rng.uniform(*depths)
            height = np.ptp(points @ rotation.T, axis=0)[2]
            return placing.placed(rotation, points, spot[:2], spot[2] - height / 2)
        if way[2] > -1e-3:
            return None
        spot = matrix[:3, 3] - way * matrix[2, 3] / way[2]
        return placing.placed(rotation, points, spot[:2])

    def _stands(self, rng, rotation, points, reach: float, depths: tuple[float, float]) -> np.ndarray | None:
        """The same for what stands on the ground: its middle comes into the picture, or nearly."""
        half, matrix = self.half, self.matrix
        away = rng.uniform(*depths) * float(np.linalg.norm(matrix[:2, 3]))
        ahead, aside = (v / max(float(np.linalg.norm(v)), 1e-6) for v in (matrix[:2, 2], matrix[:2, 0]))
        spot = matrix[:2, 3] + ahead * away + aside * away * rng.uniform(-reach, reach) * half[0]
        there = placing.placed(rotation, points, spot)
        middle = placing.seen(matrix, placing.carried(there, points).mean(0, keepdims=True))[0]
        return there if (np.abs(middle) < reach * half).all() else None


def _clutter(
    rng: np.random.Generator,
    settings: SceneSettings,
    what: str,
    first: Placed,
    taken: list[np.ndarray],
    view: View,
) -> tuple[Placed, ...]:
    """Pieces that lie about in what the camera sees, now and then in line with the object, as on a tool
    board; none cuts into what is `taken`, few hide much of the object, the first of these.
    """
    taken, pieces = list(taken), []
    neat = _flat(taken[0], view) and rng.random() < settings.clutter.neat
    for _ in range(rng.integers(settings.clutter.count[0], settings.clutter.count[1] + 1)):
        source = _piece(rng, settings, what)
        points = outline(source.kind, source.name, source.seed)
        how = "air" if view.floats else _pick(rng, {"lying": 0.75, "rolled": 0.15, "standing": 0.1})
        rotation = placing.posed(rng, "upright" if view.upright else how, points, (10, 60))
        for attempt in range(8):
            if neat and attempt < 3:
                there = _beside(rng, first, source, taken, 1.0, side=rng.choice([-1, 1]))
            else:
                there = view.spot(rng, rotation, points, 1.15, (0.5, 2.2) if view.upright else (1.2, 3.0))
            if there is not None and _fits(moved := placing.carried(there, points), taken, view):
                taken.append(moved)
                pieces.append(Placed(source=source, matrix=_rows(there)))
                break
    return tuple(pieces)


def _fits(points: np.ndarray, taken: list[np.ndarray], view: View) -> bool:
    most = CROWDED if view.upright else 0.33
    return placing.free(points, taken) and not placing.hides(view.matrix, points, taken[0], most)


def _flat(solid: np.ndarray, view: View) -> bool:
    """Whether an object lies on the ground."""
    return bool(np.ptp(solid[:, 2]) < 0.5 * np.ptp(solid, axis=0).max()) and not view.floats


def _kin(
    rng: np.random.Generator, settings: SceneSettings, first: Placed, solid: np.ndarray, view: View
) -> tuple[Placed, ...]:
    """Others of the first object's kind, labelled 2, 3, ...: side by side with it, or about."""
    ours, source = settings.clutter, first.source
    if rng.random() >= ours.kin:
        return ()
    count = int(rng.integers(ours.kin_count[0], ours.kin_count[1] + 1))
    in_set, one_make = _flat(solid, view) and rng.random() < ours.sets, rng.random() < 0.5
    taken, kin = [solid], []
    for i in range(count):
        other = source
        if source.kind == "family" and not (in_set and one_make):
            usual = settings.object.draws or (2**31 if view.upright else KIN)
            draw = int(rng.integers(usual if view.upright else min(usual, KIN)))
            other = Source(kind="family", name=source.name, seed=draw)
        points = outline(other.kind, other.name, other.seed)
        size = float(np.exp(rng.uniform(-0.35, 0.3))) if in_set else float(np.exp(rng.uniform(-0.15, 0.15)))
        for _ in range(4):
            if in_set:
                there = _beside(rng, first, other, taken, size, side=1 if i % 2 else -1)
            else:
                how = "air" if view.floats else _pick(rng, {"lying": 0.85, "rolled": 0.15})
                turned = placing.posed(rng, "upright", points, (0, 0)) if view.upright else None
                turned = placing.posed(rng, how, points, (10, 60)) * size if turned is None else turned
                there = view.spot(rng, turned, points, 0.8, (0.6, 2.4) if view.upright else (0.9, 1.6))
            if there is None or not _fits(moved := placing.carried(there, points), taken, view):
                continue
            if np.ptp(placing.seen(view.matrix, moved), axis=0).max() > LEAST * 2 * view.half.min():
                taken.append(moved)
                kin.append(Placed(source=other, matrix=_rows(there), instance=len(kin) + 2))
                break
    return tuple(kin)


def _seats(sitters: tuple[Placed, ...]) -> tuple[Placed, ...]:
    """What those people sit on who do."""
    found = []
    for sitter in sitters:
        if sitter.source.kind == "family" and sits(sitter.source.name, sitter.source.seed):
            seat = Source(kind="seat", seed=sitter.source.seed)
            found.append(Placed(source=seat, matrix=sitter.matrix))
    return tuple(found)


def _beside(
    rng: np.random.Generator, first: Placed, other: Source, taken: list[np.ndarray], size: float, side: int
) -> np.ndarray:
    """(4, 4) that lays another object along the first, outside all that are taken on that side (1 or -1)."""
    points = outline(other.kind, other.name, other.seed)
    matrix = np.array(first.matrix)
    along = matrix[:3, :3] @ _direction(first.source)
    along = along[:2] / max(float(np.linalg.norm(along[:2])), 1e-9)
    across = np.array([-along[1], along[0]])
    rotation = placing.posed(rng, "lying", points, (10, 60))
    ours = (rotation @ _direction(other))[:2]
    turned = np.arctan2(along[1], along[0]) - np.arctan2(ours[1], ours[0])
    turned += np.deg2rad(rng.normal(0, 3)) + (np.pi if rng.random() < 0.15 else 0.0)
    rotation = placing.turn([0, 0, 1], float(np.rad2deg(turned))) @ rotation * size
    width = np.ptp((points @ rotation.T)[:, :2] @ across)
    edge = max((side * (t[:, :2] @ across)).max() for t in taken)
    middle = (taken[0].min(0) + taken[0].max(0))[:2] / 2
    slide = rng.normal(0, 0.06) * np.ptp(taken[0][:, :2] @ along)
    out = edge + width / 2 + 0.004 + width * rng.uniform(0.0, 0.35)
    xy = across * side * out + along * (middle @ along + slide)
    return placing.placed(rotation, points, xy)


def _direction(source: Source) -> np.ndarray:
    """(3,) from an object's last landmark to its first, or its long axis where there are no two."""
    marks = build(source.kind, source.name, source.seed).landmarks
    way = marks[0] - marks[-1] if len(marks) else np.zeros(3)
    far = float(np.linalg.norm(way))
    return way / far if far > 1e-6 else placing.long_axis(outline(source.kind, source.name, source.seed))


def _hand(rng: np.random.Generator, first: Placed, solid: np.ndarray, view: View) -> tuple[Placed, ...]:
    """A hand round the object's handle; none if every way to hold it would reach through the ground, or come
    between the camera and most of the object.
    """
    source, matrix = first.source, np.array(first.matrix)
    held, points = (
        build(source.kind, source.name, source.seed),
        outline(source.kind, source.name, source.seed),
    )
    axis, middle = placing.long_axis(points), points.mean(0)
    along = (points - middle) @ axis
    ends = [n for n in (held.skeleton.landmarks if held.skeleton else ()) if "handle" in n]
    if ends and held.skeleton:
        end = np.sign((held.landmarks[held.skeleton.index(ends[0])] - middle) @ axis) or 1.0
        part = rng.uniform(0.12, 0.35)
    else:
        end, part = rng.choice([-1, 1]), rng.uniform(0.2, 0.5)
    at = (along.max() if end > 0 else along.min()) - end * part * np.ptp(along)
    near = points[np.argsort(np.abs(along - at))[:24]]
    across = np.eye(3) - np.outer(axis, axis)
    spot = middle + at * axis + across @ ((near.min(0) + near.max(0)) / 2 - middle)
    hand = Source(kind="hand", seed=int(rng.integers(60)))
    shape = outline(hand.kind, hand.name, hand.seed)
    for _ in range(6):
        grip = np.eye(4)
        grip[:3, :3] = placing.turn(axis, rng.uniform(-180, 180)) @ placing.onto(
            np.array([1.0, 0, 0]), axis * end
        )
        grip[:3, 3] = spot
        there = matrix @ grip
        where = placing.carried(there, shape)
        above = view.floats or where[:, 2].min() > -0.002
        if above and not placing.hides(view.matrix, where, solid, most=0.7):
            return (Placed(source=hand, matrix=_rows(there)),)
    return ()


def _piece(rng: np.random.Generator, settings: SceneSettings, what: str) -> Source:
    """What one piece of clutter is: never of the object's own family, nor of one that looks like it."""
    ours, seed = settings.clutter, int(rng.integers(settings.clutter.draws))
    own = {name for name in settings.objects} | {Path(what).stem}
    if ours.what == "furniture":
        return Source(kind="furniture", seed=seed)
    others = [name for name in tools() if not any(name in o or o in name for o in own)]
    if others and rng.random() < ours.tools:
        return Source(kind="family", name=others[rng.integers(len(others))], seed=seed % 24)
    if ours.meshes and rng.random() < 0.5:
        return Source(kind="mesh", name=ours.meshes[rng.integers(len(ours.meshes))])
    return Source(kind="clutter", seed=seed)
