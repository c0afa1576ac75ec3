"""Things of human size: what people sit on, stand beside and are hidden by. Metres; z is up, the floor z = 0.

Each is a function rng -> parts. `seat` fits under somebody who sits; `furnishings` picks any piece.
"""

from collections.abc import Callable

import numpy as np

from . import surfaces
from .assets import Asset, Material, Part
from .solids import Solid, box, box_mapped, joined, part, rod, translation

Rng = np.random.Generator
NOTHING = np.empty((0, 3))
WOODS = tuple(surfaces.WOODS)


def furnishings(rng: Rng) -> Asset:
    """Any piece of furniture or other thing that stands about where people are."""
    names = list(PIECES)
    name = names[int(rng.choice(len(names), p=np.array(list(PIECES.values()), float) / sum(PIECES.values())))]
    return Asset(name, None, NOTHING, MAKERS[name](rng))


def seat(rng: Rng, height: float, wide: float, middle: tuple[float, float], floor: float) -> Asset:
    """Something to sit on, its top at `height` about `middle` (x, y), its sitter facing +x; for bottom z.

    Args:
        wide: metres of the sitter's hips.
    """
    tall = max(height - floor, 0.08)
    kind = str(rng.choice(["chair", "stool", "block", "bench", "armchair"], p=[0.38, 0.16, 0.16, 0.18, 0.12]))
    deep, broad = rng.uniform(0.38, 0.46), max(wide * 1.15, 0.34) * rng.uniform(1.0, 1.25)
    made = {"chair": _chair, "stool": _stool, "block": _block, "bench": _bench, "armchair": _armchair}[kind]
    solid = made(rng, tall, deep, broad)
    at = translation(1000 * (middle[0] + 0.02), 1000 * middle[1], 1000 * floor)
    return Asset(kind, None, NOTHING, (part(box_mapped(solid.moved(at), 900.0), _any(rng)),))


def _any(rng: Rng) -> Material:
    kind = rng.choice(["wood", "plastic", "metal", "cloth"], p=[0.45, 0.25, 0.15, 0.15])
    size = (128, 128)
    if kind == "wood":
        return surfaces.wood(rng, str(rng.choice(WOODS)), size).material()
    if kind == "metal":
        return surfaces.metal(rng, str(rng.choice(["satin", "black", "bare"])), size).material()
    color = surfaces.any_color(rng)
    if kind == "plastic":
        return surfaces.plastic(rng, color, size).material()
    return surfaces.rubber(rng, color, size).material(bump_m=0.002)


def _at(solid: Solid, x: float, y: float, z: float) -> Solid:
    return solid.moved(translation(1000 * x, 1000 * y, 1000 * z))


def _slab(x: float, y: float, z: float, bevel: float = 0.008) -> Solid:
    """A bevelled board of these sizes in metres, its middle at the origin."""
    return box(1000 * np.array([x, y, z]), 1000 * bevel)


def _legs(rng: Rng, x: float, y: float, height: float, thick: float | None = None) -> list[Solid]:
    """Four legs at the corners of a top of half sizes x, y."""
    t = thick or rng.uniform(0.022, 0.05)
    return [
        _at(_slab(t, t, height, 0.004), sx * (x - t / 2), sy * (y - t / 2), height / 2)
        for sx in (1, -1)
        for sy in (1, -1)
    ]


def _round(radius: float, height: float, sides: int = 32, taper: float = 1.0) -> Solid:
    """A standing cylinder or cone, its foot at the origin."""
    z = np.array([0.0, 0.004, height - 0.004, height]) * 1000
    r = 1000 * radius * np.array([0.97, 1.0, taper, 0.97 * taper])
    lying = rod(z, r, r, np.ones(sides))
    upright = np.eye(4)
    upright[:3, :3] = [[0, 0, -1], [0, 1, 0], [1, 0, 0]]
    return lying.moved(upright)


def _chair(rng: Rng, tall: float, deep: float, broad: float) -> Solid:
    back, thick = rng.uniform(0.3, 0.5), rng.uniform(0.02, 0.05)
    pieces = [
        _at(_slab(deep, broad, thick), 0, 0, tall - thick / 2),
        *_legs(rng, deep / 2, broad / 2, tall - thick),
    ]
    lean = np.eye(4)
    a = np.deg2rad(rng.uniform(4, 14))
    lean[:3, :3] = [[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]]
    x = -deep / 2 - 0.02
    if rng.random() < 0.5:
        boards = [_slab(0.02, broad, back)]
    else:
        boards = [
            _at(_slab(0.02, broad, 0.06), 0, 0, z) for z in np.linspace(-back / 2 + 0.1, back / 2 - 0.03, 3)
        ]
        boards += [_at(_slab(0.025, 0.03, back), 0, y * (broad / 2 - 0.015), 0) for y in (1, -1)]
    pieces += [_at(b.moved(lean), x - 0.05, 0, tall + back / 2) for b in boards]
    return joined(*pieces)


def _stool(rng: Rng, tall: float, deep: float, broad: float) -> Solid:
    radius = max(broad, deep) * 0.45
    if rng.random() < 0.4:
        return joined(
            _at(_round(radius, 0.04), 0, 0, tall - 0.04),
            _round(0.03, tall - 0.04),
            _round(radius * 0.8, 0.02),
        )
    return joined(
        _at(_round(radius, 0.03), 0, 0, tall - 0.03), *_legs(rng, radius * 0.7, radius * 0.7, tall - 0.03)
    )


def _block(rng: Rng, tall: float, deep: float, broad: float) -> Solid:
    return _at(
        _slab(deep * rng.uniform(1, 1.5), broad * rng.uniform(1.0, 1.8), tall, 0.015), -0.05, 0, tall / 2
    )


def _bench(rng: Rng, tall: float, deep: float, broad: float) -> Solid:
    long = rng.uniform(1.2, 2.0)
    boards = [
        _at(_slab(deep / 3 - 0.012, long, 0.035), (k - 1) * deep / 3, 0, tall - 0.018) for k in range(3)
    ]
    pieces = [*boards, *_legs(rng, deep / 2, long / 2 - 0.1, tall - 0.035, 0.05)]
    if rng.random() < 0.6:
        pieces += [_at(_slab(0.03, long, 0.10), -deep / 2 - 0.05, 0, tall + z) for z in (0.18, 0.34)]
        pieces += [
            _at(_slab(0.04, 0.05, 0.5), -deep / 2 - 0.03, y * (long / 2 - 0.12), tall + 0.18) for y in (1, -1)
        ]
    return joined(*pieces)


def _armchair(rng: Rng, tall: float, deep: float, broad: float) -> Solid:
    broad, deep, arm = broad * 1.25, deep * 1.25, rng.uniform(0.14, 0.24)
    pieces = [_at(_slab(deep, broad, tall, 0.04), -0.02, 0, tall / 2)]
    pieces.append(_at(_slab(0.16, broad + 0.24, tall + 0.42, 0.05), -deep / 2 - 0.12, 0, (tall + 0.42) / 2))
    if rng.random() < 0.6:
        pieces += [
            _at(_slab(deep, 0.13, tall + arm, 0.04), -0.02, y * (broad / 2 + 0.075), (tall + arm) / 2)
            for y in (1, -1)
        ]
    return joined(*pieces)


def _one(solid: Solid, material: Material, scale: float = 900.0) -> tuple[Part, ...]:
    return (part(box_mapped(solid, scale), material),)


def chair(rng: Rng) -> tuple[Part, ...]:
    return _one(_chair(rng, rng.uniform(0.40, 0.48), 0.42, 0.44), _any(rng))


def table(rng: Rng) -> tuple[Part, ...]:
    x, y, tall = rng.uniform(0.35, 0.5), rng.uniform(0.35, 0.9), rng.uniform(0.68, 0.78)
    top = _at(_slab(2 * x, 2 * y, 0.035), 0, 0, tall)
    return _one(joined(top, *_legs(rng, x, y, tall - 0.02)), _any(rng))


def crate(rng: Rng) -> tuple[Part, ...]:
    size = rng.uniform(0.25, 0.7, 3)
    return _one(_at(_slab(size[0], size[1], size[2], 0.012), 0, 0, size[2] / 2), _any(rng))


def locker(rng: Rng) -> tuple[Part, ...]:
    """A cupboard, a machine, a counter."""
    size = np.array([rng.uniform(0.3, 0.6), rng.uniform(0.5, 1.2), rng.uniform(0.8, 2.0)])
    return _one(_at(_slab(size[0], size[1], size[2], 0.01), 0, 0, size[2] / 2), _any(rng), 1600.0)


def post(rng: Rng) -> tuple[Part, ...]:
    """A pole, a column, a bollard."""
    tall = rng.choice([rng.uniform(0.7, 1.1), rng.uniform(2.4, 3.5)])
    return _one(_round(rng.uniform(0.03, 0.16), tall), _any(rng))


def barrel(rng: Rng) -> tuple[Part, ...]:
    return _one(_round(rng.uniform(0.18, 0.32), rng.uniform(0.4, 0.95), 40, rng.uniform(0.9, 1.1)), _any(rng))


def cone(rng: Rng) -> tuple[Part, ...]:
    """A traffic cone."""
    tall = rng.uniform(0.4, 0.75)
    foot = _at(_slab(tall * 0.55, tall * 0.55, 0.03), 0, 0, 0.015)
    material = surfaces.plastic(rng, (0.93, 0.35, 0.08), (128, 128)).material()
    return _one(joined(foot, _at(_round(tall * 0.2, tall, 28, 0.15), 0, 0, 0.02)), material)


def ball(rng: Rng) -> tuple[Part, ...]:
    radius = rng.choice([0.11, 0.12, 0.033, 0.3])
    x = np.linspace(0, np.pi, 18)
    out = 1000 * radius * np.maximum(np.sin(x), 0.02)
    solid = rod(-1000 * radius * np.cos(x), out, out, np.ones(28))
    return _one(
        _at(solid, 0, 0, radius), surfaces.plastic(rng, surfaces.any_color(rng), (128, 128)).material(), 400.0
    )


def bag(rng: Rng) -> tuple[Part, ...]:
    """A bag or a suitcase."""
    x, y, z = rng.uniform(0.12, 0.28), rng.uniform(0.3, 0.55), rng.uniform(0.28, 0.65)
    body = _at(_slab(x, y, z, 0.05), 0, 0, z / 2)
    handle = [_at(_slab(0.02, 0.02, 0.14, 0.004), 0, s * 0.08, z + 0.06) for s in (1, -1)]
    return _one(joined(body, *handle, _at(_slab(0.025, 0.19, 0.025, 0.006), 0, 0, z + 0.13)), _any(rng))


def plant(rng: Rng) -> tuple[Part, ...]:
    """Leaves in a pot, or a shrub."""
    pot = rng.uniform(0.1, 0.2)
    tall, leaves = rng.uniform(0.4, 1.5), []
    for _ in range(int(rng.integers(30, 70))):
        long, wide = rng.uniform(0.18, 0.5) * tall, rng.uniform(0.02, 0.06)
        t = np.linspace(0, 1, 7)
        turn, bend = rng.uniform(0, 2 * np.pi), rng.uniform(0.3, 1.6)
        out, up = long * np.sin(bend * t), long * np.cos(bend * t) * 0.8
        start = rng.uniform(0, 1) ** 0.7 * (tall - 0.3 * long) * 0.8
        width = wide * np.sin(np.pi * np.clip(t * 0.92 + 0.06, 0, 1))
        ring = np.stack([
            np.stack([out * np.cos(turn) - s * width * np.sin(turn),
            out * np.sin(turn) + s * width * np.cos(turn), pot + start + up], 1)
            for s in (1, -1)
        ], 1)  # (7, 2, 3)  # fmt: skip
        leaves.append(ring)
    points = np.concatenate([r.reshape(-1, 3) for r in leaves])
    i = np.arange(6)[None] * 2 + 14 * np.arange(len(leaves))[:, None]
    i = i.ravel()
    faces = np.concatenate([np.stack([i, i + 1, i + 3], 1), np.stack([i, i + 3, i + 2], 1)])
    green = np.array([rng.uniform(0.1, 0.35), rng.uniform(0.3, 0.5), rng.uniform(0.08, 0.22)])
    foliage = Part(points, faces, None, Material(tuple(green), 0.6))
    clay = surfaces.rubber(rng, (rng.uniform(0.4, 0.7), 0.35, 0.25), (64, 64)).material()
    return (foliage, *_one(_round(pot, pot * 1.6, 28, 1.2), clay))


MAKERS: dict[str, Callable[[Rng], tuple[Part, ...]]] = {
    "chair": chair, "table": table, "crate": crate, "locker": locker, "post": post, "barrel": barrel,
    "cone": cone,
    "ball": ball, "bag": bag, "plant": plant,
}  # fmt: skip
PIECES = {  # how often each comes
    "chair": 2, "table": 1.5, "crate": 2, "locker": 1, "post": 1.2, "barrel": 0.8, "cone": 0.7, "ball": 1,
    "bag": 1.5, "plant": 2,
}  # fmt: skip
