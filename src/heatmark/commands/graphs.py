"""ONNX graphs: a torch module as one, its weights in half or its convolutions in int8, and a file of it.

Normalisation, network and decoding are in the graph, the card is in its metadata.
"""

import logging
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..card import KEY, Card
from ..errors import GateError
from ..runtime.engines import INPUT, outputs_of
from ..runtime.seal import sealed
from .gate import View
from .progress import track

if TYPE_CHECKING:
    import onnx
    from torch import nn

INNER = "net."  # before the names of a network's layers: it stands inside what reads its maps
# Left out of this list, a ReLU's input would be rounded over a range of which it then throws most away.
WHOLE = ("Conv", "Relu", "Clip", "LeakyRelu", "Add", "MaxPool", "Concat", "Resize")


def onnx_of(path: Path) -> "onnx.ModelProto":
    """The graph in an .onnx file."""
    import onnx

    return onnx.load(path)


def weights_of(graph: "onnx.ModelProto") -> dict[str, np.ndarray]:
    """The weights in a graph that `to_onnx` and `half_weights` made, float32, under the network's names."""
    from onnx import numpy_helper

    found = {w.name: numpy_helper.to_array(w) for w in graph.graph.initializer if w.name.startswith(INNER)}
    return {n.removeprefix(INNER).removesuffix(".half"): v.astype(np.float32) for n, v in found.items()}


def to_onnx(net: "nn.Module", card: Card) -> "onnx.ModelProto":
    """A torch module, pictures -> (points, scores), as a graph of any batch size, its weights inside."""
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
    """A copy whose weights are stored in half precision and widened on opening: it computes in fp32."""
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
    """A copy that convolves in int8, with ranges from `views`; heads, sigmoids and decoding stay fp32."""
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
        path.write_bytes(sealed(graph.SerializeToString()))
        return [path]
    import openvino

    temporary = path.with_suffix(".onnx")
    temporary.write_bytes(graph.SerializeToString())
    openvino.save_model(openvino.Core().read_model(temporary), path, compress_to_fp16=False)
    temporary.unlink()
    return [path, path.with_suffix(".bin")]
