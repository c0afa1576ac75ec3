"""Persons on a picture, each in a colour of its own, and tags as a map of colours."""

from collections.abc import Sequence

import cv2
import numpy as np

from ..types import Skeleton

# Twelve hues that stay apart side by side; a thirteenth person is drawn as the first.
COLOURS = (
    (255, 70, 70), (60, 160, 255), (70, 210, 90), (255, 200, 40), (200, 90, 255), (40, 220, 220),
    (255, 130, 30), (255, 120, 200), (150, 220, 40), (120, 120, 255), (230, 160, 120), (0, 170, 120),
)  # fmt: skip
DARK = (16, 16, 16)
FINE = 4  # OpenCV draws at 1/16 px: coordinates are multiplied by 2 ** FINE


def coloured(picture: np.ndarray, points: np.ndarray, skeleton: Skeleton, width: float = 2.0) -> np.ndarray:
    """A copy with bones and dots of every person.

    Args:
        picture: (H, W, 3) uint8 RGB.
        points: (N, K, 2), x y in its pixels; NaN is left out.
        width: of a bone, pixels.
    """
    canvas = np.ascontiguousarray(picture).copy()
    for n, person in enumerate(points):
        colour = COLOURS[n % len(COLOURS)]
        for a, b in skeleton.bones:
            ends = person[[skeleton.index(a), skeleton.index(b)]]
            if np.isfinite(ends).all():
                for paint, thick in ((DARK, width + 2), (colour, width)):
                    line = (max(round(thick), 1), cv2.LINE_AA, FINE)
                    cv2.line(canvas, fine(ends[0]), fine(ends[1]), paint, *line)
        for point in person[np.isfinite(person).all(-1)]:
            for paint, radius in ((DARK, 1.5 * width + 1), (colour, 1.5 * width)):
                cv2.circle(canvas, fine(point), round(radius * 2**FINE), paint, -1, cv2.LINE_AA, FINE)
    return canvas


def tinted(values: np.ndarray, low: float | None = None, high: float | None = None) -> np.ndarray:
    """A map of tags (H, W) as colours (H, W, 3) uint8 RGB, from `low` to `high`: by default those of most of
    its cells.
    """
    values = np.nan_to_num(np.asarray(values, np.float64))
    low = float(np.percentile(values, 1)) if low is None else low
    high = float(np.percentile(values, 99)) if high is None else high
    share = np.clip((values - low) / max(high - low, 1e-9), 0, 1)
    return cv2.cvtColor(
        cv2.applyColorMap((share * 255).astype(np.uint8), cv2.COLORMAP_TURBO), cv2.COLOR_BGR2RGB
    )


def glowing(picture: np.ndarray, maps: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    """Maps (C, h, w) in [0, 1] on the darkened picture, each in a colour."""
    h, w = picture.shape[:2]
    canvas = picture.astype(np.float32) * 0.35
    for n, one in enumerate(maps):
        large = cv2.resize(np.asarray(one, np.float32), (w, h), interpolation=cv2.INTER_LINEAR)
        canvas += np.clip(large, 0, 1)[..., None] * np.array(COLOURS[n % len(COLOURS)], np.float32)
    return np.clip(canvas, 0, 255).astype(np.uint8)


def fine(point: np.ndarray) -> tuple[int, int]:
    """A point in our pixels -> OpenCV's 1/16 px, which count from the middle of the first pixel."""
    x, y = np.clip((point - 0.5) * 2**FINE, -(2**24), 2**24)
    return round(float(x)), round(float(y))
