"""The losses of dense detection, by hand and by finite differences."""

import math

import pytest
import torch

from heatmark.training.dense_losses import FEWEST, bump_error, focal, smooth_l1


def test_focal_loss_by_hand():
    logits = torch.tensor([[math.log(3.0)], [math.log(1 / 3)], [math.log(3.0)], [5.0]])
    classes = torch.tensor([0, 0, -1, -2])  # p = 0.75, 0.25; a negative with 0.75; one that does not count
    by_hand = (
        0.25 * 0.25**2 * -math.log(0.75) + 0.25 * 0.75**2 * -math.log(0.25) + 0.75 * 0.75**2 * -math.log(0.25)
    )
    assert focal(logits, classes).item() == pytest.approx(by_hand / 2)  # two positives


def test_focal_loss_without_a_positive_is_divided_by_one_and_without_focus_is_cross_entropy():
    logits = torch.tensor([[0.0], [0.0]])
    none = focal(logits, torch.tensor([-1, -1]))
    assert none.item() == pytest.approx(2 * 0.75 * 0.25 * math.log(2))
    plain = focal(logits, torch.tensor([0, -1]), alpha=0.5, gamma=0)
    assert plain.item() == pytest.approx(math.log(2))


def test_each_class_has_a_sigmoid_of_its_own():
    loss = focal(torch.tensor([[0.0, 0.0]]), torch.tensor([1]))
    assert loss.item() == pytest.approx((0.25 + 0.75) * 0.25 * math.log(2))


def test_sure_and_wrong_logits_give_no_infinity():
    loss = focal(torch.tensor([[-200.0], [200.0]]), torch.tensor([0, -1]))
    assert loss.item() == pytest.approx(0.25 * 200 + 0.75 * 200)


def test_smooth_l1_turns_straight_at_a_ninth():
    found = torch.tensor([[0.1, 1 / 9, 1.0, 0.0]])
    by_hand = (0.5 * 0.01 * 9 + 0.5 / 9 + (1 - 0.5 / 9) + 0) / 4
    assert smooth_l1(found, torch.zeros(1, 4)).item() == pytest.approx(by_hand)
    assert smooth_l1(torch.zeros(0, 4), torch.zeros(0, 4)) == 0


def test_hard_negatives_are_three_for_each_cell_of_a_bump_and_the_rest_is_not_learnt():
    wanted, drawn = torch.zeros(4, 4), torch.zeros(4, 4)
    wanted[0, 0] = 1.0
    drawn[3] = torch.tensor([0.4, 0.3, 0.2, 0.1])
    drawn.requires_grad_()
    loss = bump_error(drawn, wanted)
    assert loss.item() == pytest.approx(1 + (0.16 + 0.09 + 0.04) / 3)
    loss.backward()
    assert drawn.grad is not None and drawn.grad[3].tolist() == pytest.approx([0.8 / 3, 0.6 / 3, 0.4 / 3, 0])


def test_between_the_two_thresholds_nothing_counts():
    wanted, drawn = torch.tensor([[1.0, 0.3, 0.0]]), torch.tensor([[1.0, 9.0, 0.0]])
    assert bump_error(drawn, wanted, positive=0.5, negative=0.1) == 0
    assert bump_error(drawn, wanted, positive=0.1, negative=0.1) > 30


def test_a_map_without_objects_counts_its_worst_cells():
    drawn = torch.zeros(64, 64)
    drawn[0, 0] = 1.0
    assert bump_error(drawn, torch.zeros(64, 64)).item() == pytest.approx(1 / FEWEST)


@pytest.mark.parametrize("seed", range(3))
def test_gradients_are_right(seed):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(6, 2, generator=generator, dtype=torch.float64, requires_grad=True)
    classes = torch.tensor([0, 1, -1, -1, -2, 0])
    assert torch.autograd.gradcheck(lambda x: focal(x, classes), (logits,))
    drawn = torch.rand(4, 5, generator=generator, dtype=torch.float64, requires_grad=True)
    wanted = torch.rand(4, 5, generator=generator, dtype=torch.float64) * (
        torch.arange(20).view(4, 5) % 3 == 0
    )
    assert torch.autograd.gradcheck(lambda x: bump_error(x, wanted), (drawn,))
    shifts = torch.randn(3, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: smooth_l1(x, torch.zeros_like(x)), (shifts,))
