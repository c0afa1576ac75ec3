"""Anchors stand where RetinaNet's do, are matched as it says, and a box comes back from its shifts."""

import math

import pytest
import torch

from heatmark.heatmaps.anchors import (
    BACKGROUND,
    IGNORED,
    Anchors,
    best,
    decoded,
    encoded,
    iou,
    matched,
)

LIKE = torch.zeros(1, dtype=torch.float64)


def test_a_picture_of_800_by_1344_has_the_published_number_of_anchors():
    anchors = Anchors().boxes((800, 1344), LIKE)
    cells = 100 * 168 + 50 * 84 + 25 * 42 + 13 * 21 + 7 * 11
    assert len(anchors) == 9 * cells == 201_600


def test_anchors_stand_about_the_middle_of_their_cell_with_their_area_and_ratio():
    anchors = Anchors().boxes((64, 96), LIKE)
    first = anchors[:9]  # of the first cell of P3
    middle = (first[:, :2] + first[:, 2:]) / 2
    assert (middle - 4).abs().max() < 1e-12
    wide, tall = (first[:, 2:] - first[:, :2]).T
    sides = [32 * 2 ** (k / 3) for _ in range(3) for k in range(3)]
    torch.testing.assert_close(wide * tall, torch.tensor(sides, dtype=torch.float64) ** 2)
    ratios = torch.tensor([0.5, 0.5, 0.5, 1, 1, 1, 2, 2, 2], dtype=torch.float64)
    torch.testing.assert_close(tall / wide, ratios)
    second = anchors[9:18]
    torch.testing.assert_close(second - first, torch.tensor([8.0, 0, 8, 0]).double().expand(9, 4))


def test_a_box_comes_back_from_its_shifts():
    anchors = Anchors().boxes((64, 64), LIKE)
    boxes = anchors + torch.linspace(-3, 3, anchors.numel(), dtype=torch.float64).view(-1, 4)
    torch.testing.assert_close(decoded(encoded(boxes, anchors), anchors), boxes)


def test_shifts_are_scaled_as_published():
    anchor, box = torch.tensor([[0.0, 0, 10, 20]]), torch.tensor([[1.0, 2, 11, 42]])
    # the middle moves by (1, 12) of (10, 20); the height doubles
    wanted = torch.tensor([[0.1 / 0.1, 0.6 / 0.1, 0.0, math.log(2) / 0.2]])
    torch.testing.assert_close(encoded(box, anchor), wanted)


def test_an_absurd_shift_stays_finite():
    found = decoded(torch.full((1, 4), 1e4), torch.tensor([[0.0, 0, 8, 8]]))
    assert torch.isfinite(found).all() and (found[0, 2] - found[0, 0]) == pytest.approx(500)


def test_an_anchor_is_matched_from_half_its_overlap_on_and_background_below_four_tenths():
    box = torch.tensor([[0.0, 0, 10, 10]])
    anchors = torch.tensor([[0.0, 0, 10, 5], [0.0, 0, 10, 4.5], [0.0, 0, 10, 3.9], [20, 20, 30, 30]])
    assert iou(anchors, box).squeeze(1).tolist() == pytest.approx([0.5, 0.45, 0.39, 0])
    assert matched(anchors, box).tolist() == [0, IGNORED, BACKGROUND, BACKGROUND]


def test_each_anchor_takes_the_box_it_overlaps_most_and_a_lost_box_is_saved_only_when_asked():
    boxes = torch.tensor([[0.0, 0, 10, 10], [1.0, 0, 11, 10], [30.0, 0, 31, 40]])
    anchors = torch.tensor([[1.0, 0, 11, 10], [0.0, 0, 10, 11], [25.0, 10, 36, 21]])
    assert matched(anchors, boxes).tolist() == [1, 0, BACKGROUND]
    assert matched(anchors, boxes, rescue=True).tolist() == [1, 0, 2]


def test_without_boxes_all_is_background():
    assert matched(torch.rand(5, 4), torch.zeros(0, 4)).tolist() == [BACKGROUND] * 5


def test_five_thousand_boxes_are_matched_in_parts_with_the_same_answer(monkeypatch):
    generator = torch.Generator().manual_seed(0)
    low = torch.rand(500, 2, generator=generator) * 200
    boxes = torch.cat([low, low + 5 + torch.rand(500, 2, generator=generator) * 30], 1)
    anchors = Anchors((8, 16), side=2).boxes((224, 224), boxes)
    whole = matched(anchors, boxes, rescue=True)
    monkeypatch.setattr("heatmark.heatmaps.anchors.AT_ONCE", 500 * 700)
    assert torch.equal(matched(anchors, boxes, rescue=True), whole)


def test_the_surest_candidates_come_first_and_what_the_limit_cut_is_told():
    scores = torch.tensor([[0.9, 0.1], [0.2, 0.8], [0.05, 0.3]])
    boxes = torch.arange(12.0).view(3, 4)
    found, values, classes, worth = best(scores, boxes, least=0.15, most=3)
    assert values.tolist() == pytest.approx([0.9, 0.8, 0.3]) and classes.tolist() == [0, 1, 1]
    assert torch.equal(found, boxes[[0, 1, 2]]) and worth == 4
