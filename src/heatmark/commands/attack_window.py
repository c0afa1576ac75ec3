"""How a network that looks at one object at a time is attacked: in its window, scored as `evaluate` does.

attack_crowd has the same functions for networks that find everybody at once.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from .. import data
from ..imaging.occlude import RADIUS, hidden, where
from ..metrics.pck import pck
from ..runtime import Predictor
from ..runtime.windows import Window, seen, shown_part, window
from ..types import ABSENT, Poses, Skeleton
from . import topdown
from .looks import only

if TYPE_CHECKING:
    from .attack_results import Hit, Subject

CORRECT_AT = 0.1  # alpha of the PCK that single objects lose
Job = tuple[int, int, np.ndarray]  # row of the answers (0 untouched), which unit, the picture to show


@dataclass(frozen=True)
class Pair:
    """One object before and after, for the page."""

    before: np.ndarray  # (h, w, 3) uint8, as the network sees it
    after: np.ndarray
    points: np.ndarray  # (K, 2) of the object there, NaN where absent
    frame: Window


def units(subjects: "Sequence[Subject]") -> "Sequence[Subject]":
    """What is shown to the network: one object at a time."""
    return subjects


def shape_of(skeleton: Skeleton) -> tuple[int, ...]:
    """Of what is found in one unit: (K, 3)."""
    return len(skeleton), 3


def looked_at(
    network: Predictor,
    subjects: "Sequence[Subject]",
    skeleton: Skeleton,
    hits: "Sequence[Hit]",
    batch: int,
    legacy: bool,
) -> np.ndarray:
    """(1 + hits, subjects, K, 3): x y in picture pixels and score of every landmark of `skeleton`.

    Where an attack finds nothing to hide, the answer is the untouched picture's.
    """
    order = [network.skeleton.index(name) for name in skeleton.landmarks]
    pictures = {s.record.path: s.record for s in subjects}
    opened = {path: data.sample(record).picture for path, record in pictures.items()}
    views = [view(opened[s.record.path], network, s, skeleton) for s in subjects]
    found = np.full((1 + len(hits), len(subjects), len(skeleton), 3), np.nan)
    shown = np.zeros(found.shape[:2], bool)

    def touched(i: int, hit: "Hit") -> np.ndarray | None:
        return struck(views[i][0], views[i][1], skeleton, hit, legacy)

    for some in batches([picture for picture, _, _ in views], hits, touched, batch):
        seen_by = np.stack([picture for _, _, picture in some]).transpose(0, 3, 1, 2)
        answers = network.engine(np.ascontiguousarray(seen_by).astype(np.float32) / 255)
        for (row, i, _), points, scores in zip(some, answers["points"], answers["scores"]):
            points = points[order].astype(np.float64)
            points[~np.isfinite(points).all(-1)] = np.nan
            found[row, i, :, :2] = views[i][2].back(points)
            found[row, i, :, 2] = np.nan_to_num(scores[order], nan=0.0, posinf=0.0, neginf=0.0)
            shown[row, i] = True
    return np.where(shown[..., None, None], found, found[:1])


def batches(
    pictures: Sequence[np.ndarray],
    hits: "Sequence[Hit]",
    touched: "Callable[[int, Hit], np.ndarray | None]",
    batch: int,
) -> Iterator[list[Job]]:
    """Every picture untouched and under each attack, `batch` of them at a time; those where there is nothing
    to hide (`touched` gives None) are left out.
    """

    def jobs() -> Iterator[Job]:
        for i, picture in enumerate(pictures):
            yield 0, i, picture
            for row, hit in enumerate(hits, 1):
                if (changed := touched(i, hit)) is not None:
                    yield row, i, changed

    left = jobs()
    while some := list(islice(left, batch)):
        yield some


def view(
    picture: np.ndarray, network: Predictor, subject: "Subject", skeleton: Skeleton
) -> tuple[np.ndarray, np.ndarray, Window]:
    """What the network sees of a subject (h, w, 3) uint8, its points (K, 2) there, NaN where absent, and the
    window.
    """
    frame = window(subject.box, network.card)
    shown = seen(picture, frame, shown_part(subject.box, network.card))
    return shown, frame.into(labelled(subject.record, skeleton)[subject.instance]), frame


def labelled(record: data.Record, skeleton: Skeleton) -> np.ndarray:
    """(N, K, 2) picture pixels, NaN where absent."""
    poses = only(record.poses, skeleton)
    return np.where(poses.visibility[..., None] == ABSENT, np.nan, poses.points)


def struck(
    picture: np.ndarray, points: np.ndarray, skeleton: Skeleton, hit: "Hit", legacy: bool
) -> np.ndarray | None:
    """The picture under an attack; None where there is nothing to hide."""
    size = picture.shape[0], picture.shape[1]
    area = where(points, skeleton, hit.target, size, hit.radius or RADIUS, legacy)
    return None if area is None else hidden(picture, area, hit.how)


def pair(network: Predictor, subject: "Subject", skeleton: Skeleton, hit: "Hit", legacy: bool) -> Pair:
    """One subject untouched and under an attack."""
    picture, points, frame = view(data.sample(subject.record).picture, network, subject, skeleton)
    touched = struck(picture, points, skeleton, hit, legacy)
    return Pair(picture, picture if touched is None else touched, points, frame)


def aligned(found: np.ndarray, subjects: "Sequence[Subject]", skeleton: Skeleton) -> np.ndarray:
    """(subjects, K, 3): what answers each subject, of one row of `looked_at`."""
    return found


def metric_of(network: Predictor, skeleton: Skeleton) -> str:
    """What people and single objects are scored by."""
    if network.card.task != "top_down":
        return f"PCK@{CORRECT_AT:g}"
    return "PCKh@0.5" if set(topdown.HEAD) <= set(skeleton.landmarks) else "AP"


def score(
    found: np.ndarray,
    subjects: "Sequence[Subject]",
    skeleton: Skeleton,
    network: Predictor,
    metric: str,
    legacy: bool,
) -> tuple[float, dict[str, float]]:
    """A metric over all and for each landmark, of answers (subjects, K, 3)."""
    of_picture: dict[int, list[int]] = {}
    for n, subject in enumerate(subjects):
        of_picture.setdefault(subject.record.id, []).append(n)
    records = [subjects[some[0]].record for some in of_picture.values()]
    truth = [only(record.poses, skeleton) for record in records]
    answers, in_place = [], []
    for true, some in zip(truth, of_picture.values()):
        points, scores = found[some, :, :2], np.clip(found[some, :, 2], 0, 1)
        boxes = np.stack([subjects[n].box for n in some])
        answers.append(Poses(skeleton, points, scores, boxes=boxes))
        every = np.full((len(true), *points.shape[1:]), np.nan)
        every[[subjects[n].instance for n in some]] = points
        in_place.append(Poses(skeleton, every, boxes=true.boxes))
    if metric == "AP":
        settled = [topdown.settled(one, np.ones(len(one)), network.card) for one in answers]
        result = topdown.oks_of(settled, truth, records, legacy)
        return result.ap, dict(result.per_landmark)
    if metric == "PCKh@0.5":
        heads = topdown.pckh_of(in_place, truth, records)[0]
        assert heads is not None
        return heads.at(0.5), {name: heads.landmark(name) for name in skeleton.landmarks}
    correct = pck(in_place, truth)
    return correct.at(CORRECT_AT), {n: correct.landmark(n).at(CORRECT_AT) for n in skeleton.landmarks}
