"""Every format of labelled photographs that is read, by name; and which one a path is in."""

import json
from collections.abc import Callable
from pathlib import Path

from ..errors import UserError, unknown
from . import coco, cvat, dlc, label_studio, labelme, mpii, pascal3d, posetrack, yolo
from .records import Dataset

READERS: dict[str, Callable[[str | Path, str | None], Dataset]] = {
    "coco": coco.read,
    "yolo": yolo.read,
    "cvat": cvat.read,
    "label-studio": label_studio.read,
    "labelme": labelme.read,
    "dlc": dlc.read,
    "posetrack": posetrack.read,
    "mpii": mpii.read,
    "pascal3d": pascal3d.read,
}
LARGE = 50_000_000  # bytes


def read(path: str | Path, form: str | None = None, category: str | None = None) -> Dataset:
    """A dataset in any format.

    Args:
        form: a key of READERS; found from the path and the contents when None.
        category: which class, or what to call the object where the format does not say.

    Raises:
        UserError: no such path or format, or it cannot be told. DataError: what is wrong in the files.
    """
    if form is not None and form not in READERS:
        raise unknown("dataset format", form, READERS)
    return READERS[form or guess(path)](path, category)


def guess(path: str | Path) -> str:
    """The format of a folder or file, a key of READERS. Raises UserError."""
    path = Path(path)
    if path.is_dir():
        return _of_folder(path)
    if not path.is_file():
        raise UserError(f"{path}: there is no such file or folder")
    by_suffix = {".yaml": "yolo", ".yml": "yolo", ".xml": "cvat", ".csv": "dlc", ".mat": "mpii"}
    form = by_suffix.get(path.suffix.lower()) or (_of_json(path) if path.suffix.lower() == ".json" else None)
    if form is None:
        raise UserError(f"{path}: cannot tell the format; say one of: {', '.join(READERS)}")
    return form


def _of_folder(folder: Path) -> str:
    """COCO's file is looked for first, because it is ours; then the others' own."""
    if (folder / "annotations.json").is_file():
        return "coco"
    if (folder / "annotations.xml").is_file():
        return "cvat"
    if any(b"kpt_shape" in f.read_bytes() for e in ("yaml", "yml") for f in sorted(folder.glob(f"*.{e}"))):
        return "yolo"
    if next(folder.glob(mpii.OFFICIAL), None) is not None:
        return "mpii"
    if pascal3d.is_mine(folder):
        return "pascal3d"
    if next(folder.rglob("CollectedData*.csv"), None) is not None:
        return "dlc"
    for file in sorted(folder.rglob("*.json"))[:20]:
        if (form := _of_json(file)) is not None:
            return form
    ours = "no annotations.json (COCO), no YAML with kpt_shape (YOLO), no annotations.xml (CVAT)"
    raise UserError(f"{folder}: no dataset: {ours}, no CSV of DLC, no JSON of labelme or Label Studio")


def _of_json(file: Path) -> str | None:
    """By its top level. A very large one is not parsed twice: only COCO puts everything into one file."""
    if file.stat().st_size > LARGE:
        return "coco"
    try:
        raw = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return None
    if posetrack.is_mine(raw):
        return "posetrack"
    if isinstance(raw, dict):
        return "labelme" if "shapes" in raw else "coco" if "annotations" in raw else None
    return "label-studio" if label_studio.is_mine(raw) else "mpii" if mpii.is_mine(raw) else None
