"""PCKh, the share of correct keypoints by the size of the head, as MPII's results are published.

A landmark is correct at a distance of at most threshold * 0.6 * the diagonal of the head's box. The mean
weighs each landmark by how often it is labelled and leaves out pelvis and thorax. NumPy only.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..types import ABSENT, Poses
from .pck import apart

BIAS = 0.6  # of the head box's diagonal, so that it is about the head's length
UNCOUNTED = ("pelvis", "thorax")
GROUPS = {  # the columns of the published tables; left and right weigh the same
    "Head": ("head_top",),
    "Shoulder": ("left_shoulder", "right_shoulder"),
    "Elbow": ("left_elbow", "right_elbow"),
    "Wrist": ("left_wrist", "right_wrist"),
    "Hip": ("left_hip", "right_hip"),
    "Knee": ("left_knee", "right_knee"),
    "Ankle": ("left_ankle", "right_ankle"),
}


@dataclass(frozen=True)
class PCKh:
    """How far each labelled landmark was off, in head sizes. N people, K landmarks."""

    landmarks: tuple[str, ...]
    fractions: np.ndarray  # (N, K); inf: not found; NaN: not labelled

    def landmark(self, name: str, threshold: float = 0.5) -> float:
        """Share of one landmark that is correct; NaN if it was never labelled."""
        each = self.fractions[:, self.landmarks.index(name)]
        each = each[~np.isnan(each)]
        return float((each <= threshold).mean()) if len(each) else np.nan

    def at(self, threshold: float = 0.5) -> float:
        """Mean over the landmarks, each weighed by how often it is labelled, without pelvis and thorax."""
        counted = [k for k, name in enumerate(self.landmarks) if name not in UNCOUNTED]
        each = self.fractions[:, counted]
        each = each[~np.isnan(each)]
        return float((each <= threshold).mean()) if len(each) else np.nan

    def metrics(self) -> dict[str, float | None]:
        """The columns of MPII's tables, fractions; None where there is none. What is published as Mean@0.1 is
        the share at 0.11.
        """
        numbers = {
            group: float(np.mean([self.landmark(name) for name in names]))
            for group, names in GROUPS.items()
            if all(name in self.landmarks for name in names)
        }
        numbers |= {"PCKh@0.5": self.at(0.5), "PCKh@0.1": self.at(0.1), "published Mean@0.1": self.at(0.11)}
        return {name: value if np.isfinite(value) else None for name, value in numbers.items()}


def pckh(predicted: Sequence[Poses], truth: Sequence[Poses], heads: Sequence[np.ndarray]) -> PCKh:
    """Score predictions against labels.

    Args:
        predicted: one Poses a picture; instance n is the answer to instance n of the truth.
        truth: one Poses a picture.
        heads: (N, 4) x1 y1 x2 y2 of the heads of each picture's people, pixels.

    Raises:
        ValueError: lists, instances or landmarks that do not line up, or a head without a size.
    """
    if not len(predicted) == len(truth) == len(heads):
        raise ValueError(
            f"{len(predicted)} predictions, {len(truth)} truths and {len(heads)} heads do not agree"
        )
    if not truth:
        return PCKh((), np.empty((0, 0)))
    landmarks, rows = truth[0].skeleton.landmarks, []
    for i, (found, true, boxes) in enumerate(zip(predicted, truth, heads)):
        if {found.skeleton.landmarks, true.skeleton.landmarks} != {landmarks}:
            raise ValueError(f"picture {i}: landmarks must be the same everywhere")
        if not len(found) == len(true) == len(boxes):
            raise ValueError(
                f"picture {i}: {len(found)} answers and {len(boxes)} heads for {len(true)} people"
            )
        boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
        sizes = BIAS * np.hypot(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
        if not (np.isfinite(sizes) & (sizes > 0)).all():
            raise ValueError(f"picture {i}: a head's box has no size")
        labelled = np.isfinite(true.points).all(-1) & (true.visibility != ABSENT)
        distances = apart(found.points, np.where(labelled[..., None], true.points, 0.0))
        rows.append(np.where(labelled, distances / sizes[:, None], np.nan))
    return PCKh(landmarks, np.concatenate(rows))
