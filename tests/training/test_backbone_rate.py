"""A backbone that is not all frozen may learn at a share of the rate, and its frozen part stays as it is."""

from typing import Any

import pytest
import torch

from heatmark.errors import UserError
from heatmark.models import create
from heatmark.training import fit, recipe


def rates(settings):
    resolved = recipe.validated(settings, "tiny")
    net: Any = create(resolved.model, 2, **resolved.options)
    return net, fit.optimiser_for(resolved, net)


def test_layers_of_the_backbone_that_learn_have_their_own_share_of_the_rate(tiny):
    options = tiny["options"] | {"trainable_from": "4"}
    net, optimiser = rates(tiny | {"options": options, "backbone_lr": 0.1})
    heads, backbone = optimiser.param_groups
    assert (heads["share"], backbone["share"]) == (1.0, 0.1)
    last = list(net.backbone.features[4].parameters())
    assert [p.data_ptr() for p in backbone["params"]] == [p.data_ptr() for p in last]
    assert len(heads["params"]) == len(list(net.ups.parameters()) + list(net.heads.parameters()))


def test_a_crowd_networks_backbone_has_its_share_of_the_rate_too():
    settings = {"model": "pose_ae", "task": "crowd", "head": "tags", "size": (64, 64), "backbone_lr": 0.2}
    options = {"stacks": 1, "width": 8, "backbone": "tiny", "trainable_from": "4"}
    net, optimiser = rates(settings | {"options": options})
    backbone = optimiser.param_groups[1]
    last = [p.data_ptr() for p in net.pre.backbone.features[4].parameters()]
    assert (backbone["share"], [p.data_ptr() for p in backbone["params"]]) == (0.2, last)


def test_without_a_share_all_that_learns_is_one_group_in_the_networks_order(tiny):
    net, optimiser = rates(tiny | {"options": tiny["options"] | {"trainable_from": "4"}})
    (group,) = optimiser.param_groups
    learnt = [p.data_ptr() for p in net.parameters() if p.requires_grad]
    assert [p.data_ptr() for p in group["params"]] == learnt


def test_a_step_moves_the_backbone_by_its_share_and_the_frozen_part_not_at_all(tiny):
    options = tiny["options"] | {"trainable_from": "4", "dropout": 0}
    net, optimiser = rates(tiny | {"options": options, "backbone_lr": 0.1, "lr": 0.001})
    before = {n: p.detach().clone() for n, p in net.named_parameters()}
    torch.stack([m.sum() for m in net.train()(torch.rand(2, 3, 64, 64))]).sum().backward()
    for group in optimiser.param_groups:
        group["lr"] = 0.001 * group["share"]
    optimiser.step()
    moved = {n: float((p.detach() - before[n]).abs().max()) for n, p in net.named_parameters()}
    assert moved["backbone.features.4.0.weight"] == pytest.approx(
        1e-4, rel=0.05
    )  # Adam's first step: its rate
    assert moved["ups.0.first.0.weight"] == pytest.approx(1e-3, rel=0.05)
    assert moved["backbone.features.3.0.weight"] == 0


def test_a_share_above_one_is_refused(tiny):
    with pytest.raises(UserError, match="backbone_lr"):
        recipe.validated(tiny | {"backbone_lr": 2}, "tiny")
