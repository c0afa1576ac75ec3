"""Latency by engine (torch eager, ONNX Runtime, OpenVINO; fp32 and int8) of the IHM networks with random
weights, which are as fast, and of the shipped detectors, with and without a second look.

    python -m benchmarks.latency [--frames 200] [--threads 2] [--out docs/latency.md]

Prints (and with --out writes) a Markdown table of medians with their ratios to torch eager, all engines of a
network measured in turns in one run. Expectation, from a throwaway measurement before this code was written
(2 cores of an AMD Zen 5): ONNX Runtime at 0.59 and OpenVINO at 0.59 of torch eager's network time for IHM56
on ResNet50.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from heatmark.commands.bench import bench

from .runs import ended

HEAD = """# Latency

From a photograph's file to its points, the shipped photographs one at a time: decode; network (the window cut
out, the network, and maps to points, which is part of the model file); points (back into the picture).
Milliseconds; the ratio is to a model's first row, for networks torch eager. Their weights are random, which
costs as much. The engines take turns within one run, so the ratios hold on a busy machine. A second look of a
shipped detector is measured on all shipped photographs, of which most do not show its tool: it searches.
What int8 costs on photographs stands in [int8_photos.md](int8_photos.md), how fast such cores could be
at most in [ceiling.md](ceiling.md).

    python -m benchmarks.latency --frames {frames} --out docs/latency.md

"""
NETWORKS = ("ihm224/resnet50_v1", "ihm56/resnet50_v1", "ihm224/mobilenet_v2", "ihm56/mobilenet_v2")
PEOPLE = ("hrnet_w32@256x192", "simple_baseline_50@256x192")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path)
    parser.add_argument("networks", nargs="*", default=(*NETWORKS, *PEOPLE))
    given = parser.parse_args()
    how = {"frames": given.frames, "threads": given.threads}
    networks = bench(given.networks, **how, int8=True)
    shipped = bench(None, **how, second_look=True)
    table = replace(networks, rows=(*networks.rows, *shipped.rows)).markdown()
    print(table)
    if given.out:
        given.out.write_text(f"{HEAD.format(frames=given.frames)}{table}\n")


if __name__ == "__main__":
    ended(main)
