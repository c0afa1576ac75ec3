"""Screwdrivers: slotted, Phillips, Pozidriv, Torx tips; stubby to long; many handles. Along x, the tip at +x.

`tip`: the middle of the blade's very end; `handle_end`: the middle of the handle's end. Millimetres until
`part`.
"""

from dataclasses import dataclass

import numpy as np

from ..types import Skeleton
from . import surfaces
from .assets import Asset, Material, Part
from .solids import Solid, circle_angles, joined, lathe, part, polygon_radius, profile, rod, squircle

SCREWDRIVER = Skeleton("screwdriver", ("tip", "handle_end"), bones=(("tip", "handle_end"),))

Rng = np.random.Generator
COLUMNS = 72  # round a handle: enough for flutes


@dataclass(frozen=True)
class Build:
    """What kind of screwdriver, in mm."""

    long: float  # of the handle
    thick: float  # the handle's largest radius
    blade: float  # the shaft's radius
    reach: float  # of the shaft, from the handle's front to the tip


def screwdriver(rng: Rng) -> Asset:
    """Any screwdriver. The handle lies from -long to 0, the shaft from 0 to reach."""
    kind = rng.choice(["common", "stubby", "precision", "long"], p=[0.66, 0.12, 0.10, 0.12])
    build = _build(rng, str(kind))
    tip = str(
        rng.choice(["slotted", "phillips", "pozidriv", "torx", "hex"], p=[0.38, 0.36, 0.09, 0.13, 0.04])
    )
    shaft = _shaft(rng, build, tip)
    end, handle = (_precision if kind == "precision" else _handle)(rng, build)
    marks = np.array([(build.reach, 0.0, 0.0), (end, 0.0, 0.0)])
    return Asset("screwdriver", SCREWDRIVER, marks / 1000, (shaft, *handle))


def _build(rng: Rng, kind: str) -> Build:
    if kind == "stubby":
        return Build(rng.uniform(42, 66), rng.uniform(13, 18), rng.uniform(2.5, 4), rng.uniform(22, 48))
    if kind == "precision":
        return Build(rng.uniform(75, 110), rng.uniform(3.5, 7.5), rng.uniform(0.9, 1.9), rng.uniform(35, 80))
    blade = rng.uniform(1.5, 4.2)
    thick = rng.uniform(10.5, 17) * (0.75 + 0.08 * blade)
    reach = rng.uniform(150, 300) if kind == "long" else rng.uniform(60, 155)
    return Build(rng.uniform(80, 122) * (0.75 + 0.08 * blade), thick, blade, reach)


# the shaft


def _shaft(rng: Rng, build: Build, tip: str) -> Part:
    """The steel: round, square or hexagonal, perhaps with a bolster at the handle, ground to its tip."""
    n = circle_angles(48)
    r, reach = build.blade, build.reach
    form = rng.random()
    outline = (
        np.ones(48) if form < 0.8 else polygon_radius(n, 6) * 0.95 if form < 0.92 else squircle(n, 8) * 0.9
    )
    ground = {"slotted": rng.uniform(9, 22) * (0.4 + r / 4), "torx": 5 + 2 * r}.get(tip, 4 + 3.2 * r)
    ground = min(ground, reach * 0.5)
    start = -build.long * 0.4
    x = [np.linspace(start, reach - ground, 14)]
    a = [np.full(14, r)]
    b = [np.full(14, r)]
    shapes = [np.tile(outline, (14, 1))]
    tx, ta, tb, tshape = {"slotted": _slotted, "torx": _torx, "hex": _hexed}.get(tip, _crossed)(
        rng, r, ground, n, tip
    )
    x.append(reach - ground + tx + 0.02)
    a.append(ta)
    b.append(tb)
    shapes.append(tshape)
    x[-1] *= reach / x[-1][-1]
    steel = rod(np.concatenate(x), np.concatenate(a), np.concatenate(b), np.concatenate(shapes))
    if rng.random() < 0.25 and r > 2:  # a bolster for a spanner, or a ferrule
        size, deep = r * rng.uniform(1.3, 1.9), rng.uniform(4, 14)
        collar = polygon_radius(n, 6) if rng.random() < 0.6 else np.ones(48)
        bx = np.array([-3.0, deep - 0.8, deep])
        steel = joined(
            steel, rod(bx, np.array([size, size, size - 0.8]), np.array([size, size, size - 0.8]), collar)
        )
    return part(steel, _steel(rng, build, ground))


def _steel(rng: Rng, build: Build, ground: float) -> Material:
    """Plated steel, its last millimetres often blackened or bare."""
    finish = str(rng.choice(["chrome", "satin", "nickel", "bare", "black"], p=[0.30, 0.34, 0.16, 0.12, 0.08]))
    layers = surfaces.metal(rng, finish, (256, 64))
    h, w = layers.size
    v = np.repeat(np.linspace(1, 0, h, dtype=np.float32)[:, None], w, 1)
    whole = build.reach + build.long * 0.4
    if rng.random() < 0.5:
        stretch = max(ground * rng.uniform(0.7, 2.2), 6) / whole
        end = surfaces.above(v, 1 - stretch, 0.012)
        color, roughness = surfaces.FINISHES[
            str(rng.choice(["black", "black", "bare", "brass"], p=[0.5, 0.2, 0.25, 0.05]))
        ]
        layers.cover(end, color, roughness)
    if rng.random() < 0.2:
        layers = surfaces.rusted(rng, layers, float(rng.beta(1, 3)) * 0.8)
    if rng.random() < 0.06:  # insulated
        return surfaces.painted(
            rng, layers, surfaces.bright(rng), 1 - surfaces.above(v, 1 - ground / whole, 0.01), 0.0
        ).material()
    return layers.material()


def _slotted(rng: Rng, r: float, ground: float, n: np.ndarray, tip: str):
    """Flared and flattened into a blade, or ground parallel."""
    flare = rng.uniform(1.15, 1.9) if rng.random() < 0.65 else rng.uniform(0.85, 1.0)
    edge = max(0.12 * r * rng.uniform(0.8, 1.5), 0.18)
    t = np.linspace(0, 1, 16)
    wide = r * np.interp(t, [0, 0.45, 0.62, 1], [1, (1 + flare) / 2, flare, flare * rng.uniform(0.82, 1.0)])
    thin = r * np.interp(t, [0, 0.5, 1], [1.0, 0.42, edge / r])
    power = np.interp(t, [0, 0.5, 1], [2, 5, 12])
    return t * ground, wide, thin, squircle(n, power[:, None])


def _crossed(rng: Rng, r: float, ground: float, n: np.ndarray, tip: str):
    """Phillips and Pozidriv: a cone with four flutes, blunt at the end."""
    t = np.concatenate([np.linspace(0, 0.97, 18), [1.0]])
    blunt = rng.uniform(0.22, 0.38)
    cone = r * np.interp(t, [0, 0.35, 0.93, 0.97, 1], [1, 1, blunt, blunt * 0.92, blunt * 0.6])
    flute = np.clip(0.5 - 0.9 * np.cos(4 * n), 0, 1) ** (0.8 if tip == "phillips" else 0.5)
    deep = np.interp(t, [0, 0.12, 0.5, 1], [0, 0.05, 0.5, 0.55])
    shape = 1 - deep[:, None] * flute
    if tip == "pozidriv":
        shape = shape - 0.08 * deep[:, None] * (np.cos(8 * n) > 0.9)
    return t * ground, cone, cone, shape


def _torx(rng: Rng, r: float, ground: float, n: np.ndarray, tip: str):
    """A six-lobed star, stepped down from the shaft."""
    small = rng.uniform(0.6, 0.85)
    t = np.array([0, 0.12, 0.45, 0.5, 0.55, 0.7, 0.85, 0.95, 1.0])
    size = r * np.array([1, 1, small * 1.05, small, small, small, small, small * 0.97, small * 0.82])
    lobes = 0.88 + 0.12 * np.cos(6 * n)
    mix = np.clip((t - 0.3) / 0.2, 0, 1)[:, None]
    return t * ground, size, size, 1 - mix + mix * lobes


def _hexed(rng: Rng, r: float, ground: float, n: np.ndarray, tip: str):
    """A hexagon key or a nut driver's end."""
    t = np.array([0, 0.2, 0.3, 0.9, 0.97, 1.0])
    size = r * np.array([1, 1, 0.9, 0.9, 0.88, 0.75])
    return t * ground, size, size, np.tile(polygon_radius(n, 6) * 0.95, (6, 1))


# handles, from -long to 0


def _handle(rng: Rng, build: Build) -> tuple[float, tuple[Part, ...]]:
    """One of four makes. Returns where the handle ends (x, mm) and its parts."""
    make = rng.choice(["fluted", "soft", "wood", "lobed"], p=[0.36, 0.38, 0.09, 0.17])
    return {"fluted": _fluted, "soft": _soft, "wood": _wood, "lobed": _lobed}[str(make)](rng, build)


def _skin(rows: list[list[float]], flute: np.ndarray, build: Build, deep: float, count: int = 44) -> Solid:
    """Rows (t from the end 0 to the front 1, radius over the thickest, share of the fluting) as a solid."""
    table = profile(rows, count)
    shape = 1 - deep * np.clip(table[:, 2:3], 0, 1) * flute
    radius = table[:, 1] * build.thick
    return rod((table[:, 0] - 1) * build.long, radius, radius, shape)


def _end_rows(rng: Rng, radius: float, build: Build) -> list[list[float]]:
    """The handle's rounded end up to `radius`."""
    depth = rng.uniform(0.04, 0.5) * build.thick / build.long
    arc = np.linspace(0.05, np.pi / 2, 7)
    return [[depth * (1 - np.cos(k)), radius * max(float(np.sin(k)), 0.03) ** 0.8, 0.3] for k in arc]


def _fluted(rng: Rng, build: Build) -> tuple[float, tuple[Part, ...]]:
    """The classic: cellulose acetate with flutes, a groove and a collar before the shaft."""
    count = int(rng.choice([4, 6, 6, 8, 10]))
    n = circle_angles(COLUMNS)
    wave = 0.5 - 0.5 * np.cos(count * n)
    flute = wave ** rng.uniform(0.5, 2.5) if rng.random() < 0.6 else surfaces.above(wave, 0.55, 0.5)
    neck = rng.uniform(0.5, 0.8)
    collar = rng.uniform(0.6, 1.05)
    at = rng.uniform(0.70, 0.82)
    belly = rng.uniform(0.92, 1.0)
    rows = [
        *_end_rows(rng, rng.uniform(0.88, 1.0), build),
        [0.25, 1.0, 1.0],
        [at - 0.16, belly, 1.0],
        [at - 0.06, belly * 0.97, 0.6],
        [at, neck, 0.0],
        [at + 0.08, neck * rng.uniform(0.95, 1.05), 0.0],
        [at + 0.13, collar, 0.0],
        [0.985, collar * rng.uniform(0.75, 1.0), 0.0],
        [1.0, collar * 0.7, 0.0],
    ]
    solid = _skin(rows, flute, build, rng.uniform(0.08, 0.24))
    return -build.long, (part(solid, _acetate(rng, at)),)


def _acetate(rng: Rng, at: float) -> Material:
    """Glossy, perhaps striped along the flutes or with a second colour towards one end."""
    color = surfaces.any_color(rng)
    layers = surfaces.plastic(rng, color, (256, 128))
    layers.rough *= rng.uniform(0.4, 1.0)
    h, w = layers.size
    v, u = np.mgrid[h:0:-1, 0:w].astype(np.float32) / np.array([h, w], np.float32)[:, None, None]
    second = surfaces.any_color(rng)
    pattern = rng.random()
    if pattern < 0.3:
        stripes = surfaces.above(
            np.cos(2 * np.pi * u * int(rng.choice([2, 3, 4, 6]))), rng.uniform(0.2, 0.8), 0.1
        )
        layers.cover(stripes * surfaces.above(-v, -at + 0.1, 0.02), second)
    elif pattern < 0.55:
        layers.cover(surfaces.above(v, rng.uniform(0.55, 0.9), 0.01), second)
    elif pattern < 0.65:
        layers.cover(surfaces.above(-v, -rng.uniform(0.06, 0.3), 0.01), second)
    if rng.random() < 0.35:
        ink = surfaces.letters(
            (w, h), str(rng.choice(surfaces.BRANDS)), (0.45, rng.uniform(0.2, 0.8)), (0.4, 0.12)
        )
        layers.cover(ink.T[::-1], rng.choice([(0.95, 0.95, 0.95), (0.05, 0.05, 0.05), (0.9, 0.75, 0.1)]), 0.4)
    return layers.material(clearcoat=float(rng.choice([0.0, rng.uniform(0.3, 1.0)])))


def _soft(rng: Rng, build: Build) -> tuple[float, tuple[Part, ...]]:
    """A modern two-component handle: swelling for the palm, waisted for the fingers, rubber on plastic."""
    n = circle_angles(COLUMNS)
    sides = int(rng.choice([3, 4, 6, 6]))
    flute = 0.5 - 0.5 * np.cos(sides * n)
    waist_at, waist = rng.uniform(0.6, 0.78), rng.uniform(0.52, 0.8)
    rows = [
        *_end_rows(rng, rng.uniform(0.7, 0.95), build),
        [rng.uniform(0.24, 0.42), 1.0, 1.0],
        [waist_at, waist, rng.uniform(0.2, 0.8)],
        [0.92, rng.uniform(waist, 1.08), 0.0],
        [0.985, rng.uniform(0.5, 0.8), 0.0],
        [1.0, 0.45, 0.0],
    ]
    solid = _skin(rows, flute, build, rng.uniform(0.03, 0.16))
    base, over = (
        surfaces.any_color(rng),
        surfaces.dark(rng) if rng.random() < 0.75 else surfaces.any_color(rng),
    )
    layers = surfaces.rubber(rng, over, (256, 128))
    h, w = layers.size
    v, u = np.mgrid[h:0:-1, 0:w].astype(np.float32) / np.array([h, w], np.float32)[:, None, None]
    hard = np.zeros((h, w), np.float32)
    if rng.random() < 0.7:  # windows of hard plastic between the rubber
        number = int(rng.choice([2, 3, 4, 6]))
        across = np.abs((u * number) % 1 - 0.5) / rng.uniform(0.18, 0.42)
        middle, span = rng.uniform(0.25, 0.5), rng.uniform(0.15, 0.42)
        hard = np.maximum(
            hard,
            surfaces.above(-np.hypot(across, (np.abs(v - middle) / span) ** rng.uniform(1, 4)), -1.0, 0.08),
        )
    if rng.random() < 0.55:
        hard = np.maximum(hard, surfaces.above(v, rng.uniform(0.72, 0.94), 0.01))
    if rng.random() < 0.55:
        hard = np.maximum(hard, surfaces.above(-v, -rng.uniform(0.03, 0.2), 0.01))
    layers.cover(hard, base, rng.uniform(0.15, 0.5), height=0.6)
    if rng.random() < 0.3:
        zone = (1 - hard) * surfaces.above(-np.abs(v - 0.4), -0.25, 0.02)
        layers.cover(
            zone * surfaces.dots((h, w), 28, 14),
            np.asarray(over) * 0.6,
            height=float(rng.choice([-1.0, 0.6])),
        )
    if rng.random() < 0.35:
        ink = surfaces.letters(
            (w, h), str(rng.choice(surfaces.BRANDS)), (0.55, rng.uniform(0.2, 0.8)), (0.3, 0.12)
        )
        layers.cover(ink.T[::-1], surfaces.any_color(rng), 0.4)
    end, cap = -build.long, ()
    if rng.random() < 0.12:  # a striking cap
        size = build.thick * rng.uniform(0.4, 0.65)
        deep = rng.uniform(2, 6)
        body = lathe([end - deep, end - deep + 0.8, end + 6], [size - 0.8, size, size])
        end, cap = end - deep, (part(body, surfaces.metal(rng, "satin", (64, 64)).material()),)
    return end, (part(solid, layers.material(bump_m=0.0006)), *cap)


def _wood(rng: Rng, build: Build) -> tuple[float, tuple[Part, ...]]:
    """A turned wooden handle with a brass or steel ferrule."""
    neck = rng.uniform(0.55, 0.75)
    rows = [
        *_end_rows(rng, rng.uniform(0.8, 1.0), build),
        [rng.uniform(0.25, 0.4), 1.0, 1.0],
        [rng.uniform(0.62, 0.72), rng.uniform(0.7, 0.95), 1.0],
        [0.84, neck, 0.0],
        [0.995, neck * 0.9, 0.0],
        [1.0, neck * 0.6, 0.0],
    ]
    facets = polygon_radius(circle_angles(COLUMNS), int(rng.choice([6, 8])))
    flat = facets.max() - facets if rng.random() < 0.4 else np.zeros(COLUMNS)
    solid = _skin(rows, flat, build, 1.0)
    kind = str(rng.choice(list(surfaces.WOODS)))
    layers = surfaces.wood(rng, kind, (256, 128))
    if rng.random() < 0.4:
        layers = surfaces.painted(
            rng, layers, surfaces.any_color(rng), np.ones(layers.size), rng.uniform(0, 0.35)
        )
    size = neck * build.thick * 1.04
    ferrule = lathe(
        np.array([0.86, 0.87, 0.99, 1.005]) * build.long - build.long,
        [size * 0.96, size, size * 0.93, size * 0.7],
    )
    ring = surfaces.metal(rng, str(rng.choice(["brass", "satin", "nickel"])), (64, 64))
    gloss = float(rng.choice([0.0, 0.8]))
    return -build.long, (
        part(solid, layers.material(bump_m=0.00015, clearcoat=gloss)),
        part(ferrule, ring.material()),
    )


def _lobed(rng: Rng, build: Build) -> tuple[float, tuple[Part, ...]]:
    """A fat hexagonal or triangular moulding with a knurled or ribbed band."""
    n = circle_angles(COLUMNS)
    sides = int(rng.choice([3, 4, 6]))
    corner = polygon_radius(n, sides)
    flute = np.clip((corner.max() - corner) / np.ptp(corner), 0, 1)
    front, waist = rng.uniform(0.7, 1.0), rng.uniform(0.6, 0.85)
    ribs = int(rng.integers(3, 9))
    rows = [
        *_end_rows(rng, rng.uniform(0.75, 1.0), build),
        [0.2, 1.0, 1.0],
        [0.5, 0.96, 1.0],
        *[[0.62 + 0.2 * k / ribs, waist * (1 + 0.07 * (k % 2)), 0.3] for k in range(ribs)],
        [0.88, front, 0.2],
        [0.97, front, 0.1],
        [1.0, front * 0.6, 0.0],
    ]
    solid = _skin(rows, flute, build, rng.uniform(0.06, 0.18), count=56)
    return -build.long, (part(solid, _acetate(rng, 0.8)),)


def _precision(rng: Rng, build: Build) -> tuple[float, tuple[Part, ...]]:
    """A thin handle with a turning cap."""
    r, long = build.thick, build.long
    n = circle_angles(COLUMNS)
    knurl = 0.5 - 0.5 * np.cos(int(rng.choice([6, 12, 18])) * n)
    rows = [
        [0.13, 0.8, 0],
        [0.14, 0.85, 0],
        [0.3, 0.9, 1],
        [0.75, 0.9, 1],
        [0.78, 0.8, 0],
        [0.93, 0.65, 0],
        [1.0, 0.35, 0],
    ]
    body = _skin(rows, knurl, build, rng.uniform(0.03, 0.12))
    tops = np.array([-1.0, -0.99, -0.91, -0.9, -0.86]) * long
    cap = lathe(tops, np.array([0.85, 1.0, 1.0, 0.6, 0.6]) * r)
    metallic = rng.random() < 0.35
    if metallic:
        layers = surfaces.metal(rng, str(rng.choice(["satin", "black", "chrome", "brass"])), (128, 128))
        tip = surfaces.metal(rng, "satin", (64, 64))
    else:
        layers, tip = (
            surfaces.plastic(rng, surfaces.any_color(rng), (128, 128)),
            surfaces.plastic(rng, surfaces.any_color(rng), (64, 64)),
        )
    return -long, (part(body, layers.material()), part(cap, tip.material()))
