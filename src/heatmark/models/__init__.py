"""Pictures to raw maps: one paper, one file. No loss, no target, no decoding.

A network takes pictures (B, 3, H, W), RGB in [0, 1], normalises them itself, and returns a tuple of maps,
coarse to fine, each (B, C, h, w); `net.strides` says how many pixels a cell of each is wide.
"""

import inspect
from collections.abc import Callable
from typing import Any

from torch import nn

from ..errors import UserError, unknown
from .ihm import IHM, hm, ihm56, ihm224

MODELS: dict[str, Callable[..., IHM]] = {
    "ihm224": ihm224,
    "ihm56": ihm56,
    "hm": hm,
}


def check_options(name: str, options: dict[str, Any]) -> None:
    """Raise a UserError for a model, or an option of it, that does not exist."""
    if name not in MODELS:
        raise unknown("model", name, MODELS)
    known = [option for option in inspect.signature(MODELS[name]).parameters if option != "points"]
    for option in options:
        if option not in known:
            raise unknown(f"option of {name}", option, known)


def create(name: str, points: int, **options: Any) -> nn.Module:
    """A network by its name in MODELS; `points` is its number of maps. Raises a UserError for an unknown name
    or option.
    """
    check_options(name, options)
    if points < 1:
        raise UserError(f"a network draws at least 1 map, got points={points}")
    return MODELS[name](points, **options)
