"""What lies in a kit beside the tools that have landmarks: saw, scissors, clamp, level, brush, cutter.

Functions rng -> parts in millimetres, flat in x and y, z up, as in `clutter`, which picks among them.
"""

from dataclasses import dataclass

import numpy as np

from . import surfaces
from .assets import Material, Part
from .solids import (
    Plan,
    Solid,
    box,
    box_mapped,
    circle_angles,
    disc,
    joined,
    lathe,
    part,
    plan,
    plate,
    rod,
    rotation,
    rounded,
    section,
    squircle,
    translation,
)

Rng = np.random.Generator


def saw(rng: Rng) -> tuple[Part, ...]:
    """A hand saw: a blade that narrows, teeth below, a closed grip behind."""
    long, tall, tip = rng.uniform(220, 420), rng.uniform(70, 110), rng.uniform(25, 50)
    pitch = rng.uniform(4, 9)
    x = np.arange(0, long, pitch / 2)
    teeth = np.stack([x, np.where(np.arange(len(x)) % 2, pitch * 0.45, 0.0)], 1)
    blade = section([np.concatenate([teeth, [(long, 0), (long, tip), (0, tall)]])])
    deep, high = rng.uniform(95, 120), tall * rng.uniform(1.0, 1.25)
    grip = section([np.array([(20, 4), (28, tall - 4), (-deep, high), (-deep * 0.9, -8)])])
    hole = section([np.array([(-22, 26), (-22, high - 34), (-deep + 26, high - 26), (-deep + 32, 22)])])
    grip = rounded(grip - hole, 9, 9)
    return (
        part(_slab(blade, 1.1, pitch, 0.0), surfaces.metal(rng, _finish(rng), (256, 128)).material()),
        part(_slab(grip, rng.uniform(18, 26), 4.0, 4.0), _grip(rng)),
    )


@dataclass(frozen=True)
class Jaws:
    """What makes a kind of pliers, ranges in mm."""

    long: tuple[float, float]  # from the pivot to the tip
    wide: tuple[float, float]  # of the two levers over the pivot
    tip: tuple[float, float]  # of one jaw, at its end


JAWS = {
    "long nose": Jaws((45, 100), (14, 22), (1.2, 2.8)),
    "combination": Jaws((32, 48), (20, 30), (4.0, 7.0)),
    "cutters": Jaws((16, 26), (20, 30), (4.0, 7.0)),
}


def pliers(rng: Rng) -> tuple[Part, ...]:
    """Two levers on a round joint, jaws that narrow before it, sleeved handles in a bow behind."""
    kind = JAWS[str(rng.choice(list(JAWS)))]
    long, wide, tip = (rng.uniform(*r) for r in (kind.long, kind.wide, kind.tip))
    reach, bow = rng.uniform(75, 135), rng.uniform(12, 30)
    closing, gape = rng.uniform(0.2, 1.05), rng.choice([0.0, rng.uniform(0, 4), rng.uniform(4, 24)])
    tang, sleeve, begins = rng.uniform(2.4, 4.2), rng.uniform(4.2, 8.5), rng.uniform(0.1, 0.3)
    thick = rng.uniform(6, 11)
    t = np.linspace(0, 1, 24)
    x = -wide * 0.2 - t * reach
    y = wide * 0.28 + bow * np.sin(t * np.pi / 2 / rng.uniform(0.55, 0.8)) * (1 - (1 - closing) * t**2)
    handle = np.stack([x, -y], 1)  # of the lever whose jaw is above
    covered = t >= begins
    swell = 1 + rng.uniform(0, 0.35) * np.exp(-(((t - rng.uniform(0.1, 0.5)) / 0.12) ** 2))
    jaw = np.array([(-wide * 0.3, -wide * 0.1), (long, 0.2), (long, tip), (wide * 0.35, wide / 2)])
    steel, sleeves, stripes = [], [], []
    for sign in (1, -1):
        lift = translation(z=sign * 0.4) @ rotation("z", sign * gape / 2)
        shape = section([(jaw * (1, sign))[::sign]])
        shape = shape + disc(0, 0, wide * 0.5) + _strip(handle * (1, sign), tang)
        steel.append(_slab(rounded(shape, 0.5, 2.0), thick, 4.0, 1.2).moved(lift))
        path = (handle * (1, sign))[covered]
        grip = rounded(_strip(path, sleeve * swell[covered]), sleeve * 0.8, 1.0)
        sleeves.append(_slab(grip, thick + 4, 4.0, min(sleeve * 0.7, 3.5)).moved(lift))
        stripes.append(_slab(grip.offset(-sleeve * 0.42), thick + 5.2, 4.0, 0.8).moved(lift))
    joint = lathe([-thick / 2 - 1, thick / 2 + 1], [wide * rng.uniform(0.16, 0.34)] * 2, 24)
    metal = box_mapped(joined(*steel, joint.moved(rotation("y", 90))), 150)
    parts = (
        part(metal, surfaces.metal(rng, _finish(rng), (128, 128)).material()),
        part(joined(*sleeves), _grip(rng)),
    )
    return (*parts, part(joined(*stripes), _grip(rng))) if rng.random() < 0.4 else parts


def _strip(path: np.ndarray, half: float | np.ndarray) -> object:
    """A CrossSection along a path (n, 2), so wide to either side."""
    along = np.gradient(path, axis=0)
    across = np.stack([-along[:, 1], along[:, 0]], 1) / np.linalg.norm(along, axis=1)[:, None]
    out = across * np.broadcast_to(half, len(path))[:, None]
    around = np.concatenate([path - out, (path + out)[::-1]])
    return section([around])


def scissors(rng: Rng) -> tuple[Part, ...]:
    """Two blades on a pivot with looped handles: scissors, shears, snips."""
    blade, loop, bow = rng.uniform(50, 110), rng.uniform(16, 26), rng.uniform(40, 70)
    steel, handles = [], []
    for sign in (1, -1):
        open_by = sign * rng.uniform(2, 14)
        edge = section([np.array([(-12, -7), (0, -8), (blade, -1.2), (blade, 1.2), (0, 8), (-12, 7)])])
        shank = section([np.array([(-6, -5), (-6, 5), (-bow, sign * 16 + 5), (-bow, sign * 16 - 5)])])
        eye = disc(-bow - loop * 0.9, sign * (16 + loop * 0.35), loop, rng.uniform(1.1, 1.6))
        eye = (eye - eye.offset(-rng.uniform(5, 7))) + shank
        lift = translation(z=sign * 1.3) @ rotation("z", open_by)
        steel.append(_slab(edge, 2.2, 4.0, 0.6).moved(lift))
        handles.append(_slab(rounded(eye, 1.5, 3), rng.uniform(7, 10), 4.0, 2.5).moved(lift))
    pivot = lathe([-4, 4], [4.5, 4.5], 20).moved(rotation("y", 90))
    finish = surfaces.metal(rng, _finish(rng), (128, 128)).material()
    return part(box_mapped(joined(*steel, pivot), 120), finish), part(joined(*handles), _grip(rng))


def clamp(rng: Rng) -> tuple[Part, ...]:
    """A C-clamp: a frame, a screw through its end, a bar to turn it."""
    gape, throat, thick = rng.uniform(45, 110), rng.uniform(35, 70), rng.uniform(9, 14)
    outer = np.array([(-thick, -thick), (gape + thick, -thick), (gape + thick, throat), (-thick, throat)])
    inner = np.array([(0, 0), (gape, 0), (gape, throat + 9), (0, throat + 9)])
    frame = rounded(section([outer]) - section([inner]), thick * 0.3, 6)
    reach, out = rng.uniform(0.2, 0.9) * gape, rng.uniform(40, 90)
    r = thick * rng.uniform(0.3, 0.42)
    stations = np.arange(gape - reach, gape + thick + out, 1.2)
    thread = lathe(stations, r * np.where(np.arange(len(stations)) % 2, 1.0, 0.86), 20)
    pad = lathe(np.array([-5, -4, 4, 5]) + gape - reach, np.array([0.8, 1, 1, 0.6]) * thick * 0.8, 24)
    bar = rod(np.array([-32.0, 32]), np.full(2, r * 0.6), np.full(2, r * 0.6), np.ones(16))
    bar = bar.moved(translation(gape + thick + out - 6) @ rotation("z", rng.uniform(20, 160)))
    screw = joined(thread, pad).moved(translation(0, throat - 10))
    painted = surfaces.plastic(rng, surfaces.any_color(rng), (128, 128)).material()
    cast = painted if rng.random() < 0.6 else surfaces.metal(rng, _finish(rng), (128, 128)).material()
    bright = surfaces.metal(rng, "satin", (128, 128)).material()
    turned = joined(screw, bar.moved(translation(0, throat - 10)))
    return part(_slab(frame, thick, 4.0, 2.0), cast), part(box_mapped(turned, 120), bright)


def level(rng: Rng) -> tuple[Part, ...]:
    """A spirit level: a beam with vials in windows."""
    long, tall, thick = rng.uniform(150, 380), rng.uniform(28, 55), rng.uniform(14, 24)
    beam = section([np.array([(-long, -tall), (long, -tall), (long, tall), (-long, tall)]) / 2])
    places = [0.0, *(s * long * 0.38 for s in (1, -1) if rng.random() < 0.7)]
    windows, vials = [], []
    for x in places:
        half = np.array([(-16, -7), (16, -7), (16, 7), (-16, 7)]) * min(tall / 34, 1.2)
        windows.append(section([half + (x, 0)]))
        turn = rotation("z", 0.0 if x == 0 else 90.0)
        vials.append(lathe([-13, -12, 12, 13], [3, 4.5, 4.5, 3], 20).moved(translation(x) @ turn))
    for window in windows:
        beam = beam - window
    layers = surfaces.plastic(rng, surfaces.any_color(rng), (128, 128))
    body = surfaces.metal(rng, "satin", (128, 128)) if rng.random() < 0.3 else layers
    liquid = Material((0.62, 0.85, 0.10), roughness=0.15, metallic=0.0)
    return part(_slab(beam, thick, 6.0, 1.0), body.material()), part(joined(*vials), liquid)


def brush(rng: Rng) -> tuple[Part, ...]:
    """A paint brush: bristles, a metal band, a waisted handle."""
    wide, thick, hair = rng.uniform(12, 42), rng.uniform(5, 9), rng.uniform(28, 60)
    long, waist = rng.uniform(90, 160), rng.uniform(0.3, 0.5)
    square, round_ = squircle(circle_angles(28), 5), squircle(circle_angles(28), 2.4)
    spread, thinned = wide * np.array([1, 1.04, 0.96]), thick * np.array([1, 0.8, 0.2])
    tuft = rod(np.array([0, hair * 0.7, hair]), spread, thinned, square)
    band = rod(np.array([-24.0, 2]), np.full(2, wide * 1.03), np.full(2, thick * 1.12), square)
    t = np.linspace(0, 1, 24)
    slim = np.interp(t, [0, 0.25, 0.5, 0.8, 1], [0.95, waist, 0.3, 0.36, 0.12]) * wide
    handle = rod(-22 - t[::-1] * long, slim[::-1] + 2.5, np.full(24, thick * 0.85), round_)
    hairs = surfaces.wood(rng, "hickory", (128, 64)).material()
    wooden = rng.random() < 0.5
    cover = surfaces.wood(rng, "beech", (128, 64)).material() if wooden else _grip(rng)
    return (
        part(tuft, hairs),
        part(band, surfaces.metal(rng, "satin", (64, 64)).material()),
        part(handle, cover),
    )


def cutter(rng: Rng) -> tuple[Part, ...]:
    """A utility knife: a body with a slider, a short slanted blade."""
    long, tall, thick = rng.uniform(110, 165), rng.uniform(16, 30), rng.uniform(9, 18)
    t = np.linspace(0, 1, 14)
    back = np.stack([t * long, tall * (0.5 + 0.10 * np.sin(t * np.pi))], 1)
    belly = np.stack(
        [t[::-1] * long, -tall * (0.5 + 0.22 * np.sin(t[::-1] * 2.2 * np.pi) * rng.uniform(0, 1))], 1
    )
    body = rounded(section([np.concatenate([belly, back])[::-1]]), tall * 0.25, 2)
    out, half = rng.uniform(12, 45), rng.uniform(4.5, 9)
    slanted = [(long - 20, -half), (long + out - half * 1.6, -half), (long + out, half), (long - 20, half)]
    blade = section([np.array(slanted)])
    slider = box((rng.uniform(14, 26), tall * 0.35, thick + 5), 1.5).moved(
        translation(long * rng.uniform(0.4, 0.7))
    )
    return (
        part(_slab(blade, 0.8, 4.0, 0.0), surfaces.metal(rng, "satin", (64, 64)).material()),
        part(_slab(body, thick, 4.0, min(thick * 0.3, 3.5)), _grip(rng)),
        part(slider, _grip(rng)),
    )


def _slab(shape: object, thick: float, spacing: float, bevel: float) -> Solid:
    """A flat shape of one thickness, its edges rounded off by `bevel` mm."""
    flat: Plan = plan(shape, spacing, rims=(bevel * 0.4, bevel) if bevel else ())
    height = np.full(len(flat.points), thick / 2)
    if bevel:
        height = height - bevel * (1 - np.sqrt(1 - np.clip(1 - flat.depth / bevel, 0, 1) ** 2))
    uv = flat.points / max(float(np.ptp(flat.points, axis=0).max()), 1.0) + 0.5
    return plate(flat, height, -height, uv, uv)


def _finish(rng: Rng) -> str:
    return str(rng.choice(["satin", "bare", "chrome", "black"], p=[0.4, 0.3, 0.15, 0.15]))


def _grip(rng: Rng) -> Material:
    color = surfaces.dark(rng) if rng.random() < 0.4 else surfaces.any_color(rng)
    make = [surfaces.plastic, surfaces.rubber][rng.integers(2)]
    return make(rng, color, (128, 64)).material()
