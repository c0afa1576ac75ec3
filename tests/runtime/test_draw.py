"""Overlays show points where they are, and can be read at any size."""

import numpy as np
import pytest

from heatmark.runtime import contact_sheet, overlay
from heatmark.runtime.draw import COLOURS
from heatmark.types import Poses, Skeleton

TOOL = Skeleton("tool", ("head", "end"), bones=(("head", "end"),))


@pytest.mark.parametrize("size", [(9, 12), (100, 150), (480, 640), (1500, 2000)])
def test_a_point_is_drawn_in_its_colour_at_its_place(size):
    h, w = size
    picture = np.full((h, w, 3), 90, np.uint8)
    points = np.array([[[0.25 * w, 0.5 * h], [0.75 * w, 0.5 * h]]])
    drawn = overlay(picture, Poses(TOOL, points))
    assert max(drawn.shape[:2]) == max(640, *size) and (picture == 90).all()
    for k, (x, y) in enumerate(((0.25, 0.5), (0.75, 0.5))):
        assert tuple(drawn[int(y * drawn.shape[0]), int(x * drawn.shape[1])]) == COLOURS[k]


def test_a_landmark_guessed_hidden_is_a_ring_and_an_unfound_one_is_not_drawn():
    picture = np.full((640, 640, 3), 90, np.uint8)
    ring = overlay(
        picture,
        Poses(TOOL, np.array([[[320, 320], [np.nan, np.nan]]]), visibility=np.array([[1, 0]])),
        names=False,
    )
    assert tuple(ring[320, 320]) == (90, 90, 90) and (ring != 90).any()
    nothing = Poses(TOOL, np.full((1, 2, 2), np.nan))
    assert (overlay(picture, nothing) == 90).all() and (overlay(picture, Poses.empty(TOOL)) == 90).all()


def test_points_far_outside_and_boxes_do_no_harm():
    picture = np.zeros((64, 64, 3), np.uint8)
    poses = Poses(TOOL, np.array([[[-1e7, 5], [30, 1e9]]]), boxes=np.array([[5, 5, 40, 40]]))
    assert overlay(picture, poses).max() == 255


def test_a_contact_sheet_holds_every_picture_in_its_cell():
    sizes = ((10, 300), (300, 10), (50, 50), (7, 7), (600, 900))
    sheet = contact_sheet([np.full((*size, 3), 200, np.uint8) for size in sizes], columns=2, cell=100)
    assert sheet.shape == (300, 200, 3)
    middles = [sheet[r * 100 + 50, c * 100 + 50, 0] for r in range(3) for c in range(2)]
    assert middles == [200, 200, 200, 200, 200, 32]
