"""What the benchmarks of the IHM paper share: pictures rendered, networks trained, photographs scored, once.

A Plan is everything a number depends on but the photographs. Sets of pictures and runs lie in a work folder
under a digest of what they depend on, so that plans share what they have in common, and a command that was
killed, or whose minutes are over, goes on where it was. Tables and figures are computed from their `scores`.
"""

import argparse
import hashlib
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from heatmark.commands.console import settings_of
from heatmark.commands.evaluate import Evaluation, evaluate
from heatmark.commands.render import render
from heatmark.commands.train import train
from heatmark.data import Dataset
from heatmark.data.records import write_whole
from heatmark.errors import HeatmarkError, UserError
from heatmark.models import options_of
from heatmark.training import recipe as recipes

from .scores import Results, Score

TOOLS = ("screwdriver", "wrench", "combination_wrench", "hammer")  # in the paper's order
MADE = ("rendered", "pasted")  # kinds of pictures that are no copies


@dataclass(frozen=True)
class Budget:
    """What every plan of a table has in common."""

    scenes: int = 300  # renderings of a set, each with its copies
    epochs: int = 8  # over so many renderings and one copy of each; other sets keep the number of steps
    seeds: int = 1
    side: int = 224  # of the rendered pictures, pixels
    samples: int | None = None  # paths per pixel
    variant: str | None = None  # of the renderer
    environments: str | None = None  # folders to render with
    backgrounds: str | None = None
    reuse: Mapping[str, str] = field(default_factory=dict)  # tool -> a set rendered before, the base's
    weights: Mapping[str, str] = field(default_factory=dict)  # backbone or network -> file
    settings: Mapping[str, Any] = field(default_factory=dict)  # of every recipe

    @property
    def words(self) -> str:
        """What must be equal for two numbers to stand in one table. No path is in it."""
        made = f"{self.scenes} scenes of {self.side} x {self.side} pixels and a copy of each"
        trained = f"{self.epochs} epochs of {2 * self.scenes} pictures{settings_words(self)}"
        return f"{made}, {self._shown}; {trained}"

    @property
    def _shown(self) -> str:
        if self.reuse:
            told = (f"{tool}: scene.yaml {_digest_of(f, 'scene.yaml')}" for tool, f in self.reuse.items())
            return f"of sets rendered before ({', '.join(told)})"
        maps = ["environment maps"] if self.environments else []
        photographs = ["photographs as grounds and backgrounds"] if self.backgrounds else []
        return f"with {' and '.join(maps + photographs) or 'nothing but procedures'}"


@dataclass(frozen=True)
class Plan:
    """Everything a number depends on but the photographs."""

    scene: str  # a family, mesh or scene file; to cut and paste also a folder of cut-outs
    settings: Mapping[str, Any] = field(default_factory=dict)  # of the scene
    scenes: int = 300
    copies: int = 1
    method: str = "render"
    recipe: str = "ihm56_lite0"
    changes: Mapping[str, Any] = field(default_factory=dict)  # of the recipe; its epochs are among them
    boxes: str = "truth"
    second_look: bool = False
    seed: int = 0
    shipped: bool = False  # the shipped detector of that name, not one trained for this

    @property
    def set_key(self) -> str:
        """Of the pictures; a set without copies is the part of one with a copy each that was rendered."""
        return digest(self.scene, self.settings, max(self.copies, 1), self.method)

    @property
    def run_key(self) -> str:
        recipe = "/".join(Path(self.recipe).parts[-2:])  # a row of a sheet, wherever that lies
        return digest(self.set_key, self.scenes, self.copies, recipe, self.changes, self.seed)


def _digest_of(folder: str, name: str) -> str:
    """Of a file in a rendered set, to tell one from another without its path."""
    try:
        return hashlib.sha256((Path(folder) / name).read_bytes()).hexdigest()[:8]
    except OSError as error:
        raise UserError(f"--reuse: {folder} is no rendered set: it holds no {name}") from error


def digest(*parts: Any) -> str:
    text = json.dumps(parts, sort_keys=True, default=lambda value: dict(value))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def pictures(plan: Plan, work: Path, budget: Budget) -> Path:
    """The plan's set, rendered as far as it is missing: an annotation file of its first `scenes` scenes."""
    folder = work / "sets" / f"{Path(plan.scene).stem}-{plan.set_key}"
    part = folder / f"first-{plan.scenes}{'' if plan.copies else '-alone'}.json"
    if part.exists():
        return part
    source = _reused(plan, folder, budget) if plan.scene in budget.reuse else _rendered(plan, folder, budget)
    raw = json.loads((source / "annotations.json").read_text())
    chosen = [i for i in raw["images"] if i["index"] < plan.scenes and (plan.copies or i["kind"] in MADE)]
    kept = {image["id"] for image in chosen}
    if len({image["index"] for image in chosen}) < plan.scenes:
        raise UserError(f"{source}: {plan.scenes} scenes are wanted, it has fewer")
    notes = [one for one in raw["annotations"] if one["image_id"] in kept]
    write_whole(part, json.dumps(raw | {"images": chosen, "annotations": notes}).encode())
    return part


def _rendered(plan: Plan, folder: Path, budget: Budget) -> Path:
    copies = max(plan.copies, 1) if plan.method == "render" else 0
    begun = sum(1 for _ in (folder / "images").glob("*.jpg")) if folder.exists() else 0
    count, side = max(plan.scenes, -(-begun // (1 + copies))), (budget.side, budget.side)
    if begun < count * (1 + copies) or not (folder / "annotations.json").exists():
        render(
            plan.scene, count=count, out=folder, size=side, samples=budget.samples, method=plan.method,
            variant=budget.variant, copies=copies, settings=dict(plan.settings),
        )  # fmt: skip
    return folder


def _reused(plan: Plan, folder: Path, budget: Budget) -> Path:
    """The base's set that was rendered before; its pictures stay where they are."""
    source = Path(budget.reuse[plan.scene])
    if plan.set_key != Plan(plan.scene, scenery(budget)).set_key:
        raise UserError("the base is a set that was rendered before, and this row's would be rendered now")
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "images").exists():
        (folder / "images").symlink_to((source / "images").resolve(), target_is_directory=True)
    return source


def trained(plan: Plan, work: Path, budget: Budget) -> Path:
    """The plan's run: its folder, trained to the end."""
    data = pictures(plan, work, budget)
    folder = work / "runs" / f"{Path(plan.scene).stem}-{plan.run_key}"
    if not (folder / "ended").exists():
        settings = {"seed": plan.seed} | dict(plan.changes)
        train(plan.recipe, data=data, out=folder, resume=folder.exists(), settings=settings)
        (folder / "ended").touch()
    return folder


def scored(plan: Plan, photographs: Path, work: Path, budget: Budget) -> Score:
    """The plan's network on labelled photographs."""
    model = plan.scene if plan.shipped else trained(plan, work, budget)
    return Score.of(evaluated(model, photographs, boxes=plan.boxes, second_look=plan.second_look))


def evaluated(model: str | Path, photographs: Path | Dataset, **how: Any) -> Evaluation:
    """`evaluate` of a network of landmarks."""
    found = evaluate(model, photographs, **how)
    assert isinstance(found, Evaluation), f"{model} finds boxes, not landmarks"
    return found


def weighted(changes: Mapping[str, Any], recipe: str, budget: Budget) -> dict[str, Any]:
    """A recipe's changes with the file of its network's weights in them, where the budget names one."""
    resolved = recipes.read(recipe, changes)
    given = resolved.options.get("backbone", "resnet50")
    name = given if "backbone" in options_of(resolved.model) else resolved.model
    if name not in budget.weights:
        return dict(changes)
    options = {"weights": budget.weights[name]} | dict(changes.get("options", {}))
    return dict(changes) | {"options": options}


def scenery(budget: Budget) -> dict[str, Any]:
    """The settings of a scene that the budget's folders are."""
    found: dict[str, Any] = {}
    if budget.environments:
        found["light"] = {"folder": budget.environments}
    if budget.backgrounds:
        found |= {"ground": {"folder": budget.backgrounds}, "background": {"folder": budget.backgrounds}}
    return found


@contextmanager
def minutes(most: float) -> Iterator[None]:
    """Within it Ctrl-C comes by itself when the minutes are over; what was begun can be gone on with."""
    if not 0 < most < np.inf:
        raise UserError(f"--minutes must be a positive number, got {most}")
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as a shell leaves it for what runs behind it
        signal.signal(signal.SIGINT, signal.default_int_handler)
    before = signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGINT))
    signal.setitimer(signal.ITIMER_REAL, 60 * most)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def arguments(description: str | None, out: str) -> argparse.ArgumentParser:
    """The options that every table has."""
    found = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    found.add_argument(
        "photographs", type=Path, help="a labelled dataset for each tool, in folders of their names"
    )
    found.add_argument(
        "--work", type=Path, default=Path(".cache/gap"), help="rendered sets and runs lie here"
    )
    found.add_argument("--tools", default=",".join(TOOLS))
    found.add_argument("--row", action="append", default=[], help="only these rows; may be given again")
    found.add_argument("--all", action="store_true", help="all rows that are missing, one after the other")
    found.add_argument("--scenes", type=int, default=300)
    found.add_argument("--epochs", type=int, default=8)
    found.add_argument("--seeds", type=int, default=1)
    found.add_argument("--side", type=int, default=224, help="of the rendered pictures")
    found.add_argument("--samples", type=int, help="paths per pixel")
    found.add_argument("--variant", help="of the renderer")
    found.add_argument("--environments", help="a folder of environment maps to render with")
    found.add_argument("--backgrounds", help="a folder of photographs to render with")
    found.add_argument("--reuse", action="append", default=[], metavar="TOOL=FOLDER", help="rendered before")
    found.add_argument("--weights", action="append", default=[], metavar="BACKBONE=FILE")
    found.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", help="of every recipe")
    found.add_argument("--minutes", type=float, default=9.5, help="then stop; the same command goes on")
    found.add_argument("--out", type=Path, default=Path(out))
    return found


def budget_of(given: argparse.Namespace) -> Budget:
    apart = ("weights", "reuse", "settings")
    fields = {n: getattr(given, n) for n in Budget.__dataclass_fields__ if n not in apart}
    reuse = _pairs("--reuse", given.reuse)
    return Budget(**fields, reuse=reuse, weights=_weights(given), settings=settings_of(given.set))


def trained_budget(given: argparse.Namespace) -> Budget:
    """Of a table that renders nothing."""
    return Budget(scenes=0, epochs=given.epochs, weights=_weights(given), settings=settings_of(given.set))


def _weights(given: argparse.Namespace) -> dict[str, str]:
    return _pairs("--weights", given.weights)


def _pairs(option: str, given: Sequence[str]) -> dict[str, str]:
    """What NAME=PATH options say, by name."""
    for pair in given:
        if not all(pair.partition("=")):
            raise UserError(f"{option} takes NAME=PATH, got {pair!r}")
    return dict(pair.split("=", 1) for pair in given)


def settings_words(budget: Budget) -> str:
    return f", {json.dumps(dict(budget.settings))}" if budget.settings else ""


def measure(
    plans: Mapping[str, Plan], tool: str, results: Results, given: argparse.Namespace, budget: Budget
) -> None:
    """The scores that are missing, each into `results`; one that cannot be had is said, and left."""
    for name, plan in plans.items():
        key = (name, tool, plan.seed)
        if results[key] is not None:
            continue
        print(f"-- {name}, {tool}, seed {plan.seed}", flush=True)
        try:
            score = scored(plan, given.photographs / tool, given.work, budget)
        except UserError as error:
            print(f"not measured: {error}", flush=True)
            continue
        results.put(key, score)
        print(f"{name}, {tool}: PCK@0.1 {score.pck():.1f}", flush=True)


def ended(main: Callable[[], None]) -> None:
    """Run a benchmark; a user's mistake is one line, and what was stopped says that it can go on."""
    try:
        main()
    except HeatmarkError as error:
        print(error, file=sys.stderr)
        raise SystemExit(error.code) from None
    except KeyboardInterrupt:
        print("stopped; the same command goes on from there", file=sys.stderr)
        raise SystemExit(130) from None
