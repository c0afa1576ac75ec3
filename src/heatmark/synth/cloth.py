"""Cloth: dyed, woven, striped, printed, and laid out on a texture as `tailoring.shell` does."""

from functools import lru_cache

import numpy as np

from . import surfaces
from .assets import Material
from .tailoring import ACROSS_M, HIGH_M

Rng = np.random.Generator

TEXELS = 256
CLOTH = (  # sRGB, what most people wear
    (0.08, 0.08, 0.09), (0.93, 0.93, 0.92), (0.10, 0.13, 0.25), (0.35, 0.36, 0.38), (0.62, 0.62, 0.63),
    (0.76, 0.70, 0.58), (0.30, 0.24, 0.18), (0.20, 0.28, 0.42), (0.45, 0.55, 0.68), (0.28, 0.33, 0.24),
    (0.55, 0.13, 0.15), (0.85, 0.80, 0.72),
)  # fmt: skip
GAY = ((0.80, 0.10, 0.12), (0.95, 0.75, 0.10), (0.10, 0.55, 0.30), (0.10, 0.35, 0.75), (0.90, 0.45, 0.10),
       (0.85, 0.35, 0.55), (0.45, 0.20, 0.55), (0.20, 0.65, 0.70), (0.65, 0.85, 0.20), (0.95, 0.70,
       0.75))  # fmt: skip
DENIM = ((0.16, 0.21, 0.33), (0.27, 0.36, 0.50), (0.45, 0.55, 0.66), (0.10, 0.12, 0.17), (0.33, 0.40, 0.47))


@lru_cache(maxsize=1)
def _sheet() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(across, height, front) of every texel, metres, as `shell` lays a texture."""
    u, v = np.meshgrid((np.arange(TEXELS) + 0.5) / TEXELS, 1 - (np.arange(TEXELS) + 0.5) / TEXELS)
    front = u < 0.5
    return (np.where(front, u, u - 0.5) * 2 - 0.5) * ACROSS_M, v * HIGH_M, front


def dye(rng: Rng, gay: float = 0.35) -> np.ndarray:
    """A colour of cloth, (3,) sRGB."""
    chosen = GAY if rng.random() < gay else CLOTH
    return np.clip(
        np.array(chosen[rng.integers(len(chosen))]) * rng.uniform(0.8, 1.1) + rng.normal(0, 0.03, 3),
        0.03,
        0.96,
    )


def woven(rng: Rng, color: np.ndarray, folds: float = 1.0) -> surfaces.Layers:
    """Plain cloth: a weave, folds, a little uneven dye."""
    size = (TEXELS, TEXELS)
    layers = surfaces.Layers(size, color, rng.uniform(0.7, 0.95), 0.0)
    folded = surfaces.noise(rng, size, (9, 26), 2)
    layers.shade(surfaces.noise(rng, size, (90, 90), 1), rng.uniform(0.02, 0.08)).shade(
        surfaces.noise(rng, size, (5, 5), 3), 0.035
    )
    layers.shade(folded, 0.04 * folds)
    layers.height += folds * folded
    return layers


def top_material(rng: Rng, printed: bool = True) -> Material:
    """A shirt's cloth: plain, striped, checked, in two colours, with a print on the chest."""
    p, q, front = _sheet()
    color = dye(rng)
    layers, other = woven(rng, color), dye(rng, 0.5)
    kind = rng.choice(
        ["plain", "stripes", "checks", "blocks", "upright", "spots"], p=[0.50, 0.16, 0.11, 0.12, 0.05, 0.06]
    )
    pitch, part = rng.uniform(0.02, 0.11), rng.uniform(0.25, 0.6)
    if kind == "stripes":
        layers.cover(((q / pitch) % 1 < part).astype(np.float32), other)
    elif kind == "upright":
        layers.cover(((p / (pitch * 0.5)) % 1 < part * 0.5).astype(np.float32), other)
    elif kind == "checks":
        lines = ((q / pitch) % 1 < part).astype(np.float32) + ((p / pitch) % 1 < part)
        layers.cover(lines * 0.45, other).cover(
            (((q / pitch) % 1 < 0.07) | ((p / pitch) % 1 < 0.07)) * 0.5, dye(rng)
        )
    elif kind == "blocks":
        edge = rng.choice([1.25, 1.15, 1.34])
        layers.cover(((q > edge) | ((np.abs(p) > 0.20) & (rng.random() < 0.5))).astype(np.float32), other)
    elif kind == "spots":
        x, y = p / pitch, q / pitch + 0.5 * (np.floor(p / pitch) % 2)
        layers.cover((np.hypot(x % 1 - 0.5, y % 1 - 0.5) < rng.uniform(0.15, 0.33)).astype(np.float32), other)
    if printed and rng.random() < 0.4:
        _print(rng, layers)
    if rng.random() < 0.2:  # buttons down the front
        layers.cover(front * (np.abs(p) < 0.004) * 0.5, color * 0.55)
        layers.cover(
            front * (np.hypot(p * 1.6, (q / 0.085) % 1 * 0.085 - 0.04) < 0.009) * 0.9, (0.9, 0.88, 0.85)
        )
    return layers.material(bump_m=0.004 * rng.uniform(0.2, 1.0))


def _print(rng: Rng, layers: surfaces.Layers) -> None:
    """A word, a number, a badge or a picture on the chest, or a number on the back too."""
    p, q, front = _sheet()
    ink, at, size = dye(rng, 0.7), rng.uniform(1.18, 1.30), rng.uniform(0.05, 0.13)
    kind = rng.choice(["word", "number", "badge", "picture"])
    box = (2 * size * 1.6 / ACROSS_M * 0.5, size / HIGH_M * (1.0 if kind == "word" else 1.8))
    if kind in ("word", "number"):
        text = str(rng.choice(surfaces.BRANDS)) if kind == "word" else str(rng.integers(1, 99))
        for u in (0.25, 0.75) if kind == "number" else (0.25,):
            layers.cover(surfaces.letters(layers.size, text, (u, 1 - at / HIGH_M), box), ink)
    elif kind == "badge":
        y = rng.choice([0.07, -0.07, 0.0])
        layers.cover(front * (np.hypot(p - y, q - 1.30) < 0.035).astype(np.float32), ink)
    else:
        here = front & (np.abs(p) < size) & (np.abs(q - at) < size * 1.1)
        patch = surfaces.noise(rng, layers.size, (50, 70), 3)
        layers.cover(here * (patch > 0.5).astype(np.float32), ink).cover(
            here * (patch < 0.4).astype(np.float32), dye(rng, 0.8)
        )


def bottom_material(rng: Rng) -> Material:
    """Denim or other cloth for legs, with a waistband, pockets and a fly."""
    p, q, front = _sheet()
    denim = rng.random() < 0.42
    color = np.array(DENIM[rng.integers(len(DENIM))]) * rng.uniform(0.85, 1.1) if denim else dye(rng, 0.12)
    layers = woven(rng, np.clip(color, 0.02, 0.95))
    if denim:
        faded = np.exp(-(((np.abs(p) - 0.09) / 0.05) ** 2)) * np.exp(-(((q - 0.62) / 0.25) ** 2))
        layers.cover(
            0.35 * faded * surfaces.noise(rng, layers.size, (12, 12)),
            np.clip(color * 1.9 + 0.1, 0, 1),
        )
    if rng.random() < 0.15:  # a sportsman's stripe down the side
        layers.cover((np.abs(np.abs(p) - 0.172) < 0.010).astype(np.float32), dye(rng, 0.5))
    seam = np.clip(color * 0.6, 0, 1)
    layers.cover(front * (np.abs(p) < 0.003) * (q > 0.84) * 0.6, seam)
    layers.cover(
        front * (np.abs(q - 0.98 + 0.5 * (np.abs(p) - 0.09)) < 0.004) * (np.abs(p) > 0.06) * 0.6, seam
    )
    layers.cover(~front * (np.abs(np.abs(p) - 0.085) < 0.05) * (np.abs(q - 0.90) < 0.06) * 0.12, seam)
    if rng.random() < 0.45:  # a belt
        layers.cover(
            ((q > 1.000) & (q < 1.035)).astype(np.float32),
            rng.choice([0.05, 0.2, 0.4]) * np.array([1.0, 0.7, 0.45]),
            0.4,
        )
        layers.cover(
            front * ((np.abs(p) < 0.02) & (q > 0.998) & (q < 1.037)).astype(np.float32),
            (0.75, 0.73, 0.68),
            0.25,
            0.9,
        )
    return layers.material(bump_m=0.004 * rng.uniform(0.2, 1.0))


def shoe_material(rng: Rng) -> Material:
    p, q, front = _sheet()
    color = dye(rng, 0.3)
    layers = surfaces.Layers((TEXELS, TEXELS), color, rng.uniform(0.35, 0.8), 0.0)
    sole = rng.choice([0.92, 0.1, 0.35]) * np.ones(3)
    layers.cover((q < rng.uniform(0.012, 0.022)).astype(np.float32), sole)
    if rng.random() < 0.5:
        layers.cover((np.abs(q - 0.045) < 0.006).astype(np.float32), dye(rng, 0.5))
    return layers.material()


def skirt_material(rng: Rng) -> Material:
    return (
        top_material(rng, printed=False) if rng.random() < 0.6 else woven(rng, dye(rng, 0.3)).material(0.004)
    )
