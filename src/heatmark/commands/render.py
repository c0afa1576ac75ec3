"""heatmark render: a scene becomes a folder of labelled pictures.

The folder can be stopped at any moment and gone on with: each picture is a function of (settings, seed,
index), is written whole, and only then noted in a journal (one JSON line a picture). At the end the journals
become annotations.json. So a folder that was killed ten times holds the same bytes as one that was not.
"""

import errno
import hashlib
import json
import math
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from ..data import coco, open_dataset
from ..data.records import Record, read_bytes, sample, write_whole
from ..errors import DataError, UserError, unknown
from ..imaging import encode_jpeg, encode_png
from ..runtime.draw import contact_sheet, overlay
from ..types import Poses, Sample, Skeleton
from . import crew
from .progress import note, track

SAMPLES = 16  # paths per pixel, then denoised
QUALITY = 95
SHOWN = 40  # pictures on the contact sheet
FORMATS = ("jpg", "png")


@dataclass(frozen=True)
class Rendered:
    """What `render` made."""

    out: Path
    pictures: int  # in the folder now
    seconds: float
    variant: str

    def to_dict(self) -> dict[str, Any]:
        return {
            "out": str(self.out),
            "pictures": self.pictures,
            "seconds": self.seconds,
            "variant": self.variant,
        }


@dataclass(frozen=True)
class Plan:
    """Everything the pictures depend on, and nothing else: two runs with one plan make the same bytes."""

    scene: dict[str, Any]  # SceneSettings
    sources: dict[str, str]  # objects that are files: a digest of each
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


def render(
    scene: str | Path,
    *,
    count: int = 10,
    out: str | Path,
    seed: int = 0,
    size: tuple[int, int] = (224, 224),
    samples: int | None = None,
    workers: int = 1,
    shard: str = "0/1",
    method: str = "render",
    variant: str | None = None,
    copies: int | None = None,
    settings: dict[str, Any] | None = None,
    format: str = "jpg",
    planes: bool = False,
) -> Rendered:
    """Make labelled pictures; go on where an earlier run with the same arguments stopped.

    Args:
        scene: a family's name, a mesh (file or folder with landmarks), or a YAML scene file; to cut and paste
            also a folder with annotations.json, whose pictures have transparency or outlines (segmentation).
        count: renderings. A larger count than before makes the missing ones.
        out: the dataset's folder; also for several shards, on one disk or copied together afterwards.
        samples: paths per pixel; 16 when None.
        workers: processes.
        shard: "k/n": only the k-th of n parts, from 0.
        method: "render", or the paper's rival "cut-and-paste".
        variant: of the renderer; None takes what the folder was begun with, else the fastest that works here.
        copies: for each rendering, this many more with a random thing in front or another background; 1 when
            None, as in the paper.
        settings: fields that replace those of the scene, nested as in its file.
        format: of the pictures, "jpg" (quality 95) or "png".
        planes: write masks and depths too.

    Raises:
        UserError: wrong arguments; the folder was begun with others, or is in use; the disk is full.
        DataError: a mesh, its landmarks, the scene file or a photograph is faulty.
    """
    start, out = time.monotonic(), Path(out)
    part, parts = shard_of(shard)
    if count < 1 or workers < 1 or (copies is not None and copies < 0) or seed < 0:
        raise UserError(
            f"wanted count and workers >= 1, copies and seed >= 0; got {count}, {workers}, {copies}, {seed}"
        )
    if format not in FORMATS:
        raise unknown("picture format", format, FORMATS)
    begun = _begun(out)
    plan, cutouts = _planned(
        scene, seed, size, samples, method, variant, copies, settings, format, planes, begun
    )
    with _disk(out):
        _begin(out, plan, begun)
        with _journal(out, part, parts) as journal:
            done = _finished(_entries(out), plan)
            todo = [index for index in range(part, count, parts) if index not in done]
            _check_fits(out, done, count)
            made = crew.worked(partial(_maker, plan, out, cutouts), todo, workers)
            mine = len(range(part, count, parts))
            label = f"{plan.method} {Path(str(scene)).name}" + (f" {shard}" if parts > 1 else "")
            unit = "pictures" if plan.each == 1 else f"renderings (of {plan.each} pictures)"
            for lines in track(made, mine, label, unit, done=mine - len(todo)):
                journal.write("".join(json.dumps(line) + "\n" for line in lines))
                journal.flush()
            os.fsync(journal.fileno())
        pictures = _folded(out, plan)
    return Rendered(out, pictures, round(time.monotonic() - start, 3), plan.variant)


def shard_of(text: str) -> tuple[int, int]:
    """
    >>> shard_of("1/4")
    (1, 4)
    """
    k, slash, n = text.partition("/")
    if not (slash and k.isdecimal() and n.isdecimal() and int(k) < int(n)):
        raise UserError(f"a shard is k/n with k = 0 .. n - 1, got {text!r}")
    return int(k), int(n)


# What is to be done


def _planned(scene, seed, size, samples, method, variant, copies, settings, format, planes, begun):
    """The plan and, to cut and paste from a dataset, its folder."""
    from ..synth import studio
    from ..synth.render import probe_variant
    from ..synth.settings import settings_of

    if method not in studio.METHODS:
        raise unknown("method", method, studio.METHODS)
    cutouts = Path(scene) if method == "cut-and-paste" and studio.cutout_folder(scene) else None
    chosen = settings_of(scene, settings)
    if begun and variant is None:
        variant = begun["plan"]["variant"]
    plan = Plan(
        scene=json.loads(chosen.model_dump_json()),
        sources={name: digest for name in chosen.objects if (digest := _digest(Path(name)))},
        seed=seed,
        size=(int(size[0]), int(size[1])),
        samples=samples or SAMPLES,
        method=method,
        copies=0 if method != "render" else 1 if copies is None else copies,
        variant="none" if cutouts else probe_variant(variant),
        format=format,
        planes=planes,
    )
    if begun and (differing := _differences(begun["plan"], json.loads(json.dumps(asdict(plan))))):
        raise UserError(
            f"the folder was begun with other settings: {'; '.join(differing)}. Take another folder"
        )
    return plan, cutouts


def _digest(path: Path) -> str:
    """Of a mesh or a folder with its landmarks and textures; empty for what is no file."""
    if not path.exists():
        return ""
    inside = path.iterdir() if path.is_dir() else [path, *path.parent.glob("*landmarks.json")]
    digest = hashlib.sha256()
    for file in sorted(f for f in inside if f.is_file()):
        digest.update(file.name.encode() + read_bytes(file))
    return digest.hexdigest()[:16]


def _differences(old: Mapping[str, Any], new: Mapping[str, Any], path: str = "") -> list[str]:
    """What is not the same, with both values, by the path of the field."""
    found = []
    for key in dict.fromkeys([*old, *new]):
        a, b = old.get(key), new.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            found += _differences(a, b, f"{path}{key}.")
        elif a != b:
            found.append(f"{path}{key} was {a!r}, is {b!r}")
    return found


# The folder


def _begun(out: Path) -> dict[str, Any] | None:
    """The card of a folder that an earlier run began; None for a new one. Raises a UserError for anything
    else."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return None
    if not out.is_dir():
        raise UserError(f"{out}: is a file, not a folder")
    card = out / "card.json"
    if not card.is_file():
        strangers = [p.name for p in out.iterdir() if not p.name.endswith(".part")]
        if not strangers:
            return None  # killed before its first file was whole
        raise UserError(
            f"{out}: the folder holds other things ({strangers[0]} ...); take an empty or a new one"
        )
    try:
        read = json.loads(read_bytes(card))
        return read if {"plan", "versions"} <= set(read) else _not_a_card(card)
    except (ValueError, TypeError):
        return _not_a_card(card)


def _not_a_card(card: Path) -> Any:
    raise DataError(f"{card}: not the card of a rendered dataset; remove the folder or take another")


def _begin(out: Path, plan: Plan, begun: dict[str, Any] | None) -> None:
    from ..synth.settings import SceneSettings, to_yaml

    for name in ("images", *(("masks", "depth") if plan.planes else ())):
        (out / name).mkdir(parents=True, exist_ok=True)
    if begun is None:
        write_whole(out / "scene.yaml", to_yaml(SceneSettings.model_validate(plan.scene)).encode())
        _write_card(out, plan, None, {})
    elif begun["versions"] != _versions():
        then, now = begun["versions"], _versions()
        note(f"{out}: begun with {then}, goes on with {now}; pictures may differ in their last bits")


@contextmanager
def _disk(out: Path) -> Iterator[None]:
    """Turns what a disk can do to us into one line."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            what = (
                "the disk is full. What is done is kept: make room, then the same command goes on from there"
            )
            raise UserError(f"{out}: {what}") from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise UserError(f"{error.filename or out}: cannot be written ({error.strerror})") from error
        raise


@contextmanager
def _journal(out: Path, part: int, parts: int) -> Iterator[TextIO]:
    """This part's journal, for adding to; a line that was cut off by a crash is taken away first."""
    path = out / "journal" / f"{part}-of-{parts}.jsonl"
    path.parent.mkdir(exist_ok=True)
    with open(path, "a+b") as raw:
        _lock(raw, path)
        raw.seek(0)
        raw.truncate(raw.read().rfind(b"\n") + 1)
    with open(path, "a", encoding="utf-8") as journal:
        _lock(journal, path)
        yield journal


def _lock(file: Any, path: Path) -> None:
    """Held until the file is closed, however the process ends. Does nothing where there are no such locks."""
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise UserError(f"{path.parent.parent}: another process renders this part of the folder") from error


def _entries(out: Path) -> dict[int, dict[str, Any]]:
    """Picture number -> its line, from all journals, in order. A line that is not whole is passed over."""
    found = {}
    for path in sorted((out / "journal").glob("*.jsonl")):
        for line in read_bytes(path).splitlines(keepends=True):
            if line.endswith(b"\n"):
                try:
                    entry = json.loads(line)
                    found[entry["number"]] = entry
                except (ValueError, KeyError, TypeError) as error:
                    raise DataError(f"{path}: a damaged line: {line[:60]!r}") from error
    return dict(sorted(found.items()))


def _finished(entries: Mapping[int, Mapping[str, Any]], plan: Plan) -> set[int]:
    """The indices all of whose pictures are noted."""
    noted: dict[int, int] = {}
    for entry in entries.values():
        noted[entry["index"]] = noted.get(entry["index"], 0) + 1
    return {index for index, pictures in noted.items() if pictures == plan.each}


def _check_fits(out: Path, done: set[int], count: int) -> None:
    if done and max(done) >= count:
        raise UserError(
            f"{out}: holds {max(done) + 1} renderings already, {count} are asked for; take another folder"
        )


# One index


def _maker(plan: Plan, out: Path, cutouts: Path | None) -> "Maker":
    return Maker(plan, out, cutouts)


class Maker:
    """Makes and writes the pictures of an index; gives their journal lines."""

    def __init__(self, plan: Plan, out: Path, cutouts: Path | None = None):
        from ..synth.settings import SceneSettings
        from ..synth.studio import Studio

        self.plan, self.out = plan, out
        self.studio = Studio(
            SceneSettings.model_validate(plan.scene),
            plan.seed,
            plan.size,
            plan.samples,
            None if cutouts else plan.variant,
            plan.method,
            plan.copies,
            read_cutouts(cutouts) if cutouts else (),
        )

    def __call__(self, index: int) -> list[dict[str, Any]]:
        lines = []
        for which, (kind, made) in enumerate(self.studio(index)):
            number = index * self.plan.each + which
            self._write(made, f"{number:06d}")
            lines.append(_line(made, number, index, kind, self.plan.format))
        return lines

    def _write(self, made: Sample, stem: str) -> None:
        data = encode_png(made.picture) if self.plan.format == "png" else encode_jpeg(made.picture, QUALITY)
        write_whole(self.out / "images" / f"{stem}.{self.plan.format}", data)
        if self.plan.planes and made.mask is not None:
            write_whole(self.out / "masks" / f"{stem}.png", encode_png(made.mask))
        if self.plan.planes and made.depth is not None:
            millimetres = np.where(np.isfinite(made.depth), made.depth * 1000, 0)
            plane = np.clip(millimetres + 0.5, 0, 65535).astype(np.uint16)
            write_whole(self.out / "depth" / f"{stem}.png", encode_png(plane))


def read_cutouts(folder: Path) -> list[Any]:
    """Every object of a dataset that can be cut out: by its picture's transparency, or else by its
    outline."""
    import cv2

    from ..imaging.decode import decode_rgba
    from ..synth.compose import Cutout

    found, dataset = [], open_dataset(folder)
    for record in dataset:
        rgba = decode_rgba(read_bytes(record.path), str(record.path)).copy()
        clear = (rgba[..., 3] < 255).any()
        for n in range(len(record.poses)):
            own, outlines = (
                rgba.copy(),
                (record.instances[n].get("segmentation") if record.instances else None),
            )
            if not clear and isinstance(outlines, list) and outlines:
                drawn = np.zeros(record.size, np.uint8)
                for outline in outlines:
                    corners = np.array(outline, float).reshape(-1, 2) - 0.5
                    cv2.fillPoly(drawn, [(corners * 16).round().astype(np.int32)], 255, cv2.LINE_AA, 4)
                own[..., 3] = drawn
            if (own[..., 3] < 255).any() and own[..., 3].any():
                ys, xs = np.nonzero(own[..., 3])
                cut = np.s_[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1]
                points = record.poses.points[n] - [xs.min(), ys.min()]
                found.append(Cutout(own[cut], points, record.poses.visibility[n], dataset.skeleton))
    if not found:
        raise DataError(
            f"{folder}: no picture there has transparency or an outline (segmentation) to cut along"
        )
    return found


def _line(made: Sample, number: int, index: int, kind: str, format: str) -> dict[str, Any]:
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
    rounded = np.round(values, 4)
    return np.where(np.isfinite(rounded), rounded, None).tolist()


def _array(values: list, shape: tuple[int, ...]) -> np.ndarray:
    return np.array(values, dtype=object).astype(np.float64).reshape(shape)


# The end


def _folded(out: Path, plan: Plan) -> int:
    """annotations.json, the card and the sheet from all journals; again while other parts are still
    adding."""
    pictures = -1
    while len(entries := _entries(out)) != pictures:
        pictures = len(entries)
        if not entries:
            continue
        records = [_record(out, entry) for entry in entries.values()]
        skeletons = {r.poses.skeleton for r in records}
        if len(skeletons) > 1:
            names = ", ".join(sorted(str(s.landmarks) for s in skeletons))
            raise DataError(f"{out}: the objects of a scene must have the same landmarks, got {names}")
        skeleton = records[0].poses.skeleton
        coco.write(
            out, skeleton, records, {"description": f"{skeleton.name}, made by heatmark", "seed": plan.seed}
        )
        _write_card(out, plan, skeleton, _counts(list(entries.values())))
        write_whole(out / "sheet.jpg", encode_jpeg(_sheet(records), 85))
    return pictures


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
        "Synthetic, made by `heatmark render`; no picture shows a real place. `annotations.json` is COCO keypoints,",
        "`scene.yaml` holds every range, `sheet.jpg` shows some with their landmarks, `card.json` is this for programs.",
        "",
        "| setting | value |",
        "|---|---|",
        *rows,
        *([f"| pictures | {counts['pictures']} |", *kinds, *marks] if counts else []),
        *[f"| {name} | {version} |" for name, version in _versions().items()],
        "",
        "Kinds: `rendered` as drawn; `occluder` a copy with a random thing pasted in front; `background` a copy with",
        "another background; `pasted` cut and pasted.",
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
