"""What the tables and figures of "Tilting at windmills" share: rows trained and scored once, in pieces.

A row is a recipe of windmills_coco.yaml or windmills_mpii.yaml, or only what such a row hides and moves, laid
over a smaller recipe and begun with given weights (`--recipe`, `--from`). Its run lies in the work folder
under the row and a digest of what it depends on; a command that was killed, or whose minutes are over, goes
on from there. Scores lie in one JSON file beside the tables, with the data, budget, commit and machine that
they hold for.
"""

import argparse
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from heatmark.commands.attack import attack
from heatmark.commands.attack_results import Result
from heatmark.commands.console import settings_of
from heatmark.commands.evaluate import BEST, Evaluation, evaluate
from heatmark.commands.render import render
from heatmark.commands.train import train
from heatmark.data import open_dataset
from heatmark.data.records import write_whole
from heatmark.errors import UserError
from heatmark.imaging.occlude import HIGH, HOWS, RADIUS
from heatmark.runtime import load
from heatmark.training import recipe as recipes

from .rows import commit, machine
from .runs import digest

PEOPLE = {"seed": 0, "size": (256, 256)}  # of built-in people, where no dataset is given
SHEETS = {"I": "windmills_coco", "II": "windmills_mpii"}
VARIED = ("windows", "augmentation", "occlusion")  # what a row is about
KINDS = (("landmarks", False), ("parts", True))


@dataclass(frozen=True)
class Study:
    """Everything that the numbers of one table hold for."""

    data: Path
    validation: Path
    work: Path
    out: Path
    settings: Mapping[str, Any] = field(default_factory=dict)  # of every recipe
    base: str | None = None  # a recipe that the rows are laid over; None: the sheet's own
    start: Path | None = None  # a model that every row begins with
    ways: tuple[str, ...] = ()  # of hiding, under which rows are scored, too
    hidden: tuple[str, ...] = ("landmarks", "parts")

    @property
    def words(self) -> str:
        """Data and budget in a sentence or two; no path is in it."""
        opened = {p.name: open_dataset(p) for p in (self.data, self.validation)}
        sizes = {name: (len(found), sum(len(r.poses) for r in found)) for name, found in opened.items()}
        said = " and ".join(f"{name} ({n} pictures, {m} people)" for name, (n, m) in sizes.items())
        changed = json.dumps(dict(self.settings)) if self.settings else "nothing"
        over = f" The rows are laid over the recipe {Path(self.base).stem}." if self.base else ""
        begun = f" Every row begins with the same model, {self._begun}." if self.start else ""
        return f"Learnt from and scored on {said}; changed of the recipes: {changed}.{over}{begun}"

    @property
    def _begun(self) -> str:
        """Which model rows begin with: its run's name and its weights' checksum."""
        assert self.start is not None
        return f"{self.start.parent.name} ({zlib.crc32(self.start.read_bytes()):08x})"

    @property
    def scores(self) -> Path:
        return self.out.with_suffix(".json")

    def known(self) -> dict[str, Any]:
        """Recipe -> what was measured with it, for this study's words only."""
        found = json.loads(self.scores.read_bytes()) if self.scores.is_file() else {}
        words = self.words
        return {name: one for name, one in found.items() if one["words"] == words}

    def keep(self, recipe: str, metrics: Mapping[str, Any]) -> None:
        found = json.loads(self.scores.read_bytes()) if self.scores.is_file() else {}
        facts = {"words": self.words, "commit": commit(), "machine": machine()}
        write_whole(
            self.scores, json.dumps(found | {recipe: {"metrics": dict(metrics)} | facts}, indent=1).encode()
        )


def recipe_of(study: Study, row: str) -> recipes.Recipe:
    """What a row trains; laid over another recipe, its discs hide as large a share of a window as there."""
    begun = {} if study.start is None else {"start": str(study.start)}
    if study.base is None:
        return recipes.read(row, begun | dict(study.settings))
    base, said = recipes.read(study.base, study.settings), recipes.read(row).model_dump()
    varied = {name: said[name] for name in VARIED}
    if varied["occlusion"]:
        varied["occlusion"]["radius"] = RADIUS * base.size[0] / HIGH
    name = row.rpartition("/")[2]
    return recipes.validated(base.model_dump() | varied | begun | {"name": name}, row)


def trained(study: Study, row: str) -> Path:
    """The run of a row, gone on with where it was begun: its best model."""
    recipe = recipe_of(study, row)
    begun = "" if study.start is None else study._begun
    key = digest(recipe.model_dump(mode="json", exclude={"start"}), begun, study.words)
    folder = study.work / f"{row.replace('/', '-')}-{key}"
    there = (folder / "recipe.yaml").is_file()
    return train(recipe, data=study.data, validation=study.validation, out=folder, resume=there).model


def measured(study: Study, row: str) -> Mapping[str, Any]:
    """A row's metrics with the flip test in labelled boxes; trained and scored if they are not known. Its
    scores under attack are among them as `attack.WAY of KIND`: the mean over all landmarks or all parts.
    """
    known = study.known().get(row, {}).get("metrics", {})
    wanted = [f"attack.{way} of {kind}" for way in study.ways for kind in study.hidden]
    fresh = [name for name in wanted if known.get(name) is None]
    if not known or fresh:
        model = trained(study, row)
        if not known:
            scored = evaluate(model, study.validation, flip=True)
            assert isinstance(scored, Evaluation)  # people have landmarks
            known = dict(scored.metrics)
            study.keep(row, known)
        if fresh:
            known = {**known, **attacked(study, model)}
            study.keep(row, known)
    return known


def attacked(study: Study, model: Path) -> dict[str, float]:
    """A model's score under each way of hiding landmarks and parts, and untouched (figure 11): fractions."""
    radius = RADIUS * load(model).card.size[0] / HIGH
    skeleton = open_dataset(study.validation).skeleton
    targets = {"landmarks": skeleton.landmarks, "parts": tuple(skeleton.parts)}
    report = model.parent / f"attack-{'-'.join((*study.hidden, *study.ways))}"
    done = attack(
        model,
        study.validation,
        targets=[name for kind in study.hidden for name in targets[kind]],
        hows=study.ways,
        radii=[radius],
        out=report,
        batch=64,
    )
    left = under_attack(done.results[0], radius, study.ways)
    return {name: value for name, value in left.items() if np.isfinite(value)}


def under_attack(result: Result, radius: float, ways: Sequence[str] = tuple(HOWS)) -> dict[str, float]:
    """The score left, the mean over all landmarks or all parts: way and kind -> fraction."""
    clean = result.clean.total
    left = {
        f"attack.{how} of {kind}": clean - result.mean_loss(how, part, 0.0 if part else radius) / 100
        for kind, part in KINDS
        for how in ways
    }
    return {"attack.untouched": clean} | left


def arguments(description: str | None, out: str) -> argparse.ArgumentParser:
    """The options that tables and figures share."""
    found = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    found.add_argument("--data", type=Path, help="to learn from: COCO or MPII; built-in people if left out")
    found.add_argument("--validation", type=Path, help="to score on")
    found.add_argument(
        "--people", type=int, default=2000, help="built-in pictures to render; a tenth to score on"
    )
    found.add_argument("--variant", help="of the renderer")
    found.add_argument(
        "--work", type=Path, default=Path(".cache/windmills"), help="pictures and runs lie here"
    )
    found.add_argument(
        "--recipe", help="that the rows are laid over, people_lite0 say; the sheet's if left out"
    )
    found.add_argument("--from", dest="start", type=Path, help="a model that every row begins with")
    found.add_argument(
        "--attack", default="", metavar="WAYS", help="score rows under attack, too: blur,blackout,meanout"
    )
    found.add_argument("--hide", default="landmarks,parts", help="what attacks hide")
    found.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", help="of every recipe")
    found.add_argument("--minutes", type=float, default=9.5, help="then stop; the same command goes on")
    found.add_argument("--out", type=Path, default=Path(out))
    return found


def study_of(given: argparse.Namespace) -> Study:
    """What was asked for; built-in people are rendered where no data is given."""
    settings = settings_of(given.set)
    ways = chosen(tuple(HOWS), given.attack, ())
    begun = (settings, given.recipe, _model(given.start), tuple(ways))
    begun = (*begun, tuple(chosen([kind for kind, _ in KINDS], given.hide)))
    if given.data:
        if not given.validation:
            raise UserError("with --data, say --validation too")
        return Study(given.data, given.validation, given.work, given.out, *begun)
    folders = {"people": given.people, "people-validation": max(given.people // 10, 1)}
    for n, (name, count) in enumerate(folders.items()):
        seed = {"seed": PEOPLE["seed"] + n}
        render("people", count=count, out=given.work / name, variant=given.variant, **(PEOPLE | seed))
    learn, score = (given.work / name for name in folders)
    return Study(learn, score, given.work, given.out, *begun)


def _model(start: Path | None) -> Path | None:
    """A model file, or that of a run's folder."""
    if start is not None and not (start := start / BEST if start.is_dir() else start).is_file():
        raise UserError(f"--from: there is no model at {start}")
    return start


def points(value: Any) -> float | None:
    """A fraction as the tables print it."""
    return None if value is None else 100 * float(value)


def chosen(names: Sequence[str], wanted: str | None, otherwise: Sequence[str] | None = None) -> list[str]:
    """Those of `names` that a comma-separated list asks for; without one `otherwise`, or all. Raises
    UserError for others.
    """
    asked = wanted.split(",") if wanted else list(names if otherwise is None else otherwise)
    if strangers := [name for name in asked if name not in names]:
        raise UserError(f"no row is called {strangers[0]!r}; there are: {', '.join(names)}")
    return asked
