"""heatmark export: one file for use, proven on real pictures before it is written.

Normalisation, network and decoding become one ONNX graph with the card in its metadata (`graphs`). The new
file is compared with the model it comes from on real pictures (`gate`); if a landmark moves, or PCK changes,
by more than the gate allows, nothing is written.
"""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from .. import zoo
from ..data.records import aside
from ..errors import UserError, require, unknown
from ..runtime.engines import network, opened
from . import gate, graphs

if TYPE_CHECKING:
    import onnx

PRECISIONS = ("fp32", "fp16", "int8")
FORMATS = ("onnx", "openvino")
CALIBRATION = 64  # of the views that the gate looks at; they set the ranges of int8


@dataclass(frozen=True)
class Exported:
    """What was written, and how far it is from what it was made of."""

    out: Path
    to: str
    precision: str
    bytes: int
    max_shift_px: float | None  # the farthest any landmark moved, network pixels; None: one was lost
    worst: str  # where: picture and landmark
    metric_change: float | None  # the file's minus the model's, in points (0..100); None: no labels
    metric: str  # PCK@0.1; of boxes AP50
    views: int  # pictures, or boxes of them, that were compared
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        return {name: str(v) if isinstance(v, Path) else v for name, v in self.__dict__.items()}


def export(
    model: str | Path,
    *,
    out: str | Path | None = None,
    to: Literal["onnx", "openvino"] = "onnx",
    precision: Literal["fp32", "fp16", "int8"] = "fp32",
    pictures: str | Path | None = None,
    gate_px: float = 0.5,
    gate_pck: float = 0.2,
    decoding: Mapping[str, Any] | None = None,
) -> Exported:
    """Write a model as one file that runs without torch.

    Args:
        model: model.safetensors, a run's folder (its best.safetensors), or an fp32 .onnx file or shipped
            detector.
        out: the file to write, or a folder; by default NAME.onnx (NAME.xml) beside the model.
        to: "onnx"; or "openvino", which writes NAME.xml and, as OpenVINO wants it, NAME.bin beside it.
        precision: "fp32"; "fp16" stores the weights in half the space and computes in fp32; "int8" also
            computes in whole numbers, except for the heads and the decoding, calibrated on `pictures`. The
            gate may well refuse int8: where two places of a map are nearly as high, rounding picks the other
            one.
        pictures: what the gate looks at: a dataset (its labelled boxes), a folder of pictures, or one
            picture; by default the photographs that heatmark ships, of the model's own kind if there are any.
        gate_px: the farthest a landmark, or a box's side, may move, network pixels; infinity lets the other
            gate decide, as int8 of boxes wants it. Of an interchangeable group the places count, not who
            holds them.
        gate_pck: the most that PCK@0.1, or of boxes AP50, may change, in points of 100, where `pictures` have
            labels.
        decoding: values of the card's decoding that the file shall have instead. Of boxes: `kept`, `overlap`,
            `candidates`, `threshold`; `map: true` makes the map an output; `apart: 0.7` tells neighbours
            apart by it; `soft: 0.5` is Soft-NMS.

    Raises:
        GateError: the file would be farther from the model than the gate allows; nothing was written.
        UserError, DataError: a model or pictures that cannot be used, or an extra that is missing.
    """
    start = time.perf_counter()
    if to not in FORMATS:
        raise unknown("format", to, FORMATS)
    if precision not in PRECISIONS:
        raise unknown("precision", precision, PRECISIONS)
    require("onnx", "onnxscript", to="export a model")
    if to == "openvino":
        require("openvino", to="write an OpenVINO model")
    source = _source(model)
    target = _target(source, out, to)
    reference, card = opened(source, decoding=decoding)
    if card.precision != "fp32":
        raise UserError(f"{source}: stored in {card.precision}; export from the fp32 model")
    views = gate.shown(pictures, card)
    graph, card = _graph_of(source, decoding), card.model_copy(update={"precision": precision})
    if precision == "fp16":
        graph = graphs.half_weights(graph)
    elif precision == "int8":
        graph = graphs.whole_numbers(graph, views[:: -(-len(views) // CALIBRATION)])
    target.parent.mkdir(parents=True, exist_ok=True)
    with aside(target) as part:
        written = graphs.write(graph, card, part / target.name, to)
        engine, _ = opened(written[0])
        compared = gate.compared(reference, engine, views, card)
        gate.check(target.name, compared, gate_px, gate_pck)
        size = sum(file.stat().st_size for file in written)
        for file in reversed(written):  # the one that is opened comes last
            os.replace(file, target.parent / file.name)
    return Exported(
        out=target,
        to=to,
        precision=precision,
        bytes=size,
        max_shift_px=compared.shift if np.isfinite(compared.shift) else None,
        worst=compared.worst,
        metric_change=compared.change,
        metric=compared.metric,
        views=len(views),
        seconds=round(time.perf_counter() - start, 2),
    )


def _source(model: str | Path) -> Path:
    path = Path(model)
    if path.is_dir():
        for name in ("best.safetensors", "model.safetensors"):
            if (path / name).is_file():
                return path / name
        raise UserError(f"{path}: the folder holds no best.safetensors")
    if not path.exists() and str(model) in zoo.DETECTORS:
        return zoo.detector(str(model))
    if path.suffix not in (".safetensors", ".onnx"):
        raise UserError(f"{path}: wanted a .safetensors model, a run's folder, or an .onnx file")
    return path


def _target(source: Path, out: str | Path | None, to: str) -> Path:
    suffix = {"onnx": ".onnx", "openvino": ".xml"}[to]
    target = source.with_suffix(suffix) if out is None else Path(out)
    if target.is_dir():
        target = target / f"{source.stem}{suffix}"
    if target.suffix != suffix:
        raise UserError(f"{target}: an {to} model ends in {suffix}")
    if target.exists() and source.exists() and target.samefile(source):
        raise UserError(f"{target}: this is the model itself; say with out= where the new file goes")
    return target


def _graph_of(source: Path, decoding: Mapping[str, Any] | None = None) -> "onnx.ModelProto":
    """The model as it is, or with another decoding, as a graph."""
    if source.suffix == ".onnx":
        return graphs.onnx_of(source)
    return graphs.to_onnx(*network(source, None, decoding))
