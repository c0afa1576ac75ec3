"""Overlays in a folder: a JPEG for a picture, one video for the frames of a video or camera."""

from itertools import chain, count
from pathlib import Path

import cv2
import numpy as np

from ..data.records import write_whole
from ..errors import DataError, UserError
from ..imaging import encode_jpeg
from ..runtime import Shot
from ..runtime.sources import Source


def folder_for(out: Path, source: Source) -> Path:
    """The folder for overlays, made; never one that the pictures are in."""
    if not isinstance(source, bytes) and out.exists():
        given = [Path(source)] if isinstance(source, (str, Path)) else [Path(one) for one in source]
        homes = {path if path.is_dir() else path.parent for path in given if path.exists()}
        if any(out.samefile(home) for home in homes):
            raise UserError(f"{out}: the overlays would lie among the pictures; say another folder")
    out.mkdir(parents=True, exist_ok=True)
    return out


class Overlays:
    """Writes them as they come; `close` ends the video."""

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
