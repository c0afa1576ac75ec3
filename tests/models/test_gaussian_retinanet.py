"""RetinaNet and its Gaussian rivals: their outputs, their size, and that the map, once left out, costs
nothing.
"""

from typing import Any

import pytest
import torch

from heatmark.errors import UserError
from heatmark.models import DENSE, create, unfetched

SMALL = {"backbone": "tiny", "weights": None, "width": 16, "depth": 1}


def weightless(name: str, **options) -> Any:
    with torch.device("meta"):
        return create(name, 1, **unfetched(name, options)).eval()


@pytest.mark.parametrize("name", DENSE)
def test_every_anchor_gets_its_logits_and_shifts_and_the_map_is_half_as_large_as_the_picture(name):
    net: Any = create(name, 2, **SMALL)
    pictures = torch.rand(2, 3, 96, 160)
    logits, shifts, *drawn = net(pictures)
    anchors = net.anchors.boxes((96, 160), pictures)
    assert logits.shape == (2, len(anchors), 2) and shifts.shape == (2, len(anchors), 4)
    assert [m.shape for m in drawn] == ([] if name == "retinanet" else [(2, 1, 48, 80)])


def test_a_network_says_what_stands_at_an_anchor_in_the_order_of_the_anchors():
    """A bright patch changes the logits of the anchors about it, and of no far ones."""
    torch.manual_seed(0)
    net: Any = create("retinanet", 1, **(SMALL | {"anchor": 2.0})).eval()
    torch.nn.init.normal_(net.classes.last.weight, std=1.0)
    plain = torch.zeros(1, 3, 512, 512)
    patched = plain.clone()
    patched[..., 360:376, 104:120] = 1.0
    change = (net(patched)[0] - net(plain)[0]).abs().squeeze()
    fine = 9 * 64 * 64  # the anchors of P3
    where = net.anchors.boxes((512, 512), plain)[:fine][change[:fine].argmax()]
    middle = (where[:2] + where[2:]) / 2
    assert (middle - torch.tensor([112.0, 368.0])).abs().max() < 40


def test_without_its_map_a_gaussian_network_answers_as_before_with_retinanets_parameters():
    torch.manual_seed(0)
    net: Any = create("gaussian_layer", 1, **SMALL).eval()
    pictures = torch.rand(1, 3, 64, 64)
    logits, shifts, _ = net(pictures)
    left = net.without_map()(pictures)
    assert len(left) == 2
    torch.testing.assert_close(left[0], logits)
    torch.testing.assert_close(left[1], shifts)
    plain: Any = create("retinanet", 1, **SMALL)
    assert set(net.state_dict()) == set(plain.state_dict())


def test_the_baseline_has_torchvisions_parameters_but_for_p6_one_class_and_its_batch_norm():
    torchvisions, of_a_class, batch_norm = 34_014_999, 9 * (256 * 9 + 1), 53_120
    p6_on_c5_instead_of_p5 = (2048 - 256) * 256 * 9
    count = sum(p.numel() for p in weightless("retinanet").parameters())
    assert count == torchvisions - 90 * of_a_class + p6_on_c5_instead_of_p5 + batch_norm


def test_the_layer_adds_little_and_the_decoder_twenty_times_as_much():
    counts = {name: sum(p.numel() for p in weightless(name).parameters()) for name in DENSE}
    layer = 512 * 64 * 9 + 2 * 64 + 64 * 32 * 9 + 2 * 32 + 32 * 32 * 9 + 2 * 32 + 32 + 1
    assert counts["gaussian_layer"] - counts["retinanet"] == layer
    assert 20 < (counts["gaussian_decoder"] - counts["retinanet"]) / layer < 22


def test_before_anything_is_learnt_an_anchor_holds_a_thing_once_in_a_hundred():
    net: Any = create("retinanet", 1, **SMALL).eval()
    chance = net(torch.rand(1, 3, 64, 64))[0].sigmoid()
    assert 0.005 < chance.mean() < 0.02


def test_all_of_the_backbone_learns_unless_it_is_frozen():
    for layer, learns in (("all", True), (None, False)):
        net: Any = create("retinanet", 1, **SMALL, trainable_from=layer)
        assert {p.requires_grad for p in net.backbone.parameters()} == {learns}


def test_the_map_teaches_the_features_that_boxes_are_read_from():
    net: Any = create("gaussian_layer", 1, **SMALL)
    net(torch.rand(1, 3, 64, 64))[2].sum().backward()
    assert net.pyramid.lateral[2].weight.grad.abs().sum() > 0  # through P3, down to C5
    assert net.backbone.features[0][0].weight.grad.abs().sum() > 0
    assert net.classes.last.weight.grad is None


def test_lighter_backbones_come_from_timm():
    net = weightless("gaussian_layer", backbone="mobilenetv3_small_050", width=32, depth=1)
    logits, _, drawn = net(torch.rand(1, 3, 64, 64, device="meta"))
    assert logits.shape[1] == 9 * (64 + 16 + 4 + 1 + 1) and drawn.shape[-2:] == (32, 32)


def test_what_cannot_be_is_said():
    with pytest.raises(UserError, match="options.norm of gaussian_layer: .*'batch' or 'group', got 'layer'"):
        create("gaussian_layer", 1, **SMALL, norm="layer")
    with pytest.raises(UserError, match="there are: none, layer, decoder"):
        create("retinanet", 1, **SMALL, branch="both")
    with pytest.raises(ValueError, match="multiple of 32 high and wide, got 40 x 64"):
        create("retinanet", 1, **SMALL)(torch.rand(1, 3, 40, 64))


def test_group_norm_does_without_statistics():
    net: Any = create("gaussian_decoder", 1, **SMALL, norm="group").train()
    assert net(torch.rand(1, 3, 32, 32))[2].isfinite().all()
