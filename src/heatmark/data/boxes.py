"""Boxes of a COCO file, annotations or results, for the pictures of a dataset: where a model shall look."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError, UserError
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
    ids: dict[Any, int] = {r.id: r.id for r in records}
    rows = raw
    if isinstance(raw, dict):
        by_name = {r.name: r.id for r in records}
        images = raw.get("images") or []
        ids = {i.get("id"): by_name.get(Path(str(i.get("file_name"))).name, -1) for i in images}
        rows = raw.get("annotations")
    if not isinstance(rows, list):
        raise DataError(f"{path}: wanted a list of results or COCO annotations, got a {type(raw).__name__}")
    boxes: dict[int, list[list[float]]] = {}
    for i, row in enumerate(rows):
        box = row.get("bbox") if isinstance(row, dict) else None
        try:
            x, y, w, h = (float(v) for v in box or ())
        except (TypeError, ValueError) as error:
            raise DataError(f"{path}: entry {i}: bbox: wanted x, y, w, h, got {box!r}") from error
        if not (np.isfinite([x, y, w, h]).all() and w > 0 and h > 0):
            raise DataError(f"{path}: entry {i}: bbox: must be finite and have an area, got {box!r}")
        boxes.setdefault(ids.get(row.get("image_id"), -1), []).append([x, y, x + w, y + h])
    return {key: np.array(some) for key, some in boxes.items()}
