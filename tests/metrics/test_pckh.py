"""PCKh against numbers made by hand."""

import numpy as np
import pytest

from heatmark.metrics.pckh import pckh
from heatmark.skeletons import MPII16
from heatmark.types import Poses

HEAD = np.array([[0.0, 0.0, 30.0, 40.0]])  # its diagonal is 50, so a head is 30 pixels and half of it 15


def person(**by: float) -> Poses:
    """Sixteen landmarks in a row, some moved down by so many pixels."""
    points = np.stack([np.arange(16.0) * 20, np.zeros(16)], -1)
    for name, pixels in by.items():
        points[MPII16.index(name), 1] += pixels
    return Poses(MPII16, points[None])


def test_half_a_head_is_correct_and_a_little_more_is_not():
    result = pckh([person(left_knee=15.0, right_knee=15.01)], [person()], [HEAD])
    assert result.landmark("left_knee") == 1 and result.landmark("right_knee") == 0
    assert result.metrics()["Knee"] == 0.5 and result.metrics()["Head"] == 1
    assert result.at() == pytest.approx(13 / 14)


def test_pelvis_and_thorax_do_not_count_in_the_mean():
    assert pckh([person(pelvis=99, thorax=99)], [person()], [HEAD]).at() == 1


def test_the_mean_weighs_landmarks_by_how_often_they_are_labelled():
    half = person()
    half.points[0, MPII16.index("head_top")] = np.nan
    half = Poses(MPII16, half.points)
    result = pckh([person(), person(head_top=99)], [half, person()], [HEAD, HEAD])
    assert result.landmark("head_top") == 0  # seen once, and wrong
    assert result.at() == pytest.approx(26 / 27)
    assert np.isnan(pckh([person()], [half], [HEAD]).landmark("head_top"))


def test_what_is_published_as_a_tenth_is_eleven_hundredths():
    numbers = pckh([person(left_wrist=3.2)], [person()], [HEAD]).metrics()  # 0.107 heads
    assert numbers["PCKh@0.1"] == pytest.approx(13 / 14) and numbers["published Mean@0.1"] == 1


def test_a_prediction_that_is_not_finite_is_a_miss():
    assert pckh([person(left_wrist=np.nan)], [person()], [HEAD]).landmark("left_wrist") == 0


def test_nothing_to_score_is_no_number_and_lists_must_line_up():
    assert np.isnan(pckh([], [], []).at())
    with pytest.raises(ValueError, match="1 predictions, 1 truths and 0 heads"):
        pckh([person()], [person()], [])
    with pytest.raises(ValueError, match="picture 0: a head's box has no size"):
        pckh([person()], [person()], [HEAD * 0])
