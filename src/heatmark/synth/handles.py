"""Hammer handles: wood, fibreglass and steel with rubber grips. They hang along -y from the top of a head."""

from dataclasses import dataclass

import numpy as np

from . import surfaces
from .assets import Part
from .solids import Solid, circle_angles, cut, lathe, part, profile, rod, rotation, squircle, translation

Rng = np.random.Generator


@dataclass(frozen=True)
class Head:
    """A head in place: the handle's middle is x = 0, its eye runs from `top` down to `bottom` (y, mm)."""

    solid: Solid
    face: tuple[float, float, float]
    claw: tuple[float, float, float]
    top: float
    bottom: float
    eye: tuple[float, float]  # half sizes of the eye along x and z
    mass: float  # 1 for a 16 oz claw hammer: how stout a handle it wants


def downwards(top: float) -> np.ndarray:
    """What stands along +x hangs along -y from `top`; what was y (a tube's first half size) lies along x."""
    return translation(0, top, 0) @ rotation("z", -90)


def _shaft(rows: list[list[float]], shape: np.ndarray, top: float, count: int = 44) -> Solid:
    """Rows (distance below `top`, half size along x, along z, shift along x), mm; y = top - distance."""
    table = profile(rows, count)
    return rod(table[:, 0], table[:, 1], table[:, 2], shape, y=table[:, 3]).moved(downwards(top))


def wooden(rng: Rng, head: Head, end: float) -> tuple[Part, ...]:
    """A shaped handle, its top in the eye, its end flared; sometimes painted or branded."""
    top = head.top + rng.uniform(-0.5, 4)
    long, k = top - end, 0.5 + 0.5 * head.mass
    a, b = rng.uniform(12.5, 16.5) * k, rng.uniform(10, 13.5) * k  # at the grip
    waist, bend = rng.uniform(0.62, 0.95), rng.choice([0.0, rng.uniform(-6, 6)])
    below = top - head.bottom
    shoulder = max(head.eye[0] * rng.uniform(1.0, 1.3), a * 0.7)
    flare = rng.uniform(1.0, 1.18)
    round_end = rng.uniform(1, 7)
    rows = [
        [0.0, head.eye[0] - 1.0, head.eye[1] - 1.0, 0.0],
        [1.0, head.eye[0], head.eye[1], 0.0],
        [below, head.eye[0], head.eye[1], 0.0],
        [below + 10, shoulder, max(head.eye[1], b * 0.85), 0.0],
        [below + (long - below) * rng.uniform(0.25, 0.45), a * waist, b * (0.4 + 0.6 * waist), bend * 0.4],
        [below + (long - below) * rng.uniform(0.66, 0.8), a, b, bend * 0.9],
        [long - 22 * flare, a * rng.uniform(0.9, 1.0), b * 0.97, bend],
        [long - round_end - 1, a * flare, b * flare, bend],
        [long - round_end * 0.4, a * flare - round_end * 0.3, b * flare - round_end * 0.3, bend],
        [long, (a * flare - round_end) * 0.97, (b * flare - round_end) * 0.97, bend],
    ]
    shape = squircle(circle_angles(32), rng.uniform(2.0, 3.4))
    solid = _shaft(rows, shape, top)
    kind = str(rng.choice(list(surfaces.WOODS), p=[0.28, 0.24, 0.14, 0.16, 0.10, 0.08]))
    layers = surfaces.wood(rng, kind)
    h, w = layers.size
    # rows go from v = 1, the end, down to 0
    along = 1 - np.broadcast_to(np.linspace(1, 0, h)[:, None], (h, w))[::-1]
    if rng.random() < 0.25:  # a dipped end
        layers = surfaces.painted(
            rng,
            layers,
            surfaces.any_color(rng),
            surfaces.above(along, rng.uniform(0.45, 0.9), 0.004),
            rng.uniform(0, 0.15),
        )
    elif rng.random() < 0.3:
        ink = surfaces.letters((w, h), str(rng.choice(surfaces.BRANDS)), (0.62, 0.25), (0.22, 0.16))
        layers.cover(
            ink.T[::-1] * rng.uniform(0.3, 0.8), rng.choice([(0.1, 0.08, 0.06), (0.5, 0.08, 0.06)]), 0.5
        )
    varnish = float(rng.choice([0.0, rng.uniform(0.2, 1.0)]))
    return (part(solid, layers.material(bump_m=0.00015, clearcoat=varnish)),)


def fibreglass(rng: Rng, head: Head, end: float) -> tuple[Part, ...]:
    """A coloured stem with a thick rubber grip."""
    top = head.top + rng.uniform(-2, 1)
    long, k = top - end, 0.5 + 0.5 * head.mass
    a, b = rng.uniform(9.5, 13) * k, rng.uniform(7.5, 10.5) * k
    below = top - head.bottom
    start = below + (long - below) * rng.uniform(0.18, 0.55)
    rows = [
        [0.0, head.eye[0], head.eye[1], 0.0],
        [below, head.eye[0], head.eye[1], 0.0],
        [below + 14, max(a * 1.1, head.eye[0] * 0.9), max(b, head.eye[1] * 0.9), 0.0],
        [below + 35, a, b, 0.0],
        [long - 8, a, b, 0.0],
    ]
    stem = _shaft(rows, squircle(circle_angles(32), rng.uniform(2.4, 5)), top)
    color = surfaces.any_color(rng)
    layers = surfaces.plastic(rng, color)
    if rng.random() < 0.3:
        h, w = layers.size
        words = surfaces.letters((w, h), str(rng.choice(surfaces.BRANDS)), (0.35, 0.25), (0.2, 0.2))
        layers.cover(words.T[::-1], surfaces.any_color(rng), 0.4)
    return (part(stem, layers.material()), *_grip(rng, top, start, long, a, b, color))


def steel(rng: Rng, head: Head, end: float) -> tuple[Part, ...]:
    """A tubular or one-piece shank with a rubber or vinyl grip."""
    top = head.top - rng.uniform(0.5, 4)
    long, k = top - end, 0.5 + 0.5 * head.mass
    below = top - head.bottom
    start = below + (long - below) * rng.uniform(0.2, 0.5)
    one_piece = rng.random() < 0.4
    a = rng.uniform(9.5, 12) * k if one_piece else rng.uniform(7.5, 10.5) * k
    b = rng.uniform(4.5, 7) * k if one_piece else a * rng.uniform(0.85, 1.0)
    rows = [
        [0.0, head.eye[0] * 0.9, head.eye[1] * 0.8, 0.0],
        [below - 4, head.eye[0] * 1.05, head.eye[1], 0.0],
        [below + 8, a * 1.15 if one_piece else a, b if one_piece else a, 0.0],
        [below + 30, a, b, 0.0],
        [long - 8, a, b, 0.0],
    ]
    stem = _shaft(rows, squircle(circle_angles(32), rng.uniform(4, 8) if one_piece else 2.0), top)
    finish = str(rng.choice(["chrome", "satin", "nickel", "black"], p=[0.4, 0.38, 0.1, 0.12]))
    layers = surfaces.metal(rng, finish, (256, 128))
    if rng.random() < 0.15:
        layers = surfaces.rusted(rng, layers, float(rng.beta(1, 4)))
    if rng.random() < 0.15:
        layers = surfaces.painted(
            rng, layers, surfaces.any_color(rng), np.ones(layers.size), rng.uniform(0, 0.2)
        )
    grip = _grip(rng, top, start, long, max(a * 0.9, 9), max(b, 7.5), surfaces.bright(rng))
    return (part(stem, layers.material()), *grip)


def _grip(
    rng: Rng, top: float, start: float, long: float, a: float, b: float, second: np.ndarray
) -> tuple[Part, ...]:
    """A rubber sleeve from `start` to the end, ribbed or swelling for fingers, sometimes two-coloured; at
    times a ring for hanging in its end."""
    over = rng.uniform(2.0, 4.5)
    a, b = a + over, b + over
    run = long - start
    flare, collar = rng.uniform(1.0, 1.22), rng.uniform(0.85, 1.15)
    waves = int(rng.choice([0, 0, 3, 4]))
    x = np.linspace(0, 1, 70)
    body = np.interp(
        x, [0, 0.03, 0.12, 0.5, 0.8, 0.94, 1], [collar, collar * 1.05, 0.92, 1.0, 0.97, flare, flare]
    )
    swell = 1 + (0.05 * np.cos(2 * np.pi * waves * (x - 0.15) / 0.75) if waves else 0) * (
        (x > 0.1) & (x < 0.92)
    )
    ribs = int(rng.choice([0, 0, 18, 24]))
    swell = swell * (1 + (0.03 * np.cos(2 * np.pi * ribs * x) * ((x > 0.15) & (x < 0.85)) if ribs else 0))
    soft = min(rng.uniform(3, 9), a * 0.8)
    near = np.clip(1 - (1 - x) * run / soft, 0, 1)
    ends = np.sqrt(np.clip(1 - near**2, 0.02, 1)) * np.clip(0.75 + x * run / 3, 0, 1)
    bend = rng.choice([0.0, rng.uniform(-7, 7)]) * x**2
    stations = np.clip(start + x * run, 0, long)
    shape = squircle(circle_angles(36), rng.uniform(2.0, 3.8))
    sleeve = rod(stations, a * body * swell * ends, b * body * swell * ends, shape, y=bend).moved(
        downwards(top)
    )
    color = surfaces.dark(rng) if rng.random() < 0.7 else surfaces.bright(rng)
    layers = surfaces.rubber(rng, color)
    h, w = layers.size
    v, u = np.mgrid[h:0:-1, 0:w].astype(np.float32) / np.array([h, w], np.float32)[:, None, None]
    pattern = rng.random()
    if pattern < 0.35:  # panels of the second colour on two sides
        edge = (
            np.abs((u * 2 + 0.5) % 1 - 0.5) / rng.uniform(0.2, 0.42)
            + (np.abs(v - 0.5) / rng.uniform(0.3, 0.5)) ** 4
        )
        layers.cover(surfaces.above(-edge, -1.0, 0.06), second, 0.5, height=0.4)
    elif pattern < 0.5:  # bands
        bands = surfaces.above(np.sin(v * rng.uniform(6, 22)), rng.uniform(0.3, 0.8), 0.1)
        layers.cover(bands, second, 0.5)
    elif pattern < 0.8:
        studs = surfaces.dots((h, w), int(rng.integers(24, 60)), int(rng.integers(8, 18)))
        zone = surfaces.above(-np.abs(v - 0.5), -rng.uniform(0.25, 0.4), 0.02)
        layers.cover(studs * zone, np.asarray(color) * 0.6, height=float(rng.choice([-1.0, 1.0])))
    if rng.random() < 0.3:
        ink = surfaces.letters((w, h), str(rng.choice(surfaces.BRANDS)), (0.5, 0.25), (0.45, 0.16))
        layers.cover(ink.T[::-1], second, 0.4)
    middle = float(bend[-1])
    parts = []
    if rng.random() < 0.3 and b * 1.9 > 14:
        hole = rng.uniform(0.25, 0.4) * a
        place = translation(middle * 0.92, top - long + hole * 2.6, 0) @ rotation("y", 90)
        reach = b * 2.2
        sleeve = cut(sleeve, lathe([-reach, reach], [hole, hole], 24).moved(place))
        if rng.random() < 0.6:
            parts.append(_eyelet(rng, hole, b * flare * 0.97, place, second))
    return (part(sleeve, layers.material(bump_m=0.0008)), *parts)


def _eyelet(rng: Rng, hole: float, half: float, place: np.ndarray, color: np.ndarray) -> Part:
    """The coloured lining of the hanging hole."""
    outer, inner = hole * rng.uniform(1.15, 1.5), hole * 0.9
    ring = lathe([-half - 0.6, -half, half, half + 0.6], [outer - 0.8, outer, outer, outer - 0.8], 28)
    lining = cut(ring, lathe([-half - 9, half + 9], [inner, inner], 28))
    return part(lining.moved(place), surfaces.plastic(rng, color, (64, 64)).material())
