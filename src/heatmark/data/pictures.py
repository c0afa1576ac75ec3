"""What formats of mere labels leave to us: where the pictures lie, how large they are, and the boxes."""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from ..errors import DataError
from ..geometry import boxes_around
from ..types import Poses, Skeleton

ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
FAR = 1e6  # pixels from a picture's corner: what a file puts farther out is no place
TURNED = (5, 6, 7, 8)  # EXIF orientations that swap width and height


def numbers(given: Any, count: int) -> np.ndarray:
    """(count,) float64 of what a file holds; all NaN where it is anything else.

    >>> numbers([1, 2.5], 2).tolist(), numbers("12", 2).tolist(), numbers([1, 10**400], 2).tolist()
    ([1.0, 2.5], [nan, nan], [nan, nan])
    """
    try:
        row = np.array(given, np.float64)
    except (TypeError, ValueError, OverflowError):
        return np.full(count, np.nan)
    return row if row.shape == (count,) else np.full(count, np.nan)


def size_of(path: Path) -> tuple[int, int]:
    """(H, W) of a picture as it is shown, EXIF applied, read from its header. Raises DataError."""
    try:
        with Image.open(path) as picture:
            tiff = isinstance(picture, TiffImageFile)  # whose size newer Pillows say as it is shown
            w, h = (picture.tag_v2[256], picture.tag_v2[257]) if tiff else picture.size
            told = tiff or "exif" in picture.info  # getexif() unpacks a PNG that has none
            return (w, h) if told and picture.getexif().get(0x0112) in TURNED else (h, w)
    except FileNotFoundError as error:
        raise DataError(f"{path}: the picture is missing") from error
    except (OSError, Image.DecompressionBombError, SyntaxError, ValueError, KeyError) as error:
        raise DataError(f"{path}: not a picture, or a damaged one") from error


def beside(file: Path, name: str, folders: Iterable[Path | str] = ("", "images")) -> Path:
    """The picture that an annotation file calls `name`: where it says, or by its last part near the file.

    Names are often another machine's full paths, or URLs, or have an upload's "1a2b3c4d-" in front.
    Raises DataError if there is none.
    """
    last = re.split(r"[\\/=]", name)[-1]
    tries = [name, last, re.sub(r"^[0-9a-f]{8}-", "", last)]
    relative = [t for t in dict.fromkeys(tries) if t and "://" not in t and not Path(t).is_absolute()]
    for folder in folders:
        for each in relative:
            if ".." not in Path(each).parts and (file.parent / folder / each).is_file():
                return file.parent / folder / each
    raise DataError(f"{file}: the picture {last!r} is neither beside it nor in its folder images")


def by_last(names: Iterable[str]) -> dict[str, list[str]]:
    """Names or paths of pictures by their last parts, for `namesake`."""
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(_parts(name)[-1], []).append(name)
    return found


def namesake(name: str, known: Mapping[str, Sequence[str]]) -> str | None:
    """Of the pictures `known` (`by_last`) that are called like the last part of `name`, the one in whose path
    most folders before it are the same, and fewest others; None where there is none, or no telling.

    >>> namesake("/photos/b/1.jpg", by_last(["a/1.jpg", "b/1.jpg", "2.jpg"]))
    'b/1.jpg'
    """
    mine = _parts(name)[::-1]

    def rank(other: str) -> tuple[int, int]:
        its = _parts(other)[::-1]
        return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(mine, its))), -len(its)

    found = sorted(known.get(mine[0], ()), key=rank, reverse=True)
    tie = len(found) > 1 and rank(found[0]) == rank(found[1])
    return None if tie or not found else found[0]


def _parts(name: str) -> list[str]:
    return re.split(r"[\\/]", name)


def apart(box: Sequence[float] | np.ndarray, size: tuple[int, int]) -> bool:
    """Whether a box x1 y1 x2 y2 and a picture (H, W) have nothing in common; not of one that is NaN.

    >>> apart([10, 0, 20, 5], (8, 10)), apart([9, 0, 20, 5], (8, 10))
    (True, False)
    """
    x1, y1, x2, y2 = (float(v) for v in box)
    return x1 >= size[1] or y1 >= size[0] or x2 <= 0 or y2 <= 0


def boxes_from(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Boxes (N, 4) for labels (N, K, 2) without any: around the points, wider all round by a tenth of the
    longer side (at least 4 px), inside the picture (H, W). NaN where no point is.

    >>> boxes_from(np.array([[[10.0, 20.0], [60.0, 30.0]]]), (32, 100)).tolist()
    [[5.0, 15.0, 65.0, 32.0]]
    """
    tight = boxes_around(points)
    margin = np.maximum((tight[:, 2:] - tight[:, :2]).max(-1, keepdims=True) * 0.1, 4)
    wide = np.concatenate([tight[:, :2] - margin, tight[:, 2:] + margin], -1)
    return np.clip(wide, 0, [size[1], size[0], size[1], size[0]])


def poses_of(
    skeleton: Skeleton,
    instances: Sequence[dict[str, tuple[float, float, int]]],
    size: tuple[int, int],
    boxes: Sequence[Sequence[float] | None] | None = None,
) -> Poses:
    """Labels by name, {landmark: (x, y, visibility)} an instance -> Poses; what is missing is absent."""
    points = np.full((len(instances), len(skeleton), 2), np.nan)
    visibility = np.zeros(points.shape[:2], np.uint8)
    for n, instance in enumerate(instances):
        for name, (x, y, v) in instance.items():
            k = skeleton.index(name)
            visibility[n, k] = v
            if v:
                points[n, k] = x, y
    found = boxes_from(points, size)
    for n, box in enumerate(boxes or ()):
        if box is not None:
            found[n] = box
    return Poses(
        skeleton, points, (visibility == 2).astype(float), visibility, found, np.ones(len(instances))
    )
