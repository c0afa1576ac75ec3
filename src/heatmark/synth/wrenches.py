"""Wrenches: double open-ended, and combination (jaw and ring): forgings as outlines with heights.

A wrench lies along x with its flat sides up and down. Its jaws are made for a nut of size S (across flats,
mm), and every other measure follows from S as in DIN 3110 and 3113, loosely. `jaw_a`, `jaw_b`, `open_end`:
the middle of the mouth, where the nut sits, in the air; `ring_end`: the middle of the ring's hole.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..types import Skeleton
from . import surfaces
from .assets import Asset, Material
from .solids import Plan, Solid, disc, inside, part, plan, plate, resampled, rounded, section

WRENCH = Skeleton(
    "wrench", ("jaw_a", "jaw_b"), bones=(("jaw_a", "jaw_b"),), interchangeable=(("jaw_a", "jaw_b"),)
)
COMBINATION_WRENCH = Skeleton(
    "combination_wrench", ("open_end", "ring_end"), bones=(("open_end", "ring_end"),)
)

Rng = np.random.Generator


@dataclass(frozen=True)
class End:
    """One end of a wrench, in the wrench's plane (mm)."""

    nut: float  # across flats
    centre: np.ndarray  # (2,) of the nut
    outer: Any  # CrossSection of the forging
    hole: Any  # CrossSection of what is missing from it
    mark: np.ndarray  # (2,) the landmark
    radius: float  # of the forging about its middle
    half: float  # half its thickness
    is_ring: bool = False


def wrench(rng: Rng) -> Asset:
    """A double open-ended wrench; mostly one size up from end to end."""
    nut = _nut(rng)
    other = nut + rng.choice([1, 2, 3]) * (1 if rng.random() < 0.8 else 0)
    stout = rng.random() < 0.4  # short, with big heads and a broad shank
    long = (8.0 * other + 55) * (rng.uniform(0.58, 0.85) if stout else rng.uniform(0.65, 1.15))
    turn = 15.0 if rng.random() < 0.75 else rng.uniform(0, 24)
    signs = (1, 1) if rng.random() < 0.75 else (1, -1)
    if rng.random() < 0.5:
        signs = (-signs[0], -signs[1])
    style = _jaw_style(rng, stout)
    reach = long / 2 - 0.5 * (nut + other) / 2
    ends = (
        _jaw(rng, nut, (-reach, 0.0), 180 + signs[0] * turn, style),
        _jaw(rng, other, (reach, 0.0), signs[1] * turn, style),
    )
    return _asset(rng, WRENCH, ends, rng.uniform(0.8, 1.25) if stout else rng.uniform(0.58, 1.0))


def combination_wrench(rng: Rng) -> Asset:
    """One open jaw and one ring of the same size; the ring's hole has 12 points, sometimes 6 or a ratchet."""
    nut = _nut(rng)
    long = (10.6 * nut + 34) * rng.uniform(0.78, 1.15)
    turn = 15.0 if rng.random() < 0.8 else rng.uniform(0, 22)
    reach = long / 2 - 0.6 * nut
    jaw = _jaw(rng, nut, (-reach, 0.0), 180 + turn * rng.choice([-1, 1]), _jaw_style(rng))
    return _asset(
        rng, COMBINATION_WRENCH, (jaw, _ring(rng, nut, (reach, 0.0), jaw.half)), rng.uniform(0.58, 1.05)
    )


def _nut(rng: Rng) -> float:
    return float(np.clip(np.round(rng.lognormal(np.log(14), 0.38)), 6, 34))


@dataclass(frozen=True)
class JawStyle:
    """What the two jaws of one wrench have in common, in nut sizes and degrees."""

    girth: float
    stretch: float
    back: float
    tip: float
    slant: float
    throat: float
    corner: float
    thick: float


def _jaw_style(rng: Rng, stout: bool = False) -> JawStyle:
    return JawStyle(
        girth=rng.uniform(1.05, 1.28) if stout else rng.uniform(0.98, 1.2),
        stretch=rng.uniform(0.88, 1.12),
        back=rng.uniform(0.0, 0.22),
        tip=rng.uniform(0.15, 0.5) if stout else rng.uniform(0.36, 0.66),
        slant=rng.uniform(-5, 50) if stout else rng.uniform(-8, 38),
        throat=rng.uniform(0.5, 0.62),
        corner=rng.choice([rng.uniform(0.08, 0.2), rng.uniform(0.3, 0.49)]),
        thick=rng.uniform(0.24, 0.36),
    )


def _jaw(rng: Rng, nut: float, centre: tuple[float, float], degrees: float, style: JawStyle) -> End:
    """An open jaw whose mouth looks along `degrees`."""
    s, radius = nut, nut * style.girth
    outer = disc(-style.back * s, rng.uniform(-0.06, 0.06) * s, radius, style.stretch)
    tips = [style.tip * s * rng.uniform(0.94, 1.06) for _ in range(2)]
    slope = np.tan(np.deg2rad(style.slant))
    for sign, tip in zip((1, -1), tips):
        far = 3 * s
        cut = np.array(
            [
                (tip, sign * s * 0.4),
                (tip + far, sign * s * 0.4),
                (tip + far, sign * far),
                (tip - slope * far, sign * far),
            ]
        )
        outer = outer - section([cut if sign > 0 else cut[::-1]])
    throat, corner = -style.throat * s, style.corner * s
    mouth = rounded(section([_rectangle(throat, 4 * s, -s / 2, s / 2)]), outside=corner)
    gape = section(
        [
            np.array(
                [(min(tips) - 0.10 * s, 0), (max(tips) + 0.2 * s, -0.75 * s), (max(tips) + 0.2 * s, 0.75 * s)]
            )
        ]
    )
    if rng.random() < 0.4:
        mouth = mouth + (gape ^ section([_rectangle(0, 4 * s, -s * 0.56, s * 0.56)]))
    middle = np.array([(throat + float(np.mean(tips))) / 2, 0.0])
    place = np.asarray(centre)

    def set_down(shape: Any) -> Any:
        return shape.rotate(degrees).translate(tuple(place))

    c, si = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    turn = np.array([[c, -si], [si, c]])
    return End(
        nut, place + turn @ np.array([-style.back * s, 0]), set_down(outer), set_down(mouth),
        place + turn @ middle,
        radius * max(style.stretch, 1.0), (style.thick * s + 1.8) / 2,
    )  # fmt: skip


def _ring(rng: Rng, nut: float, centre: tuple[float, float], jaw_half: float) -> End:
    s = nut
    ratchet = rng.random() < 0.12
    radius = s * (rng.uniform(0.86, 0.98) if ratchet else rng.uniform(0.70, 0.82))
    points = 12 if rng.random() < 0.88 else 6
    phase = rng.uniform(0, 60)
    hexagon = [s / np.sqrt(3) * np.stack([np.cos(t), np.sin(t)], 1) for t in [np.arange(6) * np.pi / 3]]
    hole = section(hexagon).rotate(phase)
    if points == 12:
        hole = hole + section(hexagon).rotate(phase + 30)
    place = np.asarray(centre)
    return End(
        nut, place, disc(centre[0], centre[1], radius), hole.translate(tuple(place)), place, radius,
        jaw_half * rng.uniform(1.0, 1.55), is_ring=True,
    )  # fmt: skip


def _rectangle(x1: float, x2: float, y1: float, y2: float) -> np.ndarray:
    return np.array([(x1, y1), (x2, y1), (x2, y2), (x1, y2)])


def _step(value: np.ndarray) -> np.ndarray:
    t = np.clip(value, 0, 1)
    return t * t * (3 - 2 * t)


@dataclass(frozen=True)
class Shank:
    outline: Any
    half: float  # half thickness
    panel: Any | None  # CrossSection of a pressed or raised field
    press: float  # mm the panel is pressed in (raised where negative)
    soft: float  # radius of its edges


def _shank(rng: Rng, ends: tuple[End, End], wide: float) -> Shank:
    """A bar from nut to nut, `wide` nuts broad, mostly with a pressed field along it."""
    a, b = ends
    xa, xb = float(a.centre[0]), float(b.centre[0])
    wa, wb = (np.clip(wide * e.nut * (0.92 if e.is_ring else 1.0), 4.5, None) / 2 for e in ends)
    waist = rng.uniform(0.78, 1.0)
    x = np.linspace(xa, xb, 25)
    t = (x - xa) / (xb - xa)
    half = (wa + (wb - wa) * t) * (1 - (1 - waist) * (1 - (2 * t - 1) ** 2))
    outline = section([np.concatenate([np.stack([x, -half], 1), np.stack([x[::-1], half[::-1]], 1)])])
    thick = min(a.half, b.half) * rng.uniform(0.62, 0.98)
    panel, press = None, 0.0
    if rng.random() < 0.7:
        x1 = xa + a.radius * rng.uniform(1.25, 1.7)
        x2 = xb - b.radius * rng.uniform(1.3, 1.9)
        if x2 - x1 > 12:
            keep = rng.uniform(0.5, 0.86)
            inner = np.interp(np.linspace(x1, x2, 9), x, half) * keep
            xs = np.linspace(x1, x2, 9)
            field = section(
                [np.concatenate([np.stack([xs, -inner], 1), np.stack([xs[::-1], inner[::-1]], 1)])]
            )
            panel = rounded(field, outside=float(inner.min() * rng.uniform(0.3, 0.98)))
            press = thick * rng.uniform(0.12, 0.45) * (1 if rng.random() < 0.82 else -0.6)
    return Shank(outline, thick, panel, press, thick * rng.uniform(0.25, 0.95))


def _asset(rng: Rng, skeleton: Skeleton, ends: tuple[End, End], wide: float) -> Asset:
    shank = _shank(rng, ends, wide)
    small = min(e.nut for e in ends)
    body = rounded(ends[0].outer + shank.outline + ends[1].outer, inside=small * rng.uniform(0.35, 1.3))
    tips = (
        rounded(body - ends[0].hole, outside=small * rng.uniform(0.02, 0.07)) if not ends[0].is_ring else body
    )
    shape = tips - ends[1].hole
    if not ends[1].is_ring:
        shape = rounded(shape, outside=small * rng.uniform(0.02, 0.07))
    long = float(ends[1].centre[0] - ends[0].centre[0])
    soft = np.array([0.14, 0.45, 1.0]) * shank.soft
    lines = [] if shank.panel is None else [shank.panel, rounded(shank.panel.offset(-0.12 * small))]
    flat = plan(shape, spacing=long / 130, rims=tuple(soft), lines=lines, grid=long / 55)
    half = _heights(rng, flat, ends, shank)
    panel_depth = _panel(flat.points, shank)
    both = rng.random() < 0.9
    top = half - shank.press * panel_depth
    bottom = -half + (shank.press * panel_depth if both else 0)
    span = (long + 2.6 * max(e.radius for e in ends)) * 1.02
    uv_top = np.stack([flat.points[:, 0] / span + 0.5, flat.points[:, 1] / span + 0.75], 1)
    uv_bottom = np.stack([0.5 - flat.points[:, 0] / span, flat.points[:, 1] / span + 0.25], 1)
    solid = plate(flat, top, bottom, uv_top, uv_bottom)
    marks = np.array([[*e.mark, 0.0] for e in ends])
    if ends[1].is_ring:
        solid, marks = _bent(rng, solid, marks, ends)
    material = _finish(rng, shape, ends, shank, span)
    return Asset(skeleton.name, skeleton, marks / 1000, (part(solid, material),))


def _heights(rng: Rng, flat: Plan, ends: tuple[End, End], shank: Shank) -> np.ndarray:
    """(P,) half thickness: thick heads, a thinner shank, every edge rounded."""
    half = np.full(len(flat.points), shank.half)
    soft = np.full(len(flat.points), shank.soft)
    sharp = rng.uniform(0.12, 0.3)  # heads are ground flat, so their edges are crisper
    steep = rng.uniform(0.10, 0.5)
    for end in ends:
        away = np.linalg.norm(flat.points - end.centre, axis=1)
        near = 1 - _step((away - end.radius * 1.0) / (end.radius * steep))
        half = half + (end.half - half) * near
        soft = soft + (max(shank.soft * sharp, 0.35) * (2.0 if end.is_ring else 1.0) - soft) * near
    t = np.clip(1 - flat.depth / soft, 0, 1)
    return half - np.minimum(soft, 0.9 * half) * (1 - np.sqrt(1 - t**2))


def _panel(points: np.ndarray, shank: Shank) -> np.ndarray:
    """(P,) 1 within the pressed field, 0 outside, a short slope between."""
    if shank.panel is None:
        return np.zeros(len(points))
    from scipy.spatial import KDTree

    polygons = [np.asarray(p) for p in shank.panel.to_polygons()]
    border = KDTree(np.concatenate([resampled(p, 0.3) for p in polygons]))
    away = border.query(points)[0] * np.where(inside(points, polygons), 1, -1)
    return _step(away / max(0.8, abs(shank.press)))


def _bent(rng: Rng, solid: Solid, marks: np.ndarray, ends: tuple[End, End]) -> tuple[Solid, np.ndarray]:
    """The ring tilted out of the shank's plane, and the neck curved to carry it."""
    degrees = rng.uniform(9, 17) if rng.random() < 0.8 else rng.uniform(0, 5)
    begin = float(ends[1].centre[0]) - ends[1].radius * rng.uniform(1.6, 2.8)
    over = ends[1].radius * rng.uniform(0.6, 1.2)
    x = np.linspace(-400, 400, 1601)
    slope = np.deg2rad(degrees) * _step((x - begin) / over)
    step = x[1] - x[0]
    cx, cz = np.cumsum(np.cos(slope)) * step, np.cumsum(np.sin(slope)) * step
    at = int(np.searchsorted(x, begin))
    cx, cz = cx - cx[at] + begin, cz - cz[at]

    def bend(p: np.ndarray) -> np.ndarray:
        angle = np.interp(p[:, 0], x, slope)
        out = p.copy()
        out[:, 0] = np.interp(p[:, 0], x, cx) - p[:, 2] * np.sin(angle)
        out[:, 2] = np.interp(p[:, 0], x, cz) + p[:, 2] * np.cos(angle)
        return out

    return Solid(bend(solid.vertices), solid.uv, solid.faces), bend(marks)


WORDS = (
    "CHROME VANADIUM",
    "DROP FORGED",
    "CR-V",
    "FORGED STEEL",
    "DIN 3113",
    "VANADIUM",
    "PROFI",
    "TOOL STEEL",
    "ALLOY STEEL",
)


def _raster(shape: Any, span: float, size: int) -> np.ndarray:
    """(size / 2, size) uint8: 255 inside the shape, the texture's upper half."""
    import cv2

    canvas = np.zeros((size // 2, size), np.uint8)
    polygons = [
        np.round(
            np.stack([p[:, 0] / span * size + size / 2, size / 4 - p[:, 1] / span * size], 1) * 16
        ).astype(np.int32)
        for p in map(np.asarray, shape.to_polygons())
    ]
    cv2.fillPoly(canvas, polygons, 255, shift=4)  # even-odd, so holes stay open
    return canvas


def _finish(rng: Rng, shape: Any, ends: tuple[End, End], shank: Shank, span: float) -> Material:
    """Plating or paint, ground heads, stamped words, worn edges, rust; both sides in one square texture."""
    import cv2

    px = 512
    half = (px // 2, px)
    finish = rng.choice(
        ["chrome", "satin", "nickel", "bare", "forged", "black", "zinc"],
        p=[0.24, 0.30, 0.12, 0.10, 0.08, 0.10, 0.06],
    )
    wear = float(rng.beta(1.1, 2.0))
    layers = surfaces.metal(rng, finish, (px, px), wear)
    edge = cv2.distanceTransform(_raster(shape, span, px), cv2.DIST_L2, 3) * span / px  # mm from the outline
    heads = np.zeros(half, np.float32)
    y, x = np.mgrid[0 : half[0], 0 : half[1]]
    x, y = (x - px / 2) / px * span, (px / 4 - y) / px * span
    for end in ends:
        away = np.hypot(x - end.centre[0], y - end.centre[1])
        heads = np.maximum(heads, surfaces.above(-away, -end.radius * 1.08, 0.6))
    panel = np.zeros(half, np.float32) if shank.panel is None else _raster(shank.panel, span, px) / 255.0
    stamp = _stamp(rng, half, ends, shank, span)

    def both(field: np.ndarray) -> np.ndarray:
        return np.concatenate([field, field[:, ::-1]]).astype(np.float32)

    if rng.random() < 0.35 and finish in (
        "chrome",
        "satin",
        "forged",
        "black",
        "nickel",
    ):  # heads ground bright
        layers.cover(both(heads), surfaces.FINISHES["satin"][0], rng.uniform(0.12, 0.35))
    if shank.panel is not None and rng.random() < 0.3:  # a field left as forged, or painted
        tone = surfaces.any_color(rng) if rng.random() < 0.35 else np.full(3, rng.uniform(0.15, 0.5))
        layers.cover(both(panel) * rng.uniform(0.6, 1.0), tone, 0.5, rng.choice([0.0, 1.0]))
    if rng.random() < 0.05:
        layers = surfaces.painted(rng, layers, surfaces.any_color(rng), both(1 - heads), rng.uniform(0, 0.3))
    rub = surfaces.above(surfaces.noise(rng, half, (12, 24)) + 0.5 - edge / rng.uniform(1.5, 4), 0.6, 0.3) * (
        edge > 0
    )
    if finish in ("forged", "black"):
        layers.cover(both(rub) * (0.3 + 0.7 * wear), (0.58, 0.57, 0.55), 0.3, 1.0)
    raised = rng.random() < 0.35  # forged letters stand out, stamped ones are dark
    ink = rng.uniform(0.0, 0.15) if raised else rng.uniform(0.2, 0.75)
    upper = np.concatenate([stamp, _stamp(rng, half, ends, shank, span) if rng.random() < 0.8 else stamp * 0])
    layers.cover(upper * ink, (0.08, 0.08, 0.08), 0.5)
    layers.height += upper * (1.0 if raised else -1.0)
    if rng.random() < 0.3:
        layers = surfaces.rusted(rng, layers, float(rng.beta(1.0, 3.0)) * 0.8)
    return layers.material(bump_m=0.0004)


def _stamp(rng: Rng, half: tuple[int, int], ends: tuple[End, End], shank: Shank, span: float) -> np.ndarray:
    """(H, W) in [0, 1]: a word along the shank and the sizes beside the heads."""
    out = np.zeros(half, np.float32)
    xa, xb = float(ends[0].centre[0]), float(ends[1].centre[0])
    tall = min(e.nut for e in ends) * rng.uniform(0.28, 0.45) / span * 2
    if rng.random() < 0.75:
        word = str(rng.choice(WORDS))
        middle = 0.5 + ((xa + xb) / 2 + rng.uniform(-0.1, 0.1) * (xb - xa)) / span
        wide = min(len(word) * tall * 0.42, (xb - xa) / span * 0.5)
        out = np.maximum(out, surfaces.letters(half, word, (middle, 0.5), (wide, tall)))
    for end, sign in zip(ends, (1, -1)):
        if rng.random() < 0.7:
            at = 0.5 + (end.centre[0] + sign * end.radius * rng.uniform(1.1, 1.5)) / span
            out = np.maximum(out, surfaces.letters(half, f"{end.nut:.0f}", (at, 0.5), (tall * 0.8, tall)))
    return out
