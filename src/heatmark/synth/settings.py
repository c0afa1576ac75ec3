"""The ranges that scenes are drawn from: one strict value, one YAML file, defaults that work."""

import json
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator

from ..errors import DataError, UserError, first_fault, unknown


def _rising(value: tuple[float, float]) -> tuple[float, float]:
    if not (np.isfinite(value).all() and value[0] <= value[1]):
        raise ValueError(f"a range is [low, high] with low <= high, got {list(value)}")
    return value


def _inside(low: float, high: float, value: tuple[float, float]) -> tuple[float, float]:
    if not low <= value[0] <= value[1] <= high:
        raise ValueError(f"a range within {low:g} and {high:g} is wanted, got {list(value)}")
    return value


def _within(low: float, high: float = np.inf) -> Any:
    return AfterValidator(partial(_inside, low, high))


def _weights(value: dict[str, float]) -> dict[str, float]:
    if not value or min(value.values()) < 0 or not 0 < sum(value.values()) < np.inf:
        raise ValueError(f"weights must be >= 0, finite and not all 0, got {value}")
    return value


def _known(kinds: tuple[str, ...], value: dict[str, float]) -> dict[str, float]:
    for name in value:
        if name not in kinds:
            raise unknown("kind", name, kinds)
    return value


def _among(*kinds: str) -> Any:
    return AfterValidator(partial(_known, kinds))


Range = Annotated[tuple[float, float], AfterValidator(_rising)]
Amount = Annotated[Range, _within(0)]
Size = Annotated[Range, _within(1e-3)]
Count = Annotated[tuple[int, int], AfterValidator(_rising), _within(0)]
Chance = Annotated[float, Field(ge=0, le=1)]  # how often
Weights = Annotated[dict[str, float], AfterValidator(_weights)]
GROUNDS = (  # those of `grounds`, and a photograph
    "wood", "concrete", "metal", "fabric", "cardboard", "painted", "plain", "paper", "grass", "tiles",
    "photo",
)  # fmt: skip


class Strict(BaseModel):
    """A value that refuses unknown fields and never changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ObjectSettings(Strict):
    """How the object lies and how much of the picture it fills."""

    poses: Annotated[Weights, _among("lying", "rolled", "leaning", "standing", "upright", "air")] = {
        "lying": 0.5, "rolled": 0.15, "leaning": 0.1, "standing": 0.05, "air": 0.2,
    }  # fmt: skip
    extent: Size = (0.4, 0.95)  # its longer side in the picture, of the picture's shorter side
    small: Chance = 0.1  # how often it is as small as `small_extent` instead
    small_extent: Size = (0.2, 0.4)
    truncated: Chance = 0.1  # how often it crosses the picture's edge
    closeup: Chance = 0.0  # how often only its upper part is in the picture
    closeup_extent: Size = (1.2, 3.2)  # how long it is then
    lean_deg: Range = (10.0, 60.0)
    air_m: Amount = (0.02, 0.4)  # height above the ground, when there is one
    # how many different objects a family gives; 0: a new one in every picture
    draws: int = Field(default=0, ge=0, le=2**31)
    # of the picture, to be seen of an object for it to be labelled: 15 px of 224 x 224
    least_area: Chance = 0.0003


class CameraSettings(Strict):
    """Where the camera stands and how it sees."""

    fov_deg: Annotated[Range, _within(1, 170)] = (18.0, 65.0)
    elevation_deg: Annotated[Range, _within(-90, 90)] = (12.0, 90.0)  # 90 looks straight down
    top_down: Chance = 0.25  # how often it looks down at 75 to 90 degrees instead
    in_front: Chance = 0.0  # how often the camera stands before what is upright, within some 50 degrees
    roll_deg: Range = (-180.0, 180.0)  # of the camera about its axis; only when looking down
    tilt_deg: Range = (-12.0, 12.0)  # the same when not
    depth_of_field: Chance = 0.35  # how often the lens is open
    defocus_px: Amount = (0.3, 4.0)  # radius of the blur at twice the distance, at 224 pixels


class LightSettings(Strict):
    # "file" only with a folder
    kinds: Annotated[Weights, _among("sky", "studio", "workshop", "file")] = {
        "sky": 1.0, "studio": 1.0, "workshop": 1.0, "file": 2.0,
    }  # fmt: skip
    folder: str | None = None  # of EXR or HDR environment maps
    strength: Size = (0.6, 1.3)
    lamps: Count = (0, 2)
    lamp_share: Amount = (0.1, 1.2)


class GroundSettings(Strict):
    kinds: Annotated[Weights, _among(*GROUNDS)] = {
        "wood": 2.0, "concrete": 1.5, "metal": 1.0, "fabric": 1.0, "cardboard": 0.7, "painted": 1.5,
        "plain": 2.0, "paper": 1.0, "photo": 2.0,
    }  # fmt: skip
    folder: str | None = None  # of photographs, for "photo"
    tile_views: Size = (1.0, 2.5)  # how much a texture covers, in widths of what the picture shows
    none_in_air: Chance = 0.6  # how often an object in the air has no ground below it


class BackgroundSettings(Strict):
    kinds: Annotated[Weights, _among("photo", "invented", "vista", "white", "environment", "walls")] = {
        "photo": 3.0, "invented": 0.7, "environment": 1.0, "walls": 0.7, "white": 0.4,
    }  # fmt: skip
    folder: str | None = None  # of photographs, for "photo"


class ClutterSettings(Strict):
    what: Literal["workshop", "furniture"] = "workshop"  # small things, or things of human size
    count: Count = (0, 8)
    tools: Chance = 0.3  # how often a piece is a tool of another family
    meshes: tuple[str, ...] = ()  # meshes of your own to lie about; they need no landmarks
    pieces: tuple[
        str, ...
    ] = ()  # which of the built-in pieces lie about (pliers, knife ...); none named: all
    draws: int = Field(default=200, ge=1, le=1000)  # how many different pieces there are, at most 1000
    case: Chance = 0.06  # how often the object lies in an open tool case, with what lies beside it
    hand: Chance = 0.2  # how often a hand holds the object, where the ground leaves room for one
    kin: Chance = 0.25  # how often others of the object's own kind are there, labelled too
    kin_count: Count = (1, 5)
    neat: Chance = 0.25  # how often the pieces lie in line with the object, as on a tool board
    sets: Chance = 0.6  # how often they lie side by side with it, as in a set of sizes; else anywhere

    @field_validator("pieces")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if value:
            from .clutter import PIECES

            for name in value:
                if name not in PIECES:
                    raise unknown("piece of clutter", name, PIECES)
        return value


class ShelfSettings(Strict):
    """How racks are filled; for the family `shelf` alone."""

    products: Annotated[Count, _within(1)] = (60, 240)  # in the picture, about
    facings: Annotated[Count, _within(1)] = (2, 8)  # of one product, side by side
    gaps: Chance = 0.05  # how often a facing is sold out
    stacked: Chance = 0.6  # how often low products are piled up
    yaw_deg: float = Field(
        default=14.0, ge=0, le=90
    )  # standard deviation of how far from the side the camera stands


class EffectSettings(Strict):
    exposure_ev: Range = (-1.0, 0.8)
    temperature: Range = (-0.25, 0.25)  # of white balance: log2 of red over blue, halved
    tint: Range = (-0.06, 0.06)
    blur_px: Amount = (0.0, 0.9)
    motion: Chance = 0.1  # how often the camera shakes
    motion_px: Amount = (1.0, 5.0)
    noise: Amount = (0.0, 0.04)
    contrast: Size = (0.85, 1.2)
    saturation: Amount = (0.5, 1.25)
    grey: Chance = 0.1  # how often the picture is without colour
    vignette: Amount = (0.0, 0.3)
    stretched: Chance = 0.25  # how often the picture is made wider or higher, as many on the web are
    stretch: Size = (1.0, 1.3)  # by how much then


# what people are seen in, laid under what a scene says of itself: where it shows families of people
HUMAN: dict[str, Any] = {
    "object": {
        "poses": {"upright": 1.0}, "extent": (0.45, 0.95), "small_extent": (0.25, 0.45), "truncated": 0.12,
        "closeup": 0.25,
    },
    "camera": {
        "fov_deg": (22.0, 70.0), "elevation_deg": (-6.0, 25.0), "top_down": 0.02, "tilt_deg": (-5.0, 5.0),
        "in_front": 0.6, "depth_of_field": 0.2,
    },
    "ground": {
        "kinds": {
            "wood": 1.5, "concrete": 2.0, "grass": 2.0, "tiles": 2.0, "painted": 0.7, "plain": 0.8,
            "fabric": 0.4,
            "photo": 0.3,
        },
        "tile_views": (0.4, 1.2),
    },
    "background": {"kinds": {"photo": 1.5, "invented": 0.2, "vista": 3.0, "environment": 0.5, "walls": 1.0}},
    "clutter": {
        "what": "furniture", "count": (0, 4), "tools": 0.0, "hand": 0.0, "kin": 0.5, "kin_count": (1, 6),
        "sets": 0.0,
    },
    "effects": {"noise": (0.0, 0.025), "grey": 0.04, "exposure_ev": (-0.7, 0.8), "stretched": 0.0},
}  # fmt: skip
# and what shelves of products are seen in: from before them, in a shop's even light
SHOP: dict[str, Any] = {
    "camera": {"fov_deg": (40.0, 70.0), "elevation_deg": (-8.0, 14.0), "tilt_deg": (-4.0, 4.0)},
    "light": {"kinds": {"studio": 1.0, "workshop": 1.0}, "strength": (1.1, 1.9), "lamps": (1, 4)},
    "effects": {"noise": (0.0, 0.025), "grey": 0.04, "exposure_ev": (-0.5, 0.6), "blur_px": (0.0, 0.6)},
}
RANGES = {"people": HUMAN, "people_mpii": HUMAN, "shelf": SHOP}


class SceneSettings(Strict):
    """All ranges that scenes are drawn from. `SceneSettings(objects="hammer")` works as it is."""

    # built-in families, meshes or folders with landmarks; all of one skeleton
    objects: Annotated[tuple[str, ...], Field(min_length=1)]
    object: ObjectSettings = ObjectSettings()
    camera: CameraSettings = CameraSettings()
    light: LightSettings = LightSettings()
    ground: GroundSettings = GroundSettings()
    background: BackgroundSettings = BackgroundSettings()
    clutter: ClutterSettings = ClutterSettings()
    shelf: ShelfSettings = ShelfSettings()
    effects: EffectSettings = EffectSettings()

    @field_validator("objects", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, (str, Path)) else value


def settings_of(scene: str | Path, changes: dict[str, Any] | None = None) -> SceneSettings:
    """Settings from a YAML file, a mesh (file or folder with landmarks), or the name of a built-in family.

    Args:
        changes: fields that replace those of the file, nested as in it.

    Raises:
        UserError: no such family or file, or an unknown field in `changes`. DataError: a fault in the file.
    """
    raw: dict[str, Any] = {"objects": [str(scene)]}
    path = Path(scene)
    if path.suffix.lower() in (".yaml", ".yml"):
        try:
            raw = yaml.safe_load(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise UserError(f"{path}: no such scene file") from None
        except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
            raise DataError(f"{path}: not readable as YAML: {' '.join(str(error).split())}") from error
        if not isinstance(raw, dict):
            raise DataError(f"{path}: must hold the fields of a scene, got {type(raw).__name__}")
    raw = merged(_usual(raw.get("objects")), raw)
    try:
        SceneSettings.model_validate(raw)
    except ValidationError as error:
        raise DataError(f"{path}: {first_fault(error, SceneSettings)}") from error
    try:
        return SceneSettings.model_validate(merged(raw, changes or {}))
    except ValidationError as error:
        raise UserError(f"scene settings: {first_fault(error, SceneSettings)}") from error


def _usual(objects: Any) -> dict[str, Any]:
    """The ranges of a family that has its own, if all objects are of families that share them."""
    names = [objects] if isinstance(objects, str) else objects if isinstance(objects, list) else []
    ranges = [RANGES.get(name, {}) if isinstance(name, str) else {} for name in names]
    return ranges[0] if ranges and all(r is ranges[0] for r in ranges) else {}


def relevant(scene: dict[str, Any]) -> dict[str, Any]:
    """Of settings as plain data, the fields that scenes of their objects are drawn from.

    >>> relevant({"objects": ["hammer"], "shelf": {}, "clutter": {}})
    {'objects': ['hammer'], 'clutter': {}}
    """
    unused = ("object", "clutter") if "shelf" in scene.get("objects", ()) else ("shelf",)
    return {field: value for field, value in scene.items() if field not in unused}


def one_of(rng: np.random.Generator, weights: dict[str, float]) -> str:
    """A name, as often as its weight says."""
    names = list(weights)
    chances = np.array([weights[n] for n in names])
    return names[rng.choice(len(names), p=chances / chances.sum())]


def merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`base` with `changes` laid over it, dict by dict.

    >>> merged({"a": {"b": 1, "c": 2}}, {"a": {"c": 3}})
    {'a': {'b': 1, 'c': 3}}
    """
    out = dict(base)
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(out.get(key), dict)
        out[key] = merged(out[key], value) if both else value
    return out


def to_yaml(settings: SceneSettings) -> str:
    """The whole of the settings, as the YAML file that gives them back."""
    return yaml.safe_dump(json.loads(settings.model_dump_json()), sort_keys=False)
