"""PoseTrack: the 2018 annotation files, and the 2017 form in which its evaluation exchanges poses.

A 2018 file is one video in COCO's form, with what COCO lacks: `bbox_head` and `track_id` of a person,
`vid_id`, `frame_id` and polygons to be ignored of a frame, and no sizes of pictures. Fifteen joints are
labelled; the two ears stand in the list for COCO's sake and are always absent. A joint's third number is not
COCO's: 1 is seen, 0 beside a place hidden, as poseval takes it; 0 at 0, 0 is no label. Only frames marked as
labelled are read. The polygons become crowds, so that nothing is learnt or blamed there.

A 2017 file is a list of frames (`annolist`), every value in a list of its own, joints by number. It is read,
and written for poseval and the evaluation server.

Both count pixels from 0, as COCO: + 0.5 in, - 0.5 out.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError, UserError
from ..skeletons import COCO17, SIGMAS
from ..types import ABSENT, HIDDEN, SEEN, Poses, Skeleton
from .faults import Faults, faultless, pages
from .pictures import FAR, beside, boxes_from, size_of
from .records import Dataset, Record, write_whole

NECK = "head_bottom"  # as 2018 calls it; 2017's program says neck
LANDMARKS = tuple({"left_eye": NECK, "right_eye": "head_top"}.get(n, n) for n in COCO17.landmarks)
POSETRACK17 = Skeleton(
    "person",
    LANDMARKS,
    bones=(
        *(bone for bone in COCO17.bones if not any("eye" in n or "ear" in n for n in bone)),
        ("nose", NECK), ("nose", "head_top"), (NECK, "left_shoulder"), (NECK, "right_shoulder"),
    ),
    mirror=tuple(pair for pair in COCO17.mirror if "left_eye" not in pair),
    parts={name: part for name, part in COCO17.parts.items() if not any("eye" in n for n in part)}
    | {"head": LANDMARKS[:5]},
    sigmas={n: s for n, s in COCO17.sigmas.items() if "eye" not in n}
    | dict.fromkeys((NECK, "head_top"), SIGMAS["shoulder"]),
)  # fmt: skip
NUMBERED = (  # 2017's order
    "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "right_wrist",
    "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist", NECK, "nose", "head_top",
)  # fmt: skip


def read(path: str | Path, category: str | None = None, images: str | Path | None = None) -> Dataset:
    """All labelled frames of a file, or of every file of a folder, 2018's or 2017's form.

    Args:
        category: "person", or None.
        images: the folder that the files' names of pictures start from; by default the file's own folder or
            one of those above it.

    Raises:
        UserError: there is no PoseTrack file. DataError: the file, and what is wrong with it.
    """
    return faultless(partial(examine, images=images), path, category)


def examine(
    path: str | Path, category: str | None, faults: Faults, images: str | Path | None = None
) -> Dataset:
    """The same of what can be read; frames and persons with a fault are left out."""
    path = Path(path)
    if category not in (None, POSETRACK17.name):
        raise UserError(f"{path}: PoseTrack has persons only, got category {category!r}")
    videos = pages(path, is_mine, faults)
    if not videos and not faults:
        raise UserError(f"{path}: no PoseTrack file (annolist, or images with keypoints head_bottom)")
    records: list[Record] = []
    for file, page in videos.items():
        with faults.noted(file, "", "PoseTrack"):
            frames = (_frames_2017 if "annolist" in page else _frames_2018)(page, file, faults)
            for n, frame in enumerate(frames, len(records) + 1):
                with faults.noted(file, str(frame["name"]), "PoseTrack"):
                    records.append(_record(frame, file, images, n))
    return Dataset(path if path.is_dir() else path.parent, POSETRACK17, tuple(records))


def is_mine(raw: Any) -> bool:
    """Whether a parsed JSON file is of either form."""
    if not isinstance(raw, Mapping):
        return False
    if isinstance(raw.get("annolist"), list):
        return True
    images, categories = raw.get("images"), raw.get("categories")
    if not isinstance(images, list) or not isinstance(categories, list):
        return False
    names = [c.get("keypoints") for c in categories if isinstance(c, Mapping)]
    return any(NECK in n for n in names if isinstance(n, list))


def heads_of(record: Record) -> np.ndarray:
    """(N, 4) x1 y1 x2 y2 of the heads of a record's persons. Raises DataError where one has none, or one
    without a size."""
    heads = [instance.get("head") for instance in record.instances]
    if any(head is None for head in heads) or len(heads) != len(record.poses):
        raise DataError(f"{record.name}: a person without bbox_head cannot be scored by PCKh")
    boxes = np.array(heads, np.float64).reshape(-1, 4)
    if flat := [head for head, (x1, y1, x2, y2) in zip(heads, boxes) if (x1, y1) == (x2, y2)]:
        raise DataError(f"{record.name}: a person whose head {flat[0]} has no size cannot be scored by PCKh")
    return boxes


def regions_of(record: Record) -> list[np.ndarray]:
    """The polygons (V, 2) of a record that are to be ignored."""
    return [
        np.array(p, np.float64).reshape(-1, 2) + 0.5 for crowd in record.crowd for p in crowd["segmentation"]
    ]


def write(
    path: str | Path, frames: Iterable[tuple[str, Poses]], tracks: Sequence[Sequence[int]] | None = None
):
    """Write poses in the 2017 form, for poseval.

    Args:
        path: the file; the program wants one for each video, named like the labels'.
        frames: every frame of the video in order: the picture's name as the labels have it, and its poses.
        tracks: a number for each person; by default they are counted, as the program asks for one.
    """
    listed = []
    for i, (name, poses) in enumerate(frames):
        persons = range(len(poses))
        rects = [_rect(poses, n, tracks[i][n] if tracks else n) for n in persons]
        listed.append({"image": [{"name": name}], "annorect": [r for r in rects if r]})
    text = json.dumps({"annolist": listed}, allow_nan=False)
    write_whole(Path(path), f"{text}\n".encode())


def _rect(poses: Poses, n: int, track: int) -> dict[str, Any]:
    """One person, or nothing where no joint was found."""
    points = []
    for number, name in enumerate(NUMBERED):
        k = poses.skeleton.landmarks.index(name) if name in poses.skeleton.landmarks else None
        if k is None or not np.isfinite(poses.points[n, k]).all():
            continue
        x, y = (poses.points[n, k] - 0.5).round(3).tolist()
        score = float(np.nan_to_num(poses.scores[n, k]))
        points.append({"id": [number], "x": [x], "y": [y], "score": [round(score, 6)]})
    box = np.nan_to_num(poses.boxes[n]).round(3).tolist()
    corners = dict(zip(("x1", "y1", "x2", "y2"), ([v] for v in box)))
    facts = {"track_id": [int(track)], "score": [float(np.nan_to_num(poses.score[n]))]}
    return corners | facts | {"annopoints": [{"point": points}]} if points else {}


def _frames_2018(page: Mapping[str, Any], file: Path, faults: Faults) -> list[dict[str, Any]]:
    names = next(c["keypoints"] for c in page["categories"] if NECK in c["keypoints"])
    frames = {}
    for i, image in enumerate(page["images"]):
        with faults.noted(file, f"images[{i}]", "PoseTrack"):
            if not image.get("is_labeled", True):
                continue
            across, down = image.get("ignore_regions_x") or [], image.get("ignore_regions_y") or []
            facts = {k: image[k] for k in ("vid_id", "frame_id", "nframes") if k in image}
            polygons = [list(zip(xs, ys)) for xs, ys in zip(across, down)]
            name = image["file_name"]
            frames[image["id"]] = {"name": name, "extra": facts, "ignored": polygons, "people": []}
    for i, label in enumerate(page.get("annotations", [])):
        with faults.noted(file, f"annotations[{i}]", "PoseTrack"):
            if label["image_id"] in frames:
                frames[label["image_id"]]["people"].append(_person_2018(label, names))
    return list(frames.values())


def _person_2018(label: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    rows = np.array(label["keypoints"], np.float64).reshape(len(names), 3)
    joints = {
        n: (x, y, SEEN if v > 0 else HIDDEN)
        for n, (x, y, v) in zip(names, rows)
        if n in LANDMARKS and (x, y, v) != (0, 0, 0)
    }
    facts = {k: label[k] for k in ("id", "track_id", "area") if k in label}
    boxes = {"box": _xyxy(label.get("bbox")), "head": _xyxy(label.get("bbox_head"))}
    return {"joints": joints, **boxes, "facts": facts}


def _frames_2017(page: Mapping[str, Any], file: Path, faults: Faults) -> list[dict[str, Any]]:
    frames = []
    for n, entry in enumerate(page["annolist"]):
        with faults.noted(file, f"annolist[{n}]", "PoseTrack"):
            if not (entry.get("is_labeled") or [1])[0]:
                continue
            people = []
            for m, rect in enumerate(entry.get("annorect") or []):
                with faults.noted(file, f"annolist[{n}], annorect[{m}]", "PoseTrack"):
                    people.append(_person_2017(rect))
            regions = entry.get("ignore_regions") or []
            ignored = [[(p["x"][0], p["y"][0]) for p in region["point"]] for region in regions]
            extra = {"frame_id": (entry.get("imgnum") or [n])[0]}
            name = entry["image"][0]["name"]
            frames.append({"name": name, "extra": extra, "ignored": ignored, "people": people})
    return frames


def _person_2017(rect: Mapping[str, Any]) -> dict[str, Any]:
    points = rect["annopoints"][0].get("point", []) if rect.get("annopoints") else []
    joints = {
        NUMBERED[p["id"][0]]: (p["x"][0], p["y"][0], HIDDEN if p.get("is_visible") == [0] else SEEN)
        for p in points
    }
    head = [float(rect[c][0]) for c in ("x1", "y1", "x2", "y2")] if "x1" in rect else None
    facts = {"track_id": rect["track_id"][0]} if "track_id" in rect else {}
    return {"joints": joints, "box": None, "head": head, "facts": facts}


def _xyxy(box: Sequence[float] | None) -> list[float] | None:
    if box is None:
        return None
    x, y, w, h = (float(v) for v in box)
    return [x, y, x + w, y + h]


def _record(frame: Mapping[str, Any], file: Path, images: str | Path | None, number: int) -> Record:
    """A frame as a record; its picture is opened for its size only."""
    up = (
        [Path(images).resolve()]
        if images
        else [p.resolve() for p in (file.parent, *file.resolve().parents[1:4])]
    )
    picture = beside(file.resolve(), frame["name"], up)
    size, people = size_of(picture), frame["people"]
    for what, values in _numbers_of(frame):
        if not (np.abs(values) <= FAR).all():  # neither is NaN
            said = ", ".join(f"{v:g}" for v in values)
            raise DataError(f"{file}: {frame['name']}: {what}: wanted numbers of pixels, got {said}")
    points = np.full((len(people), len(LANDMARKS), 2), np.nan)
    visibility = np.zeros(points.shape[:2], np.uint8)
    for n, person in enumerate(people):
        for name, (x, y, v) in person["joints"].items():
            k = LANDMARKS.index(name)
            points[n, k], visibility[n, k] = (x + 0.5, y + 0.5), v
    boxes = boxes_from(points, size)
    for n, person in enumerate(people):
        if person["box"] is not None and min(np.diff(np.reshape(person["box"], (2, 2)), axis=0)[0]) > 0:
            boxes[n] = person["box"]
    instances = tuple(dict(p["facts"]) | ({"head": p["head"]} if p["head"] else {}) for p in people)
    scores = (visibility > ABSENT).astype(float)
    poses = Poses(POSETRACK17, points, scores, visibility, boxes, np.ones(len(people)))
    crowd = tuple(_crowd(polygon) for polygon in frame["ignored"])
    return Record(picture, size, poses, number, frame["extra"], instances, crowd)


def _numbers_of(frame: Mapping[str, Any]) -> Iterable[tuple[str, list[float]]]:
    """Every place in a frame, with what it is."""
    for polygon in frame["ignored"]:
        yield "ignored region", [v for corner in polygon for v in corner]
    for person in frame["people"]:
        yield from ((name, [x, y]) for name, (x, y, _) in person["joints"].items())
        yield from ((name, person[name]) for name in ("box", "head") if person[name] is not None)


def _crowd(polygon: Sequence[tuple[float, float]]) -> dict[str, Any]:
    """An ignored region in COCO's words."""
    corners = np.array(polygon, np.float64).reshape(-1, 2)
    low, sides = corners.min(0), corners.max(0) - corners.min(0)
    flat = corners.reshape(-1).tolist()
    box = [*low.tolist(), *sides.tolist()]
    return {"iscrowd": 1, "bbox": box, "area": float(sides.prod()), "segmentation": [flat]}
