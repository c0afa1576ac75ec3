"""Points on pictures: bones, dots, names and scores that can be read at any size; sheets of many."""

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..imaging.persons import FINE, coloured, fine, glowing
from ..types import ABSENT, SEEN, Poses

# Told apart by most colour-blind eyes, and bright enough for dark and light benches (after Okabe and Ito).
COLOURS = (
    (0, 200, 255), (255, 159, 0), (0, 220, 130), (255, 90, 90), (240, 228, 66), (204, 121, 255), 
    (120, 170, 255), (255, 140, 200),
)  # fmt: skip
DARK = (16, 16, 16)
SMALLEST = 640  # px; a picture with a shorter long side is enlarged before anything is drawn on it


def overlay(picture: np.ndarray, poses: Poses, smallest: int = SMALLEST, names: bool = True) -> np.ndarray:
    """A copy with every finite point drawn: a dot in its landmark's colour, name and score; bones, boxes.

    A landmark that is guessed hidden or absent gets an empty ring instead of a dot.

    Args:
        picture: (H, W, 3) uint8 RGB.
        smallest: the result's long side is at least this, so that the writing can be read.
        names: write names and scores too.

    Returns:
        (H, W, 3) uint8 RGB, larger than the picture where that was small.
    """
    canvas, scale = _enlarged(picture, smallest)
    unit = max(canvas.shape[:2]) / SMALLEST  # 1 where the long side is SMALLEST px
    for i in range(len(poses)):
        if np.isfinite(poses.boxes[i]).all():
            x1, y1, x2, y2 = (poses.boxes[i] * scale).round().astype(int).tolist()
            cv2.rectangle(canvas, (x1, y1), (x2, y2), (255, 255, 255), max(round(unit), 1), cv2.LINE_AA)
        _bones(canvas, poses, i, scale, unit)
        _dots(canvas, poses, i, scale, unit)
    return _names(canvas, poses, scale, unit) if names else canvas


def people(picture: np.ndarray, poses: Poses, smallest: int = SMALLEST) -> np.ndarray:
    """A copy with every instance in a colour of its own, bones and dots: for pictures of many.

    Args: as in `overlay`.
    """
    canvas, scale = _enlarged(picture, smallest)
    return coloured(canvas, poses.points * scale, poses.skeleton, 2.0 * max(canvas.shape[:2]) / SMALLEST)


def boxed(
    picture: np.ndarray, poses: Poses, map: np.ndarray | None = None, smallest: int = SMALLEST
) -> np.ndarray:
    """A copy with every instance's box, the surer the brighter; over a map, where there is one, the same
    again: (H, W, 3), or with a map (2 H, W, 3).

    Args:
        map: (h, w) in [0, 1], of the whole picture.
        smallest: as in `overlay`.
    """
    canvas, scale = _enlarged(picture, smallest)
    below = None if map is None else glowing(canvas, map[None])
    wide = max(round(2 * max(canvas.shape[:2]) / SMALLEST), 1)
    order = np.argsort(poses.score)  # the surest on top
    for (x1, y1, x2, y2), score in zip(poses.boxes[order] * scale, poses.score[order]):
        colour = tuple(int(60 + (c - 60) * min(float(score) * 1.2, 1.0)) for c in COLOURS[0])
        corners = fine(np.array([x1, y1])), fine(np.array([x2, y2]))
        cv2.rectangle(canvas, *corners, colour, wide, cv2.LINE_AA, FINE)
    return canvas if below is None else np.concatenate([canvas, below])


def contact_sheet(pictures: Sequence[np.ndarray], columns: int = 4, cell: int = 400) -> np.ndarray:
    """Pictures side by side, each fitted into a square of `cell` px, on dark grey: (H, W, 3) uint8 RGB."""
    rows = -(-len(pictures) // columns) or 1
    sheet = np.full((rows * cell, columns * cell, 3), 32, np.uint8)
    for i, picture in enumerate(pictures):
        scale = (cell - 4) / max(picture.shape[:2])
        w, h = max(round(picture.shape[1] * scale), 1), max(round(picture.shape[0] * scale), 1)
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        top, left = i // columns * cell + (cell - h) // 2, i % columns * cell + (cell - w) // 2
        sheet[top : top + h, left : left + w] = cv2.resize(picture, (w, h), interpolation=how)
    return sheet


def _enlarged(picture: np.ndarray, smallest: int) -> tuple[np.ndarray, float]:
    """A copy whose long side is at least `smallest` px, and how many times as large it is."""
    scale = max(smallest / max(picture.shape[:2]), 1.0)
    size = (round(picture.shape[1] * scale), round(picture.shape[0] * scale))
    return cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC) if scale > 1 else picture.copy(), scale


def _bones(canvas: np.ndarray, poses: Poses, i: int, scale: float, unit: float) -> None:
    for a, b in poses.skeleton.bones:
        ends = poses.points[i, [poses.skeleton.index(a), poses.skeleton.index(b)]] * scale
        if np.isfinite(ends).all():
            for colour, width in ((DARK, 5), ((255, 255, 255), 2)):
                thick = max(round(width * unit), 1)
                cv2.line(canvas, fine(ends[0]), fine(ends[1]), colour, thick, cv2.LINE_AA, FINE)


def _dots(canvas: np.ndarray, poses: Poses, i: int, scale: float, unit: float) -> None:
    for k, xy in enumerate(poses.points[i] * scale):
        if not np.isfinite(xy).all():
            continue
        colour, at, radius = COLOURS[k % len(COLOURS)], fine(xy), round(6 * unit * 2**FINE)
        if poses.visibility[i, k] == SEEN:
            cv2.circle(canvas, at, radius, colour, cv2.FILLED, cv2.LINE_AA, FINE)
            cv2.circle(canvas, at, radius, DARK, max(round(1.5 * unit), 1), cv2.LINE_AA, FINE)
        else:
            cv2.circle(canvas, at, radius, DARK, max(round(4 * unit), 2), cv2.LINE_AA, FINE)
            cv2.circle(canvas, at, radius, colour, max(round(2 * unit), 1), cv2.LINE_AA, FINE)


def _names(canvas: np.ndarray, poses: Poses, scale: float, unit: float) -> np.ndarray:
    """A copy with each landmark's name and score beside its dot, clear of others if that can be."""
    sheet = Image.fromarray(canvas)
    pen, font, rim = ImageDraw.Draw(sheet), ImageFont.load_default(15 * unit), max(round(1.5 * unit), 1)
    points = poses.points * scale
    r = 7 * unit
    taken = [(x - r, y - r, x + r, y + r) for x, y in points[np.isfinite(points).all(-1)]]
    for i in range(len(poses)):
        there = np.isfinite(points[i]).all(-1)
        middle = points[i][there].mean(0) if there.any() else np.zeros(2)
        for k in np.flatnonzero(there):
            mark = " ?" if poses.visibility[i, k] == ABSENT else ""
            text = f"{poses.skeleton.landmarks[k]} {poses.scores[i, k]:.2f}{mark}"
            _, _, w, h = pen.textbbox((0, 0), text, font=font, stroke_width=rim)
            left, top = _free_place(points[i, k], middle, (w, h), 10 * unit, canvas.shape, taken)
            taken.append((left, top, left + w, top + h))
            colour = COLOURS[k % len(COLOURS)]
            pen.text((left, top), text, fill=colour, font=font, stroke_width=rim, stroke_fill=DARK)
    return np.asarray(sheet).copy()


def _free_place(point, middle, wh, gap: float, shape, taken) -> tuple[float, float]:
    """Left and top of a label (w, h) beside a point: away from the object's middle, else what fits best."""
    (x, y), (w, h) = point, wh
    right, left, level = (x + gap, y - h / 2), (x - gap - w, y - h / 2), x - w / 2
    below, above = (level, y + gap), (level, y - gap - h)
    sideways = [right, left] if x >= middle[0] else [left, right]
    upright = [below, above] if y >= middle[1] else [above, below]

    def faults(place: tuple[float, float]) -> float:
        """How much of the label lies outside the picture or over something, px squared."""
        a, b = place
        inside = max(min(a + w, shape[1]) - max(a, 0), 0) * max(min(b + h, shape[0]) - max(b, 0), 0)
        over = (
            max(min(a + w, q[2]) - max(a, q[0]), 0) * max(min(b + h, q[3]) - max(b, q[1]), 0) for q in taken
        )
        return (w * h - inside) + sum(over)

    a, b = min([*sideways, *upright], key=faults)  # the first of equals
    return float(np.clip(a, 0, max(shape[1] - w, 0))), float(np.clip(b, 0, max(shape[0] - h, 0)))
