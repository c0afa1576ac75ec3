"""heatmark render: a scene becomes a folder of labelled pictures.

It can be stopped at any moment and gone on with: each picture is a function of the plan and its index (see
album).
"""

import hashlib
import json
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..data import open_dataset
from ..data.records import read_bytes, write_whole
from ..errors import DataError, UserError, require, unknown
from ..imaging import encode_jpeg, encode_png
from ..types import Sample
from . import album, crew, spread
from .album import Plan
from .progress import note, track

SAMPLES = 16  # paths per pixel, then denoised
QUALITY = 95
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
    ray: str | None = None,
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
        ray: the address of a Ray cluster that does the work in place of processes here: "auto",
            "ray://HOST:PORT", or "local". Its machines see `out` and everything the scene names.
        method: "render", or the paper's rival "cut-and-paste".
        variant: of the renderer; None takes what the folder was begun with, else the fastest that works here.
        copies: for each rendering, this many more with a random thing in front or another background; 1 when
            None, as in the paper.
        settings: fields that replace those of the scene, nested as in its file.
        format: of the pictures, "jpg" (quality 95) or "png".
        planes: write masks and depths too.

    Raises:
        UserError: wrong arguments; the folder was begun with others, or is in use.
        DataError: a mesh, its landmarks, the scene file or a photograph is faulty.
        OSError: the disk is full, or cannot be written to; what is done is kept.
    """
    start, out = time.monotonic(), Path(out)
    if not isinstance(size, (tuple, list)) or len(size) != 2:
        raise UserError(f"size is (H, W) in pixels, got {size!r}")
    if min(size) < 1 or (samples is not None and samples < 1):
        raise UserError(f"wanted a size and samples >= 1, got {tuple(size)} and {samples}")
    part, parts = shard_of(shard)
    if count < 1 or workers < 1 or (copies is not None and copies < 0) or seed < 0:
        raise UserError(
            f"wanted count and workers >= 1, copies and seed >= 0; got {count}, {workers}, {copies}, {seed}"
        )
    if ray is not None and workers != 1:
        raise UserError(f"the cluster at {ray} decides how many work at once: leave workers = {workers} out")
    if format not in FORMATS:
        raise unknown("picture format", format, FORMATS)
    card = album.begun(out)
    plan, cutouts = _planned(
        scene, seed, size, samples, method, variant, copies, settings, format, planes, card
    )
    out.mkdir(parents=True, exist_ok=True)
    with album.alone(out):
        card = album.begun(out)  # again: another process may have begun it while this one planned
        if card and (differing := album.differences(_weighed(card["plan"]), _weighed(asdict(plan)))):
            raise UserError(f"{out}: begun with other settings: {'; '.join(differing)}. Take another folder")
        album.begin(out, plan, card)
    with album.journal(out, part, parts) as journal:
        done = album.finished(out, plan)
        todo = [index for index in range(part, count, parts) if index not in done]
        _check_fits(out, done, count)
        mine = len(range(part, count, parts))
        label = f"{plan.method} {Path(str(scene)).name}" + (f" {shard}" if parts > 1 else "")
        make = partial(Maker, plan, out, cutouts)
        work = crew.worked(make, todo, workers) if ray is None else spread.spread(make, todo, ray)
        with closing(work) as made:
            lines = (line for index in made for line in index)
            before = (mine - len(todo)) * plan.each
            for line in track(lines, mine * plan.each, label, done=before):
                journal.write(json.dumps(line) + "\n")
                journal.flush()
    with album.alone(out):
        pictures = album.folded(out, plan)
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


def _weighed(plan: dict[str, Any]) -> dict[str, Any]:
    """A plan as plain data, with those of its scene's settings alone that its pictures depend on."""
    from ..synth.settings import relevant

    plain = json.loads(json.dumps(plan))
    return {**plain, "scene": relevant(plain["scene"])}


def _planned(scene, seed, size, samples, method, variant, copies, settings, format, planes, card):
    """The plan and, to cut and paste from a dataset, its folder."""
    from ..synth import invention, lights, scraps, studio
    from ..synth.meshes import files_of
    from ..synth.render import check_size, mending, probe_variant
    from ..synth.settings import settings_of
    from ..synth.studio import check_objects
    from ..synth.things import families

    if method not in studio.METHODS:
        raise unknown("method", method, studio.METHODS)
    studio.look_again()
    chosen, built_in = settings_of(scene, settings), families()
    for name in chosen.objects:
        if name in built_in and Path(name).exists():
            note(f"{name} is the built-in family; the file or folder here is ./{name}")
    pasted = method == "cut-and-paste" and str(scene) not in built_in
    cutouts = Path(scene) if pasted and studio.cutout_folder(scene) else None
    for folder in (chosen.background.folder, chosen.ground.folder):
        scraps.photographs(folder)  # which names a folder without any before one of ours is begun
    if chosen.light.folder:
        invention.files(chosen.light.folder, lights.SUFFIXES)
    if not cutouts:
        require("mitsuba", "trimesh", "manifold3d", to="render")
        check_size(size, samples or SAMPLES)
        check_objects(chosen)
        variant = probe_variant(variant or (card["plan"]["variant"] if card else None))
        if variant == "scalar_rgb":
            note(f"rendering with {variant}, which is slow. {mending('llvm_ad_rgb')}")
    if cutouts:
        sources = {str(scene): sorted(f for f in cutouts.iterdir() if f.is_file())}
    else:
        own = [name for name in chosen.objects if name not in built_in]
        sources = {name: files_of(Path(name)) for name in (*own, *chosen.clutter.meshes)}
    plan = Plan(
        scene=json.loads(chosen.model_dump_json()),
        sources={name: _digest(files) for name, files in sources.items()},
        seed=seed,
        size=(int(size[0]), int(size[1])),
        samples=samples or SAMPLES,
        method=method,
        copies=0 if method != "render" else 1 if copies is None else copies,
        variant="none" if cutouts else variant,
        format=format,
        planes=planes,
    )
    return plan, cutouts


def _digest(files: Iterable[Path]) -> str:
    """Of files' names and bytes."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode() + read_bytes(file))
    return digest.hexdigest()[:16]


def _check_fits(out: Path, done: set[int], count: int) -> None:
    if done and max(done) >= count:
        raise UserError(
            f"{out}: holds {max(done) + 1} renderings already, {count} are asked for; take another folder"
        )


class Maker:
    """Makes and writes the pictures of some indices; gives each index's journal lines."""

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

    def __call__(self, indices: Iterable[int]) -> Iterator[list[dict[str, Any]]]:
        indices = list(indices)
        for index, pictures in zip(indices, self.studio.many(indices)):
            lines = []
            for which, (kind, made) in enumerate(pictures):
                number = index * self.plan.each + which
                self._write(made, f"{number:06d}")
                lines.append(album.line(made, number, index, kind, self.plan.format))
            yield lines

    def _write(self, made: Sample, stem: str) -> None:
        data = encode_png(made.picture) if self.plan.format == "png" else encode_jpeg(made.picture, QUALITY)
        write_whole(self.out / "images" / f"{stem}.{self.plan.format}", data, alone=True)
        if self.plan.planes and made.mask is not None:
            write_whole(self.out / "masks" / f"{stem}.png", encode_png(made.mask), alone=True)
        if self.plan.planes and made.depth is not None:
            millimetres = np.where(np.isfinite(made.depth), made.depth * 1000, 0)
            plane = np.clip(millimetres + 0.5, 0, 65535).astype(np.uint16)
            write_whole(self.out / "depth" / f"{stem}.png", encode_png(plane), alone=True)


def read_cutouts(folder: Path) -> list[Any]:
    """Every object of a dataset that can be cut out: by its picture's transparency where it is alone there,
    and else by its outline too."""
    import cv2

    from ..imaging.decode import decode_rgba
    from ..synth.compose import Cutout

    found, dataset = [], open_dataset(folder)
    for record in dataset:
        rgba = decode_rgba(read_bytes(record.path), str(record.path))
        (h, w), (lh, lw) = rgba.shape[:2], record.size
        if (h, w) != (lh, lw):
            raise DataError(f"{record.path}: the picture is {w} x {h}, its labels are for {lw} x {lh}")
        alone = (rgba[..., 3] < 255).any() and len(record.poses) == 1
        for n in range(len(record.poses)):
            own = rgba.copy()
            outlines = record.instances[n].get("segmentation") if record.instances else None
            if not alone and isinstance(outlines, list) and outlines:
                drawn = np.zeros((h, w), np.uint8)
                for outline in outlines:
                    corners = np.array(outline, float).reshape(-1, 2) - 0.5
                    cv2.fillPoly(drawn, [(corners * 16).round().astype(np.int32)], 255, cv2.LINE_AA, 4)
                own[..., 3] = np.minimum(own[..., 3], drawn)
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
