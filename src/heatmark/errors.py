"""What can go wrong through no fault of ours, and the exit code each kind ends with.

An error says what was wanted, what came, and what exists; it names the file and the field. The command line
prints its one line and exits with its code; whoever calls the functions from Python catches the same classes.
"""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, get_args

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError


class HeatmarkError(Exception):
    """The common parent, for `except heatmark.HeatmarkError`. `code` is the command line's exit code."""

    code = 2


class UserError(HeatmarkError, ValueError):
    """The user's mistake: a wrong name, option, recipe or path. Exit code 2."""

    code = 2


class DataError(HeatmarkError, ValueError):
    """A file that is not what it should be: truncated, empty, inconsistent, unreadable. Exit code 3."""

    code = 3


class GateError(HeatmarkError):
    """The result would be worse than the gate allows, so nothing was written. Exit code 4."""

    code = 4


EXTRAS = {
    "torch": "train", "torchvision": "train", "timm": "train", "accelerate": "train", "safetensors": "train",
    "onnx": "train", "onnxscript": "train", "faster_coco_eval": "train", "matplotlib": "train",
    "tensorboard": "train",
    "mitsuba": "synth", "trimesh": "synth", "manifold3d": "synth", "pyoidn": "synth",
    "fastapi": "web", "uvicorn": "web", "multipart": "web",
    "openvino": "openvino", "ray": "ray",
}  # fmt: skip


def install_line(extra: str) -> str:
    """The command that brings an extra.

    >>> install_line("train")
    "pip install 'heatmark[train]'"
    """
    return f"pip install 'heatmark[{extra}]'"


def require(*modules: str, to: str) -> None:
    """Raise a UserError with the install line unless all `modules` can be imported; `to` says what for."""
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        extras = sorted({EXTRAS[module] for module in missing})
        lines = " and ".join(install_line(extra) for extra in extras)
        raise UserError(f"to {to}, {', '.join(missing)} must be installed: {lines}")


def first_fault(error: "ValidationError", model: "type[BaseModel]", what: str = "field") -> str:
    """What pydantic found wrong with the fields of `model`, in one line: the field's path, what was wanted,
    what came; our own words where a validator of ours spoke; of an unknown field its nearest neighbour.
    """
    faults = error.errors()
    # an unknown field is the cause of a missing one
    fault = next((f for f in faults if f["type"] == "extra_forbidden"), faults[0])
    place = [str(p) for p in fault["loc"]]
    path = ".".join(place)
    if fault["type"] == "extra_forbidden":
        inside = f"{'.'.join(place[:-1])}: " if place[1:] else ""
        return f"{inside}{unknown(what, place[-1], _fields(model, place[:-1]))}"
    if fault["type"] == "value_error":
        said = str(fault.get("ctx", {}).get("error"))
        return said if not path or said.startswith(place[-1]) else f"{path}: {said}"
    got = f", got {fault['input']!r:.200}" if fault["type"] != "missing" else ""
    return f"{path}: {fault['msg'][:1].lower()}{fault['msg'][1:]}{got}"


def _fields(model: Any, place: Sequence[str]) -> Iterable[str]:
    """The names of a model's fields, or of those of the model at a place in it."""
    for name in place:
        kind = model.model_fields[name].annotation if name in model.model_fields else None
        model = next((k for k in (kind, *get_args(kind)) if hasattr(k, "model_fields")), None)
        if model is None:
            return ()
    return model.model_fields


def unknown(what: str, name: object, known) -> UserError:
    """An error for a name that does not exist, with its nearest neighbour and all that there are.

    >>> str(unknown("model", "hamer", ["hammer", "wrench"]))
    "no model is called 'hamer' (did you mean 'hammer'?); there are: hammer, wrench"
    """
    names = sorted(str(k) for k in known)
    near = get_close_matches(str(name), names, n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    return UserError(f"no {what} is called {name!r}{hint}; there are: {', '.join(names) or 'none'}")
