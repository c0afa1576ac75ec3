"""Where a point is.

A point is (x, y) in continuous pixels; the picture covers [0, W] x [0, H]. The centre of the top-left pixel
is therefore (0.5, 0.5). So a resize multiplies, a crop subtracts, a flip is W - x, and no half pixel is added
anywhere else in this package. Datasets that count pixels from 0 are shifted once, by the reader that opens
them.

Every map from picture to picture is a (3, 3) homography in these coordinates.
"""

from dataclasses import dataclass

import numpy as np


def moved(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """(..., 2) points carried by a (3, 3) homography. NaN stays NaN.

    >>> moved(np.array([1.0, 2.0]), scaling(2, 3)).tolist()
    [2.0, 6.0]
    """
    points = np.asarray(points, np.float64)
    carried = points @ matrix[:, :2].T + matrix[:, 2]  # (..., 3)
    return carried[..., :2] / carried[..., 2:]


def translation(dx: float, dy: float) -> np.ndarray:
    return np.array([[1, 0, dx], [0, 1, dy], [0, 0, 1]], np.float64)


def scaling(sx: float, sy: float) -> np.ndarray:
    return np.diag([sx, sy, 1.0])


def rotation(degrees: float) -> np.ndarray:
    """About the origin; positive turns x towards y, so clockwise on a screen."""
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def shear(x_degrees: float, y_degrees: float) -> np.ndarray:
    return np.array(
        [[1, np.tan(np.deg2rad(x_degrees)), 0], [np.tan(np.deg2rad(y_degrees)), 1, 0], [0, 0, 1.0]]
    )


def about(matrix: np.ndarray, centre: tuple[float, float]) -> np.ndarray:
    """The same map with `centre` instead of the origin as its fixed point."""
    return translation(*centre) @ matrix @ translation(-centre[0], -centre[1])


def flip(width: float) -> np.ndarray:
    """Mirror left and right: x becomes width - x."""
    return np.array([[-1, 0, width], [0, 1, 0], [0, 0, 1]], np.float64)


def four_points(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The homography from four points (4, 2) to four others. Raises ValueError if three are on one line."""
    rows = []
    for (x, y), (u, v) in zip(np.asarray(source, float), np.asarray(target, float)):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
    try:
        h = np.linalg.solve(np.array(rows), np.asarray(target, float).reshape(8))
    except np.linalg.LinAlgError as error:
        raise ValueError(
            f"no homography takes {source} to {target}: three of the points are on one line"
        ) from error
    return np.append(h, 1.0).reshape(3, 3)


def boxes_around(points: np.ndarray) -> np.ndarray:
    """Tight boxes (..., 4) x1 y1 x2 y2 around finite points (..., K, 2); NaN where none is finite."""
    ok = np.isfinite(points).all(-1, keepdims=True)
    low = np.where(ok, points, np.inf).min(-2)
    high = np.where(ok, points, -np.inf).max(-2)
    return np.where(np.isfinite(np.concatenate([low, high], -1)), np.concatenate([low, high], -1), np.nan)


def enlarged(box: np.ndarray, factor: float) -> np.ndarray:
    """Boxes (..., 4) with `factor` times the width and height about the same centre.

    >>> enlarged(np.array([10.0, 10, 20, 30]), 1.5).tolist()
    [7.5, 5.0, 22.5, 35.0]
    """
    box = np.asarray(box, np.float64)
    centre, half = (box[..., :2] + box[..., 2:]) / 2, (box[..., 2:] - box[..., :2]) / 2 * factor
    return np.concatenate([centre - half, centre + half], -1)


@dataclass(frozen=True)
class Frame:
    """A window on a picture, as a network's input shows it: points go `into` the network and come `back`."""

    matrix: np.ndarray  # (3, 3), picture -> network pixels
    size: tuple[int, int]  # (H, W) of the network's input

    @classmethod
    def around(cls, box: np.ndarray, size: tuple[int, int], enlarge: float = 1.0) -> "Frame":
        """The whole box x1 y1 x2 y2, enlarged and centred, its aspect kept. Raises ValueError if empty."""
        x1, y1, x2, y2 = enlarged(np.asarray(box, np.float64), enlarge)
        if not (x2 > x1 and y2 > y1):
            raise ValueError(f"a box must have a positive width and height, got {[float(v) for v in box]}")
        h, w = size
        scale = min(w / (x2 - x1), h / (y2 - y1))
        to_middle = translation(w / 2 - scale * (x1 + x2) / 2, h / 2 - scale * (y1 + y2) / 2)
        return cls(to_middle @ scaling(scale, scale), size)

    @classmethod
    def whole(cls, picture_size: tuple[int, int], size: tuple[int, int]) -> "Frame":
        """The whole picture (H, W), centred in the input, its aspect kept (letterbox)."""
        return cls.around(np.array([0, 0, picture_size[1], picture_size[0]], float), size)

    @classmethod
    def stretch(cls, picture_size: tuple[int, int], size: tuple[int, int]) -> "Frame":
        """The whole picture (H, W), stretched to fill the input."""
        return cls(scaling(size[1] / picture_size[1], size[0] / picture_size[0]), size)

    def then(self, matrix: np.ndarray) -> "Frame":
        """This frame, followed by a map of the network's input onto itself (an augmentation)."""
        return Frame(matrix @ self.matrix, self.size)

    def into(self, points: np.ndarray) -> np.ndarray:
        """(..., 2) picture pixels -> network pixels."""
        return moved(points, self.matrix)

    def back(self, points: np.ndarray) -> np.ndarray:
        """(..., 2) network pixels -> picture pixels."""
        return moved(points, np.linalg.inv(self.matrix))
