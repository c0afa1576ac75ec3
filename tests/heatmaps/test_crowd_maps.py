"""Maps of many persons: drawn per cluster, and read again with their tags."""

import math

import pytest
import torch

from heatmark import heatmaps
from heatmark.heatmaps import crowd

NAN = float("nan")


def test_the_higher_bump_counts_where_two_meet():
    both = torch.tensor([[[[2.5, 1.5]], [[5.5, 1.5]]]])  # (1, 2 persons, 1, 2)
    maps = crowd.clustered(both, [[0]], (3, 8), sigma=1.5, stride=1)
    alone = heatmaps.gaussians(both[0, :, 0], (3, 8), 1.5, 1)
    torch.testing.assert_close(maps[0, 0], alone.amax(0))
    assert maps.max() == 1.0 and (maps[0, 0] == 1).sum() == 2


def test_a_cluster_shows_all_its_landmarks_and_nothing_of_who_is_not_there():
    points = torch.tensor([[[[4.0, 4.0], [12.0, 4.0], [NAN, NAN]]]])
    maps = crowd.clustered(points, [[0, 1, 2], [2], [1]], (2, 4), sigma=0.5, stride=4)
    assert maps.shape == (1, 3, 2, 4) and not maps[0, 1].any()
    torch.testing.assert_close(maps[0, 0], torch.maximum(maps[0, 2], maps[0, 0]))
    assert maps[0, 0].sum() > maps[0, 2].sum() > 0
    assert not crowd.clustered(torch.zeros(2, 0, 3, 2), [[0]], (2, 4)).any()  # nobody


def test_published_bumps_are_cut_to_a_square_about_the_middle_of_the_cell():
    points = torch.tensor([[[[43.0, 42.0]]]])  # cell 10, 10 at stride 4
    maps = crowd.clustered(points, [[0]], (32, 32), sigma=2.0, stride=4, published=True)[0, 0]
    assert (
        maps[10, 10] == 1.0
        and maps[10, 17] > 0
        and maps[10, 18] == 0
        and maps[3, 10] > 0
        and maps[2, 10] == 0
    )
    assert maps[10, 12] == pytest.approx(math.exp(-4 / 8))


def test_both_sizes_of_higher_hrnet_draw_the_same_place():
    points = torch.tensor([[[[20.0, 28.0]]]])
    for stride in (4, 2):
        maps = crowd.clustered(points, [[0]], (64 // stride, 64 // stride), 2.0, stride)
        values, places, _ = crowd.tagged_maxima(maps, maps, 1, 0.1, stride, "parabola")
        torch.testing.assert_close(places[0, 0, 0], torch.tensor([20.0, 28.0]), atol=1e-3, rtol=0)


def test_a_mask_keeps_a_cell_of_which_more_than_half_counts():
    mask = torch.ones(1, 4, 8)
    mask[0, :2, :4], mask[0, :3, 4:] = 0, 0
    assert crowd.shrunk(mask, 4).tolist() == [[[0.0, 0.0]]]
    mask[0, 0, 0] = 1
    assert crowd.shrunk(mask, 4).tolist() == [[[1.0, 0.0]]]


def test_peaks_bring_the_tags_of_their_own_cells():
    heat, tags = torch.zeros(1, 2, 5, 6), torch.zeros(1, 2, 5, 6, 2)
    heat[0, 0, 1, 1], heat[0, 0, 3, 4], heat[0, 1, 2, 2] = 0.5, 0.9, 0.7
    tags[0, 0, 1, 1], tags[0, 0, 3, 4] = torch.tensor([1.0, -1.0]), torch.tensor([2.0, -2.0])
    values, places, found = crowd.tagged_maxima(heat, tags, k=3, threshold=0.1, stride=4, how="none")
    torch.testing.assert_close(values[0], torch.tensor([[0.9, 0.5, 0.0], [0.7, 0.0, 0.0]]))
    assert places[0, 0, 0].tolist() == [18.0, 14.0] and places[0, 0, 2].isnan().all()
    assert found[0, 0, :2].tolist() == [[2.0, -2.0], [1.0, -1.0]]


def test_a_map_with_fewer_cells_than_peaks_asked_for_is_answered():
    values, _, tags = crowd.tagged_maxima(torch.rand(1, 1, 2, 2), torch.zeros(1, 1, 2, 2), k=30)
    assert values.shape == (1, 1, 4) and tags.shape == (1, 1, 4, 1)
