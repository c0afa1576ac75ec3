"""COCO keypoints, read and written (cocodataset.org, "format-data"), with our additions to the category.

The oddities of the format end here:

- keypoints count pixels from 0, we count from the picture's edge: + 0.5 in, - 0.5 out. Boxes are [x, y, w, h]
  measured from the edge already, so they are only re-ordered;
- `v` 0 is not labelled (NaN here), 1 hidden, 2 seen;
- `skeleton` counts from 1; our bones are pairs of names. The category may also hold `mirror`,
  `interchangeable`, `parts` and `sigmas`, by name. Where `mirror` is not said, left_x and right_x are taken
  for a pair; where `sigmas` or `parts` are not said and the landmarks are COCO's or MPII's person, those of
  skeletons.py are used;
- `iscrowd` regions are no instances: they are kept aside in `Record.crowd`;
- fields we do not use are kept in `Record.extra` and `Record.instances`, and written back.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError, HeatmarkError, UserError, unknown
from ..skeletons import PEOPLE
from ..types import ABSENT, Poses, Skeleton
from .faults import Faults, whole
from .pictures import apart, numbers
from .records import Dataset, Record, read_json, write_whole

PLANES = {"mask": "masks", "depth": "depth"}  # of a Record -> the folder they are in
SLACK = 1.0  # pixels a labelled point may lie outside its picture: clicks on the very border


def read(path: str | Path, category: str | None = None, images: str | Path | None = None) -> Dataset:
    """A dataset of one category.

    Args:
        path: a folder with annotations.json, or the annotation file itself.
        category: its name; needed only where several categories have keypoints.
        images: the folder of the pictures; by default `images` beside the file, or the file's own folder.

    Raises:
        DataError: anything wrong in the file, with the annotation's id and the field, or a picture that is
            missing.
        UserError: no such category, or several and none chosen.
    """
    dataset, faults = examine(path, category, images)
    file = str(annotation_file(Path(path)))
    return whole(dataset, [replace(fault, file=file) for fault in faults])


def examine(
    path: str | Path, category: str | None = None, images: str | Path | None = None
) -> tuple[Dataset | None, Faults]:
    """What can be read, and every fault. A record or annotation with a fault is left out of the dataset;
    where the file as a whole cannot be understood there is no dataset. Raises UserError for a category that
    does not exist."""
    file = annotation_file(Path(path))
    faults = Faults(file.name)
    raw = _parsed(file, faults)
    if raw is None:
        return None, faults
    chosen = _category(raw["categories"], category, faults)
    if chosen is None:
        return None, faults
    try:
        skeleton = _skeleton(chosen)
    except (HeatmarkError, TypeError, ValueError, ArithmeticError, AttributeError, LookupError) as error:
        faults.add(f"category {chosen.get('id')}", "", str(error))
        return None, faults
    folder = Path(images) if images else images_beside(file)
    pictures = _pictures(raw["images"], folder, faults)
    known = [c.get("id") for c in raw["categories"] if isinstance(c, Mapping)]
    labels = _labels(raw["annotations"], pictures, skeleton, chosen["id"], known, faults)
    records = tuple(_record(p, labels[i], skeleton, file.parent) for i, p in pictures.items())
    info = raw["info"] if isinstance(raw.get("info"), dict) else {}
    return Dataset(file.parent, skeleton, records, info), faults


def annotation_file(path: Path) -> Path:
    """The annotation file a path stands for. Raises UserError where there is none."""
    file = path / "annotations.json" if path.is_dir() else path
    if not file.is_file():
        what = "the folder holds no annotations.json" if path.is_dir() else "there is no such file or folder"
        raise UserError(f"{path}: {what}")
    return file


def write(
    folder: str | Path,
    skeleton: Skeleton,
    records: Iterable[Record],
    info: Mapping[str, Any] | None = None,
    name: str = "annotations.json",
) -> Path:
    """Write a folder's annotation file, whole or not at all, and return its path. The pictures are not
    touched; they must lie in the folder's `images` (or in the folder itself if there is none). Raises
    DataError otherwise."""
    folder = Path(folder)
    base = images_beside(folder / name).resolve()
    images, annotations, records = [], [], list(records)
    ids = _numbering(one.get("id") for r in records for one in (*r.instances, *r.crowd))
    for record in records:
        if not record.path.resolve().is_relative_to(base):
            raise DataError(f"{record.path}: the picture does not lie in {base}")
        file_name = record.path.resolve().relative_to(base).as_posix()
        size = {"file_name": file_name, "width": int(record.size[1]), "height": int(record.size[0])}
        images.append({**record.extra, "id": record.id, **size})
        instances = record.instances or ({},) * len(record.poses)
        rows = [{**one, **_annotation(record, n)} for n, one in enumerate(instances)]
        rows += [{**one, "category_id": 1} for one in record.crowd]
        annotations += [{**row, "id": ids(row.get("id")), "image_id": record.id} for row in rows]
    whole = {
        "info": dict(info or {}),
        "images": images,
        "annotations": annotations,
        "categories": [category_of(skeleton)],
    }
    try:
        text = json.dumps(whole, allow_nan=False)
    except ValueError as error:
        raise DataError(f"{folder / name}: a value that is not finite cannot be written ({error})") from error
    write_whole(folder / name, (text + "\n").encode())
    return folder / name


def _numbering(given: Iterable[Any]) -> Callable[[Any], int]:
    """An annotation's id -> the one it is written with: its own, or a free one where that is none, or is
    another's already. `given`: all of them."""
    known, taken = {n for n in given if _whole(n)}, set()
    fresh = (n for n in count(1) if n not in known)

    def number(own: Any) -> int:
        mine = own if _whole(own) and own > 0 and own not in taken else next(fresh)
        taken.add(mine)
        return mine

    return number


def category_of(skeleton: Skeleton) -> dict[str, Any]:
    """A skeleton as a COCO category."""
    described = skeleton.to_dict()
    bones = [[skeleton.index(a) + 1, skeleton.index(b) + 1] for a, b in skeleton.bones]
    ours = {k: described[k] for k in ("mirror", "interchangeable", "parts", "sigmas")}
    return {"id": 1, "name": skeleton.name, "keypoints": described["landmarks"], "skeleton": bones, **ours}


def _annotation(record: Record, n: int) -> dict[str, Any]:
    """Instance n without its ids."""
    poses = record.poses
    v = np.where(np.isfinite(poses.points[n]).all(-1), poses.visibility[n], ABSENT)  # (K,)
    xy = np.where(v[:, None] == ABSENT, 0.0, poses.points[n] - 0.5)  # ours counts from the edge, COCO from 0
    flat = [number for (x, y), flag in zip(xy.round(3).tolist(), v.tolist()) for number in (x, y, int(flag))]
    x1, y1, x2, y2 = poses.boxes[n]
    box = (
        [round(float(b), 3) for b in (x1, y1, x2 - x1, y2 - y1)]
        if np.isfinite(poses.boxes[n]).all()
        else None
    )
    out = {"category_id": 1, "keypoints": flat, "num_keypoints": int((v > 0).sum()), "iscrowd": 0}
    if box:
        out["bbox"] = box
        if not (record.instances and "area" in record.instances[n]):
            out["area"] = round(box[2] * box[3], 3)
    return out


def _parsed(file: Path, faults: Faults) -> dict[str, Any] | None:
    try:
        raw = read_json(file)
    except DataError as error:
        faults.add("", "", str(error).removeprefix(f"{file}: "))
        return None
    if not isinstance(raw, dict):
        faults.add(
            "", "", f"wanted an object with images, annotations and categories, got a {type(raw).__name__}"
        )
        return None
    for key in ("images", "annotations", "categories"):
        if not isinstance(raw.get(key), list):
            what = f"got a {type(raw[key]).__name__}" if key in raw else "it is missing"
            faults.add("", key, f"wanted a list, {what}")
    return None if faults else raw


def _category(categories: list, wanted: str | None, faults: Faults) -> dict[str, Any] | None:
    usable = {}
    for n, category in enumerate(categories):
        if not isinstance(category, dict) or not isinstance(category.get("name"), str):
            faults.add(f"category number {n}", "name", "wanted an object with a name")
        elif not _whole(category.get("id")):
            faults.add(
                f"category {category['name']!r}", "id", f"wanted a whole number, got {category.get('id')!r}"
            )
        elif category.get("keypoints"):
            usable[category["name"]] = category
    if wanted is not None:
        if wanted not in usable:
            raise unknown("category with keypoints", wanted, usable)
        return usable[wanted]
    if len(usable) > 1:
        raise UserError(
            f"{faults.file}: several categories have keypoints, choose one: {', '.join(sorted(usable))}"
        )
    if not usable:
        faults.add("", "categories", "no category has keypoints")
        return None
    return next(iter(usable.values()))


def _skeleton(category: Mapping[str, Any]) -> Skeleton:
    names = tuple(category["keypoints"])
    if not all(isinstance(n, str) for n in names):
        raise DataError(f"keypoints: wanted names, got {list(names)}")
    pairs = category.get("skeleton") or []
    if not isinstance(pairs, list) or not all(isinstance(p, list) and len(p) == 2 for p in pairs):
        raise DataError(f"skeleton: wanted pairs of numbers of keypoints, got {pairs!r:.80}")
    bones = tuple((names[_from_one(a, names)], names[_from_one(b, names)]) for a, b in pairs)
    sides = [(n, "right_" + n[5:]) for n in names if n.startswith("left_") and "right_" + n[5:] in names]
    sigmas: Any = category.get("sigmas")
    if isinstance(sigmas, list):
        if len(sigmas) != len(names):
            raise DataError(f"{len(sigmas)} sigmas for {len(names)} keypoints")
        sigmas = dict(zip(names, sigmas))
    parts: Any = category.get("parts")
    if names in PEOPLE:
        sigmas = PEOPLE[names].sigmas if sigmas is None else sigmas
        parts = PEOPLE[names].parts if parts is None else parts
    return Skeleton(
        category["name"],
        names,
        bones,
        mirror=tuple(map(tuple, category["mirror"])) if category.get("mirror") is not None else tuple(sides),
        interchangeable=tuple(map(tuple, category.get("interchangeable") or [])),
        parts=parts or {},
        sigmas=sigmas or {},
    )


def _from_one(number: Any, names: Sequence[str]) -> int:
    if not _whole(number) or not 1 <= number <= len(names):
        raise DataError(f"skeleton: counts keypoints 1..{len(names)}, got {number!r}")
    return number - 1


def images_beside(file: Path) -> Path:
    return file.parent / "images" if (file.parent / "images").is_dir() else file.parent


def _pictures(images: list, folder: Path, faults: Faults) -> dict[int, tuple[Path, dict[str, Any]]]:
    """Picture id -> its path and its entry, in the file's order."""
    found: dict[int, tuple[Path, dict[str, Any]]] = {}
    names: set[str] = set()
    for n, image in enumerate(images):
        if not isinstance(image, dict) or not _whole(image.get("id")):
            faults.add(f"image number {n}", "id", "wanted an object with a whole number as its id")
            continue
        where, name = f"image {image['id']}", image.get("file_name")
        if image["id"] in found:
            faults.add(where, "id", "the id stands twice")
        elif not isinstance(name, str) or not name:
            faults.add(where, "file_name", f"wanted a name, got {name!r}")
        elif Path(name).is_absolute() or ".." in Path(name).parts:
            faults.add(where, "file_name", f"{name!r} leaves the dataset's folder")
        elif name in names:
            faults.add(where, "file_name", f"{name!r} stands twice")
        elif bad := [
            k for k in ("width", "height") if not _whole(image.get(k)) or not 0 < image[k] < 1 << 31
        ]:
            faults.add(where, bad[0], f"wanted a positive whole number, got {image.get(bad[0])!r}")
        elif not (folder / name).is_file():
            faults.add(where, "file_name", f"the picture {folder / name} is missing")
        else:
            found[image["id"]] = (folder / name, image)
            names.add(name)
    return found


def _labels(
    annotations: list, pictures, skeleton: Skeleton, category: int, known: list, faults: Faults
) -> dict[int, list]:
    """Picture id -> its annotations that are of the category and without fault."""
    labels: dict[int, list] = {i: [] for i in pictures}
    broken = {f.where for f in faults}
    ids: set[int] = set()
    for n, annotation in enumerate(annotations):
        if not isinstance(annotation, dict) or not _whole(annotation.get("id")):
            faults.add(f"annotation number {n}", "id", "wanted an object with a whole number as its id")
            continue
        where, image = f"annotation {annotation['id']}", annotation.get("image_id")
        if annotation["id"] in ids:
            faults.add(where, "id", "the id stands twice")
            continue
        ids.add(annotation["id"])
        if image is None or not _whole(image) or image not in pictures:
            if f"image {image}" not in broken:
                faults.add(where, "image_id", f"there is no image {image!r}")
        elif annotation.get("category_id") != category:
            if annotation.get("category_id") not in known:
                faults.add(where, "category_id", f"there is no category {annotation.get('category_id')!r}")
        elif fault := _fault(annotation, pictures[image][1], len(skeleton)):
            faults.add(where, *fault)
        else:
            labels[image].append(annotation)
    return labels


def _fault(annotation: Mapping[str, Any], image: Mapping[str, Any], k: int) -> tuple[str, str] | None:
    """The field and what is wrong with it, or None."""
    box = annotation.get("bbox")
    if box is not None:
        if not _numbers(box, 4) or not _numbers([box[2] * box[3]], 1):
            return "bbox", f"wanted four finite numbers, got {box!r:.80}"
        if box[2] < 0 or box[3] < 0:
            return "bbox", f"wanted a width and height of 0 or more, got {box[2]} and {box[3]}"
        x, y, w, h = box
        if w and h and apart([x, y, x + w, y + h], (image["height"], image["width"])):
            return "bbox", f"{box} lies outside the {image['width']} x {image['height']} picture"
    area, crowd = annotation.get("area"), annotation.get("iscrowd", 0)
    if area is not None and not (_numbers([area], 1) and area >= 0):
        return "area", f"wanted a finite number of 0 or more, got {area!r}"
    if crowd not in (0, 1):
        return "iscrowd", f"wanted 0 or 1, got {crowd!r}"
    if crowd == 1:
        return ("bbox", "wanted four finite numbers, as of every crowd, got None") if box is None else None
    flat = annotation.get("keypoints")
    if not _numbers(flat, 3 * k):
        came = f"{len(flat)} values" if isinstance(flat, list) else repr(flat)
        if isinstance(flat, list) and len(flat) == 3 * k:
            came = "a value that is not finite"
        return "keypoints", f"wanted {k} times x, y, v, got {came}"
    rows = np.array(flat, np.float64).reshape(k, 3)
    v = rows[:, 2]
    if not np.isin(v, (0, 1, 2)).all():
        return "keypoints", f"v must be 0, 1 or 2, got {sorted(set(v.tolist()) - {0.0, 1.0, 2.0})[0]:g}"
    if "num_keypoints" in annotation and annotation["num_keypoints"] != int((v > 0).sum()):
        return "num_keypoints", f"{annotation['num_keypoints']} is said, {int((v > 0).sum())} are labelled"
    xy = rows[v > 0, :2] + 0.5
    beyond = (xy < -SLACK).any(-1) | (xy > np.array([image["width"], image["height"]]) + SLACK).any(-1)
    if beyond.any():
        x, y = xy[beyond][0] - 0.5
        return (
            "keypoints",
            f"({x:g}, {y:g}) is labelled and lies outside the {image['width']} x {image['height']} picture",
        )
    return None


def _record(
    picture: tuple[Path, dict[str, Any]], labels: list[dict], skeleton: Skeleton, folder: Path
) -> Record:
    path, image = picture
    crowd = [a for a in labels if a.get("iscrowd") == 1]
    mine = [a for a in labels if a.get("iscrowd") != 1]
    raw = np.array([a["keypoints"] for a in mine], np.float64).reshape(len(mine), len(skeleton), 3)
    points, v = raw[..., :2] + 0.5, raw[..., 2].astype(np.uint8)  # COCO counts from 0; we count from the edge
    points[v == ABSENT] = np.nan
    boxes = np.array([a.get("bbox") or [np.nan] * 4 for a in mine], np.float64).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    used = {"keypoints", "num_keypoints", "bbox", "image_id", "iscrowd"}
    planes = {plane: beside for plane, beside in planes_of(image["file_name"], folder) if beside.is_file()}
    return Record(
        path,
        (image["height"], image["width"]),
        Poses(skeleton, points, (v > ABSENT).astype(float), v, boxes, np.ones(len(mine))),
        image["id"],
        {k: x for k, x in image.items() if k not in ("id", "file_name", "width", "height")},
        tuple({k: x for k, x in a.items() if k not in used} for a in mine),
        tuple(crowd),
        **planes,
    )


def planes_of(name: str, folder: Path) -> list[tuple[str, Path]]:
    """Where a picture's mask and depth lie, if it has them: in the dataset's folder, called as it is."""
    return [(plane, folder / where / Path(name).with_suffix(".png")) for plane, where in PLANES.items()]


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _numbers(values: Any, count: int) -> bool:
    """A list of `count` finite numbers."""
    return (
        isinstance(values, list)
        and len(values) == count
        and all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values)
        and bool(np.isfinite(numbers(values, count)).all())
    )
