"""Table 1 of the cluster-wise paper on crowds of your own: six networks, equal steps and seeds.

    heatmark render people --count 2000 --out TRAIN       # built-in crowds, or any labelled dataset
    heatmark render people --count 200 --seed 1 --out TEST
    python -m benchmarks.clusterwise_table TRAIN TEST --work WORK --all            # every row that is missing
    python -m benchmarks.clusterwise_table TRAIN TEST --work WORK --row in_cross   # one of them
    python -m benchmarks.clusterwise_table TRAIN TEST                              # only writes the table
    python -m benchmarks.clusterwise_table TRAIN TEST --photographs COCO ...       # scored on them, too

The paper's numbers are of COCO test-dev after 200,000 steps of its whole width; a small budget says which row
is ahead at that budget, no more. Rows are trained by one schedule (a cosine, with batch norm, heavier bumps,
a stronger push, milder colours and turns, because the paper's want its steps), with equal data, steps, seeds
and width; the state with the lowest loss on a tenth of TRAIN is scored on TEST. Stops after --minutes, goes
on with the same command. Full size: heatmark train clusterwise_coco/ROW on COCO. The figures:
benchmarks.clusterwise_figures.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import runs
from benchmarks.rows import Row, commit, machine, markdown
from heatmark.commands.evaluate import evaluate
from heatmark.commands.train import train
from heatmark.data import open_dataset
from heatmark.data.records import write_whole
from heatmark.errors import UserError, unknown
from heatmark.models.clusterwise import PLANS
from heatmark.training import recipe as recipes
from heatmark.training.recipe import Recipe

METRICS = ("AP", "AP50", "AP75", "APM", "APL", "AR", "AR50", "AR75", "ARM", "ARL")
PAPER = {  # row of the recipe sheet -> table 1, COCO test-dev
    "pose_ae": (0.633, 0.857, 0.689, 0.580, 0.704, 0.688, 0.884, 0.742, 0.620, 0.781),
    "cluster_1": (0.617, 0.852, 0.675, 0.564, 0.691, 0.682, 0.894, 0.735, 0.617, 0.769),
    "cluster_2": (0.620, 0.852, 0.677, 0.564, 0.698, 0.682, 0.891, 0.734, 0.615, 0.773),
    "in_branch": (0.625, 0.855, 0.682, 0.570, 0.703, 0.687, 0.897, 0.739, 0.621, 0.777),
    "cross_branch": (0.625, 0.854, 0.681, 0.571, 0.701, 0.687, 0.895, 0.739, 0.622, 0.776),
    "in_cross": (0.627, 0.857, 0.687, 0.572, 0.702, 0.688, 0.896, 0.742, 0.623, 0.777),
    "in_cross_1": (None,) * len(METRICS),  # figure 3's clusters; the paper has no such row
}
POSETRACK = {  # table 2, PoseTrack 2018 validation, the In-Cross branch
    "Head": 83.4, "Shoulder": 80.9, "Elbow": 66.4, "Wrist": 56.0, "Hip": 72.5, "Knee": 64.8, "Ankle": 52.0,
    "mAP": 70.3,
}  # fmt: skip
COLOURS = {"hue": [-18, 18], "add": [-38, 38], "saturation": [0.7, 1.3], "contrast": [0.7, 1.3]}
TURN = 15.0  # degrees; half the paper's, whose hue of +-72 and light of +-76 are for COCO's 57,000, too
WITHIN = 2.0  # per cent, between our full runs and the paper's


@dataclass(frozen=True)
class Budget:
    """What all rows have in common."""

    pictures: int = 0  # of TRAIN
    steps: int = 2000
    batch: int = 8
    side: int = 256
    stacks: int = 4  # the paper's; fewer: its last ones
    width: int = 32
    backbone: str = ""  # in place of the first convolutions; "": none, as in the paper
    learns: str = ""  # its layer from which on it learns, at a fifth of the rate; "": all of it is frozen
    sigma: float = 2.0  # of a bump, cells; the paper's, whose persons are twice as large
    foreground: float = 10.0  # an error where the bump is y weighs 1 + so much * y
    lr: float = 2e-3
    pull: float = 0.05  # and push: their weights; the paper's are 1e-3. With these and a margin of 4, as in
    push: float = 0.2  # the paper, tags hardly begin to part within a small budget
    margin: float = 1.0
    least: float = 0.75  # and most: of a picture's longer side, what a training sample shows; the paper's
    most: float = 1.25
    look: float = 1.0  # of the network's size, at which TEST is looked at
    flip: int = 0  # 1: and its mirror image, too
    seeds: int = 1

    @property
    def words(self) -> str:
        """What a number depends on."""
        return self.learnt + (", also mirrored" if self.flip else "")

    @property
    def learnt(self) -> str:
        """What a run depends on."""
        start = f"over a frozen {self.backbone}" if self.backbone else "from random weights"
        if self.learns:
            start = f"over {self.backbone} that learns from {self.learns} on at a fifth of the rate"
        return (
            f"{self.pictures} pictures, {self.steps} steps of {self.batch}, {self.side} x {self.side} px, "
            f"{self.stacks} stacks of width {self.width}, bumps of {self.sigma:g} cells that weigh "
            f"{self.foreground:g}, "
            f"learning rate {self.lr:g}, "
            f"pull {self.pull:g}, push {self.push:g}, margin {self.margin:g}, windows of {self.least:g} to "
            f"{self.most:g} of a picture, tested at {self.look:g} of the size, {start}"
        )

    @property
    def zoom(self) -> dict[str, float]:
        """What training samples show: windows that, if they are smaller than the picture, reach its edges."""
        middle = (self.least + self.most) / 2
        translate = max((1 - middle) / (2 * middle), 0.0)
        return {"least": self.least, "most": self.most, "translate": translate, "rotate": TURN}

    @property
    def scales(self) -> dict[str, Any]:
        """How pictures are looked at when they are scored."""
        return ({} if self.look == 1 else {"scales": (self.look,)}) | ({"flip": True} if self.flip else {})

    def options(self, row: str, recipe: Recipe) -> dict[str, Any]:
        """Of a row's network."""
        found = dict(recipe.options) | {"width": self.width, "normed": True}
        if self.backbone:
            found |= {"backbone": self.backbone, "weights": "hub"}
            found |= {"trainable_from": self.learns} if self.learns else {}
        if row == "pose_ae":
            return found | {"stacks": self.stacks}
        plan = PLANS[found["plan"]]
        if not 1 <= self.stacks <= len(plan.dense):
            raise UserError(f"stacks must be 1 to {len(plan.dense)}, got {self.stacks}")
        return found | {"dense": plan.dense[-self.stacks :], "sparse": plan.sparse[-self.stacks :]}

    def settings(self, row: str, seed: int) -> dict[str, Any]:
        """What a row's recipe is changed to."""
        recipe = recipes.read(f"clusterwise_coco/{row}")
        learnt = max(round(0.9 * self.pictures), 1)
        return {
            "name": f"{row}-{seed}",
            "seed": seed,
            "size": [self.side, self.side],
            "options": self.options(row, recipe),
            "embedding": {
                "kind": recipe.embedding.kind,
                "pull": self.pull,
                "push": self.push,
                "margin": self.margin,
                "sigma": self.sigma,
            },
            "zoom": self.zoom,
            "augmentation": COLOURS,
            "foreground": self.foreground,
            "lr": self.lr,
            "backbone_lr": 0.2 if self.learns else 1.0,
            "schedule": "cosine",
            "warmup": 0.5,
            "clip": 1.0,
            "batch": self.batch,
            "epochs": max(round(self.steps * self.batch / learnt), 1),
            "validation": 0.1,
            "workers": 0,
        }


Numbers = dict[str, float | None]  # metric -> fraction


@dataclass
class Table:
    """Numbers by row and seed, in a JSON file, each written as soon as it is there."""

    file: Path
    budget: str
    numbers: dict[str, Numbers] = field(default_factory=dict)  # "row/seed" -> metrics
    photographs: dict[str, Numbers] = field(default_factory=dict)  # the same, of pictures of another kind
    facts: dict[str, str] = field(default_factory=dict)

    @classmethod
    def opened(cls, file: Path, budget: str) -> "Table":
        raw = json.loads(file.read_text()) if file.exists() else {}
        if raw and raw["budget"] != budget:
            raise UserError(f"{file} holds rows of another budget ({raw['budget']}): take another file")
        return cls(file, budget, raw.get("rows", {}), raw.get("photographs", {}), raw.get("facts", {}))

    def put(
        self, row: str, seed: int, metrics: Mapping[str, float | None], photographs: bool = False
    ) -> None:
        place = self.photographs if photographs else self.numbers
        place[f"{row}/{seed}"] = {name: metrics[name] for name in METRICS}
        self.facts = {"commit": commit(), "machine": machine()}
        raw = {"budget": self.budget, "facts": self.facts, "rows": self.numbers}
        raw |= {"photographs": self.photographs} if self.photographs else {}
        write_whole(self.file, (json.dumps(raw, indent=1) + "\n").encode())

    def mean(self, row: str, metric: str, photographs: bool = False) -> float | None:
        """Per cent over the seeds that were measured; None: not measured."""
        place = self.photographs if photographs else self.numbers
        found = [n[metric] for key, n in place.items() if key.split("/")[0] == row]
        known = [100 * v for v in found if v is not None]
        return float(np.mean(known)) if known else None


def measure(given: argparse.Namespace, budget: Budget, table: Table) -> None:
    """The rows that were asked for and are missing."""
    for row in given.row:
        if row not in PAPER:
            raise unknown("row", row, PAPER)
    with runs.minutes(given.minutes):
        for seed in range(budget.seeds):
            for row in PAPER if given.all else given.row:
                key = f"{row}/{seed}"
                if key not in table.numbers:
                    print(f"-- {row}, seed {seed}", flush=True)
                    run = trained(row, seed, given, budget)
                    table.put(row, seed, evaluate(run, given.test, **budget.scales).metrics)
                if given.photographs and key not in table.photographs:
                    run = trained(row, seed, given, budget)
                    found = evaluate(run, given.photographs, **budget.scales)
                    table.put(row, seed, found.metrics, photographs=True)


def trained(row: str, seed: int, given: argparse.Namespace, budget: Budget) -> Path:
    """The run of one network, trained as far as it is not yet."""
    folder = given.work / f"{row}-{seed}-{runs.digest(budget.learnt)}"
    if not (folder / "ended").exists():
        settings = budget.settings(row, seed)
        train(
            f"clusterwise_coco/{row}", data=given.train, out=folder, resume=folder.exists(), settings=settings
        )
        (folder / "ended").touch()
    return folder


def page(table: Table, command: str) -> str:
    """The document: AP row by row, then the other nine numbers, then what only full runs can say."""
    short = [
        Row(row, "AP", _percent(paper[0]), table.mean(row, "AP"), WITHIN) for row, paper in PAPER.items()
    ]
    lines = [
        "# Table 1 of the cluster-wise paper on crowds",
        "",
        f"Ours: {table.budget}; on crowds, not COCO. So the difference to the paper's column says nothing by",
        "itself; which row is ahead of which may be compared.",
        *nothing_learnt(short),
        "",
        markdown(short, command),
        *all_numbers(table),
    ]
    if table.photographs:
        lines += [
            "",
            "On photographs, which none has learnt from:",
            "",
            *all_numbers(table, photographs=True),
        ]
    full = [
        Row(f"{row} on COCO, 512", "AP", _percent(paper[0]), None, WITHIN) for row, paper in PAPER.items()
    ]
    full += [
        Row("in_cross on PoseTrack 2018", name, paper, None, WITHIN) for name, paper in POSETRACK.items()
    ]
    lines += ["", "## At the paper's size", "", markdown(full, "heatmark train clusterwise_coco/ROW")]
    return "\n".join(lines)


def nothing_learnt(rows: Sequence[Row]) -> list[str]:
    """A warning where no row that was measured finds anybody."""
    measured = [row.ours for row in rows if row.ours is not None]
    if not measured or max(measured) >= 0.1:
        return []
    return ["**No row that was measured finds anybody: this budget is too small to compare anything.**"]


def all_numbers(table: Table, photographs: bool = False) -> list[str]:
    """Every metric of every row that was measured."""
    lines = ["| row, ours | " + " | ".join(METRICS) + " |", "|---|" + "---:|" * len(METRICS)]
    for row in PAPER:
        cells = [table.mean(row, metric, photographs) for metric in METRICS]
        if any(cell is not None for cell in cells):
            lines.append(f"| {row} | " + " | ".join("-" if c is None else f"{c:.1f}" for c in cells) + " |")
    return lines


def _percent(value: float | None) -> float | None:
    return None if value is None else 100 * value


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("train", type=Path, help="labelled crowds to learn from")
    parser.add_argument("test", type=Path, help="labelled crowds to score on")
    parser.add_argument("--photographs", type=Path, help="labelled pictures of another kind, to score on too")
    parser.add_argument("--work", type=Path, default=Path(".cache/clusterwise"), help="runs lie here")
    parser.add_argument("--row", action="append", default=[], help="only these rows; may be given again")
    parser.add_argument("--all", action="store_true", help="all rows that are missing")
    for name, value in Budget().__dict__.items():
        if name != "pictures":
            parser.add_argument(f"--{name}", type=type(value), default=value)
    parser.add_argument("--minutes", type=float, default=9.5, help="then stop; the same command goes on")
    parser.add_argument("--numbers", type=Path, default=Path("docs/clusterwise_table.json"))
    parser.add_argument("--out", type=Path, default=Path("docs/clusterwise_table.md"))
    given = parser.parse_args(arguments)
    asked = {name: getattr(given, name) for name in Budget().__dict__ if name != "pictures"}
    budget = Budget(pictures=len(open_dataset(given.train)), **asked)
    table = Table.opened(given.numbers, budget.words)
    measure(given, budget, table)
    words = " ".join(f"--{name} {value}" for name, value in asked.items())
    command = f"python -m benchmarks.clusterwise_table TRAIN TEST --all {words}"
    write_whole(given.out, page(table, command).encode())
    print(given.out)


if __name__ == "__main__":
    runs.ended(main)
