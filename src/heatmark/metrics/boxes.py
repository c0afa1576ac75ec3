"""Boxes against boxes: NumPy in, numbers out."""

import numpy as np


def iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """IoU of boxes (N, 4) and (M, 4): (N, M).

    >>> iou(np.array([[0.0, 0, 2, 2]]), np.array([[1.0, 0, 3, 2], [5, 5, 6, 6]])).round(3).tolist()
    [[0.333, 0.0]]
    """
    left, top, right, bottom = a.T[:, :, None]  # (N, 1) each
    x1, y1, x2, y2 = b.T[:, None]  # (1, M) each
    wide = np.clip(np.minimum(right, x2) - np.maximum(left, x1), 0, None)
    tall = np.clip(np.minimum(bottom, y2) - np.maximum(top, y1), 0, None)
    both = wide * tall
    either = (right - left) * (bottom - top) + (x2 - x1) * (y2 - y1) - both
    return both / np.where(either > 0, either, 1)


def nms(boxes: np.ndarray, scores: np.ndarray, threshold: float = 0.5) -> np.ndarray:
    """Non-maximum suppression: of boxes that overlap by more than `threshold` the best only.

    Args:
        boxes: (N, 4). scores: (N,).

    Returns:
        Indices of those kept, the highest score first.

    >>> three = np.array([[0.0, 0, 4, 4], [0, 1, 4, 5], [9, 9, 10, 10]])
    >>> nms(three, np.array([0.8, 0.9, 0.1])).tolist()
    [1, 2]
    """
    column = np.argsort(boxes[:, 0], kind="stable")  # from left to right: what a box can meet lies together
    row = boxes[column]
    first, last = _meeting(row)
    alive, chosen = np.ones(len(boxes), bool), []
    for place in np.argsort(column)[np.argsort(-scores, kind="stable")]:
        if alive[place]:
            chosen.append(column[place])
            near = first[place] + np.flatnonzero(alive[first[place] : last[place]])
            alive[near] = iou(row[place : place + 1], row[near])[0] <= threshold
    return np.array(chosen, np.int64)


def _meeting(row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each of some boxes (N, 4), in the order of their left sides, a slice of them: no other meets it."""
    widest = np.max(row[:, 2] - row[:, 0], initial=0)
    return np.searchsorted(row[:, 0], row[:, 0] - widest), np.searchsorted(row[:, 0], row[:, 2])


def soft_nms(
    boxes: np.ndarray, scores: np.ndarray, sigma: float = 0.5, least: float = 1e-3
) -> tuple[np.ndarray, np.ndarray]:
    """Soft-NMS (Bodla et al. 2017): a box loses exp(-IoU^2 / sigma) of its score to each better one.

    Args:
        boxes: (N, 4). scores: (N,).
        sigma: smaller is harsher.
        least: boxes whose score falls below it go.

    Returns:
        Indices of those kept, the highest score first, and their new scores.
    """
    enough = np.flatnonzero(scores >= least)
    left, chosen, final = np.array(scores[enough], np.float64), [], []
    low, high = np.split(np.ascontiguousarray(boxes[enough].T), 2)  # (2, n) each: x y
    areas = np.prod(high - low, 0)
    while len(left) and left[best := int(left.argmax())] >= least:
        chosen.append(best)
        final.append(left[best])
        left[best] = -np.inf
        (x1, y1), (x2, y2) = low[:, best], high[:, best]
        meets = (low[0] < x2) & (high[0] > x1) & (low[1] < y2) & (high[1] > y1) & (left >= least)
        near = np.flatnonzero(meets)  # few of all; only these are worth the arithmetic
        wide = np.minimum(high[0, near], x2) - np.maximum(low[0, near], x1)
        tall = np.minimum(high[1, near], y2) - np.maximum(low[1, near], y1)
        both = wide * tall
        left[near] *= np.exp(-((both / (areas[near] + areas[best] - both)) ** 2) / sigma)
    return enough[chosen], np.array(final, np.float64)


def centred(boxes: np.ndarray, scores: np.ndarray, peaks: np.ndarray, width: float = 0.4) -> np.ndarray:
    """Scores that fall the farther a box's middle lies from the peak of the map that it climbs to: a box that
    lies across two things has its middle on neither. A Gaussian of that distance in half sides.

    Args:
        boxes: (N, 4). scores: (N,).
        peaks: (N, 2) x y of the peaks, in the boxes' pixels; NaN without one, which counts as at the rim.
        width: standard deviation, half sides.

    Returns:
        (N,), no score higher than before.

    >>> box, peak = np.array([[0.0, 0, 10, 10]]), np.array([[5.0, 7]])  # 0.4 half sides apart
    >>> centred(box, np.array([0.8]), peak).round(3)
    array([0.485])
    """
    away = (peaks - (boxes[:, :2] + boxes[:, 2:]) / 2) / np.maximum((boxes[:, 2:] - boxes[:, :2]) / 2, 1e-6)
    squared = np.where(np.isfinite(away).all(-1), (away**2).sum(-1), 1.0)
    return scores * np.exp(-squared / (2 * width**2))


def separated(
    boxes: np.ndarray, scores: np.ndarray, peaks: np.ndarray, same: float = 0.5, other: float = 0.7
) -> np.ndarray:
    """Suppression that asks a map whose each box is: boxes whose centres share a peak compete first, as in
    `nms`; those that are left, with peaks of their own, survive unless they overlap much more.

    Args:
        boxes: (N, 4). scores: (N,).
        peaks: (N,) int, the peak that each box's centre climbs to (heatmaps.climbed); those without one share
            -1.
        same: boxes of one peak that overlap by more are one thing.
        other: and so are boxes of two peaks that overlap by more than this.

    Returns:
        Indices of those kept, the highest score first.

    >>> two = np.array([[0.0, 0, 4, 4], [0, 1, 4, 5]])  # they overlap by 0.6
    >>> separated(two, np.array([0.8, 0.9]), np.array([3, 3])).tolist()
    [1]
    >>> separated(two, np.array([0.8, 0.9]), np.array([3, 4])).tolist()
    [1, 0]
    """
    groups = (np.flatnonzero(peaks == peak) for peak in np.unique(peaks))
    alone = [mine[nms(boxes[mine], scores[mine], same)] for mine in groups]
    left = np.sort(np.concatenate([np.empty(0, np.int64), *alone]))
    return left[nms(boxes[left], scores[left], other)]
