"""Boxes to look into, out of a COCO file: annotations with their images, or a list of results."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..data.boxes import box_of
from ..data.faults import shaped
from ..data.pictures import by_last, namesake
from ..data.records import read_json
from ..errors import DataError, UserError
from ..runtime.sources import Source, pictures_in
from .progress import note


class Boxfile:
    """Those of every picture, by its name."""

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
                if not row.get("iscrowd"):  # of annotations: a region of many is no instance
                    self.boxes.setdefault(name, []).append(box)
        self.names = by_last(self.boxes)
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
        if self.only:
            return next(iter(self.boxes))
        stem = Path(picture).stem
        numbers = (stem, str(int(stem)) if stem.isdecimal() else stem)
        same = namesake(str(Path(picture).absolute()), self.names)
        return same or next((n for n in numbers if n in self.boxes), None)


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
