"""A step of learning, with upsampling blocks that double their maps and with ones that do not, side by side.

    python -m benchmarks.learning_speed [--steps 12] [--out docs/learning_speed.md]

Forward and backward of IHM networks on a batch of noise, in the precision that training would take here; the
backbone is frozen, or learns from `blocks.4` on as in `ihm56_lite0`. Preparing pictures and the optimiser's
step are not in it. The ways take turns within one run: trust the ratio.
"""

import argparse
import statistics
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from heatmark.models import create
from heatmark.training.fit import depthwise_in_float32, precision

from .rows import commit, machine

NETWORKS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "ihm56_lite0": (
        "ihm56",
        {"backbone": "efficientnet_lite0", "width": 0.5, "dropout": 0.1, "trainable_from": "blocks.4"},
    ),
    "ihm56_lite0, frozen": ("ihm56", {"backbone": "efficientnet_lite0", "width": 0.5, "dropout": 0.1}),
    "ihm56 (ResNet50)": ("ihm56", {"backbone": "resnet50_v1"}),
    "ihm224 (ResNet50)": ("ihm224", {"backbone": "resnet50_v1"}),
}


def measured(model: str, options: Mapping[str, Any], batch: int, steps: int) -> dict[bool, float]:
    """Median seconds of a step, {whether maps are doubled: seconds}."""
    net: Any = create(model, points=3, weights=None, **options)
    low = precision("auto") == "bf16"
    net.to(memory_format=torch.channels_last).train()
    if low:
        depthwise_in_float32(net)
    pictures = torch.rand(batch, 3, 224, 224).to(memory_format=torch.channels_last)
    took: dict[bool, list[float]] = {True: [], False: []}
    for turn in range(steps + 1):
        for doubling, seconds in took.items():
            for up in net.ups:
                up.training = not doubling  # that alone tells the block which way to go
            start = time.perf_counter()
            with torch.autocast("cpu", torch.bfloat16, enabled=low):
                maps = net(pictures)
            torch.stack([m.float().mean() for m in maps]).sum().backward()
            if turn:  # the first warms up
                seconds.append(time.perf_counter() - start)
    return {doubling: statistics.median(seconds) for doubling, seconds in took.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    lines = ["| network | doubled, ms | not doubled, ms | ratio |", "|---|--:|--:|--:|"]
    for name, (model, options) in NETWORKS.items():
        took = measured(model, options, given.batch, given.steps)
        lines.append(
            f"| {name} | {1e3 * took[True]:.0f} | {1e3 * took[False]:.0f} | {took[False] / took[True]:.2f} |"
        )
        print(lines[-1], flush=True)
    text = "\n".join(
        [
            "# A step of learning",
            "",
            "Forward and backward of a batch of 16 pictures of 224 x 224, medians; two ways of upsampling",
            "in turns (`models/blocks.py: doubled_and_convolved`).",
            "",
            "    python -m benchmarks.learning_speed --out docs/learning_speed.md",
            "",
            *lines,
            "",
            f"Commit {commit()}, {machine()}, torch {torch.__version__}, {torch.get_num_threads()} threads.",
            "",
        ]
    )
    if given.out:
        given.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
