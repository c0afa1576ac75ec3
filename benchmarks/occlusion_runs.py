"""What the tables and figures of "Tilting at windmills" share: rows trained and scored once, in pieces.

A row is a recipe of windmills_coco.yaml or windmills_mpii.yaml. Its run lies in the work folder under the row
and a digest of what it depends on; a command that was killed, or whose minutes are over, goes on from there.
Scores lie in one JSON file beside the tables, with the data, budget, commit and machine that they hold for.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from heatmark.commands.console import settings_of
from heatmark.commands.evaluate import evaluate
from heatmark.commands.render import render
from heatmark.commands.train import train
from heatmark.data import open_dataset
from heatmark.data.records import write_whole
from heatmark.errors import UserError

from .rows import commit, machine
from .runs import digest

PEOPLE = {"seed": 0, "size": (256, 256)}  # of built-in people, where no dataset is given
SHEETS = {"I": "windmills_coco", "II": "windmills_mpii"}


@dataclass(frozen=True)
class Study:
    """Everything that the numbers of one table hold for."""

    data: Path
    validation: Path
    work: Path
    out: Path
    settings: Mapping[str, Any] = field(default_factory=dict)  # of every recipe

    @property
    def words(self) -> str:
        """Data and budget in a sentence; no path is in it."""
        sizes = {p.name: len(open_dataset(p)) for p in (self.data, self.validation)}
        said = " and ".join(f"{name} ({n} pictures)" for name, n in sizes.items())
        changed = json.dumps(dict(self.settings)) if self.settings else "nothing"
        return f"Learnt from and scored on {said}; changed of the recipes: {changed}."

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


def trained(study: Study, recipe: str) -> Path:
    """The run of a recipe, gone on with where it was begun: its best model."""
    key = digest(recipe, study.settings, study.data.name, study.validation.name)
    folder = study.work / f"{recipe.replace('/', '-')}-{key}"
    there = (folder / "recipe.yaml").is_file()
    run = train(
        recipe,
        data=study.data,
        validation=study.validation,
        out=folder,
        resume=there,
        settings=dict(study.settings),
    )
    return run.model


def measured(study: Study, recipe: str) -> Mapping[str, Any]:
    """A recipe's metrics with the flip test in labelled boxes; trained and scored if they are not known."""
    known = study.known()
    if recipe not in known:
        model = trained(study, recipe)
        study.keep(recipe, evaluate(model, study.validation, flip=True).metrics)
        known = study.known()
    return known[recipe]["metrics"]


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
    found.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", help="of every recipe")
    found.add_argument("--minutes", type=float, default=9.5, help="then stop; the same command goes on")
    found.add_argument("--out", type=Path, default=Path(out))
    return found


def study_of(given: argparse.Namespace) -> Study:
    """What was asked for; built-in people are rendered where no data is given."""
    settings = settings_of(given.set)
    if given.data:
        if not given.validation:
            raise UserError("with --data, say --validation too")
        return Study(given.data, given.validation, given.work, given.out, settings)
    folders = {"people": given.people, "people-validation": max(given.people // 10, 1)}
    for n, (name, count) in enumerate(folders.items()):
        seed = {"seed": PEOPLE["seed"] + n}
        render("people", count=count, out=given.work / name, variant=given.variant, **(PEOPLE | seed))
    learn, score = (given.work / name for name in folders)
    return Study(learn, score, given.work, given.out, settings)


def points(value: Any) -> float | None:
    """A fraction as the tables print it."""
    return None if value is None else 100 * float(value)


def chosen(names: Sequence[str], wanted: str | None) -> list[str]:
    """Those of `names` that a comma-separated list asks for. Raises UserError for others."""
    asked = wanted.split(",") if wanted else list(names)
    if strangers := [name for name in asked if name not in names]:
        raise UserError(f"no row is called {strangers[0]!r}; there are: {', '.join(names)}")
    return asked
