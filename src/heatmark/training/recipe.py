"""A recipe is data: one strict value, read from YAML, with everything a training run depends on.

A run is `fit(recipe, data)` and nothing else. A misspelt field names its nearest neighbour; nothing in a
recipe is executed. The resolved recipe is written beside every run.
"""

import dataclasses
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, Field, PlainSerializer, ValidationError, model_validator

from ..errors import DataError, UserError, unknown
from ..imaging.augment import Augmentation
from ..models import check_options
from ..types import Skeleton


def _augmentation(raw: Any) -> Augmentation:
    """Fields as in `imaging.Augmentation`, those left out as there; "none" for nothing at all."""
    if isinstance(raw, Augmentation):
        return raw
    if raw == "none":
        return Augmentation.none()
    if not isinstance(raw, Mapping):
        raise UserError(f"augmentation: wanted ranges by name, or none, got {raw!r}")
    known = [f.name for f in dataclasses.fields(Augmentation)]
    for name in raw:
        if name not in known:
            raise unknown("augmentation", name, known)
    try:
        values: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in raw.items()}
        return Augmentation(**values)
    except (TypeError, ValueError) as error:
        raise UserError(f"augmentation: {error}") from error


def _plain(augmentation: Augmentation) -> dict[str, Any]:
    raw = {f.name: getattr(augmentation, f.name) for f in dataclasses.fields(augmentation)}
    return {
        n: list(v) if isinstance(v, tuple) else dict(v) if isinstance(v, Mapping) else v
        for n, v in raw.items()
    }


class Recipe(BaseModel, extra="forbid", frozen=True):
    """Everything one training run depends on, but for the pictures."""

    name: str = "model"  # of the run's folder and the card; the file's name if left out

    model: str  # a key of models.MODELS
    options: dict[str, Any] = {}  # that function's own arguments
    size: tuple[int, int] = (224, 224)  # (H, W) the network sees, pixels; multiples of 32

    # dsnt: a map's mean is the point, and the point is learnt; connected: the network answers with points
    # (options.connected) and draws no maps
    head: Literal["heatmap", "dsnt", "connected"] = "heatmap"
    rectification: Literal["softmax", "thresholded_softmax", "abs", "relu", "sigmoid"] = "softmax"  # dsnt
    regulariser: Literal["none", "kl", "js", "variance"] = "js"  # dsnt: how maps are asked to be narrow
    reg_weight: float = Field(1.0, ge=0)  # dsnt: of that in the loss, the paper's lambda
    reg_sigma: float = Field(1.0, gt=0)  # dsnt: how narrow, cells of each level

    landmarks: tuple[str, ...] | None = None  # which to learn; None: all of the dataset's skeleton
    interchangeable: Literal["merged", "matched", "apart"] = "merged"  # one map for such a group, or one for
    # each: learnt in whichever order is nearer (dsnt, connected), or in the order of the labels
    absent: Literal["zero", "ignore"] = "zero"  # a landmark labelled 0: an empty map to learn, or no map
    sigma: float | None = Field(None, gt=0)  # of the drawn bumps, network pixels; None: W / 64
    targets: Literal["area", "max", "regenerate"] = "area"  # how the levels are made from the full size
    snap: bool = False  # draw bumps from the middle of the landmark's pixel, as the paper
    level_weights: tuple[float, ...] | None = None  # of the levels in the loss, coarse to fine; None: 1 each
    foreground: float = Field(0.0, ge=0)  # an error where the target is y weighs 1 + foreground * y

    whole: float = Field(
        0.0, ge=0, le=1
    )  # share of samples that show the whole picture, not the object's box
    enlarge: float = Field(1.25, gt=0)  # a box grows by this before it is cut out
    augmentation: Annotated[Augmentation, BeforeValidator(_augmentation), PlainSerializer(_plain)] = (
        Augmentation()
    )

    optimiser: Literal["adam", "adamw", "rmsprop"] = "adam"
    lr: float = Field(1.5e-5, gt=0)
    weight_decay: float = Field(0.0, ge=0)
    clip: float | None = Field(None, gt=0)  # largest norm of the gradient
    schedule: Literal["plateau", "cosine", "steps", "constant"] = "plateau"
    patience: int = Field(10, ge=1)  # plateau: epochs without gain before the rate falls
    factor: float = Field(0.1, gt=0, lt=1)  # plateau, steps: by what it is multiplied
    milestones: tuple[int, ...] = ()  # steps: the epochs at which it falls
    warmup: float = Field(0.0, ge=0)  # epochs over which the rate rises from 0
    early_stop: int | None = Field(20, ge=1)  # epochs without gain before training ends; None: never
    batch: int = Field(16, ge=1)
    epochs: int = Field(200, ge=1)
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "fp32"  # auto: bf16 where the machine is fast at it
    validation: float = Field(0.1, ge=0, lt=1)  # share of the pictures kept apart, unless a set is given
    seed: int = Field(0, ge=0)

    workers: int = Field(1, ge=0)  # processes that prepare samples
    cache_mb: int = Field(4096, ge=0)  # pictures are decoded once and kept, if all of them fit
    save_minutes: float = Field(5.0, gt=0)  # between two saved states within an epoch

    @model_validator(mode="after")
    def _holds_together(self) -> "Recipe":
        check_options(self.model, self.options)
        if any(side < 32 or side % 32 for side in self.size):
            raise UserError(f"size must be multiples of 32, got {list(self.size)}")
        if (self.head == "connected") != (self.options.get("connected") is not None):
            raise UserError(
                f"head: connected and options: {{connected: {self.size[1] // 32}}} belong together, "
                f"got head: {self.head} and options: {self.options}"
            )
        if self.head not in ("dsnt", "connected") and self.interchangeable == "matched":
            raise UserError("interchangeable: matched is for head: dsnt or connected")
        return self


def skeleton_for(recipe: Recipe, skeleton: Skeleton) -> Skeleton:
    """What the recipe learns of a dataset's skeleton. Raises a UserError that names the nearest landmark."""
    wanted = recipe.landmarks or skeleton.landmarks
    for name in wanted:
        skeleton.index(name)

    if recipe.head != "heatmap" and recipe.interchangeable == "merged" and skeleton.interchangeable:
        names = " and ".join(skeleton.interchangeable[0])
        raise UserError(
            f"head: {recipe.head} reads one point from a map, so {names} need a map each: "
            "set interchangeable: matched"
        )

    def kept(groups, least: int) -> Any:
        found = (tuple(n for n in group if n in wanted) for group in groups)
        return tuple(group for group in found if len(group) >= least)

    return Skeleton(
        skeleton.name,
        tuple(wanted),
        bones=kept(skeleton.bones, 2),
        mirror=kept(skeleton.mirror, 2),
        interchangeable=kept(skeleton.interchangeable, 2) if recipe.interchangeable != "apart" else (),
        parts={
            part: names for part, (names,) in ((p, kept([n], 1) or ((),)) for p, n in skeleton.parts.items())
        },
        sigmas={n: s for n, s in skeleton.sigmas.items() if n in wanted},
    )


def channels_for(recipe: Recipe, skeleton: Skeleton) -> tuple[tuple[int, ...], ...]:
    """Which landmarks each map shows: interchangeable ones share one only where they are merged."""
    return skeleton.alone if recipe.head in ("dsnt", "connected") else skeleton.channels


def shipped() -> dict[str, Path]:
    """The recipes that come with heatmark, by name."""
    folder = Path(str(files("heatmark"))) / "recipes"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def read(recipe: "str | Path | Recipe", settings: Mapping[str, Any] | None = None) -> Recipe:
    """A shipped recipe by its name, or a YAML file; `settings` override its fields (nested ones field by
    field).

    Raises:
        UserError: no such recipe, an unknown field, or a value that cannot be.
    """
    if isinstance(recipe, Recipe):
        return validated(_over(recipe.model_dump(), settings or {}), recipe.name)
    known, path = shipped(), Path(recipe)
    if str(recipe) in known:
        path = known[str(recipe)]
    elif path.suffix not in (".yaml", ".yml"):
        raise unknown("recipe", str(recipe), known)
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"there is no recipe at {path}; there are also: {', '.join(known)}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DataError(f"{path.name}: not YAML: {' '.join(str(error).split())[:200]}") from error
    if not isinstance(raw, dict):
        raise DataError(f"{path.name}: a recipe is fields and values, got {type(raw).__name__}")
    return validated(_over({"name": path.stem} | raw, settings or {}), path.name)


def validated(raw: Mapping[str, Any], source: str) -> Recipe:
    """A Recipe, or a UserError in one line about its first fault."""
    try:
        return Recipe.model_validate(raw)
    except ValidationError as error:
        faults = error.errors()
        fault = next(
            (f for f in faults if f["type"] == "extra_forbidden"), faults[0]
        )  # the cause of a missing one
        place = [str(p) for p in fault["loc"]]
        if fault["type"] == "extra_forbidden":
            raise UserError(f"{source}: {unknown('recipe field', place[-1], Recipe.model_fields)}") from error
        if fault["type"] == "value_error":  # our own words, from a validator
            raise UserError(f"{source}: {fault.get('ctx', {}).get('error')}") from error
        got = f", got {fault['input']!r}" if fault["type"] != "missing" else ""
        raise UserError(f"{source}: {'.'.join(place)}: {fault['msg'].lower()}{got}") from error


def text(recipe: Recipe) -> str:
    """YAML that `read` gives back as the same recipe."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def differences(one: Recipe, other: Recipe) -> list[str]:
    """The fields in which two recipes differ, for what a run must keep when it is resumed."""
    free = {"name", "epochs", "early_stop", "workers", "cache_mb", "save_minutes"}
    a, b = one.model_dump(mode="json"), other.model_dump(mode="json")
    return [field for field in a if a[field] != b[field] and field not in free]


def _over(base: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in settings.items():
        nested = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _over(merged[key], value) if nested else value
    return merged
