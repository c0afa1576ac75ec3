"""Clutter: what lies about on a bench and has no landmarks: boxes, cans, bolts, pliers, tape, cloth.

Each is a function rng -> parts, in millimetres, z up; `distractors` picks one. More of them are in `kit`.
"""

from collections.abc import Callable

import numpy as np

from . import kit, surfaces
from .assets import Asset, Material, Part
from .solids import (
    Solid,
    box,
    box_mapped,
    circle_angles,
    cut,
    disc,
    joined,
    lathe,
    part,
    pipe,
    plan,
    plate,
    polygon_radius,
    rod,
    rotation,
    section,
    squircle,
    sweep,
    translation,
)

Rng = np.random.Generator
NOTHING = np.empty((0, 3))


def distractors(rng: Rng, name: str = "") -> Asset:
    """A piece of clutter of that name in PIECES; without one any piece."""
    names = list(PIECES)
    name = name or names[rng.integers(len(names))]
    return Asset(name, None, NOTHING, PIECES[name](rng))


def _steel(rng: Rng) -> Material:
    layers = surfaces.metal(
        rng, str(rng.choice(["chrome", "satin", "zinc", "black", "brass", "bare"])), (128, 128)
    )
    return (surfaces.rusted(rng, layers, float(rng.beta(1, 3))) if rng.random() < 0.25 else layers).material()


def _printed(rng: Rng, size: tuple[int, int] = (128, 128)) -> Material:
    """Card or paper with bands, a word and dirt on it."""
    base = (0.68, 0.53, 0.36) if rng.random() < 0.4 else surfaces.any_color(rng)
    layers = surfaces.Layers(size, np.asarray(base), rng.uniform(0.35, 0.9), 0.0)
    y, x = np.mgrid[0 : size[0], 0 : size[1]] / size[0]
    for _ in range(int(rng.integers(0, 4))):
        at, wide = rng.uniform(0, 1), rng.uniform(0.02, 0.2)
        layers.cover(
            surfaces.above(-np.abs((y if rng.random() < 0.6 else x) - at), -wide, 0.01),
            surfaces.any_color(rng),
        )
    if rng.random() < 0.7:
        word = surfaces.letters(
            size, str(rng.choice(surfaces.BRANDS)), (0.5, rng.uniform(0.2, 0.8)), (0.7, 0.18)
        )
        layers.cover(word, surfaces.any_color(rng))
    return layers.shade(surfaces.noise(rng, size, (4, 4)), 0.12).material(
        clearcoat=float(rng.choice([0.0, 0.6]))
    )


def _box(rng: Rng) -> tuple[Part, ...]:
    size = rng.uniform(25, 170, 3) * [1.0, 0.8, 0.5]
    return (part(box(size, rng.uniform(0.5, 4)), _printed(rng)),)


def _flat(rng: Rng) -> tuple[Part, ...]:
    """A book, a telephone, a tile, an offcut of wood."""
    size = (rng.uniform(80, 200), rng.uniform(50, 140), rng.uniform(4, 25))
    kind = rng.random()
    if kind < 0.35:
        material = surfaces.wood(rng, str(rng.choice(list(surfaces.WOODS))), (128, 128)).material(
            bump_m=0.0002
        )
    elif kind < 0.6:
        material = surfaces.plastic(rng, surfaces.dark(rng), (64, 64)).material()
    else:
        material = _printed(rng)
    return (part(box(size, rng.uniform(0.5, 3)), material),)


def _can(rng: Rng) -> tuple[Part, ...]:
    r, h = rng.uniform(14, 45), rng.uniform(30, 170)
    body = lathe([0, 0.6, 3, h - 3, h - 0.6, h], [r * 0.93, r * 0.95, r, r, r * 0.95, r * 0.93], 36)
    up = rotation("y", -90)
    metal = _printed(rng) if rng.random() < 0.6 else surfaces.metal(rng, "satin", (128, 128)).material()
    if rng.random() < 0.5:
        return (part(body.moved(up), metal),)
    neck, cap = r * rng.uniform(0.2, 0.6), rng.uniform(8, 30)
    top = lathe([h - 4, h + 12, h + 12 + cap, h + 13 + cap], [r * 0.9, neck, neck, neck * 0.9], 28)
    return part(body.moved(up), metal), part(
        top.moved(up), surfaces.plastic(rng, surfaces.any_color(rng), (64, 64)).material()
    )


def _mug(rng: Rng) -> tuple[Part, ...]:
    r, h, wall = rng.uniform(20, 45), rng.uniform(30, 100), rng.uniform(1.5, 4)
    x = [0, 1.5, h - 1, h, h - 1, wall * 1.5, wall * 1.4]
    radius = [r * 0.9, r * 0.94, r, r - wall / 2, r - wall, r * 0.92 - wall, 0.5]
    material = surfaces.plastic(rng, surfaces.any_color(rng), (64, 64)).material(clearcoat=0.5)
    return (part(lathe(x, radius, 36).moved(rotation("y", -90)), material),)


def _bolt(rng: Rng) -> tuple[Part, ...]:
    r = rng.uniform(2, 8)
    long, head = r * rng.uniform(3, 16), r * rng.uniform(1.6, 2.0)
    hexagon = rng.random() < 0.65
    shape = polygon_radius(circle_angles(36), 6) if hexagon else np.ones(36)
    size = np.array([0.85, 0.93, 0.93, 0.85]) * head
    top = rod(np.array([-1.3 * r, -1.2 * r, -0.1, 0]), size, size, shape)
    x = np.linspace(-0.2, long, int(np.clip(long / r * 14, 30, 200)))
    thread = r * (1 + 0.06 * np.cos(2 * np.pi * x / (r * 0.3)) * (x > long * rng.uniform(0, 0.5)))
    point = np.interp(x, [0, long * 0.7, long], [1, 1, rng.choice([0.85, 0.1])])
    return (part(joined(top, rod(x, thread * point, thread * point, np.ones(12))), _steel(rng)),)


def _nut(rng: Rng) -> tuple[Part, ...]:
    r = rng.uniform(4, 16)
    high = r * rng.uniform(0.2, 1.1)
    shape = polygon_radius(circle_angles(36), 6) if rng.random() < 0.65 else np.ones(36)
    size = np.array([0.92, 1, 1, 0.92]) * r
    body = rod(np.array([0, high * 0.12, high * 0.88, high]), size, size, shape)
    ring = cut(body, lathe([-1, high + 1], [r * rng.uniform(0.5, 0.62)] * 2, 28))
    return (part(box_mapped(ring.moved(rotation("y", -90)), 3 * r), _steel(rng)),)


def _ruler(rng: Rng) -> tuple[Part, ...]:
    long, wide = rng.uniform(120, 320), rng.uniform(15, 40)
    color = (0.85, 0.72, 0.35) if rng.random() < 0.5 else surfaces.any_color(rng)
    layers = surfaces.plastic(rng, np.asarray(color), (256, 512))
    y, x = np.mgrid[0:256, 0:512]
    tick = np.where(x % 40 < 3, 0.6, np.where(x % 20 < 2, 0.4, np.where(x % 8 < 2, 0.25, 0.0)))
    # box_mapped is as tall as the ruler is long
    across = np.clip((y / 256 - 0.5) / (wide / long) + 0.5, 0, 1)
    layers.cover((across < tick).astype(np.float32), (0.05, 0.05, 0.05))
    return (part(box((long, wide, rng.uniform(1, 4)), 0.4), layers.material()),)


def _tape(rng: Rng) -> tuple[Part, ...]:
    r, wide = rng.uniform(28, 60), rng.uniform(10, 50)
    inner = r * rng.uniform(0.55, 0.85)
    body = lathe([0, 0.5, wide - 0.5, wide], [r - 0.5, r, r, r - 0.5], 44)
    core = lathe([-1, wide + 1], [inner] * 2, 40)
    color = (0.72, 0.55, 0.33) if rng.random() < 0.4 else surfaces.any_color(rng)
    material = surfaces.plastic(rng, np.asarray(color), (64, 64)).material()
    return (part(box_mapped(cut(body, core).moved(rotation("y", -90)), 2 * r), material),)


def _measure(rng: Rng) -> tuple[Part, ...]:
    """A tape measure, a switch, a charger: a rounded block with a patch."""
    x = np.linspace(-1, 1, 15)
    wide, deep, high = rng.uniform(20, 40), rng.uniform(20, 36), rng.uniform(10, 22)
    off = np.clip(1 - np.abs(x) ** rng.uniform(6, 16), 0.02, 1) ** 0.5
    body = rod(x * wide, deep * off, high * off, squircle(circle_angles(40), rng.uniform(4, 9)))
    layers = surfaces.plastic(rng, surfaces.bright(rng), (128, 128))
    patch = surfaces.above(-surfaces.noise(rng, (128, 128), (2, 2), 1), -0.5, 0.05)
    layers.cover(patch, surfaces.any_color(rng), 0.5)
    return (part(box_mapped(body, 2 * wide), layers.material()),)


def _pencil(rng: Rng) -> tuple[Part, ...]:
    r, long = rng.uniform(3, 7), rng.uniform(70, 190)
    shape = polygon_radius(circle_angles(36), 6) if rng.random() < 0.6 else np.ones(36)
    x = np.array([0, 0.5, 8, 8.1, long - 4 * r, long - 0.6, long])
    size = r * np.array([0.9, 1, 1, 1, 1, 0.25, 0.05])
    layers = surfaces.plastic(rng, surfaces.any_color(rng), (256, 16))
    v = np.repeat(np.linspace(1, 0, 256)[:, None], 16, 1)
    layers.cover(surfaces.above(v, 1 - 4 * r / long, 0.005), (0.80, 0.62, 0.42), 0.7)
    layers.cover(surfaces.above(v, 1 - 1.2 * r / long, 0.005), surfaces.dark(rng), 0.5)
    layers.cover(surfaces.above(-v, -9 / long, 0.005), surfaces.any_color(rng), 0.5)
    return (part(rod(x, size, size, shape), layers.material()),)


def _knife(rng: Rng) -> tuple[Part, ...]:
    """A handle with something flat in it: chisel, file, putty knife, brush, trowel."""
    r, long, reach = rng.uniform(9, 15), rng.uniform(80, 130), rng.uniform(50, 200)
    end = rng.uniform(0.5, 3.2) * r
    x = np.array([-5, reach * 0.3, reach * 0.9, reach])
    blade = rod(
        x,
        np.array([r * 0.4, (r * 0.5 + end) / 2, end, end * 0.97]),
        np.array([3, 2, 1.2, 0.3]),
        squircle(circle_angles(24), 6),
    )
    t = np.linspace(0, 1, 20)
    size = (
        r
        * (0.8 + 0.2 * np.cos(2 * np.pi * (t * 1.1 + rng.uniform(0, 0.3))))
        * np.sqrt(np.clip(1 - (2 * t - 1) ** 12, 0.05, 1))
    )
    handle = rod(-t[::-1] * long, size[::-1], size[::-1] * 0.75, squircle(circle_angles(28), 2.6))
    wooden = rng.random() < 0.4
    layers = (
        surfaces.wood(rng, "beech", (128, 64))
        if wooden
        else surfaces.plastic(rng, surfaces.any_color(rng), (128, 64))
    )
    return part(blade, _steel(rng)), part(handle, layers.material())


def _bent_bar(rng: Rng) -> tuple[Part, ...]:
    """A hexagon key, a hook, a bracket."""
    r, long, short = rng.uniform(1.5, 5), rng.uniform(40, 140), rng.uniform(15, 50)
    corner, turn = r * rng.uniform(1.5, 3), np.deg2rad(rng.uniform(60, 95))
    a = np.linspace(0, turn, 9)
    bow = np.stack([corner * np.sin(a), corner - corner * np.cos(a), 0 * a], 1)
    way = np.array([np.cos(turn), np.sin(turn), 0])
    path = np.concatenate(
        [[(-long, 0, 0), (-long * 0.5, 0, 0)], bow, [bow[-1] + way * short * 0.5, bow[-1] + way * short]]
    )
    ahead = np.gradient(path, axis=0)
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
    up = np.tile([0.0, 0.0, 1.0], (len(path), 1))
    size = np.full(len(path), r)
    shape = polygon_radius(circle_angles(36), 6) if rng.random() < 0.7 else np.ones(36)
    return (part(sweep(path, np.cross(up, ahead), up, size, size, shape), _steel(rng)),)


def _cable(rng: Rng) -> tuple[Part, ...]:
    """A cable, a wire or a cord in loops."""
    count = 160
    t = np.linspace(0, 1, count)
    loops, wide = rng.uniform(0.4, 3), rng.uniform(30, 90)
    angle = 2 * np.pi * loops * t
    radius = wide * (1 + 0.25 * np.sin(3.1 * angle + rng.uniform(0, 6)) + 0.3 * t)
    r = rng.uniform(1.2, 5)
    path = np.stack(
        [radius * np.cos(angle), radius * np.sin(angle) * rng.uniform(0.5, 1), r * 2.2 * loops * t], 1
    )
    up = np.tile([0.02, 0.01, 1.0], (count, 1))
    material = surfaces.plastic(rng, surfaces.any_color(rng), (256, 16)).material()
    return (part(pipe(path, np.full(count, r), np.full(count, r), up, np.ones(10)), material),)


def _cloth(rng: Rng) -> tuple[Part, ...]:
    """A rag dropped in folds."""
    n = 40
    wide, deep, high = rng.uniform(80, 180), rng.uniform(70, 150), rng.uniform(6, 35)
    folds = surfaces.noise(rng, (n, n), (3, 3), 3)
    ridge = 1 - np.abs(surfaces.noise(rng, (n, n), (4, 4), 2) - 0.5) * 2
    y, x = np.mgrid[-1 : 1 : n * 1j, -1 : 1 : n * 1j]
    warp = surfaces.noise(rng, (n, n), (2, 2), 2) - 0.5
    outline = section([np.stack([x, y], -1)[[0, 0, -1, -1], [0, -1, -1, 0]]])
    flat = plan(outline, 2.0 / n * 1.2, grid=2.0 / n * 1.2)
    i = np.clip(((flat.points + 1) / 2 * (n - 1)).round().astype(int), 0, n - 1)
    lift = (0.4 * folds + 0.6 * ridge**2)[i[:, 1], i[:, 0]] * high
    top = plate(flat, lift + 1.5, lift, flat.points / 2 + 0.5, flat.points / 2 + 0.5)
    shift = np.concatenate([warp[i[:, 1], i[:, 0]]] * 3)
    vertices = top.vertices * [wide / 2, deep / 2, 1.0]
    vertices[:, 0] += shift * wide * 0.4
    vertices[:, 1] += np.roll(shift, 7) * 0 + shift * deep * 0.2
    layers = surfaces.Layers((256, 256), surfaces.any_color(rng), 0.95, 0.0)
    v, u = np.mgrid[0:256, 0:256] / 256
    if rng.random() < 0.5:
        weave = surfaces.above(
            np.sin(u * 60 * rng.uniform(0.3, 1)) * np.sin(v * 60 * rng.uniform(0.3, 1)), 0.0, 0.2
        )
        layers.cover(weave * rng.uniform(0.2, 1), surfaces.any_color(rng))
    layers.shade(surfaces.noise(rng, (256, 256), (80, 80), 2), 0.15)
    return (part(Solid(vertices, top.uv, top.faces), layers.material(specular=0.1), angle=80.0),)


def _blob(rng: Rng) -> tuple[Part, ...]:
    """A potato-like lump or a ball."""
    count = 22
    t = np.linspace(0.02, np.pi - 0.02, count)
    size = rng.uniform(12, 50)
    lump = rng.choice([0.0, rng.uniform(0.1, 0.6)])
    bumps = 1 + lump * (surfaces.noise(rng, (count, 32), (3, 3), 2) - 0.5)
    stretch = rng.uniform(0.6, 1.0, 2)
    r = size * np.sin(t)
    solid = rod(-size * np.cos(t), r * stretch[0], r * stretch[1], bumps)
    layers = [surfaces.plastic, surfaces.rubber][rng.integers(2)](rng, surfaces.any_color(rng), (128, 128))
    return (part(box_mapped(solid, 2 * size), layers.material(), angle=60.0),)


def _strip(rng: Rng) -> tuple[Part, ...]:
    """A flat bar with round ends and holes: hinge, bracket, adjustable spanner's cousin, saw blade."""
    long, wide, thick = rng.uniform(60, 200), rng.uniform(6, 22), rng.uniform(1, 6)
    shape = disc(-long / 2, 0, wide) + disc(long / 2, 0, wide * rng.uniform(0.5, 1.3))
    half = wide * rng.uniform(0.5, 1.0)
    shape = shape + section(
        [np.array([(-long / 2, -half), (long / 2, -half), (long / 2, half), (-long / 2, half)])]
    )
    for x in rng.choice(np.array([-0.5, -0.2, 0.0, 0.2, 0.5]), rng.integers(0, 4), replace=False):
        shape = shape - disc(float(x) * long, 0, wide * rng.uniform(0.2, 0.45))
    flat = plan(shape, long / 70, rims=(thick * 0.2,))
    height = thick / 2 - thick * 0.2 * (flat.depth < thick * 0.1)
    uv = flat.points / long + 0.5
    return (part(plate(flat, height, -height, uv, uv), _steel(rng)),)


def _adjustable(rng: Rng) -> tuple[Part, ...]:
    """An adjustable spanner: two jaws, a worm, a hole in the handle's end."""
    long, jaw, turn = rng.uniform(120, 230), rng.uniform(16, 26), rng.uniform(15, 30)
    gape, stem = rng.uniform(6, 22), jaw * rng.uniform(0.35, 0.5)
    blocks = [
        (-0.2, 0.9, -1.1, 0.9),
        (0.6, 2.1, 0.35, 1.0),
        (0.6, 2.0, 0.15 - gape / jaw, -0.15 - gape / jaw),
    ]
    head = disc(0, 0, jaw, 1.15)
    for x1, x2, y1, y2 in blocks:
        corners = np.array([(x1, min(y1, y2)), (x2, min(y1, y2)), (x2, max(y1, y2)), (x1, max(y1, y2))])
        head = head + section([corners * jaw])
    window = section([np.array([(-0.25, -0.45), (0.35, -0.45), (0.35, -0.1), (-0.25, -0.1)]) * jaw])
    half = np.array([(-long, -stem * 1.15), (0, -stem), (0, stem), (-long, stem * 1.15)])
    body = (head - window).rotate(turn) + (section([half]) + disc(-long, 0, stem * 1.2))
    body = body - window.rotate(turn) - disc(-long, 0, stem * rng.uniform(0.4, 0.7))
    flat = plan(body, long / 80, rims=(0.6, 1.5))
    thick = np.where(np.linalg.norm(flat.points, axis=1) < 1.6 * jaw, jaw * 0.3, jaw * 0.2)
    height = thick - 1.2 * np.clip(1 - flat.depth / 1.5, 0, 1) ** 2
    uv = flat.points / (2 * long) + 0.5
    worm = lathe(np.array([-0.24, 0.34]) * jaw, [0.2 * jaw] * 2, 16)
    worm = worm.moved(rotation("z", turn) @ translation(0, -0.27 * jaw))
    return part(plate(flat, height, -height, uv, uv), _steel(rng)), part(worm, _steel(rng))


def _socket(rng: Rng) -> tuple[Part, ...]:
    r, long = rng.uniform(8, 18), rng.uniform(20, 70)
    x = np.array([0, 0.8, long * 0.4, long * 0.55, long - 0.8, long])
    size = r * np.array([0.75, 0.8, 0.8, 1, 1, 0.94])
    hexagon = polygon_radius(circle_angles(36), 6)
    inner = rod(np.array([long * 0.5, long + 1]), np.full(2, r * 0.72), np.full(2, r * 0.72), hexagon)
    drive = box((long * 0.8, r * 0.7, r * 0.7))
    solid = cut(rod(x, size, size, np.ones(32)), inner, drive)
    return (part(box_mapped(solid, 2 * long), _steel(rng)),)


PIECES: dict[str, Callable[[Rng], tuple[Part, ...]]] = {
    "box": _box,
    "flat": _flat,
    "can": _can,
    "mug": _mug,
    "bolt": _bolt,
    "nut": _nut,
    "ruler": _ruler,
    "tape": _tape,
    "measure": _measure,
    "pencil": _pencil,
    "pliers": kit.pliers,
    "knife": _knife,
    "bent_bar": _bent_bar,
    "cable": _cable,
    "cloth": _cloth,
    "blob": _blob,
    "strip": _strip,
    "adjustable": _adjustable,
    "socket": _socket,
    "saw": kit.saw,
    "scissors": kit.scissors,
    "clamp": kit.clamp,
    "level": kit.level,
    "brush": kit.brush,
    "cutter": kit.cutter,
}
