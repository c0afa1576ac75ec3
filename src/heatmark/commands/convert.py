"""`heatmark convert SOURCE TARGET`: labelled photographs of any format, as COCO or YOLO-pose; and a published
network's weights as a model of ours (commands/published_model).
"""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ..data import Dataset, Record, coco, formats, yolo
from ..data.records import aside, read_bytes
from ..errors import DataError, UserError, unknown
from ..imaging import decode
from . import progress

WRITERS = {"coco": coco.write, "yolo": yolo.write}


@dataclass(frozen=True)
class Converted:
    """What was read and where it was written."""

    source: str
    out: str
    read_as: str
    written_as: str
    pictures: int
    instances: int
    landmarks: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The `--json` form."""
        return asdict(self) | {"landmarks": list(self.landmarks)}


def convert(
    source: str | Path,
    target: str | Path,
    *,
    to: str = "coco",
    form: str | None = None,
    category: str | None = None,
) -> Converted:
    """Copy a dataset into another format, pictures and all.

    Args:
        source: a folder or file in any format we read (data.formats.READERS).
        target: a folder that is not there yet, or is empty. It is there whole in the end, or not at all.
        to: "coco" (our own) or "yolo".
        form: the source's format, a key of data.formats.READERS; found out when None.
        category: which class of the source, or what to call the object where the format does not say.

    Raises:
        UserError: no such source or format, or a target in use. DataError: what is wrong in the source.
    """
    if to not in WRITERS:
        raise unknown("format to write", to, WRITERS)
    target = Path(target)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UserError(f"{target}: is there already, and not empty; choose another folder")
    place = target.resolve()
    if place == Path.cwd():
        raise UserError(f"{target}: is the folder you are in, which is replaced; name one inside it")
    read_as = form or formats.guess(source)
    dataset = formats.read(source, read_as, category)
    with aside(place) as part:
        try:
            records = _copied(dataset, part, planes=to == "coco")
            WRITERS[to](part, dataset.skeleton, records)
        except DataError as error:  # of a record that cannot be written, by the name it would have had
            raise DataError(str(error).replace(str(part), str(target))) from error
        if place.exists():
            place.rmdir()
        part.rename(place)
    instances = sum(len(r.poses) for r in records)
    landmarks = dataset.skeleton.landmarks
    return Converted(str(source), str(target), read_as, to, len(records), instances, landmarks)


def _copied(dataset: Dataset, folder: Path, planes: bool) -> list[Record]:
    """The records with their pictures copied into the folder's `images`, under names that are theirs alone;
    and with `planes` their masks and depths beside them."""
    (folder / "images").mkdir(parents=True)
    taken: set[str] = set()
    records = []
    for record in progress.track(dataset.records, label="copying"):
        data = read_bytes(record.path)
        decode(data, str(record.path))  # a broken one is named here, not in training
        name = _free(record.path, taken)
        taken.add(Path(name).stem.lower())
        (folder / "images" / name).write_bytes(data)
        for plane, copy in coco.planes_of(name, folder):
            if planes and (file := getattr(record, plane)) is not None:
                copy.parent.mkdir(exist_ok=True)
                copy.write_bytes(read_bytes(file))
        records.append(replace(record, path=folder / "images" / name))
    return records


def _free(path: Path, taken: set[str]) -> str:
    """A picture's own name; where it is taken, with its folders' names before it, then with a number behind.

    Two pictures that differ in the ending only would share a label file, so it is the stem that must be free.
    """
    parents = [p for p in path.parts[:-1] if p not in ("/", "images")]
    for n in range(3):
        name = "_".join([*parents[len(parents) - n :], path.name])
        if Path(name).stem.lower() not in taken:
            return name
    return next(
        name
        for n in range(2, 1 << 30)
        if Path(name := f"{path.stem}_{n}{path.suffix}").stem.lower() not in taken
    )
