"""CVAT, read: "CVAT for images 1.1" XML, with skeletons, or with points that carry a landmark's name each.

Its pixels are measured from the picture's edge (a box around everything is 0 0 W H), which is our
convention: no half pixel. `outside` is absent, `occluded` is hidden, anything else is seen. Shapes with the
same `group_id` are one instance; ungrouped points of a picture are one instance together, and a box belongs
to the points in its group, one box to an instance.
"""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np

from ..errors import DataError, UserError, unknown
from ..types import ABSENT, HIDDEN, SEEN, Skeleton
from .faults import Faults, faultless
from .pictures import beside, poses_of, size_of
from .records import Dataset, Record, read_bytes

Instance = dict[str, tuple[float, float, int]]


def read(path: str | Path, category: str | None = None) -> Dataset:
    """An annotations.xml, or the folder it lies in; pictures beside it or in its folder images.

    Args:
        category: the skeleton's label, where the file has several; what to call loose points.

    Raises:
        UserError: no such file or label, or several and none chosen. DataError: the picture and the shape.
    """
    return faultless(examine, path, category)


def examine(path: str | Path, category: str | None, faults: Faults) -> Dataset:
    """The same of what can be read; points, boxes and pictures with a fault are left out."""
    file = Path(path) / "annotations.xml" if Path(path).is_dir() else Path(path)
    if not file.is_file():
        raise UserError(f"{path}: no CVAT file (annotations.xml)")
    try:
        root = ElementTree.fromstring(read_bytes(file))
    except ElementTree.ParseError as error:
        raise DataError(f"{file}: not valid XML ({error})") from error
    if root.tag != "annotations" or root.find("track") is not None:
        hint = (
            "this one is 'CVAT for video'; export it as 'CVAT for images'"
            if root.tag == "annotations"
            else ""
        )
        raise DataError(f"{file}: wanted 'CVAT for images 1.1', {hint or f'got <{root.tag}>'}")
    label = _label(root, category, file)
    pages = []
    for image in root.iter("image"):
        with faults.noted(file, image.get("name", ""), "CVAT"):
            pages.append((image, *_instances(image, label, file, faults)))
    names = _sublabels(root, label) if label else []
    names = list(dict.fromkeys([*names, *(n for _, found, _ in pages for one in found for n in one)]))
    if not names:
        raise DataError(f"{file}: no skeleton and no point is in it")
    skeleton = Skeleton(
        label or category or file.parent.resolve().name, tuple(names), _bones(root, label, names)
    )
    records = []
    for number, (image, found, boxes) in enumerate(pages, 1):
        with faults.noted(file):
            picture = beside(file, image.get("name", ""), ("", "images", "images/default"))
            size, said = size_of(picture), (image.get("height"), image.get("width"))
            if None not in said and said != (str(size[0]), str(size[1])):
                labels = f"its labels are for {said[1]} x {said[0]}"
                raise DataError(f"{picture.name} is {size[1]} x {size[0]}, {labels}")
            records.append(Record(picture, size, poses_of(skeleton, found, size, boxes), number))
    return Dataset(file.parent, skeleton, tuple(records))


def _label(root: ElementTree.Element, category: str | None, file: Path) -> str | None:
    """The skeletons' label; None where the file has loose points only."""
    labels = list(dict.fromkeys(s.get("label", "") for s in root.iter("skeleton")))
    if category is not None and labels and category not in labels:
        raise unknown("skeleton", category, labels)
    if len(labels) > 1 and category is None:
        raise UserError(f"{file}: several skeletons are labelled, choose one: {', '.join(sorted(labels))}")
    return (category or labels[0]) if labels else None


def _instances(
    image: ElementTree.Element, label: str | None, file: Path, faults: Faults
) -> tuple[list[Instance], list]:
    """A picture's instances and their boxes or None."""
    where = image.get("name", "")
    boxes: dict[str | None, list[list[float]]] = {}
    for box in image.iter("box"):
        with faults.noted(file, where, "CVAT"):
            corners = [float(box.get(side, "")) for side in ("xtl", "ytl", "xbr", "ybr")]
            boxes.setdefault(box.get("group_id"), []).append(corners)
    shapes: list[tuple[str | None, list[ElementTree.Element]]] = []  # (group, points) of each instance
    if label is not None:
        mine = [s for s in image.iter("skeleton") if s.get("label") == label]
        shapes = [(s.get("group_id", ""), list(s.iter("points"))) for s in mine]
    else:
        points = image.findall("points")
        groups = dict.fromkeys(p.get("group_id") for p in points)
        shapes = [(group, [p for p in points if p.get("group_id") == group]) for group in groups]
    found = [_named(points, file, where, faults) for _, points in shapes]
    mine = [boxes.get(group, []) for group, _ in shapes]
    if any(len(some) > 1 for some in mine):
        faults.add(where, "", "several boxes are of one instance; group each with its points in CVAT", file)
    return found, [some[0] if some else None for some in mine]


def _named(points: list[ElementTree.Element], file: Path, where: str, faults: Faults) -> Instance:
    """One instance's points by name."""
    found: Instance = {}
    for each in points:
        with faults.noted(file, where):
            name, at = _point(each)
            if name in found:
                raise DataError(f"two points are called {name!r} in one instance; group them in CVAT")
            found[name] = at
    return found


def _point(points: ElementTree.Element) -> tuple[str, tuple[float, float, int]]:
    """Its label, and x, y and visibility. Raises DataError."""
    name, text = points.get("label", ""), points.get("points", "")
    try:
        x, y = (float(v) for v in text.split(","))
    except ValueError as error:
        raise DataError(f"{name}: wanted one point x,y, got {text!r}") from error
    if not np.isfinite([x, y]).all():
        raise DataError(f"{name}: the point is not finite: {text!r}")
    if points.get("outside") == "1":
        return name, (x, y, ABSENT)
    return name, (x, y, HIDDEN if points.get("occluded") == "1" else SEEN)


def _sublabels(root: ElementTree.Element, label: str) -> list[str]:
    """A skeleton's landmarks in the project's order."""
    named = [one for one in root.iter("label") if one.findtext("parent") == label]
    return [one.findtext("name", "") for one in named]


def _bones(root: ElementTree.Element, label: str | None, names: list[str]) -> tuple[tuple[str, str], ...]:
    """The lines of the skeleton's drawing, where its circles say which landmark they are."""
    svg = next(
        (o.findtext("svg") for o in root.iter("label") if o.findtext("name") == label and o.findtext("svg")),
        None,
    )
    try:
        drawing = ElementTree.fromstring(f"<svg>{svg or ''}</svg>")
    except ElementTree.ParseError:
        return ()
    nodes = {c.get("data-node-id"): c.get("data-label-name") for c in drawing.iter("circle")}
    ends = [
        (nodes.get(b.get("data-node-from")), nodes.get(b.get("data-node-to"))) for b in drawing.iter("line")
    ]
    return tuple((a, b) for a, b in ends if a in names and b in names and a is not None and b is not None)
