"""Keras's ResNet50 weights as a start for SimpleBaseline, where torchvision's are not at hand.

    python -m benchmarks.resnet_start resnet50_v1.safetensors START.safetensors
    python -m benchmarks.table1 ... --weights simple_baseline_50=START.safetensors

The file has torchvision's names, but saw BGR from 0 to 255 less a mean, where SimpleBaseline divides by a
deviation too: its first convolution is scaled and what is left of the means goes into the batch norm after
it, so that both see the same. Where a stage halves its maps Keras does it in the first 1x1, SimpleBaseline in
the 3x3 after it: the same weights see maps twice as fine there, which SimpleBaseline, all of which learns,
has to get used to.
"""

import argparse
from pathlib import Path

import torch
from safetensors.torch import save_file

from heatmark.models.blocks import caffe, imagenet_bgr
from heatmark.models.weights import read

from .runs import ended


def started(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The weights for pictures as SimpleBaseline normalises them, of those for pictures as Keras does."""
    theirs, ours = caffe(), imagenet_bgr()
    scale = (theirs.scale * ours.std / theirs.std).reshape(1, 3, 1, 1)
    left = (theirs.scale * ours.mean - theirs.mean) / theirs.std  # of the mean, in units of their pictures
    first = state["conv1.weight"]
    moved = state["bn1.running_mean"] - (first * left.reshape(1, 3, 1, 1)).sum((1, 2, 3))
    return state | {"conv1.weight": first * scale, "bn1.running_mean": moved}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("weights", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    save_file(started(dict(read(given.weights))), given.out)
    print(given.out)


if __name__ == "__main__":
    ended(main)
