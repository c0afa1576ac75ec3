"""A box map is the paper's: one 120x120 bump carried to each box by its homography, summed, clipped. And it
comes back as centres and a count.
"""

import math

import numpy as np
import pytest
import torch

from heatmark import geometry, heatmaps

SIZE = (40, 60)
UPRIGHT = np.array([[4.0, 6, 60, 40], [58.5, 10.3, 90.1, 70.7], [-20, 50, 30, 100]])


def corners(box) -> np.ndarray:
    x1, y1, x2, y2 = box
    return np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]])


def by_definition(quads, size, stride, sigma=40.0) -> np.ndarray:
    """Cell by cell: back into the bump's own pixels 0..119 by the homography, and its value there."""
    drawn = np.zeros(size)
    for quad in quads:
        bump = np.array([[0.0, 0], [119, 0], [119, 119], [0, 119]])
        back = np.linalg.inv(geometry.four_points(bump, quad))
        for row in range(size[0]):
            for column in range(size[1]):
                x, y = geometry.moved(np.array([column + 0.5, row + 0.5]) * stride, back)
                if 0 <= x <= 119 and 0 <= y <= 119:
                    r2 = (x - 59.5) ** 2 + (y - 59.5) ** 2
                    drawn[row, column] += math.exp(-4 * math.log(2) * r2 / sigma**2)
    return np.minimum(drawn, 1)


def test_upright_boxes_are_drawn_exactly_as_defined():
    wanted = by_definition([corners(b) for b in UPRIGHT], SIZE, 2)
    drawn = heatmaps.box_maps(torch.tensor(UPRIGHT), SIZE, 2)
    np.testing.assert_allclose(drawn.numpy(), wanted, atol=1e-12)


def test_rotated_and_perspective_quadrilaterals_are_drawn_exactly_as_defined():
    turned = geometry.moved(corners([20, 20, 70, 50]), geometry.about(geometry.rotation(25), (45, 35)))
    keystone = np.array([[70.0, 5], [115, 15], [110, 60], [75, 75]])
    half_outside = corners([-30, 40, 25, 95]) + np.array([[0, 0], [3, -2], [5, 1], [0, 4]])
    quads = np.stack([turned, keystone, half_outside, turned + 8]) + 0.0137  # no cell's middle on an edge
    drawn = heatmaps.quad_map(torch.tensor(quads), SIZE, 2)
    np.testing.assert_allclose(drawn.numpy(), by_definition(quads, SIZE, 2), atol=1e-9)


def test_an_upright_quadrilateral_is_a_box_whichever_way_round_it_is_given():
    boxes = torch.tensor(UPRIGHT)
    quads = torch.tensor(np.stack([corners(b) for b in UPRIGHT]))
    for same in (quads, quads.flip(1), quads.roll(1, 1)):
        torch.testing.assert_close(heatmaps.quad_map(same, SIZE), heatmaps.box_maps(boxes, SIZE))


def test_sigma_is_a_full_width_at_half_height_unless_it_is_read_as_a_deviation():
    box = torch.tensor([[0.0, 0, 119, 119]], dtype=torch.float64)
    half = heatmaps.box_maps(box, (119, 119), stride=1)
    assert half[59, 59] == 1  # the middle of the box is the middle of a cell
    assert abs(half[59, 59 + 20] - 0.5) < 1e-12  # 20 cells from the middle: half of 40
    assert half[59, 0] < 0.0025
    whole = heatmaps.box_maps(box, (119, 119), stride=1, reading="std")
    assert abs(whole[59, 59 + 40] - math.exp(-0.5)) < 1e-12
    assert 0.33 < whole[59, 0] < 0.34
    with pytest.raises(ValueError, match="there are: fwhm, std"):
        heatmaps.box_maps(box, (4, 4), reading="hwhm")


def test_where_bumps_overlap_they_are_added_and_never_exceed_one():
    one = torch.tensor([[0.0, 0, 40, 40]])
    two = torch.tensor([[0.0, 0, 40, 40], [0.0, 0, 40, 40]])
    single, double = (heatmaps.box_maps(b, (20, 20), 2) for b in (one, two))
    torch.testing.assert_close(double, (2 * single).clamp(max=1))
    assert double.max() == 1


def test_nothing_is_drawn_for_nothing_nan_or_a_box_without_area():
    nan = float("nan")
    odd = torch.tensor([[nan] * 4, [5.0, 5, 5, 20], [9.0, 9, 3, 3]])
    assert heatmaps.box_maps(odd, SIZE).sum() == 0
    assert heatmaps.box_maps(torch.zeros(0, 4), SIZE).sum() == 0
    line = torch.tensor([[[0.0, 0], [5, 5], [9, 9], [0, 9]]])
    dart = torch.tensor([[[0.0, 0], [20, 0], [5, 5], [0, 20]]])
    for quads in (torch.zeros(0, 4, 2), torch.full((2, 4, 2), nan), line, dart):
        assert heatmaps.quad_map(quads, SIZE).sum() == 0


def test_a_batch_is_drawn_at_once_padded_by_nan():
    boxes = torch.tensor(UPRIGHT)
    padded = torch.stack([boxes, torch.cat([boxes[:1], torch.full((2, 4), torch.nan, dtype=boxes.dtype)])])
    both = heatmaps.box_maps(padded, SIZE)
    torch.testing.assert_close(both[0], heatmaps.box_maps(boxes, SIZE))
    torch.testing.assert_close(both[1], heatmaps.box_maps(boxes[:1], SIZE))


def test_a_shelf_of_touching_boxes_comes_back_as_its_centres_and_their_number():
    rows, columns, side = 5, 8, np.array([24.0, 36.0])
    low = np.array([[c, r] for r in range(rows) for c in range(columns)]) * side + 3.3
    boxes = torch.tensor(np.concatenate([low, low + side], 1))
    map_ = heatmaps.box_maps(boxes, (100, 110), 2)
    centres, scores = heatmaps.box_centres(map_, stride=2)
    assert len(centres) == len(scores) == rows * columns
    found = centres[(centres[:, 1].div(36).round() * 100 + centres[:, 0] / 24).argsort()]
    wanted = torch.tensor(low + side / 2)
    assert (torch.cdist(found, wanted).amin(1) < 0.05).all()
    assert (scores > 0.95).all()


def test_more_objects_than_any_cap_are_all_counted():
    grid = torch.arange(0.0, 600, 8)
    low = torch.cartesian_prod(grid, grid)
    map_ = heatmaps.box_maps(torch.cat([low, low + 8], 1), (300, 300), 2)
    centres, _ = heatmaps.box_centres(map_)
    assert len(centres) == 75 * 75


def test_an_empty_map_holds_no_object():
    centres, scores = heatmaps.box_centres(torch.zeros(10, 10))
    assert centres.shape == (0, 2) and scores.shape == (0,)
