"""The folder of a rendered dataset: begun with a plan, noted picture by picture, folded into annotations at
the end.

A picture is written whole, and only then noted in a journal (one JSON line a picture); the journals of all
parts become annotations.json. So a folder that was killed ten times holds the same bytes as one that was not.
"""

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from ..data import coco
from ..data.records import Record, locked, read_bytes, sample, write_whole
from ..errors import DataError, UserError
from ..imaging import encode_jpeg
from ..runtime.draw import contact_sheet, overlay
from ..types import Poses, Sample, Skeleton
from .progress import note

SHOWN = 40  # pictures on the contact sheet


@dataclass(frozen=True)
class Plan:
    """Everything the pictures depend on, and nothing else: two runs with one plan make the same bytes."""

    scene: dict[str, Any]  # SceneSettings
    sources: dict[str, str]  # objects and clutter that are files: a digest of each
    seed: int
    size: tuple[int, int]
    samples: int
    method: str
    copies: int
    variant: str
    format: str
    planes: bool

    @property
    def each(self) -> int:
        """Pictures for one index."""
        return 1 + self.copies if self.method == "render" else 1


def differences(old: Mapping[str, Any], new: Mapping[str, Any], path: str = "") -> list[str]:
    """What is not the same, with both values, by the path of the field."""
    found = []
    for key in dict.fromkeys([*old, *new]):
        a, b = old.get(key), new.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            found += differences(a, b, f"{path}{key}.")
        elif a != b:
            found.append(f"{path}{key} was {a!r}, is {b!r}")
    return found


def begun(out: Path) -> dict[str, Any] | None:
    """The card of a folder that an earlier run began; None for a new one; else a UserError."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return None
    if not out.is_dir():
        raise UserError(f"{out}: is a file, not a folder")
    card = out / "card.json"
    if not card.is_file():
        strangers = [p.name for p in out.iterdir() if not p.name.endswith(".part") and not _bare(p)]
        if not strangers:
            return None  # killed, or the disk full, before its first file was whole
        raise UserError(
            f"{out}: the folder holds other things ({strangers[0]} ...); take an empty or a new one"
        )
    try:
        read = json.loads(read_bytes(card))
        return read if {"plan", "versions"} <= set(read) else _not_a_card(card)
    except (ValueError, TypeError):
        return _not_a_card(card)


def _bare(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())


def _not_a_card(card: Path) -> Any:
    raise DataError(f"{card}: not the card of a rendered dataset; remove the folder or take another")


def begin(out: Path, plan: Plan, card: dict[str, Any] | None) -> None:
    from ..synth.settings import SceneSettings, to_yaml

    for name in ("images", *(("masks", "depth") if plan.planes else ())):
        (out / name).mkdir(parents=True, exist_ok=True)
    if card is None:
        _write_card(out, plan, None, {})
    elif card["versions"] != _versions():
        then, now = card["versions"], _versions()
        note(f"{out}: begun with {then}, goes on with {now}; pictures may differ in their last bits")
    if not (out / "scene.yaml").exists():  # after the card, which tells a killed folder from a stranger
        write_whole(out / "scene.yaml", to_yaml(SceneSettings.model_validate(plan.scene)).encode())


@contextmanager
def journal(out: Path, part: int, parts: int) -> Iterator[TextIO]:
    """This part's journal, for adding to.

    A line that was cut off by a crash is taken away first; when all has gone well the lines are put in order.
    Raises a UserError if another process has it open.
    """
    path = out / "journal" / f"{part}-of-{parts}.jsonl"
    path.parent.mkdir(exist_ok=True)
    path.touch()
    with locked(path) as mine, open(path, "a+b") as raw:
        if not mine:
            raise UserError(f"{out}: another process renders this part of the folder")
        raw.seek(0)
        raw.truncate(raw.read().rfind(b"\n") + 1)
        with open(path, "a", encoding="utf-8") as adding:
            yield adding
        lines = [json.dumps(entry) for entry in _read(path)]
        if (tidy := "".join(line + "\n" for line in lines).encode()) != read_bytes(path):
            write_whole(path, tidy, alone=True)


@contextmanager
def alone(out: Path) -> Iterator[None]:
    """While the whole folder's files are written other parts wait. A killed one's unfinished files go."""
    with locked(out, wait=True):
        for left in out.glob(".*.part"):
            left.unlink()
        yield


def entries(out: Path) -> dict[int, dict[str, Any]]:
    """Picture number -> its line, from all journals, in order."""
    found = {}
    for path in sorted((out / "journal").glob("*.jsonl")):
        found.update({entry["number"]: entry for entry in _read(path)})
    return dict(sorted(found.items()))


def _read(path: Path) -> list[dict[str, Any]]:
    """A journal's lines in order of their numbers, the last of each. One that is not whole is passed over."""
    found = {}
    for text in read_bytes(path).splitlines(keepends=True):
        if text.endswith(b"\n"):
            try:
                entry = json.loads(text)
                found[entry["number"]] = entry
            except (ValueError, KeyError, TypeError) as error:
                raise DataError(f"{path}: a damaged line: {text[:60]!r}") from error
    return [found[number] for number in sorted(found)]


def finished(out: Path, plan: Plan) -> set[int]:
    """The indices all of whose pictures are noted and there."""
    noted: dict[int, int] = {}
    for entry in entries(out).values():
        if (out / "images" / entry["file"]).is_file():
            noted[entry["index"]] = noted.get(entry["index"], 0) + 1
    return {index for index, pictures in noted.items() if pictures == plan.each}


def line(made: Sample, number: int, index: int, kind: str, format: str) -> dict[str, Any]:
    poses = made.poses
    return {
        "number": number,
        "index": index,
        "kind": kind,
        "file": f"{number:06d}.{format}",
        "size": list(made.size),
        "skeleton": poses.skeleton.to_dict(),
        "points": _plain(poses.points),
        "visibility": poses.visibility.tolist(),
        "boxes": _plain(poses.boxes),
    }


def _plain(values: np.ndarray) -> list:
    """Nested lists with None for NaN: JSON knows no NaN."""
    return [_plain(v) if np.ndim(v) else (round(float(v), 4) if np.isfinite(v) else None) for v in values]


def _array(values: list, shape: tuple[int, ...]) -> np.ndarray:
    return np.array(values, dtype=object).astype(np.float64).reshape(shape)


def folded(out: Path, plan: Plan) -> int:
    """annotations.json, the card and the sheet, from all journals. The number of pictures noted so far."""
    noted = list(entries(out).values())
    if noted:
        records = [_record(out, entry) for entry in noted]
        skeleton = records[0].poses.skeleton
        coco.write(
            out, skeleton, records, {"description": f"{skeleton.name}, made by heatmark", "seed": plan.seed}
        )
        _write_card(out, plan, skeleton, _counts(noted))
        write_whole(out / "sheet.jpg", encode_jpeg(_sheet(records), 85))
    return len(noted)


def _record(out: Path, entry: Mapping[str, Any]) -> Record:
    skeleton = Skeleton.from_dict(entry["skeleton"])
    n, k = len(entry["visibility"]), len(skeleton)
    points, boxes = _array(entry["points"], (n, k, 2)), _array(entry["boxes"], (n, 4))
    visibility = np.array(entry["visibility"], np.uint8).reshape(n, k)
    path = out / "images" / entry["file"]
    extra = {"kind": entry["kind"], "index": entry["index"]}
    poses = Poses(skeleton, points, visibility=visibility, boxes=boxes)
    return Record(path, tuple(entry["size"]), poses, entry["number"] + 1, extra)


def _counts(entries: list[dict[str, Any]]) -> dict[str, Any]:
    kinds, landmarks = {}, {"seen": 0, "hidden": 0, "absent": 0}
    for entry in entries:
        kinds[entry["kind"]] = kinds.get(entry["kind"], 0) + 1
        for state, name in ((2, "seen"), (1, "hidden"), (0, "absent")):
            landmarks[name] += sum(row.count(state) for row in entry["visibility"])
    return {"pictures": len(entries), "kinds": dict(sorted(kinds.items())), "landmarks": landmarks}


def _sheet(records: list[Record]) -> np.ndarray:
    """Pictures from all over the dataset with their landmarks drawn."""
    chosen = [records[i] for i in np.unique(np.linspace(0, len(records) - 1, SHOWN).round().astype(int))]
    drawn = [overlay(sample(r).picture, r.poses, smallest=2 * max(r.size), names=False) for r in chosen]
    return contact_sheet(drawn, columns=min(8, math.ceil(math.sqrt(len(drawn)))), cell=240)


def _versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    from .. import __version__

    found = {"heatmark": __version__}
    for package in ("mitsuba", "pyoidn", "numpy", "opencv-python-headless"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "none"
    return found


def _write_card(out: Path, plan: Plan, skeleton: Skeleton | None, counts: dict[str, Any]) -> None:
    """card.json, to be read by programs, and README.md, by people. No time and no host in them: the same plan
    gives the same files."""
    notes = _licences(plan)
    card = {
        "plan": asdict(plan),
        "versions": _versions(),
        "skeleton": skeleton.to_dict() if skeleton else None,
        "counts": counts,
        "licences": notes,
    }
    write_whole(out / "card.json", (json.dumps(card, indent=1) + "\n").encode())
    what = ", ".join(plan.scene["objects"])
    rows = [f"| {k} | {v} |" for k, v in asdict(plan).items() if k not in ("scene", "sources")]
    kinds = [f"| {k} | {v} |" for k, v in counts.get("kinds", {}).items()]
    marks = [f"| landmarks {k} | {v} |" for k, v in counts.get("landmarks", {}).items()]
    text = [
        f"# Pictures of {what}",
        "",
        "Synthetic, made by `heatmark render`; no picture shows a real place. `annotations.json` is COCO",
        "keypoints, `scene.yaml` holds every range, `sheet.jpg` shows some pictures with their landmarks,",
        "`card.json` is this page for programs.",
        "",
        "| setting | value |",
        "|---|---|",
        *rows,
        *([f"| pictures | {counts['pictures']} |", *kinds, *marks] if counts else []),
        *[f"| {name} | {version} |" for name, version in _versions().items()],
        "",
        "Kinds: `rendered` as drawn; `occluder` a copy with a random thing pasted in front; `background` a",
        "copy with another background; `pasted` cut and pasted.",
        "",
        "## What went in",
        "",
        *[f"- {line}" for line in notes],
    ]
    write_whole(out / "README.md", ("\n".join(text) + "\n").encode())


def _licences(plan: Plan) -> list[str]:
    """What others made and these pictures contain; whoever publishes them must look at its terms."""
    scene, notes = plan.scene, []
    for name in scene["objects"]:
        own = (
            "your own mesh: its licence holds"
            if name in plan.sources
            else "a built-in family: no rights are held"
        )
        notes.append(f"objects: {name}, {own}")
    notes += [f"clutter: {mesh}, your own mesh: its licence holds" for mesh in scene["clutter"]["meshes"]]
    for room, what in (
        ("light", "environment maps"),
        ("ground", "photographs"),
        ("background", "photographs"),
    ):
        if folder := scene[room]["folder"]:
            notes.append(f"{room}: {what} from {Path(folder).name}: their licences hold")
    return notes
