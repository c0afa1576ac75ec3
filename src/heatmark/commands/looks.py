"""Where a model looks in a picture: in labelled boxes, a file's, a detector's, or at the whole of it; and
which labelled instance each look answers.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ..card import Card
from ..data import Record
from ..data import boxes as box_files
from ..metrics.boxes import iou
from ..types import ABSENT, Boxes, Poses, Sample, Skeleton
from . import person_detector

OVERLAP = 0.3  # IoU from which a box of a file is taken for a labelled instance

Looks = Callable[[Sequence[tuple[Record, Sample]]], list[Boxes | None]]


def looks(boxes: str, records: Sequence[Record], card: Card) -> tuple[Looks, list[str]]:
    """Some records with their pictures -> where to look in each, None for the whole; and remarks."""
    if boxes == "whole":
        return lambda some: [None] * len(some), []
    if boxes == "truth":
        return lambda some: [Boxes(labelled_boxes(record, card)) for record, _ in some], []
    if person_detector.wanted(boxes):
        detector = person_detector.opened(boxes)
        return lambda some: [*detector([sample.picture for _, sample in some])], []
    given, notes = box_files.read(Path(boxes), records)
    none = Boxes(np.empty((0, 4)))
    return lambda some: [given.get(record.id, none) for record, _ in some], notes


def labelled_boxes(record: Record, card: Card) -> np.ndarray:
    """(M, 4): those to look into; for published networks as their authors clip them."""
    boxes = record.poses.boxes[usable(record.poses, card)]
    return box_files.as_published(boxes, record) if card.decoding.method == "msra" else boxes


def usable(poses: Poses, card: Card) -> np.ndarray:
    """(N,) bool: the box is finite and has an area; of people, anything is labelled in it."""
    extent = poses.boxes[:, 2:] - poses.boxes[:, :2]  # NaN is not above 0
    whole = np.isfinite(poses.boxes).all(-1) & np.asarray((extent > 0).all(-1))
    labelled = np.isfinite(poses.points).all(-1) & (poses.visibility != ABSENT)
    return whole & labelled.any(-1) if card.task == "top_down" else whole


def answering(truth: Poses, looked: Boxes | None, answer: Poses, boxes: str, card: Card) -> Poses:
    """One answer for each labelled instance, NaN where there is none."""
    points = np.full((len(truth), len(answer.skeleton), 2), np.nan)
    scores = np.zeros(points.shape[:2])
    if looked is None or boxes == "truth":
        mine = np.arange(1) if looked is None else np.flatnonzero(usable(truth, card))
        given = np.arange(len(answer))
    else:
        from scipy.optimize import linear_sum_assignment

        overlap = np.nan_to_num(iou(truth.boxes, looked.boxes))
        mine, given = linear_sum_assignment(overlap, maximize=True)
        enough = overlap[mine, given] >= OVERLAP
        mine, given = mine[enough], given[enough]
    points[mine], scores[mine] = answer.points[given], answer.scores[given]
    return Poses(answer.skeleton, points, scores, boxes=truth.boxes)


def only(poses: Poses, skeleton: Skeleton) -> Poses:
    """The landmarks of `skeleton`, by name."""
    which = [poses.skeleton.index(n) for n in skeleton.landmarks]
    points, scores, seen = poses.points[:, which], poses.scores[:, which], poses.visibility[:, which]
    return Poses(skeleton, points, scores, seen, poses.boxes, poses.score)
