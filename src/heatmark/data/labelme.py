"""labelme, read: one JSON file beside each picture, with shapes of type point (and rectangle, for the boxes).

Its pixels are measured from the picture's edge, as ours are (its canvas spans 0..width): no half pixel.
Points with the same `group_id` are one instance; without one, all points of a picture are. A point whose
flags say hidden or occluded is hidden, any other is seen.
"""

from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError, UserError
from ..types import HIDDEN, SEEN, Skeleton
from .faults import Faults, faultless, pages
from .pictures import beside, poses_of, size_of
from .records import Dataset, Record

HIDING = ("hidden", "occluded")


def read(path: str | Path, category: str | None = None) -> Dataset:
    """All pictures of a folder (or one file). Landmarks stand in the order in which they are first met.

    Args:
        category: what to call the object; the folder's name when None, as the format does not say.

    Raises:
        UserError: there is no labelme file. DataError: the file, the shape, and what is wrong with it.
    """
    return faultless(examine, path, category)


def examine(path: str | Path, category: str | None, faults: Faults) -> Dataset:
    """The same of what can be read; shapes and files with a fault are left out."""
    path = Path(path)
    labelled = pages(path, is_mine, faults)
    if not labelled and not faults:
        raise UserError(f"{path}: no labelme JSON file (one with shapes and imagePath)")
    found = {file: _instances(page, file, faults) for file, page in labelled.items()}
    names = dict.fromkeys(name for instances, _ in found.values() for one in instances for name in one)
    if not names:
        raise DataError(f"{path}: no shape of the type point")
    folder = path if path.is_dir() else path.parent
    skeleton = Skeleton(category or folder.resolve().name, tuple(names))
    records = []
    for number, (file, (instances, boxes)) in enumerate(found.items(), 1):
        with faults.noted(file):
            picture = beside(file, str(labelled[file]["imagePath"]), ("", "images", "../images"))
            size = size_of(picture)
            records.append(Record(picture, size, poses_of(skeleton, instances, size, boxes), number))
    return Dataset(folder, skeleton, tuple(records))


def is_mine(raw: Any) -> bool:
    """Whether parsed JSON is labelme's."""
    return isinstance(raw, dict) and isinstance(raw.get("shapes"), list) and "imagePath" in raw


def _instances(page: dict[str, Any], file: Path, faults: Faults) -> tuple[list[dict], list]:
    """Instances {landmark: (x, y, v)} and their boxes or None, by group."""
    points: dict[Any, dict[str, tuple[float, float, int]]] = {}
    boxes: dict[Any, list[list[float]]] = {}
    for i, shape in enumerate(page["shapes"]):
        with faults.noted(file, f"shape {i}", "labelme"):
            if not isinstance(shape, dict):
                raise DataError(f"wanted an object, got {shape!r:.60}")
            kind, group, label = shape.get("shape_type"), shape.get("group_id"), str(shape.get("label"))
            if kind not in ("point", "rectangle"):
                continue  # polygons, lines and the rest are no landmarks
            xy = np.array(shape.get("points"), np.float64)
            if xy.shape != ((1, 2) if kind == "point" else (2, 2)) or not np.isfinite(xy).all():
                raise DataError(f"({label}): points: wanted finite x y, got {shape.get('points')!r}")
            if kind == "rectangle":
                boxes.setdefault(group, []).append([*xy.min(0).tolist(), *xy.max(0).tolist()])
                continue
            if label in points.setdefault(group, {}):
                raise DataError(f"two points are called {label!r} in one instance; tell them by group_id")
            hidden = any((shape.get("flags") or {}).get(word) for word in HIDING)
            points[group][label] = (float(xy[0, 0]), float(xy[0, 1]), HIDDEN if hidden else SEEN)
    mine = [boxes.get(group, []) for group in points]
    if any(len(some) > 1 for some in mine):
        faults.add("", "", "several rectangles are of one instance; tell them by group_id", file)
    return list(points.values()), [some[0] if some else None for some in mine]
