"""heatmark finds points in pictures with Gaussian heatmaps, and makes the pictures it learns from.

>>> import heatmark as hm
>>> sorted(hm.load("hammer").skeleton.landmarks)  # doctest: +SKIP
['claw', 'face', 'handle_end']
"""

from importlib import import_module
from typing import TYPE_CHECKING

from .errors import DataError, GateError, HeatmarkError, UserError
from .geometry import Frame
from .types import Boxes, Poses, Sample, Skeleton

if TYPE_CHECKING:
    from . import heatmaps as heatmaps
    from .commands.attack import attack as attack
    from .commands.bench import bench as bench
    from .commands.check import check as check
    from .commands.convert import convert as convert
    from .commands.demo import demo as demo
    from .commands.detect import detect as detect
    from .commands.doctor import doctor as doctor
    from .commands.evaluate import evaluate as evaluate
    from .commands.export import export as export
    from .commands.render import render as render
    from .commands.train import train as train
    from .runtime import load as load
    from .web.landmarks import landmarks as landmarks
    from .web.serve import serve as serve

__version__ = "0.1.0"

# Names that cost an import worth waiting for only when they are used: `import heatmark` loads none of them.
_LATER = {
    "heatmaps": "heatmark.heatmaps",
    "load": "heatmark.runtime:load",
    "attack": "heatmark.commands.attack:attack",
    "bench": "heatmark.commands.bench:bench",
    "check": "heatmark.commands.check:check",
    "convert": "heatmark.commands.convert:convert",
    "demo": "heatmark.commands.demo:demo",
    "detect": "heatmark.commands.detect:detect",
    "doctor": "heatmark.commands.doctor:doctor",
    "evaluate": "heatmark.commands.evaluate:evaluate",
    "export": "heatmark.commands.export:export",
    "landmarks": "heatmark.web.landmarks:landmarks",
    "render": "heatmark.commands.render:render",
    "serve": "heatmark.web.serve:serve",
    "train": "heatmark.commands.train:train",
}

__all__ = [
    "Boxes", "DataError", "Frame", "GateError", "HeatmarkError", "Poses", "Sample", "Skeleton", "UserError",
    "attack", "bench", "check", "convert", "demo", "detect", "doctor", "evaluate", "export", "heatmaps",
    "landmarks", "load", "render", "serve", "train",
]  # fmt: skip


def __getattr__(name: str):
    if name not in _LATER:
        raise AttributeError(
            f"module 'heatmark' has no attribute {name!r}; there are: {', '.join(sorted(__all__))}"
        )
    module, _, attribute = _LATER[name].partition(":")
    found = import_module(module)
    return getattr(found, attribute) if attribute else found


def __dir__() -> list[str]:
    return sorted([*globals(), *_LATER])
