"""A sheet of pictures with what the network drew on them, to look at while it learns."""

import cv2
import numpy as np
import torch
from torch import Tensor

from .task import Batch

MOST = 8  # pictures on a sheet
COLOURS = ((230, 70, 60), (60, 140, 240), (70, 190, 90), (240, 190, 50), (180, 90, 220), (60, 200, 210))


def sheet(batch: Batch, maps: Tensor, points: Tensor) -> np.ndarray:
    """Truth as rings and predictions as crosses above, the maps over the darkened picture below.

    Args:
        maps: (B, C, h, w) in [0, 1], the finest.
        points: (B, K, 2), network pixels.

    Returns:
        (2 H, n W, 3) uint8 for the first n pictures.
    """
    columns = []
    for picture, true, found, drawn in list(zip(batch.pictures, batch.points, points, maps))[:MOST]:
        plain = np.ascontiguousarray(picture.permute(1, 2, 0).cpu().numpy())
        columns.append(np.concatenate([_marked(plain, true, found), _glowing(plain, drawn)]))
    return np.concatenate(columns, 1)


def _marked(picture: np.ndarray, true: Tensor, found: Tensor) -> np.ndarray:
    picture = picture.copy()
    size = max(picture.shape[0] // 40, 3)
    for k, (there, here) in enumerate(zip(true.cpu().numpy(), found.float().cpu().numpy())):
        colour = COLOURS[k % len(COLOURS)]
        if np.isfinite(there).all():
            cv2.circle(picture, _pixel(there), size, colour, 1, cv2.LINE_AA)
        if np.isfinite(here).all():
            cv2.drawMarker(picture, _pixel(here), colour, cv2.MARKER_TILTED_CROSS, 2 * size, 1, cv2.LINE_AA)
    return picture


def _glowing(picture: np.ndarray, maps: Tensor) -> np.ndarray:
    h, w = picture.shape[:2]
    large = (
        torch.nn.functional.interpolate(maps[None].float(), (h, w), mode="bilinear").squeeze(0).cpu().numpy()
    )
    colours = np.array([COLOURS[k % len(COLOURS)] for k in range(len(large))], np.float32)
    glow = np.einsum("chw,cd->hwd", large, colours)
    return np.clip(np.nan_to_num(picture * 0.35 + glow), 0, 255).astype(np.uint8)


def _pixel(point: np.ndarray) -> tuple[int, int]:
    return int(np.clip(point[0], -1e4, 1e4)), int(np.clip(point[1], -1e4, 1e4))
