"""`heatmark attack MODEL DATASET`: how much each landmark and part matters to a network when it is hidden.

As in "Tilting at windmills" (Pytel et al. 2020): in the window that the network is shown, a disc about a
landmark or a rectangle over a part is blurred, blacked out or filled with the mean colour, and the network is
scored again; the hidden landmark is still asked for. Any network, any skeleton: people lose AP (or PCKh with
MPII's landmarks), single objects PCK@0.1. A network that finds everybody at once is shown the whole picture,
with the same landmark or part of everybody hidden (attack_crowd; attack_window for all others).

The forward passes of all attacks share batches. What was found is kept in the folder of the report
(attack_kept), so that a run that was killed goes on.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .. import data
from ..data.records import held
from ..errors import UserError, unknown
from ..imaging.occlude import HIGH, HOWS, RADIUS
from ..runtime import load
from ..types import ABSENT, Skeleton
from .attack_kept import Answers, Network, begin, scored, sight_of
from .attack_results import Hit, Result, Subject
from .evaluate import BEST, in_common, opened
from .looks import labelled_boxes, usable


@dataclass(frozen=True)
class Attack:
    """What was hidden of what, and what it cost each network."""

    dataset: str
    metric: str
    skeleton: Skeleton
    results: tuple[Result, ...]
    subjects: tuple[Subject, ...]
    answers: tuple[Answers, ...] = field(repr=False)  # of each network, for pictures of the report
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
