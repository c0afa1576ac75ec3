"""Boxes of a COCO file, annotations or results, for the pictures of a dataset: where a model shall look."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError, UserError
from .pictures import shaped
from .records import Record


def read(path: Path, records: Sequence[Record]) -> dict[int, np.ndarray]:
    """Boxes (N, 4) x1 y1 x2 y2 for each record's id, in the file's order.

    The file is a list of COCO results ({"image_id", "bbox"}), or COCO annotations, matched by file name.
    Raises UserError for a missing file, DataError for anything else that is wrong with it.
    """
    try:
        raw = json.loads(path.read_bytes())
    except OSError as error:
        raise UserError(f"boxes must be 'truth', 'whole' or a file: {path}: {error.strerror}") from error
    except ValueError as error:
        raise DataError(f"{path}: is no JSON ({error})") from error
    with shaped(str(path), "COCO"):
        return _by_id(raw, path, records)


def _by_id(raw: Any, path: Path, records: Sequence[Record]) -> dict[int, np.ndarray]:
    ids: dict[Any, int] = {r.id: r.id for r in records}
    rows = raw
    if isinstance(raw, dict):
        by_name = {r.name: r.id for r in records}
        ids = {i["id"]: by_name.get(Path(str(i["file_name"])).name, -1) for i in raw["images"]}
        rows = raw["annotations"]
    if not isinstance(rows, list):
        raise DataError(f"{path}: wanted a list of results or COCO annotations, got a {type(raw).__name__}")
    boxes: dict[int, list[list[float]]] = {}
    for i, row in enumerate(rows):
        box = np.array(row.get("bbox") if isinstance(row, dict) else None, np.float64)
        if box.shape != (4,) or not np.isfinite(box).all() or (box[2:] <= 0).any():
            raise DataError(
                f"{path}: entry {i}: bbox: wanted finite x, y, w, h with an area, got {box.tolist()}"
            )
        x, y, w, h = box.tolist()
        boxes.setdefault(ids.get(row.get("image_id"), -1), []).append([x, y, x + w, y + h])
    return {key: np.array(some) for key, some in boxes.items()}
