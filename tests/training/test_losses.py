"""The loss of eq. 1, by hand."""

import pytest
import torch

from heatmark.training.losses import level_sum


def test_each_level_weighs_the_same_whatever_its_size():
    maps = [torch.full((2, 3, s, s), 0.5) for s in (2, 4, 8)]
    targets = [torch.zeros_like(m) for m in maps]
    assert level_sum(maps, targets).item() == pytest.approx(3 * 0.25)
    assert level_sum(maps, targets, weights=[1, 0, 2]).item() == pytest.approx(3 * 0.25)


def test_maps_that_do_not_count_do_not_pull():
    maps = torch.rand(2, 2, 4, 4, requires_grad=True)
    counted = torch.tensor([[True, False], [True, True]])
    loss = level_sum([maps], [torch.zeros(2, 2, 4, 4)], counted=counted)
    loss.backward()
    assert maps.grad is not None and maps.grad[0, 1].abs().sum() == 0 and maps.grad[0, 0].abs().sum() > 0
    kept = torch.cat([maps[0, :1], maps[1]]).detach()
    assert loss.item() == pytest.approx(kept.square().mean().item())


def test_with_every_map_counted_it_is_the_plain_loss():
    maps, target = torch.rand(2, 2, 4, 4), torch.rand(2, 2, 4, 4)
    all_counted = level_sum([maps], [target], counted=torch.ones(2, 2, dtype=torch.bool))
    torch.testing.assert_close(all_counted, level_sum([maps], [target]))
    assert level_sum([maps], [target], counted=torch.zeros(2, 2, dtype=torch.bool)) == 0


def test_levels_that_do_not_agree_are_an_error():
    with pytest.raises(ValueError, match="2 levels, 1 targets"):
        level_sum([torch.zeros(1, 1, 2, 2)] * 2, [torch.zeros(1, 1, 2, 2)])


def test_foreground_weighs_errors_on_bumps_more():
    maps, target = torch.tensor([[[[0.5, 0.5]]]]), torch.tensor([[[[1.0, 0.0]]]])
    assert level_sum([maps], [target]).item() == pytest.approx(0.25)
    assert level_sum([maps], [target], foreground=3.0).item() == pytest.approx((4 * 0.25 + 0.25) / 2)
    one = level_sum([maps], [target], counted=torch.tensor([[True]]), foreground=3.0)
    assert one.item() == pytest.approx((4 * 0.25 + 0.25) / 2)
