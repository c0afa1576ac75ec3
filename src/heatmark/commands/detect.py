"""heatmark detect: a picture, folder, video or camera in; points out, one JSON line a picture, and
overlays."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..data.boxes import box_of
from ..data.faults import shaped
from ..data.records import read_json, write_whole
from ..errors import DataError, UserError
from ..imaging import encode_jpeg
from ..runtime import Detector, Latency, Shot, boxed, load, overlay, people, shots
from ..runtime.dense import DensePredictor
from ..runtime.detector import SecondLook
from ..runtime.sources import Source, pictures_in
from ..skeletons import PRODUCT
from ..types import ABSENT, Poses
from . import person_detector
from .progress import note


@dataclass(frozen=True)
class Detection:
    """What was found in one picture or frame."""

    source: str
    frame: int
    size: tuple[int, int]  # (H, W) of the picture
    model: str
    poses: Poses  # NaN where a point scored below the threshold
    latency: Latency

    def to_dict(self) -> dict[str, Any]:
        """The stable form for scripts: no NaN, null instead."""
        instances = [
            {
                "score": _number(self.poses.score[i]),
                "box": [_number(v) for v in box] if np.isfinite(box).all() else None,
                "points": self._points(i),
            }
            for i, box in enumerate(self.poses.boxes)
        ]
        return {
            "source": self.source,
            "frame": self.frame,
            "size": list(self.size),
            "model": self.model,
            "instances": instances,
            "latency_ms": self.latency.to_dict(),
        }

    def _points(self, i: int) -> dict[str, dict[str, float | int | None]]:
        return {
            name: {
                "x": _number(self.poses.points[i, k, 0]),
                "y": _number(self.poses.points[i, k, 1]),
                "score": _number(self.poses.scores[i, k]),
                "visibility": int(self.poses.visibility[i, k]),
            }
            for k, name in enumerate(self.poses.skeleton.landmarks)
        }

    def __str__(self) -> str:
        place = f"{self.source} frame {self.frame}" if self.frame else self.source
        # a model of boxes has no points, whatever its things are called
        boxes = len(self.poses) and self.poses.skeleton.landmarks == PRODUCT.landmarks
        words = (_words(self.poses, i) for i in range(len(self.poses)))
        found = f"{len(self.poses)} boxes" if boxes else "; ".join(words) or "nothing found"
        ms = self.latency
        return f"{place}: {found}  ({ms.decode:.1f} + {ms.network:.1f} + {ms.points:.1f} ms)"


def detect(
    source: Source | int,
    model: str | Path | Detector,
    *,
    boxes: str | Path | None = None,
    second_look: bool = False,
    engine: str = "auto",
    out: str | Path | None = None,
    limit: int | None = None,
    threshold: float = 0.0,
    tiles: bool = False,
) -> Iterator[Detection]:
    """Find the points in every picture of a source, one Detection at a time, as they come.

    Args:
        source: a picture or several, a folder, a video, a camera's number, "-" (standard input), or a
            picture's bytes.
        model: a shipped detector's name, a model file, or what load() gave.
        boxes: COCO annotations or results; look only inside these boxes, enlarged by the card's quarter, one
            instance each, in the file's order. A picture the file has no box for gives no instance.
            "detector", or "detector:FILE" with its weights: inside the boxes of torchvision's person
            detector.
        second_look: look again until an answer can be believed; closer only in frames of a video or camera.
        out: a folder for overlays: NAME.jpg for a picture, NAME.mp4 for a video or camera.
        limit: stop after so many pictures or frames.
        threshold: points that score less are left out (NaN, in JSON null); of a model of boxes: boxes.
        tiles: of a model of boxes: look at large pictures part by part, too.

    Raises:
        UserError, DataError: a model, source or box file that cannot be used. Of many pictures one that
            cannot be read is passed over; after the last one a DataError names those that were.
    """
    if isinstance(source, int):  # a camera's number
        source = str(source)
    if not isinstance(source, (str, Path, bytes, list, tuple)):
        wanted = "a path or several, a camera's number or a picture's bytes"
        raise UserError(f"wanted {wanted}, got {type(source).__name__}; what load() gives takes arrays")
    if not 0 <= threshold <= 1 or (limit is not None and limit < 1):
        raise UserError(f"wanted a threshold in [0, 1] and a limit >= 1, got {threshold} and {limit}")
    predictor = load(model, engine) if isinstance(model, (str, Path)) else model
    given = None if boxes is None else _looks(str(boxes), source)
    faults: list[DataError] = []

    def report(error: DataError) -> None:
        faults.append(error)
        note(str(error), fault=True)

    incoming = shots(source, report)
    folder = None if out is None else _folder(Path(out), source)
    return _detections(incoming, predictor, given, second_look, folder, limit, threshold, faults, tiles)


def _detections(
    incoming: Iterator[Shot],
    predictor: Detector,
    given: Callable[[Shot], np.ndarray] | None,
    second_look: bool,
    out: Path | None,
    limit: int | None,
    threshold: float,
    faults: list[DataError],
    tiles: bool,
) -> Iterator[Detection]:
    pictures, overlays = 0, Overlays(out) if out else None
    try:
        for shot in incoming:
            where = None if given is None else given(shot)
            again: SecondLook = "live" if second_look and shot.fps is not None else second_look
            dense = isinstance(predictor, DensePredictor)
            found = (
                predictor.look(shot.picture, tiles)
                if dense and not (where is not None or second_look)
                else None
            )
            poses = predictor.poses(found.boxes) if dense and found else predictor(shot.picture, where, again)
            for line in [] if found is None else found.limits(predictor.card.decoding, threshold):
                note(f"{shot.name}: {line}")
            latency = replace(predictor.latency, decode=shot.decode_ms)
            poses = above(poses, threshold, predictor)
            if overlays:
                if found is not None:
                    drawn = boxed(shot.picture, poses, found.map)
                else:
                    drawn = (people if predictor.card.task == "crowd" else overlay)(shot.picture, poses)
                overlays.add(shot, drawn)
            size = (shot.picture.shape[0], shot.picture.shape[1])
            pictures += 1
            yield Detection(shot.name, shot.frame, size, predictor.name, poses, latency)
            if limit is not None and pictures >= limit:
                break
    finally:
        if overlays:
            overlays.close()
    if faults:
        many = f", and {len(faults) - 1} more" if faults[1:] else ""  # each has had its line already
        raise DataError(
            f"{len(faults)} of {pictures + len(faults)} pictures could not be read: {faults[0]}{many}"
        )


def _looks(boxes: str, source: Source) -> Callable[[Shot], np.ndarray]:
    """A picture -> the boxes (N, 4) to look into."""
    if person_detector.wanted(boxes):
        detector = person_detector.opened(boxes)
        return lambda shot: detector([shot.picture])[0].boxes
    file = Boxfile(Path(boxes), source)
    return lambda shot: file.of(shot.name)


def above(poses: Poses, threshold: float, predictor: Detector) -> Poses:
    """Without the points that score less (NaN, and absent); of a model of boxes, without the boxes."""
    if threshold <= 0:
        return poses
    if isinstance(predictor, DensePredictor):
        return poses[poses.score >= threshold]
    low = poses.scores < threshold
    points = np.where(low[..., None], np.nan, poses.points)
    return replace(poses, points=points, visibility=np.where(low, ABSENT, poses.visibility))


class Boxfile:
    """Boxes by picture, out of a COCO file: annotations with their images, or a list of results."""

    def __init__(self, path: Path, source: Source):
        self.path = path
        raw = _json(path)
        if isinstance(raw, dict) and isinstance(raw.get("images"), list):
            rows, names = raw.get("annotations"), _names(path, raw["images"])
        else:
            rows, names = raw, _names_beside(source)
        if not isinstance(rows, list):
            raise DataError(f"{path}: wanted COCO annotations (images, annotations) or a list of results")
        self.boxes: dict[str, list[list[float]]] = {name: [] for name in (names or {}).values()}
        with shaped(str(path), "COCO"):
            for i, row in enumerate(rows):
                name, box = _row(path, i, row, names)
                self.boxes.setdefault(name, []).append(box)
        many = _many(source)
        self.only = names is None and len(self.boxes) == 1 and not many  # results for the one picture given
        self.known_some = any(self._key(str(picture)) for picture in many)

    def of(self, picture: str) -> np.ndarray:
        """(N, 4) x1 y1 x2 y2 of a picture by its path, in the file's order.

        None at all for a picture it does not speak of, if it does of others of the source; else a UserError.
        """
        key = self._key(picture)
        if key is None:
            some = ", ".join(list(self.boxes)[:3]) + (", ..." if len(self.boxes) > 3 else "")
            says = f"{self.path}: says nothing of {picture}; it speaks of {some or 'no picture'}"
            if not self.known_some:
                raise UserError(says)
            note(says)
        return np.array(self.boxes.get(key or "", []), np.float64).reshape(-1, 4)

    def _key(self, picture: str) -> str | None:
        """Which of the file's pictures a path is: by its name, or by its number where the file has numbers
        only."""
        file = Path(picture)
        stem = str(int(file.stem)) if file.stem.isdecimal() else file.stem
        same = (n for n in self.boxes if self.only or Path(n).name == file.name or n in (file.stem, stem))
        return next(same, None)


def _json(path: Path) -> Any:
    if not path.is_file():
        raise UserError(f"{path}: no such box file")
    return read_json(path)


def _names(path: Path, images: list[Any]) -> dict[Any, str]:
    """File names by image id."""
    try:
        return {image["id"]: str(image["file_name"]) for image in images}
    except (KeyError, TypeError) as error:
        raise DataError(f"{path}: every image needs an id and a file_name ({error})") from error


def _names_beside(source: Source) -> dict[Any, str] | None:
    """What a results file leaves out: the names by id, from an annotations.json beside the pictures if
    any."""
    if isinstance(source, bytes):
        return None
    path = Path(source if isinstance(source, (str, Path)) else source[0])
    for folder in (path, path.parent, path.parent.parent):
        if (file := folder / "annotations.json").is_file():
            raw = _json(file)
            return _names(file, raw["images"]) if isinstance(raw, dict) and "images" in raw else None
    return None


def _row(path: Path, i: int, row: Any, names: dict[Any, str] | None) -> tuple[str, list[float]]:
    """A row's picture (its name, or its id as text) and box x1 y1 x2 y2."""
    if not isinstance(row, dict) or "image_id" not in row or "bbox" not in row:
        raise DataError(f"{path}: entry {i}: wanted an object with image_id and bbox")
    if names is not None and row["image_id"] not in names:
        raise DataError(f"{path}: entry {i}: no image has the id {row['image_id']!r}")
    name = str(row["image_id"]) if names is None else names[row["image_id"]]
    return name, box_of(row, f"{path}: entry {i}")[:4]


def _many(source: Source) -> Sequence[str | Path]:
    """The pictures of a source that has many; none of one picture, of a video or a camera."""
    if isinstance(source, bytes):
        return ()
    if not isinstance(source, (str, Path)):
        return source
    return pictures_in(Path(source)) if Path(source).is_dir() else ()


def _folder(out: Path, source: Source) -> Path:
    """The folder for overlays, made; never one that the pictures are in."""
    if not isinstance(source, bytes) and out.exists():
        given = [Path(source)] if isinstance(source, (str, Path)) else [Path(one) for one in source]
        homes = {path if path.is_dir() else path.parent for path in given if path.exists()}
        if any(out.samefile(home) for home in homes):
            raise UserError(f"{out}: the overlays would lie among the pictures; say another folder")
    out.mkdir(parents=True, exist_ok=True)
    return out


class Overlays:
    """Writes overlays into a folder: a JPEG for a picture, one video for the frames of a video or camera."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.video: cv2.VideoWriter | None = None
        self.frames, self.film = 0, folder  # how many are in the video, and its file in the end
        self.taken: set[Path] = set()

    def add(self, shot: Shot, drawn: np.ndarray) -> None:
        if shot.fps is None:
            name, stem = Path(shot.name).name, Path(shot.name).stem
            names = chain(
                (stem, name), (f"{stem}-{k}" for k in count(2))
            )  # a.jpg and a.png; x/a.jpg and y/a.jpg
            path = next(p for n in names if (p := self.folder / f"{n}.jpg") not in self.taken)
            self.taken.add(path)
            write_whole(path, encode_jpeg(drawn))
            return
        h, w = drawn.shape[0] // 2 * 2, drawn.shape[1] // 2 * 2  # players want even sizes
        if self.video is None:
            self.film = self.folder / f"{Path(shot.name).stem.replace(' ', '_')}.mp4"
            # Of a frame that it cannot write OpenCV says a line each; close() says one for all.
            self.said = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
            part = str(self._part)
            self.video = cv2.VideoWriter(part, cv2.VideoWriter.fourcc(*"mp4v"), shot.fps, (w, h))
            if not self.video.isOpened():
                raise UserError(f"{self.film}: this OpenCV cannot write videos here")
        self.video.write(cv2.cvtColor(drawn[:h, :w], cv2.COLOR_RGB2BGR))
        self.frames += 1

    @property
    def _part(self) -> Path:
        """The video while it is written; by its ending OpenCV knows the format."""
        return self.film.with_name(f".{self.film.stem}.part{self.film.suffix}")

    def close(self) -> None:
        """Ends the video and gives it its name. Raises a DataError if it is not whole, of which OpenCV says
        nothing.
        """
        if self.video is None:
            return
        self.video.release()
        cv2.utils.logging.setLogLevel(self.said)
        written = cv2.VideoCapture(str(self._part))
        there = max(int(written.get(cv2.CAP_PROP_FRAME_COUNT)), 0)  # -1 where nothing can be opened
        written.release()
        if there >= self.frames:
            self._part.replace(self.film)
        else:
            self._part.unlink(missing_ok=True)
            raise DataError(
                f"{self.film}: only {there} of {self.frames} frames were written; is the disk full?"
            )


def _number(value: Any) -> float | None:
    """For JSON: 4 decimals, None for what is not finite."""
    return round(float(value), 4) if np.isfinite(value) else None


def _words(poses: Poses, i: int) -> str:
    """One instance in words.

    >>> from heatmark.types import Skeleton
    >>> tool = Skeleton("tool", ("tip", "end"))
    >>> _words(Poses(tool, np.array([[[3.14, 2.0], [np.nan, np.nan]]])), 0)
    'tip 3.1,2.0 (1.00), end not found'
    """
    words = []
    for k, name in enumerate(poses.skeleton.landmarks):
        (x, y), score = poses.points[i, k], poses.scores[i, k]
        words.append(f"{name} {x:.1f},{y:.1f} ({score:.2f})" if np.isfinite(x + y) else f"{name} not found")
    return ", ".join(words)
