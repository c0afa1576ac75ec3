"""IHM: shapes, what is frozen, and what a wrong option is told."""

from typing import Any

import pytest
import torch
from torch import nn

from heatmark.errors import UserError
from heatmark.models import blocks, create

IHMS = ("ihm56", "ihm224", "hm")
TINY = {"backbone": "tiny", "width": 0.05}


def drawn(name: str, points: int = 1) -> Any:
    return create(name, points, **TINY)


@pytest.fixture
def net():
    torch.manual_seed(0)
    return create("ihm56", points=2, **TINY)


@pytest.mark.parametrize("name", IHMS)
def test_each_draws_its_maps_at_its_strides(name):
    net = drawn(name, 3).eval()
    maps = net(torch.rand(2, 3, 64, 96))
    assert [m.shape for m in maps] == [(2, 3, 64 // s, 96 // s) for s in net.strides]
    assert all(0 <= m.min() and m.max() <= 1 for m in maps)


def test_the_papers_levels():
    strides = {name: drawn(name).strides for name in IHMS}
    assert strides == {"ihm56": (16, 8, 4), "ihm224": (16, 8, 4, 2, 1), "hm": (1,)}


def test_the_papers_filters_and_skips():
    net: Any = create("ihm224", points=2, backbone="resnet50", weights=None)
    firsts = [(up.first[0].in_channels, up.first[0].out_channels) for up in net.ups]
    assert firsts == [(2048 + 1024, 256), (256 + 512, 128), (128 + 256, 64), (64 + 64, 32), (32, 16)]
    assert [head.draw.in_channels for head in net.heads.values()] == [256, 128, 64, 32, 16]
    assert net.ups[0].second[2].negative_slope == 0.3 and net.ups[0].second[3].share == 0.2


def test_a_frozen_backbone_gets_no_gradient_and_keeps_its_statistics(net):
    before = {k: v.clone() for k, v in net.backbone.state_dict().items()}
    learnt = [p for p in net.parameters() if p.requires_grad]
    optimiser = torch.optim.Adam(learnt, 0.1)
    net.train()
    torch.stack([m.sum() for m in net(torch.rand(2, 3, 64, 64))]).sum().backward()
    optimiser.step()
    assert all(p.grad is None for p in net.backbone.parameters())
    assert all(p.grad is not None for p in learnt)
    assert not any(m.training for m in net.backbone.modules()) and net.ups.training
    assert all(torch.equal(before[k], v) for k, v in net.backbone.state_dict().items())


def test_a_frozen_backbone_keeps_no_activations(net):
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t), lambda t: t):
        net.train().backbone(torch.rand(2, 3, 64, 64))
        assert not kept
        net(torch.rand(2, 3, 64, 64))
    assert kept


def test_from_a_layer_on_the_backbone_learns_and_before_it_nothing_is_kept():
    net: Any = create("ihm56", points=2, **TINY, trainable_from="3").train()
    torch.stack([m.sum() for m in net(torch.rand(2, 3, 64, 64))]).sum().backward()
    learnt = {n.split(".")[0] for n, p in net.backbone.features.named_parameters() if p.grad is not None}
    assert learnt == {"3", "4"}
    assert not net.backbone.features[3][1].training  # its statistics stay as they were


def test_the_maps_of_a_picture_do_not_depend_on_its_neighbours(net):
    pictures = torch.rand(3, 3, 64, 64)
    together, alone = net.eval()(pictures), net(pictures[1:2])
    for a, b in zip(together, alone):
        torch.testing.assert_close(a[1:2], b)


def test_before_training_maps_are_nearly_empty():
    maps = drawn("ihm56").eval()(torch.rand(1, 3, 64, 64))
    assert all(0.01 < m.mean() < 0.2 for m in maps)


def test_the_last_step_stays_in_float32_in_low_precision(net):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert all(m.dtype == torch.float32 for m in net.eval()(torch.rand(1, 3, 64, 64)))


@pytest.mark.parametrize(
    ("name", "options", "word"),
    [
        ("ihm65", TINY, "did you mean 'ihm56'"),
        ("ihm56", TINY | {"widht": 2}, "did you mean 'width'"),
        ("ihm56", {"backbone": "resnet5", "weights": None}, "did you mean 'resnet50'"),
        ("ihm56", TINY | {"trainable_from": "9"}, "no layer of the backbone is called '9'"),
        ("ihm56", TINY | {"dropout": 1.0}, "dropout is a share"),
        ("ihm56", TINY | {"prior": 0.0}, "prior is a map's value"),
        ("ihm56", TINY | {"points": 0}, "at least 1 map"),
    ],
)
def test_a_wrong_name_is_told_the_nearest_one(name, options, word):
    with pytest.raises(UserError, match=word):
        create(name, **({"points": 2} | options))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_dropout_drops_its_share_and_keeps_the_mean(layout):
    torch.manual_seed(1)
    ones = torch.ones(8, 16, 20, 20).to(memory_format=layout)
    dropped = blocks.Dropout(0.2)(ones)
    assert abs((dropped == 0).float().mean() - 0.2) < 0.01 and abs(dropped.mean() - 1) < 0.01
    assert torch.equal(blocks.Dropout(0.2).eval()(ones), ones)


def test_dropout_passes_the_gradient_where_it_let_the_value_through():
    x = torch.ones(1, 4, 8, 8, requires_grad=True)
    y = blocks.Dropout(0.5)(x)
    y.sum().backward()
    assert x.grad is not None and torch.equal(x.grad, y.detach())


def test_normalise_gives_caffe_what_it_wants():
    white = blocks.caffe()(torch.tensor([1.0, 0.5, 0.0]).view(1, 3, 1, 1))  # RGB
    expected = torch.tensor([0.0 - 103.939, 127.5 - 116.779, 255 - 123.68])  # BGR
    torch.testing.assert_close(white.flatten(), expected)
    assert not nn.Module.state_dict(blocks.caffe())  # nothing of it goes into a file
