"""`heatmark attack MODEL DATASET`: how much each landmark and part matters to a network when it is hidden.

As in "Tilting at windmills" (Pytel et al. 2020): in the window that the network is shown, a disc about a
landmark or a rectangle over a part is blurred, blacked out or filled with the mean colour, and the network is
scored again; the hidden landmark is still asked for. Any network, any skeleton: people lose AP (or PCKh with
MPII's landmarks), single objects PCK@0.1. A network that finds everybody at once is shown the whole picture,
with the same landmark or part of everybody hidden (attack_crowd; attack_window for all others).

The forward passes of all attacks share batches. What was found is kept in the folder of the report in blocks
of SUBJECTS, each written whole, so that a run that was killed goes on with the block it was at, and the
numbers are the same.
"""

import json
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from .. import data
from ..data.records import held, read_json, write_whole
from ..errors import DataError, UserError, unknown
from ..imaging.occlude import HIGH, HOWS, RADIUS
from ..runtime import Predictor, load
from ..runtime.crowd import CrowdPredictor
from ..types import ABSENT, Skeleton
from . import attack_crowd, attack_window, progress
from .evaluate import BEST, in_common, opened
from .looks import labelled_boxes, usable

SUBJECTS = 32  # objects (of a crowd: pictures) of a block
Network = Predictor | CrowdPredictor


@dataclass(frozen=True)
class Hit:
    """One attack: what is hidden, and how."""

    target: str  # a landmark or a part
    how: str  # a key of HOWS
    radius: float = 0.0  # of a landmark's disc, network pixels; 0 for a part

    @property
    def part(self) -> bool:
        return not self.radius

    def __str__(self) -> str:
        return f"{self.how} {self.target}" + ("" if self.part else f" {self.radius:g} px")


@dataclass(frozen=True)
class Score:
    """How well a network does under one attack, fractions; NaN where there is nothing to score."""

    total: float
    each: Mapping[str, float]  # landmark -> its own


@dataclass(frozen=True)
class Result:
    """One network under all attacks."""

    model: str
    clean: Score
    hits: Mapping[Hit, Score]

    @property
    def name(self) -> str:
        """What tables call it: the file's name, of a run its folder's."""
        file = Path(self.model)
        return file.parent.name if file.name == BEST and file.parent.name else file.name

    def loss(self, hit: Hit, landmark: str | None = None) -> float:
        """Of the metric, in points of 100; negative where the network does better."""
        before, after = self.clean, self.hits[hit]
        if landmark is None:
            return 100 * (before.total - after.total)
        return 100 * (before.each[landmark] - after.each[landmark])

    def mean_loss(self, how: str, part: bool, radius: float = 0.0) -> float:
        """Over all landmarks at a radius, or over all parts; NaN where none was attacked."""
        mine = [h for h in self.hits if (h.how, h.part) == (how, part) and (part or h.radius == radius)]
        losses = [self.loss(h) for h in mine if np.isfinite(self.loss(h))]
        return float(np.mean(losses)) if losses else float("nan")

    def sufferers(self, hit: Hit, most: int = 5) -> list[tuple[str, float]]:
        """The landmarks that lose most by an attack, the worst first."""
        losses = [(name, self.loss(hit, name)) for name in self.clean.each]
        return sorted((x for x in losses if np.isfinite(x[1])), key=lambda x: -x[1])[:most]


@dataclass(frozen=True)
class Subject:
    """One object that is looked at."""

    record: data.Record
    instance: int
    box: np.ndarray  # (4,)


@dataclass(frozen=True)
class Attack:
    """What was hidden of what, and what it cost each network."""

    dataset: str
    metric: str
    skeleton: Skeleton
    results: tuple[Result, ...]
    subjects: tuple[Subject, ...]
    answers: tuple["Answers", ...] = field(repr=False)  # of each network, for pictures of the report
    notes: tuple[str, ...] = ()
    out: Path | None = None
    high: int = HIGH  # of the first network's window, pixels
    legacy: bool = False  # with the faults of the study's code

    @property
    def hits(self) -> list[Hit]:
        return list(self.results[0].hits)

    @property
    def radii(self) -> list[float]:
        return sorted({h.radius for h in self.hits if not h.part})

    @property
    def hows(self) -> list[str]:
        return list(dict.fromkeys(h.how for h in self.hits))

    @property
    def tables(self) -> dict[str, list[list[str]]]:
        """Heading -> rows, the head first."""
        from . import attack_page

        return attack_page.tables(self)

    def to_dict(self) -> dict[str, Any]:
        """The `--json` form; scores are fractions, losses too."""
        models = [
            {
                "model": result.model,
                "clean": {"score": result.clean.total, "per_landmark": dict(result.clean.each)},
                "attacks": [
                    asdict(hit)
                    | {"kind": "part" if hit.part else "landmark", "score": score.total}
                    | {"loss": result.loss(hit) / 100, "per_landmark": dict(score.each)}
                    for hit, score in result.hits.items()
                ],
            }
            for result in self.results
        ]
        counts = {"objects": len(self.subjects), "pictures": len({s.record.id for s in self.subjects})}
        return {"dataset": self.dataset, "metric": self.metric, "models": models, "counts": counts}


def attack(
    model: str | Path | Network,
    dataset: str | Path | data.Dataset,
    *,
    other: str | Path | Network | None = None,
    targets: Sequence[str] | None = None,
    hows: Sequence[str] = tuple(HOWS),
    radii: Sequence[float] = (RADIUS,),
    out: str | Path | None = None,
    limit: int | None = None,
    batch: int = 32,
    legacy: bool = False,
    category: str | None = None,
    engine: str = "auto",
    threads: int | None = None,
    flip: bool | None = None,
) -> Attack:
    """Hide every landmark and part in turn and see what it costs.

    Args:
        model: a model file, a run's folder, the name of a shipped one, or a loaded predictor.
        dataset: a folder or annotation file in any format we read; it is looked at in its labelled boxes.
        other: a second network, to be set beside the first.
        targets: landmarks and parts to hide; all of both if None.
        hows: keys of HOWS: blur, blackout, meanout.
        radii: of a landmark's disc, pixels of the network's input; several make a curve.
        out: a folder for report.html, the tables and attack.json. What was found is kept in it, so that the
            same call goes on where it was stopped.
        limit: take only so many pictures.
        batch: windows shown to a network at once.
        legacy: repeat the faults of the study's code (see imaging.occlude), and score each landmark alone as
            it does (see metrics.oks).
        flip: the flip test; None: as the model's card says.

    Raises:
        UserError: no such model, dataset, target or way of hiding, nothing labelled, or `out` holds another
            attack.
        DataError: a damaged model, dataset or picture.
    """
    if batch < 1 or (limit is not None and limit < 1):
        raise UserError(f"wanted batch and limit >= 1, got {batch} and {limit}")
    networks = [loaded(m, engine, threads, flip) for m in (model, *([other] if other is not None else []))]
    whole = opened(dataset, category, networks[0].card)
    skeleton, notes = whole.skeleton, []
    for network in networks:
        skeleton, more = in_common(network.card.skeleton_of(), skeleton)
        notes += more
    subjects = subjects_of(whole.records[:limit], networks[0])
    if not subjects:
        raise UserError(f"{whole.folder}: no object with a box and a labelled landmark to attack")
    attacks = hits_of(skeleton, targets, hows, radii)
    with tempfile.TemporaryDirectory() as aside:
        results, found, metric = [], [], metric_of(networks, skeleton)
        for n, network in enumerate(networks):
            folder = Path(aside if out is None else out) / f"answers-{n + 1}"
            with held(folder):
                begin(folder, network, subjects, attacks, legacy)
                found.append(Answers.made(folder, network, subjects, skeleton, attacks, batch, legacy))
                results.append(
                    scored(folder, network, subjects, skeleton, attacks, found[-1], metric, legacy)
                )
        notes = list(dict.fromkeys(notes))
        name = str(whole.folder if isinstance(dataset, data.Dataset) else dataset)
        done = Attack(
            name, metric, skeleton, tuple(results), tuple(subjects), tuple(found), tuple(notes),
            None if out is None else Path(out), networks[0].card.size[0], legacy,
        )  # fmt: skip
        if out is not None:
            from . import attack_page

            attack_page.write(done, networks, Path(out))
        return done


def loaded(model: str | Path | Network, engine: str, threads: int | None, flip: bool | None) -> Network:
    """A predictor of landmarks. Raises UserError for one of boxes."""
    found: Any = model
    if isinstance(model, (str, Path)):
        file = Path(model) / BEST
        found = load(file if file.is_file() else model, engine, threads, flip)
    if not isinstance(found, Network):
        raise UserError(f"an attack hides landmarks and parts, and {found.card.name} finds boxes")
    return found


def sight_of(network: Network) -> Any:
    """How it is shown hidden things and scored: one of two modules with the same functions."""
    return attack_crowd if isinstance(network, CrowdPredictor) else attack_window


def metric_of(networks: Sequence[Network], skeleton: Skeleton) -> str:
    """What they lose. Raises UserError for two that are not scored alike."""
    first, *more = (sight_of(network).metric_of(network, skeleton) for network in networks)
    if more and more[0] != first:
        raise UserError(f"the networks are not scored alike: the first by {first}, the other by {more[0]}")
    return first


def hits_of(
    skeleton: Skeleton, targets: Sequence[str] | None, hows: Sequence[str], radii: Sequence[float]
) -> list[Hit]:
    """Every attack, landmarks first. Raises UserError for a target, way or radius that cannot be."""
    known = (*skeleton.landmarks, *skeleton.parts)
    for target in targets or ():
        if target not in known:
            raise unknown(f"landmark or part of {skeleton.name!r}", target, known)
    for how in hows:
        if how not in HOWS:
            raise unknown("way of hiding", how, HOWS)
    if not all(np.isfinite(r) and r > 0 for r in radii) or not hows or not radii:
        raise UserError(f"an attack needs ways of hiding and positive radii, got {list(hows)}, {list(radii)}")
    wanted = [t for t in known if targets is None or t in targets]
    discs = [Hit(t, how, float(r)) for r in radii for t in wanted if t in skeleton.landmarks for how in hows]
    return discs + [Hit(t, how) for t in wanted if t not in skeleton.landmarks for how in hows]


def subjects_of(records: Sequence[data.Record], network: Network) -> list[Subject]:
    """Every object with a box that has an area, and something labelled in it."""
    found = []
    for record in records:
        poses = record.poses
        labelled = (np.isfinite(poses.points).all(-1) & (poses.visibility != ABSENT)).any(-1)
        good = usable(poses, network.card)
        boxes = labelled_boxes(record, network.card)
        pairs = zip(np.flatnonzero(good), boxes)
        found += [Subject(record, int(n), box) for n, box in pairs if labelled[n]]
    return found


def begin(
    folder: Path,
    network: Network,
    subjects: Sequence[Subject],
    hits: Sequence[Hit],
    legacy: bool,
) -> None:
    """Make the folder of answers, or check that it holds the same attack."""
    about = zlib.crc32(network.card.to_json().encode(), _crc(Path(network.name)))
    labels = np.concatenate([s.record.poses.points[s.instance].ravel() for s in subjects])
    facts = {
        "model": f"{network.name}, {about:08x}",
        "objects": f"{len(subjects)}, {zlib.crc32(labels.tobytes()):08x}",
        "attacks": [str(hit) for hit in hits],
        "legacy": legacy,
    }
    path = folder / "attack.json"
    if path.is_file():
        before = read_json(path)
        held_ = before if isinstance(before, Mapping) else {}
        if other := [name for name in facts if held_.get(name) != facts[name]]:
            said = f"holds another attack (other {', '.join(other)}); choose another folder, or remove it"
            raise UserError(f"{folder}: {said}")
    else:
        write_whole(path, json.dumps(facts, indent=1).encode())


def _crc(file: Path) -> int:
    """Of a file's contents; 0 where there is none, as for a network that was never in a file."""
    return zlib.crc32(file.read_bytes()) if file.is_file() else 0


@dataclass(frozen=True)
class Answers:
    """What a network found, untouched (row 0) and under each attack (row n + 1); on disk, in blocks."""

    blocks: tuple[Path, ...]

    def row(self, n: int) -> np.ndarray:
        """As `looked_at` of the network's sight gives it: for windows (subjects, K, 3), x y in picture pixels
        and score.
        """
        return np.concatenate([np.load(path, mmap_mode="r")[n] for path in self.blocks])

    @classmethod
    def made(
        cls,
        folder: Path,
        network: Network,
        subjects: Sequence[Subject],
        skeleton: Skeleton,
        hits: Sequence[Hit],
        batch: int,
        legacy: bool,
    ) -> "Answers":
        """Those that are in the folder already, and the rest looked at now."""
        sight = sight_of(network)
        units = sight.units(subjects)
        blocks = [units[at : at + SUBJECTS] for at in range(0, len(units), SUBJECTS)]
        paths = [folder / f"{n:05d}.npy" for n in range(len(blocks))]
        each = sight.shape_of(skeleton)
        left = [
            (path, some)
            for path, some in zip(paths, blocks)
            if not _holds(path, (1 + len(hits), len(some), *each))
        ]

        def steps() -> Iterator[int]:
            for path, some in left:
                text = BytesIO()
                np.save(text, sight.looked_at(network, some, skeleton, hits, batch, legacy))
                write_whole(path, text.getvalue(), alone=True)
                yield len(some)

        label = f"attacking {Path(network.name).name}, {len(hits)} ways"
        for _ in progress.track(steps(), len(paths), label, "blocks", done=len(paths) - len(left)):
            pass
        return cls(tuple(paths))


def _holds(path: Path, shape: tuple[int, ...]) -> bool:
    """Whether a file is a whole block of answers of this shape; a damaged one is as good as none."""
    try:
        block = np.lib.format.open_memmap(path, mode="r")
    except Exception:  # numpy's errors for what is no array have no common parent
        return False
    return block.shape == shape and block.dtype.kind == "f"


def scored(
    folder: Path,
    network: Network,
    subjects: Sequence[Subject],
    skeleton: Skeleton,
    hits: Sequence[Hit],
    answers: Answers,
    metric: str,
    legacy: bool,
) -> Result:
    """Every score; those that the folder holds already are not computed again."""
    path = folder / "scores.json"
    rows = {"untouched": 0} | {str(hit): row for row, hit in enumerate(hits, 1)}
    known = _known_scores(path, rows, skeleton)
    fresh = [name for name in rows if name not in known]
    for name in progress.track(fresh, len(rows), "scoring", "attacks", done=len(rows) - len(fresh)):
        found = answers.row(rows[name])
        total, each = sight_of(network).score(found, subjects, skeleton, network, metric, legacy)
        known[name] = {"total": _plain(total), "each": {n: _plain(v) for n, v in each.items()}}
        write_whole(path, json.dumps(known).encode(), alone=True)
    scores = {
        name: Score(_number(one["total"]), {n: _number(v) for n, v in one["each"].items()})
        for name, one in known.items()
    }
    by_hit = {hit: scores[str(hit)] for hit in hits}
    return Result(network.name, scores["untouched"], by_hit)


def _known_scores(path: Path, names: Iterable[str], skeleton: Skeleton) -> dict[str, Any]:
    """What the file holds of these attacks; nothing where there is none, or a damaged one."""
    try:
        raw = read_json(path)
    except DataError:
        return {}
    whole = isinstance(raw, dict)
    return (
        {name: raw[name] for name in names if name in raw and _is_score(raw[name], skeleton)} if whole else {}
    )


def _is_score(one: Any, skeleton: Skeleton) -> bool:
    """Whether it is `total` and `each` landmark's, numbers or None."""
    if not isinstance(one, dict) or not isinstance(each := one.get("each"), dict) or "total" not in one:
        return False
    values = [one["total"], *each.values()]
    numbers = all(value is None or isinstance(value, (int, float)) for value in values)
    return numbers and set(each) == set(skeleton.landmarks)


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
