"""PCK, the percentage of correct keypoints: how many predicted points lie near enough to the true ones.

A landmark is correct when its distance from the truth is strictly below alpha * max(w, h) of the object's box
(IHM paper, section 4). Everything here is a fraction, not per cent. NumPy only: poses in, numbers out.

What counts:
- A landmark labelled absent (0) never counts. A hidden one (1) counts, is ignored, or is scored separately,
  as asked.
- A prediction that is not finite counts as a miss and is reported; it is never averaged.
- Inside an interchangeable group the predictions are given to the truths so that the sum of distances is
  least. Hidden landmarks take part in that even when they are then ignored: a point found on a hidden jaw
  is no error of the other jaw.
- An instance whose box has no area cannot be scored: it is left out and named.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ..errors import UserError, unknown
from ..types import ABSENT, HIDDEN, SEEN, Poses, Skeleton

ALPHAS = tuple(round(0.01 * i, 2) for i in range(1, 21))
POLICIES = ("count", "ignore", "separate")  # what to do with hidden landmarks
Policy = Literal["count", "ignore", "separate"]


@dataclass(frozen=True)
class PCK:
    """How far each counted landmark was from the truth, and every number that follows from it.

    N instances of all pictures one after the other, K landmarks, A alphas. A number over nothing is NaN.
    """

    landmarks: tuple[str, ...]
    distances: np.ndarray  # (N, K) picture pixels; inf: the prediction was not finite; NaN: does not count
    sides: np.ndarray  # (N,) longer side of the box, pixels; NaN where the box has no area
    matched: np.ndarray  # (N, K) int: which predicted landmark was given to each true one
    alphas: tuple[float, ...] = ALPHAS
    correct_at: float = 0.1  # the alpha of `error_px` and `error`, which average over the correct ones only
    boxless: tuple[tuple[int, int], ...] = ()  # (picture, instance) of each box without area: not scored
    # (picture, instance, landmark) labelled without a finite point
    unlabelled: tuple[tuple[int, int, str], ...] = ()
    hidden: "PCK | None" = None  # the hidden landmarks' own result under the policy "separate"

    @property
    def fractions(self) -> np.ndarray:
        """(N, K) distance over the longer side of the box; inf a miss without a point, NaN not counted."""
        return self.distances / self.sides[:, None]

    @property
    def counted(self) -> int:
        """How many landmarks the numbers are over."""
        return int((~np.isnan(self.fractions)).sum())

    @property
    def nonfinite(self) -> int:
        """How many of them are misses because the prediction was not finite."""
        return int(np.isinf(self.distances).sum())

    def at(self, alpha: float) -> float:
        """Share of all counted landmarks that are correct at alpha: each landmark weighs the same (micro)."""
        return _share(self.fractions, alpha)

    def landmark(self, name: str) -> "PCK":
        """The same for one landmark. Raises a UserError for a name that is not there."""
        if name not in self.landmarks:
            raise unknown("landmark", name, self.landmarks)
        k = self.landmarks.index(name)
        one = slice(k, k + 1)
        hidden = None if self.hidden is None else self.hidden.landmark(name)
        settings = {"alphas": self.alphas, "correct_at": self.correct_at, "hidden": hidden}
        return PCK((name,), self.distances[:, one], self.sides, self.matched[:, one], **settings)

    def mean_at(self, alpha: float) -> float:
        """Mean over the landmarks that were counted at all of each one's own PCK (macro)."""
        each = [self.landmark(name).at(alpha) for name in self.landmarks]
        return _mean(np.array(each)[~np.isnan(each)])

    def uncertainty(self, alpha: float) -> float:
        """Half the width of a 95 % interval of `at(alpha)`, the instances taken as a fair draw.

        Landmarks of one instance fail together, so the instance is the unit (error of a ratio estimator).
        NaN for fewer than two instances.
        """
        counted = ~np.isnan(self.fractions)  # (N, K)
        n, right = counted.sum(1), (self.fractions < alpha).sum(1)  # NaN < alpha is False
        n, right = n[n > 0], right[n > 0]
        if len(n) < 2:
            return np.nan
        residual = right - n * right.sum() / n.sum()
        return float(1.96 * np.sqrt((residual**2).sum() * len(n) / (len(n) - 1)) / n.sum())

    @property
    def curve(self) -> np.ndarray:
        """(A,) PCK at each of `alphas`."""
        return np.array([self.at(alpha) for alpha in self.alphas])

    @property
    def area(self) -> float:
        """Mean PCK over all alphas from 0 to the largest: the exact area under the curve, in [0, 1]."""
        fractions = self.fractions[~np.isnan(self.fractions)]
        # a landmark is correct from its own fraction on
        return _mean(np.clip(1 - fractions / max(self.alphas), 0, 1))

    @property
    def error_px(self) -> float:
        """Mean distance of the landmarks correct at `correct_at`, picture pixels."""
        return _mean(self.distances[self.fractions < self.correct_at])

    @property
    def error(self) -> float:
        """Mean distance of the landmarks correct at `correct_at`, as a fraction of the box's longer side."""
        return _mean(self.fractions[self.fractions < self.correct_at])

    @property
    def median(self) -> float:
        """Median distance of all counted landmarks over the longer side; inf when most have no point."""
        fractions = self.fractions[~np.isnan(self.fractions)]
        return float(np.sort(fractions)[(len(fractions) - 1) // 2]) if len(fractions) else np.nan

    def metrics(self) -> dict[str, float | None]:
        """Every number by its name, fractions and pixels; None where there is none (JSON knows no NaN)."""
        numbers = {f"PCK@{alpha:g}": self.at(alpha) for alpha in self.alphas}
        if len(self.landmarks) > 1:
            numbers[f"mean PCK@{self.correct_at:g}"] = self.mean_at(self.correct_at)
        numbers[f"AUC@{max(self.alphas):g}"] = self.area
        numbers |= {"error_px": self.error_px, "error": self.error, "median": self.median}
        if self.hidden is not None:
            numbers |= {f"hidden {name}": value for name, value in self.hidden.metrics().items()}
        return {name: float(v) if v is not None and np.isfinite(v) else None for name, v in numbers.items()}

    def to_dict(self) -> dict[str, Any]:
        """{"metrics": {...}, "per_landmark": {name: {...}}, "counted": n, "nonfinite": n}, ready for JSON."""
        each = {name: self.landmark(name) for name in self.landmarks}
        return {
            "metrics": self.metrics(),
            "per_landmark": {name: one.metrics() | {"counted": one.counted} for name, one in each.items()},
            "counted": self.counted,
            "nonfinite": self.nonfinite,
        }


def pck(
    predicted: Sequence[Poses],
    truth: Sequence[Poses],
    alphas: Sequence[float] = ALPHAS,
    hidden: Policy = "count",
    correct_at: float = 0.1,
) -> PCK:
    """Score predictions against labels.

    Args:
        predicted: one Poses a picture; instance n is the answer to instance n of the truth.
        truth: one Poses a picture, with boxes and visibility.
        alphas: thresholds, as fractions of the longer side of the box; strict (<).
        hidden: hidden landmarks "count" like seen ones, "ignore", or "separate": the result is over the seen
            ones and its `hidden` over the hidden ones.
        correct_at: the alpha below which a landmark enters the mean error.

    Raises:
        UserError: an unknown policy. ValueError: lists, instances or landmarks that do not line up.

    >>> tool = Skeleton("hammer", ("face", "claw"))
    >>> box = np.array([[0.0, 0.0, 100.0, 40.0]])  # its longer side is 100, so 0.1 means 10 pixels
    >>> true = Poses(tool, [[[10, 10], [90, 10]]], boxes=box)
    >>> found = Poses(tool, [[[16, 18], [90, 15]]])  # 10 and 5 pixels away
    >>> result = pck([found], [true])
    >>> result.at(0.1), result.at(0.11), result.landmark("claw").at(0.1)  # strictly: 10 px are not correct
    (0.5, 1.0, 1.0)
    >>> result.error_px, result.error  # of the correct one
    (5.0, 0.05)
    >>> round(result.area, 3)  # face is correct on half of 0..0.2, claw on three quarters
    0.625
    """
    if hidden not in POLICIES:
        raise unknown("policy for hidden landmarks", hidden, POLICIES)
    if not alphas or not all(np.isfinite(a) and a > 0 for a in alphas):
        raise UserError(f"alphas must be positive fractions, got {list(alphas)}")
    skeleton = _aligned(predicted, truth)
    if skeleton is None:
        return PCK((), np.empty((0, 0)), np.empty(0), np.empty((0, 0), np.int64), tuple(alphas), correct_at)
    found, true = Poses.join(skeleton, list(predicted)), Poses.join(skeleton, list(truth))

    where = [(picture, instance) for picture, poses in enumerate(truth) for instance in range(len(poses))]
    there = np.isfinite(true.points).all(-1)  # (N, K)
    labelled = (true.visibility != ABSENT) & there
    unlabelled = tuple(
        (*where[n], skeleton.landmarks[k]) for n, k in np.argwhere((true.visibility != ABSENT) & ~there)
    )
    with np.errstate(over="ignore", invalid="ignore"):
        sides = (true.boxes[:, 2:] - true.boxes[:, :2]).max(-1)  # (N,)
        area = (true.boxes[:, 2:] - true.boxes[:, :2]).min(-1) > 0
    sides = np.where(area & np.isfinite(sides), sides, np.nan)

    matched = matching(found.points, np.where(labelled[..., None], true.points, np.nan), skeleton.groups)
    distances = apart(np.take_along_axis(found.points, matched[..., None], 1), true.points)
    result = {
        "landmarks": skeleton.landmarks,
        "sides": sides,
        "matched": matched,
        "alphas": tuple(float(a) for a in alphas),
        "correct_at": correct_at,
        "boxless": tuple(w for w, side in zip(where, sides) if np.isnan(side)),
        "unlabelled": unlabelled,
    }

    def over(*states: int, **more: Any) -> PCK:
        counts = labelled & np.isin(true.visibility, states) & ~np.isnan(sides)[:, None]
        return PCK(distances=np.where(counts, distances, np.nan), **result, **more)

    if hidden == "count":
        return over(SEEN, HIDDEN)
    return over(SEEN, hidden=over(HIDDEN) if hidden == "separate" else None)


def matching(found: np.ndarray, true: np.ndarray, groups: Sequence[Sequence[int]]) -> np.ndarray:
    """Which predicted landmark stands for each true one, the sum of distances least inside each group.

    Args:
        found: (N, K, 2). Points that are not finite are given out last.
        true: (N, K, 2), NaN where nothing is labelled: those take what is left over.
        groups: interchangeable landmarks as indices (Skeleton.groups).

    Returns:
        (N, K) int; k itself outside the groups.

    >>> true = np.array([[[0.0, 0.0], [10.0, 0.0], [5.0, 5.0]]])
    >>> matching(true[:, [1, 0, 2]], true, [(0, 1)]).tolist()
    [[1, 0, 2]]
    """
    from scipy.optimize import linear_sum_assignment

    there = np.asarray(~np.isnan(true).any(-1))  # (N, K)
    order = np.tile(np.arange(true.shape[1]), (len(true), 1))
    for group in map(list, groups):
        for n in range(len(true)):
            cost = apart(found[n, group][None, :], true[n, group][:, None])  # (true, found)
            cost = np.where(np.isfinite(cost), np.minimum(cost, 1e9), 1e12)  # no point: dearer than any
            cost = np.where(there[n, group][:, None], cost, 0.0)
            order[n, group] = np.array(group)[linear_sum_assignment(cost)[1]]
    return order


def apart(found: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Distances between points (..., 2), pixels; inf where `found` is not finite.

    >>> apart(np.array([[3.0, 4.0], [np.nan, 0.0]]), np.zeros((2, 2))).tolist()
    [5.0, inf]
    """
    with np.errstate(over="ignore", invalid="ignore"):
        distance = np.hypot(*np.moveaxis(found - true, -1, 0))
    return np.where(np.isfinite(found).all(-1) & ~np.isnan(distance), distance, np.inf)


def _aligned(predicted: Sequence[Poses], truth: Sequence[Poses]) -> Skeleton | None:
    if len(predicted) != len(truth):
        raise ValueError(
            f"one prediction a picture is wanted: got {len(predicted)} for {len(truth)} pictures"
        )
    for i, (found, true) in enumerate(zip(predicted, truth)):
        if found.skeleton.landmarks != true.skeleton.landmarks or true.skeleton != truth[0].skeleton:
            wanted, came = ", ".join(truth[0].skeleton.landmarks), ", ".join(found.skeleton.landmarks)
            raise ValueError(
                f"picture {i}: landmarks must be the same everywhere, wanted {wanted}, got {came}"
            )
        if len(found) != len(true):
            raise ValueError(
                f"picture {i}: one prediction an instance is wanted: got {len(found)} for {len(true)}"
            )
    return truth[0].skeleton if len(truth) else None


def _share(fractions: np.ndarray, alpha: float) -> float:
    counted = fractions[~np.isnan(fractions)]
    return _mean(counted < alpha)


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else np.nan
