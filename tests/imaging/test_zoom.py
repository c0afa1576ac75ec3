"""Windows on whole pictures, and persons drawn on them."""

import numpy as np
import pytest

from heatmark.errors import UserError
from heatmark.imaging.persons import COLOURS, coloured, glowing, tinted
from heatmark.imaging.zoom import Zoom, zoomed
from heatmark.types import Skeleton

STILL = {"rotate": 0.0, "translate": 0.0, "flip": 0.0, "least": 1.0, "most": 1.0}
PAIR = Skeleton("pair", ("a", "b"), bones=(("a", "b"),))


def test_the_short_side_fills_the_input_or_the_long_one_fits_into_it():
    rng = np.random.default_rng(0)
    for side, corner in (("short", [50, 0]), ("long", [0, -50])):  # of a picture 300 wide and 200 high
        frame, flipped = zoomed((200, 300), (100, 100), Zoom(side, **STILL), rng)  # type: ignore[arg-type]
        np.testing.assert_allclose(frame.back(np.array([0.0, 0.0])), corner, atol=1e-9)
        np.testing.assert_allclose(frame.into(np.array([150.0, 100.0])), [50, 50])
        assert not flipped


def test_windows_stay_in_their_ranges_and_keep_the_aspect():
    rng, zoom = np.random.default_rng(1), Zoom()
    for _ in range(50):
        frame, flipped = zoomed((200, 300), (128, 128), zoom, rng)
        linear = frame.matrix[:2, :2]
        scale = np.sqrt(abs(np.linalg.det(linear)))
        assert 128 / (200 * 1.5) <= scale <= 128 / (200 * 0.75)
        assert (np.linalg.det(linear) < 0) == flipped
        turned = np.rad2deg(np.arctan2(linear[1, 0], linear[0, 0] * (-1 if flipped else 1)))
        assert abs((turned + 180) % 360 - 180) <= 30 + 1e-9 or flipped
        middle = frame.back(np.array([64.0, 64.0])) - [150, 100]
        assert (abs(middle) <= 0.2 * 128 / scale + 1e-9).all()


@pytest.mark.parametrize(
    "wrong", [{"side": "wide"}, {"least": 0.0}, {"least": 2.0, "most": 1.0}, {"flip": 1.5}, {"rotate": -1}]
)
def test_ranges_that_cannot_be_are_told(wrong):
    with pytest.raises(UserError, match="zoom"):
        Zoom(**wrong)


def test_each_person_has_a_colour_and_the_picture_stays_as_it_was():
    black = np.zeros((40, 40, 3), np.uint8)
    points = np.array([[[5.5, 5.5], [5.5, 30.5]], [[30.5, 30.5], [np.nan, np.nan]]])
    drawn = coloured(black, points, PAIR)
    assert tuple(drawn[15, 5]) == COLOURS[0] and tuple(drawn[30, 30]) == COLOURS[1]
    assert not drawn[5, 30].any() and not black.any()
    assert coloured(black, np.empty((0, 2, 2)), PAIR).shape == black.shape


def test_tags_become_colours_and_maps_a_glow():
    tags = np.array([[0.0, 1.0], [np.nan, 0.5]])
    drawn = tinted(tags, 0.0, 1.0)
    assert (
        drawn.shape == (2, 2, 3) and (drawn[0, 0] != drawn[0, 1]).any() and (drawn[1, 0] == drawn[0, 0]).all()
    )
    assert tinted(np.zeros((3, 3))).shape == (3, 3, 3)  # nothing to tell apart
    glow = glowing(np.full((4, 4, 3), 100, np.uint8), np.array([[[1.0]], [[0.0]]]))
    assert glow[0, 0].tolist() == [min(255, 35 + c) for c in COLOURS[0]]
