"""Products as they stand on shelves: cartons, cans, bottles, jars, bags and tubes with printed faces.

One stands on z = 0, its front towards -y, its middle over the origin; metres. Its landmarks are the corners
of its front (skeletons.PRODUCT): of what is round, of the upright rectangle through its axis, which is as
wide and high as it looks.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ..skeletons import PRODUCT
from . import labels
from .assets import Asset, Material, Part
from .labels import Brand, Rng

SIDES = 20  # of what is round
SHELF = replace(PRODUCT, name="shelf")
VARIETIES = 6  # of a maker's product


@dataclass(frozen=True)
class Design:
    """One kind of product, as its maker draws it: every piece on the shelf is alike."""

    kind: str  # a key of KINDS
    width: float
    height: float
    depth: float
    brand: Brand
    variety: int
    seed: int  # of what is printed


def design(maker: int, variety: int = 0) -> Design:
    """A maker's product in one of its varieties: of one form and layout, other colours and words."""
    rng = np.random.default_rng([maker, 41])
    kind = list(KINDS)[int(rng.choice(len(KINDS), p=[k.share for k in KINDS.values()]))]
    low, high = KINDS[kind].low, KINDS[kind].high
    width, height, depth = np.exp(rng.uniform(np.log(low), np.log(high)))
    depth = width if KINDS[kind].is_round else min(depth, 0.3)
    brand = labels.brand(rng)
    return Design(kind, float(width), float(height), float(depth), brand, variety, maker * 64 + variety)


def product(maker: int, variety: int = 0) -> Asset:
    """A piece of a design."""
    made = design(maker, variety)
    rng = np.random.default_rng([made.seed, 43])
    parts = KINDS[made.kind].make(rng, made)
    w, h = made.width / 2, made.height
    front = 0.0 if KINDS[made.kind].is_round else -made.depth / 2 * (0.4 if made.kind == "bag" else 1.0)
    corners = np.array([[-w, front, h], [w, front, h], [w, front, 0], [-w, front, 0]])
    return Asset("shelf", SHELF, corners, parts, np.full(len(corners), made.depth))  # never hidden by itself


def anything(rng: Rng) -> Asset:
    """Any product: the family as the others are."""
    return product(int(rng.integers(2**20)), int(rng.integers(VARIETIES)))


# forms


def carton(rng: Rng, d: Design) -> tuple[Part, ...]:
    """A box: its printed front and back, its sides in the same colours."""
    x, y, z = d.width / 2, d.depth / 2, d.height
    corners = np.array([[sx * x, sy * y, sz] for sz in (0, z) for sy in (-1, 1) for sx in (-1, 1)])
    print_ = labels.face(rng, d.brand, d.width / d.height, d.variety)
    gloss = rng.uniform(0.2, 0.6)
    front = _quads(
        corners, [(0, 1, 5, 4), (3, 2, 6, 7)], Material(print_, gloss, clearcoat=float(rng.random() < 0.4))
    )
    sides = Material(labels.side(rng, d.brand, d.variety), gloss)
    return front, _quads(corners, [(1, 3, 7, 5), (2, 0, 4, 6), (4, 5, 7, 6), (1, 0, 2, 3)], sides)


def can(rng: Rng, d: Design) -> tuple[Part, ...]:
    """A tin: a label all round, rims and a lid of metal."""
    r, h = d.width / 2, d.height
    neck = r * rng.uniform(0.88, 1.0)
    z, radii = [0, 0.02 * h, 0.05 * h, 0.93 * h, 0.97 * h, h], [neck, neck, r, r, neck, neck]
    print_ = labels.wrapped(
        labels.face(rng, d.brand, 2.2 * r / (0.9 * h), d.variety), d.brand.ground, 0.05, 0.94
    )
    metal = rng.random() < 0.3
    label = Material(print_, rng.uniform(0.2, 0.45), 0.6 if metal else 0.0, clearcoat=0.5)
    return _turned(z, radii, label), _lid(h, neck, Material((0.72, 0.72, 0.73), 0.25, 1.0))


def jar(rng: Rng, d: Design) -> tuple[Part, ...]:
    """A jar or tub: contents, a label round the middle, a wide lid."""
    r, h = d.width / 2, d.height
    body = labels.jittered(rng, np.array(labels.INKS[rng.integers(len(labels.INKS))]), 0.06)
    lid_low = h * rng.uniform(0.78, 0.88)
    z, radii = [0, 0.04 * h, lid_low * 0.92, lid_low, lid_low], [r * 0.9, r, r, r * 0.88, r * 0.5]
    printed = labels.face(rng, d.brand, 2.2 * r / (0.6 * h), d.variety)
    label = Material(labels.wrapped(printed, body, 0.14, 0.86), rng.uniform(0.1, 0.35), clearcoat=0.8)
    lid_color = d.brand.accent if rng.random() < 0.6 else (0.9, 0.9, 0.88)
    lid = Material(tuple(np.clip(lid_color, 0, 1)), rng.uniform(0.25, 0.5))  # type: ignore[arg-type]
    wide = r * rng.uniform(0.9, 1.0)
    return (
        _turned(z, radii, label),
        _turned([lid_low, h * 0.985, h], [wide, wide, wide * 0.95], lid),
        _lid(h, wide * 0.95, lid),
    )


def bottle(rng: Rng, d: Design) -> tuple[Part, ...]:
    """A bottle: shoulders and a neck, a label on its belly, a cap."""
    r, h = d.width / 2, d.height
    shoulder, neck_low, cap_low = rng.uniform(0.55, 0.7), rng.uniform(0.78, 0.86), rng.uniform(0.9, 0.94)
    neck = r * rng.uniform(0.3, 0.5)
    z = np.array([0, 0.03, shoulder, (shoulder + neck_low) / 2, neck_low, cap_low]) * h
    radii = [r * 0.9, r, r, (r + neck) / 2 * rng.uniform(0.95, 1.15), neck, neck]
    body = labels.jittered(rng, np.array(labels.INKS[rng.integers(len(labels.INKS))]), 0.05)
    printed = labels.face(rng, d.brand, 2.2 * r / (0.42 * h), d.variety)
    label = Material(labels.wrapped(printed, body, 0.12, 0.54), rng.uniform(0.08, 0.3), clearcoat=1.0)
    color = d.brand.ink if rng.random() < 0.5 else d.brand.accent
    cap = Material(tuple(np.clip(color, 0, 1)), 0.35)  # type: ignore[arg-type]
    wide = neck * rng.uniform(1.05, 1.3)
    return _turned(z, radii, label), _turned([cap_low * h, h], [wide, wide], cap), _lid(h, wide, cap)


def tube(rng: Rng, d: Design) -> tuple[Part, ...]:
    """A flacon, flattened, with a cap: shampoo and the like."""
    w, h, deep = d.width / 2, d.height, d.depth / d.width
    cap_low = rng.uniform(0.8, 0.9)
    z = np.array([0, 0.02, 0.6, 0.95, 1.0]) * cap_low * h
    waist = rng.uniform(0.85, 1.0)
    radii = np.array([0.92, 1.0, waist, 0.8 * waist, 0.4]) * w
    body = d.brand.ground
    printed = labels.face(rng, d.brand, 2.0 * w / (0.62 * h), d.variety)
    label = Material(labels.wrapped(printed, body, 0.1, 0.8), rng.uniform(0.15, 0.4), clearcoat=0.6)
    cap = Material(tuple(np.clip(d.brand.accent, 0, 1)), 0.3)  # type: ignore[arg-type]
    top = w * rng.uniform(0.4, 0.7)
    parts = (
        _turned(z, radii, label),
        _turned([cap_low * h, h], [top, top * 0.95], cap),
        _lid(h, top * 0.95, cap),
    )
    flat = np.array([1.0, min(deep, 1.0), 1.0])
    return tuple(replace(p, vertices=p.vertices * flat) for p in parts)


def bag(rng: Rng, d: Design) -> tuple[Part, ...]:
    """A pouch: two bulging faces between crimped seams, dented and shiny."""
    count = 14
    u, v = np.meshgrid(np.linspace(0, 1, count), np.linspace(0, 1, count))
    full = (1 - abs(2 * u - 1) ** 3) ** 0.6 * (1 - abs(2 * v - 1) ** 4) ** 0.5
    dents = np.asarray(rng.normal(0, 1, (count, count)))
    dents = (dents + np.roll(dents, 1, 0) + np.roll(dents, 1, 1)) / 3 * full
    waist = 1 - 0.06 * np.sin(np.pi * v) * rng.uniform(0.2, 1.0)
    x = (u - 0.5) * d.width * waist
    printed = labels.face(rng, d.brand, d.width / d.height, d.variety)
    material = Material(printed, rng.uniform(0.12, 0.4), 0.25 if rng.random() < 0.4 else 0.0, clearcoat=0.6)
    parts = []
    for towards in (-1, 1):
        y = towards * d.depth / 2 * (full + 0.1 * dents)
        points = np.stack([x, y, v * d.height], -1)
        along, up = np.gradient(points, axis=1), np.gradient(points, axis=0)
        normals = np.cross(along, up) * -towards * -1
        normals = normals * np.sign((normals[..., 1:2] * towards) + 1e-12)
        normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-12)
        i = (np.arange(count - 1)[:, None] * count + np.arange(count - 1)).ravel()
        faces = np.concatenate(
            [np.stack([i, i + 1, i + count + 1], 1), np.stack([i, i + count + 1, i + count], 1)]
        )
        faces = faces if towards < 0 else faces[:, ::-1]
        across = u if towards < 0 else 1 - u
        uv = np.stack([across, v], -1).reshape(-1, 2)
        parts.append(Part(points.reshape(-1, 3), faces, uv, material, normals.reshape(-1, 3)))
    return tuple(parts)


def _quads(corners: np.ndarray, rings: list[tuple[int, int, int, int]], material: Material) -> Part:
    """Flat faces, each counter-clockwise from its bottom left, each with the whole texture."""
    vertices = corners[np.array(rings).ravel()]
    one, other = vertices[1::4] - vertices[::4], vertices[3::4] - vertices[::4]
    normals = np.cross(one, other)
    normals = np.repeat(normals / np.linalg.norm(normals, axis=1, keepdims=True), 4, 0)
    first = 4 * np.arange(len(rings))[:, None]
    faces = np.concatenate([first + [0, 1, 2], first + [0, 2, 3]])
    uv = np.tile([[0.0, 0], [1, 0], [1, 1], [0, 1]], (len(rings), 1))
    return Part(vertices, faces, uv, material, normals)


def _turned(z, radii, material: Material) -> Part:
    """A skin about the z axis through rings at heights z; u goes round, the texture's middle is at the
    front's left and right."""
    z, radii = np.asarray(z, np.float64), np.asarray(radii, np.float64)
    turn = np.linspace(0, 2 * np.pi, SIDES + 1)  # from -x over the front to +x, and back behind
    flat = np.stack([-np.cos(turn), -np.sin(turn)], 1)  # (S + 1, 2)
    rings = np.concatenate(
        [radii[:, None, None] * flat, np.broadcast_to(z[:, None, None], (len(z), SIDES + 1, 1))], -1
    )
    slope = -np.gradient(radii, np.maximum.accumulate(z + np.arange(len(z)) * 1e-6))
    slope = np.clip(slope, -3, 3)
    normals = np.concatenate(
        [
            np.broadcast_to(flat, (len(z), SIDES + 1, 2)),
            np.broadcast_to(slope[:, None, None], (len(z), SIDES + 1, 1)),
        ],
        -1,
    )
    normals = normals / np.linalg.norm(normals, axis=-1, keepdims=True)
    u = np.broadcast_to(turn / (2 * np.pi), (len(z), SIDES + 1))
    v = np.broadcast_to(((z - z[0]) / max(z[-1] - z[0], 1e-9))[:, None], u.shape)
    i = (np.arange(len(z) - 1)[:, None] * (SIDES + 1) + np.arange(SIDES)).ravel()
    up = i + SIDES + 1
    faces = np.concatenate([np.stack([i, i + 1, up + 1], 1), np.stack([i, up + 1, up], 1)])
    return Part(
        rings.reshape(-1, 3), faces, np.stack([u, v], -1).reshape(-1, 2), material, normals.reshape(-1, 3)
    )


def _lid(z: float, radius: float, material: Material) -> Part:
    """A level disc that looks up."""
    turn = np.arange(SIDES) * 2 * np.pi / SIDES
    rim = np.stack([radius * np.cos(turn), radius * np.sin(turn), np.full(SIDES, z)], 1)
    vertices = np.concatenate([rim, [[0, 0, z]]])
    i = np.arange(SIDES)
    faces = np.stack([i, (i + 1) % SIDES, np.full(SIDES, SIDES)], 1)
    return Part(vertices, faces, None, material, np.tile([0, 0, 1.0], (SIDES + 1, 1)))


@dataclass(frozen=True)
class Kind:
    """A form, how large it may be, and how often it is met."""

    make: Callable[[Rng, Design], tuple[Part, ...]]
    low: tuple[float, float, float]  # width, height, depth, metres
    high: tuple[float, float, float]
    share: float
    is_round: bool = False


KINDS: dict[str, Kind] = {
    "carton": Kind(carton, (0.05, 0.06, 0.04), (0.22, 0.32, 0.16), 0.4),
    "can": Kind(can, (0.06, 0.08, 0.06), (0.10, 0.16, 0.10), 0.14, True),
    "bottle": Kind(bottle, (0.06, 0.18, 0.06), (0.10, 0.34, 0.10), 0.16, True),
    "jar": Kind(jar, (0.06, 0.08, 0.06), (0.12, 0.17, 0.12), 0.1, True),
    "tube": Kind(tube, (0.05, 0.13, 0.03), (0.10, 0.24, 0.06), 0.1),
    "bag": Kind(bag, (0.11, 0.15, 0.05), (0.24, 0.32, 0.10), 0.1),
}
FAMILIES: dict[str, Callable[[Rng], Asset]] = {"shelf": anything}
