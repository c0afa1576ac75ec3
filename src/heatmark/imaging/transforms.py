"""Picture to picture, and points with them.

Geometry is one (3, 3) homography in the house's coordinates (see geometry): `warp` draws through it and
`geometry.moved` carries points through it, so that both land in the same place. OpenCV counts from the middle
of the first pixel; that half pixel is shifted here and nowhere else.

Colours, blurs and noise take and give (H, W, 3) uint8 and move nothing.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from ..geometry import Frame, moved, scaling, translation
from .decode import decode, encode_jpeg

Colour = float | Sequence[float] | np.ndarray  # one number for all channels, or one for each
BORDERS = {
    "constant": cv2.BORDER_CONSTANT,
    "replicate": cv2.BORDER_REPLICATE,
    "reflect": cv2.BORDER_REFLECT_101,
}
LUMA = np.array([0.299, 0.587, 0.114])


def warp(
    picture: np.ndarray,
    matrix: np.ndarray,
    size: tuple[int, int],
    border: str = "constant",
    value: Colour = 0,
    nearest: bool = False,
    averaged: bool = True,
) -> np.ndarray:
    """Draw a picture, or maps, through a homography.

    Where the picture shrinks, it is `averaged` over areas first, against moire.

    Args:
        picture: (H, W) or (H, W, C), uint8 or float32.
        matrix: (3, 3), picture -> result, in pixels.
        size: (h, w) of the result.
        border: what lies outside the picture: "constant" (`value`), "replicate" or "reflect".
        nearest: take the nearest pixel and mix none, for masks.

    Returns:
        (h, w) or (h, w, C), of the picture's type.
    """
    if picture.ndim == 3 and picture.shape[2] > 4:  # OpenCV draws four channels at a time
        split = [picture[..., c : c + 4] for c in range(0, picture.shape[2], 4)]
        how = (matrix, size, border, value, nearest, averaged)
        return np.dstack([warp(np.ascontiguousarray(p), *how) for p in split])
    matrix = np.asarray(matrix, np.float64)
    if border != "reflect":
        picture, matrix = _cut(picture, matrix, size)
    if averaged and not nearest:
        picture, matrix = _shrunk(picture, matrix, size)
    half = translation(-0.5, -0.5) @ matrix @ translation(0.5, 0.5)
    options = {
        "flags": cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR,
        "borderMode": BORDERS[border],
        "borderValue": np.broadcast_to(value, 3 if np.size(value) == 3 else 4).astype(float).tolist(),
    }
    if np.allclose(half[2], (0, 0, 1), atol=1e-12):
        return cv2.warpAffine(picture, half[:2], (size[1], size[0]), **options)
    return cv2.warpPerspective(picture, half, (size[1], size[0]), **options)


def crop(picture: np.ndarray, frame: Frame, border: str = "constant", value: Colour = 0):
    """What a frame shows of a picture: (h, w, C) for frame.size (h, w)."""
    return warp(picture, frame.matrix, frame.size, border, value)


def within(picture: np.ndarray, box: np.ndarray) -> tuple[np.ndarray, tuple[int, int]]:
    """The part of a picture inside a box x1 y1 x2 y2, in whole pixels, and the x y of its corner; all of it
    where the box does not meet the picture.
    """
    h, w = picture.shape[:2]
    x1, y1 = np.clip(np.floor(box[:2]), 0, [w, h]).astype(int).tolist()
    x2, y2 = np.clip(np.ceil(box[2:]), 0, [w, h]).astype(int).tolist()
    return (picture[y1:y2, x1:x2], (x1, y1)) if x2 > x1 and y2 > y1 else (picture, (0, 0))


def resized(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Stretched to (h, w); areas are averaged where it shrinks."""
    h, w = picture.shape[:2]
    return warp(picture, scaling(size[1] / w, size[0] / h), size, "replicate")


def flip(picture: np.ndarray) -> np.ndarray:
    """Left and right mirrored. Points: `geometry.flip`; names swap by `Skeleton.mirrored`."""
    return np.ascontiguousarray(picture[:, ::-1])


def _cut(picture: np.ndarray, matrix: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The part of the picture that the result can show, so that the rest of a large picture costs nothing."""
    h, w = picture.shape[:2]
    corners = np.array([[0, 0], [size[1], 0], [0, size[0]], [size[1], size[0]]], float)
    back = np.linalg.inv(matrix)
    if (corners @ back[2, :2] + back[2, 2] <= 1e-9).any():  # a horizon lies in the result
        return picture, matrix
    region = moved(corners, back)
    step = max(_shrinkage(matrix, size)) + 2
    x1, y1 = np.clip(np.floor(region.min(0) - step), 0, [w - 1, h - 1]).astype(int)
    x2, y2 = np.clip(np.ceil(region.max(0) + step), [x1 + 1, y1 + 1], [w, h]).astype(int)
    return picture[y1:y2, x1:x2], matrix @ translation(x1, y1)


def _shrunk(picture: np.ndarray, matrix: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The picture averaged over areas as large as a pixel of the result, and the map from there."""
    h, w = picture.shape[:2]
    fx, fy = _shrinkage(matrix, size)
    new = max(1, round(w / fx)), max(1, round(h / fy))
    if fx < 1.25 and fy < 1.25 or new == (w, h):
        return picture, matrix
    smaller = cv2.resize(picture, new, interpolation=cv2.INTER_AREA)
    return smaller, matrix @ scaling(w / new[0], h / new[1])


def _shrinkage(matrix: np.ndarray, size: tuple[int, int]) -> tuple[float, float]:
    """Picture pixels for one of the result, along its x and its y, at the result's middle; 1 or more."""
    middle = moved(np.array([size[1] / 2, size[0] / 2]), np.linalg.inv(matrix))
    about = moved(middle + np.array([[0, 0], [1.0, 0], [0, 1.0]]), matrix)
    lengths = np.linalg.norm(about[1:] - about[0], axis=1)
    return tuple(float(f) for f in np.clip(1 / np.maximum(lengths, 1e-6), 1, 1e4))  # type: ignore


def add(picture: np.ndarray, amount: Colour) -> np.ndarray:
    """`amount` of 255 added, to all channels or to each its own."""
    return _through(picture, np.arange(256.0)[:, None] + np.broadcast_to(amount, 3))


def multiply(picture: np.ndarray, gain: Colour) -> np.ndarray:
    """Values multiplied, all channels or each by its own gain (a white balance)."""
    return _through(picture, np.arange(256.0)[:, None] * np.broadcast_to(gain, 3))


def brightness(picture: np.ndarray, factor: float) -> np.ndarray:
    """`factor` times the light: multiplied in linear light, as an exposure does, not in sRGB values."""
    return _through(picture, to_srgb(to_linear(np.arange(256) / 255) * factor)[:, None].repeat(3, 1) * 255)


def contrast(picture: np.ndarray, factor: float) -> np.ndarray:
    """Distances from the picture's mean value, multiplied."""
    mean = float(picture.mean())
    return _through(picture, ((np.arange(256.0) - mean) * factor + mean)[:, None].repeat(3, 1))


def gamma(picture: np.ndarray, exponent: float) -> np.ndarray:
    """Values in [0, 1] to the power of `exponent`: above 1 darker."""
    return _through(picture, ((np.arange(256) / 255) ** exponent * 255)[:, None].repeat(3, 1))


def saturation(picture: np.ndarray, factor: float) -> np.ndarray:
    """Distances from grey, multiplied: 0 is grey, 1 unchanged."""
    return _mixed(picture, np.eye(3) * factor + (1 - factor) * LUMA)


def hue(picture: np.ndarray, degrees: float) -> np.ndarray:
    """Colours turned about the grey axis."""
    c, s, third = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees)), 1 / 3
    cross = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) * np.sqrt(third)
    return _mixed(picture, np.eye(3) * c + third * (1 - c) + cross * s)  # Rodrigues about (1, 1, 1)


def grey(picture: np.ndarray) -> np.ndarray:
    """Luma in all three channels."""
    return cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)


def blur(picture: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian, `sigma` in pixels."""
    return cv2.GaussianBlur(picture, (0, 0), sigma) if sigma > 0 else picture


def motion_blur(picture: np.ndarray, length: float, degrees: float) -> np.ndarray:
    """A straight, steady motion of `length` pixels; points stay in its middle."""
    if length <= 1:
        return picture
    side = int(np.ceil(length)) // 2 * 2 + 3
    middle = side // 2
    y, x = np.mgrid[:side, :side] - middle
    along = x * np.cos(np.deg2rad(degrees)) + y * np.sin(np.deg2rad(degrees))
    across = -x * np.sin(np.deg2rad(degrees)) + y * np.cos(np.deg2rad(degrees))
    kernel = np.clip(length / 2 + 0.5 - abs(along), 0, 1) * np.clip(1 - abs(across), 0, 1)
    return cv2.filter2D(picture, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT_101)


def noise(picture: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """Gaussian noise added to every value, `sigma` of 255."""
    drawn = rng.standard_normal(picture.shape, np.float32) * sigma
    return np.clip(picture + drawn + 0.5, 0, 255).astype(np.uint8)


def jpeg(picture: np.ndarray, quality: int) -> np.ndarray:
    """Through a JPEG of this quality (1..100) and back."""
    return decode(encode_jpeg(picture, quality), "jpeg")


def to_linear(srgb: np.ndarray) -> np.ndarray:
    """sRGB values in [0, 1] -> linear light in [0, 1] (IEC 61966-2-1)."""
    srgb = np.asarray(srgb)
    return np.where(srgb <= 0.04045, srgb / 12.92, ((np.maximum(srgb, 0) + 0.055) / 1.055) ** 2.4)


def to_srgb(linear: np.ndarray) -> np.ndarray:
    """Linear light, clipped to [0, 1] -> sRGB values in [0, 1]."""
    linear = np.clip(linear, 0, 1)
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)


def _through(picture: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Every value looked up in a table (256, 3)."""
    return cv2.LUT(picture, np.clip(table + 0.5, 0, 255).astype(np.uint8)[None])


def _mixed(picture: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Colours through a (3, 3) matrix, rgb -> rgb, clipped."""
    return cv2.transform(picture, matrix)
