"""Label Studio, read: its full JSON export, with keypoints (and rectangles, for the boxes).

Positions are per cent of the picture's width and height from its edge, so they only scale: no half pixel.
Points belong to the rectangle that is their parent, or else to the only one that holds them; without
rectangles the points of a picture are one instance. The format knows no hidden landmarks: all are seen.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError, UserError
from ..types import SEEN, Skeleton
from .faults import Faults, faultless
from .pictures import beside, poses_of, size_of
from .records import Dataset, Record, read_json


def read(path: str | Path, category: str | None = None) -> Dataset:
    """An export file, or the folder of the one; pictures beside it or in its folder images.

    Args:
        category: what to call the object; its rectangles' label, or the folder's name, when None.

    Raises:
        UserError: no such file. DataError: the task and what is wrong with it.
    """
    return faultless(examine, path, category)


def examine(path: str | Path, category: str | None, faults: Faults) -> Dataset:
    """The same of what can be read; regions and tasks with a fault are left out."""
    file = _file(Path(path))
    found = []
    for i, task in enumerate(_tasks(file)):
        where = f"task {task.get('id', i)}" if isinstance(task, dict) else f"entry {i}"
        noted = partial(faults.noted, file, where, "Label Studio")
        with noted():
            picture = beside(file, _picture(task["data"]))
            size = size_of(picture)
            found.append((picture, size, *_instances(_results(task), size, noted)))
    names = dict.fromkeys(name for _, _, instances, _, _ in found for one in instances for name in one)
    if not names:
        raise DataError(f"{file}: no task has keypoints")
    labels = dict.fromkeys(label for *_, labels in found for label in labels)
    name = category or (next(iter(labels)) if len(labels) == 1 else file.parent.resolve().name)
    skeleton = Skeleton(name, tuple(names))
    records = [
        Record(picture, size, poses_of(skeleton, instances, size, boxes), number)
        for number, (picture, size, instances, boxes, _) in enumerate(found, 1)
    ]
    return Dataset(file.parent, skeleton, tuple(records))


def is_mine(raw: Any) -> bool:
    """Whether JSON looks like an export: a list of tasks with data and annotations."""
    return isinstance(raw, list) and bool(raw) and all(isinstance(t, dict) and "data" in t for t in raw[:3])


def _file(path: Path) -> Path:
    if path.is_file():
        return path
    for file in sorted(path.glob("*.json")) if path.is_dir() else ():
        try:
            if is_mine(read_json(file)):
                return file
        except DataError:
            continue
    raise UserError(f"{path}: no Label Studio export (JSON, a list of tasks)")


def _tasks(file: Path) -> list:
    raw = read_json(file)
    if not isinstance(raw, list):
        raise DataError(
            f"{file}: wanted a list of tasks, got a {type(raw).__name__}; export as JSON, not as JSON-MIN"
        )
    return raw


def _picture(data: dict[str, Any]) -> str:
    """The one value of `data` that names a picture: under image, or the only text there is."""
    texts = {k: v for k, v in data.items() if isinstance(v, str)}
    for key in ("image", "img", "picture", "photo"):
        if key in texts:
            return texts[key]
    if len(texts) == 1:
        return next(iter(texts.values()))
    raise DataError(f"data: cannot tell which field is the picture: {', '.join(data) or 'none'}")


def _results(task: dict[str, Any]) -> list[dict[str, Any]]:
    """The regions of the task's first annotation that was not cancelled."""
    for annotation in task.get("annotations") or []:
        if not annotation.get("was_cancelled"):
            return annotation.get("result") or []
    return []


def _instances(
    results: list[dict[str, Any]], size: tuple[int, int], noted: Callable[[], AbstractContextManager]
) -> tuple[list, list, list[str]]:
    """Instances {landmark: (x, y, v)}, their boxes or None, and what the rectangles are labelled."""
    scale = np.array([size[1], size[0]]) / 100
    boxes: dict[str | None, list[float]] = {}
    labels: list[str] = []
    points = []
    for region in results:
        with noted():
            if region.get("type") == "keypointlabels":
                points.append(region)
            if region.get("type") == "rectanglelabels":
                x, y, w, h = _numbers(region, ("x", "y", "width", "height"))
                boxes[region.get("id")] = [*((x, y) * scale).tolist(), *((x + w, y + h) * scale).tolist()]
                labels += map(str, region["value"].get("rectanglelabels") or [])
    groups: dict[str | None, dict[str, tuple[float, float, int]]] = {box: {} for box in boxes}
    for region in points:
        with noted():
            name = str((region["value"].get("keypointlabels") or ["point"])[0])
            x, y = (np.array(_numbers(region, ("x", "y"))) * scale).tolist()
            group = _holder(region, x, y, boxes, name)
            if name in groups.setdefault(group, {}):
                said = f"two points are called {name!r} in one instance"
                raise DataError(f"{said}; draw a rectangle around each")
            groups[group][name] = (x, y, SEEN)
    kept = [(group, instance) for group, instance in groups.items() if instance]
    return [instance for _, instance in kept], [boxes.get(group) for group, _ in kept], labels


def _holder(region: dict, x: float, y: float, boxes: dict, name: str) -> str | None:
    """The rectangle a point belongs to; None where there are no rectangles."""
    if region.get("parentID") in boxes:
        return region["parentID"]
    inside = [key for key, (x1, y1, x2, y2) in boxes.items() if x1 <= x <= x2 and y1 <= y <= y2]
    if len(inside) > 1 or (len(boxes) > 1 and not inside):
        raise DataError(f"the point {name!r} lies in {len(inside)} rectangles, so its instance is unknown")
    return inside[0] if inside else next(iter(boxes), None)


def _numbers(region: dict[str, Any], names: tuple[str, ...]) -> list[float]:
    value = region.get("value") or {}
    numbers: list[Any] = [value.get(name) for name in names]
    if not all(isinstance(n, (int, float)) and np.isfinite(n) for n in numbers):
        raise DataError(f"region {region.get('id')}: wanted finite {', '.join(names)}, got {numbers}")
    return [float(n) for n in numbers]
