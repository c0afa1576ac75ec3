"""YOLO-pose (Ultralytics), read and written: a YAML file, folders `images` and `labels`, a line an instance.

A line is "class cx cy w h" and K times "x y" or "x y v", in fractions of the picture's width and height.
Fractions are measured from the picture's edge (the format's own flip is 1 - x), which is our convention:
multiply, no half pixel. A point without v, or with v 0, that is exactly 0 0 is not labelled.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from ..errors import DataError, UserError, unknown
from ..types import ABSENT, SEEN, Poses, Skeleton
from .faults import Faults, faultless
from .pictures import ENDINGS, size_of
from .records import Dataset, Record, read_bytes, read_text, read_yaml, write_whole

SPLITS = ("train", "val", "test")


def read(path: str | Path, category: str | None = None) -> Dataset:
    """All splits of a dataset, for one class.

    Args:
        path: the YAML file, or the folder it lies in.
        category: the class, where the labels use several.

    Raises:
        UserError: no such dataset or class, or several and none chosen.
        DataError: the file and line, and what is wrong.
    """
    return faultless(examine, path, category)


def examine(path: str | Path, category: str | None, faults: Faults) -> Dataset:
    """The same of what can be read; lines and pictures with a fault are left out."""
    file = settings_file(Path(path))
    settings = _settings(file)
    classes, shape = classes_of(settings, file), settings["kpt_shape"]
    pictures = list(dict.fromkeys(p for split in SPLITS for p in pictures_of(settings, file, split)))
    if not pictures:
        raise DataError(
            f"{file}: no picture in {', '.join(s for s in SPLITS if settings.get(s)) or 'any split'}"
        )
    lines = {picture: _lines(label_of(picture), shape, classes, faults) for picture in pictures}
    used = sorted({int(row[0]) for rows in lines.values() for row in rows})
    chosen = _chosen(category, classes, used, file)
    skeleton = _skeleton(settings, classes[chosen], chosen, file)
    records = []
    for number, picture in enumerate(pictures, 1):
        with faults.noted(picture):
            size = size_of(picture)
            mine = np.array([row for row in lines[picture] if row[0] == chosen])
            rows = mine.reshape(-1, 5 + shape[0] * shape[1])
            records.append(Record(picture, size, _poses(rows, skeleton, shape[1], size), number))
    return Dataset(file.parent, skeleton, tuple(records))


def write(folder: str | Path, skeleton: Skeleton, records: Iterable[Record]) -> Path:
    """Write labels and data.yaml beside the pictures, which must lie in the folder's `images`."""
    folder = Path(folder)
    for record in records:
        name = record.path.resolve().relative_to((folder / "images").resolve()).with_suffix(".txt")
        write_whole(folder / "labels" / name, _text(record).encode())
    settings = {
        "path": ".", "train": "images", "val": "images", "kpt_shape": [len(skeleton), 3],
        "flip_idx": skeleton.mirrored.tolist(), "names": {0: skeleton.name},
        "kpt_names": {0: list(skeleton.landmarks)},
    }  # fmt: skip
    write_whole(folder / "data.yaml", yaml.safe_dump(settings, sort_keys=False).encode())
    return folder / "data.yaml"


def settings_file(path: Path) -> Path:
    """The YAML file a path stands for: the one with a kpt_shape. Raises UserError where there is none."""
    files = sorted([*path.glob("*.yaml"), *path.glob("*.yml")]) if path.is_dir() else [path]
    for file in files:
        if file.is_file() and file.suffix in (".yaml", ".yml") and b"kpt_shape" in read_bytes(file):
            return file
    raise UserError(f"{path}: no YOLO-pose YAML file (one with kpt_shape)")


def _settings(file: Path) -> dict[str, Any]:
    raw = read_yaml(file)
    shape = raw.get("kpt_shape") if isinstance(raw, dict) else None
    pair = shape if isinstance(shape, list) and len(shape) == 2 else [0, 0]
    if not all(isinstance(n, int) for n in pair) or pair[0] < 1 or pair[1] not in (2, 3):
        raise DataError(f"{file}: kpt_shape: wanted [points, 2 or 3], got {shape!r}")
    return raw


def classes_of(settings: dict[str, Any], file: Path) -> dict[int, str]:
    names = settings.get("names")
    named = dict(enumerate(names)) if isinstance(names, list) else names
    if not isinstance(named, dict) or not named or not all(isinstance(k, int) for k in named):
        raise DataError(
            f"{file}: names: wanted a list of classes or a mapping from their numbers, got {names!r}"
        )
    return {k: str(v) for k, v in named.items()}


def _chosen(category: str | None, classes: dict[int, str], used: Sequence[int], file: Path) -> int:
    if category is not None:
        if category not in classes.values():
            raise unknown("class", category, classes.values())
        return next(k for k, name in classes.items() if name == category)
    if len(used) > 1:
        raise UserError(
            f"{file}: several classes are labelled, choose one: {', '.join(classes[c] for c in used)}"
        )
    return used[0] if used else next(iter(classes))


def _skeleton(settings: dict[str, Any], name: str, chosen: int, file: Path) -> Skeleton:
    k = settings["kpt_shape"][0]
    given = settings.get("kpt_names")
    given = given.get(chosen) if isinstance(given, dict) else given
    names = [str(n) for n in given] if isinstance(given, list) and len(given) == k else None
    names = names or [f"point_{i + 1}" for i in range(k)]
    flip = settings.get("flip_idx") or []
    if not isinstance(flip, list):
        raise DataError(f"{file}: flip_idx: wanted a list of {k} numbers, got {flip!r:.80}")
    pairs = tuple((names[i], names[j]) for i, j in enumerate(flip) if isinstance(j, int) and i < j < k)
    return Skeleton(name, tuple(names), mirror=pairs)


def pictures_of(settings: dict[str, Any], file: Path, split: str) -> list[Path]:
    """A split's pictures: it names a folder, a text file with one path a line, or a list of those."""
    base = file.parent / str(settings.get("path") or "")
    base = base if base.is_dir() else file.parent  # `path` is often another machine's
    given = settings.get(split)
    found: list[Path] = []
    for name in given if isinstance(given, list) else [given] if given else []:
        tries = [base / str(name), file.parent / str(name), file.parent / str(name).removeprefix("../")]
        where = next((t for t in tries if t.exists()), None)
        if where is None and split == "test":
            continue  # a test split is often named and not shipped
        if where is None:
            raise DataError(f"{file}: {split}: there is no {tries[0]}")
        if where.is_dir():
            found += sorted(p for p in where.rglob("*") if p.suffix.lower() in ENDINGS)
        else:
            listed = [line.strip() for line in read_text(where).splitlines()]
            found += [where.parent / line for line in listed if line]
    return found


def label_of(picture: Path) -> Path:
    """The label file: the last folder called images becomes labels."""
    parts = list(picture.parts)
    at = max((i for i, part in enumerate(parts[:-1]) if part == "images"), default=None)
    if at is not None:
        parts[at] = "labels"
    return Path(*parts).with_suffix(".txt")


def _lines(path: Path, shape: Sequence[int], classes: Mapping[int, str], faults: Faults) -> list[list[float]]:
    """A label file's rows; none where there is no file: that is a picture without an instance."""
    rows: list[list[float]] = []
    with faults.noted(path):
        for number, line in enumerate(read_text(path).splitlines() if path.is_file() else (), 1):
            with faults.noted(path, f"line {number}"):
                if line.strip():
                    rows.append(_row(line, shape, classes))
    return rows


def _row(line: str, shape: Sequence[int], classes: Mapping[int, str]) -> list[float]:
    """Its numbers. Raises DataError."""
    try:
        row = [float(v) for v in line.split()]
    except ValueError as error:
        raise DataError(str(error)) from error
    if len(row) != (wanted := 5 + shape[0] * shape[1]):
        raise DataError(f"wanted {wanted} numbers for kpt_shape {shape}, got {len(row)}")
    if not np.isfinite(row).all():
        raise DataError("a number that is not finite")
    if row[0] not in classes:
        raise DataError(f"class {row[0]:g}, names has {', '.join(map(str, classes))}")
    if shape[1] == 3 and not set(row[7::3]) <= {0, 1, 2}:
        raise DataError(f"visibility must be 0, 1 or 2, got {sorted(set(row[7::3]))}")
    return row


def _poses(rows: np.ndarray, skeleton: Skeleton, dims: int, size: tuple[int, int]) -> Poses:
    scale = np.array([size[1], size[0]])
    points = rows[:, 5:].reshape(len(rows), len(skeleton), dims)
    v = points[..., 2] if dims == 3 else np.where((points == 0).all(-1), ABSENT, SEEN)
    xy = np.where((v == ABSENT)[..., None], np.nan, points[..., :2] * scale)
    centre, half = rows[:, 1:3] * scale, rows[:, 3:5] * scale / 2
    boxes = np.concatenate([centre - half, centre + half], -1)
    return Poses(skeleton, xy, (v == SEEN).astype(float), v.astype(np.uint8), boxes, np.ones(len(rows)))


def _text(record: Record) -> str:
    """A record as lines; an instance without a box cannot be written. Raises DataError."""
    poses, scale = record.poses, np.array([record.size[1], record.size[0]])
    lines = []
    for points, v, box in zip(poses.points, poses.visibility, poses.boxes):
        if not np.isfinite(box).all():
            raise DataError(f"{record.path}: an instance has no box, and YOLO needs one")
        centre, extent = (box[:2] + box[2:]) / 2 / scale, (box[2:] - box[:2]) / scale
        there = np.isfinite(points).all(-1) & (v != ABSENT)
        xy = np.where(there[:, None], points / scale, 0.0)
        flat = [f"{x:.6f} {y:.6f} {int(state) if here else 0}" for (x, y), state, here in zip(xy, v, there)]
        lines.append(" ".join(["0", *(f"{c:.6f}" for c in (*centre, *extent)), *flat]))
    return "".join(line + "\n" for line in lines)
