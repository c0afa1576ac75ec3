"""How a network that finds everybody at once is attacked: the same landmark or part of everybody is hidden in
the whole picture, as the network sees it, and all persons are found and scored again.

The occlusion study leaves this to others ("the proposed occlusion attacks can be also applied to check the
occlusion robustness of bottom-up methods"). The functions are those of attack_window.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .. import data
from ..geometry import Frame
from ..runtime.crowd import CrowdPredictor
from ..runtime.windows import seen
from ..types import Poses, Skeleton
from . import topdown
from .attack_window import Pair, batches, labelled
from .attack_window import struck as struck_one
from .crowd import answering
from .looks import only

if TYPE_CHECKING:
    from .attack_results import Hit, Subject

MOST = 20  # persons of a picture that are kept, the surest: as many as COCO scores


def units(subjects: "Sequence[Subject]") -> list[data.Record]:
    """What is shown to the network: one picture at a time."""
    return list({s.record.id: s.record for s in subjects}.values())


def shape_of(skeleton: Skeleton) -> tuple[int, ...]:
    """Of what is found in one unit: (MOST, K + 1, 3)."""
    return MOST, len(skeleton) + 1, 3


def looked_at(
    network: CrowdPredictor,
    records: Sequence[data.Record],
    skeleton: Skeleton,
    hits: "Sequence[Hit]",
    batch: int,
    legacy: bool,
) -> np.ndarray:
    """(1 + hits, pictures, MOST, K + 1, 3): x y in picture pixels and score of every landmark of everybody
    who is found, the surest first; the last of the K + 1 holds the person's own score. NaN where there is
    nobody. Where an attack finds nothing to hide, the answer is the untouched picture's.
    """
    views = [view(record, network, skeleton) for record in records]
    found = np.full((1 + len(hits), len(records), MOST, len(skeleton) + 1, 3), np.nan, np.float32)
    shown = np.zeros(found.shape[:2], bool)

    def touched(i: int, hit: "Hit") -> np.ndarray | None:
        return struck(views[i][0], views[i][1], skeleton, hit, legacy)

    for some in batches([picture for picture, _, _ in views], hits, touched, batch):
        answers = network.many([picture for _, _, picture in some])
        for (row, i, _), people in zip(some, answers):
            people = only(people, skeleton)[:MOST]
            found[row, i, : len(people), :-1, :2] = views[i][2].back(people.points)
            found[row, i, : len(people), :-1, 2] = people.scores
            found[row, i, : len(people), -1, 2] = people.score
            shown[row, i] = True
    return np.where(shown[..., None, None, None], found, found[:1])


def view(
    record: data.Record, network: CrowdPredictor, skeleton: Skeleton
) -> tuple[np.ndarray, np.ndarray, Frame]:
    """The whole picture as the network sees it (h, w, 3) uint8, everybody's points (N, K, 2) there, NaN where
    absent, and the frame.
    """
    frame = Frame.whole(record.size, network.card.size)
    return seen(data.sample(record).picture, frame), frame.into(labelled(record, skeleton)), frame


def struck(
    picture: np.ndarray, points: np.ndarray, skeleton: Skeleton, hit: "Hit", legacy: bool
) -> np.ndarray | None:
    """The picture with a landmark or part of everybody (N, K, 2) hidden; None: there is nothing to hide."""
    touched = None
    for one in points:
        more = struck_one(picture if touched is None else touched, one, skeleton, hit, legacy)
        touched = touched if more is None else more
    return touched


def pair(network: CrowdPredictor, subject: "Subject", skeleton: Skeleton, hit: "Hit", legacy: bool) -> Pair:
    """A picture untouched and under an attack; the points are the subject's."""
    picture, points, frame = view(subject.record, network, skeleton)
    touched = struck(picture, points, skeleton, hit, legacy)
    return Pair(picture, picture if touched is None else touched, points[subject.instance], frame)


def people_of(found: np.ndarray, skeleton: Skeleton) -> list[Poses]:
    """Everybody found in each picture, of one row of `looked_at`."""
    answers = []
    for people in found.astype(np.float64):
        people = people[np.isfinite(people[:, -1, 2])]
        points, scores = people[:, :-1, :2], np.nan_to_num(people[:, :-1, 2])
        answers.append(Poses(skeleton, points, scores, score=people[:, -1, 2]))
    return answers


def aligned(found: np.ndarray, subjects: "Sequence[Subject]", skeleton: Skeleton) -> np.ndarray:
    """(subjects, K, 3): of everybody found, who answers each subject; NaN where nobody does."""
    answers = {
        record.id: answering(only(record.poses, skeleton), people)
        for record, people in zip(units(subjects), people_of(found, skeleton))
    }
    mine = [(answers[s.record.id], s.instance) for s in subjects]
    return np.stack([np.concatenate([a.points[n], a.scores[n][:, None]], -1) for a, n in mine])


def metric_of(network: CrowdPredictor, skeleton: Skeleton) -> str:
    return "AP"


def score(
    found: np.ndarray,
    subjects: "Sequence[Subject]",
    skeleton: Skeleton,
    network: CrowdPredictor,
    metric: str,
    legacy: bool,
) -> tuple[float, dict[str, float]]:
    """AP over all and for each landmark, of one row of `looked_at`."""
    records = units(subjects)
    truth = [only(record.poses, skeleton) for record in records]
    result = topdown.oks_of(people_of(found, skeleton), truth, records, legacy)
    return result.ap, dict(result.per_landmark)
