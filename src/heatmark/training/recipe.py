"""A recipe is data: one strict value, read from YAML, with everything a training run depends on.

A run is `fit(recipe, data)` and nothing else. A misspelt field names its nearest neighbour; nothing in a
recipe is executed. The resolved recipe is written beside every run.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from ..errors import DataError, UserError, first_fault, unknown
from ..imaging.augment import Augmentation
from ..imaging.occlude import Occlusion
from ..imaging.windows import Windows
from ..imaging.zoom import Zoom
from ..models import CROWDS, DENSE, check_options
from ..types import Skeleton
from .dense_losses import Dense
from .tags import Embedding


def _fields_of(kind: type, what: str, none: bool = False) -> Any:
    """A validator: the fields of a dataclass by name, those left out as there.

    Args:
        none: the dataclass has a `none()`, nothing at all; a recipe may say "none", or `others: none` beside
            the fields it gives.
    """

    def judged(raw: Any) -> Any:
        if raw is None or isinstance(raw, kind):
            return raw
        if none and raw == "none":
            return kind.none()  # type: ignore[attr-defined]
        if not isinstance(raw, Mapping):
            raise UserError(f"{what}: wanted values by name{', or none' if none else ''}, got {raw!r}")
        raw = dict(raw)
        base = kind.none() if none and raw.get("others") == "none" else None  # type: ignore[attr-defined]
        if base is not None:
            del raw["others"]
        known = [f.name for f in dataclasses.fields(kind)]
        for name in raw:
            if name not in known:
                raise unknown(what, name, known)
        values, odd = _typed(kind, raw)
        try:
            made = kind(**values) if base is None else dataclasses.replace(base, **values)
        except (TypeError, ValueError) as error:
            said = f"{what}.{odd}" if odd and isinstance(error, TypeError) else str(error)
            raise UserError(said if said.startswith(what) else f"{what}: {said}") from error
        if odd:
            raise UserError(f"{what}.{odd}")
        return made

    return BeforeValidator(judged)


def _typed(kind: type, raw: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """The values in their fields' types, and what is wrong with the first that cannot be; it stays as it is,
    for the dataclass to judge.
    """
    hints, values, odd = get_type_hints(kind), {}, ""
    for name, value in raw.items():
        values[name] = tuple(value) if isinstance(value, list) else value
        try:
            values[name] = TypeAdapter(hints[name], config=FINITE).validate_python(value)
        except ValidationError as error:
            odd = odd or f"{name}: {first_fault(error, kind).removeprefix(': ')}"  # type: ignore[arg-type]
    return values, odd


def _plain(given: Any) -> dict[str, Any] | None:
    if given is None:
        return None
    raw = {f.name: getattr(given, f.name) for f in dataclasses.fields(given)}
    return {
        n: list(v) if isinstance(v, tuple) else dict(v) if isinstance(v, Mapping) else v
        for n, v in raw.items()
    }


FINITE = ConfigDict(allow_inf_nan=False)
ROWS = "rows"  # of a sheet of recipes
SUFFIXES = (".yaml", ".yml")
LARGEST = 8192  # side of what a network sees, pixels


class Recipe(BaseModel, extra="forbid", frozen=True, allow_inf_nan=False):
    """Everything one training run depends on, but for the pictures."""

    name: str = "model"  # of the run's folder and the card; the file's name if left out

    model: str  # a key of models.MODELS
    options: dict[str, Any] = {}  # that function's own arguments
    size: tuple[int, int] = (224, 224)  # (H, W) the network sees, pixels; multiples of 32

    # One object a picture, scored by PCK; many, each in its box, by OKS; everybody at once, by OKS; boxes.
    task: Literal["single", "top_down", "crowd", "dense"] = "single"
    # dsnt: a map's mean is the point, and the point is learnt; connected: the network answers with points
    # (options.connected) and draws no maps; msra: all as HRNet's authors do; tags: a crowd's maps and tags;
    # boxes: of many things side by side, and the map of their Gaussians
    head: Literal["heatmap", "dsnt", "connected", "msra", "tags", "boxes"] = "heatmap"
    rectification: Literal["softmax", "thresholded_softmax", "abs", "relu", "sigmoid"] = "softmax"  # dsnt
    regulariser: Literal["none", "kl", "js", "variance"] = "js"  # dsnt: how maps are asked to be narrow
    reg_weight: float = Field(1.0, ge=0)  # dsnt: of that in the loss, the paper's lambda
    reg_sigma: float = Field(1.0, gt=0)  # dsnt: how narrow, cells of each level

    landmarks: tuple[str, ...] | None = None  # which to learn; None: all of the dataset's skeleton
    interchangeable: Literal["merged", "matched", "apart"] = "merged"  # one map for such a group, or one for
    # each: learnt in whichever order is nearer (dsnt, connected), or in the order of the labels
    absent: Literal["zero", "ignore"] = "zero"  # a landmark labelled 0: an empty map to learn, or no map
    sigma: float | None = Field(None, gt=0)  # of the drawn bumps, network pixels; None: W / 64, msra: 2 cells
    targets: Literal["area", "max", "regenerate"] = "area"  # how the levels are made from the full size
    snap: bool = False  # draw bumps from the middle of the landmark's pixel, as the paper
    # of the levels in the loss, coarse to fine; None: 1 each
    level_weights: tuple[Annotated[float, Field(ge=0)], ...] | None = None
    foreground: float = Field(0.0, ge=0)  # an error where the target is y weighs 1 + foreground * y

    # tags: how they are learnt
    embedding: Annotated[Embedding, _fields_of(Embedding, "embedding"), PlainSerializer(_plain)] = Embedding()
    # tags: what of a picture is shown; None: all of it, and the augmentation moves it
    zoom: Annotated[Zoom | None, _fields_of(Zoom, "zoom"), PlainSerializer(_plain)] = None
    # boxes: how they and their map are learnt
    dense: Annotated[Dense, _fields_of(Dense, "dense"), PlainSerializer(_plain)] = Dense()
    # share of samples that show the whole picture, not the object's box; of several objects the middle one
    whole: float = Field(0.0, ge=0, le=1)
    whole_scale: tuple[float, float] = (1.0, 1.0)  # how large a whole picture is shown, of what would fit
    # heatmap: share of the other samples that show some part of the picture, alone, as a second look's search
    # does: what of the object is there, or that nothing is
    search: float = Field(0.0, ge=0, le=1)
    enlarge: float = Field(1.25, gt=0)  # a box grows by this before it is cut out
    context: float = Field(1.0, ge=0, le=1)  # share of boxes seen with what lies around them;
    # below 1 it is painted over when the network is used: a neighbour's landmarks are not in the box
    # heatmap: datasets of other objects, in whose boxes there is nothing to find, and their share of samples
    negatives: tuple[str, ...] = ()
    negative_share: float = Field(0.15, gt=0, lt=1)
    # how the box that is cut out varies, as HRNet's authors draw it
    windows: Annotated[Windows | None, _fields_of(Windows, "windows"), PlainSerializer(_plain)] = None
    augmentation: Annotated[
        Augmentation, _fields_of(Augmentation, "augmentation", none=True), PlainSerializer(_plain)
    ] = Augmentation()
    # what is hidden on purpose
    occlusion: Annotated[Occlusion | None, _fields_of(Occlusion, "occlusion"), PlainSerializer(_plain)] = None

    # a finished model of the same network, whose weights training begins with: a .safetensors or .onnx file,
    # or a shipped detector's name
    start: str | None = None
    optimiser: Literal["adam", "adamw", "rmsprop"] = "adam"
    lr: float = Field(1.5e-5, gt=0)
    backbone_lr: float = Field(1.0, gt=0, le=1)  # of that, what a backbone learns with that is not all frozen
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
    seed: int = Field(0, ge=0, lt=2**63)

    workers: int = Field(1, ge=0)  # processes that prepare samples
    cache_mb: int = Field(4096, ge=0)  # pictures are decoded once and kept, if all of them fit
    save_minutes: float = Field(5.0, gt=0)  # between two saved states within an epoch

    @model_validator(mode="after")
    def _holds_together(self) -> "Recipe":
        check_options(self.model, self.options)
        if any(not 32 <= side <= LARGEST or side % 32 for side in self.size):
            raise UserError(f"size must be multiples of 32, {LARGEST} at most, got {list(self.size)}")
        if (self.head == "connected") != (self.options.get("connected") is not None):
            raise UserError(
                f"head: connected and options: {{connected: {self.size[1] // 32}}} belong together, "
                f"got head: {self.head} and options: {self.options}"
            )
        crowd = self.model in CROWDS
        if (self.head == "tags") != crowd or (self.task == "crowd") != crowd:
            raise UserError(
                f"head: tags and task: crowd are for {', '.join(CROWDS)} and for them only, "
                f"got model: {self.model}, head: {self.head}, task: {self.task}"
            )
        dense = self.model in DENSE
        if (self.head == "boxes") != dense or (self.task == "dense") != dense:
            raise UserError(
                f"head: boxes and task: dense are for {', '.join(DENSE)} and for them only, "
                f"got model: {self.model}, head: {self.head}, task: {self.task}"
            )
        if self.head not in ("dsnt", "connected") and self.interchangeable == "matched":
            raise UserError("interchangeable: matched is for head: dsnt or connected")
        if (self.negatives or self.search) and not (self.task == "single" and self._learns_absent):
            what = "negatives are" if self.negatives else "search is"
            raise UserError(
                f"{what} for task: single, head: heatmap and absent: zero: there are empty maps to learn"
            )
        if self.schedule == "steps" and not self.milestones:
            raise UserError("schedule: steps needs milestones: the epochs at which the rate falls")
        if self.occlusion and self.occlusion.removal != "none" and self._learns_absent:
            raise UserError(
                "occlusion.removal takes labels away, which head: heatmap would learn as empty maps: set"
                " absent: ignore, or occlusion.removal: none"
            )
        return self

    @field_validator("whole_scale")
    @classmethod
    def _rising(cls, value: tuple[float, float]) -> tuple[float, float]:
        if not 0 < value[0] <= value[1]:
            raise UserError(f"whole_scale is a range [low, high] above 0, got {list(value)}")
        return value

    @model_validator(mode="after")
    def _context_is_ours(self) -> "Recipe":
        if self.context < 1 and (self.head == "msra" or self.task not in ("single", "top_down")):
            raise UserError("context below 1 is for boxes, and not for head: msra")
        return self

    @property
    def _learns_absent(self) -> bool:
        return self.head == "heatmap" and self.absent == "zero"


def skeleton_for(recipe: Recipe, skeleton: Skeleton) -> Skeleton:
    """What the recipe learns of a dataset's skeleton. Raises a UserError that names the nearest landmark."""
    wanted = recipe.landmarks or skeleton.landmarks
    for name in wanted:
        skeleton.index(name)

    def among(names: Sequence[str]) -> tuple[str, ...]:
        return tuple(n for n in names if n in wanted)

    def kept(groups: Sequence[Sequence[str]]) -> Any:
        return tuple(found for found in map(among, groups) if len(found) > 1)

    alike = kept(skeleton.interchangeable)
    if recipe.head not in ("heatmap", "boxes") and recipe.interchangeable == "merged" and alike:
        raise UserError(
            f"head: {recipe.head} reads one point from a map, so {' and '.join(alike[0])} need a map each: "
            f"set interchangeable: {'apart' if recipe.head in ('msra', 'tags') else 'matched'}"
        )

    return Skeleton(
        skeleton.name,
        tuple(wanted),
        bones=kept(skeleton.bones),
        mirror=kept(skeleton.mirror),
        interchangeable=alike if recipe.interchangeable != "apart" else (),
        parts={part: among(names) for part, names in skeleton.parts.items()},
        sigmas={n: s for n, s in skeleton.sigmas.items() if n in wanted},
    )


def channels_for(recipe: Recipe, skeleton: Skeleton) -> tuple[tuple[int, ...], ...]:
    """Which landmarks each map shows: interchangeable ones share one only where they are merged."""
    if recipe.head == "boxes":  # things of one class
        return (tuple(range(len(skeleton))),)
    return skeleton.alone if recipe.head in ("dsnt", "connected", "tags") else skeleton.channels


def shipped() -> dict[str, tuple[Path, str | None]]:
    """The recipes that come with heatmark, by name: the file, and the row of it where it is a sheet."""
    folder, found = Path(str(files("heatmark"))) / "recipes", {}
    for path in sorted(folder.glob("*.yaml")):
        rows = _parsed(path).get(ROWS)
        names = {path.stem: None} if rows is None else {f"{path.stem}/{row}": row for row in rows}
        found |= {name: (path, row) for name, row in names.items()}
    return found


def read(recipe: "str | Path | Recipe", settings: Mapping[str, Any] | None = None) -> Recipe:
    """A shipped recipe by its name, or a YAML file; `settings` override its fields (nested ones field by
    field).

    A file with `rows` is a sheet, the table of a paper say: its other fields hold for every row, a row says
    what it changes, and FILE/ROW is the recipe's name.

    Raises:
        UserError: no such recipe, an unknown field, or a value that cannot be.
    """
    if isinstance(recipe, Recipe):
        return validated(_over(recipe.model_dump(), settings or {}), recipe.name)
    path, row = Path(recipe), None
    if path.parent.suffix in SUFFIXES and not path.exists():  # a row of a file
        path, row = path.parent, path.name
    if path.suffix not in SUFFIXES:
        known = shipped()
        if str(recipe) not in known:
            raise unknown("recipe", str(recipe), known)
        path, row = known[str(recipe)]
    raw = _parsed(path)
    if ROWS in raw:
        raw = _row(raw, row, path)
    elif row is not None:
        raise UserError(f"{path.name}: has no rows, so no {row!r}")
    return validated(_over({"name": path.stem} | raw, settings or {}), path.name)


def _parsed(path: Path) -> dict[str, Any]:
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"there is no recipe at {path}; there are also: {', '.join(shipped())}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise DataError(f"{path.name}: not YAML: {' '.join(str(error).split())[:200]}") from error
    if not isinstance(raw, dict):
        raise DataError(f"{path.name}: a recipe is fields and values, got {type(raw).__name__}")
    if ROWS in raw:
        raw[ROWS] = _rows(raw[ROWS], path.name)
    return raw


def _rows(given: Any, source: str) -> dict[str, dict[str, Any]]:
    """The rows of a sheet by name (YAML takes 2 for a number), what each changes."""
    if not isinstance(given, dict):
        raise DataError(f"{source}: {ROWS}: wanted recipes by name, got {type(given).__name__}")
    rows = {str(name): {} if row is None else row for name, row in given.items()}
    for name, row in rows.items():
        if not isinstance(row, dict):
            raise DataError(f"{source}: {ROWS}.{name}: wanted fields and values, got {type(row).__name__}")
    return rows


def _row(sheet: dict[str, Any], row: str | None, path: Path) -> dict[str, Any]:
    """One row of a sheet, as a whole recipe."""
    rows = sheet[ROWS]
    if row is None:
        names = ", ".join(f"{path.stem}/{name}" for name in rows)
        raise UserError(f"{path.name} is a sheet of recipes, say which: {names}")
    if row not in rows:
        raise unknown(f"row of {path.name}", row, rows)
    common = {field: value for field, value in sheet.items() if field != ROWS}
    return _over({"name": f"{path.stem}-{row}"} | common, rows[row])


def validated(raw: Mapping[str, Any], source: str) -> Recipe:
    """A Recipe, or a UserError in one line about its first fault."""
    try:
        return Recipe.model_validate(raw)
    except ValidationError as error:
        raise UserError(f"{source}: {first_fault(error, Recipe, 'recipe field')}") from error


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
