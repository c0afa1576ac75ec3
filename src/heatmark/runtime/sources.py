"""Where pictures come from, one by one: a file, a folder, a video, a camera, standard input."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ..errors import DataError, UserError
from ..imaging import decode

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".ppm", ".pgm")
VIDEOS = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".mjpeg")
STDIN = "-"
LAST_CAMERA = 2**31 - 1  # OpenCV takes no larger number


@dataclass(frozen=True)
class Shot:
    """One picture and where it came from."""

    name: str  # the path as given, "camera 0", or "stdin"
    frame: int  # 0, 1, ... of a video or camera; 0 for a picture
    picture: np.ndarray  # (H, W, 3) uint8 RGB
    decode_ms: float = 0.0  # what reading and decoding it took
    fps: float | None = None  # of the video or camera it is a frame of; None for a picture


Source = str | Path | bytes | Sequence[str | Path]


def shots(source: Source, report: Callable[[DataError], None] | None = None) -> Iterator[Shot]:
    """Every picture of a source, in order.

    Args:
        source: a picture file or several, a folder (its pictures, sorted by name; other files are passed
            over), a video file, a camera's number ("0"), "-" (one picture on standard input), or a picture's
            bytes.
        report: told of each of many pictures that cannot be read, and the rest goes on. None: the first ends
            it.

    Raises:
        UserError: no such source. DataError: it cannot be read, or a folder holds no picture.
    """
    if isinstance(source, bytes):
        return _bytes(lambda: source, "bytes")
    if not isinstance(source, (str, Path)):
        return _files(_pictures(source), report)
    if str(source) == STDIN:
        if sys.stdin is None:
            raise UserError("- means a picture on standard input, which is closed")
        return _bytes(sys.stdin.buffer.read, "stdin")
    if not str(source):
        raise UserError("the source is an empty text; wanted a picture, folder, video or a camera's number")
    path = Path(source)
    if path.is_dir():
        return _folder(path, report)
    if path.is_file():
        return _video(path) if path.suffix.lower() in VIDEOS else _file(path)
    if str(source).isdecimal():
        return _camera(int(str(source)))
    if "://" in str(source):
        raise UserError(f"{source}: nothing is fetched from the network; save the picture or video first")
    raise UserError(f"{source}: no such picture, folder, video or camera")


def pictures_in(folder: Path) -> list[Path]:
    """The picture files of a folder by their endings, sorted; hidden files and subfolders are passed over."""
    files = (f for f in folder.iterdir() if f.suffix.lower() in PICTURES and not f.name.startswith("."))
    return sorted(f for f in files if f.is_file())


def read(path: Path) -> np.ndarray:
    """A picture file as (H, W, 3) uint8 RGB. Raises UserError if it is not there, DataError if damaged."""
    try:
        return decode(path.read_bytes(), str(path))
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such picture") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error


def _bytes(given: Callable[[], bytes], name: str) -> Iterator[Shot]:
    data, start = given(), time.perf_counter()
    picture = decode(data, name)
    yield Shot(name, 0, picture, _ms_since(start))


def _file(path: Path) -> Iterator[Shot]:
    start = time.perf_counter()
    picture = read(path)
    yield Shot(str(path), 0, picture, _ms_since(start))


def _folder(folder: Path, report: Callable[[DataError], None] | None) -> Iterator[Shot]:
    found = pictures_in(folder)
    if not found:
        within = next((f for f in sorted(folder.iterdir()) if f.is_dir() and pictures_in(f)), None)
        hint = f"; {within} holds some" if within else f"; read are {' '.join(PICTURES)}"
        raise DataError(f"{folder}: no picture in this folder{hint}")
    yield from _files(found, report)


def _pictures(sources: Sequence[str | Path]) -> list[Path]:
    paths = [Path(source) for source in sources]
    if not paths:
        raise UserError("no picture was given")
    for path in paths:
        if not path.is_file() or path.suffix.lower() in VIDEOS:
            what = "a folder" if path.is_dir() else "a video" if path.is_file() else "not there"
            raise UserError(f"{path}: is {what}; of several sources each must be a picture")
    return paths


def _files(paths: Sequence[Path], report: Callable[[DataError], None] | None) -> Iterator[Shot]:
    for path in paths:
        try:
            yield from _file(path)
        except DataError as error:
            if report is None:
                raise
            report(error)


def _video(path: Path) -> Iterator[Shot]:
    if path.stat().st_size == 0:
        raise DataError(f"{path}: the file is empty")
    video = _opened(str(path))
    if video is None:
        raise DataError(f"{path}: not a video that OpenCV can read")
    yield from _frames(video, str(path))


def _camera(number: int) -> Iterator[Shot]:
    camera = _opened(number) if number <= LAST_CAMERA else None
    if camera is None:
        raise UserError(f"camera {number} cannot be opened; is it connected, and free?")
    camera.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # the newest frame, not the oldest one waiting
    yield from _frames(camera, f"camera {number}")


def _opened(what: str | int) -> cv2.VideoCapture | None:
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # our own line says what is wrong
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        capture = cv2.VideoCapture(what)
    finally:
        cv2.utils.logging.setLogLevel(level)
    if capture.isOpened():
        return capture
    capture.release()
    return None


def _frames(capture: cv2.VideoCapture, name: str) -> Iterator[Shot]:
    number, fps = 0, capture.get(cv2.CAP_PROP_FPS)
    fps = fps if np.isfinite(fps) and 1 <= fps <= 1000 else 25.0  # some cameras say 0
    try:
        while True:
            start = time.perf_counter()
            there, frame = capture.read()
            if not there:
                break
            picture = cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
            yield Shot(name, number, picture, _ms_since(start), fps)
            number += 1
    finally:
        capture.release()
    if number == 0:
        raise DataError(f"{name}: not one frame could be read")


def _ms_since(start: float) -> float:
    return (time.perf_counter() - start) * 1e3
