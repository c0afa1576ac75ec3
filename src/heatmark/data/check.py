"""Every fault of a labelled dataset, by name: all of them, not the first.

COCO's JSON is judged field by field (`coco_fields`), other formats by their readers (`formats.judged`).
Pictures are unpacked whole, in threads.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError, UserError
from ..imaging.decode import decode, decode_plane
from ..types import ABSENT, HIDDEN, SEEN
from .coco import SLACK, annotation_file, examine, images_beside, planes_of
from .coco_fields import counted, is_number, judged, named_pictures
from .faults import Fault
from .pictures import apart
from .records import Dataset, Record, sample


def faults(
    path: str | Path,
    images: str | Path | None = None,
    track: Callable[[Iterable[Any], int], Iterable[Any]] = lambda items, total: items,
    threads: int | None = None,
) -> tuple[list[Fault], Counter[str]]:
    """Judge a dataset in COCO form and its pictures.

    Args:
        path: a folder with annotations.json, or the annotation file itself.
        images: the folder of the pictures; by default `images` beside the file, or the file's own folder.
        track: shows progress over the pictures, (items, total) -> items.
        threads: how many pictures to unpack at a time; as many as there are cores, at most 8, when None.

    Returns:
        The faults in the file's order, pictures last; counts of pictures, instances (of them crowds, and
        unlabelled: without any landmark) and landmarks.

    Raises:
        UserError: there is no such dataset at all.
    """
    file = annotation_file(Path(path))
    folder = Path(images) if images else images_beside(file)
    raw, found = judged(file)
    if raw is None:
        return found, Counter()
    found += _unread(file, folder, found)
    jobs = [(file.parent, folder, picture, instances) for picture, instances in named_pictures(raw)]
    with ThreadPoolExecutor(threads or min(os.cpu_count() or 1, 8)) as pool:
        for some in track(pool.map(lambda job: _picture(*job), jobs), len(jobs)):
            found += some
    return found, counted(raw)


def faults_of(
    dataset: Dataset,
    track: Callable[[Iterable[Any], int], Iterable[Any]] = lambda items, total: items,
    threads: int | None = None,
) -> tuple[list[Fault], Counter[str]]:
    """The same for a dataset that a reader of any format has opened: its pictures, points and boxes."""
    found = [Fault("", "", "", line) for line in dataset.info.get("left_out", ())]  # of boxes: see boxed
    with ThreadPoolExecutor(threads or min(os.cpu_count() or 1, 8)) as pool:
        for some in track(pool.map(_record, dataset.records), len(dataset)):
            found += some
    states = Counter(int(v) for record in dataset for v in record.poses.visibility.flat)
    counts = Counter(pictures=len(dataset), instances=sum(len(r.poses) for r in dataset))
    return found, counts + Counter(seen=states[SEEN], hidden=states[HIDDEN], absent=states[ABSENT])


def _record(record: Record) -> list[Fault]:
    found: list[Fault] = []
    try:
        sample(record)
    except DataError as error:
        found.append(Fault(record.name, "", "", str(error).removeprefix(f"{record.path}: ")))
    poses, (h, w) = record.poses, record.size
    for n, (points, box) in enumerate(zip(poses.points, poses.boxes)):
        for landmark, (x, y) in zip(poses.skeleton.landmarks, points):
            if min(x, y) < -SLACK or x > w + SLACK or y > h + SLACK:
                what = f"({x:g}, {y:g}) lies outside the picture's {w} x {h}"
                found.append(Fault(record.name, f"instance {n + 1}", landmark, what))
        if not (box[2:] > box[:2]).all():
            found.append(Fault(record.name, f"instance {n + 1}", "box", "has no area, or there is none"))
        elif not np.isfinite(box).all() or apart(box, record.size):
            said = ", ".join(f"{v:g}" for v in box)
            what = f"({said}) lies outside the picture's {w} x {h}"
            found.append(Fault(record.name, f"instance {n + 1}", "box", what))
    return found


def _unread(file: Path, folder: Path, found: list[Fault]) -> list[Fault]:
    """What the reader refuses and this module let pass, so that a dataset without a fault can be read."""
    told = {fault.where for fault in found}
    try:
        refused = examine(file, images=folder)[1]
    except UserError as error:  # several categories, none chosen
        return [Fault(file.name, "", "categories", str(error).removeprefix(f"{file.name}: "))]
    except (TypeError, OverflowError):  # a value of a kind the reader never expects: named above
        return []
    return [f for f in refused if f.where not in told and not f.message.endswith("is missing")]


def _picture(home: Path, folder: Path, picture: dict, instances: int) -> list[Fault]:
    """What is wrong with one picture, its mask and its depth."""
    name = picture["file_name"]
    path = folder / name
    found: list[Fault] = []
    try:
        size = decode(path.read_bytes(), name).shape[:2]
    except FileNotFoundError:
        there = path.parent.iterdir() if path.parent.is_dir() else ()
        near = next((p.name for p in there if p.name.lower() == path.name.lower()), None)
        return [Fault(name, "", "", f"the picture is missing{f'; there is {near!r}' if near else ''}")]
    except OSError as error:
        return [Fault(name, "", "", f"the picture cannot be read: {error.strerror}")]
    except (DataError, ValueError) as error:  # ValueError: a name with a NUL in it
        return [Fault(name, "", "", str(error).removeprefix(f"{name}: "))]
    w, h = picture.get("width"), picture.get("height")
    if is_number(w) and is_number(h) and (h, w) != size:
        turned = (
            "; width and height are swapped (an EXIF turn that was not applied?)" if (w, h) == size else ""
        )
        what = f"declared {w} x {h}, but the picture is {size[1]} x {size[0]}{turned}"
        found.append(Fault(name, "", "width, height", what))
    for kind, file in planes_of(name, home):
        if file.is_file():
            found += _plane(file, file.relative_to(home).as_posix(), kind, size, instances)
    return found


def _plane(path: Path, name: str, kind: str, size: tuple[int, ...], instances: int) -> list[Fault]:
    try:
        plane = decode_plane(path.read_bytes(), name)
    except DataError as error:
        return [Fault(name, "", "", str(error).removeprefix(f"{name}: "))]
    if plane.shape != size:
        return [
            Fault(name, "", "", f"is {plane.shape[1]} x {plane.shape[0]}, its picture {size[1]} x {size[0]}")
        ]
    if kind == "mask" and plane.max() > instances:
        return [Fault(name, "", "", f"marks instance {plane.max()}, but the picture has {instances}")]
    return []
