"""Ground textures: (rng, metres that the texture covers, texels) -> Material, its textures square."""

import colorsys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from .assets import Material
from .scraps import photograph
from .surfaces import octaved, thrice, tinted


def clouds(rng: np.random.Generator, size: int, cells: tuple[float, ...], octaves: int = 4) -> np.ndarray:
    """(size, size) float32 noise about 0, deviation 1, that repeats over its borders; bumps down, across."""
    total, _ = octaved(rng.standard_normal, (size, size), (cells[0], cells[-1]), octaves, 0.6)
    return total / max(float(total.std()), 1e-6)


def tone(color, field: np.ndarray, amount: float) -> np.ndarray:
    """(H, W, 3) a colour (sRGB in [0, 1]) made lighter and darker by a field about 0."""
    gain = 1 + np.float32(amount) * field.astype(np.float32)
    return tinted(gain, color) if np.ndim(color) == 1 else np.asarray(color, np.float32) * thrice(gain)


def mixed(color: np.ndarray, other: np.ndarray, share: np.ndarray) -> np.ndarray:
    """(H, W, 3) the one colour where `share` (H, W) is 0, the other where it is 1."""
    return color + (other - color) * thrice(share)


def as_bytes(field: np.ndarray) -> np.ndarray:
    return np.clip(np.round(field * 255), 0, 255).astype(np.uint8)


def wood(rng: np.random.Generator, metres: float, size: int) -> Material:
    """Planks or one board, fresh to grey, oiled or dry."""
    base = np.array(WOODS[rng.integers(len(WOODS))]) * (1 + rng.normal(0, 0.06, 3)) * rng.uniform(0.75, 1.15)
    fibre = clouds(rng, size, (metres * 6, metres * 220), 3)
    rings = clouds(rng, size, (max(1, metres * 1.5), metres * 28), 4)
    bands = np.sin(rings * rng.uniform(2, 5)) * 0.5
    field, gap = 0.5 * fibre + 0.9 * bands, np.zeros((size, size), np.float32)
    if rng.random() < 0.6:
        count = int(np.clip(round(metres / rng.uniform(0.06, 0.2)), 1, 40))
        across = np.arange(size) / size * count
        shade = rng.normal(0, 0.6, count + 1)[across.astype(int)]
        shift = rng.integers(0, size, count + 1)[across.astype(int)]
        field = field[(np.arange(size)[:, None] + shift) % size, np.arange(size)] + shade
        edge = np.minimum(across % 1, 1 - across % 1) * metres / count  # metres to the next gap
        gap = np.broadcast_to(np.clip(1.2 - edge / 0.0015, 0, 1), (size, size))
    color = tone(base, field, rng.uniform(0.06, 0.16)) * thrice(1 - 0.75 * gap)
    color = dirtied(rng, color, metres, rng.uniform(0, 0.35))
    rough = rng.uniform(0.3, 0.8) + 0.06 * fibre
    return Material(
        as_bytes(color), as_bytes(rough), 0.0, bump=as_bytes(0.6 + 0.1 * fibre - 0.5 * gap), bump_m=0.0008
    )


WOODS = (
    (0.72, 0.55, 0.36), (0.60, 0.42, 0.25), (0.45, 0.29, 0.17), (0.80, 0.67, 0.48), (0.50, 0.46, 0.41),
    (0.30, 0.19, 0.12), (0.66, 0.60, 0.52), (0.62, 0.36, 0.20),
)  # fmt: skip


def concrete(rng: np.random.Generator, metres: float, size: int) -> Material:
    """Concrete, asphalt, stone or plaster: stains, grain, pits."""
    grey = rng.uniform(0.22, 0.8) * (1 + rng.normal(0, 0.035, 3))
    stains, grain = clouds(rng, size, (metres * 4,) * 2), clouds(rng, size, (metres * 180,) * 2, 3)
    pits = np.clip(clouds(rng, size, (metres * 60,) * 2, 2) - rng.uniform(1.6, 3.0), 0, 1)
    color = tone(grey, stains, rng.uniform(0.03, 0.1)) * thrice(1 + rng.uniform(0.03, 0.16) * grain)
    color = dirtied(rng, color * thrice(1 - 0.5 * pits), metres, rng.uniform(0, 0.3))
    bump = as_bytes(0.6 + 0.12 * grain - 0.4 * pits)
    return Material(as_bytes(color), as_bytes(0.8 + 0.06 * stains), 0.0, bump=bump, bump_m=0.001)


def metal(rng: np.random.Generator, metres: float, size: int) -> Material:
    """Sheet steel or aluminium: brushed, scratched, spotted with rust, or chequered."""
    base = rng.uniform(0.35, 0.8) * (1 + rng.normal(0, 0.02, 3))
    brushed = clouds(rng, size, (metres * 4, metres * 500), 2) * rng.uniform(0.2, 1.0)
    blotch = clouds(rng, size, (metres * 5,) * 2)
    color = tone(base, brushed + 0.5 * blotch, 0.05)
    rust = np.clip((blotch + 0.4 * clouds(rng, size, (metres * 60,) * 2) - rng.uniform(0.6, 4)) * 2, 0, 1)
    brown = tone((0.36, 0.2, 0.1), clouds(rng, size, (metres * 80,) * 2), 0.2)
    color = mixed(color, brown, rust)
    bump = brushed * 0.1
    if rng.random() < 0.25:
        along = np.arange(size) / size * max(1, round(metres / 0.03)) * np.pi
        one, two = np.sin(along) ** 8, np.sin(along / 2) ** 2  # lozenges standing and lying by turns
        bump = bump + np.maximum(np.outer(two, one), np.outer(one, two))
    rough = rng.uniform(0.2, 0.55) + 0.04 * brushed + 0.4 * rust
    return Material(
        as_bytes(color), as_bytes(rough), as_bytes(1 - rust), bump=as_bytes(0.3 + 0.5 * bump), bump_m=0.0008
    )


def fabric(rng: np.random.Generator, metres: float, size: int) -> Material:
    """A weave, plain, striped or checked, with folds."""
    threads = int(np.clip(round(metres / rng.uniform(0.001, 0.006)), 8, size // 4))
    y, x = np.mgrid[:size, :size] / size * threads
    weave = np.where((np.floor(x) + np.floor(y)) % 2 == 0, np.sin(x * np.pi) ** 2, np.sin(y * np.pi) ** 2)
    color = np.broadcast_to(colour(rng), (size, size, 3))
    if rng.random() < 0.35:
        count = int(rng.integers(2, 14))
        stripe = (np.arange(size) / size * count % 1) < rng.uniform(0.15, 0.6)
        mask = (stripe[None, :] | (stripe[:, None] & (rng.random() < 0.5))).astype(np.float32)[
            ..., None
        ] * 0.8
        color = color * (1 - mask) + np.asarray(colour(rng)) * mask
    folds = clouds(rng, size, (metres * 5,) * 2, 2)
    color = color * thrice((0.75 + 0.3 * weave) * (1 + 0.05 * folds))
    bump = as_bytes(0.5 + 0.12 * folds + 0.1 * weave)
    return Material(
        as_bytes(dirtied(rng, color, metres, rng.uniform(0, 0.3))), 0.95, 0.0, bump=bump, bump_m=0.004
    )


def cardboard(rng: np.random.Generator, metres: float, size: int) -> Material:
    """Brown board with flutes, creases and tape."""
    base = np.array([0.66, 0.5, 0.34]) * rng.uniform(0.75, 1.15) * (1 + rng.normal(0, 0.03, 3))
    flutes = np.sin(np.arange(size) / size * 2 * np.pi * max(4, round(metres / 0.006)))[:, None] * np.ones(
        size
    )
    grain = clouds(rng, size, (metres * 120,) * 2, 3)
    color = tone(base, 0.5 * grain + 0.25 * flutes + clouds(rng, size, (metres * 5,) * 2), 0.05)
    for _ in range(rng.integers(0, 3)):
        start, width = rng.integers(0, size), int(max(2, 0.05 / metres * size))
        color[:, start : start + width] = color[:, start : start + width] * 0.6 + 0.4 * np.array(
            [0.75, 0.62, 0.4]
        )
    bump = as_bytes(0.5 + 0.1 * flutes + 0.08 * grain)
    return Material(
        as_bytes(dirtied(rng, color, metres, rng.uniform(0, 0.3))), 0.85, 0.0, bump=bump, bump_m=0.0006
    )


def painted(rng: np.random.Generator, metres: float, size: int) -> Material:
    """A bench, a tray, a table top, a white sweep: one colour, dull to glossy, clean to chipped."""
    base = np.asarray(rng.uniform(0.75, 0.97) * np.ones(3) if rng.random() < 0.4 else colour(rng))
    peel, blotch = clouds(rng, size, (metres * 120,) * 2, 2), clouds(rng, size, (metres * 4,) * 2)
    color = tone(base, 0.3 * peel + blotch, rng.uniform(0.0, 0.04))
    chips = np.clip((clouds(rng, size, (metres * 25,) * 2, 4) - rng.uniform(1.8, 5)) * 8, 0, 1)
    color = mixed(color, tone((0.4, 0.37, 0.34), peel, 0.2), chips)
    rough = rng.uniform(0.12, 0.75) + 0.03 * blotch + 0.3 * chips
    color = dirtied(rng, color, metres, rng.uniform(0, 0.3))
    return Material(
        as_bytes(color), as_bytes(rough), 0.0, bump=as_bytes(0.6 + 0.05 * peel - 0.3 * chips), bump_m=0.0005
    )


def plain(rng: np.random.Generator, metres: float, size: int) -> Material:
    """A photographer's sweep, as in a catalogue: white mostly, else grey, black or a colour, unmarked."""
    which = rng.random()
    grey = rng.uniform(0.9, 1.0) if which < 0.6 else rng.uniform(0.02, 0.7)
    base = np.full(3, grey) if which < 0.8 else np.asarray(colour(rng))
    shade = clouds(rng, size, (metres * 1.5,) * 2, 2)
    return Material(as_bytes(tone(base, shade, rng.uniform(0.0, 0.02))), float(rng.uniform(0.5, 1.0)), 0.0)


def paper(rng: np.random.Generator, metres: float, size: int) -> Material:
    """Sheets lying over one another: print, drawings, newspaper, graph paper."""
    color = np.asarray(tone(colour(rng), clouds(rng, size, (metres * 8,) * 2), 0.05)).astype(np.float32)
    scale = size / metres
    for _ in range(rng.integers(3, 12)):
        sheet = page(rng, max(24, int(min(0.297 * scale, size))), max(17, int(min(0.21 * scale, size))))
        h, w = sheet.shape[:2]
        turn = cv2.getRotationMatrix2D((w / 2, h / 2), rng.uniform(-180, 180), 1.0)
        turn[:, 2] += rng.uniform(0, size, 2) - [w / 2, h / 2]
        laid = cv2.warpAffine(sheet, turn, (size, size), borderValue=(0, 0, 0))
        cover = cv2.warpAffine(np.ones((h, w), np.float32), turn, (size, size))[..., None]
        shadow = cv2.GaussianBlur(cover, (0, 0), max(0.002 * scale, 0.5))[..., None] * 0.35
        color = color * (1 - np.maximum(shadow - cover, 0)) * (1 - cover) + laid * cover
    return Material(as_bytes(color), 0.8, 0.0)


def page(rng: np.random.Generator, h: int, w: int) -> np.ndarray:
    """(h, w, 3) float32: one sheet."""
    sheet = (
        np.ones((h, w, 3), np.float32)
        * np.float32(rng.uniform(0.85, 0.97))
        * (1 - rng.uniform(0, 0.1) * PAPER)
    )
    sheet = np.ascontiguousarray(sheet, np.float32)
    kind, ink = rng.random(), rng.uniform(0, 0.35, 3)
    if kind < 0.6:  # lines of text in columns
        columns, pitch = int(rng.integers(1, 4)), max(2, int(h / rng.uniform(20, 60)))
        for y in range(pitch * 2, h - pitch * 2, pitch):
            for column in range(columns):
                x, end = int(w * (column + 0.08) / columns), int(w * (column + 0.94) / columns)
                while x < end:
                    word = int(min(rng.integers(2, 9) * pitch * 0.4 + 1, end - x))
                    cv2.line(sheet, (x, y), (x + word, y), ink.tolist(), max(1, pitch // 3))
                    x += word + max(1, pitch // 2)
    elif kind < 0.8:  # a grid
        pitch = max(3, int(h / rng.uniform(15, 50)))
        sheet[::pitch] *= 0.8
        sheet[:, ::pitch] *= 0.8
    if rng.random() < 0.5:  # pictures or drawings
        for _ in range(rng.integers(1, 4)):
            a, b = rng.uniform(0.1, 0.9, 2) * [w, h], rng.uniform(0.1, 0.9, 2) * [w, h]
            fill = rng.uniform(0, 0.9, 3).tolist()
            cv2.rectangle(
                sheet, a.astype(int).tolist(), b.astype(int).tolist(), fill, int(rng.choice([-1, 1, 2]))
            )
    return sheet


PAPER = np.array([0.0, 0.3, 1.0])  # yellowing


def colour(rng: np.random.Generator) -> tuple[float, float, float]:
    """Any colour that a surface may have, most of them quiet; sRGB in [0, 1]."""
    r, g, b = colorsys.hsv_to_rgb(rng.random(), rng.beta(1, 2.2), rng.uniform(0.08, 0.95))
    return r, g, b


def dirtied(rng: np.random.Generator, color: np.ndarray, metres: float, amount: float) -> np.ndarray:
    """Stains, spots and scratches over a colour (H, W, 3), sparse to plenty."""
    size = len(color)
    stain = np.clip(clouds(rng, size, (metres * 6,) * 2, 5) - 0.8, 0, 1.5) * np.float32(amount)
    dark = 1 - np.float32(0.6) * np.minimum(stain, 1)
    browner = [dark * (1 - np.float32(0.03 * k) * stain) for k in range(3)]  # less blue than red is left
    color = np.asarray(color, np.float32) * cv2.merge(browner)
    lines = np.zeros((size, size), np.float32)
    for _ in range(int(rng.poisson(30 * amount))):
        a, angle, long = rng.uniform(0, size, 2), rng.uniform(0, np.pi), rng.exponential(0.12) * size
        b = a + long * np.array([np.cos(angle), np.sin(angle)])
        cv2.line(
            lines,
            a.astype(int).tolist(),
            b.astype(int).tolist(),
            float(rng.uniform(-0.25, 0.25)),
            1,
            cv2.LINE_AA,
        )
    return np.clip(color * thrice(1 + lines), 0, 1)


def grass(rng: np.random.Generator, metres: float, size: int) -> Material:
    """A lawn, lush to dry, with bare spots."""
    base = np.array([rng.uniform(0.18, 0.42), rng.uniform(0.32, 0.48), rng.uniform(0.08, 0.2)])
    blades, tufts = clouds(rng, size, (metres * 60, metres * 200), 3), clouds(rng, size, (metres * 5,) * 2, 4)
    color = tone(base, blades, rng.uniform(0.12, 0.25)) * thrice(1 + 0.08 * tufts)
    bare = np.clip((tufts + 0.3 * blades - rng.uniform(0.8, 3.0)) * 2, 0, 1)
    color = mixed(color, tone((0.42, 0.34, 0.24), blades, 0.15), bare)
    return Material(as_bytes(color), 0.95, 0.0, bump=as_bytes(0.5 + 0.15 * blades), bump_m=0.01)


def tiles(rng: np.random.Generator, metres: float, size: int) -> Material:
    """Tiles or paving stones, square or in bond, of one colour or two."""
    across = int(np.clip(round(metres / rng.choice([0.1, 0.2, 0.3, 0.45, 0.6])), 1, size // 12))
    y, x = np.mgrid[:size, :size] / size * across
    bond = rng.random() < 0.5
    x = x + 0.5 * (np.floor(y) % 2) * bond
    joint = np.minimum(np.minimum(x % 1, 1 - x % 1), np.minimum(y % 1, 1 - y % 1)) * metres / across
    which = (np.floor(x).astype(int) % across * 31 + np.floor(y).astype(int) * 17) % 64
    base = np.asarray(colour(rng)) * 0.4 + rng.uniform(0.15, 0.55)
    color = tone(
        base,
        rng.normal(0, 1, 64)[which] + 0.5 * clouds(rng, size, (metres * 30,) * 2),
        rng.uniform(0.02, 0.08),
    )
    if not bond and rng.random() < 0.35:
        odd = ((np.floor(x) + np.floor(y)) % 2)[..., None] * rng.uniform(0.3, 1.0)
        color = color * (1 - odd) + np.asarray(colour(rng)) * odd
    gap = np.clip(1.3 - joint / rng.uniform(0.003, 0.008), 0, 1)
    color = dirtied(rng, color * thrice(1 - 0.5 * gap), metres, rng.uniform(0, 0.3))
    rough = float(rng.uniform(0.2, 0.9))
    return Material(as_bytes(color), rough, 0.0, bump=as_bytes(0.6 - 0.5 * gap), bump_m=0.002)


GROUNDS: dict[str, Callable[[np.random.Generator, float, int], Material]] = {
    "wood": wood, "concrete": concrete, "metal": metal, "fabric": fabric, "cardboard": cardboard,
    "painted": painted, "plain": plain, "paper": paper, "grass": grass, "tiles": tiles,
}  # fmt: skip


def photo(path: Path, seed: int) -> Material:
    """A photograph laid on the ground."""
    rng = np.random.default_rng([seed, 19])
    return Material(photograph(path), float(rng.uniform(0.3, 0.95)), 0.0)
