"""Pictures to raw maps: one paper, one file. No loss, no target, no decoding.

A network takes pictures (B, 3, H, W), RGB in [0, 1], normalises them itself, and returns a tuple of maps,
coarse to fine, each (B, C, h, w); `net.strides` says how many pixels a cell of each is wide. Those of MODELS
draw one object; those of CROWDS draw everybody at once, and `net.layout` says what each of their maps shows.
Those of DENSE find boxes, and say it of anchors (gaussian_retinanet).
"""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from torch import nn

from ..errors import UserError, unknown
from .backbones import BACKBONES
from .clusterwise import clusterwise
from .coordinate import coordinate_34, coordinate_50, coordinate_lite0
from .gaussian_retinanet import gaussian_decoder, gaussian_layer, retinanet
from .higher_hrnet import higher_hrnet_w32, higher_hrnet_w48
from .hourglass import hourglass_2, hourglass_8, hourglass_keras
from .hrnet import hrnet_w32, hrnet_w48
from .ihm import hm, ihm56, ihm224
from .pose_ae import pose_ae
from .simple_baseline import simple_baseline_50, simple_baseline_101, simple_baseline_152

MODELS: dict[str, Callable[..., nn.Module]] = {
    "ihm224": ihm224,
    "ihm56": ihm56,
    "hm": hm,
    "hrnet_w32": hrnet_w32,
    "hrnet_w48": hrnet_w48,
    "simple_baseline_50": simple_baseline_50,
    "simple_baseline_101": simple_baseline_101,
    "simple_baseline_152": simple_baseline_152,
    "coordinate_34": coordinate_34,
    "coordinate_50": coordinate_50,
    "coordinate_lite0": coordinate_lite0,
    "hourglass_2": hourglass_2,
    "hourglass_8": hourglass_8,
    "hourglass_keras": hourglass_keras,
}
CROWDS: dict[str, Callable[..., nn.Module]] = {
    "pose_ae": pose_ae,
    "higher_hrnet_w32": higher_hrnet_w32,
    "higher_hrnet_w48": higher_hrnet_w48,
    "clusterwise": clusterwise,
}
DENSE: dict[str, Callable[..., nn.Module]] = {
    "retinanet": retinanet,
    "gaussian_decoder": gaussian_decoder,
    "gaussian_layer": gaussian_layer,
}

ORIGINS = {  # what a model without a `backbone` option starts from (weights: hub), and its licence
    "hrnet_w32": ("the authors' ImageNet weights, from timm", "MIT"),
    "hrnet_w48": ("the authors' ImageNet weights, from timm", "MIT"),
    "higher_hrnet_w32": ("HRNet's authors' ImageNet weights, from timm", "MIT"),
    "higher_hrnet_w48": ("HRNet's authors' ImageNet weights, from timm", "MIT"),
    "coordinate_34": ("torchvision ResNet34, IMAGENET1K_V1", "BSD-3-Clause"),
    "coordinate_50": ("torchvision ResNet50, IMAGENET1K_V1", "BSD-3-Clause"),
    "coordinate_lite0": ("EfficientNet-lite0, ImageNet (TensorFlow TPU)", "Apache-2.0"),
    "simple_baseline_50": ("torchvision ResNet50, IMAGENET1K_V1", "BSD-3-Clause"),
    "simple_baseline_101": ("torchvision ResNet101, IMAGENET1K_V1", "BSD-3-Clause"),
    "simple_baseline_152": ("torchvision ResNet152, IMAGENET1K_V1", "BSD-3-Clause"),
}


def function_of(name: str) -> Callable[..., nn.Module]:
    """Raises a UserError for a model that does not exist."""
    known = MODELS | CROWDS | DENSE
    if name not in known:
        raise unknown("model", name, known)
    return known[name]


def options_of(name: str) -> tuple[str, ...]:
    """What a model takes beside its number of maps. Raises a UserError for a model that does not exist."""
    return tuple(inspect.signature(function_of(name)).parameters)[1:]  # the first is how many


def check_options(name: str, options: dict[str, Any]) -> None:
    """Raise a UserError for a model or an option of it that does not exist, or a value of another kind than
    the function's signature says.
    """
    known, parameters = options_of(name), inspect.signature(function_of(name)).parameters
    for option, value in options.items():
        if option not in known:
            raise unknown(f"option of {name}", option, known)
        kind = parameters[option].annotation
        try:
            TypeAdapter(Any if kind is inspect.Parameter.empty else kind).validate_python(value, strict=True)
        except ValidationError as error:
            said = error.errors()[0]["msg"].lower()
            raise UserError(f"options.{option} of {name}: {said}, got {value!r:.100}") from error


def unfetched(name: str, options: dict[str, Any]) -> dict[str, Any]:
    """The options of a model that is to fetch no weights, because a file has them all."""
    return dict(options) | ({"weights": None} if "weights" in options_of(name) else {})


def origin(name: str, options: dict[str, Any]) -> tuple[str, str, str]:
    """What a model with these options starts from, for its card: backbone, whose weights, their licence."""
    parameters = inspect.signature(function_of(name)).parameters
    given = {option: options.get(option, parameters[option].default) for option in options_of(name)}
    backbone = given.get("backbone")
    if "weights" in given and given["weights"] is None:
        return backbone or name, "random weights", "Apache-2.0"
    if backbone is not None:
        known = BACKBONES.get(backbone)
        return (
            (backbone, known.origin, known.licence) if known else (backbone, f"timm {backbone}", "see timm")
        )
    if "weights" in options_of(name) and name not in ORIGINS and options.get("weights"):
        return name, f"a trained model, {Path(options['weights']).name}", "its own"
    whose, licence = ORIGINS.get(name, ("random weights", "Apache-2.0"))
    return name, whose, licence


def create(name: str, points: int, **options: Any) -> nn.Module:
    """A network by its name in MODELS, CROWDS or DENSE; `points` is how many landmarks, or groups of them, it
    draws, or how many classes of boxes it tells apart.

    Raises a UserError for an unknown name or option.
    """
    check_options(name, options)
    if points < 1:
        raise UserError(f"a network draws at least 1 map, got points={points}")
    return function_of(name)(points, **options)
