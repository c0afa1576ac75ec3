"""What is pasted: pictures for backgrounds and things to hold in front, from photographs or from nothing.

Everything is a function of its generator; photographs come from a folder when there is one.
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from ..errors import DataError
from ..imaging.decode import decode
from ..imaging.transforms import warp

PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")


@lru_cache(maxsize=16)
def photographs(folder: str | None) -> tuple[Path, ...]:
    """The pictures in a folder and those in it, sorted; none for no folder. Raises a DataError where there is
    none.
    """
    if folder is None:
        return ()
    inside = sorted(Path(folder).rglob("*"))
    found = tuple(p for p in inside if p.suffix.lower() in PICTURES and not p.name.startswith("."))
    if not found:
        raise DataError(f"{folder}: the folder holds no pictures")
    return found


@lru_cache(maxsize=64)
def photograph(path: Path) -> np.ndarray:
    """(H, W, 3) uint8 sRGB, upright. Raises a DataError naming the file."""
    try:
        return decode(path.read_bytes(), str(path))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error


def background(rng: np.random.Generator, size: tuple[int, int], photos: Sequence[Path] = ()) -> np.ndarray:
    """(H, W, 3) uint8: a part of a photograph, or an invented picture where there are none."""
    if not photos:
        return invented(rng, size)
    picture = photograph(photos[int(rng.integers(len(photos)))])
    (h, w), (ph, pw) = size, picture.shape[:2]
    scale = max(h / ph, w / pw) * rng.uniform(1.0, 1.8)  # result pixels per photograph pixel
    left, top = rng.uniform(0, pw - w / scale), rng.uniform(0, ph - h / scale)
    mirror = -1.0 if rng.random() < 0.5 else 1.0
    start = scale * left + w if mirror < 0 else -scale * left
    matrix = np.array([[mirror * scale, 0, start], [0, scale, -scale * top], [0, 0, 1]])
    return warp(picture, matrix, size, "replicate")


def invented(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """(H, W, 3) uint8: clouds of colour with flat shapes, stripes and strokes on them, like a messy room out
    of focus or a poster; no photograph, but with edges and detail at every scale."""
    h, w = size
    palette = rng.uniform(0, 1, (5, 3)) * rng.uniform(0.4, 1.0) + rng.uniform(0, 0.3)
    palette = palette.mean(1, keepdims=True) + (palette - palette.mean(1, keepdims=True)) * rng.uniform(0, 1)
    field = _octaves(rng, size)
    mixed = palette[0] + (palette[1] - palette[0]) * field[..., None]
    picture = (np.clip(mixed, 0, 1) * 255).astype(np.uint8)
    for _ in range(rng.integers(0, 14)):
        cover = silhouette(rng, size, rng.uniform(0.1, 0.8))
        color = palette[rng.integers(5)] * (1 + 0.3 * (_octaves(rng, size) - 0.5))[..., None] * 255
        if rng.random() < 0.3:  # striped
            turn, period = rng.uniform(0, np.pi), rng.uniform(4, 30)
            y, x = np.mgrid[:h, :w]
            stripes = np.sin((x * np.cos(turn) + y * np.sin(turn)) * 2 * np.pi / period) > 0
            color = np.where(stripes[..., None], color, palette[rng.integers(5)] * 255)
        picture = (picture + (color - picture) * cover[..., None]).clip(0, 255).astype(np.uint8)
    if rng.random() < 0.5:
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.5, 3.0))
    return picture


def thing(
    rng: np.random.Generator, size: tuple[int, int], share: float, photos: Sequence[Path] = ()
) -> tuple[np.ndarray, np.ndarray]:
    """A random thing in the middle of a picture: a silhouette with a texture, shaded as if round.

    Args:
        share: its diameter, of the picture's shorter side.

    Returns:
        The picture (H, W, 3) uint8 and its alpha (H, W) float32.
    """
    cover = silhouette(rng, size, share, middle=True)
    texture = background(rng, size, photos if rng.random() < 0.7 else ()).astype(np.float32)
    if rng.random() < 0.5:  # one colour with a little of the texture
        texture = rng.uniform(20, 235, 3) + (texture - texture.mean((0, 1))) * rng.uniform(0.1, 0.5)
    inside = cv2.distanceTransform((cover > 0.5).astype(np.uint8), cv2.DIST_L2, 3)
    height = np.sqrt(inside / max(float(inside.max()), 1e-6))
    turn = rng.uniform(0, 2 * np.pi)
    slope = cv2.Sobel(height, -1, 1, 0) * np.cos(turn) + cv2.Sobel(height, -1, 0, 1) * np.sin(turn)
    lit = 0.75 + 0.25 * height + rng.uniform(0, 0.5) * cv2.GaussianBlur(slope, (0, 0), 1.5)
    return np.clip(texture * lit[..., None], 0, 255).astype(np.uint8), cover


def silhouette(
    rng: np.random.Generator, size: tuple[int, int], share: float, middle: bool = False
) -> np.ndarray:
    """(H, W) float32 in [0, 1], smooth at its edge: a blob, a polygon, a plate, a bar, or a few fingers."""
    h, w = size
    centre = np.array([w / 2, h / 2]) if middle else rng.uniform(0, [w, h])
    radius = share * min(h, w) / 2
    kind = rng.choice(["blob", "polygon", "plate", "bar", "fingers"])
    around = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    outlines: list[np.ndarray]
    if kind == "blob":
        waves = sum(
            rng.normal(0, 0.25 / n) * np.cos(n * around + rng.uniform(0, 2 * np.pi)) for n in range(1, 6)
        )
        outlines = [_circle(around) * (radius * np.clip(0.8 + waves, 0.2, 1.3))[:, None]]
    elif kind == "polygon":
        corners = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 8)))
        outlines = [_circle(corners) * radius * rng.uniform(0.6, 1.1, (len(corners), 1))]
    elif kind == "plate":  # a superellipse: from an ellipse to a box with round corners
        power = rng.uniform(0.15, 1.0)
        c = _circle(around)
        outlines = [np.sign(c) * abs(c) ** power * radius * [1, rng.uniform(0.4, 1.0)]]
    elif kind == "bar":
        thick = radius * rng.uniform(0.08, 0.3)
        outlines = [np.array([[-1.2 * radius, -thick], [1.2 * radius, -thick * rng.uniform(0.5, 1)],
                              [1.2 * radius, thick], [-1.2 * radius, thick]])]  # fmt: skip
    else:
        thick = radius * rng.uniform(0.12, 0.22)
        long = np.array([1.0, 1.15, 1.1, 0.9]) * radius * rng.uniform(0.6, 1.0)
        outlines = [
            np.concatenate([
                _circle(around[:36] - np.pi / 2) * thick + [length / 2, row * thick * 2.1],
                _circle(around[36:] - np.pi / 2) * thick + [-radius, row * thick * 2.1],
            ])
            for row, length in zip((-1.5, -0.5, 0.5, 1.5)[: rng.integers(2, 5)], long)
        ]  # fmt: skip
    turn = rng.uniform(0, 2 * np.pi)
    matrix = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    drawn = np.zeros((h, w), np.uint8)
    for outline in outlines:
        fixed = ((outline @ matrix + centre - 0.5) * 16).round().astype(np.int32)
        cv2.fillPoly(drawn, [fixed], 255, cv2.LINE_AA, 4)
    return drawn.astype(np.float32) / 255


def _circle(angles: np.ndarray) -> np.ndarray:
    return np.stack([np.cos(angles), np.sin(angles)], -1)


def _octaves(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """(H, W) float32 in about [0, 1]: noise at many scales."""
    h, w = size
    total = np.full(size, 0.5, np.float32)
    falling = rng.uniform(0.4, 0.75)
    for octave in range(6):
        n = 2 ** (octave + 1)
        grid = rng.standard_normal((n, n), np.float32)
        total += 0.25 * falling**octave * cv2.resize(grid, (w, h), interpolation=cv2.INTER_CUBIC)
    return total
