"""heatmark bench: how fast a detector is here, by engine, from a photograph's file to its points.

Latencies are medians over frames of batch 1, after a warm-up. All engines of a model are measured in turns
within one run, a few frames each, so that what else the machine does falls on all of them alike: trust the
ratios.
"""

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import zoo
from ..card import Card
from ..errors import UserError, require, unknown
from ..runtime import Latency, Predictor, load
from ..types import Skeleton
from .doctor import machine
from .progress import track

if TYPE_CHECKING:
    from rich.console import RenderableType

TURN = 10  # frames an engine gets before the next one's turn
WARM_UP = 5
ENGINES = ("torch", "onnxruntime", "openvino")  # the first one there is what the ratios are to


@dataclass(frozen=True)
class Row:
    """One model in one engine; medians, milliseconds."""

    model: str
    engine: str
    latency: Latency
    ratio: float  # its total over that of the model's first row

    def to_dict(self) -> dict[str, Any]:
        parts = {p: round(getattr(self.latency, p), 3) for p in ("decode", "network", "points", "total")}
        return {"model": self.model, "engine": self.engine, **parts, "ratio": round(self.ratio, 3)}


@dataclass(frozen=True)
class Bench:
    """The speed table of this machine."""

    rows: tuple[Row, ...]
    frames: int
    threads: int
    machine: str

    def to_dict(self) -> dict[str, Any]:
        rows = [row.to_dict() for row in self.rows]
        return {"machine": self.machine, "threads": self.threads, "frames": self.frames, "rows": rows}

    @property
    def conditions(self) -> str:
        """What the numbers hold for, in one line."""
        return (
            f"{self.machine}; batch 1, {self.threads} threads, medians of {self.frames} frames, milliseconds"
        )

    def markdown(self) -> str:
        """The table for a document, the machine's line below it."""
        head = "| model | engine | decode | network | points | total | ratio |\n|---|---|--:|--:|--:|--:|--:|"
        lines = [f"| {' | '.join(_cells(row))} |" for row in self.rows]
        return "\n".join([head, *lines, "", self.conditions + "."])

    def __rich__(self) -> "RenderableType":
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        table = Table("model", "engine")
        for column in ("decode", "network", "points", "total", "ratio"):
            table.add_column(column, justify="right")
        last = ""
        for row in self.rows:
            if last and row.model != last:
                table.add_section()
            table.add_row("" if row.model == last else row.model, *_cells(row)[1:])
            last = row.model
        return Group(table, Text(self.conditions))


def bench(models: Sequence[str | Path] | None = None, *, frames: int = 200, threads: int = 2) -> Bench:
    """Measure models in every engine that is installed and reads them.

    Args:
        models: shipped detectors, model files, or networks with random weights as "ihm56" or
            "ihm56/BACKBONE"; None: every shipped detector of this installation.
        frames: how many count for each engine.
        threads: how many an engine may use.

    Raises:
        UserError: an unknown model, or no detector is shipped.
    """
    if frames < 1 or threads < 1:
        raise UserError(f"frames and threads must be at least 1, got {frames} and {threads}")
    shipped = [name for name in zoo.DETECTORS if (zoo.folder() / zoo.DETECTORS[name]).is_file()]
    names = shipped if models is None else [str(m) for m in models]
    if not names:
        raise UserError("no detector is in this installation; name a model file")
    rows: list[Row] = []
    for name in names:
        with ExitStack() as stack:
            aside = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            engines = {engine: load(file, engine, threads) for engine, file in _files(name, aside).items()}
            rows += measured(name, engines, frames)
    return Bench(tuple(rows), frames, threads, _machine({row.engine for row in rows}))


def measured(name: str, engines: dict[str, Predictor], frames: int) -> list[Row]:
    """A row for each engine, the engines taking turns of TURN frames at the shipped photographs."""
    photographs = [path.read_bytes() for path in zoo.photographs()]
    took: dict[str, list[Latency]] = {engine: [] for engine in engines}
    for predictor in engines.values():
        for i in range(WARM_UP):
            predictor(photographs[i % len(photographs)])
    for start in track(range(0, frames, TURN), label=f"measuring {name}", unit="turns"):
        for engine, predictor in engines.items():
            predictor(
                photographs[start % len(photographs)]
            )  # the first one after another engine does not count
            for i in range(start, min(start + TURN, frames)):
                predictor(photographs[i % len(photographs)])
                took[engine].append(predictor.latency)
    medians = {engine: _median(latencies) for engine, latencies in took.items()}
    first = next(iter(medians.values())).total
    return [Row(name, engine, latency, latency.total / first) for engine, latency in medians.items()]


def _files(name: str, aside: Path) -> dict[str, Path]:
    """The file that each installed engine reads of a model; what has to be made for it is put into
    `aside`."""
    path = Path(name)
    if name in zoo.DETECTORS and not path.is_file():
        path = zoo.detector(name)
    elif not path.suffix and not path.exists():
        path = _random(name, aside / "random.safetensors")
    if path.suffix == ".safetensors":
        from ..runtime.engines import network
        from .export import to_onnx, write

        net, card = network(path)
        onnx = write(to_onnx(net, card), card, aside / "model.onnx")[0]
        return {e: path if e == "torch" else onnx for e in ENGINES if find_spec(e)}
    return {e: path for e in ENGINES if e != "torch" and find_spec(e)}


def _random(name: str, path: Path) -> Path:
    """A network with random weights as a model file, for its speed. `name`: NETWORK or NETWORK/BACKBONE."""
    require("torch", "safetensors", to="measure a network without a model file")
    from ..models import MODELS, create, options_of, unfetched
    from ..training.state import write_model

    network, _, backbone = name.partition("/")
    if network not in MODELS:
        raise unknown("detector, model file or network", name, (*zoo.DETECTORS, *MODELS))
    skeleton = Skeleton("points", ("a", "b", "c"))
    if backbone and "backbone" not in options_of(network):
        raise UserError(f"{name}: {network} takes no backbone")
    options = unfetched(network, {"backbone": backbone} if backbone else {})
    net: Any = create(network, points=len(skeleton), **options)
    facts = {"name": name, "skeleton": skeleton, "size": (224, 224), "model": network, "options": options}
    write_model(path, net, Card(**facts, strides=net.strides))
    return path


def _median(latencies: list[Latency]) -> Latency:
    parts = ("decode", "network", "points")
    return Latency(**{part: float(np.median([getattr(took, part) for took in latencies])) for part in parts})


def _cells(row: Row) -> tuple[str, ...]:
    ms = row.latency
    times = (f"{value:.1f}" for value in (ms.decode, ms.network, ms.points, ms.total))
    return (row.model, row.engine, *times, f"{row.ratio:.2f}")


def _machine(engines: set[str]) -> str:
    """Processor, cores and versions in one line."""
    here = machine()
    versions = ", ".join(f"{engine} {version(engine)}" for engine in ENGINES if engine in engines)
    return f"{here['processor']}, {here['cores']} cores, Python {here['python']}, {versions}"
