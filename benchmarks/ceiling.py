"""How fast a network could be at most on these cores: its products over the products a second they manage.

    python -m benchmarks.ceiling [--frames 100] [--threads 2] [--out docs/ceiling.md]

The rate is that of OpenVINO over eight 3x3 convolutions of 256 channels, 28 x 28 cells, which suit it best of
all in these networks. Nothing else is counted, neither reading pictures nor maps.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from onnxruntime import quantization
from torch import nn

from heatmark import models
from heatmark.commands.bench import bench
from heatmark.data.records import write_whole

from .rows import machine
from .runs import ended

CHANNELS, CELLS, LAYERS = 256, 28, 8
TURNS = 60
NETWORKS = ("ihm224/resnet50_v1", "ihm56/resnet50_v1", "ihm56/mobilenet_v2")  # as `heatmark bench` names them
HEAD = """# How fast these networks could be at most

A network's products (multiplications, each with its addition) over the products a second that these cores
manage at their best: {rates}, in 3x3 convolutions of 256 channels in OpenVINO.
Beside it what OpenVINO reached in the same minutes, from a photograph's file to its points (the median of
{frames} frames). Both change with the machine and the hour, so that other pages, as [latency.md](latency.md),
may show more; the share that is reached says how much an engine leaves.

    python -m benchmarks.ceiling --frames {frames} --out docs/ceiling.md

| network, 224 x 224 pixels | products, billions | fp32: at most | reached | int8: at most | reached |
|---|--:|--:|--:|--:|--:|
"""


class Noise(quantization.CalibrationDataReader):
    """One input of noise, to quantise by."""

    def __init__(self):
        self.waiting: Iterator[np.ndarray] = iter([noise()])

    def get_next(self) -> dict[str, np.ndarray] | None:  # type: ignore[override]
        maps = next(self.waiting, None)
        return None if maps is None else {"maps": maps}


def noise() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(1, CHANNELS, CELLS, CELLS)).astype(np.float32)


def rates(threads: int) -> dict[str, float]:
    """Products a second in each precision: {"fp32": 1e11, "int8": 4e11}; of the fastest of TURNS."""
    layers = [layer for _ in range(LAYERS) for layer in (nn.Conv2d(CHANNELS, CHANNELS, 3, 1, 1), nn.ReLU())]
    with tempfile.TemporaryDirectory() as folder:
        fp32, int8 = Path(folder) / "fp32.onnx", Path(folder) / "int8.onnx"
        torch.onnx.export(
            nn.Sequential(*layers).eval(), (torch.from_numpy(noise()),), fp32, input_names=["maps"],
            dynamo=True, external_data=False, verbose=False,
        )  # fmt: skip
        quantization.quantize_static(fp32, int8, Noise(), per_channel=True)
        return {path.stem: _rate(path, threads) for path in (fp32, int8)}


def _rate(path: Path, threads: int) -> float:
    import openvino

    settings = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
    run, maps, took = openvino.Core().compile_model(path, "CPU", settings), noise(), []
    for _ in range(TURNS):
        start = time.perf_counter()
        run(maps)
        took.append(time.perf_counter() - start)
    return LAYERS * CHANNELS**2 * 9 * CELLS**2 / min(took)


def products(net: nn.Module, side: int = 224) -> float:
    """Of all convolutions, for one square picture."""
    found: list[float] = []

    def count(layer: nn.Module, _: object, output: torch.Tensor) -> None:
        found.append(output.numel() * layer.weight[0].numel())  # type: ignore[index, union-attr]

    for layer in net.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(count)
    with torch.inference_mode():
        net.eval()(torch.zeros(1, 3, side, side))
    return sum(found)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    best = rates(given.threads)
    said = " and ".join(f"{rate / 1e9:.0f} billion in {name}" for name, rate in best.items())
    text = HEAD.format(rates=said, frames=given.frames)
    measured = bench(NETWORKS, frames=given.frames, threads=given.threads, int8=True).rows
    reached = {(row.model, row.engine): 1000 / row.latency.total for row in measured}
    for name in NETWORKS:
        network, _, backbone = name.partition("/")
        count = products(models.create(network, points=3, backbone=backbone, weights=None))
        text += f"| {name} | {count / 1e9:.2f}"
        for precision, engine in (("fp32", "openvino"), ("int8", "openvino int8")):
            text += f" | {best[precision] / count:.0f} | {reached[name, engine]:.0f}"
        text += " |\n"
    text += f"\nFrames a second. {machine()}, {given.threads} threads.\n"
    print(text)
    if given.out:
        write_whole(given.out, text.encode())


if __name__ == "__main__":
    ended(main)
