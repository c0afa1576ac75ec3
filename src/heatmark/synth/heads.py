"""Faces: skin, eyes, brows, lips and beards on the neutral head.

A face's texture is laid round the head as a label round a can: u is the azimuth (the nose in the middle), v
the height.
"""

from functools import lru_cache

import numpy as np

from . import flesh, surfaces
from .assets import Material
from .bodies import Build
from .bones import INDEX
from .figures import Figure
from .flesh import MM
from .tailoring import Shell

Rng = np.random.Generator
SIZE = (192, 320)  # (H, W) of a face's texture, finer in front than behind
LOW_MM, HIGH_MM = -90.0, 190.0  # heights that it shows, over the head's joint
SKIN = (  # sRGB, from fair to dark
    (0.93, 0.76, 0.67), (0.88, 0.68, 0.56), (0.80, 0.58, 0.45), (0.68, 0.47, 0.34), (0.51, 0.34, 0.24),
    (0.34, 0.22, 0.16),
)  # fmt: skip
EYES = ((0.22, 0.12, 0.06), (0.30, 0.18, 0.09), (0.25, 0.40, 0.50), (0.30, 0.38, 0.22), (0.10, 0.06, 0.04))


def complexion(rng: Rng) -> np.ndarray:
    """A skin's colour, (3,) sRGB."""
    at = rng.beta(0.9, 1.1) * (len(SKIN) - 1)
    return np.clip(
        [np.interp(at, range(len(SKIN)), c) for c in zip(*SKIN)] * (1 + rng.normal(0, 0.02, 3)), 0.05, 0.97
    )


@lru_cache(maxsize=1)
def _chart() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(azimuth in radians, millimetres to the left in front, height in mm) of every texel."""
    h, w = SIZE
    part = (np.arange(w) + 0.5) / w * 2 - 1  # of the half turn to the left
    azimuth = np.sign(part) * np.pi * (1.9 - np.sqrt(1.9**2 - 3.6 * np.abs(part))) / 1.8
    z = HIGH_MM - (np.arange(h) + 0.5) / h * (HIGH_MM - LOW_MM)
    azimuth, z = np.meshgrid(azimuth, z)
    left = np.where(
        np.abs(azimuth) < 1.35, 86.0 * np.tan(np.clip(azimuth, -1.35, 1.35)), np.sign(azimuth) * 400
    )
    return azimuth, left, z


def face(rng: Rng, build: Build, skin: np.ndarray, hair: np.ndarray) -> Material:
    """The skin of a head, painted."""
    azimuth, y, z = _chart()
    noise = surfaces.noise(rng, SIZE, (40, 80), 3)
    layers = (
        surfaces.Layers(SIZE, skin, 0.52, 0.0)
        .shade(noise, 0.035)
        .shade(surfaces.noise(rng, SIZE, (6, 12)), 0.03)
    )
    red = np.clip(skin * [1.06, 0.80, 0.80], 0, 1)

    def spot(y0, z0, wide, high) -> np.ndarray:
        return np.exp(-(((np.abs(y) - y0) / wide) ** 2) - ((z - z0) / high) ** 2)

    layers.cover(0.45 * spot(42, 30, 20, 16), red).cover(0.35 * spot(0, 30, 10, 9), red)
    layers.cover(0.30 * spot(32, 62, 22, 11), skin * 0.72)  # sockets lie in shade
    layers.cover(0.55 * spot(7, 20, 4, 3), skin * 0.35)  # nostrils
    layers.cover(0.25 * spot(14, 12, 3, 14), skin * 0.7)  # from the nose to the mouth
    _lips(rng, layers, build, skin)
    _eyes(rng, layers, build, skin)
    thick = (3.2 + 2.0 * build.male) * np.clip(build.age / 15, 0.6, 1) * rng.uniform(0.7, 1.2)
    arch, out = (
        81 + 4 * np.cos((np.abs(y) - 30) / 13),
        np.clip((np.abs(y) - 11) / 4, 0, 1) * np.clip((52 - np.abs(y)) / 8, 0, 1),
    )
    brow = np.exp(-(((z - arch) / thick) ** 2)) * out * (0.6 + 0.4 * noise)
    layers.cover(np.clip(brow * 1.1, 0, 0.95), hair * 0.75 if hair.mean() < 0.6 else hair * 0.8)
    if build.male > 0.5 and build.age > 17 and rng.random() < 0.6:
        _beard(rng, layers, hair, skin)
    if build.age > 45:
        lines = (
            np.exp(-(((z - 105 - 9 * np.round((z - 105) / 9)) / 1.4) ** 2))
            * (np.abs(z - 108) < 14)
            * (np.abs(y) < 38)
        )
        layers.cover(0.2 * lines * (build.age - 45) / 30, skin * 0.6)
    return layers.material(bump_m=0.0002)


def _eyes(rng: Rng, layers: surfaces.Layers, build: Build, skin: np.ndarray) -> None:
    _, y, z = _chart()
    open_, half = rng.uniform(4.2, 6.4) if rng.random() > 0.04 else 0.6, rng.uniform(13.5, 15.5)
    if build.age < 12:
        open_ = open_ * 1.15
    gaze, iris, lift = rng.normal(0, 2.2), np.array(EYES[rng.integers(len(EYES))]), rng.normal(0, 0.8)
    made_up = build.male < 0.5 and build.age > 15 and rng.random() < 0.5
    for side in (1, -1):
        u, v = (y * side - 32) / half, z - 62
        lid = np.where(v > 0, open_, open_ * 0.75) * np.sqrt(np.clip(1 - u * u, 0, 1))
        inside = np.clip((lid - np.abs(v)) / 0.9 + 0.5, 0, 1) * (np.abs(u) < 1)
        layers.cover(inside, (0.90, 0.88, 0.86), 0.2)
        far = np.hypot(y - side * 32 - gaze, v - lift)
        layers.cover(inside * np.clip(6.4 - far, 0, 1), iris * 0.6, 0.1).cover(
            inside * np.clip(5.4 - far, 0, 1), iris, 0.1
        )
        layers.cover(inside * np.clip(3.0 - far, 0, 1), (0.01, 0.01, 0.01), 0.05)
        layers.cover(
            inside * np.clip(1.3 - np.hypot(y - side * 32 - gaze - 2, v - lift - 2.2), 0, 1),
            (0.95, 0.95, 0.95),
        )
        upper = np.exp(-(((v - lid) / (2.0 if made_up else 1.3)) ** 2)) * (np.abs(u) < 1.08) * (v > -1)
        layers.cover(
            np.clip(upper * 1.2, 0, 1) * 0.9, (0.06, 0.04, 0.03) if skin.mean() > 0.3 else (0.02, 0.015, 0.01)
        )
        layers.cover(0.35 * np.exp(-(((v + lid) / 1.2) ** 2)) * (np.abs(u) < 1) * (v < 1), skin * 0.45)
        layers.cover(
            0.4 * np.exp(-(((v - lid - 4.5) / 1.2) ** 2)) * (np.abs(u) < 0.95) * (v > 0), skin * 0.55
        )


def _lips(rng: Rng, layers: surfaces.Layers, build: Build, skin: np.ndarray) -> None:
    _, y, z = _chart()
    half = rng.uniform(22, 27) * (0.9 if build.age < 12 else 1)
    smile = rng.uniform(-1.5, 5.0) * (y / half) ** 2
    u, v = y / half, z + 7.5 - smile
    full = 1 + 0.35 * build.face.get("lips", 0)
    shape = np.sqrt(np.clip(1 - u * u, 0, 1))
    upper = np.clip(6.5 * full * shape * (1 - 0.22 * np.exp(-((y / 4) ** 2))), 0.1, None)
    lower = np.clip(8.0 * full * shape, 0.1, None)
    inside = np.clip((np.where(v > 0, upper, lower) - np.abs(v)) / 1.2 + 0.5, 0, 1) * (np.abs(u) < 1)
    if build.male < 0.5 and build.age > 15 and rng.random() < 0.35:
        color, cover = np.array([rng.uniform(0.5, 0.8), 0.12, rng.uniform(0.15, 0.3)]), 0.8
    else:
        color, cover = np.clip(skin * [0.92, 0.66, 0.66], 0, 1), 0.75
    layers.cover(inside * cover, color, 0.4)
    if rng.random() < 0.25:  # teeth
        layers.cover((np.abs(v + 0.5) < 2.2 * shape) * (np.abs(u) < 0.75) * 1.0, (0.88, 0.86, 0.82), 0.3)
    else:
        layers.cover(np.exp(-((v / 1.1) ** 2)) * (np.abs(u) < 1.05) * 0.8, skin * 0.28)


def _beard(rng: Rng, layers: surfaces.Layers, hair: np.ndarray, skin: np.ndarray) -> None:
    azimuth, y, z = _chart()
    full = rng.random() < 0.4
    noise = surfaces.noise(rng, SIZE, (70, 140), 2)
    cheek = np.interp(np.abs(azimuth), [0, 0.35, 0.75, 1.2, 1.5], [-14, 2, 14, 35, 62])
    under = (
        np.clip((cheek - z) / 5, 0, 1)
        * np.clip((z + 62) / 20, 0, 1)
        * np.clip((1.5 - np.abs(azimuth)) / 0.15, 0, 1)
    )
    lip = np.exp(-(((z - 6) / 5.5) ** 2)) * (np.abs(y) < 32)
    mouth = 1 - np.exp(-((y / 24) ** 4) - ((z + 8) / 8) ** 4)
    where = np.clip(under + lip, 0, 1) * mouth * (0.55 + 0.45 * noise)
    layers.cover(
        where * (rng.uniform(0.7, 0.95) if full else rng.uniform(0.1, 0.4)),
        hair * 0.85 if full else skin * 0.45,
    )


def head_shell(figure: Figure, material: Material) -> Shell:
    """The head in its skin."""
    skin = figure.head
    uv, faces, source = wrapped()
    return Shell(skin.vertices[source], faces, skin.weights[source], uv, material)


@lru_cache(maxsize=1)
def wrapped() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(uv, faces, index of each vertex in the head) with the seam at the back doubled."""
    skin, base = flesh.head(), flesh.neutral().joints[INDEX["head"]]
    own = (skin.vertices - base) / MM
    part = np.arctan2(own[:, 1], own[:, 0]) / np.pi
    u = (np.sign(part) * (1.9 * np.abs(part) - 0.9 * part**2) + 1) / 2
    v = np.clip((own[:, 2] - LOW_MM) / (HIGH_MM - LOW_MM), 0, 1)
    corners = u[skin.faces]
    over = (np.ptp(corners, axis=1) > 0.5)[:, None] & (corners < 0.5)  # these corners belong to the far rim
    key, index = np.unique(skin.faces * 2 + over, return_inverse=True)
    source = key // 2
    uv = np.column_stack([np.where(key % 2, 0.9999, u[source]), v[source]])
    return uv, index.reshape(-1, 3), source
