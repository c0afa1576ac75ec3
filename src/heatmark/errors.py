"""What can go wrong through no fault of ours, and the exit code each kind ends with.

An error says what was wanted, what came, and what exists; it names the file and the field. The command line
prints its one line and exits with its code; whoever calls the functions from Python catches the same classes.
"""

from difflib import get_close_matches
from importlib.util import find_spec


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
    """Raise a UserError with the install line unless every one of `modules` can be imported. `to` says what
    for.
    """
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        extras = sorted({EXTRAS[module] for module in missing})
        lines = " and ".join(install_line(extra) for extra in extras)
        raise UserError(f"to {to}, {', '.join(missing)} must be installed: {lines}")


def unknown(what: str, name: object, known) -> UserError:
    """An error for a name that does not exist, with its nearest neighbour and all that there are.

    >>> str(unknown("model", "hamer", ["hammer", "wrench"]))
    "no model is called 'hamer' (did you mean 'hammer'?); there are: hammer, wrench"
    """
    names = sorted(str(k) for k in known)
    near = get_close_matches(str(name), names, n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    return UserError(f"no {what} is called {name!r}{hint}; there are: {', '.join(names) or 'none'}")
