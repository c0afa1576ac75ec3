"""SKU-110K, read (Goldman et al. 2019): a csv, a line a box: image, x1, y1, x2, y2, class, W, H.

Boxes are measured in pixels from the picture's edge. Some of its pictures are truncated in the published
archive, and some boxes have no area: both are left out and named (see boxed). All boxes are one class.
"""

import csv
from pathlib import Path

import numpy as np

from ..errors import DataError, UserError
from .boxed import gathered, record, skeleton_called
from .pictures import ENDINGS
from .records import Dataset, read_csv

COLUMNS = ("image", "x1", "y1", "x2", "y2", "class", "W", "H")
FILES = "annotations_*.csv"


def is_mine(file: Path) -> bool:
    """Whether a csv's first line begins with a picture or names our columns (DeepLabCut's has another head);
    of one without a line its name says it.
    """
    with open(file, encoding="utf-8", errors="replace") as lines:
        first = next(csv.reader(lines), [])
    return first[0].lower().endswith(ENDINGS) or _is_head(first) if first else file.match(FILES)


def read(path: str | Path, category: str | None = None) -> Dataset:
    """A split: annotations_train.csv, say; the pictures lie in `images` beside it or beside its folder.

    Args:
        path: the csv, or a folder with just one.
        category: what to call the things, "product" when None.

    Raises:
        UserError: there is no such file, or several. DataError: a line that is not of this form, or no
            picture that is.
    """
    file = _file(Path(path))
    rows = read_csv(file)
    by_name: dict[str, list[tuple[int, list[float]]]] = {}
    for at, row in enumerate(rows, 1):
        if row and not (at == 1 and _is_head(row)):
            name, numbers = _numbers(row, f"{file}: line {at}")
            by_name.setdefault(name, []).append((at, numbers))
    if not by_name:
        raise DataError(f"{file}: no line at all")
    folder = _pictures(file, next(iter(by_name)))
    skeleton, found = skeleton_called(category or "product"), []
    for number, (name, lines) in enumerate(by_name.items(), 1):
        table = np.array([numbers for _, numbers in lines])
        where = [f"{file.name}: line {at}" for at, _ in lines]
        (w, h), other = table[0, 4:], (table[:, 4:] != table[0, 4:]).any(1)
        if not np.isfinite([w, h]).all() or other.any():
            n = int(other.argmax())  # the first that differs; where none does, the first
            said = "{:g} x {:g}".format(*table[n, 4:])
            wanted = f"that of {where[0]}, {w:g} x {h:g}" if n else "finite numbers"
            found.append((None, [f"{where[n]}: W and H of {name}: wanted {wanted}, got {said}"]))
            continue
        found.append(
            record(folder / name, table[:, :4], where.__getitem__, skeleton, number, (int(h), int(w)))
        )
    return gathered(file.parent, skeleton, found, file)


def _file(path: Path) -> Path:
    if path.is_file():
        return path
    files = sorted([*path.glob(FILES), *path.glob(f"annotations/{FILES}")]) if path.is_dir() else []
    if len(files) == 1:
        return files[0]
    if files:
        raise UserError(f"{path}: several splits, say which: {', '.join(str(f) for f in files)}")
    raise UserError(f"{path}: no {FILES} of SKU-110K")


def _is_head(row: list[str]) -> bool:
    return [name.strip().lower() for name in row[1:5]] == list(COLUMNS[1:5])


def _numbers(row: list[str], where: str) -> tuple[str, list[float]]:
    """The picture's name and x1, y1, x2, y2, W, H. Raises DataError."""
    if len(row) != len(COLUMNS):
        raise DataError(f"{where}: wanted the columns {', '.join(COLUMNS)}, got {len(row)} of these 8")
    numbers = []
    for column, value in zip((*COLUMNS[1:5], *COLUMNS[6:]), (*row[1:5], *row[6:])):
        try:
            numbers.append(float(value))
        except ValueError:
            raise DataError(f"{where}: {column}: wanted a number, got {value!r}") from None
    return row[0], numbers


def _pictures(file: Path, name: str) -> Path:
    """The folder of the pictures, found by the first."""
    folders = [file.parent / "images", file.parent.parent / "images", file.parent]
    return next((f for f in folders if (f / name).is_file()), folders[0])
