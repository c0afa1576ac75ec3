"""A point goes into a frame and comes back; every map is a homography in continuous pixels."""

import numpy as np
import pytest

from heatmark import geometry
from heatmark.geometry import Frame

POINTS = np.array([[0.0, 0.0], [640, 480], [12.25, 400.5], [np.nan, np.nan]])


@pytest.mark.parametrize(
    "frame",
    [
        Frame.whole((480, 640), (224, 224)),
        Frame.stretch((480, 640), (224, 192)),
        Frame.around(np.array([10.0, 20, 300, 90]), (256, 192), 1.25),
        Frame.whole((480, 640), (224, 224)).then(geometry.about(geometry.rotation(33), (112, 112))),
    ],
)
def test_what_goes_into_a_frame_comes_back(frame):
    np.testing.assert_allclose(frame.back(frame.into(POINTS)), POINTS, atol=1e-9)


def test_a_letterbox_keeps_the_aspect_and_the_middle():
    frame = Frame.whole((480, 640), (224, 224))
    np.testing.assert_allclose(
        frame.into(np.array([[320, 240], [0, 0], [640, 480]])), [[112, 112], [0, 28], [224, 196]]
    )


def test_a_box_enlarged_by_a_quarter_leaves_a_tenth_on_either_side():
    frame = Frame.around(np.array([100.0, 100, 200, 150]), (200, 200), enlarge=1.25)
    np.testing.assert_allclose(frame.into(np.array([100.0, 125])), [20, 100])


def test_a_box_without_area_is_refused():
    with pytest.raises(ValueError, match="positive width"):
        Frame.around(np.array([5.0, 5, 5, 9]), (10, 10))


def test_a_flip_is_width_minus_x_and_twice_is_nothing():
    assert geometry.moved(np.array([5.2, 9.0]), geometry.flip(64)).tolist() == [58.8, 9.0]
    np.testing.assert_allclose(geometry.flip(64) @ geometry.flip(64), np.eye(3))


def test_a_turn_about_a_point_leaves_it_there():
    matrix = geometry.about(geometry.rotation(90), (10, 20))
    np.testing.assert_allclose(
        geometry.moved(np.array([[10, 20], [11, 20]]), matrix), [[10, 20], [10, 21]], atol=1e-12
    )


def test_four_points_go_where_they_are_sent():
    source = np.array([[0, 0], [4, 0], [4, 3], [0, 3]])
    target = np.array([[1, 1], [7, 2], [6, 8], [0, 5]])
    np.testing.assert_allclose(
        geometry.moved(source, geometry.four_points(source, target)), target, atol=1e-9
    )
    with pytest.raises(ValueError, match="on one line"):
        geometry.four_points(np.array([[0, 0], [1, 1], [2, 2], [3, 3]]), target)


def test_boxes_around_points_ignore_those_that_are_not_there():
    points = np.array([[[1, 5], [3, 2], [np.nan, np.nan]], [[np.nan, np.nan]] * 3])
    np.testing.assert_array_equal(geometry.boxes_around(points), [[1, 2, 3, 5], [np.nan] * 4])
