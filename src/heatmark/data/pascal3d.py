"""PASCAL3D+ (Xiang et al. 2014, release 1.1), read as distributed: a .mat file for each picture.

    ROOT/Annotations/{CLASS}_{pascal,imagenet}/NAME.mat
    ROOT/Images/{CLASS}_{pascal,imagenet}/NAME.jpg or .JPEG
    ROOT/Image_sets/{CLASS}_imagenet_{train,val}.txt
    ROOT/PASCAL/VOCdevkit/VOC2012/ImageSets/Main/{CLASS}_{train,val}.txt

The oddities of the format end here:

- pixels count from 1: the middle of the first one is 1, ours is 0.5, so points move by - 0.5. A box holds its
  last pixel, so [x1 y1 x2 y2] covers x1 - 1 to x2;
- an anchor has a `location` where its annotator clicked, and a `status`: 1 is visible, the others are hidden
  somehow (by the object itself, by another, by the picture's edge). A location with another status than 1 is
  a hidden landmark; without a location it is absent, whatever the status;
- an object without anchors was not aligned: it is no instance, and the picture says all_annotated: false;
- a file in CLASS_pascal holds the picture's objects of all classes, of which only CLASS's are read;
- `truncated`, `occluded` and `difficult` stay with the instance, for `clean`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError, UserError, unknown
from ..types import HIDDEN, SEEN, Skeleton
from . import matlab
from .faults import Faults, faultless
from .pictures import poses_of, size_of
from .records import Dataset, Record, read_text

SOURCES = ("pascal", "imagenet")
SPLITS = ("train", "val")
FLAGS = ("truncated", "occluded", "difficult")
VISIBLE = 1  # of an anchor's status
ENDINGS = (".jpg", ".JPEG", ".jpeg", ".JPG", ".png")
MAIN = Path("PASCAL/VOCdevkit/VOC2012/ImageSets/Main")
Anchors = dict[str, tuple[float, float, int]]  # x, y, visibility by name


def read(path: str | Path, category: str | None = None) -> Dataset:
    """All pictures of a class: of the root folder, or of one of its Annotations/CLASS_SOURCE.

    Raises:
        UserError: no such folder or class, or several classes and none said. DataError: the file, and what is
            wrong in it.
    """
    return faultless(examine, path, category)


def examine(path: str | Path, category: str | None, faults: Faults) -> Dataset:
    """The same of what can be read; anchors, objects and files with a fault are left out."""
    root, found = _folders(Path(path))
    kind = _chosen(category, {folder.name.rpartition("_")[0] for folder in found}, Path(path))
    files = [
        f for folder in found if folder.name.rpartition("_")[0] == kind for f in sorted(folder.glob("*.mat"))
    ]
    if not files:
        raise DataError(f"{path}: no .mat file of the class {kind}")
    return _dataset(root, kind, files, faults)


def read_split(path: str | Path, category: str, split: str, sources: Iterable[str] = SOURCES) -> Dataset:
    """The pictures of a class that the lists of the release put into "train" or "val".

    Args:
        path: the root folder.
        sources: whose pictures: "pascal", "imagenet" or both.

    Raises:
        UserError: no such class, split or source, or a list is not there. DataError: as `read`.
    """
    return faultless(partial(_examine_split, split=split, sources=sources), path, category)


def _examine_split(
    path: str | Path, category: str | None, faults: Faults, split: str, sources: Iterable[str]
) -> Dataset:
    root, found = _folders(Path(path))
    category = _chosen(category, {folder.name.rpartition("_")[0] for folder in found}, root)
    if split not in SPLITS:
        raise unknown("split", split, SPLITS)
    files: list[Path] = []
    for source in sources:
        if source not in SOURCES:
            raise unknown("source", source, SOURCES)
        folder = root / "Annotations" / f"{category}_{source}"
        files += [
            f for name in _listed(root, category, source, split) if (f := folder / f"{name}.mat").is_file()
        ]
    if not files:
        raise DataError(f"{root}: no .mat file of {category} is in the {split} lists of {', '.join(sources)}")
    return _dataset(root, category, files, faults)


def clean(dataset: Dataset) -> Dataset:
    """Only the instances that are neither truncated, nor occluded, nor difficult, and pictures that have any.

    On these PCK is measured; so does StarMap's evaluation, whose numbers the IHM paper's table 2 quotes.
    """
    records = []
    for record in dataset:
        good = np.array([not any(one.get(flag) for flag in FLAGS) for one in record.instances], bool)
        if good.any():
            kept = tuple(one for one, keep in zip(record.instances, good) if keep)
            records.append(replace(record, poses=record.poses[good], instances=kept))
    return replace(dataset, records=tuple(records))


def is_mine(folder: Path) -> bool:
    """Whether a folder is the root of the release, or one of its Annotations/CLASS_SOURCE."""
    try:
        return bool(_folders(folder)[1])
    except UserError:
        return False


def _folders(path: Path) -> tuple[Path, list[Path]]:
    """(root, folders of annotations) for either."""
    inside = [path] if path.name.endswith(tuple(f"_{s}" for s in SOURCES)) else []
    root = path.parent.parent if inside else path
    inside = inside or [f for s in SOURCES for f in sorted((path / "Annotations").glob(f"*_{s}"))]
    inside = [folder for folder in inside if next(folder.glob("*.mat"), None) is not None]
    if not inside:
        wanted = "Annotations/CLASS_pascal or Annotations/CLASS_imagenet with .mat files"
        raise UserError(f"{path}: not PASCAL3D+: wanted {wanted}")
    return root, inside


def _chosen(category: str | None, kinds: set[str], path: Path) -> str:
    if category is None and len(kinds) == 1:
        return next(iter(kinds))
    if category is None:
        raise UserError(f"{path}: holds several classes, say which category: {', '.join(sorted(kinds))}")
    if category not in kinds:
        raise unknown("class of PASCAL3D+", category, kinds)
    return category


def _listed(root: Path, kind: str, source: str, split: str) -> Iterator[str]:
    """Names of the pictures; in PASCAL's lists those that hold the class: 1, or 0 where it is difficult."""
    folder, name = (root / "Image_sets", f"{kind}_imagenet") if source == "imagenet" else (root / MAIN, kind)
    file = folder / f"{name}_{split}.txt"
    if not file.is_file():
        raise UserError(f"{file}: the list of pictures is missing")
    for number, line in enumerate(read_text(file).splitlines(), 1):
        words = line.split()
        if len(words) > 1 and words[1] not in ("-1", "0", "1"):
            raise DataError(f"{file}: line {number}: wanted a name and -1, 0 or 1, got {line!r:.80}")
        if words and words[1:2] != ["-1"]:
            yield words[0]


def _dataset(root: Path, kind: str, files: list[Path], faults: Faults) -> Dataset:
    found = {file: _objects(file, kind, faults) for file in files}
    names = dict.fromkeys(
        name for objects in found.values() for points, *_ in objects if points for name in points
    )
    if not names:
        raise DataError(f"{root}: no object of the class {kind} has anchors")
    skeleton = Skeleton(kind, tuple(names), mirror=mirrored(tuple(names)))
    records = []
    for file, objects in found.items():
        instances = [(points, box, flags) for points, box, flags in objects if points]
        if not instances:
            continue
        with faults.noted(file):
            picture = _picture(root, file)
            size = size_of(picture)
            points, boxes, kept = zip(*instances)
            extra = {"all_annotated": len(instances) == len(objects)}
            poses = poses_of(skeleton, points, size, boxes)
            records.append(Record(picture, size, poses, len(records) + 1, extra, kept))
    return Dataset(root, skeleton, tuple(records))


def mirrored(names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Pairs of names that differ in left and right.

    >>> mirrored(("upper_left_windshield", "upper_right_windshield", "tail"))
    (('upper_left_windshield', 'upper_right_windshield'),)
    """
    pairs = ((name, "_".join("right" if w == "left" else w for w in name.split("_"))) for name in names)
    return tuple((name, other) for name, other in pairs if other != name and other in names)


def _objects(file: Path, kind: str, faults: Faults) -> list[tuple[Anchors, list[float], dict]]:
    """(anchors in our pixels, empty where it has none, box, flags) of each object of the class."""
    found = []
    with faults.noted(file, "", "PASCAL3D+"):
        for n, one in enumerate(np.atleast_1d(_loaded(file).objects), 1):
            with faults.noted(file, f"object {n}", "PASCAL3D+"):
                if str(getattr(one, "class")) != kind:
                    continue
                x1, y1, x2, y2 = (float(v) for v in one.bbox)
                flags = {flag: int(np.max(getattr(one, flag, 0), initial=0)) for flag in FLAGS}
                anchors = getattr(one, "anchors", None)
                points: Anchors = {}  # every anchor; absent ones too, so that the skeleton has them
                for name in getattr(anchors, "_fieldnames", ()):
                    with faults.noted(file, f"object {n}: {name}", "PASCAL3D+"):
                        points[name] = _point(getattr(anchors, name))
                found.append((points, [x1 - 1, y1 - 1, x2, y2], flags))
    return found


def _point(anchor: Any) -> tuple[float, float, int]:
    """Its x, y and visibility in our words. Raises DataError."""
    location = np.asarray(anchor.location, float).ravel()
    if location.size == 0:
        return np.nan, np.nan, 0
    if location.shape != (2,) or not np.isfinite(location).all():
        raise DataError(f"wanted a location x y, got {location.tolist()}")
    status = int(np.max(anchor.status, initial=0))
    return location[0] - 0.5, location[1] - 0.5, SEEN if status == VISIBLE else HIDDEN


def _loaded(file: Path) -> Any:
    """The file's `record`, structs as attributes."""
    raw = matlab.loaded(file)
    if "record" not in raw:
        raise DataError(f"{file}: holds no variable `record`")
    return raw["record"]


def _picture(root: Path, file: Path) -> Path:
    folder = root / "Images" / file.parent.name
    found = next((p for ending in ENDINGS if (p := folder / f"{file.stem}{ending}").is_file()), None)
    if found is None:
        raise DataError(f"{file}: the picture is missing: {folder / file.stem}.jpg or .JPEG")
    return found
