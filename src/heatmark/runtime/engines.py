"""Model files to engines: ONNX Runtime, OpenVINO and torch behind one signature, so that they can be swapped.

An engine takes pictures and gives points; the decoding of maps is inside it (`decoding`, where torch is the
engine). Opening a file also reads its card.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ..card import KEY, Card
from ..errors import DataError, UserError, require, unknown
from .seal import broken

if TYPE_CHECKING:
    from torch import nn

READS = {"onnxruntime": ".onnx", "openvino": ".onnx or .xml", "torch": ".safetensors"}
INPUT, OUTPUTS = "pictures", ("points", "scores")  # what an ONNX file calls them
BOXES = ("boxes", "scores", "candidates")  # what a dense file answers of one picture; and "map" if it has it
CANDIDATES = ("values", "places", "tags")  # what a crowd's file answers: peaks, which `grouping` reads
MOST_THREADS = 1024  # more would take a machine down before they began
Shapes = Mapping[str, Sequence[Any]]  # of inputs or outputs, by name; an axis of any length is no number


def outputs_of(card: Card) -> tuple[str, ...]:
    """What a file with this card answers."""
    if card.task == "dense":
        return (*BOXES, "map") if card.decoding.map else BOXES
    return CANDIDATES if card.task == "crowd" else OUTPUTS


class Engine(Protocol):
    def __call__(self, pictures: np.ndarray, /) -> dict[str, np.ndarray]:
        """(B, 3, H, W) float32 RGB in [0, 1] -> "points" (B, K, 2) in network pixels, "scores" (B, K).

        Of a crowd: "values" (B, K, T), "places" (B, K, T, 2) in network pixels, "tags" (B, K, T, D).
        """
        ...


def cores() -> int:
    """How many cores this process may use, by its affinity and its container's quota."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return max(1, min(allowed, int(quota) // int(period)))
    except (OSError, ValueError):  # no control groups, or no quota
        return allowed


def with_onnxruntime(path: Path, threads: int | None = None) -> tuple[Engine, Card]:
    """The default: an .onnx file in ONNX Runtime on the CPU."""
    import onnxruntime

    _check_start(path, ".onnx")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads or cores(), 1
    options.log_severity_level = 3  # errors only
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions have no common parent of their own
        raise DataError(f"{path}: not an ONNX file, or a damaged one ({_line(error)})") from error
    card = _card(path, session.get_modelmeta().custom_metadata_map.get(KEY))
    wanted = outputs_of(card)
    given, made = ({e.name: e.shape for e in side} for side in (session.get_inputs(), session.get_outputs()))
    _check_ends(path, given, made, card)

    def run(pictures: np.ndarray) -> dict[str, np.ndarray]:
        return dict(zip(wanted, map(np.asarray, session.run(wanted, {INPUT: pictures}))))

    return run, card


@lru_cache
def openvino_core() -> Any:
    """The one OpenVINO of this process, which is never given back: its CPU plugin sets up a stack for signals
    and frees it when it goes, and the next Ctrl-C would then end in a segmentation fault.
    """
    require("openvino", to="run a model with OpenVINO")
    import openvino

    return openvino.Core()


def with_openvino(path: Path, threads: int | None = None) -> tuple[Engine, Card]:
    """The same .onnx file, or OpenVINO's own .xml + .bin pair, in OpenVINO on the CPU, in float32."""
    core = openvino_core()
    if path.suffix != ".xml":
        _check_start(path, ".onnx")
    try:
        model = core.read_model(path)
    except Exception as error:
        raise DataError(f"{path}: OpenVINO cannot read it ({_line(error)})") from error
    framework = model.get_rt_info()["framework"] if "framework" in model.get_rt_info() else {}
    card = _card(path, framework[KEY].value if KEY in framework else None)
    wanted = outputs_of(card)
    given, made = (
        {end.any_name: [d.get_length() if d.is_static else None for d in end.partial_shape] for end in side}
        for side in (model.inputs, model.outputs)
    )
    _check_ends(path, given, made, card)
    settings = {
        "INFERENCE_NUM_THREADS": threads or cores(),
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",  # bfloat16, its choice on some CPUs, makes ties and moves peaks
    }
    compiled: dict[int, Any] = {}  # by batch: a fixed shape is faster than a free one

    def of_batch(size: int) -> Any:
        if size not in compiled:
            model.reshape({INPUT: [size, 3, *card.size]})
            compiled[size] = core.compile_model(model, "CPU", settings)
        return compiled[size]

    def run(pictures: np.ndarray) -> dict[str, np.ndarray]:
        answers = of_batch(len(pictures))({INPUT: pictures})
        return {name: np.array(answers[name]) for name in wanted}

    of_batch(1)  # now, not in the first picture's time
    return run, card


def with_torch(
    path: Path,
    threads: int | None = None,
    flip: bool | None = None,
    decoding: Mapping[str, Any] | None = None,
) -> tuple[Engine, Card]:
    """A model.safetensors in torch: on the GPU where there is one, else on the CPU. `threads` is torch's own
    setting, so it holds for all of it."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read by torch: threads that spin disturb each other
    net, card = network(path, flip, decoding)
    import torch

    torch.set_num_threads(threads or cores())
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    net = net.to(device)

    def run(pictures: np.ndarray) -> dict[str, np.ndarray]:
        with torch.inference_mode():
            answers = net(torch.from_numpy(pictures).to(device))
            return dict(zip(outputs_of(card), (answer.cpu().numpy() for answer in answers)))

    return run, card


ENGINES: dict[str, Callable[[Path, int | None], tuple[Engine, Card]]] = {
    "onnxruntime": with_onnxruntime,
    "openvino": with_openvino,
    "torch": with_torch,
}


def opened(
    path: Path,
    engine: str = "auto",
    threads: int | None = None,
    flip: bool | None = None,
    decoding: Mapping[str, Any] | None = None,
) -> tuple[Engine, Card]:
    """A model file's engine and card. "auto": ONNX Runtime for .onnx, OpenVINO for .xml, torch for
    .safetensors. `flip` asks for the flip test, or for none, where the card says otherwise, `decoding` for
    other values of the card's decoding; only torch can.

    Raises:
        UserError: no such file, an unknown engine, one that does not read this kind of file, or a missing
            extra.
        DataError: the file is empty, truncated, something else, or has no card.
    """
    if threads is not None and not 1 <= threads <= MOST_THREADS:
        raise UserError(f"an engine uses from 1 to {MOST_THREADS} threads, got {threads}")
    if engine != "auto" and engine not in ENGINES:
        raise unknown("engine", engine, ("auto", *ENGINES))
    if not path.is_file():
        raise UserError(
            f"{path}: " + ("is a folder, not a model file" if path.is_dir() else "no such model file")
        )
    if engine == "auto":
        by_suffix = {".onnx": "onnxruntime", ".xml": "openvino", ".safetensors": "torch"}
        if path.suffix not in by_suffix:
            raise UserError(f"{path}: no engine reads {path.suffix!r}; there are: {', '.join(by_suffix)}")
        engine = by_suffix[path.suffix]
    if path.suffix not in READS[engine]:
        hint = f"; heatmark export {path} writes one" if path.suffix == ".safetensors" else ""
        raise UserError(f"{path}: the engine {engine!r} reads {READS[engine]} files{hint}")
    if engine == "torch":
        return with_torch(path, threads, flip, decoding)
    if decoding:
        raise UserError(
            f"{path}: reads its maps itself; {', '.join(decoding)} can be chosen for .safetensors"
        )
    run, card = ENGINES[engine](path, threads)
    if flip is not None and flip != card.decoding.flip:
        reads = "with" if card.decoding.flip else "without"
        raise UserError(
            f"{path}: reads its maps itself, {reads} the flip test; use the .safetensors model it was made of"
        )
    return run, card


def network(
    path: Path, flip: bool | None = None, decoding: Mapping[str, Any] | None = None
) -> "tuple[nn.Module, Card]":
    """A model.safetensors as a torch module, pictures -> (points, scores), in eval mode; and its card, where
    `flip` says whether the mirror image is looked at, too.
    """
    require("torch", "safetensors", to="open a .safetensors model")
    from .. import models
    from ..models.checksum import opened as tensors_of
    from .decoding import READERS, PointReader

    _check_start(path, ".safetensors")
    weights, header = tensors_of(path)
    card = _card(path, header.get(KEY))
    asked = dict(decoding or {}) | ({} if flip is None else {"flip": flip})
    if asked:
        card = card.with_decoding(**asked)
    try:
        models.check_options(card.model, card.options)
    except UserError as error:
        raise DataError(f"{path}: its heatmark card: {error}") from error
    options = models.unfetched(card.model, card.options)  # the file has all weights
    net = models.create(card.model, points=len(card.channels), **options)
    try:
        net.load_state_dict(weights)
    except RuntimeError as error:
        raise DataError(f"{path}: its weights are not those of {card.model} ({_line(error, 300)})") from error
    return READERS.get(card.task, PointReader)(net, card), card


def _check_start(path: Path, suffix: str) -> None:
    """Raise a DataError for a model file that is empty, unreadable or, by its first bytes, something else."""
    if not path.is_file():
        raise UserError(f"{path}: no such model file")
    try:
        with open(path, "rb") as file:
            start = file.read(200)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    if not start:
        raise DataError(f"{path}: the file is empty")
    if start.lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml", b"version https://git-lfs")):
        raise DataError(f"{path}: not a {suffix} file; it begins with {start[:16]!r}")
    if suffix == ".onnx" and broken(path):
        raise DataError(
            f"{path}: damaged, or changed since it was exported: it has not the checksum at its end"
        )


def _card(path: Path, text: str | None) -> Card:
    if text is None:
        raise DataError(f"{path}: a model without a heatmark card; `heatmark export` writes one that has it")
    return Card.from_json(text, str(path))


def _check_ends(path: Path, inputs: Shapes, outputs: Shapes, card: Card) -> None:
    """Raise a DataError where a file's inputs and outputs, by name, are not those that its card speaks of."""
    wanted, k = outputs_of(card), len(card.skeleton_of())
    if list(inputs) != [INPUT] or any(name not in outputs for name in wanted):
        ends = f"{INPUT} in, {' and '.join(wanted)} out"
        raise DataError(f"{path}: wanted {ends}; it has {', '.join(inputs)} in, {', '.join(outputs)} out")
    of_points = {} if card.task == "dense" else {name: (None, k) for name in wanted}
    for name, said in ({INPUT: (None, 3, *card.size)} | of_points).items():
        there = {**inputs, **outputs}[name]
        if any(isinstance(n, int) and m not in (None, n) for m, n in zip(said, there)):
            words = ", ".join("any" if m is None else str(m) for m in said)
            raise DataError(f"{path}: its card speaks of {name} ({words}), its network of {tuple(there)}")


def _line(error: Exception, most: int = 160) -> str:
    """An error's text on one line, not too long."""
    text = " ".join(str(error).split())
    return text if len(text) <= most else text[:most] + "..."
