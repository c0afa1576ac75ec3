"""The networks of DSNT: their cells, published weights, what dilated groups see, answers without maps."""

from typing import Any

import pytest
import torch
import torchvision
from torch import nn

from heatmark.errors import UserError
from heatmark.models import create
from heatmark.models.coordinate import Connected, Coordinate, coordinate_lite0


def weightless(points: int = 3, **options) -> Any:
    with torch.device("meta"):
        return create("coordinate_34", points, **options, weights=None).eval()


@pytest.mark.parametrize("dilate, cells", [(0, 7), (1, 14), (2, 28), (3, 56)])
@pytest.mark.parametrize("depth", [34, 50])
def test_each_dilated_group_doubles_the_papers_cells(depth, dilate, cells):
    with torch.device("meta"):
        net = Coordinate(16, depth, dilate).eval()
        (maps,) = net(torch.rand(2, 3, 224, 224))
    assert maps.shape == (2, 16, cells, cells) and net.strides == (224 // cells,)


@pytest.mark.parametrize(
    "depth, make", [(34, torchvision.models.resnet34), (50, torchvision.models.resnet50)]
)
def test_without_dilation_it_is_torchvisions_resnet(depth, make):
    with torch.device("meta"):
        ours, theirs = Coordinate(16, depth, 0).state_dict(), make(weights=None).state_dict()
    assert ours.pop("draw.weight").shape == (16, 512 if depth == 34 else 2048, 1, 1)
    shapes = {key: value.shape for key, value in theirs.items() if not key.startswith("fc.")}
    assert {key: value.shape for key, value in ours.items()} == shapes


def test_a_file_of_weights_gives_torchvisions_features(tmp_path):
    torch.manual_seed(0)
    theirs: Any = torchvision.models.resnet34(weights=None).eval()
    torch.save(theirs.state_dict(), tmp_path / "resnet34.pth")
    net: Any = create("coordinate_34", 2, dilate=0, weights=str(tmp_path / "resnet34.pth")).eval()
    features, pictures = [], torch.rand(1, 3, 64, 64)
    theirs.layer4.register_forward_hook(lambda module, given, made: features.append(made))
    with torch.no_grad():
        theirs(pictures)
        torch.testing.assert_close(net(pictures)[0], net.draw(features[0]))


def test_dilation_follows_the_stride_that_is_gone():
    net = weightless(dilate=2)
    assert net.layer2[0].conv1.stride == (2, 2) and net.layer2[0].conv2.dilation == (1, 1)
    for group, apart in ((net.layer3, 2), (net.layer4, 4)):
        first, second = group[0], group[1]
        assert first.conv1.stride == first.downsample[0].stride == (1, 1)
        assert first.conv1.dilation == (1, 1)  # it reads the cells as they were before the stride
        assert first.conv2.dilation == second.conv1.dilation == second.conv2.padding == (apart, apart)
    assert [n for n, m in weightless(dilate=3).named_modules() if getattr(m, "dilation", 1) == (8, 8)]


def test_a_dilated_group_sees_at_every_second_cell_what_the_strided_one_saw():
    """The same weights on the same input: skipping cells afterwards or before comes to the same."""
    torch.manual_seed(0)
    strided, dilated = Coordinate(1, 34, 0).layer4.eval(), Coordinate(1, 34, 1).layer4.eval()
    dilated.load_state_dict(strided.state_dict())
    x = torch.rand(1, 256, 8, 8)
    with torch.no_grad():
        coarse, fine = strided(x), dilated(x)
    assert coarse.shape[-2:] == (4, 4) and fine.shape[-2:] == (8, 8)
    torch.testing.assert_close(fine[..., ::2, ::2], coarse, atol=1e-5, rtol=1e-4)


def test_pictures_go_in_as_they_are_and_the_last_step_stays_in_float32():
    net = Coordinate(1, 34, 3).eval()
    assert not any("normalise" in name for name, _ in net.named_modules()) and net.draw.bias is None
    with torch.autocast("cpu", dtype=torch.bfloat16):
        (maps,) = net(torch.rand(1, 3, 32, 32))
    assert maps.dtype == torch.float32 and maps.isfinite().all()


def test_everything_learns():
    net = Coordinate(2, 34, 1)
    net(torch.rand(2, 3, 64, 64))[0].square().sum().backward()
    assert all(p.grad is not None for p in net.parameters())
    assert isinstance(net.bn1, nn.BatchNorm2d) and net.bn1.training


def test_a_fourth_group_cannot_be_dilated():
    with pytest.raises(UserError, match="0 to 3, got 4"):
        weightless(dilate=4)


@pytest.mark.parametrize("stride", [4, 8, 16, 32])
def test_the_light_one_brings_all_it_sees_to_one_stride(stride):
    net = coordinate_lite0(2, stride, None, width=8).eval()
    with torch.no_grad():
        features = net.features(torch.rand(1, 3, 64, 96))
        assert [f.shape[1:] for f in features] == [(24, 16, 24), (40, 8, 12), (112, 4, 6), (320, 2, 3)]
        (maps,) = net.answer(features)
        assert maps.shape == (1, 2, 64 // stride, 96 // stride) and net.strides == (stride,)
        for f in features:  # each counts
            f += 1
            assert not torch.equal(net.answer(features)[0], maps)
            f -= 1


def test_the_light_one_learns_above_its_frozen_features():
    net = coordinate_lite0(2, 16, None, width=8).train()
    net(torch.rand(2, 3, 64, 64))[0].square().sum().backward()
    assert all(p.grad is None for p in net.backbone.parameters())
    assert all(
        p.grad is not None for p in (*net.seen.parameters(), *net.learn.parameters(), *net.draw.parameters())
    )
    assert net.frozen and not Coordinate.frozen


def test_connected_answers_with_points_and_begins_in_the_middle():
    for dilate in (0, 2):
        net: Any = create("coordinate_lite0", 3, stride=32 >> dilate, weights=None, connected=2).eval()
        (points,) = net(torch.rand(2, 3, 64, 64))
        assert points.shape == (2, 3, 2) and points.eq(32).all()
        (deep,) = weightless(dilate=dilate, connected=2)(torch.rand(2, 3, 64, 64, device="meta"))
        assert deep.shape == (2, 3, 2)


def test_a_connected_layer_by_hand():
    """One feature, two by two cells; x weighs the right column, in units of half the picture."""
    layer = Connected(1, 1, cells=2)
    with torch.no_grad():
        layer.layer.weight[0] = torch.tensor([0.0, 1.0, 0.0, 1.0])
    fine = torch.tensor([[0.0, 0.0, 0.5, 0.5]]).expand(1, 1, 4, 4)  # stride 16, averaged to 32
    assert layer(fine, stride=16).tolist() == [[[64.0, 32.0]]]  # 0.5 + 0.5 = 1, the right edge of 64 pixels


def test_a_connected_layer_is_for_one_size():
    net: Any = create("coordinate_lite0", 1, weights=None, connected=2).eval()
    with pytest.raises(UserError, match="connected: 2 is for pictures of 64 x 64 pixels, got 64 x 96"):
        net(torch.rand(1, 3, 64, 96))
