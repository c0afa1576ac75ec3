"""Open tool cases: a moulded plate, or foam, with a bed for every thing that lies in it.

`packed` puts the things of a scene that lie about its first object into one (scene.Case, data); `built` makes
the case from their shapes.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.spatial import ConvexHull, QhullError

from . import placing, surfaces
from .assets import Asset, Material, Part
from .scene import Case, Placed
from .settings import SceneSettings
from .solids import block, box_mapped, disc, part, rounded, section
from .things import outline

REACH = 1.2  # lengths of the first object about it, within which a thing lies in the case with it
SLICES = 24  # of a thing along its length, each filled up across
LAID_OUT = {"neat": 1.0, "sets": 1.0, "hand": 0.0}  # of the clutter in a case


def laid_out(settings: SceneSettings) -> SceneSettings:
    """The settings of what lies in a case: in rows, and in nobody's hand."""
    clutter = settings.clutter.model_copy(update=LAID_OUT)
    return settings.model_copy(update={"clutter": clutter})


def packed(rng: np.random.Generator, objects: Sequence[Placed]) -> tuple[tuple[Placed, ...], Case | None]:
    """What is left of a scene's things when those that lie about the first one, and it, are in a case: none
    stands in its way. No case if the first one stands.
    """
    solids = [
        placing.carried(np.array(o.matrix), outline(o.source.kind, o.source.name, o.source.seed))
        for o in objects
    ]
    if not _lies(solids[0]):
        return tuple(objects), None
    way = placing.long_axis(solids[0])
    turn = float(np.rad2deg(np.arctan2(way[1], way[0])))
    flat = [_turned(solid, turn) for solid in solids]
    middles = np.array([(points.min(0) + points.max(0)) / 2 for points in flat])
    far = REACH * float(np.ptp(flat[0], axis=0).max())
    held = [i for i in range(len(flat)) if _lies(solids[i]) and np.abs(middles[i] - middles[0]).max() < far]
    covered = np.concatenate([flat[i] for i in held])
    low, high = covered.min(0) - rng.uniform(0.01, 0.04), covered.max(0) + rng.uniform(0.01, 0.04)
    kept = [i for i in range(len(flat)) if i in held or not _meets(flat[i], low, high)]
    thick = float(np.ptp(solids[0][:, 2]))
    case = Case(
        holds=tuple(kept.index(i) for i in held),
        edges=(float(low[0]), float(low[1]), float(high[0]), float(high[1])),
        turn_deg=turn,
        depth_m=float(np.clip(thick * rng.uniform(0.25, 0.8), 0.003, 0.03)),
        seed=int(rng.integers(2**31)),
    )
    return tuple(objects[i] for i in kept), case


def _lies(solid: np.ndarray) -> bool:
    long = np.ptp(solid, axis=0).max()
    return bool(np.ptp(solid[:, 2]) < 0.5 * long and solid[:, 2].min() < 0.1 * long)


def _turned(solid: np.ndarray, turn_deg: float) -> np.ndarray:
    """(M, 2) from above, as the case sees it, whose sides lie along x and y."""
    return solid[:, :2] @ placing.turn([0, 0, 1], turn_deg)[:2, :2]


def _meets(points: np.ndarray, low: np.ndarray, high: np.ndarray) -> bool:
    return bool((points.max(0) > low).all() and (points.min(0) < high).all())


def built(case: Case, things: Sequence[tuple[Asset, np.ndarray]]) -> Asset:
    """The case as a thing where it stands, from what it holds: (asset, (4, 4) matrix) each."""
    rng = np.random.default_rng([case.seed, 59])
    x1, y1, x2, y2 = (1000 * v for v in case.edges)
    deep, foam = 1000 * case.depth_m, bool(rng.random() < 0.35)
    whole = rounded(section([np.array([(x1, y1), (x2, y1), (x2, y2), (x1, y2)])]), rng.uniform(6, 18))
    beds = section([])
    for asset, matrix in things:
        shape = bed(_seen_from_above(asset, matrix, case.turn_deg))
        beds = beds + (shape + _notch(rng, shape) if rng.random() < 0.5 else shape)
    beds = rounded(beds.offset(rng.uniform(0.8, 5.0)), 0.0, rng.uniform(1.0, 10.0))
    around = rounded(whole.offset(rng.uniform(3, 9)), rng.uniform(6, 20)) - whole
    color, floor = _colors(rng, foam)
    solids = (
        (block(whole - beds, 0, deep), _material(rng, color, foam)),
        (block(whole, -0.4, 0.4), _material(rng, floor, foam)),
        (block(around, 0, deep + rng.uniform(2, 25)), _material(rng, color, False)),
    )
    rotation = placing.turn([0, 0, 1], case.turn_deg)
    scale = max(x2 - x1, y2 - y1)
    parts = tuple(_carried(part(box_mapped(solid, scale), material), rotation) for solid, material in solids)
    return Asset("case", None, np.empty((0, 3)), parts)


def bed(points: np.ndarray) -> Any:
    """A CrossSection of what points (n, 2) of a thing cover, filled up across its length slice by slice.

    >>> square = np.array([[0.0, 0], [4, 0], [4, 2], [0, 2]])
    >>> bed(square).area()
    8.0
    """
    along = (points - points.mean(0)) @ np.linalg.svd(points - points.mean(0), full_matrices=False)[2][0]
    at = ((along - along.min()) / max(float(np.ptp(along)), 1e-9) * (SLICES - 1e-6)).astype(int)
    slices = np.unique(at)
    pieces = []
    for one, next_ in zip(slices, slices[1:]):
        some = points[(at == one) | (at == next_)]
        try:
            pieces.append(some[ConvexHull(some).vertices])
        except QhullError:  # on a line: the slices beside it are wider
            continue
    return section(pieces)


def _seen_from_above(asset: Asset, matrix: np.ndarray, turn_deg: float) -> np.ndarray:
    """(n, 2) millimetres, as the case sees it."""
    vertices = np.concatenate([p.vertices for p in asset.parts]).astype(np.float64)
    return 1000 * _turned(placing.carried(matrix, vertices), turn_deg)


def _notch(rng: np.random.Generator, shape: Any) -> Any:
    """Room for a finger beside a thing."""
    x1, y1, x2, y2 = shape.bounds()
    middle = (rng.uniform(x1 + 0.3 * (x2 - x1), x1 + 0.7 * (x2 - x1)), (y1 + y2) / 2)
    return disc(*middle, max(0.5 * (y2 - y1) + rng.uniform(2, 8), 9.0), rng.uniform(1.0, 1.8))


def _colors(rng: np.random.Generator, foam: bool) -> tuple[np.ndarray, np.ndarray]:
    """Of the plate and of its beds' floor."""
    color = surfaces.dark(rng) if rng.random() < 0.6 else surfaces.any_color(rng)
    return color, surfaces.bright(rng) if foam and rng.random() < 0.5 else color


def _material(rng: np.random.Generator, color: np.ndarray, foam: bool) -> Material:
    return (surfaces.rubber if foam else surfaces.plastic)(rng, color, (256, 256), wear=0.15).material()


def _carried(made: Part, rotation: np.ndarray) -> Part:
    assert made.normals is not None
    return Part(made.vertices @ rotation.T, made.faces, made.uv, made.material, made.normals @ rotation.T)
