"""DSNT: positions and gradients by hand, what each regulariser asks for, and what must not be NaN."""

import math

import pytest
import torch
from torch.autograd import gradcheck

from heatmark import heatmaps
from heatmark.heatmaps import dsnt

HOWS, DIVERGING = dsnt.RECTIFICATIONS, ("kl", "js", "variance")


def logits(*shape, dtype=torch.float64, seed=0):
    drawn = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (2 * drawn).to(dtype)


def test_the_mean_of_a_map_by_hand():
    maps = torch.zeros(3, 3)
    maps[0, 2], maps[2, 2] = 0.25, 0.75  # centres (2.5, 0.5) and (2.5, 2.5)
    assert dsnt.expectation(maps).tolist() == [2.5, 2.0]
    assert dsnt.expectation(maps, stride=8).tolist() == [20.0, 16.0]
    assert dsnt.variance(maps).tolist() == [0.0, 0.75]
    assert dsnt.to_unit(dsnt.expectation(maps), (3, 3)).tolist() == pytest.approx([2 / 3, 1 / 3])


def test_the_papers_grid_is_the_house_in_other_units():
    for n in (1, 3, 7, 56):
        centre = torch.arange(n, dtype=torch.float64).unsqueeze(-1) + 0.5
        theirs = (2 * torch.arange(n, dtype=torch.float64) - (n - 1)) / n  # the paper's axis, counted from 0
        torch.testing.assert_close(dsnt.to_unit(centre, (n,)).squeeze(-1), theirs)
    points = torch.rand(5, 3, dtype=torch.float64) * 20
    torch.testing.assert_close(dsnt.from_unit(dsnt.to_unit(points, (4, 5, 9)), (4, 5, 9)), points)


def test_the_gradient_of_a_5x5_map_by_hand():
    z = logits(5, 5).requires_grad_()
    p = dsnt.rectified(z)
    x = dsnt.expectation(p)[0]
    x.backward()
    cells = torch.arange(5, dtype=torch.float64) + 0.5
    by_hand = p.detach() * (cells - x.detach())  # dx/dz_i = p_i (x_i - x): cells right of the mean pull right
    torch.testing.assert_close(z.grad, by_hand)


@pytest.mark.parametrize("dims, size", [(1, (6,)), (2, (4, 6)), (3, (3, 4, 6))])
def test_one_full_cell_is_found_in_one_two_and_three_axes(dims, size):
    maps = torch.zeros(2, *size)
    maps[(slice(None), *(n - 2 for n in size))] = 1.0
    place = torch.tensor([n - 1.5 for n in reversed(size)])
    torch.testing.assert_close(dsnt.expectation(maps, 4, dims), (place * 4).expand(2, dims))
    assert dsnt.variance(maps, dims=dims).eq(0).all()
    for how in dsnt.CONFIDENCES:
        assert dsnt.confidence(maps, how, dims).tolist() == [1.0, 1.0]


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_rectified_maps_sum_to_one_whatever_leads(how, dims):
    maps = logits(2, 3, *(4, 3, 5)[-dims:], dtype=torch.float32)
    drawn = dsnt.rectified(maps, how, dims)
    assert drawn.shape == maps.shape and drawn.min() >= 0
    torch.testing.assert_close(drawn.flatten(2).sum(-1), torch.ones(2, 3))
    alone = dsnt.rectified(maps[1, 2], how, dims)
    torch.testing.assert_close(drawn[1, 2], alone)
    torch.testing.assert_close(dsnt.expectation(drawn, 2, dims)[1, 2], dsnt.expectation(alone, 2, dims))


def test_a_softmax_below_its_threshold_is_zero():
    drawn = dsnt.rectified(torch.tensor([2.0, 1.0, 3.0]), "thresholded_softmax", dims=1, threshold=1.5)
    torch.testing.assert_close(drawn, torch.tensor([0.26894142, 0, 0.73105858]))


@pytest.mark.parametrize("how, value", [("thresholded_softmax", -9.0), ("abs", 0.0), ("relu", -1.0)])
def test_a_map_with_nothing_in_it_points_to_the_middle_without_a_gradient(how, value):
    maps = torch.full((3, 4), value, requires_grad=True)
    point = dsnt.expectation(dsnt.rectified(maps, how))
    assert point.tolist() == [2.0, 1.5]
    point.sum().backward()
    assert maps.grad is not None and maps.grad.eq(0).all()


@pytest.mark.parametrize("how", HOWS)
def test_gradients_of_points_agree_with_differences(how):
    maps = logits(2, 3, 4).requires_grad_()
    assert gradcheck(lambda m: dsnt.expectation(dsnt.rectified(m, how), 4), (maps,))


@pytest.mark.parametrize("name", DIVERGING)
@pytest.mark.parametrize("dims, size", [(1, (5,)), (2, (3, 4)), (2, (1, 5)), (3, (2, 3, 4))])
def test_gradients_of_regularisers_agree_with_differences(name, dims, size):
    maps = logits(2, *size).requires_grad_()
    points = torch.rand(2, dims, dtype=torch.float64) * 3
    cost = dsnt.REGULARISERS[name]
    assert gradcheck(lambda m: cost(dsnt.rectified(m, dims=dims), points, 1.0, 1.0, dims), (maps,))


def test_gradients_of_distance_and_confidence_agree_with_differences():
    points, true = logits(3, 2).requires_grad_(), logits(3, 2, seed=1)
    assert gradcheck(dsnt.distance, (points, true))


@pytest.mark.parametrize("how", dsnt.CONFIDENCES)
def test_gradients_of_confidence_agree_with_differences(how):
    maps = logits(2, 3, 9).requires_grad_()
    assert gradcheck(lambda m: dsnt.confidence(dsnt.rectified(m), how), (maps,))


@pytest.mark.parametrize("name", DIVERGING)
def test_the_bump_that_is_asked_for_costs_nothing_and_every_other_map_something(name):
    at, sigma = torch.tensor([40.0, 44.0]), 1.5
    asked = dsnt.bumps(at, (20, 24), sigma, stride=4)
    torch.testing.assert_close(dsnt.expectation(asked, 4), at, atol=1e-3, rtol=0)
    cost = dsnt.REGULARISERS[name]
    assert float(cost(asked, at, sigma, 4)) == pytest.approx(0, abs=1e-6)
    wider, flat = dsnt.bumps(at, (20, 24), 3.0, 4), torch.full((20, 24), 1 / 480)
    assert 1e-4 < float(cost(wider, at, sigma, 4)) < float(cost(flat, at, sigma, 4))


def test_divergences_mind_the_place_and_variance_does_not():
    here, there = torch.tensor([10.0, 10.0]), torch.tensor([20.0, 20.0])
    maps = dsnt.bumps(here, (32, 32), 1.0)
    assert float(dsnt.js(maps, there, 1.0)) == pytest.approx(math.log(2), abs=1e-3)  # nothing in common
    assert float(dsnt.kl(maps, there, 1.0)) > 40
    assert float(dsnt.variance_error(maps, there, 1.0)) < 1e-9


def test_kl_of_two_cells_by_hand():
    maps = torch.tensor([[0.75, 0.25]])
    target = dsnt.bumps(torch.tensor([1.0, 0.5]), (1, 2), 1.0)
    assert target.tolist() == [[0.5, 0.5]]
    kl = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    assert float(dsnt.kl(maps, torch.tensor([1.0, 0.5]), 1.0)) == pytest.approx(kl)


def test_variance_is_asked_for_in_the_papers_grid():
    """Twice the cells over the same picture with the same width there cost the same."""
    coarse = dsnt.variance_error(torch.full((4, 4), 1 / 16), torch.zeros(2), 1.0)
    off = ((16 - 1) / 12 - 1) * (2 / 4) ** 2  # n cells alike have variance (n^2 - 1) / 12
    assert float(coarse) == pytest.approx(2 * off**2)


@pytest.mark.parametrize("name", DIVERGING)
def test_a_point_that_nobody_labelled_costs_nothing_and_teaches_nothing(name):
    z = logits(2, 4, 5, dtype=torch.float32).requires_grad_()
    points = torch.tensor([[2.0, 2.0], [math.nan, math.nan]])
    maps = dsnt.rectified(z)
    off = dsnt.distance(dsnt.expectation(maps), points)
    cost = dsnt.REGULARISERS[name](maps, points, 1.0)
    assert off[1] == 0 and cost[1] == 0 and off[0] > 0 and cost[0] > 0
    dsnt.masked_mean(off + cost, points.isfinite().all(-1)).backward()
    assert z.grad is not None and z.grad[1].eq(0).all() and z.grad[0].ne(0).any()
    assert dsnt.masked_mean(off + cost, torch.tensor([False, False])) == 0


def test_a_point_that_is_hit_exactly_has_a_finite_gradient():
    point = torch.tensor([1.0, 2.0], requires_grad=True)
    dsnt.distance(point, torch.tensor([1.0, 2.0])).backward()
    assert point.grad is not None and point.grad.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("name", DIVERGING)
def test_half_precision_neither_overflows_nor_loses_the_point(dtype, how, name):
    z = torch.full((1, 1, 64, 64), -20.0, dtype=dtype)
    z[..., 50, 60] = 400.0
    z.requires_grad_()
    maps = dsnt.rectified(z, how)
    points = torch.tensor([[[5.0, 5.0]]])
    loss = dsnt.distance(dsnt.expectation(maps), points) + dsnt.REGULARISERS[name](maps, points, 1.0)
    assert loss.dtype == torch.float32 and loss.isfinite().all()
    loss.sum().backward()
    assert z.grad is not None and z.grad.isfinite().all()
    if "softmax" in how:
        assert dsnt.expectation(maps).tolist() == [[[60.5, 50.5]]]


def test_autocast_does_not_round_the_point():
    maps = dsnt.rectified(logits(2, 56, 56, dtype=torch.float32))
    plain = dsnt.expectation(maps, 4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(dsnt.expectation(maps, 4), plain, atol=1e-3, rtol=0)


@pytest.mark.parametrize("size", [(1, 7), (7, 1), (1, 1)])
@pytest.mark.parametrize("name", DIVERGING)
def test_a_map_of_one_row_is_safe(size, name):
    z = torch.zeros(size, requires_grad=True)
    maps = dsnt.rectified(z)
    cost = dsnt.REGULARISERS[name](maps, torch.tensor([0.5, 0.5]), 1.0)
    (cost + dsnt.distance(dsnt.expectation(maps), torch.zeros(2))).backward()
    assert cost.isfinite() and z.grad is not None and z.grad.isfinite().all()
    assert all(0 < dsnt.confidence(maps, how) <= 1 for how in dsnt.CONFIDENCES)


def test_a_bump_far_outside_is_still_a_bump():
    far = dsnt.bumps(torch.tensor([1e4, -1e4]), (8, 8), 1.0)
    assert float(far.sum()) == pytest.approx(1) and far[0, 7] > 0.3


@pytest.mark.parametrize("sigma", [1e-3, 1e-20, 1e-38])
@pytest.mark.parametrize("at", [[2.3, 1.7], [1e6, -1e10]])
@pytest.mark.parametrize("name", DIVERGING)
def test_a_bump_may_be_as_narrow_as_it_likes(name, at, sigma):
    maps = dsnt.rectified(torch.zeros(8, 8, requires_grad=True))
    cost = dsnt.REGULARISERS[name](maps, torch.tensor(at), sigma)
    assert cost.isfinite()
    near = dsnt.bumps(torch.tensor([2.3, 1.7]), (8, 8), sigma)
    assert near[1, 2] == 1 and near.sum() == 1


def test_confidence_falls_from_one_bump_to_two_to_none():
    one = dsnt.bumps(torch.tensor([20.0, 20.0]), (56, 56), 1.0)
    two = 0.5 * one + 0.5 * dsnt.bumps(torch.tensor([44.0, 40.0]), (56, 56), 1.0)
    flat = torch.full((56, 56), 1 / 56**2)
    assert float(dsnt.confidence(one)) == pytest.approx(0.8, abs=0.01)
    for how in dsnt.CONFIDENCES:
        sure, torn, lost = (float(dsnt.confidence(maps, how)) for maps in (one, two, flat))
        assert 1 >= sure > max(torn, lost) > 0
    assert float(dsnt.confidence(two)) < 0.1  # its expectation is a place where neither lies


def test_points_and_scores_in_the_skeletons_order():
    at = torch.tensor([[[26.0, 30.0], [37.0, 29.0]]])
    maps = dsnt.bumps(at, (16, 16), 1.0, stride=4).log().clamp_min(-60)
    points, scores = heatmaps.decode_expectation(maps, [(1,), (0,)], stride=4)
    torch.testing.assert_close(points, at.flip(1), atol=0.02, rtol=0)
    assert scores.shape == (1, 2) and scores.min() > 0.7
    lost, kept = heatmaps.decode_expectation(torch.zeros(1, 1, 9, 9), [(0,)], threshold=0.5)
    assert lost.isnan().all() and 0 < kept < 0.5


@pytest.mark.parametrize(
    "call, word",
    [
        (lambda m: dsnt.rectified(m, "softmx"), "no rectification is called 'softmx'; there are: softmax"),
        (lambda m: dsnt.rectified(m, dims=4), "1, 2 or 3 axes, got dims=4"),
        (lambda m: dsnt.confidence(m, "sure"), "no confidence is called 'sure'"),
        (lambda m: dsnt.kl(m, torch.zeros(2), sigma=0), "sigma must be positive"),
        (lambda m: dsnt.decode_expectation(m[None, None], [(0, 1)]), "one expectation"),
    ],
)
def test_what_cannot_be_is_said(call, word):
    with pytest.raises(ValueError, match=word):
        call(torch.full((3, 3), 1 / 9))


def test_the_exported_step_gives_the_same_numbers():
    pytest.importorskip("onnxscript")
    import onnxruntime

    class Step(torch.nn.Module):
        def forward(self, maps):
            found = [heatmaps.decode_expectation(maps, [(0,), (1,)], 4, how, 0.01) for how in HOWS]
            return tuple(answer for pair in found for answer in pair)

    maps = logits(3, 2, 6, 8, dtype=torch.float32)
    program = torch.onnx.export(
        Step().eval(),
        (maps,),
        input_names=["maps"],
        dynamic_shapes=({0: torch.export.Dim("b")},),
        dynamo=True,
        verbose=False,
    )
    assert program is not None
    session = onnxruntime.InferenceSession(program.model_proto.SerializeToString())
    for batch in (maps, maps[:1]):
        for ours, theirs in zip(Step()(batch), session.run(None, {"maps": batch.numpy()})):
            torch.testing.assert_close(ours, torch.as_tensor(theirs), atol=1e-4, rtol=1e-5)
