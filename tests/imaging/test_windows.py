"""Windows on a person: zoomed and turned as HRNet draws them, now and then half a body."""

import numpy as np
import pytest

from heatmark.errors import UserError
from heatmark.imaging.windows import Windows, drawn, half_body
from heatmark.skeletons import COCO17

BOX = np.array([0.0, 0, 100, 200])
BODY = np.stack([np.linspace(10, 90, 17), np.linspace(0, 160, 17)], -1)


def many(windows, count=4000, points=BODY):
    rng = np.random.default_rng(0)
    found = [drawn(BOX, points, COCO17, (256, 192), 1.25, windows, rng) for _ in range(count)]
    return np.array([box for box, _ in found]), np.array([turn for _, turn in found])


def test_nothing_varies_by_default():
    boxes, turns = many(Windows(), 3)
    assert boxes.tolist() == [[-12.5, -25, 112.5, 225]] * 3 and not turns.any()


def test_zoom_and_turn_are_normal_and_cut():
    boxes, turns = many(Windows(scale=0.35, rotate=45, rotated=0.6))
    zoom = (boxes[:, 2] - boxes[:, 0]) / 125
    assert zoom.min() == pytest.approx(0.65) and zoom.max() == pytest.approx(1.35)
    assert np.mean(zoom > 1.349) == pytest.approx(0.159, abs=0.02)  # beyond one deviation of a normal
    assert np.abs(turns).max() == 90 and np.mean(turns != 0) == pytest.approx(0.6, abs=0.03)
    assert np.mean(np.abs(turns) == 90) == pytest.approx(0.6 * 0.0455, abs=0.01)


def test_half_a_body_is_its_landmarks_about_their_mean_half_as_large_again():
    rng = np.random.default_rng(1)
    halves = [half_body(BODY, COCO17, (256, 192), rng) for _ in range(2000)]
    upper = np.array([h is not None and (h[1] + h[3]) / 2 < 80 for h in halves])
    assert upper.mean() == pytest.approx(0.69, abs=0.03)
    one = halves[int(np.argmax(upper))]
    assert one is not None
    centre, sides = (one[:2] + one[2:]) / 2, one[2:] - one[:2]
    assert centre == pytest.approx(BODY[:11].mean(0))  # nose to wrists
    assert sides == pytest.approx([75 * 1.5, 100 * 1.5])  # 50 x 100 tight, brought to 3 : 4


def test_half_a_body_needs_more_than_eight_landmarks():
    few = np.where(np.arange(17)[:, None] < 8, BODY, np.nan)
    assert half_body(few, COCO17, (256, 192), np.random.default_rng(0)) is None
    only_upper = np.where(np.arange(17)[:, None] < 11, BODY, np.nan)
    for seed in range(5):  # no lower half: the upper one is taken
        half = half_body(only_upper, COCO17, (256, 192), np.random.default_rng(seed))
        assert half is not None and half[1] < 0


def test_windows_that_cannot_be_are_refused():
    with pytest.raises(UserError, match=r"windows.half_body lies in \[0, 1\], got 2"):
        Windows(half_body=2)
