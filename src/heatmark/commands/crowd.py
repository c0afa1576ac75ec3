"""Models of everybody at once: which found person answers a labelled one, PoseTrack's score, and whether a
new file finds the same persons as the model it was made of.
"""

from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from ..card import Card
from ..data import Record
from ..data.posetrack import NECK, heads_of, regions_of
from ..metrics.oks import oks
from ..metrics.pck import apart
from ..metrics.posetrack import JOINTS, PoseTrackAP, mean_ap
from ..runtime.crowd import groups_of
from ..types import ABSENT, Poses, Skeleton

ALIKE = 0.1  # OKS from which a found person answers a labelled one
EDGE = 0.02  # a score as near as this to its threshold may fall on either side


def answering(truth: Poses, found: Poses) -> Poses:
    """One answer for each labelled instance, NaN where nobody is alike: the assignment with the highest OKS.

    Both over the same landmarks.
    """
    points, scores = np.full(truth.points.shape, np.nan), np.zeros(truth.scores.shape)
    labelled = np.where((truth.visibility == ABSENT)[..., None], np.nan, truth.points)
    sides = np.nan_to_num(truth.boxes[:, 2:] - truth.boxes[:, :2])
    alike = np.nan_to_num(oks(found.points, labelled, sides.prod(-1), truth.skeleton.tolerances))  # (N, M)
    for n, m in zip(*linear_sum_assignment(alike, maximize=True)):
        if alike[n, m] >= ALIKE:
            points[m], scores[m] = found.points[n], found.scores[n]
    return Poses(found.skeleton, points, scores)


def posetrack_of(
    answers: Sequence[Poses], truth: Sequence[Poses], records: Sequence[Record]
) -> PoseTrackAP | None:
    """The mean average precision of frames of PoseTrack; None for other labels. Raises DataError where a
    person has no head to measure by.
    """
    if not truth or any(name not in truth[0].skeleton.landmarks for name in (*JOINTS, NECK)):
        return None
    return mean_ap(answers, truth, [heads_of(r) for r in records], [regions_of(r) for r in records])


def shifts(
    before: Sequence[dict[str, np.ndarray]], after: Sequence[dict[str, np.ndarray]], card: Card
) -> tuple[np.ndarray, np.ndarray]:
    """How far every landmark of every person moved from one file's answers to another's, network pixels.

    Args:
        before, after: of each batch of pictures, as an Engine gives them.

    Returns:
        (M, K) for M persons of the first: inf where only one file finds the landmark, and a row of inf for a
        person whom only one finds; and (M,) in which picture. What scores within EDGE of its threshold may be
        found by one alone.
    """
    rows, pictures, seen = [np.empty((0, len(card.skeleton_of())))], [np.empty(0, int)], 0
    for one, other in zip(before, after):
        count = len(one["values"])
        for n in range(count):
            away = _shifts(one, other, n, card)
            rows.append(away)
            pictures.append(np.full(len(away), seen + n))
        seen += count
    return np.concatenate(rows), np.concatenate(pictures)


def _shifts(one: dict[str, np.ndarray], other: dict[str, np.ndarray], n: int, card: Card) -> np.ndarray:
    """(P, K) for one picture."""
    a, b = groups_of(one, n, card), groups_of(other, n, card)
    sure = [g.score >= card.decoding.person + EDGE for g in (a, b)]
    far = float(np.hypot(*card.size))
    gaps = apart(a.points[:, None], b.points[None])  # (A, B, K), inf or NaN where either lacks it
    cost = np.where(np.isfinite(gaps), gaps, far).mean(-1)
    rows, columns = linear_sum_assignment(cost)
    real = cost[rows, columns] < far
    rows, columns = rows[real], columns[real]
    found = []
    for i, j in zip(rows, columns):
        high = [g.values[m] >= card.decoding.floor + EDGE for g, m in ((a, i), (b, j))]
        there = [np.isfinite(g.points[m]).all(-1) for g, m in ((a, i), (b, j))]
        lost = (there[0] & high[0] & ~there[1]) | (there[1] & high[1] & ~there[0])
        found.append(np.where(there[0] & there[1], gaps[i, j], np.where(lost, np.inf, 0.0)))
    for groups, mine, which in ((a, rows, sure[0]), (b, columns, sure[1])):
        alone = np.setdiff1d(np.flatnonzero(which), mine)
        found += [np.full(groups.points.shape[1], np.inf)] * len(alone)
    return np.array(found).reshape(-1, a.points.shape[1])


def worst(away: np.ndarray, pictures: np.ndarray, names: Sequence[str], skeleton: Skeleton) -> str:
    """Where the farthest move is, in words."""
    if not len(away):
        return "nobody is found in any picture"
    m, k = np.unravel_index(away.argmax(), away.shape)
    if np.isinf(away[m]).all():
        return f"a person in {names[pictures[m]]}"
    return f"{skeleton.landmarks[k]} of a person in {names[pictures[m]]}"
