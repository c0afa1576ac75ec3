"""Things labelled by boxes alone, read: COCO's and YOLO's boxes; and what every reader of boxes shares.

A labelled box is an instance of skeletons.PRODUCT: Poses with its box and, where the label is oriented, its
four corners as landmarks; where it is upright they are absent. All of a file's classes are one, unless one is
chosen: the question is where a thing is.

A faulty box or picture ends no training of thousands: it is left out, and named, a line each, in
`Dataset.info["left_out"]`. A file that is not in its format at all is a DataError.

The boxes of all these formats are measured from the picture's edge, as ours are.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError, UserError, unknown
from ..geometry import boxes_around
from ..skeletons import PRODUCT
from ..types import Poses, Skeleton
from .coco import annotation_file, images_beside
from .faults import shaped
from .pictures import numbers, size_of
from .records import Dataset, Record, read_json, read_text, read_yaml
from .yolo import SPLITS, classes_of, label_of, pictures_of

LEFT_OUT = "left_out"  # of Dataset.info: what is wrong, a line each
CORNERS = 8  # numbers of an oriented label
END = b"\xff\xd9"  # of a JPEG
TAIL = 65536  # bytes at the end in which it is looked for: cameras add some after it


def skeleton_called(name: str) -> Skeleton:
    """PRODUCT under another name."""
    return replace(PRODUCT, name=name)


def record(
    path: Path,
    boxes: np.ndarray,
    where: Callable[[int], str],
    skeleton: Skeleton = PRODUCT,
    number: int = 0,
    said: tuple[int, int] | None = None,
    quads: np.ndarray | None = None,
    crowd: Sequence[Mapping[str, Any]] = (),
) -> tuple[Record | None, list[str]]:
    """One picture and its boxes; and what was left out, a line each. No record if the picture is faulty.

    Args:
        boxes: (N, 4) x1 y1 x2 y2 pixels. `where(n)` says where label n stands.
        said: (H, W) that the labels are for, where the file says so.
        quads: (N, 4, 2) corners where labels are oriented, NaN where not; they decide the box. Of four that
            are no quadrilateral, crossed or dented, the box alone is taken.
        crowd: regions that are neither right nor wrong, as in the file.
    """
    try:
        size = size_of(path)
    except DataError as error:
        return None, [str(error)]
    if truncated(path):
        return None, [f"{path}: the picture is truncated: the file ends before the JPEG does"]
    if said is not None and said != size:
        h, w = size
        return None, [f"{path}: the picture is {w} x {h}, its labels are for {said[1]} x {said[0]}"]
    quads = np.full((len(boxes), 4, 2), np.nan) if quads is None else quads
    oriented = np.isfinite(quads).reshape(-1, CORNERS).all(1, keepdims=True)  # (N, 1)
    boxes = np.where(oriented, boxes_around(quads), boxes)
    nothing = np.full((4, 2), np.nan)
    quads = np.array([turned(q) if _convex(q) else nothing for q in quads]).reshape(-1, 4, 2)
    faults = [fault(box, size) for box in boxes]
    lines = [f"{where(n)}: {f}" for n, f in enumerate(faults) if f]
    good = np.array([f is None for f in faults], bool)
    poses = Poses(skeleton, quads[good], boxes=boxes[good], score=np.ones(int(good.sum())))
    return Record(path, size, poses, number, crowd=tuple(crowd)), lines


def fault(box: np.ndarray, size: tuple[int, int]) -> str | None:
    """What is wrong with a box x1 y1 x2 y2 in a picture (H, W), or None. One that leaves it partly is right.

    >>> fault(np.array([5.0, 2, 5, 9]), (10, 10))
    'box: wanted x1 < x2 and y1 < y2, got 5, 2, 5, 9'
    """
    x1, y1, x2, y2 = box
    said = ", ".join(f"{v:g}" for v in box)
    if not np.isfinite(box).all():
        return f"box: wanted four finite numbers, got {said}"
    if not (x1 < x2 and y1 < y2):
        return f"box: wanted x1 < x2 and y1 < y2, got {said}"
    if x1 >= size[1] or y1 >= size[0] or x2 <= 0 or y2 <= 0:
        return f"box: {said} lies outside the {size[1]} x {size[0]} picture"
    return None


def truncated(path: Path) -> bool:
    """Whether a JPEG has lost its end. (OpenCV would fill up the rest in grey without a word.)"""
    if path.suffix.lower() not in (".jpg", ".jpeg"):
        return False
    with open(path, "rb") as file:
        file.seek(0, 2)
        file.seek(max(file.tell() - TAIL, 0))
        return END not in file.read()


def _convex(quad: np.ndarray) -> bool:
    """Whether four corners (4, 2) turn one way all round."""
    edge = np.roll(quad, -1, 0) - quad
    after = np.roll(edge, -1, 0)
    turns = edge[:, 0] * after[:, 1] - edge[:, 1] * after[:, 0]
    return bool((turns > 0).all() or (turns < 0).all())


def turned(quad: np.ndarray) -> np.ndarray:
    """Corners (4, 2) in PRODUCT's order, as far as labels tell: clockwise, from the one nearest to the
    picture's first.

    >>> turned(np.array([[4.0, 4], [4, 0], [0, 0], [0, 4]])).tolist()
    [[0.0, 0.0], [4.0, 0.0], [4.0, 4.0], [0.0, 4.0]]
    """
    x, y = quad.T
    area = (x * np.roll(y, -1) - y * np.roll(x, -1)).sum()
    quad = quad if area > 0 else quad[::-1]
    return np.roll(quad, -int(quad.sum(1).argmin()), 0)


def gathered(
    folder: Path, skeleton: Skeleton, found: Sequence[tuple[Record | None, list[str]]], source: Path
) -> Dataset:
    """The dataset of what `record` gave. Raises DataError if nothing is left."""
    records = tuple(r for r, _ in found if r is not None)
    lines = tuple(line for _, some in found for line in some)
    if not records:
        raise DataError(
            f"{source}: no picture is left; the first fault: {lines[0] if lines else 'none at all'}"
        )
    return Dataset(folder, skeleton, records, {LEFT_OUT: lines} if lines else {})


def read_coco(path: str | Path, category: str | None = None) -> Dataset:
    """The boxes of a COCO file, whose categories need no keypoints. A segmentation of four corners is an
    oriented box. `iscrowd` regions are no things: they are kept aside in `Record.crowd`.

    Args:
        category: the one to take; all of them when None.

    Raises:
        UserError: no such file or category. DataError: it is not as COCO writes it.
    """
    file = annotation_file(Path(path))
    raw = read_json(file)
    with shaped(str(file), "COCO"):
        names = {c["id"]: str(c["name"]) for c in raw["categories"]}
        if category is not None and category not in names.values():
            raise unknown("category", category, names.values())
        labels: dict[Any, list[Mapping[str, Any]]] = {i["id"]: [] for i in raw["images"]}
        strangers = []
        for label in raw["annotations"]:
            if label["image_id"] not in labels:
                what = f"annotation {label.get('id')}: image_id: no image has the id {label['image_id']!r}"
                strangers.append((None, [f"{file.name}: {what}"]))
            elif category is None or names.get(label["category_id"]) == category:
                labels[label["image_id"]].append(label)
        skeleton = skeleton_called(category or (next(iter(names.values())) if len(names) == 1 else "product"))
        folder, found = images_beside(file), []
        for number, image in enumerate(raw["images"], 1):
            mine = [label for label in labels[image["id"]] if not label.get("iscrowd")]
            crowd = [label for label in labels[image["id"]] if label.get("iscrowd")]
            given = np.array([corners_of(label) for label in mine]).reshape(-1, 4)
            quads = np.array([_corners(label.get("segmentation")) for label in mine]).reshape(-1, 4, 2)
            name = f"{file.name}: annotation "
            ids = [label.get("id") for label in mine]
            found.append(
                record(
                    folder / image["file_name"],
                    given,
                    lambda n, name=name, ids=ids: f"{name}{ids[n]}",
                    skeleton,
                    image["id"] if isinstance(image["id"], int) else number,
                    (image["height"], image["width"]) if "height" in image else None,
                    quads,
                    crowd,
                )
            )
    return gathered(file.parent, skeleton, [*found, *strangers], file)


def corners_of(label: Mapping[str, Any]) -> np.ndarray:
    """(4,) x1 y1 x2 y2 of COCO's `bbox`; NaN where it is none.

    >>> corners_of({"bbox": [2, 3, 10, 20]}).tolist()
    [2.0, 3.0, 12.0, 23.0]
    """
    box = numbers(label.get("bbox"), 4)
    return np.concatenate([box[:2], box[:2] + box[2:]])


def _corners(outline: Any) -> np.ndarray:
    """(4, 2) of COCO's outline if it is one polygon of four corners, else NaN."""
    lone = outline[0] if isinstance(outline, list) and len(outline) == 1 else None
    return numbers(lone, CORNERS).reshape(4, 2)


def read_yolo(path: str | Path, category: str | None = None) -> Dataset:
    """YOLO's boxes (Ultralytics): a line is "class cx cy w h", or "class" and an oriented box's four corners,
    in fractions of the picture; a YAML file says where the pictures lie.

    Args:
        path: the YAML file, or the folder it lies in.
        category: the class to take; all of them when None.

    Raises:
        UserError: no such dataset or class. DataError: the file and line, and what is wrong.
    """
    path = Path(path)
    files = sorted([*path.glob("*.yaml"), *path.glob("*.yml")]) if path.is_dir() else [path]
    if not files or not files[0].is_file():
        raise UserError(f"{path}: no YAML file of a YOLO dataset")
    file = files[0]
    settings = read_yaml(file)
    if not isinstance(settings, dict):
        raise DataError(f"{file}: wanted train, val and names, got a {type(settings).__name__}")
    classes = classes_of(settings, file)
    if category is not None and category not in classes.values():
        raise unknown("class", category, classes.values())
    skeleton = skeleton_called(category or (next(iter(classes.values())) if len(classes) == 1 else "product"))
    pictures = list(dict.fromkeys(p for split in SPLITS for p in pictures_of(settings, file, split)))
    found = [_yolo_record(p, n, classes, category, skeleton) for n, p in enumerate(pictures, 1)]
    return gathered(file.parent, skeleton, found, file)


def _yolo_record(
    picture: Path, number: int, classes: Mapping[int, str], category: str | None, skeleton: Skeleton
) -> tuple[Record | None, list[str]]:
    label = label_of(picture)
    lines = read_text(label).splitlines() if label.is_file() else []
    try:
        h, w = size_of(picture)
    except DataError as error:
        return None, [str(error)]
    boxes, quads, places, strange = [], [], [], []
    for at, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = [float(v) for v in line.split()]
        except ValueError as error:
            raise DataError(f"{label}: line {at}: {error}") from error
        if len(row) not in (5, 1 + CORNERS):
            raise DataError(f"{label}: line {at}: wanted 5 numbers, or 9 of an oriented box, got {len(row)}")
        if row[0] not in classes:
            strange.append(f"{label}: line {at}: class {row[0]:g}, names has {', '.join(map(str, classes))}")
            continue
        if category not in (None, classes[int(row[0])]):
            continue
        if len(row) == 5:
            cx, cy, bw, bh = np.array(row[1:]) * [w, h, w, h]
            boxes.append([cx - bw / 2, cy - bh / 2, cx + bw / 2, cy + bh / 2])
            quads.append(np.full((4, 2), np.nan))
        else:
            boxes.append([np.nan] * 4)
            quads.append(np.array(row[1:]).reshape(4, 2) * [w, h])
        places.append(at)
    made, faults = record(
        picture,
        np.array(boxes).reshape(-1, 4),
        lambda n: f"{label}: line {places[n]}",
        skeleton,
        number,
        quads=np.array(quads).reshape(-1, 4, 2),
    )
    return made, strange + faults
