"""SINGLE: what is drawn is found again, and landmarks that are not there pull as the recipe says."""

import math

import numpy as np
import torch

from heatmark.training import recipe
from heatmark.training.task import SINGLE, Batch
from heatmark.types import Skeleton

TOOL = Skeleton("tool", ("tip", "left", "right"), interchangeable=(("left", "right"),))


def batch(points, unlabelled=None):
    points = torch.tensor(points, dtype=torch.float32)
    b, k = points.shape[:2]
    missing = torch.zeros(b, k, dtype=torch.bool) if unlabelled is None else torch.tensor(unlabelled)
    pictures = torch.zeros(b, 3, 64, 64, dtype=torch.uint8)
    return Batch(pictures, points, missing, torch.full((b,), 40.0), tuple("abcdef"[:b]))


def test_what_is_drawn_is_found_again(tiny):
    settings = recipe.validated(tiny | {"targets": "regenerate", "sigma": 6.0}, "tiny")
    truth = batch([[[20.3, 30.7], [40.2, 44.1], [12.5, 50.0]]])
    drawn = SINGLE.targets(truth, (16, 8, 4), TOOL, settings)
    assert [tuple(level.shape) for level in drawn.levels] == [(1, 2, 4, 4), (1, 2, 8, 8), (1, 2, 16, 16)]
    points, scores = SINGLE.decode(drawn.levels, (16, 8, 4), TOOL)
    off = SINGLE.metric(points, truth, TOOL)  # left and right in any order
    assert off.shape == (1, 3) and off.max() < 0.01 and scores.min() > 0.5


def test_an_absent_landmark_has_an_empty_map_or_none_that_counts(tiny):
    nan = math.nan
    truth = batch(
        [[[nan, nan], [40, 44], [12, 50]], [[20, 30], [40, 44], [nan, nan]]], [[1, 0, 0], [0, 0, 0]]
    )
    zero = SINGLE.targets(truth, (8,), TOOL, recipe.validated(tiny, "tiny"))
    assert zero.counted is None and zero.levels[0][0, 0].sum() == 0
    ignore = SINGLE.targets(truth, (8,), TOOL, recipe.validated(tiny | {"absent": "ignore"}, "tiny"))
    # the second picture's right end left the frame: it is known not to be there, so its map counts
    assert ignore.counted is not None and ignore.counted.tolist() == [[False, True], [True, True]]


def test_only_what_is_labelled_is_measured():
    truth = batch([[[math.nan, math.nan], [40, 44], [12, 50]]])
    found = torch.tensor([[[1.0, 1.0], [12, 50], [44, 44]]])
    off = SINGLE.metric(found, truth, TOOL)
    np.testing.assert_allclose(off, [[np.nan, 0.1, 0.0]])
