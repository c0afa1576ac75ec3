"""People, each in a box: their answers rescored and thinned out, and scored by OKS and PCKh.

As HRNet's authors test (Sun et al. 2019, and their code): a person's score is the box's times the mean of the
landmarks' above 0.2, and of answers more alike than an OKS of 0.9 only the best stays.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from ..card import Card
from ..data import Record
from ..errors import UserError, unknown
from ..imaging import msra
from ..metrics.oks import AveragePrecision, average_precision, oks_nms, rescored
from ..metrics.pckh import BIAS, PCKh, pckh
from ..types import ABSENT, Poses

NMS = ("hard", "soft", "none")
Suppression = Literal["hard", "soft", "none"]
ALIKE = 0.9  # OKS from which two answers are taken for the same person
HEAD = ("upper_neck", "head_top")  # MPII's, which a head is measured by where it has no box


def settled(poses: Poses, box_scores: np.ndarray, card: Card, nms: Suppression = "hard") -> Poses:
    """Answers to one picture's boxes as they are scored and written: rescored, thinned out, the best first.

    Args:
        poses: one instance a box.
        box_scores: (N,) of the boxes in [0, 1]; 1 for labelled ones.
    """
    if nms not in NMS:
        raise unknown("way of suppression", nms, NMS)
    scores = rescored(poses.scores, box_scores)
    which = np.argsort(-scores, kind="stable")
    if nms != "none" and len(poses):
        corners = np.concatenate([poses.boxes[:, :2], poses.boxes[:, 2:] - poses.boxes[:, :2]], -1)
        scales = [msra.centre_and_scale(box, card.size, card.enlarge)[1] for box in corners]
        areas = np.prod(np.array(scales) * msra.UNIT, -1)
        tolerances = poses.skeleton.tolerances
        which, kept = oks_nms(poses.points, scores, areas, tolerances, ALIKE, nms == "soft")
        scores[which] = kept
    best = poses[which]
    return Poses(best.skeleton, best.points, best.scores, best.visibility, best.boxes, scores[which])


def oks_of(
    answers: Sequence[Poses], truth: Sequence[Poses], records: Sequence[Record], legacy: bool = False
) -> AveragePrecision:
    """COCO's AP and AR, and each landmark's AP (`legacy`: as the occlusion study's code scores it). Areas are
    the annotations' own where they say any.

    Raises UserError where no landmark is labelled at all.
    """
    labelled = [np.isfinite(t.points).all(-1) & (t.visibility != ABSENT) for t in truth]
    if not any(one.any() for one in labelled):
        raise UserError("all landmarks of all instances are unlabelled, so there is nothing to score")
    areas = [_areas(record, poses) for record, poses in zip(records, truth)]
    return average_precision(answers, truth, areas, [r.crowd for r in records], True, legacy)


def _areas(record: Record, truth: Poses) -> np.ndarray:
    """(N,) square pixels: of the outline as a COCO file says it, else of the box."""
    sides = np.nan_to_num(truth.boxes[:, 2:] - truth.boxes[:, :2])
    said = [one.get("area") for one in record.instances] or [None] * len(truth)
    boxes = sides.prod(-1).tolist()
    return np.array([b if a is None else float(a) for a, b in zip(said, boxes)])


def pckh_of(
    found: Sequence[Poses], truth: Sequence[Poses], records: Sequence[Record]
) -> tuple[PCKh | None, list[str]]:
    """PCKh of answers that line up with the truth, for skeletons with a head as MPII's; and remarks.

    A head is as large as its `head_box` says (x1 y1 x2 y2, MPII's), else as far as it is from neck to top.
    """
    if not truth or any(name not in truth[0].skeleton.landmarks for name in HEAD):
        return None, []
    heads = [_heads(record, poses) for record, poses in zip(records, truth)]
    whole = [np.asarray(np.isfinite(boxes).all(-1)) for boxes in heads]
    labelled = [(np.isfinite(t.points).all(-1) & (t.visibility != ABSENT)).any(-1) for t in truth]
    without = sum(int((there & ~w).sum()) for there, w in zip(labelled, whole))
    boxless = sum(
        "head_box" not in one and bool(sized)
        for record, w in zip(records, whole)
        for one, sized in zip(_instances(record, len(w)), w)
    )
    notes = [f"{n} people are not in PCKh: their heads have no size" for n in [without] if n]
    if boxless:
        notes.append(f"PCKh measures {boxless} heads from upper neck to top, because they have no box")
    kept = [(f[w], t[w], h[w]) for f, t, h, w in zip(found, truth, heads, whole)]
    return pckh(*map(list, zip(*kept))), notes  # type: ignore[arg-type]


def _heads(record: Record, truth: Poses) -> np.ndarray:
    """(N, 4) boxes of heads; NaN where there is no telling."""
    neck, top = (truth.points[:, truth.skeleton.index(name)] for name in HEAD)
    side = np.linalg.norm(top - neck, axis=-1) / BIAS / np.sqrt(2)  # of a square with that diagonal
    square = np.stack([np.zeros_like(side), np.zeros_like(side), side, side], -1)
    boxes = np.where((side > 0)[:, None], square, np.nan)
    for n, one in enumerate(_instances(record, len(truth))):
        if "head_box" in one:
            x1, y1, x2, y2 = (float(v) for v in one["head_box"])
            boxes[n] = (x1, y1, x2, y2) if x2 > x1 and y2 > y1 else np.nan
    return boxes


def _instances(record: Record, count: int) -> Sequence[Mapping[str, Any]]:
    return record.instances or ({},) * count


def results(answers: Sequence[Poses], records: Sequence[Record]) -> list[dict[str, Any]]:
    """COCO keypoint results, pixels counted from 0; a landmark that was not found is 0, 0 with score 0. The
    category is the labels' own, 1 where they say none."""
    written = []
    said = (one["category_id"] for record in records for one in record.instances if "category_id" in one)
    category = next(said, 1)
    for record, poses in zip(records, answers):
        there = np.isfinite(poses.points).all(-1, keepdims=True)
        rows = np.where(there, np.concatenate([poses.points - 0.5, poses.scores[..., None]], -1), 0.0)
        for flat, score in zip(
            rows.reshape(len(poses), 3 * len(poses.skeleton)).round(3).tolist(), poses.score.tolist()
        ):
            row = {"image_id": record.id, "category_id": category, "keypoints": flat, "score": score}
            written.append(row)
    return written
