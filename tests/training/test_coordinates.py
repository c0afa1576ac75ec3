"""head: dsnt: the loss by hand, and the way from a recipe over training and export to points in a picture."""

import json
import math
import shutil
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from heatmark import heatmaps
from heatmark.card import Card
from heatmark.commands.detect import detect
from heatmark.commands.export import export
from heatmark.commands.train import train
from heatmark.errors import DataError, UserError
from heatmark.metrics import chances
from heatmark.models import MODELS, create, options_of, unfetched
from heatmark.models.blocks import draw_logits
from heatmark.runtime import load
from heatmark.runtime.decoding import PointReader
from heatmark.training import recipe, state
from heatmark.training.losses import coordinate_sum, point_error
from heatmark.training.task import CONNECTED, SINGLE, Batch, Places, task_of
from heatmark.types import Skeleton

ENDS = Skeleton("tool", ("tip", "left", "right"), interchangeable=(("left", "right"),))
NAN = math.nan


def batch(points):
    points = torch.tensor(points, dtype=torch.float32)
    b, k = points.shape[:2]
    pictures = torch.zeros(b, 3, 64, 64, dtype=torch.uint8)
    return Batch(pictures, points, torch.zeros(b, k).bool(), torch.full((b,), 40.0), tuple("abcdef"[:b]))


def test_the_loss_by_hand():
    maps = torch.full((1, 1, 1, 4), -90.0)
    maps[..., 0] = 0  # all of it in the first of four cells, 8 pixels each: x = 4 of 32, -0.75 in the grid
    points = torch.tensor([[[24.0, 4.0]]])  # 0.5, the middle of the one row
    plain = coordinate_sum([maps], points, [8], regulariser="none")
    assert plain.item() == pytest.approx(1.25)
    js = heatmaps.js(heatmaps.rectified(maps), points, 1.5, 8).item()
    weighed = coordinate_sum([maps], points, [8], regulariser="js", reg_weight=3, reg_sigma=1.5)
    assert weighed.item() == pytest.approx(1.25 + 3 * js)


def test_levels_are_summed_and_points_that_are_not_there_count_nowhere():
    maps = [torch.randn(2, 2, n, n, requires_grad=True) for n in (4, 8)]
    points = torch.tensor([[[8.0, 20.0], [NAN, NAN]], [[3.0, 3.0], [30.0, 9.0]]])
    loss = coordinate_sum(maps, points, [8, 4])
    alone = [coordinate_sum([m], points, [s]) for m, s in zip(maps, (8, 4))]
    torch.testing.assert_close(loss, alone[0] + alone[1])
    torch.testing.assert_close(coordinate_sum(maps, points, [8, 4], weights=[0, 2]), 2 * alone[1])
    loss.backward()
    for m in maps:
        assert m.grad is not None and m.grad[0, 1].eq(0).all() and m.grad[1, 1].ne(0).any()
    nobody = coordinate_sum(maps, torch.full((2, 2, 2), NAN), [8, 4])
    nobody.backward()
    assert nobody == 0
    with pytest.raises(ValueError, match="2 levels, 1 strides"):
        coordinate_sum(maps, points, [8])


def test_logits_that_step_down_on_it_come_to_mean_the_point(tiny):
    task = task_of(recipe.validated(tiny | {"head": "dsnt"}, "tiny"))
    settings = recipe.validated(tiny | {"head": "dsnt", "reg_weight": 1.0}, "tiny")
    truth = batch([[[20.3, 30.7], [40.2, 44.1]]])
    skeleton = Skeleton("two", ("a", "b"))
    maps = torch.zeros(1, 2, 16, 16, requires_grad=True)
    optimiser = torch.optim.Adam([maps], 0.2)
    for _ in range(200):
        optimiser.zero_grad()
        task.loss([maps], task.targets(truth, (4,), skeleton, settings), settings).backward()
        optimiser.step()
    points, scores = task.decode([maps.detach()], (4,), skeleton)
    off = task.metric(points, truth, skeleton)
    assert off.max() < 0.02 and scores.min() > 0.7  # a bump of one cell, at the point
    shown = task.shown(maps.detach())
    assert shown.min() >= 0 and shown.amax((-2, -1)).tolist() == [[1.0, 1.0]]


def test_the_recipes_head_picks_the_task_and_wants_one_landmark_a_map(tiny):
    assert task_of(recipe.validated(tiny, "tiny")) is SINGLE
    dsnt = recipe.validated(tiny | {"head": "dsnt"}, "tiny")
    assert (dsnt.regulariser, dsnt.reg_weight, dsnt.reg_sigma) == ("js", 1.0, 1.0)  # the paper's best
    with pytest.raises(UserError, match="so left and right need a map each: set interchangeable: matched"):
        recipe.skeleton_for(dsnt, ENDS)
    apart = recipe.validated(tiny | {"head": "dsnt", "interchangeable": "apart"}, "tiny")
    assert recipe.skeleton_for(apart, ENDS).channels == ((0,), (1,), (2,))
    with pytest.raises(UserError, match="regulariser: input should be 'none', 'kl', 'js' or 'variance'"):
        recipe.validated(tiny | {"regulariser": "l2"}, "tiny")


def test_ihm_draws_logits_for_a_mean_and_the_same_weights_maps_for_a_peak():
    torch.manual_seed(0)
    net, pictures = create("ihm56", 2, backbone="tiny", width=0.1).eval(), torch.rand(1, 3, 64, 64)
    maps, names = net(pictures), list(net.state_dict())
    draw_logits(net)
    logits = net(pictures)
    assert names == list(net.state_dict()) and min(m.min() for m in logits) < 0
    for m, z in zip(maps, logits):
        torch.testing.assert_close(z.sigmoid(), m)


def test_interchangeable_points_are_learnt_in_whichever_order_is_nearer():
    maps = torch.full((1, 3, 1, 4), -90.0)  # 32 pixels; tip, left and right in cells 2, 0 and 3
    for channel, cell in enumerate((2, 0, 3)):
        maps[0, channel, 0, cell] = 0
    there = torch.tensor([[[20.0, 4.0], [4.0, 4.0], [28.0, 4.0]]])
    swapped = there[:, [0, 2, 1]]
    none: Any = {"regulariser": "none"}
    assert coordinate_sum([maps], swapped, [8], **none) == pytest.approx(2 * 1.5 / 3)  # 24 of 16 pixels each
    assert coordinate_sum([maps], swapped, [8], **none, groups=ENDS.groups) == pytest.approx(0, abs=1e-6)
    js = coordinate_sum([maps], swapped, [8], groups=ENDS.groups)
    torch.testing.assert_close(js, coordinate_sum([maps], there, [8]))  # the regulariser asks there too
    torch.testing.assert_close(point_error(there, swapped, (32, 32), ENDS.groups), torch.tensor(0.0))
    assert point_error(there, swapped[:, [1, 0, 2]], (32, 32), ENDS.groups) > 0.3  # the tip is nobody's twin

    one = swapped.clone()
    one[0, 1] = NAN  # only one end in sight: the nearer map learns it, the other nothing
    leaf = maps.clone().requires_grad_()
    loss = coordinate_sum([leaf], one + 2, [8], groups=ENDS.groups)
    loss.backward()
    assert leaf.grad is not None and leaf.grad[0, 1].ne(0).any() and leaf.grad[0, 2].eq(0).all()


def test_groups_too_large_to_try_every_order_of_are_refused():
    with pytest.raises(ValueError, match="up to 6 can be matched, got 7"):
        heatmaps.matched(torch.zeros(7, 2), torch.zeros(7, 2), [range(7)])


def test_matched_needs_a_head_that_can(tiny):
    with pytest.raises(UserError, match="interchangeable: matched is for head: dsnt or connected"):
        recipe.validated(tiny | {"interchangeable": "matched"}, "tiny")
    settings = recipe.validated(tiny | {"head": "dsnt", "interchangeable": "matched"}, "tiny")
    skeleton = recipe.skeleton_for(settings, ENDS)
    assert skeleton.groups == ((1, 2),) and recipe.channels_for(settings, skeleton) == ((0,), (1,), (2,))
    card = Card.model_validate(
        {"name": "t", "skeleton": skeleton, "size": (8, 8), "model": "ihm56", "strides": (1,)}
        | {"decoding": {"method": "expectation"}}
    )
    assert card.channels == ((0,), (1,), (2,)) and card.skeleton_of().interchangeable


def test_head_connected_and_a_network_that_answers_with_points_belong_together(tiny):
    light = {"model": "coordinate_lite0", "options": {"weights": None, "connected": 2}}
    assert task_of(recipe.validated(tiny | light | {"head": "connected"}, "tiny")) is CONNECTED
    with pytest.raises(UserError, match="options: {connected: 2} belong together, got head: dsnt"):
        recipe.validated(tiny | light | {"head": "dsnt"}, "tiny")
    with pytest.raises(UserError, match="belong together, got head: connected and options: {'backbone'"):
        recipe.validated(tiny | {"head": "connected"}, "tiny")


def test_a_connected_network_trains_exports_and_detects(tmp_path, sticks, tiny):
    ends = {"head": "connected", "interchangeable": "matched", "epochs": 1}
    light = {
        "model": "coordinate_lite0",
        "options": {"stride": 32, "width": 8, "weights": None, "connected": 2},
    }
    run = train(recipe.validated(tiny | light | ends, "tiny"), data=sticks, out=tmp_path / "run")
    card = Card.from_json(state.read(run.model)[1]["heatmark"])
    assert str(card.decoding) == "coordinates, threshold 0" and card.decoding.calibration is None
    exported = export(run.model, out=tmp_path / "stick.onnx", pictures=sticks)
    assert exported.max_shift_px is not None and exported.max_shift_px < 0.05
    photo = sticks / "images" / "000.jpg"
    (found,) = detect(photo, exported.out)
    assert np.isfinite(found.poses.points).all() and (found.poses.scores == 1).all()  # it cannot say how sure
    np.testing.assert_allclose(found.poses.points, load(run.model, threads=1)(photo).points, atol=0.05)


def test_a_score_in_the_file_is_the_chance_its_card_says():
    maps = torch.randn(5, 2, 8, 8, generator=torch.Generator().manual_seed(0))
    points, raw = heatmaps.decode_expectation(maps, [(0,), (1,)], 8)
    line = (1.4, -0.3)
    card = Card.model_validate(
        {
            "name": "t",
            "skeleton": Skeleton("s", ("a", "b")),
            "size": (64, 64),
            "model": "ihm56",
            "strides": (8,),
        }
        | {"decoding": {"method": "expectation", "calibration": line}}
    )
    drawn = nn.Module()
    drawn.forward = lambda pictures: (maps,)  # type: ignore[method-assign]
    same, chance = PointReader(drawn, Card.from_json(card.to_json()))(torch.zeros(5, 3, 64, 64))
    torch.testing.assert_close(same, points)
    np.testing.assert_allclose(chance.numpy(), chances(raw.numpy(), line), rtol=1e-5)
    spread = card.model_copy(update={"decoding": card.decoding.model_copy(update={"confidence": "spread"})})
    _, other = PointReader(drawn, spread)(torch.zeros(5, 3, 64, 64))
    np.testing.assert_allclose(
        other.numpy(),
        chances(heatmaps.confidence(heatmaps.rectified(maps), "spread").numpy(), line),
        rtol=1e-5,
    )


def test_an_old_card_means_a_peak_and_a_new_one_says_a_mean():
    said = {"name": "t", "skeleton": Skeleton("s", ("a",)), "size": (8, 8), "model": "ihm56", "strides": (1,)}
    old = json.loads(Card(**said).to_json())
    old["decoding"] = {"refine": "dark", "threshold": 0.0}  # as written before there was a method
    assert Card.from_json(json.dumps(old)).decoding.method == "peak"

    both = old | {"decoding": {"method": "msra"}, "skeleton": ENDS.to_dict()}
    with pytest.raises(
        DataError, match="w.onnx: its heatmark card: .*interchangeable landmarks need a map each"
    ):
        Card.from_json(json.dumps(both), "w.onnx")

    class Ramp(nn.Module):
        def forward(self, pictures):
            return (pictures[:, :1].log(),)

    pictures = torch.full((1, 3, 8, 8), 1e-9)
    pictures[..., 3, 2], pictures[..., 3, 6] = 0.6, 0.2
    points = {}
    for method in ("peak", "expectation"):
        card = Card.model_validate(said | {"decoding": {"method": method, "refine": "none"}})
        points[method], _ = PointReader(Ramp(), Card.from_json(card.to_json()))(pictures)
    np.testing.assert_allclose(points["peak"], [[[2.5, 3.5]]])
    np.testing.assert_allclose(points["expectation"], [[[3.5, 3.5]]], atol=1e-4)  # 3/4 and 1/4 of the way


def test_a_trained_detector_passes_the_gate_and_finds_points(tmp_path, sticks, tiny):
    settings = tiny | {"head": "dsnt", "epochs": 1}
    run = train("ihm56", data=sticks, out=tmp_path / "run", settings=settings)
    card = Card.from_json(state.read(run.model)[1]["heatmark"])
    assert str(card.decoding) == "expectation, softmax, threshold 0" and card.recipe["head"] == "dsnt"
    exported = export(run.model, out=tmp_path / "stick.onnx", pictures=sticks)
    assert exported.max_shift_px is not None and exported.max_shift_px < 0.05 and exported.metric_change == 0
    photo = sticks / "images" / "000.jpg"
    (found,) = detect(photo, exported.out)
    points, scores = found.poses.points, found.poses.scores
    assert np.isfinite(points).all() and ((scores > 0) & (scores < 1)).all()
    np.testing.assert_allclose(points, load(run.model, threads=1)(photo).points, atol=0.05)
    (lost,) = detect(photo, exported.out, threshold=0.99)
    assert np.isnan(lost.poses.points).all()


def test_interchangeable_ends_go_all_the_way(tmp_path, sticks, tiny):
    alike = tmp_path / "alike"
    shutil.copytree(sticks, alike)
    said = json.loads((alike / "annotations.json").read_text())
    said["categories"][0]["interchangeable"] = [["red", "blue"]]
    (alike / "annotations.json").write_text(json.dumps(said))
    settings = tiny | {"head": "dsnt", "epochs": 1}
    with pytest.raises(UserError, match="so red and blue need a map each: set interchangeable: matched"):
        train("ihm56", data=alike, out=tmp_path / "merged", settings=settings)
    run = train("ihm56", data=alike, out=tmp_path / "run", settings=settings | {"interchangeable": "matched"})
    predictor = load(run.model)
    assert predictor.skeleton.groups == ((0, 1),) and predictor.card.channels == ((0,), (1,))
    found = predictor(sticks / "images" / "000.jpg")
    assert np.isfinite(found.points).all()


def test_another_rectification_reaches_the_file(tmp_path, sticks, tiny):
    settings = tiny | {"head": "dsnt", "epochs": 1, "rectification": "relu", "regulariser": "variance"}
    run = train("ihm56", data=sticks, out=tmp_path / "run", settings=settings)
    assert load(run.model).card.decoding.rectification == "relu"


@pytest.mark.parametrize("how", heatmaps.RECTIFICATIONS)
def test_every_rectification_learns_from_where_a_network_starts(how):
    torch.manual_seed(0)
    net: Any = create("ihm56", 2, backbone="tiny", width=0.1)
    draw_logits(net, start=None if how in ("softmax", "sigmoid") else 0.0)
    points = torch.tensor([[[8.0, 20.0], [50.0, 50.0]]])
    coordinate_sum(net(torch.rand(1, 3, 64, 64)), points, net.strides, how).backward()
    heads = [head.draw.weight.grad for head in net.heads.values()]
    assert all(g is not None and g.abs().max() > 1e-4 for g in heads)


def test_the_papers_recipes_say_what_the_paper_says():
    for name, model, size, cells in (
        ("dsnt", "coordinate_34", 224, 28),
        ("dsnt_hourglass", "hourglass_2", 256, 64),
    ):
        read = recipe.read(name)
        assert (read.model, read.size, read.head) == (model, (size, size), "dsnt")
        assert (read.regulariser, read.reg_weight, read.reg_sigma) == ("js", 1.0, 1.0)
        assert (read.optimiser, read.lr, read.schedule) == ("rmsprop", 2.5e-4, "steps")
        assert (read.milestones, read.factor, read.epochs) == ((60, 90), 0.1, 120)
        with torch.device("meta"):
            net: Any = create(read.model, 2, **unfetched(read.model, read.options))
        assert all(stride == size // cells for stride in net.strides)


@pytest.mark.parametrize("name", MODELS)
def test_every_network_can_be_taught_and_read_so(name, tiny):
    """Only shapes are computed."""
    settings = recipe.validated(tiny | {"head": "dsnt", "model": name, "options": {}}, "tiny")
    task, skeleton = task_of(settings), Skeleton("three", ("a", "b", "c"))
    small = {"backbone": "tiny"} if "backbone" in options_of(name) else {}
    with torch.device("meta"):
        net: Any = create(name, 3, **unfetched(name, small)).eval()
        maps, points = net(torch.rand(2, 3, 64, 64)), torch.rand(2, 3, 2)
        assert task.loss(maps, Places(points, net.strides, (64, 64)), settings).shape == ()
        found, scores = task.decode(maps, net.strides, skeleton)
    assert found.shape == (2, 3, 2) and scores.shape == (2, 3)
