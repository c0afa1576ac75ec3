"""Shelves full of products: a rack of boards and price rails, filled by runs of facings, and its picture.

A rack stands on the ground with its boards' edges along y = 0 and its back behind; the camera stands before
it, at negative y. `shelves` is one draw of a whole scene, as `invention.invent` is for objects on a ground.
"""

from dataclasses import dataclass, replace

import numpy as np

from . import labels, placing
from .assets import Asset, Material, Part
from .invention import effects_from, light_from
from .labels import Rng
from .products import VARIETIES, Design, design
from .scene import (
    Background,
    Camera,
    Placed,
    Scene,
    Source,
    Surface,
    Wall,
    half_size,
    rows,
)
from .settings import SceneSettings, ShelfSettings

THICK = 0.03  # metres, of a board
RAIL = 0.045  # metres, height of a price rail
MOST = 250  # products a picture: a mask counts instances in 8 bits
STACKED = ("carton", "can", "jar")
TRIES = 40  # cameras that are looked for


@dataclass(frozen=True)
class Frame:
    """The rack itself, as its maker sells it."""

    width: float
    depth: float
    boards: tuple[float, ...]  # height of each board's top, metres, the lowest first
    top: float  # height of all
    color: tuple[float, float, float]  # of boards
    back: tuple[float, float, float]
    signed: bool  # a sign above


def frame(seed: int) -> Frame:
    """A rack of some kind: 1.6 to 4.5 metres wide, 5 to 8 boards."""
    rng = np.random.default_rng([seed, 47])
    gaps, low = rng.uniform(0.2, 0.36, int(rng.integers(5, 9))), rng.uniform(0.08, 0.2)
    heights, top = low + np.concatenate([[0.0], np.cumsum(gaps[:-1])]), low + gaps.sum()
    white = rng.uniform(0.62, 0.93)
    color = np.array([white, white, white * rng.uniform(0.92, 1.0)])
    if rng.random() < 0.2:
        color = labels.jittered(rng, np.array(labels.INKS[rng.integers(len(labels.INKS))])) * 0.6
    back = color * rng.uniform(0.5, 1.0) if rng.random() < 0.75 else np.full(3, rng.uniform(0.05, 0.25))
    return Frame(
        float(rng.uniform(1.6, 4.5)), float(rng.uniform(0.3, 0.45)), tuple(float(z) for z in heights),
        float(top), _triple(color), _triple(back), bool(rng.random() < 0.4),
    )  # fmt: skip


def rack(seed: int) -> Asset:
    """The rack as a thing: boards, back, uprights, price rails with tags, a plinth, perhaps a sign."""
    rng, made = np.random.default_rng([seed, 53]), frame(seed)
    w, deep, top = made.width / 2, made.depth, made.top
    painted, dark = Material(made.color, 0.4), Material(made.back, 0.6)
    tall = top + (0.25 if made.signed else 0.0)
    parts = [
        _block((-w, deep, 0), (w, deep + 0.02, tall), dark),
        _block((-w, 0.03, 0), (w, deep, made.boards[0] - THICK), dark),
    ]
    for side in (-1, 1):
        parts.append(
            _block(*sorted_corners((side * w, 0.02, 0), (side * (w + 0.03), deep + 0.02, tall)), painted)
        )
    for z in made.boards:
        parts.append(_block((-w, 0.0, z - THICK), (w, deep, z), painted))
        strip = Material(labels.price(rng, made.width, RAIL), 0.25, clearcoat=0.7)
        low = z - RAIL * rng.uniform(0.8, 1.0)
        rail = np.array(
            [[-w, -0.012, low], [w, -0.012, low], [w, -0.004, low + RAIL], [-w, -0.004, low + RAIL]]
        )
        parts.append(_sheet(rail, strip))
    if made.signed:
        z = top + 0.02
        board = np.array([[-w, 0.0, z], [w, 0.0, z], [w, 0.0, z + 0.2], [-w, 0.0, z + 0.2]])
        parts.append(_sheet(board, Material(labels.sign(rng), 0.35, clearcoat=0.4)))
    return Asset("rack", None, np.empty((0, 3)), tuple(parts))


Stock = tuple[Design, Source, np.ndarray]  # what a piece is, and where its middle stands, (3,) metres


def filled(rng: Rng, made: Frame, ours: ShelfSettings) -> list[Stock]:
    """Products on every board: runs of one product in several facings, side by side; its maker's other
    varieties often follow.
    """
    found: list[Stock] = []
    for z, above in zip(made.boards, (*made.boards[1:], made.top + 0.3)):
        room, x = above - z - THICK - RAIL * 0.3, -made.width / 2 + 0.01
        for maker in rng.integers(0, 2**20, 300):
            first = design(int(maker))
            piled = first.kind in STACKED and rng.random() < ours.stacked
            if first.height > room * 0.97 or (first.height < room * 0.5 and not piled):
                continue  # boards are set to what stands on them
            high = int(np.clip(room / first.height, 1, 5)) if piled else 1
            for variety in rng.permutation(VARIETIES)[: rng.integers(1, 4)]:
                piece = replace(first, variety=int(variety))
                some, x = _run(rng, piece, int(maker), np.array([x, 0.0, z]), high, made.width / 2, ours)
                found += some
            x += rng.exponential(0.012)
            if x > made.width / 2:
                break
    return found


def _run(
    rng: Rng, piece: Design, maker: int, start: np.ndarray, high: int, end: float, ours: ShelfSettings
) -> tuple[list[Stock], float]:
    """Facings of one product from x on, and where the next may stand. Now and then one is sold out, stands
    further back, or its pile is lower.
    """
    source, found = Source(kind="product", name=str(maker), seed=piece.variety), []
    (x, _, z), gap = start, rng.uniform(0.0005, 0.008)
    for _ in range(int(rng.integers(ours.facings[0], ours.facings[1] + 1))):
        if x + piece.width > end:
            return found, end + 1.0
        if rng.random() >= ours.gaps:
            back = rng.uniform(0.02, 0.12) if rng.random() < 0.1 else rng.uniform(0.004, 0.015)
            pile = high if rng.random() < 0.85 else int(rng.integers(1, high + 1))
            for level in range(pile):
                there = [x + piece.width / 2, back + piece.depth / 2, z + level * piece.height]
                found.append((piece, source, np.array(there)))
        x += piece.width + gap
    return found, float(x)


def shelves(settings: SceneSettings, rng: Rng, seed: int, index: int, aspect: float) -> Scene:
    """One draw of a shelf's picture."""
    number = int(rng.integers(2**31))
    made, ours = frame(number), settings.shelf
    stock = filled(rng, made, ours)
    wanted = float(np.exp(rng.uniform(*np.log(ours.products))))
    camera, seen = _viewed(rng, settings, made, stock, wanted, aspect)
    order = np.argsort(-seen, kind="stable")[:MOST]  # those most in the picture
    objects = tuple(
        Placed(source=stock[i][1], matrix=rows(_standing(rng, *stock[i])), instance=n + 1)
        for n, i in enumerate(sorted(i for i in order if seen[i] > 0))
    )
    stands = Placed(source=Source(kind="rack", seed=number), matrix=rows(np.eye(4)))
    wall = Wall(surface=_plane(rng, ("plain", "painted")), distance_m=rng.uniform(1, 6), azimuth_deg=90)
    return Scene(
        seed=seed,
        index=index,
        objects=(*objects, stands),
        camera=camera,
        light=light_from(rng, settings),
        ground=_plane(rng, ("tiles", "concrete", "plain", "painted")),
        walls=(wall,),
        background=Background(kind="environment", seed=int(rng.integers(2**31))),
        effects=effects_from(rng, settings),
    )


def _plane(rng: Rng, kinds: tuple[str, ...]) -> Surface:
    kind, seed = kinds[int(rng.integers(len(kinds)))], int(rng.integers(2**31))
    return Surface(kind=kind, seed=seed, tile_m=float(rng.uniform(0.8, 2.4)))


def _standing(rng: Rng, piece: Design, source: Source, there: np.ndarray) -> np.ndarray:
    """(4, 4): turned a little, and a little out of line."""
    loose = {"carton": 1.5, "bag": 4.0, "tube": 4.0}.get(piece.kind, 7.0)
    matrix = np.eye(4)
    matrix[:3, :3] = placing.turn([0, 0, 1], float(rng.normal(0, loose)))
    if piece.kind == "bag":
        matrix[:3, :3] = placing.turn([1, 0, 0], float(-abs(rng.normal(0, 6)))) @ matrix[:3, :3]
    matrix[:3, 3] = there
    return matrix


def _viewed(
    rng: Rng, settings: SceneSettings, made: Frame, stock, wanted: float, aspect: float
) -> tuple[Camera, np.ndarray]:
    """A camera that sees about `wanted` products, and how much of each it sees, (N,): 0 for none.

    The stretch of rack that is in the picture is drawn; of some, the one nearest to the number wins.
    """
    ours = settings.camera
    middles = np.array([there + [0, -piece.depth / 2, piece.height / 2] for piece, _, there in stock])
    spans = np.array([[piece.width / 2, 0, piece.height / 2] for piece, _, _ in stock])
    best = None
    for _ in range(TRIES):
        fov = float(rng.uniform(*ours.fov_deg))
        half = half_size(fov, aspect)
        high = rng.uniform(0.4, 1.15) * made.top  # metres of rack that the picture is high
        away = high / 2 / half[1]
        yaw, roll = rng.normal(0, settings.shelf.yaw_deg), rng.uniform(*ours.tilt_deg)
        slack = max(made.top - high, 0.0)
        z = high / 2 + rng.uniform(0, 1) * slack if slack else made.top / 2 + rng.uniform(-0.1, 0.1)
        x = rng.uniform(-0.5, 0.5) * max(made.width - high * aspect, 0.15)
        e = np.deg2rad(rng.uniform(*ours.elevation_deg))
        a = np.deg2rad(np.clip(yaw, -50, 50))
        target = np.array([x, 0.0, z])
        eye = target + away * np.array([np.sin(a) * np.cos(e), -np.cos(a) * np.cos(e), np.sin(e)])
        eye[2] = max(eye[2], 0.25)
        matrix = placing.looking(eye, target, roll)
        share = _in_picture(matrix, middles, spans, half)
        off = abs(np.log(max((share > 0.3).sum(), 1) / wanted))
        if best is None or off < best[0]:
            best = off, matrix, fov, share, away
        if off < 0.08:
            break
    assert best is not None
    _, matrix, fov, share, away = best
    return Camera(matrix=rows(matrix), fov_deg=fov, focus_m=float(away)), share


def _in_picture(matrix: np.ndarray, middles: np.ndarray, spans: np.ndarray, half: np.ndarray) -> np.ndarray:
    """(N,) how much of each front, by its corners' bounding box, lies in the picture."""
    signs = np.array([[-1, 0, -1], [1, 0, -1], [1, 0, 1], [-1, 0, 1]])
    corners = middles[:, None] + spans[:, None] * signs  # (N, 4, 3)
    flat = placing.seen(matrix, corners.reshape(-1, 3)).reshape(-1, 4, 2)
    low, high = flat.min(1), flat.max(1)
    inside = np.clip(np.minimum(high, half) - np.maximum(low, -half), 0, None).prod(1)
    return inside / np.maximum((high - low).prod(1), 1e-12)


def _triple(color: np.ndarray) -> tuple[float, float, float]:
    r, g, b = (float(c) for c in np.clip(color, 0.02, 0.98))
    return r, g, b


def sorted_corners(one, other) -> tuple[tuple, tuple]:
    """Two opposite corners, the lower first along every axis."""
    return tuple(np.minimum(one, other)), tuple(np.maximum(one, other))


def _block(low, high, material: Material) -> Part:
    """A box between two corners, flat-sided."""
    x, y, z = zip(low, high)
    corners = np.array([[a, b, c] for c in z for b in y for a in x], np.float64)
    rings = np.array([(0, 1, 5, 4), (3, 2, 6, 7), (1, 3, 7, 5), (2, 0, 4, 6), (4, 5, 7, 6), (2, 3, 1, 0)])
    normals = np.repeat([[0, -1, 0], [0, 1, 0], [1, 0, 0], [-1, 0, 0], [0, 0, 1], [0, 0, -1.0]], 4, 0)
    first = 4 * np.arange(6)[:, None]
    faces = np.concatenate([first + [0, 1, 2], first + [0, 2, 3]])
    return Part(corners[rings.ravel()], faces, None, material, normals)


def _sheet(corners: np.ndarray, material: Material) -> Part:
    """A flat face that looks towards -y, from its bottom left, with the whole texture."""
    normal = np.cross(corners[1] - corners[0], corners[3] - corners[0])
    normals = np.tile(normal / np.linalg.norm(normal), (4, 1))
    uv = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]])
    return Part(corners, np.array([[0, 1, 2], [0, 2, 3]]), uv, material, normals)
