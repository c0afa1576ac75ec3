"""Whole pictures with all their boxes: what anchors and cells are asked, and a tiny network that learns."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from heatmark import data
from heatmark.commands.train import train
from heatmark.data.records import Dataset, Record
from heatmark.errors import DataError, UserError
from heatmark.heatmaps import box_maps, quad_map
from heatmark.heatmaps.anchors import BACKGROUND, Anchors, encoded
from heatmark.metrics.boxes import centred
from heatmark.models import create
from heatmark.runtime.engines import opened
from heatmark.skeletons import PRODUCT
from heatmark.training import dense
from heatmark.training.dense import DenseBatch, Wanted, Wholes, ask, compare, read, shelves
from heatmark.training.dense_losses import Dense
from heatmark.training.recipe import read as recipe_of
from heatmark.training.recipe import validated
from heatmark.types import Poses

SMALL = {"backbone": "tiny", "weights": None, "width": 16, "depth": 1, "anchor": 2.0}
RECIPE = {
    "model": "gaussian_layer", "options": SMALL, "task": "dense", "head": "boxes", "size": [64, 96],
    "augmentation": "none", "batch": 2, "epochs": 2, "workers": 0,
}  # fmt: skip
GRID = np.array([[x, y, x + 16, y + 20] for y in (4, 34) for x in (6, 22, 40, 60)], float)


def recipe(**changes: Any):
    return validated(RECIPE | changes, "test")


def shelf(folder, count=4, size=(64, 96)) -> Dataset:
    """Dark boxes on a light ground, in each picture a little elsewhere."""
    records = []
    for n in range(count):
        boxes = GRID + [n % 3, n % 2, n % 3, n % 2]
        picture = np.full((*size, 3), 220, np.uint8)
        for i, (x1, y1, x2, y2) in enumerate(boxes.astype(int)):
            picture[y1 + 1 : y2 - 1, x1 + 1 : x2 - 1] = (30 * (i % 4), 40, 90)
        path = folder / f"{n}.png"
        Image.fromarray(picture).save(path)
        nothing = np.full((len(boxes), 4, 2), np.nan)
        records.append(Record(path, size, Poses(PRODUCT, nothing, boxes=boxes), n + 1))
    return Dataset(folder, PRODUCT, tuple(records))


def batch_of(boxes, quads=None, size=(64, 96), crowds=()) -> DenseBatch:
    boxes = torch.tensor(boxes, dtype=torch.float32)[None]
    crowds = torch.tensor(crowds, dtype=torch.float32).reshape(1, -1, 4)
    quads = torch.full((1, boxes.shape[1], 4, 2), torch.nan) if quads is None else quads
    return DenseBatch(torch.zeros(1, 3, *size, dtype=torch.uint8), boxes, quads, crowds, ("one",))


def test_a_box_across_two_neighbours_has_its_middle_on_neither():
    """Two boxes of 16 x 16 pixels side by side, and one half on each, which was surest."""
    boxes = np.array([[0.0, 0, 16, 16], [16, 0, 32, 16], [9, 0, 25, 16]])
    drawn = box_maps(torch.tensor(boxes[:2]), (8, 16)).float()
    cells = dense.peaks_under(boxes, drawn)
    assert cells[0] != cells[1] and cells[2] == cells[1]
    peaks = np.stack([cells % 16, cells // 16], -1) * 2.0 + 1.0
    scores = centred(boxes, np.array([0.6, 0.6, 0.9]), peaks)
    assert (scores[:2] > 0.5).all() and scores[2] < 0.2


def test_pictures_without_a_single_box_are_nothing_to_learn_from(tmp_path):
    folder = tmp_path / "empty"
    folder.mkdir()
    labelled, nobody = shelf(folder, count=20), np.zeros(len(GRID), bool)
    data.coco.write(folder, PRODUCT, [Record(r.path, r.size, r.poses[nobody], r.id) for r in labelled])
    with pytest.raises(DataError, match="empty: not one box with an area in 18 pictures to learn from"):
        train("shelf_small", data=folder, out=tmp_path / "run")


def test_every_anchor_is_asked_for_the_box_it_overlaps_and_the_map_shows_them():
    anchors, nan = Anchors((8,), side=2, ratios=(1.0,), scales=(1.0,)), np.nan
    boxes = [[12.0, 12, 28, 28], [nan] * 4]
    wanted = ask(batch_of(boxes), (8,), PRODUCT, recipe(), anchors)
    places = anchors.boxes((64, 96), torch.zeros(1))
    positive = wanted.classes[0] == 0
    assert 0 < positive.sum() < 10 and (wanted.classes[0][~positive] < 0).all()
    torch.testing.assert_close(
        wanted.shifts[0][positive], encoded(torch.tensor([boxes[0]]), places[positive])
    )
    assert (wanted.shifts[0][~positive] == 0).all()
    torch.testing.assert_close(wanted.maps[0], box_maps(torch.tensor(boxes), (32, 48)))


def test_a_picture_without_things_asks_every_anchor_for_nothing():
    wanted = ask(batch_of(np.empty((0, 4))), (8,), PRODUCT, recipe(), Anchors())
    assert (wanted.classes == BACKGROUND).all() and wanted.maps.sum() == 0


def test_in_a_crowd_nothing_is_learnt_but_the_things_that_are_labelled_there():
    anchors, recipes = Anchors((8,), side=2, ratios=(1.0,), scales=(1.0,)), recipe()
    boxes, crowd = [[12.0, 12, 28, 28]], [[0.0, 0, 64, 64], [np.nan] * 4]
    alone = ask(batch_of(boxes), (8,), PRODUCT, recipes, anchors)
    crowded = ask(batch_of(boxes, crowds=crowd), (8,), PRODUCT, recipes, anchors)
    assert torch.equal(crowded.classes == 0, alone.classes == 0)
    x = anchors.boxes((64, 96), torch.zeros(1))[:, 0]
    assert (crowded.classes[0][x < 48] != BACKGROUND).all()  # more than half of each lies in the crowd
    assert torch.equal(crowded.classes[0][x > 56], alone.classes[0][x > 56])
    assert crowded.maps[0, :, :32].isnan().sum() > 800 and not crowded.maps[0, :, 32:].isnan().any()
    there = ~crowded.maps.isnan()
    assert torch.equal(crowded.maps[there], alone.maps[there])


def test_whatever_is_said_in_a_crowd_costs_nothing():
    anchors = Anchors((8,), side=2, ratios=(1.0,), scales=(1.0,))
    wanted = ask(batch_of(np.empty((0, 4)), crowds=[[0.0, 0, 96, 64]]), (8,), PRODUCT, recipe(), anchors)
    count = len(anchors.boxes((64, 96), torch.zeros(1)))
    outputs: Any = [torch.randn(1, count, 1), torch.randn(1, count, 4), torch.randn(1, 1, 32, 48)]
    for output in outputs:
        output.requires_grad_()
    loss = compare(outputs, wanted, recipe())
    loss.backward()
    inner = (anchors.boxes((64, 96), torch.zeros(1)).clamp_min(0) > 0).all(1)
    assert (outputs[0].grad[0][inner] == 0).all() and (outputs[2].grad == 0).all()


def test_a_crowd_of_the_file_is_seen_where_the_picture_shows_it(tmp_path):
    dataset = shelf(tmp_path, count=1)
    region = {"iscrowd": 1, "bbox": [8.0, 0.0, 40.0, 64.0]}
    (record,) = dataset
    (there,) = shelves(replace(dataset, records=(replace(record, crowd=(region,)),)), PRODUCT)
    aside = recipe(augmentation={"others": "none", "translate": [0.5, 0.5]})
    samples = Wholes([there], PRODUCT, aside)
    assert samples[None, 0].crowds.tolist() == [[8, 0, 48, 64]]  # a picture as large as the network's
    assert samples[0, 0].crowds.tolist() == [[56, 32, 96, 64]]


def test_oriented_labels_draw_their_own_corners_and_upright_ones_their_box():
    boxes = np.array([[8.0, 8, 40, 40], [50, 10, 80, 30]])
    quads = torch.full((1, 2, 4, 2), torch.nan)
    quads[0, 0] = torch.tensor([[24.0, 8], [40, 24], [24, 40], [8, 24]])
    wanted = ask(batch_of(boxes, quads), (8,), PRODUCT, recipe(dense={"oriented": True}), Anchors())
    both = quad_map(quads[0, :1], (32, 48)) + box_maps(torch.tensor(boxes[1:]).float(), (32, 48))
    torch.testing.assert_close(wanted.maps[0], both)


def test_the_three_terms_are_weighed_and_a_network_without_a_map_has_two():
    wanted = Wanted(torch.tensor([[0, -1]]), torch.zeros(1, 2, 4), torch.ones(1, 2, 2))
    outputs = torch.zeros(1, 2, 1), torch.ones(1, 2, 4), torch.zeros(1, 1, 2, 2)
    focal_by_hand = (0.25 + 0.75) * 0.25 * np.log(2)
    box_by_hand, map_by_hand = 1 - 0.5 / 9, 1.0
    weighed = recipe(dense={"weights": [1.0, 2.0, 3.0]})
    assert compare(outputs, wanted, weighed).item() == pytest.approx(
        focal_by_hand + 2 * box_by_hand + 3 * map_by_hand
    )
    assert compare(outputs[:2], wanted, weighed).item() == pytest.approx(focal_by_hand + 2 * box_by_hand)


def perfect(boxes, size=(64, 96)):
    """What a network that knows these boxes would say: every anchor that matches one, surely."""
    anchors, r = Anchors(side=2.0), recipe(dense={"rescue": True})
    wanted = ask(batch_of(boxes), anchors.strides, PRODUCT, r, anchors)
    logits = torch.where(wanted.classes == 0, 4.0, -8.0).unsqueeze(-1)
    return (logits, wanted.shifts, wanted.maps.unsqueeze(1)), anchors


@pytest.mark.parametrize("by", ["nms", "soft", "map"])
def test_what_is_asked_for_is_read_back(by):
    outputs, anchors = perfect(GRID)
    (found,) = read(outputs, anchors, (64, 96), Dense(), by)
    sure = found[found.scores > 0.5].boxes
    near = np.abs(sure[:, None] - GRID).max(-1)
    assert len(sure) == len(GRID) and near.min(0).max() < 0.01


def test_neighbours_that_overlap_too_much_for_nms_are_told_apart_by_the_map():
    tight = np.array([[10.0, 10, 34, 40], [18, 10, 42, 40]])  # they overlap by a half
    outputs, anchors = perfect(tight)
    counts = {by: len(read(outputs, anchors, (64, 96), Dense(overlap=0.4), by)[0]) for by in ("nms", "map")}
    assert counts == {"nms": 1, "map": 2}


def test_the_number_kept_is_a_setting():
    outputs, anchors = perfect(GRID)
    assert len(read(outputs, anchors, (64, 96), Dense(kept=3))[0]) == 3


def test_a_picture_is_fitted_as_the_paper_does(tmp_path):
    wide = recipe(dense={"resize": [800, 1333]})
    frame = dense.fitted((3264, 2448), wide)
    assert frame.size == (1088, 800)  # 1066.7 x 800, and on to a multiple of 32
    np.testing.assert_allclose(frame.into(np.array([2448.0, 3264])), [800, 800 / 2448 * 3264])
    assert dense.fitted((1000, 4000), wide).size == (352, 1344)  # the longer side is the limit
    assert dense.fitted((100, 100), recipe()).size == (64, 96)


def test_boxes_that_leave_the_picture_are_let_go(tmp_path):
    samples = Wholes(
        shelves(shelf(tmp_path), PRODUCT),
        PRODUCT,
        recipe(augmentation={"others": "none", "scale": [3.0, 3.0]}),
    )
    assert len(samples[None, 0].boxes) == len(GRID)
    seen = samples[0, 0].boxes
    assert 0 < len(seen) < len(GRID)
    assert (seen >= 0).all() and (seen[:, 2] <= 96).all() and (seen[:, 3] <= 64).all()


def test_batches_are_padded_and_the_same_whenever_they_are_drawn(tmp_path):
    samples = Wholes(
        shelves(shelf(tmp_path), PRODUCT), PRODUCT, recipe(augmentation={"others": "none", "flip": 0.5})
    )
    assert torch.equal(samples[3, 1].boxes, samples[3, 1].boxes)
    one = samples[None, 0]
    fewer = DenseBatch(one.pictures, one.boxes[:2], one.quads[:2], one.crowds, ("two",))
    both = Wholes.collate([one, fewer])
    assert both.boxes.shape == (2, len(GRID), 4) and both.boxes[1, 2:].isnan().all()


def test_a_tiny_network_learns_a_shelf(tmp_path):
    torch.manual_seed(0)
    r = recipe(dense={"rescue": True}, batch=4)
    samples = Wholes(shelves(shelf(tmp_path), PRODUCT), PRODUCT, r)
    batch = Wholes.collate([samples[None, i] for i in range(4)])
    net: Any = create("gaussian_layer", 1, **SMALL, trainable_from="all")
    task = dense.task_for(net.anchors)
    wanted = task.targets(batch, net.strides, PRODUCT, r)  # type: ignore[arg-type]
    optimiser = torch.optim.Adam(net.parameters(), 5e-3)
    losses = []
    for _ in range(60):
        loss = task.loss(net(batch.pictures.float() / 255), wanted, r)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.35 * losses[0]


def test_a_run_is_trained_checked_and_saved(tmp_path):
    dataset = shelf(tmp_path / "in" if (tmp_path / "in").mkdir() is None else tmp_path)
    data.coco.write(tmp_path / "in", PRODUCT, list(dataset))
    assert np.isnan(data.open_dataset(tmp_path / "in")[0].poses.points).all()
    small = recipe(validation=0.5, dense={"resize": [64, 96]})
    run = train(small, data=tmp_path / "in", out=tmp_path / "run")
    assert run.epochs == 2 and np.isfinite(run.best_loss)
    text = (tmp_path / "run" / "log.jsonl").read_text()
    assert "validation AP50" in text
    assert opened(run.model)[1].resize == (64, 96)


def test_recipes_of_the_paper_are_what_the_paper_says():
    for name in ("retinanet", "gaussian_layer", "gaussian_decoder"):
        read_ = recipe_of(f"{name}_sku110k")
        assert read_.model == name and read_.dense.resize == (800, 1333) and read_.batch == 1
        assert read_.dense == Dense(resize=(800, 1333))
    with pytest.raises(UserError, match="head: boxes and task: dense are for retinanet"):
        recipe(head="heatmap")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"resize": [0, 10]}, "dense.resize is a shorter and a longer side above 0, got"),
        ({"resize": [1333, 800]}, "dense.resize is a shorter"),
        ({"kept": 0}, "kept is 1 or more, got 40.0 and 0"),
        ({"overlap": 2.0}, "dense.overlap lies in .*, got 2.0"),
        ({"positive": 0.3}, "in this order, got 0.4, 0.3"),
        ({"sigma": 0.0}, "dense.sigma is above 0"),
        ({"alpha": float("nan")}, "dense.alpha"),
        ({"hard": float("inf")}, "dense.hard"),
        ({"weights": [1.0, -1.0, 1.0]}, "dense.weights are 0 or more"),
        ({"weights": [1.0, 1.0]}, "dense.weights"),
        ({"empty": 0.5}, "dense.empty and bump"),
        ({"resize": "large"}, "dense.resize"),
    ],
)
def test_ways_to_learn_boxes_that_cannot_be_are_named_before_anything_is_done(given, said):
    with pytest.raises(UserError, match=said):
        recipe(dense=given)
