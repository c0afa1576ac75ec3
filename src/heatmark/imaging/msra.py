"""Boxes to crops and back as HRNet and SimpleBaseline do it, for their published weights.

Their pixels count from the middle of the first one, and so do their centres; the size of a crop is a scale,
in units of 200 pixels. Numbers are rounded to float32 where theirs are, so that maps and crops are the same
to the bit. A `Frame` from here is in the house's coordinates, where everything is half a pixel further.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from ..geometry import Frame, moved, translation

UNIT = 200.0  # pixels of a scale of 1
ENLARGE = 1.25


def clipped(boxes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Labelled boxes (N, 4) x y w h inside a picture (H, W); those without an area are NaN.

    Their last row and column are lost on the way, as in the original: a box of w pixels becomes w - 1 wide.
    """
    x, y, w, h = np.asarray(boxes, np.float64).reshape(-1, 4).T
    x1, y1 = np.maximum(x, 0), np.maximum(y, 0)
    x2 = np.minimum(size[1] - 1, x1 + np.maximum(w - 1, 0))
    y2 = np.minimum(size[0] - 1, y1 + np.maximum(h - 1, 0))
    inside = np.stack([x1, y1, x2 - x1, y2 - y1], -1)
    good = (x2 >= x1) & (y2 >= y1) & (w > 0) & (h > 0)
    return np.where(good[:, None], inside, np.nan)


def centre_and_scale(
    box: np.ndarray, size: tuple[int, int], enlarge: float = ENLARGE
) -> tuple[np.ndarray, np.ndarray]:
    """A box (4,) x y w h to the centre (2,) and scale (2,), float32, of a crop for a network of size (H, W).

    The short side grows until the aspects agree, then both by `enlarge`.
    """
    x, y, w, h = (float(v) for v in box)
    aspect = size[1] / size[0]
    centre = np.array([x + w * 0.5, y + h * 0.5], np.float32)
    if w > aspect * h:
        h = w / aspect
    elif w < aspect * h:
        w = h * aspect
    return centre, np.array([w / UNIT, h / UNIT], np.float32) * np.float32(enlarge)


def affine(
    centre: np.ndarray,
    scale: np.ndarray,
    degrees: float,
    size: tuple[int, int],
    inverse: bool = False,
) -> np.ndarray:
    """The (2, 3) map from picture to crop of `size` (h, w), in their coordinates, or back.

    Three points fix it: the centre, one half the crop's width above it, and the corner to them; so only the
    width of the scale matters.
    """
    turn, half = np.pi * degrees / 180, (np.asarray(scale) * UNIT)[0] * -0.5
    above = np.array([-half * np.sin(turn), half * np.cos(turn)])
    source = _three(np.asarray(centre), np.asarray(centre) + above)
    middle = np.array([size[1] * 0.5, size[0] * 0.5])
    target = _three(middle, middle + np.array([0, size[1] * -0.5], np.float32))
    return cv2.getAffineTransform(target, source) if inverse else cv2.getAffineTransform(source, target)


def _three(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Two points and the third that makes a right angle at b: (3, 2) float32."""
    points = np.zeros((3, 2), np.float32)
    points[0], points[1] = a, b
    away = points[0] - points[1]
    points[2] = points[1] + np.array([-away[1], away[0]], np.float32)
    return points


def frame(centre: np.ndarray, scale: np.ndarray, size: tuple[int, int], degrees: float = 0.0) -> Frame:
    """The same crop as a Frame, in the house's coordinates."""
    matrix = np.vstack([affine(centre, scale, degrees, size), [0, 0, 1]])
    return Frame(translation(0.5, 0.5) @ matrix @ translation(-0.5, -0.5), size)


def crop(
    picture: np.ndarray, centre: np.ndarray, scale: np.ndarray, size: tuple[int, int], degrees: float = 0.0
) -> np.ndarray:
    """What the network saw: (h, w, C), bilinear, black outside; not averaged over areas where it shrinks, as
    `imaging.warp` would.
    """
    matrix = affine(centre, scale, degrees, size)
    return cv2.warpAffine(picture, matrix, (size[1], size[0]), flags=cv2.INTER_LINEAR)


def back(cells: np.ndarray, centre: np.ndarray, scale: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Points (..., 2) in cells of a map of `size` (h, w) to the picture, all in their coordinates."""
    matrix = np.vstack([affine(centre, scale, 0, size, inverse=True), [0, 0, 1]])
    return moved(cells, matrix)


@dataclass(frozen=True)
class Window:
    """One crop in their way, for a network's input of `size` (H, W): what a Frame is in the house's."""

    centre: np.ndarray  # (2,) in their coordinates
    scale: np.ndarray  # (2,)
    size: tuple[int, int]
    stride: int = 4  # network pixels per cell: points come back through the map's own affine

    @classmethod
    def around(
        cls, box: np.ndarray, size: tuple[int, int], enlarge: float = ENLARGE, stride: int = 4
    ) -> "Window":
        """The crop about a box x1 y1 x2 y2, whose numbers they take for their own coordinates. Raises
        ValueError if the box is empty.
        """
        x1, y1, x2, y2 = (float(v) for v in box)
        if not (x2 > x1 and y2 > y1):
            raise ValueError(f"a box must have a positive width and height, got {[x1, y1, x2, y2]}")
        corner_and_sides = np.array([x1, y1, x2 - x1, y2 - y1])
        return cls(*centre_and_scale(corner_and_sides, size, enlarge), size, stride)

    @property
    def frame(self) -> Frame:
        """The same as a Frame."""
        return frame(self.centre, self.scale, self.size)

    def cut(self, picture: np.ndarray) -> np.ndarray:
        """What the network saw of a picture (H, W, 3): (h, w, 3)."""
        return crop(picture, self.centre, self.scale, self.size)

    def into(self, points: np.ndarray) -> np.ndarray:
        """(..., 2) picture pixels -> network pixels, both the house's."""
        return self.frame.into(points)

    def back(self, points: np.ndarray) -> np.ndarray:
        """(..., 2) network pixels -> picture pixels, both the house's, through the map's affine."""
        cells = (points - 0.5) / self.stride
        h, w = self.size
        return back(cells, self.centre, self.scale, (h // self.stride, w // self.stride)) + 0.5
