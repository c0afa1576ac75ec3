"""Lay one picture over another. Every blend is (back, front, alpha) -> picture, so they can be swapped.

Arguments of all: back and front (H, W, 3) uint8, alpha (H, W) float in [0, 1], 1 where the front shows. The
front's colours count only where alpha > 0; what is written elsewhere is never looked at. Nothing moves by any
blend.
"""

from collections.abc import Callable

import cv2
import numpy as np

Blend = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def alpha(back: np.ndarray, front: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """The mean of the two, weighted by alpha (Porter and Duff's `over`)."""
    a = np.asarray(alpha, np.float32)[..., None]
    return _rounded(back * (1 - a) + front * a)


def poisson(back: np.ndarray, front: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """The front's gradients with the back's colours at the seam (Perez et al. 2003, eq. 4).

    Solved as the paper's membrane: front + a correction that is harmonic inside and equals back - front on
    the seam, which is the outermost ring of pixels with alpha >= 0.5. On the picture's own border nothing
    holds the correction (Neumann). OpenCV's seamlessClone is not used: it re-centres the mask and fails at
    the border.
    """
    solid = (np.asarray(alpha) >= 0.5).astype(np.uint8)
    inside = cv2.erode(solid, np.ones((3, 3), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=1) > 0
    if not inside.any():
        return back.copy()
    ys, xs = np.nonzero(solid)
    box = np.s_[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1]
    inner, seam = inside[box], (solid[box] > 0) & ~inside[box]
    gap = (back[box].astype(np.float32) - front[box]) * seam[..., None]
    corrected = _rounded(front[box] + _membrane(gap, inner, seam))
    out = back.copy()
    out[box][inner] = corrected[inner]
    return out


def laplacian(back: np.ndarray, front: np.ndarray, alpha: np.ndarray, levels: int = 5) -> np.ndarray:
    """Each octave of detail mixed over a seam as wide as itself (Burt and Adelson 1983).

    At most `levels` octaves, and fewer for a small front: no seam is wider than the front itself, or it would
    fade.
    """
    weight = np.asarray(alpha, np.float32)
    thickest = cv2.distanceTransform((weight >= 0.5).astype(np.uint8), cv2.DIST_L2, 3).max()
    levels = min(levels, int(np.log2(np.clip(thickest, 1, min(weight.shape) / 2))) + 1)
    b, f = back.astype(np.float32), _continued(front.astype(np.float32), weight)
    bands = []
    for _ in range(levels - 1):
        small = [cv2.pyrDown(p) for p in (b, f, weight)]
        size = (b.shape[1], b.shape[0])
        detail_b, detail_f = b - cv2.pyrUp(small[0], dstsize=size), f - cv2.pyrUp(small[1], dstsize=size)
        bands.append(detail_b + (detail_f - detail_b) * weight[..., None])
        b, f, weight = small
    mixed = b + (f - b) * weight[..., None]
    for band in reversed(bands):
        mixed = cv2.pyrUp(mixed, dstsize=(band.shape[1], band.shape[0])) + band
    return _rounded(mixed)


BLENDS: dict[str, Blend] = {"alpha": alpha, "poisson": poisson, "laplacian": laplacian}


def _membrane(gap: np.ndarray, inner: np.ndarray, seam: np.ndarray) -> np.ndarray:
    """Laplace's equation on `inner`, `gap` on `seam`, coarse to fine, then relaxed: (h, w, 3) float32."""
    h, w = inner.shape
    start = np.zeros_like(gap)
    if min(h, w) > 8:
        size = ((w + 1) // 2, (h + 1) // 2)
        weight = cv2.resize(seam.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        held = cv2.resize(gap, size, interpolation=cv2.INTER_AREA) / np.maximum(weight, 1e-6)[..., None]
        some = cv2.resize(inner.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0
        coarse = _membrane(held * (weight > 0)[..., None], some & (weight == 0), weight > 0)
        start = cv2.resize(coarse, (w, h), interpolation=cv2.INTER_LINEAR)
    elif seam.any():
        start += gap.sum((0, 1)) / seam.sum()
    known = inner | seam
    cross = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], np.float32)
    around = cv2.filter2D(known.astype(np.float32), -1, cross, borderType=cv2.BORDER_CONSTANT)
    share = (inner / np.maximum(around, 1))[..., None].astype(np.float32)
    fixed = gap * seam[..., None]
    field = start * inner[..., None] + fixed
    for _ in range(20):
        field = cv2.filter2D(field, -1, cross, borderType=cv2.BORDER_CONSTANT) * share + fixed
    return field


def _continued(front: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The front's colours carried on to where alpha is 0: ever wider means around (pull, then push)."""
    known = (weight > 0).astype(np.float32)
    if known.all() or not known.any():
        return front
    h, w = weight.shape
    if min(h, w) < 4:
        mean = (front * known[..., None]).sum((0, 1)) / known.sum()
        return np.where(known[..., None] > 0, front, mean).astype(np.float32)
    total, part = cv2.pyrDown(front * known[..., None]), cv2.pyrDown(known)
    coarse = _continued(total / np.maximum(part, 1e-6)[..., None], part * (part > 1e-3))
    return np.where(known[..., None] > 0, front, cv2.pyrUp(coarse, dstsize=(w, h)))


def _rounded(values: np.ndarray) -> np.ndarray:
    return np.clip(values + 0.5, 0, 255).astype(np.uint8)
