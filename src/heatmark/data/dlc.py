"""DeepLabCut, read: CollectedData_*.csv, with one row a frame and columns by body part (and by individual).

Its labels are clicked on plots that draw the first pixel around 0 (matplotlib, napari), so they count
pixels from 0 and we count from the edge: + 0.5. An empty cell is a landmark that was not labelled; the
format knows no hidden ones. It has no boxes: they are drawn around the points. Bones come from the
project's config.yaml, if it is there.
"""

from pathlib import Path

import numpy as np

from ..errors import DataError, UserError
from ..types import SEEN, Skeleton
from .faults import Faults, faultless, shaped
from .pictures import poses_of, size_of
from .records import Dataset, Record, read_csv, read_yaml

Instance = dict[str, tuple[float, float, int]]


def read(path: str | Path, category: str | None = None) -> Dataset:
    """A CSV file, or all CollectedData*.csv below a folder (a project, or its labeled-data).

    Args:
        category: what to call the object; the project's Task, or the folder's name, when None.

    Raises:
        UserError: there is no such file. DataError: the file and line, and what is wrong.
    """
    return faultless(examine, path, category)


def examine(path: str | Path, category: str | None, faults: Faults) -> Dataset:
    """The same of what can be read; cells, lines and files with a fault are left out."""
    path = Path(path)
    files = sorted(path.rglob("CollectedData*.csv")) if path.is_dir() else [path]
    if not files or not files[0].is_file():
        raise UserError(
            f"{path}: no CollectedData*.csv (the .h5 beside it holds the same labels and is not read)"
        )
    rows = {}
    for file in files:
        with faults.noted(file, "", "DeepLabCut"):
            rows |= _frames(file, faults)
    names = dict.fromkeys(name for instances in rows.values() for one in instances.values() for name in one)
    if not names:
        raise DataError(f"{path}: no body part is labelled")
    folder = path if path.is_dir() else path.parent
    skeleton = _skeleton(folder, tuple(names), category)
    records = []
    for number, (picture, instances) in enumerate(rows.items(), 1):
        with faults.noted(picture):
            size = size_of(picture)
            labelled = [one for one in instances.values() if any(v for _, _, v in one.values())]
            records.append(Record(picture, size, poses_of(skeleton, labelled, size), number))
    return Dataset(folder, skeleton, tuple(records))


def _frames(file: Path, faults: Faults) -> dict[Path, dict[str, Instance]]:
    """Picture -> individual -> {body part: (x, y, v)} in our pixels."""
    table = read_csv(file)
    head = {row[0]: row for row in table[:4] if row}
    if "bodyparts" not in head or "coords" not in head:
        raise DataError(f"wanted header rows scorer, bodyparts, coords, got {', '.join(head)}")
    coords, parts = head["coords"], head["bodyparts"]
    start = coords.index("x") if "x" in coords else 1  # newer files give the path in three columns
    first = table.index(coords) + 1
    who = head.get("individuals", [""] * len(coords))
    frames: dict[Path, dict[str, Instance]] = {}
    for number, row in enumerate(table[first:], first + 1):
        if not any(row):
            continue
        with faults.noted(file, f"line {number}", "DeepLabCut"):
            if len(row) != len(coords):
                raise DataError(f"wanted {len(coords)} columns, got {len(row)}")
            places: dict[tuple[str, str], dict[str, float]] = {}
            for c in range(start, len(coords)):
                with faults.noted(file, f"line {number}"):
                    places.setdefault((who[c], parts[c]), {})[coords[c]] = _number(row[c], parts[c])
            frame = frames.setdefault(_picture(file, "/".join(p for p in row[:start] if p)), {})
            for (individual, part), at in places.items():
                x, y = at.get("x", np.nan), at.get("y", np.nan)
                there = bool(np.isfinite([x, y]).all())
                frame.setdefault(individual, {})[part] = (x + 0.5, y + 0.5, SEEN if there else 0)
    return frames


def _number(cell: str, part: str) -> float:
    """A cell's, NaN where it is empty. Raises DataError."""
    try:
        return float(cell) if cell.strip() else np.nan
    except ValueError as error:
        raise DataError(f"{part}: {error}") from error


def _picture(file: Path, name: str) -> Path:
    """A frame, which the CSV names from its project's folder. Raises DataError if there is none."""
    name = name.replace("\\", "/")
    for base in (file.parent, *file.parents[1:3]):
        if (base / name).is_file():
            return base / name
    if (file.parent / Path(name).name).is_file():
        return file.parent / Path(name).name
    raise DataError(f"{file}: the frame {name!r} is missing")


def _skeleton(folder: Path, names: tuple[str, ...], category: str | None) -> Skeleton:
    config = next((f for f in (folder / "config.yaml", folder.parent / "config.yaml") if f.is_file()), None)
    settings = {}
    if config is not None:
        settings = read_yaml(config) or {}
    with shaped(str(config), "DeepLabCut"):
        bones = tuple((a, b) for a, b in settings.get("skeleton") or [] if a in names and b in names)
        return Skeleton(category or str(settings.get("Task") or folder.resolve().name), names, bones)
