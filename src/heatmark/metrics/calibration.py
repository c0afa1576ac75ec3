"""Scores to chances: a line through their logits, fitted to what turned out right (Platt 1999, Lin 2007).

A score in [0, 1] orders points; calibrated, it is the share of points with this score that are right. NumPy
only. Two parameters cannot turn an order around, so the ranking of the points stays what it was.
"""

from collections.abc import Sequence

import numpy as np

FEWEST = 20  # points, or there is no fit
_EDGE = 1e-6  # scores are kept so far from 0 and 1, as in `heatmaps.confidence`'s calibration


def logistic(scores: np.ndarray, right: np.ndarray) -> tuple[float, float] | None:
    """(slope, offset) of the chance 1 / (1 + exp(-(slope * logit(score) + offset))).

    Targets are Platt's, a little inside of 0 and 1, so that scores that separate perfectly still give a
    finite line. Where a higher score was right less often, the slope is 0 and the chance is everyone's share.

    Args:
        scores: (M,) in [0, 1]; those that are not finite are left out.
        right: (M,) bool.

    Returns:
        None for fewer than FEWEST points.

    >>> scores = np.array([0.2] * 50 + [0.8] * 50)
    >>> right = np.array([True] * 10 + [False] * 40 + [True] * 40 + [False] * 10)
    >>> line = logistic(scores, right)  # a fifth and four fifths are right, as the scores say
    >>> chances(np.array([0.2, 0.8]), line).round(2).tolist()
    [0.21, 0.79]
    """
    scores, right = np.asarray(scores, float), np.asarray(right, bool)
    there = np.isfinite(scores)
    x, right = _logits(scores[there]), right[there]
    if len(x) < FEWEST:
        return None
    hits = int(right.sum())
    target = np.where(right, (hits + 1) / (hits + 2), 1 / (len(x) - hits + 2))
    slope, offset = _line(x, target)
    if slope < 0:
        share = float(target.mean())
        return 0.0, float(np.log(share / (1 - share)))
    return slope, offset


def _line(x: np.ndarray, target: np.ndarray) -> tuple[float, float]:
    """Newton's method on the cross entropy, halving a step that does not lower it."""
    rows, line = np.stack([x, np.ones_like(x)], -1), np.zeros(2)

    def cost(at: np.ndarray) -> float:
        z = rows @ at
        return float((np.logaddexp(0, z) - target * z).sum())

    for _ in range(100):
        p = 1 / (1 + np.exp(-rows @ line))
        slope = rows.T @ (p - target)
        bend = (rows * (p * (1 - p))[:, None]).T @ rows + 1e-9 * np.eye(2)
        step, now = np.linalg.solve(bend, slope), cost(line)
        while cost(line - step) > now and np.abs(step).max() > 1e-12:
            step = step / 2
        line = line - step
        if np.abs(step).max() < 1e-9:
            break
    return float(line[0]), float(line[1])


def chances(scores: np.ndarray, line: tuple[float, float]) -> np.ndarray:
    """What `logistic` found, applied: scores (...) -> (...) in [0, 1]."""
    return 1 / (1 + np.exp(-(line[0] * _logits(np.asarray(scores, float)) + line[1])))


def _logits(scores: np.ndarray) -> np.ndarray:
    inside = np.clip(scores, _EDGE, 1 - _EDGE)
    return np.log(inside / (1 - inside))


def calibration_error(chance: np.ndarray, right: np.ndarray, bins: int = 10) -> float:
    """How far chances lie from shares: the mean distance over bins with as many points in each (ECE).

    >>> calibration_error(np.full(10, 0.9), np.arange(10) < 7, bins=1)
    0.2
    """
    order = np.argsort(chance, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    gaps = [len(part) * abs(float(chance[part].mean()) - float(right[part].mean())) for part in parts]
    return round(sum(gaps) / max(len(order), 1), 12)


def precision_above(
    scores: np.ndarray, right: np.ndarray, thresholds: Sequence[float]
) -> list[tuple[float, float]]:
    """For each threshold, the share that is right of the points whose score lies above it (NaN: of none), and
    the share of all points that is kept.

    >>> precision_above(np.array([0.2, 0.6, 0.9]), np.array([False, True, True]), [0.0, 0.5])
    [(0.6666666666666666, 1.0), (1.0, 0.6666666666666666)]
    """
    found = []
    for threshold in thresholds:
        kept = scores > threshold
        found.append((float(right[kept].mean()) if kept.any() else float("nan"), float(kept.mean())))
    return found
