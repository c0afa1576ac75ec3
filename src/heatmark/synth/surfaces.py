"""Surfaces: procedural materials for tools and clutter. Textures are uint8, (H, W) or (H, W, 3).

A texture's rows run along v from top (v = 1) to bottom (v = 0), its columns along u. `size` is (H, W). Fields
are float arrays, most in [0, 1]; colours are sRGB in [0, 1]. Every function that takes `rng` draws a
different surface each time.
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import ArrayLike

from .assets import Material

Color = ArrayLike  # (3,)

# what manufacturers dye their plastics and paint their steel with, sRGB
BRIGHT: tuple[tuple[float, float, float], ...] = (
    (0.80, 0.08, 0.07), (0.93, 0.40, 0.05), (0.96, 0.76, 0.05), (0.10, 0.45, 0.16), (0.05, 0.33, 0.30),
    (0.05, 0.22, 0.55), (0.10, 0.45, 0.75), (0.55, 0.10, 0.12), (0.60, 0.78, 0.10), (0.35, 0.12, 0.45),
    (0.85, 0.20, 0.45),
)  # fmt: skip
DARK: tuple[tuple[float, float, float], ...] = (
    (0.07, 0.07, 0.075), (0.13, 0.13, 0.14), (0.22, 0.22, 0.23), (0.05, 0.08, 0.16), (0.30, 0.30, 0.30),
)  # fmt: skip

BRANDS = (
    "PROFI",
    "FORGE",
    "STRONG",
    "HEAVY DUTY",
    "ANVIL",
    "KRAFT",
    "EX-TOOL",
    "MASTER",
    "HICKORY",
    "ATLAS",
    "TITAN",
    "WORKS",
)


def bright(rng: np.random.Generator) -> np.ndarray:
    """A strong colour, (3,) sRGB."""
    return np.clip(np.asarray(BRIGHT[rng.integers(len(BRIGHT))]) + rng.normal(0, 0.04, 3), 0.02, 0.98)


def dark(rng: np.random.Generator) -> np.ndarray:
    """Black rubber to grey plastic, (3,) sRGB."""
    return np.clip(np.asarray(DARK[rng.integers(len(DARK))]) + rng.normal(0, 0.015, 3), 0.02, 0.98)


def any_color(rng: np.random.Generator) -> np.ndarray:
    """Strong, dark, white or clear-ish: what handles come in, (3,) sRGB."""
    kind = rng.random()
    if kind < 0.6:
        return bright(rng)
    if kind < 0.88:
        return dark(rng)
    return np.clip(rng.uniform(0.6, 0.92) + rng.normal(0, 0.02, 3), 0, 1)


# fields


def noise(
    rng: np.random.Generator, size: tuple[int, int], cells: tuple[float, float], octaves: int = 4
) -> np.ndarray:
    """Cloudy noise (H, W) about 0.5, in [0, 1], that repeats over its borders. `cells`: bumps down,
    across."""
    total, weights = octaved(rng.random, size, cells, octaves, 0.55)
    return np.clip((total / weights - 0.5) * 1.6 + 0.5, 0, 1)


def octaved(
    draw: Callable, size: tuple[int, int], cells: tuple[float, ...], octaves: int, falling: float
) -> tuple[np.ndarray, float]:
    """A sum (H, W) of fields that repeat over their borders, each twice as fine as the last and `falling`
    times as strong, and the sum of the strengths. `draw(shape, dtype)` gives each field's values.
    """
    total, weights = np.zeros((1, 1), np.float32), 0.0
    for octave in range(octaves):
        h, w = (int(np.clip(round(c * 2**octave), 1, n)) for c, n in zip(cells, size))
        total = spread(total, (h, w)) + falling**octave * draw((h, w), np.float32)
        weights += falling**octave
    return spread(total, size), weights


def spread(grid: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A field (h, w) drawn out to `size` (H, W) by cubic interpolation, that repeats over its borders."""
    if grid.shape == size:
        return grid
    (h, w), (down, across) = size, (size[0] / grid.shape[0], size[1] / grid.shape[1])
    padded = cv2.copyMakeBorder(grid, 2, 2, 2, 2, cv2.BORDER_WRAP)
    wide = cv2.resize(padded, None, fx=across, fy=down, interpolation=cv2.INTER_CUBIC)
    y, x = int(np.ceil(1.5 * down)), int(np.ceil(1.5 * across))
    return wide[y : y + h, x : x + w]


def thrice(field: np.ndarray) -> np.ndarray:
    """A field (H, W) as (H, W, 3) float32. OpenCV spreads planes several times faster than NumPy does."""
    plane = np.ascontiguousarray(field, np.float32)
    return cv2.merge((plane, plane, plane))


def tinted(field: np.ndarray, color: Color) -> np.ndarray:
    """(H, W, 3) float32: a field (H, W) times a colour (3,)."""
    return cv2.transform(
        np.ascontiguousarray(field, np.float32), np.reshape(color, (3, 1)).astype(np.float32)
    )


def above(field: np.ndarray, threshold: float, soft: float = 0.04) -> np.ndarray:
    """1 where the field is above the threshold, 0 below, a soft step between."""
    return np.clip((field - threshold) / soft + 0.5, 0, 1)


def scratches(
    rng: np.random.Generator, size: tuple[int, int], count: int, angle: float | None = None
) -> np.ndarray:
    """Thin lines (H, W) in [0, 1], all ways or about `angle` radians."""
    h, w = size
    canvas = np.zeros(size, np.uint8)
    for _ in range(count):
        x, y = rng.uniform(0, w), rng.uniform(0, h)
        turn = rng.uniform(0, np.pi) if angle is None else angle + rng.normal(0, 0.15)
        reach = rng.exponential(0.08) * w + 3
        end = (int(x + reach * np.cos(turn)), int(y + reach * np.sin(turn)))
        cv2.line(canvas, (int(x), int(y)), end, int(rng.integers(60, 255)), 1, cv2.LINE_AA)
    return canvas.astype(np.float32) / 255


def letters(
    size: tuple[int, int], text: str, centre: tuple[float, float], box: tuple[float, float]
) -> np.ndarray:
    """Upright text (H, W) in [0, 1] that fills a box (width, height), all in fractions of the texture."""
    h, w = size
    face = cv2.FONT_HERSHEY_DUPLEX
    (tw, th), base = cv2.getTextSize(text, face, 2.0, 4)
    ink = np.zeros((th + base + 8, tw + 8), np.uint8)
    cv2.putText(ink, text, (4, th + 4), face, 2.0, 255, 4, cv2.LINE_AA)
    bw, bh = max(int(box[0] * w), 4), max(int(box[1] * h), 3)
    ink = cv2.resize(ink, (bw, bh), interpolation=cv2.INTER_AREA)
    canvas = np.zeros(size, np.float32)
    x, y = int(centre[0] * w - bw / 2), int(centre[1] * h - bh / 2)
    x1, y1, x2, y2 = max(x, 0), max(y, 0), min(x + bw, w), min(y + bh, h)
    if x2 > x1 and y2 > y1:
        canvas[y1:y2, x1:x2] = ink[y1 - y : y2 - y, x1 - x : x2 - x] / 255.0
    return canvas


# layers: a surface under construction


class Layers:
    """Colour, roughness, metal and height of a surface, painted over layer by layer; `material()` ends it."""

    def __init__(self, size: tuple[int, int], color: Color, roughness: float, metallic: float):
        self.size = size
        self.color = np.broadcast_to(np.asarray(color, np.float32), (*size, 3)).copy()
        self.rough = np.full(size, roughness, np.float32)
        self.metal = np.full(size, metallic, np.float32)
        self.height = np.zeros(size, np.float32)

    def cover(
        self,
        where: np.ndarray,
        color: Color | None = None,
        roughness=None,
        metallic=None,
        height: float = 0.0,
    ):
        """Lay something over the surface where `where` (H, W) is 1, in part where it is between."""
        rows = np.flatnonzero(where.any(1))
        if not len(rows):
            return self
        part = slice(rows[0], rows[-1] + 1)  # words and stripes are on a few rows
        where = np.ascontiguousarray(where[part], np.float32)
        if color is not None:
            paint, own = np.asarray(color, np.float32), self.color[part]
            own -= own * thrice(where)
            own += tinted(where, paint) if paint.ndim == 1 else thrice(where) * paint[part]
        if roughness is not None:
            self.rough[part] += where * (roughness - self.rough[part])
        if metallic is not None:
            self.metal[part] += where * (metallic - self.metal[part])
        if height:
            self.height[part] += height * where
        return self

    def shade(self, field: np.ndarray, strength: float):
        """Lighten and darken with a field about 0.5."""
        self.color *= thrice(1 + strength * (field - 0.5) * 2)
        return self

    def material(self, bump_m: float = 0.0003, specular: float = 0.5, clearcoat: float = 0.0) -> Material:
        bump = None
        if float(np.ptp(self.height)) > 1e-3:
            bump = _bytes((self.height - self.height.min()) / max(float(np.ptp(self.height)), 1.0))
        metal = _bytes(self.metal) if np.ptp(self.metal) > 0.01 else float(np.clip(self.metal.flat[0], 0, 1))
        return Material(
            _bytes(self.color),
            _bytes(self.rough),
            metal,
            specular=specular,
            clearcoat=clearcoat,
            bump=bump,
            bump_m=bump_m,
        )


def _bytes(field: np.ndarray) -> np.ndarray:
    return np.round(np.clip(field, 0, 1) * 255).astype(np.uint8)


# metals: (base colour, roughness) of a clean surface, before wear
FINISHES = {
    "chrome": ((0.78, 0.78, 0.79), 0.10),
    "satin": ((0.70, 0.70, 0.71), 0.32),
    "nickel": ((0.72, 0.69, 0.63), 0.22),
    "bare": ((0.56, 0.55, 0.54), 0.38),
    "forged": ((0.30, 0.29, 0.28), 0.55),
    "black": ((0.10, 0.10, 0.105), 0.42),
    "brass": ((0.80, 0.65, 0.32), 0.25),
    "zinc": ((0.72, 0.70, 0.60), 0.34),
}


def metal(
    rng: np.random.Generator, finish: str, size: tuple[int, int] = (256, 256), wear: float | None = None
) -> Layers:
    """Steel with a finish (a key of FINISHES), scratched, smudged and rusted by `wear` in [0, 1]."""
    wear = float(rng.beta(1.2, 2.0)) if wear is None else wear
    color, roughness = FINISHES[finish]
    color = np.clip(np.asarray(color) * rng.uniform(0.88, 1.08) + rng.normal(0, 0.008, 3), 0.02, 0.97)
    layers = Layers(size, color, np.clip(roughness + rng.normal(0, 0.05), 0.05, 0.8), 1.0)
    clouds, fine = noise(rng, size, (5, 5)), noise(rng, size, (40, 40), 3)
    layers.rough += (clouds - 0.5) * 0.22 * (0.4 + wear)
    layers.shade(clouds, 0.10 + 0.1 * wear).shade(fine, 0.05 + (0.15 if finish == "forged" else 0.0))
    if finish in ("forged", "black"):
        layers.height += fine * 0.25
    if finish in ("satin", "bare", "zinc") and rng.random() < 0.6:  # ground: fine lines one way
        h, w = size
        lines = noise(rng, size, (6, w) if rng.random() < 0.5 else (h, 6), 1)
        layers.shade(lines, 0.07)
        layers.rough += (lines - 0.5) * 0.12
    marks = scratches(rng, size, int(20 + 160 * wear))
    layers.cover(marks * 0.5 * wear, (0.62, 0.61, 0.60), 0.3)
    grime = above(noise(rng, size, (4, 4), 5), 0.86 - 0.36 * wear, 0.25)
    layers.cover(grime * 0.55 * wear, (0.10, 0.085, 0.07), 0.65, 0.3)
    return layers


def rusted(rng: np.random.Generator, layers: Layers, amount: float) -> Layers:
    """Rust over `amount` (0 to 1) of the surface."""
    size = layers.size
    field = 0.75 * noise(rng, size, (5, 5), 5) + 0.25 * noise(rng, size, (50, 50), 2)
    where = above(field, _passed_by(field, amount), 0.10)
    tint = noise(rng, size, (30, 30), 3)[..., None]
    color = np.array([0.22, 0.11, 0.06]) + tint * np.array([0.30, 0.14, 0.06])
    return layers.cover(where, color, 0.85, 0.05, height=0.4)


def _passed_by(field: np.ndarray, share: float) -> float:
    """What about `share` of a field lies above."""
    return float(np.quantile(field[::3, ::3], 1 - share))


def painted(
    rng: np.random.Generator, layers: Layers, color: Color, where: np.ndarray, chips: float
) -> Layers:
    """Paint over `where`, with a part `chips` (0 to 1) of it knocked off."""
    field = noise(rng, layers.size, (9, 9), 5)
    stays = where * (1 - above(field, _passed_by(field, chips), 0.05)) if chips > 0 else where
    stays = stays * (1 - 0.8 * scratches(rng, layers.size, int(10 + 120 * chips)))
    shade = noise(rng, layers.size, (6, 6))[..., None] * 0.10 + 0.95
    return layers.cover(stays, np.asarray(color) * shade, rng.uniform(0.2, 0.5), 0.0, height=0.5)


# handles


WOODS = {  # light, dark, sRGB
    "ash": ((0.86, 0.72, 0.50), (0.68, 0.50, 0.30)),
    "hickory": ((0.78, 0.60, 0.40), (0.55, 0.36, 0.20)),
    "beech": ((0.80, 0.58, 0.40), (0.66, 0.44, 0.28)),
    "varnished": ((0.74, 0.47, 0.20), (0.50, 0.27, 0.09)),
    "old": ((0.50, 0.38, 0.26), (0.30, 0.21, 0.13)),
    "grey": ((0.55, 0.50, 0.44), (0.38, 0.34, 0.29)),
}


def wood(
    rng: np.random.Generator, kind: str, size: tuple[int, int] = (512, 128), wear: float | None = None
) -> Layers:
    """Straight-grained wood (a key of WOODS), the grain along v; oiled, smudged, dented by `wear`."""
    wear = float(rng.beta(1.2, 2.0)) if wear is None else wear
    light, deep = (np.asarray(c) * rng.uniform(0.9, 1.08) for c in WOODS[kind])
    layers = Layers(size, np.clip(light, 0, 1), rng.uniform(0.3, 0.65), 0.0)
    h, w = size
    bend = (noise(rng, size, (2, 1), 2) - 0.5) * rng.uniform(0.1, 0.5)
    u = np.linspace(0, 1, w, endpoint=False, dtype=np.float32)[None] * np.ones((h, 1), np.float32)
    rings = rng.integers(3, 9)
    # cathedrals where the bend is strong
    phase = rings * 2 * np.pi * (u + 0.04 * np.sin(2 * np.pi * u)) + bend * 20
    late = np.clip(np.sin(phase) * 0.5 + 0.5, 0, 1) ** 2.5
    pores = noise(rng, size, (6, 90), 2)
    streaks = noise(rng, size, (2, 30), 3)
    layers.cover(0.65 * late, deep).cover(0.45 * above(pores, 0.68, 0.1), deep * 0.75, height=-0.3)
    layers.shade(streaks, 0.14).shade(noise(rng, size, (5, 2), 3), 0.08)
    dirt = above(noise(rng, size, (5, 2), 5), 0.85 - 0.4 * wear, 0.35)
    layers.cover(0.6 * wear * dirt, (0.16, 0.11, 0.08), 0.6)
    return layers.cover(scratches(rng, size, int(50 * wear)) * 0.5, deep * 0.5, 0.6, height=-0.3)


def plastic(
    rng: np.random.Generator, color: Color, size: tuple[int, int] = (256, 128), wear: float | None = None
) -> Layers:
    """Moulded plastic, glossy like cellulose acetate or dull like polypropylene."""
    wear = float(rng.beta(1.2, 2.5)) if wear is None else wear
    layers = Layers(size, color, rng.choice([rng.uniform(0.08, 0.2), rng.uniform(0.25, 0.55)]), 0.0)
    layers.shade(noise(rng, size, (3, 3)), 0.06)
    pale = np.clip(np.asarray(color) * 0.7 + 0.25, 0, 1)
    layers.cover(scratches(rng, size, int(10 + 80 * wear)) * 0.6 * wear, pale, 0.5)
    dirt = above(noise(rng, size, (5, 5), 5), 0.9 - 0.4 * wear, 0.3)
    return layers.cover(0.5 * wear * dirt, (0.12, 0.10, 0.08), 0.6)


def rubber(
    rng: np.random.Generator, color: Color, size: tuple[int, int] = (256, 128), wear: float | None = None
) -> Layers:
    """Soft grip material: dull, finely grained, dusty when worn."""
    wear = float(rng.beta(1.2, 2.0)) if wear is None else wear
    layers = Layers(size, color, rng.uniform(0.5, 0.8), 0.0)
    grain = noise(rng, size, (60, 60), 2)
    layers.shade(grain, 0.10).shade(noise(rng, size, (3, 3)), 0.10)
    layers.height += 0.2 * grain
    dust = above(noise(rng, size, (6, 6), 5), 0.85 - 0.35 * wear, 0.4)
    return layers.cover(0.35 * wear * dust, (0.50, 0.47, 0.43), 0.9)


def dots(size: tuple[int, int], down: int, across: int, radius: float = 0.3) -> np.ndarray:
    """Rows of round dots, every other row shifted: the studs or holes of a grip. `radius` of a cell."""
    h, w = size
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    y, x = (y + 0.5) / h * down, (x + 0.5) / w * across
    x = x + 0.5 * (np.floor(y) % 2)
    distance = np.hypot(y % 1 - 0.5, x % 1 - 0.5)
    return np.clip((radius - distance) / 0.12 + 0.5, 0, 1)
