"""heatmark export: one file for use, proven on real pictures before it is written.

Normalisation, network and decoding become one ONNX graph with the card in its metadata. The new file is
compared with the model it comes from on real pictures; if a landmark moves, or PCK changes, by more than the
gate allows, nothing is written. All distances are in network pixels, the unit in which the network answers.
"""

import logging
import os
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from .. import zoo
from ..card import KEY, Card
from ..data import open_dataset
from ..data.records import read_bytes
from ..errors import DataError, GateError, UserError, require, unknown
from ..geometry import Frame
from ..imaging import decode
from ..metrics.pck import apart, matching, pck
from ..runtime.engines import INPUT, Engine, network, opened, outputs_of
from ..runtime.predictor import network_input, shown_part
from ..runtime.sources import pictures_in
from ..types import Poses
from . import crowd, dense
from .progress import track

if TYPE_CHECKING:
    import onnx
    from torch import nn

PRECISIONS = ("fp32", "fp16", "int8")
FORMATS = ("onnx", "openvino")
MOST = 200  # views the gate looks at; of more, evenly spread ones
CALIBRATION = 64  # of them set the ranges of int8
BATCH = 8
# Left out of this list, a ReLU's input would be rounded over a range of which it then throws most away.
WHOLE = ("Conv", "Relu", "Clip", "LeakyRelu", "Add", "MaxPool", "Concat", "Resize")


@dataclass(frozen=True)
class View:
    """One picture, or one labelled object of it, as the network sees it."""

    name: str
    pixels: np.ndarray  # (3, H, W) float32 in [0, 1]
    frame: Frame
    truth: Poses | None = None  # one instance, or of a whole picture all of them; picture pixels


@dataclass(frozen=True)
class Compared:
    """How far a new file is from the model it was made of."""

    shifts: np.ndarray  # (M, K) network px, for M views
    worst: str  # which landmark in which picture moved farthest
    change: float | None  # of the metric: the file's minus the model's, points of 100; None without labels
    metric: str = "PCK@0.1"
    things: str = "landmarks"

    @property
    def shift(self) -> float:
        """The farthest any landmark moved."""
        return float(self.shifts.max(initial=0.0))


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
            `threshold`; `map: true` makes the map an output; `apart: 0.7` tells neighbours apart by it.

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
    views = shown(pictures, card)
    graph, card = _graph_of(source, decoding), card.model_copy(update={"precision": precision})
    if precision == "fp16":
        graph = half_weights(graph)
    elif precision == "int8":
        graph = whole_numbers(graph, views[:: -(-len(views) // CALIBRATION)])
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".heatmark-", dir=target.parent) as aside:
        written = write(graph, card, Path(aside) / target.name, to)
        engine, _ = opened(written[0])
        alike = {"crowd": _persons, "dense": _boxes}.get(card.task, _compared)
        compared = alike(reference, engine, views, card)
        _gate(target.name, compared, gate_px, gate_pck)
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


def _gate(name: str, compared: Compared, gate_px: float, gate_pck: float) -> None:
    """Raise a GateError if either is more than allowed, or not a number."""
    if not compared.shift <= gate_px:
        lost = not np.isfinite(compared.shift)
        far = "is found by one and not by the other" if lost else f"moves {compared.shift:.2f} network px"
        many = int((~(compared.shifts <= gate_px)).sum())
        moved = f"{many} of {compared.shifts.size} {compared.things} move more"
        raise GateError(
            f"{name} not written: {compared.worst} {far}; the gate allows {gate_px:g} px, {moved}"
        )
    change = compared.change
    if change is not None and not abs(change) <= gate_pck:
        raise GateError(
            f"{name} not written: {compared.metric} changes by {change:+.2f} points,"
            f" the gate allows {gate_pck:g}"
        )
    if change is None and np.isinf(gate_px):
        raise UserError(
            "without labels nothing but gate_px judges a file: give a number, or labelled pictures"
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
    return onnx_of(source) if source.suffix == ".onnx" else to_onnx(*network(source, None, decoding))


def onnx_of(path: Path) -> "onnx.ModelProto":
    """The graph in an .onnx file."""
    import onnx

    return onnx.load(path)


def to_onnx(net: "nn.Module", card: Card) -> "onnx.ModelProto":
    """A torch module, pictures -> (points, scores), as a graph with any batch size and all its weights
    inside."""
    import torch

    boxes = card.task == "dense"  # as many as there are: one picture at a time
    pictures = torch.rand(1 if boxes else 2, 3, *card.size)
    with _hushed():
        program = torch.onnx.export(
            net.eval(),
            (pictures,),
            input_names=[INPUT],
            output_names=list(outputs_of(card)),
            dynamic_shapes=None if boxes else ({0: torch.export.Dim("batch")},),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    assert program is not None
    return program.model_proto


def half_weights(graph: "onnx.ModelProto") -> "onnx.ModelProto":
    """A copy whose weights are stored in half precision and widened when the file is opened: computing is
    fp32."""
    import onnx
    from onnx import numpy_helper

    half = onnx.ModelProto()
    half.CopyFrom(graph)
    widened = []
    for weight in half.graph.initializer:
        values = numpy_helper.to_array(weight)
        if values.dtype != np.float32 or values.size < 256:  # small constants steer the decoding
            continue
        if np.abs(values).max() > np.finfo(np.float16).max:
            raise GateError(
                f"{weight.name} holds values beyond half precision's {np.finfo(np.float16).max:g}"
            )
        name = weight.name
        weight.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        widened.append(onnx.helper.make_node("Cast", [f"{name}.half"], [name], to=onnx.TensorProto.FLOAT))
    for node in reversed(widened):
        half.graph.node.insert(0, node)
    return half


def whole_numbers(graph: "onnx.ModelProto", views: list[View]) -> "onnx.ModelProto":
    """A copy that convolves in int8, its ranges taken from `views`; heads, sigmoids and decoding stay
    fp32."""
    import onnx
    from onnxruntime import quantization

    class Reader(quantization.CalibrationDataReader):
        def __init__(self):
            self.waiting: Iterator[View] = iter(track(views, len(views), "calibrating", "views"))

        def get_next(self) -> dict[str, np.ndarray] | None:  # type: ignore[override]
            view = next(self.waiting, None)
            return None if view is None else {INPUT: view.pixels[None]}

    with tempfile.TemporaryDirectory() as folder:
        fp32, int8 = Path(folder) / "fp32.onnx", Path(folder) / "int8.onnx"
        onnx.save(graph, fp32)
        with _hushed(), np.errstate(all="ignore"):  # a channel that is always 0 has a range of 0
            quantization.quantize_static(
                fp32,
                int8,
                Reader(),
                quant_format=quantization.QuantFormat.QDQ,
                op_types_to_quantize=list(WHOLE),
                per_channel=True,
                activation_type=quantization.QuantType.QUInt8,
                weight_type=quantization.QuantType.QInt8,
                nodes_to_exclude=_outside(graph),
            )
        return onnx.load(int8)


@contextmanager
def _hushed() -> Iterator[None]:
    """No warnings and log lines of the exporter and the quantizer about themselves."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _outside(graph: "onnx.ModelProto") -> list[str]:
    """Names of the nodes that must stay fp32: those before the first convolution and from a head's one on.

    A head is the convolution whose result goes into the last sigmoid, or, without one, the last convolution.
    """
    nodes = list(graph.graph.node)
    makes = {output: node for node in nodes for output in node.output}
    convolutions = [node for node in nodes if node.op_type == "Conv"]
    if not convolutions:
        return []
    squashed = [makes.get(node.input[0]) for node in nodes if node.op_type == "Sigmoid"]
    heads = [node for node in squashed if node is not None and node.op_type == "Conv"] or convolutions[-1:]
    outside, reached = set(), {output for head in heads for output in head.output}
    for node in nodes:  # in the order of computation
        if any(name in reached for name in node.input):
            reached.update(node.output)
            outside.add(node.name)
    from_input, seen = {INPUT}, set()
    for node in nodes:
        if node.op_type not in ("Conv", "MaxPool") and any(name in from_input for name in node.input):
            from_input.update(node.output)
            seen.add(node.name)
    return sorted(outside | seen | {head.name for head in heads})


def write(graph: "onnx.ModelProto", card: Card, path: Path, to: str = "onnx") -> list[Path]:
    """Write the graph with the card inside; the files, the one to open first."""
    import onnx

    nodes = [*graph.graph.node, *(node for function in graph.functions for node in function.node)]
    for part in (graph, *nodes, *graph.graph.value_info, *graph.graph.input, *graph.graph.output):
        del part.metadata_props[:]  # torch notes where in the code each came from, with the machine's paths
    onnx.helper.set_model_props(graph, {KEY: card.to_json()})
    graph.producer_name = "heatmark"
    graph.doc_string = f"{card.name}: {', '.join(card.skeleton_of().landmarks)}"
    if to == "onnx":
        path.write_bytes(graph.SerializeToString())
        return [path]
    import openvino

    temporary = path.with_suffix(".onnx")
    temporary.write_bytes(graph.SerializeToString())
    openvino.save_model(openvino.Core().read_model(temporary), path, compress_to_fp16=False)
    temporary.unlink()
    return [path, path.with_suffix(".bin")]


def shown(pictures: str | Path | None, card: Card) -> list[View]:
    """What the gate looks at, at most MOST: labelled boxes of a dataset, or whole pictures."""
    if pictures is None:
        kind = card.skeleton_of().name
        return [_whole(path, card) for path in zoo.photographs(kind if kind in zoo.DETECTORS else None)]
    path = Path(pictures)
    if path.suffix == ".json" or (path / "annotations.json").is_file():
        if card.task in ("crowd", "dense"):
            return [
                replace(_whole(record.path, card), truth=record.poses)
                for record in _spread(list(open_dataset(path)))
            ]
        return _labelled(path, card)
    if path.is_file():
        return [_whole(path, card)]
    if not path.is_dir():
        raise UserError(f"{path}: no such dataset, folder or picture")
    found = _spread(pictures_in(path))
    if not found:
        raise DataError(f"{path}: neither annotations.json nor a picture in this folder")
    return [_whole(picture, card) for picture in found]


def _whole(path: Path, card: Card) -> View:
    picture = decode(read_bytes(path), str(path))
    frame = Frame.whole(picture.shape[:2], card.size)
    return View(path.name, network_input(picture, frame), frame)


def _labelled(path: Path, card: Card) -> list[View]:
    dataset, wanted = open_dataset(path), card.skeleton_of().landmarks
    if dataset.skeleton.landmarks != wanted:
        came = ", ".join(dataset.skeleton.landmarks)
        raise UserError(f"{path}: labels {came}; the model finds {', '.join(wanted)}")
    with_box = [
        (record, n)
        for record in dataset
        for n in range(len(record.poses))
        if np.isfinite(record.poses.boxes[n]).all()
        and (record.poses.boxes[n][2:] > record.poses.boxes[n][:2]).all()
    ]
    if not with_box:
        raise DataError(f"{path}: no labelled object has a box")
    views = []
    for record, n in _spread(with_box):
        frame = Frame.around(record.poses.boxes[n], card.size, enlarge=card.enlarge)
        picture = decode(read_bytes(record.path), str(record.path))
        part = shown_part(record.poses.boxes[n], card)
        views.append(View(record.name, network_input(picture, frame, part), frame, record.poses[n]))
    return views


def _spread(items: list) -> list:
    """At most MOST of them, evenly spread."""
    return [items[round(i)] for i in np.linspace(0, len(items) - 1, min(len(items), MOST))]


def _persons(reference: Engine, candidate: Engine, views: list[View], card: Card) -> Compared:
    """The persons that both find, beside each other; one whom only one finds has moved infinitely far."""
    before, after = (list(_answers(e, views, n)) for e, n in ((reference, "model"), (candidate, "new file")))
    away, pictures = crowd.shifts(before, after, card)
    said = crowd.worst(away, pictures, [view.name for view in views], card.skeleton_of())
    return Compared(away, said, None)


def _boxes(reference: Engine, candidate: Engine, views: list[View], card: Card) -> Compared:
    """The boxes of both beside each other (see dense.moves), and against the labels where all have some."""
    rows, answers = [], []
    for view in track(views, len(views), "comparing", "pictures"):
        pair = reference(view.pixels[None]), candidate(view.pixels[None])
        rows.append(dense.moves(*pair, card.decoding.threshold))
        answers.append(pair)
    away = np.concatenate([np.zeros((0, 1)), *rows])
    names = np.repeat([view.name for view in views], [len(row) for row in rows])
    worst = f"a box in {names[int(away.argmax())]}" if len(away) else "no box in any picture"
    labelled = [(v.frame, v.truth.boxes.reshape(-1, 2, 2)) for v in views if v.truth is not None]
    truth = [frame.into(corners).reshape(-1, 4) for frame, corners in labelled]
    change = dense.change_of(answers, truth) if len(truth) == len(views) else None
    return Compared(away, worst, change, "AP50", "boxes")


def _compared(reference: Engine, candidate: Engine, views: list[View], card: Card) -> Compared:
    """The candidate's answers beside the reference's. What only one of them finds has moved infinitely
    far."""
    skeleton = card.skeleton_of()
    before, after = _points(reference, views, "model"), _points(candidate, views, "new file")  # (M, K, 2)
    order = matching(after, before, skeleton.groups)
    shifts = apart(np.take_along_axis(after, order[..., None], 1), before)  # (M, K)
    unfound = [~np.isfinite(p).all(-1) for p in (before, np.take_along_axis(after, order[..., None], 1))]
    shifts = np.where(unfound[0] & unfound[1], 0.0, shifts)
    m, k = np.unravel_index(shifts.argmax(), shifts.shape)
    worst = f"{skeleton.landmarks[k]} in {views[m].name}"
    labelled = [(i, v, v.truth) for i, v in enumerate(views) if v.truth is not None]
    if not labelled:
        return Compared(shifts, worst, None)
    truth = [Poses(skeleton, t.points, visibility=t.visibility, boxes=t.boxes) for _, _, t in labelled]
    at = [
        pck([Poses(skeleton, v.frame.back(points[i])[None]) for i, v, _ in labelled], truth).at(0.1)
        for points in (before, after)
    ]
    return Compared(shifts, worst, 100 * (at[1] - at[0]))


def _points(engine: Engine, views: list[View], label: str) -> np.ndarray:
    """(M, K, 2) network pixels."""
    return np.concatenate([answer["points"] for answer in _answers(engine, views, label)]).astype(np.float64)


def _answers(engine: Engine, views: list[View], label: str) -> Iterator[dict[str, np.ndarray]]:
    """What an engine says of the views, BATCH at a time."""
    starts = range(0, len(views), BATCH)
    batches = (np.stack([v.pixels for v in views[at : at + BATCH]]) for at in starts)
    yield from track(map(engine, batches), len(starts), f"comparing: {label}", "batches")
