"""Learn a detector from labelled pictures: a recipe and data in, a run's folder with best.safetensors out."""

import os
import re
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DataError, UserError, require
from .progress import note, track
from .start import begin_with, settle

if TYPE_CHECKING:
    from ..training.loader import Entry
    from ..training.recipe import Recipe
    from ..types import Skeleton


@dataclass(frozen=True)
class Run:
    """Where a training run left what it learnt."""

    folder: Path
    model: Path  # best.safetensors
    epochs: int
    best_loss: float  # on the validation pictures
    nonfinite: int = 0  # steps left out because their loss or gradient was not finite

    def to_dict(self) -> dict[str, Any]:
        return {
            "folder": str(self.folder),
            "model": str(self.model),
            "epochs": self.epochs,
            "best_loss": self.best_loss,
            "nonfinite": self.nonfinite,
        }


def train(
    recipe: "str | Path | Recipe",
    *,
    data: str | Path | Sequence[str | Path],
    validation: str | Path | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    settings: Mapping[str, Any] | None = None,
) -> Run:
    """Train a network.

    Args:
        recipe: a shipped recipe's name, a YAML file, or a Recipe.
        data: one dataset or several, whose landmarks must agree.
        validation: a dataset to validate on; by default a share of `data` is kept apart (Recipe.validation).
        out: the run's folder; by default runs/NAME-DATE, or with `resume` the newest of that name.
        resume: go on where a run in `out` was stopped or killed.
        settings: fields that override the recipe's, nested as there.

    Raises:
        UserError: an unknown recipe, field, landmark or backbone; `out` holds another run.
        DataError: bad pictures or labels; a loss that stays NaN.
    """
    # Threads that wait asleep, not spinning: beside the workers, or on a shared machine, 2-3 times as fast.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read when torch is first imported
    require("torch", "torchvision", "timm", "accelerate", "safetensors", to="train")
    import torch

    from ..data.records import held
    from ..models import create
    from ..models.blocks import draw_logits
    from ..runtime.crowd import rules_of
    from ..training import recipe as recipes
    from ..training.crowd import Crowds, task_for
    from ..training.dense import Wholes
    from ..training.dense import task_for as boxes_task
    from ..training.fit import fit
    from ..training.loader import Samples, worth_training
    from ..training.task import task_of

    resolved = recipes.read(recipe, settings)
    crowd, dense = resolved.task == "crowd", resolved.task == "dense"
    sources = [data] if isinstance(data, str | Path) else list(data)
    learn: Any
    skeleton, learn, check = _entries(resolved, sources, validation)
    named = ", ".join(map(str, sources))
    worth_training(learn, check, named)
    if dense and not any(len(shelf.poses) for shelf in learn):
        raise DataError(f"{named}: not one box with an area in {len(learn)} pictures to learn from")
    leads = int(os.environ.get("RANK", 0)) == 0  # torchrun numbers its processes
    folder = _folder(resolved, out, resume)
    resolved = _numbered(resolved, skeleton)
    torch.manual_seed(resolved.seed)  # what the new layers start from
    net = create(resolved.model, len(recipes.channels_for(resolved, skeleton)), **resolved.options)
    if resolved.head == "dsnt":  # a ReLU of maps that are negative everywhere would not learn
        draw_logits(net, start=None if resolved.rectification in ("softmax", "sigmoid") else 0.0)
    begun = begin_with(resolved.start, net) if resolved.start else set()
    card = _card(resolved, skeleton, net, sources, len(learn), len(check))
    kind: Any = Crowds if crowd else Wholes if dense else Samples
    training, checking = kind(learn, skeleton, resolved), kind(check, skeleton, resolved)
    settle(net, begun, training)
    known: Any = net
    if crowd:
        task = task_for(known.layout, rules_of(card))
    else:
        task = boxes_task(known.anchors) if dense else task_of(resolved)
    shown = {"track": track, "note": note} if leads else {}
    with held(folder) if leads else nullcontext():
        if leads:
            _begin(folder, resolved, resume)
            what = "pictures" if crowd or dense else "objects"
            note(f"{folder}: {len(learn)} {what} to learn from, {len(check)} to validate on")
        ended = fit(resolved, task, net, training, checking, folder, card, resume, **shown)
    return Run(folder, ended.model, ended.epochs, ended.best_loss, ended.nonfinite)


def _entries(
    recipe: "Recipe", sources: Sequence[str | Path], validation: str | Path | None
) -> "tuple[Skeleton, list[Entry], list[Entry]]":
    """The skeleton to learn, and the objects to learn from and to validate on."""
    from ..data import open_dataset
    from ..training.crowd import scenes
    from ..training.dense import shelves
    from ..training.loader import entries, negatives, some, split
    from ..training.recipe import skeleton_for

    if not sources:
        raise UserError("no dataset was given to train on")
    datasets = [open_dataset(source) for source in sources]
    skeleton = skeleton_for(recipe, datasets[0].skeleton)
    taken: Any = {"crowd": scenes, "dense": shelves}.get(recipe.task, entries)
    for line in (line for dataset in datasets for line in dataset.info.get("left_out", ())):
        note(f"left out: {line}")
    learn, check = [], []
    for dataset in datasets:
        kept, apart = (dataset, None) if validation else split(dataset, recipe.validation, recipe.seed)
        learn += taken(kept, skeleton)
        check += taken(apart, skeleton) if apart else []
    if recipe.negatives:
        found = [e for source in recipe.negatives for e in negatives(open_dataset(source), skeleton)]
        share = recipe.negative_share
        learn += some(found, round(len(learn) * share / (1 - share)), recipe.seed)
    if validation:
        check = taken(open_dataset(validation), skeleton)
    return skeleton, learn, check


def _numbered(recipe: "Recipe", skeleton: "Skeleton") -> "Recipe":
    """Clusters of landmarks and parts by number, as a network knows them."""
    from ..models.clusterwise import numbered

    if recipe.model != "clusterwise":
        return recipe
    return recipe.model_copy(update={"options": numbered(recipe.options, skeleton)})


def _folder(recipe: "Recipe", out: str | Path | None, resume: bool) -> Path:
    if out is not None:
        if resume and not Path(out).is_dir():
            raise UserError(f"there is no run in {out} to resume")
        return Path(out)
    if "RANK" in os.environ:  # each process would name its own by the clock
        raise UserError("with several processes, say where the run's folder is to be (out)")
    if resume:
        dated = re.compile(re.escape(recipe.name) + r"-\d{8}-\d{6}")
        runs = [p for p in Path("runs").glob(f"{recipe.name}-*") if dated.fullmatch(p.name)]
        if not runs:
            raise UserError(f"there is no run of {recipe.name} in runs/ to resume")
        return max(runs, key=lambda run: run.name)
    return Path("runs") / f"{recipe.name}-{time.strftime('%Y%m%d-%H%M%S')}"


def _begin(folder: Path, recipe: "Recipe", resume: bool) -> None:
    """Say the recipe in the run's folder, which must hold no other run. One that took no step is none."""
    from ..data.records import write_whole
    from ..training import recipe as recipes

    written, log = folder / "recipe.yaml", folder / "log.jsonl"
    if written.exists() and log.exists() and log.stat().st_size:
        if not resume:
            raise UserError(f"{folder} already holds a run: resume it, or give another folder")
        if other := recipes.differences(recipes.read(written), recipe):
            raise UserError(f"{folder} was begun with other settings: {', '.join(other)}")
    try:
        write_whole(written, recipes.text(recipe).encode(), alone=True)
    except OSError as error:
        raise DataError(f"{folder}: cannot be written ({error.strerror})") from error


def _card(
    recipe: "Recipe", skeleton: "Skeleton", net: Any, sources: Sequence[str | Path], learn: int, check: int
):
    """What best.safetensors says of itself. Weights and data go in by their names, without paths."""
    from ..card import Card
    from ..models import origin, unfetched
    from ..models.blocks import seen_by

    name, comes_from, licence = origin(recipe.model, recipe.options)
    plain = recipe.model_dump(mode="json")
    if plain["options"].get("weights"):
        plain["options"]["weights"] = Path(plain["options"]["weights"]).name
    if recipe.start:
        plain["start"] = Path(recipe.start).name
    plain["negatives"] = [Path(source).name for source in recipe.negatives]
    said = dict(
        name=recipe.name,
        task=recipe.task,
        skeleton=skeleton.to_dict(),
        size=recipe.size,
        model=recipe.model,
        options=unfetched(recipe.model, recipe.options),  # all weights are in the file
        strides=net.strides,
        input=seen_by(net),
        decoding=_decoding(recipe),
        enlarge=recipe.enlarge,
        resize=recipe.dense.resize if recipe.head == "boxes" else None,
        context=recipe.context == 1,
        recipe=plain,
        data={
            "datasets": [Path(source).name for source in sources],
            "objects": learn,
            "validation objects": check,
            "backbone": {"name": name, "origin": comes_from},
        },
        licence=f"backbone: {licence}",
    )
    return Card.model_validate(said)


def _decoding(recipe: "Recipe") -> dict[str, Any]:
    """How the card says that points are read, as the head learnt them."""
    if recipe.head == "dsnt":
        return {"method": "expectation", "rectification": recipe.rectification}
    if recipe.head == "tags":
        from ..training.tags import drawn_at

        # To begin a person a chance of a tenth, as in the published programs; of a fiftieth to complete one.
        least, floor = (drawn_at(chance, recipe.foreground) for chance in (0.1, 0.02))
        return {"method": "tags", "refine": "quarter", "threshold": least, "floor": floor, "person": 0.1}
    if recipe.head == "boxes":
        how = recipe.dense
        return {"method": "boxes", "threshold": how.least, "overlap": how.overlap, "kept": how.kept}
    return {"heatmap": {}, "connected": {"method": "coordinates"}, "msra": {"method": "msra"}}[recipe.head]
