"""Crops as HRNet makes them, and the way back, by the letter and in the house's coordinates."""

import cv2
import numpy as np
import pytest

from heatmark.geometry import moved
from heatmark.imaging import msra

SIZE = (256, 192)  # (H, W)


def test_a_box_grows_to_the_aspect_and_a_quarter_more():
    centre, scale = msra.centre_and_scale(np.array([10, 20, 30, 80]), SIZE)
    assert centre.tolist() == [25, 60] and centre.dtype == scale.dtype == np.float32
    assert scale.tolist() == pytest.approx([60 * 1.25 / 200, 80 * 1.25 / 200])  # 30 wide becomes 60
    _, scale = msra.centre_and_scale(np.array([0, 0, 90, 80]), SIZE)
    assert scale.tolist() == pytest.approx([90 * 1.25 / 200, 120 * 1.25 / 200])


def test_labelled_boxes_are_clipped_to_the_picture():
    boxes = msra.clipped(
        np.array([[10, 10, 20, 30], [-5, 90, 50, 50], [5, 5, 0, 9], [300, 5, 9, 9]]), (100, 200)
    )
    assert boxes[:2].tolist() == [[10, 10, 19, 29], [0, 90, 49, 9]]
    assert np.isnan(boxes[2:]).all()


@pytest.mark.parametrize("degrees", [0, 30, -75])
def test_the_crop_takes_the_centre_to_the_middle_and_the_width_to_the_width(degrees):
    centre, scale = np.array([300, 200], np.float32), np.array([1.5, 2.0], np.float32)
    matrix = np.vstack([msra.affine(centre, scale, degrees, SIZE), [0, 0, 1]])
    assert moved(centre, matrix) == pytest.approx([96, 128])
    turn = np.deg2rad(degrees)
    side = centre + 150 * np.array([np.cos(turn), np.sin(turn)])  # half of 1.5 * 200 pixels
    assert moved(side, matrix) == pytest.approx([192, 128], abs=1e-4)
    back = np.vstack([msra.affine(centre, scale, degrees, SIZE, inverse=True), [0, 0, 1]])
    assert back @ matrix == pytest.approx(np.eye(3), abs=1e-4)


def test_cells_go_back_to_the_picture_by_a_plain_formula():
    centre, scale = msra.centre_and_scale(np.array([40, 30, 120, 200]), SIZE)
    cells = np.array([[0, 0], [10.25, 20.75], [47, 63]])
    wanted = (cells - [24, 32]) * (scale[0] * 200 / 48) + centre
    assert msra.back(cells, centre, scale, (64, 48)) == pytest.approx(wanted, abs=1e-4)


def test_the_frame_says_the_same_half_a_pixel_further():
    centre, scale = msra.centre_and_scale(np.array([40, 30, 120, 200]), SIZE)
    frame, cells = msra.frame(centre, scale, SIZE), np.array([[10.25, 20.75], [40.0, 3.0]])
    network = cells * 4 + 0.5  # as heatmaps.msra.decode gives points
    assert frame.back(network) - 0.5 == pytest.approx(msra.back(cells, centre, scale, (64, 48)), abs=1e-3)


def test_the_crop_shows_what_the_frame_says():
    picture = np.zeros((120, 160, 3), np.uint8)
    cv2.circle(picture, (70, 50), 4, (255, 255, 255), -1)
    centre, scale = msra.centre_and_scale(np.array([30, 20, 90, 80]), (64, 48))
    shown = msra.crop(picture, centre, scale, (64, 48))[..., 0].astype(float)
    y, x = np.mgrid[:64, :48] + 0.5
    found = np.array([(shown * x).sum(), (shown * y).sum()]) / shown.sum()
    assert found == pytest.approx(msra.frame(centre, scale, (64, 48)).into(np.array([70.5, 50.5])), abs=0.1)
    assert shown.shape == (64, 48)
