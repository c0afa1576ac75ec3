"""Mean average precision of multi-person poses in frames, as PoseTrack's own program (poseval) computes it.

A found joint is near a labelled one within half the head's size (0.6 of the diagonal of its box). Found poses
are matched to labelled ones: each to the one with the greatest share of near joints, then each labelled pose
keeps its best. Every joint of a pose without a match is a false positive, and so is a joint that its match
has no label for. AP of a joint is the area under the envelope of precision over recall; the table's columns
are means over joints, Total the mean of all.

Frames without a labelled person are left out, whatever was found in them. Regions marked to be ignored take
both labels and answers with them. Of equal scores the first found comes first (poseval leaves it to an
unstable sort). A joint that is never labelled has no AP here and counts in no mean.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..types import ABSENT, Poses
from .pck import apart
from .pckh import BIAS

THRESHOLD = 0.5  # head sizes
LOWEST = -9999.0  # the score of a joint that has none
LIMBS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
ALIASES = {"neck": "head_bottom", "upper_neck": "head_bottom"}  # what 2017's program and MPII call it
JOINTS = (
    "nose",
    "head_bottom",
    "head_top",
    *(f"{side}_{limb}" for limb in LIMBS for side in ("left", "right")),
)
GROUPS = {"Head": ("head_top", "head_bottom", "nose")} | {
    limb.capitalize(): (f"right_{limb}", f"left_{limb}") for limb in LIMBS
}
Regions = Sequence[np.ndarray]  # polygons (V, 2), x y in picture pixels


@dataclass(frozen=True)
class PoseTrackAP:
    """Of each joint, fractions; NaN where it is never labelled."""

    ap: Mapping[str, float]
    precision: Mapping[str, float]
    recall: Mapping[str, float]
    frames: int = 0  # with a labelled person
    false_positives: Mapping[str, int] = field(default_factory=dict)

    def metrics(self) -> dict[str, float | None]:
        """The columns of the published table, "mAP" being its Total; None where there is none."""
        columns = {name: _mean(self.ap[joint] for joint in joints) for name, joints in GROUPS.items()}
        totals = {"mAP": self.ap, "precision": self.precision, "recall": self.recall}
        columns |= {name: _mean(each.values()) for name, each in totals.items()}
        return {name: value if np.isfinite(value) else None for name, value in columns.items()}


def mean_ap(
    predicted: Sequence[Poses],
    truth: Sequence[Poses],
    heads: Sequence[np.ndarray],
    ignored: Sequence[Regions] | None = None,
) -> PoseTrackAP:
    """Score poses found in frames against labelled ones.

    Args:
        predicted: one Poses a frame, any number of instances, with scores of their joints; a joint that is
            NaN was not found.
        truth: one Poses a frame. Joints are compared by name; those that are none of JOINTS count nowhere.
        heads: (N, 4) x1 y1 x2 y2 of the labelled persons' heads.
        ignored: regions of each frame.

    Raises:
        ValueError: lists that do not line up, a joint that is missing, or a head without a size.
    """
    regions = ignored or [()] * len(truth)
    if not len(predicted) == len(truth) == len(heads) == len(regions):
        raise ValueError(
            f"{len(predicted)} predictions, {len(truth)} truths, {len(heads)} lists of heads and "
            f"{len(regions)} of regions do not agree"
        )
    scores: list[list[np.ndarray]] = [[] for _ in JOINTS]
    labels: list[list[np.ndarray]] = [[] for _ in JOINTS]
    asked, frames = np.zeros(len(JOINTS), int), 0
    for i, (found, true, boxes, away) in enumerate(zip(predicted, truth, heads, regions)):
        if not len(true):
            continue
        frames += 1
        answers, given = _joints(found, found.points, away)
        wanted = np.where((true.visibility == ABSENT)[..., None], np.nan, true.points)
        places, _ = _joints(true, wanted, away)
        sizes = _sizes(boxes, len(true), i)
        kept = np.isfinite(places).all(-1).any(-1)
        right = _right(answers, places[kept], sizes[kept])
        asked += np.isfinite(places).all(-1).sum(0)
        there = np.asarray(np.isfinite(answers).all(-1))
        for k in range(len(JOINTS)):
            scores[k].append(given[there[:, k], k])
            labels[k].append(right[there[:, k], k])
    ends = [_ends(_joined(s, float), _joined(r, bool), n) for s, r, n in zip(scores, labels, asked)]
    ap, precision, recall = (dict(zip(JOINTS, column)) for column in zip(*ends))
    wrong = {name: int((~_joined(r, bool)).sum()) for name, r in zip(JOINTS, labels)}
    return PoseTrackAP(ap, precision, recall, frames, wrong)


def average_precision(scores: np.ndarray, right: np.ndarray, asked: int) -> float:
    """Area under the envelope of precision over recall (PASCAL VOC, all points).

    Args:
        scores: (M,) of the answers; right: (M,) bool; asked: how many there were to find.

    >>> average_precision(np.array([0.9, 0.8, 0.7]), np.array([True, False, True]), 2)
    0.8333333333333333
    """
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(right[order])
    precision = np.concatenate([hits / np.arange(1, len(hits) + 1), [0.0]])
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    steps = np.diff(np.concatenate([[0.0], hits / asked]))
    return float((steps * envelope[:-1]).sum())


def _right(answers: np.ndarray, places: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Which joints (N, J) of the found poses are right, given the labelled ones (M, J, 2)."""
    if not len(answers) or not len(places):
        return np.zeros(answers.shape[:2], bool)
    labelled = np.asarray(np.isfinite(places).all(-1))  # (M, J)
    distances = apart(answers[:, None], np.where(labelled[..., None], places, 0.0)[None])  # (N, M, J)
    near = (distances / sizes[:, None] <= THRESHOLD) & labelled
    share = near.sum(-1) / labelled.sum(-1)  # (N, M)
    best = share.argmax(1)
    share = np.where(np.arange(share.shape[1]) == best[:, None], share, 0.0)  # each answer its best truth
    right = np.zeros(answers.shape[:2], bool)
    for person, pose in enumerate(share.argmax(0)):  # each truth its best answer
        if share[pose, person] > 0:
            right[pose] = near[pose, person]
    return right


def _joints(poses: Poses, points: np.ndarray, regions: Regions) -> tuple[np.ndarray, np.ndarray]:
    """Points (N, J, 2) and scores (N, J) in the order of JOINTS; NaN in a region."""
    names = [ALIASES.get(name, name) for name in poses.skeleton.landmarks]
    if missing := [joint for joint in JOINTS if joint not in names]:
        raise ValueError(f"{poses.skeleton.name!r} has no {', '.join(missing)}")
    order = [names.index(joint) for joint in JOINTS]
    points = np.array(points[:, order], np.float64)
    for polygon in regions:
        points[_inside(points, np.asarray(polygon, np.float64))] = np.nan
    scores = poses.scores[:, order]
    return points, np.where(np.isfinite(scores), scores, LOWEST)


def _inside(points: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """Which points (..., 2) lie in a polygon (V, 2): (...) bool."""
    x, y = points[..., 0, None], points[..., 1, None]
    (x1, y1), (x2, y2) = polygon.T, np.roll(polygon, -1, 0).T
    with np.errstate(divide="ignore", invalid="ignore"):
        crossed = ((y1 > y) != (y2 > y)) & (x < (x2 - x1) * (y - y1) / (y2 - y1) + x1)
    return crossed.sum(-1) % 2 == 1


def _sizes(heads: np.ndarray, people: int, frame: int) -> np.ndarray:
    heads = np.asarray(heads, np.float64).reshape(-1, 4)
    sizes = BIAS * np.hypot(heads[:, 2] - heads[:, 0], heads[:, 3] - heads[:, 1])
    if len(heads) != people:
        raise ValueError(f"frame {frame}: {len(heads)} heads for {people} people")
    if not (np.isfinite(sizes) & (sizes > 0)).all():
        raise ValueError(f"frame {frame}: a head's box has no size")
    return sizes


def _ends(scores: np.ndarray, right: np.ndarray, asked: int) -> tuple[float, float, float]:
    """AP, precision and recall of a joint."""
    if not asked:
        return np.nan, np.nan, np.nan
    if not len(scores):
        return 0.0, 0.0, 0.0
    return average_precision(scores, right, asked), float(right.mean()), float(right.sum() / asked)


def _joined(parts: list[np.ndarray], kind: type) -> np.ndarray:
    return np.concatenate([np.zeros(0, kind), *parts]).astype(kind)


def _mean(values) -> float:
    finite = [v for v in values if np.isfinite(v)]
    return float(np.mean(finite)) if finite else np.nan
