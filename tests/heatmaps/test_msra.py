"""The msra preset: maps drawn and read by the letter of HRNet's description."""

import math

import numpy as np
import pytest
import torch

from heatmark import heatmaps
from heatmark.heatmaps import msra


def drawn(x: float, y: float, size: tuple[int, int], sigma: float, stride: float) -> tuple[np.ndarray, float]:
    """One map by the letter; x y count from the first pixel's middle."""
    h, w = size
    mx, my, reach = int(x / stride + 0.5), int(y / stride + 0.5), int(3 * sigma)
    maps = np.zeros(size)
    if mx - reach >= w or my - reach >= h or mx + reach + 1 < 0 or my + reach + 1 < 0:
        return maps, 0.0
    for row in range(max(my - reach, 0), min(my + reach + 1, h)):
        for column in range(max(mx - reach, 0), min(mx + reach + 1, w)):
            maps[row, column] = math.exp(-((row - my) ** 2 + (column - mx) ** 2) / (2 * sigma**2))
    return maps, 1.0


@pytest.mark.parametrize("sigma", [2.0, 3.0])
def test_bumps_are_drawn_by_the_letter(sigma):
    rng = np.random.default_rng(0)
    places = rng.uniform(-60, 130, (60, 2))
    maps, weights = msra.gaussians(torch.from_numpy(places + 0.5), (16, 12), sigma)
    wanted = [drawn(x, y, (16, 12), sigma, 4) for x, y in places]
    assert np.allclose(maps, [m for m, _ in wanted]) and weights.tolist() == [w for _, w in wanted]
    assert 0 < weights.mean() < 1


def test_what_is_not_labelled_has_no_bump_and_no_weight():
    maps, weights = msra.gaussians(torch.tensor([[math.nan, 3.0]]), (8, 8))
    assert not maps.any() and weights.tolist() == [0]


def read(maps: np.ndarray) -> tuple[float, float]:
    """One map by the letter, in their cells."""
    y, x = np.unravel_index(maps.argmax(), maps.shape)
    if maps[y, x] <= 0:
        return 0.0, 0.0
    if not (1 < x < maps.shape[1] - 1 and 1 < y < maps.shape[0] - 1):
        return float(x), float(y)
    dx, dy = np.sign(maps[y, x + 1] - maps[y, x - 1]), np.sign(maps[y + 1, x] - maps[y - 1, x])
    return float(x + 0.25 * dx), float(y + 0.25 * dy)


def test_maps_are_read_by_the_letter():
    rng = np.random.default_rng(1)
    maps = rng.normal(size=(300, 5, 6)).astype(np.float32)  # so small that many peaks lie at a border
    maps[:5] = -1
    points, scores = msra.cells(torch.from_numpy(maps))
    assert points.tolist() == [list(read(m)) for m in maps]
    assert scores.tolist() == maps.max((1, 2)).tolist()


def test_a_peak_between_equal_neighbours_is_not_moved():
    maps = torch.zeros(1, 5, 5)
    maps[0, 2, 2] = 1
    assert msra.cells(maps)[0].tolist() == [[2, 2]]


def test_a_decoded_point_is_four_times_its_cell_and_half_a_pixel_further():
    maps = torch.zeros(1, 2, 8, 8)
    maps[0, 0, 4, 3], maps[0, 0, 4, 4], maps[0, 1, 6, 1] = 1, 0.5, 0.3
    points, scores = msra.decode(maps, [(1,), (0,)], stride=4)  # the maps' order is not the landmarks'
    assert points.tolist() == [[[4.5, 24.5], [13.5, 16.5]]]
    assert scores[0].tolist() == pytest.approx([0.3, 1.0])
    assert torch.isnan(msra.decode(maps, [(0,), (1,)], threshold=0.5)[0][0, 1]).all()
    with pytest.raises(ValueError, match="one landmark each"):
        msra.decode(maps, [(0, 1), (2,)])


def test_a_point_drawn_is_read_within_half_a_cell_of_itself():
    points = torch.rand(50, 2, generator=torch.Generator().manual_seed(0)) * 60 + 16
    maps, _ = msra.gaussians(points, (24, 24))
    found, _ = msra.decode(maps[None], [(k,) for k in range(50)])
    assert (found[0] - points).abs().max() <= 2.001


def test_the_flip_tests_shift_undoes_the_half_pixels_that_they_lack():
    """A picture mirrored in pixels that count from 0 has its bump a cell too far left, but for a quarter."""
    width = 48  # pixels; 12 cells
    x = 20.0  # of their pixels, on cell 5
    maps, _ = msra.gaussians(torch.tensor([[x + 0.5, 16.5]]), (8, 12))
    mirrored, _ = msra.gaussians(torch.tensor([[width - 1 - x + 0.5, 16.5]]), (8, 12))
    back = msra.flipped_back(mirrored[None], [0])
    assert torch.equal(back[0, 0].argmax(), maps[0].argmax())
    assert torch.equal(back[..., 0], mirrored[None].flip(-1)[..., 0])  # the first column is kept


def test_the_flip_test_swaps_left_and_right_and_averages():
    maps = torch.rand(2, 3, 4, 5)
    mirrored = maps.flip(-1)[:, [0, 2, 1]]
    torch.testing.assert_close(msra.averaged(maps, mirrored, [0, 2, 1], shift=False), maps)
    shifted = msra.averaged(maps, mirrored, [0, 2, 1])
    torch.testing.assert_close(shifted[..., 1:], (maps[..., 1:] + maps[..., :-1]) / 2)


def test_in_the_houses_coordinates_no_shift_is_wanted():
    maps = heatmaps.gaussians(torch.tensor([[21.0, 16.0]]), (8, 12), 2.0, 4)
    mirrored = heatmaps.gaussians(torch.tensor([[48 - 21.0, 16.0]]), (8, 12), 2.0, 4)
    torch.testing.assert_close(msra.flipped_back(mirrored[None], [0], shift=False)[0], maps)
