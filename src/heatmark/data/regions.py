"""COCO's outlines as planes: which pixels of a picture count, and which are crowds or persons without labels.

An outline is a list of polygons, or a run-length code: counts of pixels down the columns, 0s first, as a list
or packed into text.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from ..errors import DataError
from ..types import ABSENT
from .pictures import FAR
from .records import Record


def counted(record: Record) -> np.ndarray:
    """(H, W) uint8: 0 in crowds and on instances without a labelled landmark, 1 everywhere else."""
    plane = np.ones(record.size, np.uint8)
    labelled = (np.isfinite(record.poses.points).all(-1) & (record.poses.visibility != ABSENT)).any(-1)
    unlabelled = [
        {"bbox": _xywh(box)} | dict(record.instances[n] if record.instances else {})
        for n, box in enumerate(record.poses.boxes)
        if not labelled[n] and np.isfinite(box).all()
    ]
    for region in (*record.crowd, *unlabelled):
        plane[filled(region, record.size, record.name) > 0] = 0
    return plane


def filled(region: Mapping[str, Any], size: tuple[int, int], name: str = "the picture") -> np.ndarray:
    """(H, W) uint8, 1 inside a region's outline, or inside its box where it has none. Raises DataError."""
    outline, plane = region.get("segmentation"), np.zeros(size, np.uint8)
    try:
        if isinstance(outline, Mapping):
            if (plane := unpacked(outline)).shape != tuple(size):
                raise ValueError(f"the code is of {plane.shape} pixels, the picture of {tuple(size)}")
            return plane
        if outline:
            rings = [np.array(ring, np.float64).reshape(-1, 2) for ring in outline]
            if not all(len(ring) and (np.abs(ring) < FAR).all() for ring in rings):  # nor is any NaN
                raise ValueError("a polygon without corners, or not of numbers of pixels")
            cv2.fillPoly(plane, [np.round(ring - 0.5).astype(np.int32) for ring in rings], 1)  # type: ignore
        elif region.get("bbox"):
            x, y, w, h = region["bbox"]
            ends = np.clip(np.round([x, y, x + w, y + h]), 0, [size[1], size[0]] * 2).astype(int)
            plane[ends[1] : ends[3], ends[0] : ends[2]] = 1
        return plane
    except (TypeError, ValueError, KeyError, OverflowError) as error:
        raise DataError(f"{name}: segmentation or bbox of a region: {error}") from error


def unpacked(code: Mapping[str, Any]) -> np.ndarray:
    """A run-length code (`size` [H, W], `counts`) as a plane (H, W) uint8.

    >>> unpacked({"size": [2, 3], "counts": [1, 2, 3]}).tolist()
    [[0, 1, 0], [1, 0, 0]]
    """
    h, w = code["size"]
    counts = code["counts"]
    runs = counts if isinstance(counts, Sequence) and not isinstance(counts, str) else _numbers(counts)
    if sum(runs) != h * w:
        raise ValueError(f"the code is of {sum(runs)} pixels, its size is {h} x {w}")
    flat = np.repeat(np.arange(len(runs)) % 2, runs).astype(np.uint8)
    return np.ascontiguousarray(flat.reshape(w, h).T)


def _numbers(text: str | bytes) -> list[int]:
    """Packed counts: 5 bits a character, the 6th says that more follow; from the third on differences."""
    runs: list[int] = []
    value = shift = 0
    for code in text.encode() if isinstance(text, str) else text:
        bits = code - 48
        value |= (bits & 0x1F) << shift
        shift += 5
        if not bits & 0x20:
            if bits & 0x10:
                value -= 1 << shift
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value = shift = 0
    return runs


def _xywh(box: np.ndarray) -> list[float]:
    return [float(box[0]), float(box[1]), float(box[2] - box[0]), float(box[3] - box[1])]
