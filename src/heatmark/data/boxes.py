"""Boxes of a COCO file, annotations or results, for the pictures of a dataset: where a model shall look."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError, UserError
from ..imaging import msra
from ..skeletons import MPII16
from ..types import Boxes
from .faults import shaped
from .pictures import apart, by_last, namesake, numbers
from .records import Record, read_json

PERSON = 1  # COCO's category, the one that is taken where results have several


def read(path: Path, records: Sequence[Record]) -> tuple[dict[int, Boxes], list[str]]:
    """Boxes for each record's id, in the file's order, with their scores (1 where there are none); and
    remarks.

    The file is a list of COCO results ({"image_id", "bbox", "score"}), or COCO annotations, matched by file
    name and, where several have the same, by the folders before it. Of results with several categories only
    COCO's persons are taken. Boxes for pictures that are no records are passed over, and said.

    Raises:
        UserError: there is no such file.
        DataError: no box is for any of the records, or the first entry that is wrong: no area, outside its
            picture, a score that is not finite.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file of boxes; boxes are 'truth', 'whole', 'detector' or a file")
    raw = read_json(path)
    with shaped(str(path), "COCO"):
        return _by_id(raw, path, records)


def as_published(boxes: np.ndarray, record: Record) -> np.ndarray:
    """Labelled boxes (N, 4) x1 y1 x2 y2 of a record as networks of `imaging.msra` are shown them.

    COCO's are clipped to the picture; one without an area is left. MPII's, made of a centre and a scale, are
    left as they are.
    """
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    if record.poses.skeleton.landmarks == MPII16.landmarks:
        return boxes
    inner = msra.clipped(np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], -1), record.size)
    clipped = np.concatenate([inner[:, :2], inner[:, :2] + inner[:, 2:]], -1)
    return np.where((inner[:, 2:] > 0).all(-1, keepdims=True), clipped, boxes)


def _by_id(raw: Any, path: Path, records: Sequence[Record]) -> tuple[dict[int, Boxes], list[str]]:
    ids: dict[Any, int] = {r.id: r.id for r in records}
    rows, sizes = raw, {r.id: r.size for r in records}
    if isinstance(raw, dict):
        paths = {str(r.path.absolute()): r.id for r in records}
        known = by_last(paths)
        ids = {i["id"]: paths.get(namesake(str(i["file_name"]), known) or "", -1) for i in raw["images"]}
        rows = [row for row in raw["annotations"] if not row.get("iscrowd")]
    if not isinstance(rows, list):
        raise DataError(f"{path}: wanted a list of results or COCO annotations, got a {type(rows).__name__}")
    kinds = {r.get("category_id") for r in rows if isinstance(r, dict)}
    several = len(kinds) > 1
    if several and isinstance(raw, list) and PERSON not in kinds:
        some = ", ".join(sorted(map(str, kinds)))
        raise DataError(f"{path}: no box is a person's (category_id {PERSON}); there are: {some}")
    found: dict[int, list[list[float]]] = {}
    strangers: dict[Any, int] = {}
    for i, row in enumerate(rows):
        box = box_of(row, f"{path}: entry {i}")
        if several and isinstance(raw, list) and row.get("category_id") != PERSON:
            continue
        key = ids.get(row.get("image_id"), -1)
        if key == -1:
            strangers[row.get("image_id")] = strangers.get(row.get("image_id"), 0) + 1
            continue
        h, w = sizes[key]
        if apart(box[:4], (h, w)):
            where = f"{path}: entry {i}: bbox: {row['bbox']} lies outside its {w} x {h} picture"
            raise DataError(f"{where} (image {row.get('image_id')})")
        found.setdefault(key, []).append(box)
    notes = []
    if strangers:
        some = ", ".join(str(s) for s in list(strangers)[:3]) + (", ..." if len(strangers) > 3 else "")
        said = f"{sum(strangers.values())} boxes are for pictures that the dataset does not have: {some}"
        if not found:
            raise DataError(f"{path}: all {said}")
        notes.append(said)
    arrays = {key: np.array(some) for key, some in found.items()}
    return {key: Boxes(some[:, :4], some[:, 4]) for key, some in arrays.items()}, notes


def box_of(row: Any, where: str) -> list[float]:
    """x1, y1, x2, y2 and the score. Raises DataError."""
    said = row.get("bbox") if isinstance(row, dict) else None
    box = numbers(said, 4)
    x1, y1, x2, y2 = x1_y1_x2_y2 = [*box[:2], *(box[:2] + box[2:])]
    if not (np.isfinite(box).all() and x1 < x2 and y1 < y2):
        raise DataError(f"{where}: bbox: wanted finite x, y, w, h with an area, got {said}")
    score = row.get("score", 1.0)
    if not np.isfinite(numbers([score], 1)).all():
        raise DataError(f"{where}: score: wanted a finite number, got {score!r}")
    return [*x1_y1_x2_y2, float(score)]
