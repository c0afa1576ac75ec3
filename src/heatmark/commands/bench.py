"""heatmark bench: how fast a detector is here, by engine, from a photograph's file to its points.

Latencies are medians over frames of batch 1, after a warm-up. All engines of a model are measured in turns
within one run, a few frames each, so that what else the machine does falls on all of them alike: trust the
ratios.
"""

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import zoo
from ..card import Card
from ..errors import UserError, require, unknown
from ..runtime import Latency, load
from ..runtime.detector import SecondLook
from ..skeletons import COCO17, PRODUCT
from ..types import Skeleton
from .console import size_of
from .doctor import machine
from .progress import note, track

if TYPE_CHECKING:
    from rich.console import RenderableType

TURN = 10  # frames an engine gets before the next one's turn
WARM_UP = 5
PAPERS_SHELF = (800, 1344)  # (H, W): 800 x 1333 in multiples of 32
ENGINES = ("torch", "onnxruntime", "openvino")  # the first one there is what the ratios are to


@dataclass(frozen=True)
class Row:
    """One model in one engine; medians, milliseconds."""

    model: str
    engine: str
    latency: Latency
    ratio: float  # its total over that of the model's first row

    def to_dict(self) -> dict[str, Any]:
        parts = self.latency.to_dict() | {"total": round(self.latency.total, 3)}
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


@dataclass(frozen=True)
class Way:
    """One of the ways to run a model."""

    engine: str
    file: Path
    second_look: SecondLook = False
    precision: str = ""  # empty: as the model is

    @property
    def label(self) -> str:
        looks = {False: "", "live": "second look, live", True: "second look"}[self.second_look]
        return " ".join(filter(None, (self.engine, self.precision, looks)))


def bench(
    models: str | Path | Sequence[str | Path] | None = None,
    *,
    frames: int = 200,
    threads: int = 2,
    int8: bool = False,
    second_look: bool = False,
) -> Bench:
    """Measure models in every engine that is installed and reads them.

    Args:
        models: shipped detectors, model files, or networks with random weights as "ihm56",
            "ihm56/BACKBONE" or "hrnet_w32@256x192"; None: every shipped detector of this installation.
        frames: how many count for each engine.
        threads: how many an engine may use.
        int8: rows in whole numbers too, for networks and .safetensors models. How fast, not how good: the
            gate of `export` says that.
        second_look: rows with a second look too, as in frames of a video and as in pictures.

    Raises:
        UserError: an unknown model, or no detector is shipped.
    """
    if frames < 1:
        raise UserError(f"frames must be at least 1, got {frames}")
    shipped = [name for name in zoo.DETECTORS if (zoo.folder() / zoo.DETECTORS[name]).is_file()]
    named = [models] if isinstance(models, (str, Path)) else models
    names = shipped if named is None else [str(m) for m in named]
    if not names:
        raise UserError("no detector is in this installation; name a model file")
    rows: list[Row] = []
    for name in names:
        with ExitStack() as stack:
            aside = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            ways = _ways(name, aside, int8)
            again: tuple[SecondLook, ...] = ("live", True) if second_look else ()
            ways += [replace(way, second_look=how) for how in again for way in ways]
            rows += measured(name, {way: load(way.file, way.engine, threads) for way in ways}, frames)
    return Bench(tuple(rows), frames, threads, _machine({row.engine.split()[0] for row in rows}))


def measured(name: str, ways: Mapping[Way, Any], frames: int) -> list[Row]:
    """A row for each way, whose predictors take turns of TURN frames at the shipped photographs."""
    photographs = [path.read_bytes() for path in zoo.photographs()]
    took: dict[Way, list[Latency]] = {way: [] for way in ways}

    def shown(way: Way, i: int) -> Latency:
        ways[way](photographs[i % len(photographs)], second_look=way.second_look)
        return ways[way].latency

    for way in ways:
        for i in range(WARM_UP):
            shown(way, i)
    for start in track(range(0, frames, TURN), label=f"measuring {name}", unit="turns"):
        for way in ways:
            shown(way, start)  # the first one after another way does not count
            took[way] += [shown(way, i) for i in range(start, min(start + TURN, frames))]
    medians = {way: Latency.median(latencies) for way, latencies in took.items()}
    first = next(iter(medians.values())).total
    return [Row(name, way.label, latency, latency.total / first) for way, latency in medians.items()]


def _ways(name: str, aside: Path, int8: bool) -> list[Way]:
    """The ways to run a model here, torch first; files that have to be made for it are put into `aside`."""
    path = Path(name)
    if name in zoo.DETECTORS and not path.is_file():
        path = zoo.detector(name)
    elif not path.suffix and not path.exists():
        path = _random(name, aside / "random.safetensors")
    engines = [engine for engine in ENGINES if engine != "torch" and find_spec(engine)]
    if path.suffix != ".safetensors":
        if int8:
            note(f"{name}: has no rows in int8, which are made of networks and .safetensors models")
        return [Way(engine, path) for engine in engines if path.suffix != ".xml" or engine == "openvino"]
    from ..runtime.engines import network
    from . import gate, graphs

    net, card = network(path)
    graph = graphs.to_onnx(net, card)
    ways = [Way("torch", path)] if find_spec("torch") else []
    onnx = graphs.write(graph, card, aside / "model.onnx")[0]
    ways += [Way(engine, onnx) for engine in engines]
    if int8:
        whole = graphs.whole_numbers(graph, gate.shown(None, card))
        file = graphs.write(whole, card.model_copy(update={"precision": "int8"}), aside / "int8.onnx")[0]
        ways += [Way(engine, file, precision="int8") for engine in engines]
    return ways


def _random(name: str, path: Path) -> Path:
    """A network with random weights as a model file, for its speed.

    `name`: NETWORK, NETWORK/BACKBONE, or NETWORK@HEIGHTxWIDTH, which has the 17 landmarks of a person. One
    of boxes sees 800 x 1344 pixels if no size is said, as the paper of Gaussian maps has it.
    """
    require("torch", "safetensors", to="measure a network without a model file")
    from ..models import DENSE, MODELS, create, options_of, unfetched
    from ..training.state import write_model

    network, _, shape = name.partition("@")
    network, _, backbone = network.partition("/")
    if network not in MODELS | DENSE:
        raise unknown("detector, model file or network", name, (*zoo.DETECTORS, *MODELS, *DENSE))
    boxes = network in DENSE
    skeleton = PRODUCT if boxes else COCO17 if shape else Skeleton("points", ("a", "b", "c"))
    size = size_of(shape, f"{network}@") if shape else PAPERS_SHELF if boxes else (224, 224)
    if backbone and "backbone" not in options_of(network):
        raise UserError(f"{name}: {network} takes no backbone")
    options = unfetched(network, {"backbone": backbone} if backbone else {})
    net: Any = create(network, points=1 if boxes else len(skeleton), **options)
    facts = {"name": name, "skeleton": skeleton, "size": size, "model": network, "options": options}
    if boxes:
        facts |= {"task": "dense", "decoding": {"method": "boxes", "threshold": 0.05}}
    write_model(path, net, Card(**facts, strides=net.strides))
    return path


def _cells(row: Row) -> tuple[str, ...]:
    ms = row.latency
    times = (f"{value:.1f}" for value in (ms.decode, ms.network, ms.points, ms.total))
    return (row.model, row.engine, *times, f"{row.ratio:.2f}")


def _machine(engines: set[str]) -> str:
    """Processor, cores and versions in one line."""
    here = machine()
    versions = ", ".join(f"{engine} {version(engine)}" for engine in ENGINES if engine in engines)
    return f"{here['processor']}, {here['cores']} cores, Python {here['python']}, {versions}"
