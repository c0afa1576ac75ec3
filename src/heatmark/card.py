"""What a model file says of itself: its landmarks, what it wants to see, how its maps are read, its origin.

The card is JSON under the key "heatmark": in the header of model.safetensors, in the metadata of NAME.onnx.
This file knows the words only; `training` writes headers, `runtime` and `commands/export` read them.
"""

import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from .errors import DataError, UserError, first_fault
from .types import Skeleton

KEY = "heatmark"  # of the card among a file's metadata
VERSION = 1  # of the card; raised when a reader of the old one would misunderstand the new one
INPUT = "pictures (B, 3, H, W) float32 RGB in [0, 1]; the network scales and normalises them itself"
REFINEMENTS = Literal["none", "quarter", "parabola", "dark"]
RECTIFICATIONS = Literal["softmax", "thresholded_softmax", "abs", "relu", "sigmoid"]


class Decoding(BaseModel, extra="forbid", frozen=True, allow_inf_nan=False):  # JSON has neither
    """How the finest map becomes points: arguments of `heatmaps.decode`, `heatmaps.decode_expectation` or
    `heatmaps.msra.decode`.

    >>> print(Decoding(refine="quarter"), "|", Decoding(method="expectation", threshold=0.3))
    peak, quarter, threshold 0 | expectation, softmax, threshold 0.3
    """

    # The highest cell, the mean (DSNT), as HRNet, the network's answer as it is, which are points; or the
    # peaks of many persons with their tags, which `grouping` makes persons of; or boxes, each thing's once.
    method: Literal["peak", "expectation", "msra", "coordinates", "tags", "boxes"] = "peak"
    refine: REFINEMENTS = "dark"  # of a peak
    peaks: int = Field(default=30, ge=1)  # tags: of a landmark at the most, so persons too
    floor: float = 0.02  # tags: so high must a peak be to complete a person; to begin one, `threshold`
    kept: int = Field(default=300, ge=1)  # boxes: of a picture at the most
    candidates: int = Field(default=10_000, ge=1)  # boxes: that compete to be kept, the surest
    overlap: float = Field(default=0.5, gt=0, le=1)  # boxes: those that overlap more are one thing
    apart: float | None = Field(default=None, gt=0, le=1)  # boxes: more still, if the map has a peak for each
    centred: float | None = Field(default=None, gt=0)  # boxes: how far from the map's peak a middle may lie
    soft: float | None = Field(default=None, gt=0)  # boxes: Soft-NMS of this sigma, once the file answered
    map: bool = False  # boxes: the map is an output of the file, too
    person: float = 0.0  # tags: who scores less, over all landmarks, is nobody
    reach: float = Field(default=1.0, gt=0)  # tags: nearer than this to its person's is a person's tag
    rectification: RECTIFICATIONS = "softmax"  # before a mean; the network draws without its own sigmoid
    # Of a mean: how its score is made, and (slope, offset) of the line through the score's logit that makes
    # it the chance that the point lies within a tenth of the box, on pictures like the validation set's.
    confidence: Literal["mass", "peak", "spread"] = "mass"
    calibration: tuple[float, float] | None = None
    threshold: float = 0.0  # a score below it is no landmark: its point is NaN
    flip: bool = False  # the mirror image is looked at too, and the maps are averaged (the flip test)

    def __str__(self) -> str:
        how = {"peak": f", {self.refine}", "expectation": f", {self.rectification}"}.get(self.method, "")
        return f"{self.method}{how}, threshold {self.threshold:g}{', flip test' if self.flip else ''}"


class Card(BaseModel):
    """Everything a file of weights needs so that points come out of it, and what its user should know.

    >>> hammer = Skeleton("hammer", ("face", "claw", "handle_end"))
    >>> card = Card(name="hammer", skeleton=hammer, size=(224, 224), model="ihm56", strides=(16, 8, 4))
    >>> Card.from_json(card.to_json()) == card
    True
    >>> card.skeleton_of() == hammer
    True
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    version: int = VERSION
    name: str
    # One object a picture; many, each in its box; everybody at once; or boxes, of many things side by side.
    task: Literal["single", "top_down", "crowd", "dense"] = "single"
    skeleton: dict[str, Any]  # Skeleton.to_dict(); a Skeleton is taken too
    size: tuple[int, int]  # (H, W) the network sees, pixels
    model: str  # a key of models.MODELS
    options: dict[str, Any] = {}  # further arguments of that function
    strides: tuple[int, ...] = Field(min_length=1)  # pixels per cell, coarse to fine; the last is decoded
    decoding: Decoding = Decoding()
    input: str = INPUT
    enlarge: float = Field(default=1.25, gt=0)  # a given box grows by this before it is shown to the network
    # dense: shorter and longer side of a whole picture as it is shown, at the most; None: as large as fits
    resize: tuple[int, int] | None = None
    context: bool = True  # what lies around that is seen too; if not, it is painted over
    second_look: float = Field(default=1.6, ge=1)  # its window, in sides of the box around the points
    precision: Literal["fp32", "fp16", "int8"] = "fp32"  # fp16: of the weights; int8: of convolutions too
    recipe: dict[str, Any] = {}  # the resolved recipe it was trained with
    data: dict[str, Any] = {}  # what it was trained on
    results: dict[str, Any] = {}  # what was measured with it, and on what
    licence: str = ""  # of the weights, and of a backbone inside
    limits: str = ""  # what it is not for, in a sentence

    @field_validator("skeleton", mode="before")
    @classmethod
    def _skeleton(cls, value: Any) -> dict[str, Any]:
        return value.to_dict() if isinstance(value, Skeleton) else Skeleton.from_dict(value).to_dict()

    @field_validator("size", "strides", "resize")
    @classmethod
    def _positive(cls, value: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if value is not None and min(value) < 1:
            raise ValueError(f"must be positive, got {value}")
        return value

    @model_validator(mode="after")
    def _holds_together(self) -> "Card":
        if (self.task == "crowd") != (self.decoding.method == "tags"):
            raise ValueError("task crowd and decoding by tags belong together")
        if (self.task == "dense") != (self.decoding.method == "boxes"):
            raise ValueError("task dense and decoding by boxes belong together")
        if self.decoding.soft and self.decoding.apart:
            raise ValueError(
                "soft and apart are two ways of suppression: boxes lose score, or compete by the map"
            )
        if self.decoding.flip and self.decoding.method not in ("peak", "msra", "tags"):
            raise ValueError("the flip test averages maps whose peaks are read, and here there are none")
        if self.decoding.flip and (lone := self._unmirrored()):
            raise ValueError(f"the flip test needs groups that mirror into groups, and {lone} does not")
        if self.recipe.get("head") == "dsnt" and self.decoding.method != "expectation":
            raise ValueError(
                "what head dsnt learnt to draw are no heatmaps: decoding.method is to be 'expectation', "
                f"got {self.decoding.method!r}"
            )
        if self.decoding.method == "msra" and not self.context:
            raise ValueError("msra sees what lies around a box")
        if self.decoding.method == "msra" and self.skeleton_of().interchangeable:
            raise ValueError("msra reads one point a map, so interchangeable landmarks need a map each")
        return self

    def _unmirrored(self) -> str:
        """The landmarks of a map that none of the maps shows in the mirror image; "" if there are none."""
        skeleton, groups = self.skeleton_of(), set(map(frozenset, self.channels))
        lone = (g for g in self.channels if frozenset(skeleton.mirrored[list(g)].tolist()) not in groups)
        return ", ".join(skeleton.landmarks[k] for k in next(lone, ()))

    def with_decoding(self, **changes: Any) -> "Card":
        """The card with other values of its decoding. Raises a UserError for one that cannot be."""
        try:
            whole = {"decoding": self.decoding.model_dump() | changes}
            return Card.model_validate(self.model_dump() | whole)
        except ValidationError as error:
            raise UserError(first_fault(error, Card, "way of decoding")) from error

    def skeleton_of(self) -> Skeleton:
        """The landmarks as a Skeleton."""
        return Skeleton.from_dict(self.skeleton)

    @property
    def channels(self) -> tuple[tuple[int, ...], ...]:
        """Which landmarks each of the network's maps shows: one where a map has one mean, or where there are
        no maps but points; else an interchangeable group shares one.
        """
        if self.decoding.method == "boxes":  # things of one class
            return (tuple(range(len(self.skeleton_of()))),)
        skeleton, alone = self.skeleton_of(), self.decoding.method in ("expectation", "coordinates", "tags")
        return skeleton.alone if alone else skeleton.channels

    @property
    def stride(self) -> int:
        """Network pixels per cell of the map that is decoded."""
        return self.strides[-1]

    def to_json(self) -> str:
        """One line of JSON."""
        return self.model_dump_json()

    @classmethod
    def from_json(cls, text: str, source: str = "the card") -> "Card":
        """The inverse of to_json; `source` names the file in errors. Raises DataError for a faulty card."""
        try:
            raw = json.loads(text)
        except ValueError as error:
            raise DataError(f"{source}: its heatmark card is not JSON: {error}") from error
        if not isinstance(raw, dict):
            raise DataError(f"{source}: its heatmark card must be a JSON object, got {type(raw).__name__}")
        version = raw.get("version")
        if not isinstance(version, int):
            raise DataError(f"{source}: its heatmark card has no version number (got {version!r})")
        if version > VERSION:
            raise DataError(
                f"{source}: its card has version {version}, this heatmark reads up to {VERSION}: "
                "pip install --upgrade heatmark"
            )
        try:
            return cls.model_validate(raw)
        except ValidationError as error:
            raise DataError(
                f"{source}: its heatmark card: {first_fault(error, cls, 'card field')}"
            ) from error
