"""MPII Human Pose, read: its own .mat file, and the JSON that top-down code has used since, a list of people.

The oddities of the format end here:

- pixels count from 1, we count from the picture's edge: - 0.5 in;
- a person has no box but a centre and a scale, his height over 200. The box is the square of 200 * scale
  about the centre moved 15 * scale down, as HRNet's authors crop it; its numbers are those that
  `imaging.msra` takes for theirs, so a published network sees exactly their crop;
- the box of the head, which PCKh measures by, is kept in `Record.instances` as `head_box`. The JSON has none:
  it is taken from gt_valid.mat, where that lies beside;
- the JSON does not tell hidden landmarks from seen ones, and the .mat not for all: then they are seen.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError, UserError
from ..skeletons import MPII16
from ..types import ABSENT, HIDDEN, SEEN, Poses
from . import matlab
from .faults import Faults, faultless
from .pictures import apart, beside, size_of
from .records import Dataset, Record, read_json

OFFICIAL = "mpii_human_pose*.mat"
TRUTH = "gt_valid.mat"  # of HRNet's authors: head boxes in the order of valid.json
UNIT = 200.0  # pixels of a scale of 1
LOWER = 15.0  # pixels of a scale of 1 that the centre is moved down, "to keep the limbs"
K = len(MPII16)


def read(path: str | Path, category: str | None = None) -> Dataset:
    """All annotated people of a .mat or JSON file, or of the .mat in a folder.

    Raises:
        UserError: no such file. DataError: what is wrong in it, with the entry and the field.
    """
    return faultless(examine, path, category)


def examine(path: str | Path, category: str | None, faults: Faults) -> Dataset:
    """The same of what can be read; people and pictures with a fault are left out."""
    file = _file(Path(path))
    by_picture: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    records = []
    with faults.noted(file, "", "MPII"):
        for where, row in _of_mat(file) if file.suffix == ".mat" else _of_json(file):
            with faults.noted(file, where, "MPII"):
                person = _person(row)
                by_picture.setdefault(row["image"], []).append((where, person))
    if not by_picture and not faults:
        raise DataError(f"{file}: no person is annotated in it")
    for n, (name, people) in enumerate(by_picture.items(), 1):
        with faults.noted(file):
            record = _record(file, name, [person for _, person in people], n)
            for k, box in enumerate(record.poses.boxes):
                if apart(box, record.size):
                    faults.add(people[k][0], "center", _far(record, k), file)
            records.append(record)
    return Dataset(file.parent, MPII16, tuple(records))


def _far(record: Record, k: int) -> str:
    said = ", ".join(f"{v:g}" for v in record.poses.boxes[k])
    return f"its box ({said}) lies outside the picture's {record.size[1]} x {record.size[0]}"


def is_mine(raw: Any) -> bool:
    """Whether a parsed JSON file is a list of MPII's people."""
    first = raw[0] if isinstance(raw, list) and raw else None
    return isinstance(first, dict) and {"image", "center", "scale"} <= set(first)


def _file(path: Path) -> Path:
    if path.is_dir():
        found = sorted(path.glob(OFFICIAL))
        if not found:
            raise UserError(f"{path}: no {OFFICIAL} in it; name the JSON file")
        return found[0]
    if not path.is_file():
        raise UserError(f"{path}: there is no such file or folder")
    return path


def _of_json(file: Path) -> Iterable[tuple[str, dict[str, Any]]]:
    """(where, row) of each person, a row as in the JSON, `head_box` added."""
    raw = read_json(file)
    if not isinstance(raw, list):
        raise DataError(f"{file}: wanted a list of people, got a {type(raw).__name__}")
    heads = _heads(file.parent / TRUTH, len(raw)) if file.stem == "valid" else None
    for n, row in enumerate(raw):
        known = {} if heads is None else {"head_box": heads[n]}
        yield f"entry {n}", row | known if isinstance(row, dict) else row


def _heads(path: Path, count: int) -> list[list[float]] | None:
    """Head boxes x1 y1 x2 y2 of valid.json's people, where their file lies beside it."""
    if not path.is_file():
        return None
    boxes = np.asarray(matlab.loaded(path)["headboxes_src"], np.float64)  # (2, 2, N): corners, x y, people
    if boxes.shape != (2, 2, count):
        raise DataError(f"{path}: headboxes_src: wanted (2, 2, {count}) for valid.json, got {boxes.shape}")
    return (boxes.transpose(2, 0, 1).reshape(count, 4) - 0.5).tolist()


def _of_mat(file: Path) -> Iterable[tuple[str, dict[str, Any]]]:
    """The same out of MPII's own file, people without landmarks left out."""
    raw = matlab.loaded(file)
    if "RELEASE" not in raw:
        raise DataError(f"{file}: has no RELEASE, so it is not MPII's annotation file")
    for n, picture in enumerate(np.atleast_1d(raw["RELEASE"].annolist)):
        for m, person in enumerate(np.atleast_1d(picture.annorect)):
            points = getattr(getattr(person, "annopoints", None), "point", None)
            if points is None or not hasattr(person, "objpos") or not hasattr(person.objpos, "x"):
                continue
            joints, states = np.zeros((K, 2)), [ABSENT] * K
            for point in np.atleast_1d(points):
                k = int(point.id)
                if not 0 <= k < K:
                    where = f"{file}: picture {n + 1}, person {m + 1}"
                    raise DataError(f"{where}: id: wanted 0..{K - 1}, got {k}")
                joints[k] = point.x, point.y
                seen = np.asarray(getattr(point, "is_visible", []))  # empty where nobody said
                states[k] = HIDDEN if seen.size and not int(seen) else SEEN
            row = {"image": str(picture.image.name), "center": [person.objpos.x, person.objpos.y]}
            row |= {"scale": person.scale, "joints": joints.tolist(), "states": states}
            head = [getattr(person, side, np.nan) for side in ("x1", "y1", "x2", "y2")]
            yield f"picture {n + 1}, person {m + 1}", row | {"head_box": [float(v) - 0.5 for v in head]}


def _person(row: dict[str, Any]) -> dict[str, Any]:
    """Points, states, box and head of a person, in our coordinates. Raises DataError."""
    if not isinstance(row, dict):
        raise DataError(f"wanted an object, got {row!r:.60}")
    flags = "joints_vis" if "states" not in row else "states"
    if missing := [f for f in ("image", "center", "scale", "joints", flags) if f not in row]:
        raise DataError(f"{missing[0]}: is missing")
    if flags == "joints_vis":
        visible = np.asarray(row[flags], np.float64)
        row = row | {"states": np.where(visible > 0, SEEN, ABSENT).tolist()}
    if not isinstance(row["image"], str):
        raise DataError(f"image: wanted a picture's name, got {row['image']!r:.60}")
    joints = np.asarray(row["joints"], np.float64)
    if joints.shape != (K, 2) or len(row["states"]) != K:
        came = f"{len(row['joints'])} joints and {len(row['states'])} flags"
        raise DataError(f"joints: wanted {K} times x, y, and as many flags, got {came}")
    states = np.array(row["states"], np.uint8)
    if not np.isfinite(joints[states > ABSENT]).all():
        raise DataError("joints: a value that is not finite")
    centre, scale = np.asarray(row["center"], np.float64), float(row["scale"])
    if centre.shape != (2,) or not np.isfinite([*centre, scale * UNIT]).all() or not scale > 0:
        said = f"center {row['center']} and scale {row['scale']}"
        raise DataError(f"wanted a finite center and a positive scale, got {said}")
    middle, half = centre + [0, LOWER * scale] - 1, scale * UNIT / 2
    points = np.where(states[:, None] == ABSENT, np.nan, joints - 0.5)
    person = {"points": points, "states": states, "box": [*(middle - half), *(middle + half)]}
    head = row.get("head_box")
    return person | ({"head_box": head} if head is not None and np.isfinite(head).all() else {})


def _record(file: Path, name: str, people: list[dict[str, Any]], number: int) -> Record:
    path = beside(file, name, ("", "images", "../images"))
    states = np.stack([person["states"] for person in people])
    poses = Poses(
        MPII16,
        np.stack([person["points"] for person in people]),
        (states > ABSENT).astype(float),
        states,
        np.array([person["box"] for person in people]),
        np.ones(len(people)),
    )
    heads = tuple({"head_box": p["head_box"]} if "head_box" in p else {} for p in people)
    return Record(path, size_of(path), poses, number, instances=heads)
