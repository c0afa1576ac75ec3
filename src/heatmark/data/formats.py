"""Every format of labelled photographs that is read, by name; and which one a path is in."""

from collections.abc import Callable
from pathlib import Path

from ..errors import DataError, UserError, unknown
from . import boxed, coco, cvat, dlc, label_studio, labelme, mpii, pascal3d, posetrack, sku110k, yolo
from .faults import Examine, Faults, examined
from .records import Dataset, read_json

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
    "sku110k": sku110k.read,
    "coco-boxes": boxed.read_coco,
    "yolo-boxes": boxed.read_yolo,
}
EXAMINERS: dict[str, Examine] = {
    "yolo": yolo.examine,
    "cvat": cvat.examine,
    "label-studio": label_studio.examine,
    "labelme": labelme.examine,
    "dlc": dlc.examine,
    "posetrack": posetrack.examine,
    "mpii": mpii.examine,
    "pascal3d": pascal3d.examine,
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


def judged(path: str | Path, form: str) -> tuple[Dataset | None, Faults]:
    """What can be read in a format, and every fault that its reader comes upon. (Of boxes the reader itself
    goes on, and says what it left out in `Dataset.info`.)

    Raises a UserError where there is no such dataset.
    """
    return examined(EXAMINERS.get(form, lambda path, category, _: READERS[form](path, category)), path)


def guess(path: str | Path) -> str:
    """The format of a folder or file, a key of READERS. Raises UserError."""
    path = Path(path)
    if path.is_dir():
        return _of_folder(path)
    if not path.is_file():
        raise UserError(f"{path}: there is no such file or folder")
    by_suffix = {
        ".yaml": _of_yaml, ".yml": _of_yaml, ".csv": _of_csv, ".json": _of_json,
        ".xml": lambda file: "cvat", ".mat": lambda file: "mpii",
    }  # fmt: skip
    look = by_suffix.get(path.suffix.lower())
    if (form := look(path) if look else None) is None:
        said = "its format cannot be told; `heatmark convert` takes one of these with --from"
        raise UserError(f"{path}: {said}: {', '.join(READERS)}")
    return form


def _of_folder(folder: Path) -> str:
    """COCO's file is looked for first, because it is ours; then the others' own."""
    if (folder / "annotations.json").is_file():
        return _of_coco(folder / "annotations.json")
    if (folder / "annotations.xml").is_file():
        return "cvat"
    described = [_of_yaml(f) for e in ("yaml", "yml") for f in sorted(folder.glob(f"*.{e}"))]
    if "yolo" in described:
        return "yolo"
    if next(folder.glob(mpii.OFFICIAL), None) is not None:
        return "mpii"
    if pascal3d.is_mine(folder):
        return "pascal3d"
    if next(folder.rglob("CollectedData*.csv"), None) is not None:
        return "dlc"
    if "yolo-boxes" in described:
        return "yolo-boxes"
    if any(next(folder.glob(where), None) for where in (sku110k.FILES, f"annotations/{sku110k.FILES}")):
        return "sku110k"
    for file in sorted(folder.rglob("*.json"))[:20]:
        if (form := _of_json(file)) is not None:
            return form
    ours = "no annotations.json (COCO), no YAML with kpt_shape (YOLO), no annotations.xml (CVAT)"
    raise UserError(f"{folder}: no dataset: {ours}, no CSV of DLC, no JSON of labelme or Label Studio")


def _of_coco(file: Path) -> str:
    """Of boxes alone if it names no keypoint at all, and has boxes."""
    raw = file.read_bytes()
    return "coco-boxes" if b'"bbox"' in raw and b'"keypoints"' not in raw else "coco"


def _of_yaml(file: Path) -> str | None:
    """YOLO's poses have a kpt_shape, its boxes a split; a YAML with neither is another program's."""
    raw = file.read_bytes()
    return "yolo" if b"kpt_shape" in raw else "yolo-boxes" if b"train:" in raw else None


def _of_csv(file: Path) -> str:
    return "sku110k" if sku110k.is_mine(file) else "dlc"


def _of_json(file: Path) -> str | None:
    """By its top level. A very large one is not parsed twice: only COCO puts everything into one file."""
    if file.stat().st_size > LARGE:
        return "coco"
    try:
        raw = read_json(file)
    except DataError:
        return None
    if posetrack.is_mine(raw):
        return "posetrack"
    if isinstance(raw, dict):
        return "labelme" if "shapes" in raw else _of_coco(file) if "annotations" in raw else None
    return "label-studio" if label_studio.is_mine(raw) else "mpii" if mpii.is_mine(raw) else None
