"""Hammers: claw, framing, ball-peen, cross-peen and club heads on wood, fibreglass and steel handles.

The head lies along x with its face at +x, the handle hangs along -y, z is across. Millimetres until `part`.
`face`: the middle of the striking face; `claw`: the far tip of the other end, between the two prongs of a
claw, the pole of a ball, the middle of a peen's edge; `handle_end`: the middle of the handle's end.
"""

import numpy as np

from ..types import Skeleton
from . import surfaces
from .assets import Asset, Material, Part
from .handles import Head, downwards, fibreglass, steel, wooden
from .solids import (
    Solid,
    box_mapped,
    circle_angles,
    cut,
    joined,
    part,
    polygon_radius,
    profile,
    rod,
    squircle,
    sweep,
)

HAMMER = Skeleton(
    "hammer",
    ("face", "claw", "handle_end"),
    bones=(("face", "claw"), ("face", "handle_end"), ("claw", "handle_end")),
)

Rng = np.random.Generator


def hammer(rng: Rng) -> Asset:
    """Any hammer; most are claw hammers."""
    kind = rng.choice(["claw", "framing", "ball", "cross", "club"], p=[0.58, 0.12, 0.12, 0.13, 0.05])
    head = {"claw": _claw, "framing": _framing, "ball": _ball, "cross": _cross, "club": _club}[kind](rng)
    woods = {"claw": 0.36, "framing": 0.35, "ball": 0.55, "cross": 0.6, "club": 0.6}[kind]
    style = rng.choice(["wood", "fibreglass", "steel"], p=[woods, (1 - woods) * 0.5, (1 - woods) * 0.5])
    low, high = {
        "claw": (265, 345),
        "framing": (340, 430),
        "ball": (260, 390),
        "cross": (240, 345),
        "club": (215, 290),
    }[kind]
    end = head.top - rng.uniform(low, high)
    handle = {"wood": wooden, "fibreglass": fibreglass, "steel": steel}[style](rng, head, end)
    metal = _head_material(rng)
    parts = (part(box_mapped(head.solid, 160.0), metal), *handle)
    marks = np.array([head.face, head.claw, (_end_shift(handle), end, 0.0)])
    return Asset("hammer", HAMMER, marks / 1000, parts)


def _end_shift(handle: tuple[Part, ...]) -> float:
    """Where the middle of the handle's end lies along x (mm): handles may be curved."""
    points = np.concatenate([p.vertices for p in handle])
    lowest = points[points[:, 1] < points[:, 1].min() + 0.004]
    return float(lowest[:, 0].min() + lowest[:, 0].max()) / 2 * 1000


# heads


def _forged(
    rows: list[list[float]],
    shape: np.ndarray,
    round_face: np.ndarray,
    blend: tuple[float, float],
    count: int = 46,
) -> Solid:
    """A head along x from rows (x, half height, half width, y of the middle): `shape` (N,) at low x turns
    into `round_face` (N,) between the stations `blend`."""
    table = profile(rows, count)
    t = np.clip((table[:, :1] - blend[0]) / max(blend[1] - blend[0], 1e-6), 0, 1)
    t = t * t * (3 - 2 * t)
    return rod(table[:, 0], table[:, 1], table[:, 2], shape * (1 - t) + round_face * t, y=table[:, 3])


def _poll(rng: Rng, face: float, start: float, end: float) -> tuple[list[list[float]], np.ndarray]:
    """Rows (x, half, half) of neck and face from `start` to `end`, and the face's outline."""
    neck = face * rng.uniform(0.66, 0.86)
    bell = rng.uniform(5, 13)
    chamfer = rng.uniform(0.8, 2.5)
    crown = rng.uniform(0.2, 1.2)
    middle = start + (end - bell - start) * rng.uniform(0.4, 0.8)
    rows = [
        [middle, neck, neck],
        [
            end - bell,
            neck + (face - neck) * rng.uniform(0.1, 0.8),
            neck + (face - neck) * rng.uniform(0.1, 0.8),
        ],
        [end - bell * 0.7, face, face],
        [end - chamfer, face, face],
        [end - crown, face - chamfer, face - chamfer],
        [end - crown * 0.3, (face - chamfer) * 0.6, (face - chamfer) * 0.6],
        [end, 0.6, 0.6],
    ]
    n = circle_angles(40)
    if rng.random() < 0.3:
        outline = squircle(n, rng.uniform(2.2, 3.2))
    elif rng.random() < 0.35:
        outline = polygon_radius(n, 8, np.pi / 8) * 0.97
    else:
        outline = np.ones(40)
    return rows, outline


def _claw(rng: Rng) -> Head:
    """A curved or straight claw behind a bell-faced poll."""
    return _clawed(
        rng,
        drop=float(rng.choice([rng.uniform(22, 48), rng.uniform(4, 20)], p=[0.72, 0.28])),
        scale=rng.uniform(0.86, 1.1),
    )


def _framing(rng: Rng) -> Head:
    """A long, nearly straight claw and a big face."""
    return _clawed(rng, drop=float(rng.uniform(-3, 12)), scale=rng.uniform(1.02, 1.22))


def _clawed(rng: Rng, drop: float, scale: float) -> Head:
    s = scale
    face = rng.uniform(12.0, 15.5) * s
    reach = rng.uniform(46, 60) * s  # handle to face
    long = rng.uniform(70, 92) * s  # handle to claw tip
    half_eye = rng.uniform(11.5, 15) * s
    tall, wide = rng.uniform(12.5, 17) * s, rng.uniform(11, 14) * s
    rows, outline = _poll(rng, face, half_eye, reach)
    rise = rng.uniform(-1, 3) * s
    rows = [[x, a, b, rise * np.clip((x - half_eye) / (reach - half_eye), 0, 1)] for x, a, b in rows]
    body = [
        [-half_eye - 4 * s, tall * 0.92, wide * 0.92, 0.0],
        [0.0, tall, wide, 0.0],
        [half_eye, tall * 0.97, wide, 0.0],
    ]
    power = rng.uniform(3.0, 6.0)
    n = circle_angles(40)
    block = polygon_radius(n, 8, np.pi / 8) if rng.random() < 0.3 else squircle(n, power)
    poll = _forged(body + rows, block, outline, (half_eye, half_eye + 0.45 * (reach - half_eye)))
    claw, tip = _prongs(rng, s, half_eye, long, drop, tall, wide, power)
    bottom = -tall - rng.uniform(8, 17) * s
    pieces = [poll, claw, _collar(rng, (half_eye, wide), -tall * 0.3, bottom)]
    mid = rise
    return Head(joined(*pieces), (reach, mid, 0.0), tip, tall, bottom, (half_eye * 0.83, wide * 0.83), s)


def _prongs(
    rng: Rng, s: float, half_eye: float, long: float, drop: float, tall: float, wide: float, power: float
):
    """The split claw as a swept tongue with a wedge cut out of it, and its tip (x, y, z)."""
    count = 30
    t = np.linspace(0, 1, count)
    start = half_eye * 0.3
    bow = rng.uniform(1.7, 2.6)
    x = -start - t * (long - start)
    up = rng.uniform(0, 4) * s
    y = (tall * 0.18 + up * np.sin(np.pi * np.minimum(t * 1.4, 1))) - drop * t**bow - t * rng.uniform(0, 4)
    path = np.stack([x, y, np.zeros(count)], 1)
    ahead = np.gradient(path, axis=0)
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
    across = np.tile([0.0, 0.0, 1.0], (count, 1))
    above = np.cross(ahead, across)  # across x above = ahead
    thick = profile(
        [[0, tall * 0.80], [0.22, tall * 0.72], [0.5, tall * 0.42], [0.8, 3.6 * s], [1, 1.0 * s]], count
    )
    spread = rng.uniform(1.0, 1.4)
    breadth = profile(
        [[0, wide * 0.95], [0.3, wide * 0.95], [0.65, wide * (1 + spread) / 2], [1, wide * spread]], count
    )
    thick, breadth = (np.interp(t, p[:, 0], p[:, 1]) for p in (thick, breadth))
    n = circle_angles(36)
    tongue = sweep(path, across, above, breadth, thick, squircle(n, rng.uniform(3.5, 6)))
    begin = rng.uniform(0.36, 0.56)
    k = t >= begin
    open_tip = breadth[-1] * rng.uniform(0.18, 0.38)
    gap = np.interp(t[k], [begin, begin + 0.12, 1.0], [0.4, open_tip * 0.35, open_tip])
    beyond = path[k].copy()
    beyond[-1] += ahead[-1] * 4
    slot = sweep(beyond, across[k], above[k], gap, np.full(k.sum(), 30.0), squircle(circle_angles(12), 8.0))
    end = path[-1]
    return cut(tongue, slot), (float(end[0]), float(end[1]), 0.0)


def _collar(rng: Rng, eye: tuple[float, float], top: float, bottom: float) -> Solid:
    """The adze eye: an oval sleeve round the handle from `top` down to `bottom`."""
    a, b = eye
    flare = rng.uniform(0.86, 1.02)
    y = np.array([0.0, 0.45, 0.9, 1.0]) * (top - bottom)
    ax = np.array([1.0, (1 + flare) / 2, flare, flare * 0.93])
    return rod(y, a * ax, b * ax, squircle(circle_angles(32), rng.uniform(2.0, 3.5))).moved(downwards(top))


def _ball(rng: Rng) -> Head:
    """Engineer's hammer: flat face, ball peen, oval cheeks."""
    s = rng.uniform(0.75, 1.2)
    face, reach, long = rng.uniform(12.5, 16) * s, rng.uniform(38, 52) * s, rng.uniform(40, 54) * s
    tall, wide, half_eye = rng.uniform(13, 18) * s, rng.uniform(10.5, 14) * s, rng.uniform(11, 15) * s
    ball = rng.uniform(10.5, 14.5) * s
    neck = ball * rng.uniform(0.6, 0.85)
    rows, outline = _poll(rng, face, half_eye, reach)
    angles = np.linspace(np.pi, np.pi * 0.28, 12)
    sphere = [[-long + ball + ball * np.cos(t), max(ball * np.sin(t), 0.4)] for t in angles]
    join = sphere[-1][0]
    peen = [[x, r, r, 0.0] for x, r in sphere] + [[(join - half_eye) / 2 - 1.0, neck, neck, 0.0]]
    body = [[-half_eye, tall * 0.9, wide, 0.0], [0.0, tall, wide, 0.0], [half_eye, tall * 0.9, wide, 0.0]]
    table = profile(peen + body + [[*r, 0.0] for r in rows], 60)
    n = circle_angles(40)
    near = np.clip(1.6 - np.abs(table[:, :1]) / half_eye, 0, 1)
    shape = squircle(n, rng.uniform(2.4, 4)) * near + outline * (1 - near)
    solid = rod(table[:, 0], table[:, 1], table[:, 2], shape)
    return Head(
        solid,
        (reach, 0.0, 0.0),
        (-long, 0.0, 0.0),
        tall * 0.95,
        -tall * 0.95,
        (half_eye * 0.72, wide * 0.72),
        s,
    )


def _cross(rng: Rng) -> Head:
    """Locksmith's hammer: square face, a wedge across at the other end (seldom along the handle)."""
    s = rng.uniform(0.75, 1.25)
    face, reach, long = rng.uniform(10.5, 14.5) * s, rng.uniform(40, 52) * s, rng.uniform(48, 66) * s
    tall, half_eye = rng.uniform(12, 15) * s, rng.uniform(11, 14) * s
    wide = tall * rng.uniform(0.85, 1.0)
    edge = rng.uniform(1.2, 3.0) * s
    lean = rng.choice([0.0, rng.uniform(-0.7, 0.0), rng.uniform(0.3, 1.0)]) * (tall - edge)
    straight = rng.random() < 0.12
    chamfer = rng.uniform(1.0, 2.5)
    hollow = rng.uniform(0.42, 0.72)
    wedge = [
        [-long, edge * 0.5, wide * 0.92, lean],
        [-long + edge, edge, wide * 0.98, lean],
        [-(long + half_eye) / 2, edge + (tall - edge) * hollow * 0.75, wide, lean * 0.55],
        [-half_eye - 3, tall * 0.98, wide, 0.0],
    ]
    body = [[0.0, tall, wide, 0.0], [half_eye, tall, wide, 0.0]]
    poll = [
        [half_eye + 4, face * rng.uniform(0.92, 1.02), face * 0.97, 0.0],
        [reach - chamfer * 2, face, face, 0.0],
        [reach - chamfer, face, face, 0.0],
        [reach - 0.5, face - chamfer, face - chamfer, 0.0],
        [reach, 0.6, 0.6, 0.0],
    ]
    rows = wedge + body + poll
    if straight:
        rows = [[x, b, a, 0.0] for x, a, b, y in wedge] + body + poll
        lean = 0.0
    n = circle_angles(48)
    block = squircle(n, rng.uniform(6, 14))
    front = polygon_radius(n, 8, np.pi / 8) if rng.random() < 0.3 else squircle(n, rng.uniform(4, 10))
    solid = _forged(rows, block, front, (half_eye, half_eye + 10))
    return Head(
        solid, (reach, 0.0, 0.0), (-long, float(lean), 0.0), tall, -tall, (half_eye * 0.72, wide * 0.62), s
    )


def _club(rng: Rng) -> Head:
    """Lump hammer: a short heavy block with two faces."""
    s = rng.uniform(0.9, 1.2)
    reach, half = rng.uniform(40, 55) * s, rng.uniform(17, 23) * s
    waist = rng.uniform(0.9, 1.0)
    chamfer = rng.uniform(2, 5)
    rows = [
        [-reach, 0.6, 0.6, 0.0],
        [-reach + 0.4, half - chamfer, half - chamfer, 0.0],
        [-reach + chamfer, half, half, 0.0],
        [0.0, half * waist, half * waist, 0.0],
        [reach - chamfer, half, half, 0.0],
        [reach - 0.4, half - chamfer, half - chamfer, 0.0],
        [reach, 0.6, 0.6, 0.0],
    ]
    n = circle_angles(48)
    block = polygon_radius(n, 8, np.pi / 8) if rng.random() < 0.5 else squircle(n, rng.uniform(5, 12))
    solid = _forged(rows, block, block, (0, 1))
    return Head(solid, (reach, 0.0, 0.0), (-reach, 0.0, 0.0), half * 0.98, -half, (13 * s, 9.5 * s), s * 1.2)


def _head_material(rng: Rng) -> Material:
    """Polished, forged black, painted cheeks, worn and rusty."""
    finish = rng.choice(
        ["chrome", "satin", "bare", "forged", "black", "nickel"], p=[0.2, 0.28, 0.17, 0.13, 0.16, 0.06]
    )
    size = (256, 256)
    layers = surfaces.metal(rng, finish, size)
    y, x = np.mgrid[0:256, 0:256] / 256.0
    x, y = (x - 0.5) * 160, (0.5 - y) * 160  # mm, as box_mapped lays the texture on the sides
    wobble = (surfaces.noise(rng, size, (4, 4)) - 0.5) * 6
    worn = surfaces.above(x + wobble, rng.uniform(34, 44), 3) + surfaces.above(
        -x + wobble, rng.uniform(45, 62), 6
    )
    if finish in ("forged", "black") or rng.random() < 0.25:
        if finish not in ("forged", "black"):
            color = surfaces.bright(rng) if rng.random() < 0.4 else surfaces.dark(rng)
            body = 1 - np.clip(worn, 0, 1)
            layers = surfaces.painted(rng, layers, color, body, rng.uniform(0, 0.3))
        layers.cover(np.clip(worn, 0, 1), surfaces.FINISHES["satin"][0], rng.uniform(0.15, 0.4), 1.0)
    if rng.random() < 0.3:
        word = str(rng.choice(["16 oz", "20 oz", "500 g", "1.5", "FORGED", "22", "300"]))
        stamp = surfaces.letters(size, word, (0.5, 0.5), (0.14, 0.07))
        layers.cover(stamp * rng.uniform(0.2, 0.7), (0.1, 0.1, 0.1), 0.5, height=-1.0)
    if rng.random() < 0.35:
        layers = surfaces.rusted(rng, layers, float(rng.beta(1, 3)) * 0.8)
    return layers.material(bump_m=0.0004)
