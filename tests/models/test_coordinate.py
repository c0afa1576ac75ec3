"""The network of DSNT: its cells, its published weights, and what a dilated group sees."""

from typing import Any

import pytest
import torch
import torchvision
from torch import nn

from heatmark.errors import UserError
from heatmark.models import create
from heatmark.models.coordinate import Coordinate


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
