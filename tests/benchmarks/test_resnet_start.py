"""Keras's ResNet weights as SimpleBaseline's start."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))  # benchmarks is no part of the package

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from benchmarks.resnet_start import started  # noqa: E402
from heatmark.models.blocks import caffe, imagenet_bgr  # noqa: E402


def test_a_start_shows_the_first_layer_what_keras_showed_it():
    conv, norm = nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4).eval()
    mean = norm.running_mean = torch.randn(4)
    picture = torch.rand(1, 3, 8, 8)
    wanted = norm(conv(caffe()(picture)))
    moved = started({"conv1.weight": conv.weight.detach(), "bn1.running_mean": mean})
    conv.load_state_dict({"weight": moved["conv1.weight"]})
    norm.running_mean = moved["bn1.running_mean"]
    got = norm(conv(imagenet_bgr()(picture)))
    assert torch.allclose(got, wanted, rtol=1e-4, atol=1e-3)
