import numpy as np
import pytest

from heatmark.geometry import Frame, about, flip, moved, rotation, scaling, translation
from heatmark.imaging import transforms
from heatmark.imaging.transforms import resized, to_linear, to_srgb, warp


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def bump(size, point, sigma=3.0):
    """A Gaussian map (h, w) float32 whose mean lies at `point`."""
    y, x = np.mgrid[: size[0], : size[1]] + 0.5
    return np.exp(-((x - point[0]) ** 2 + (y - point[1]) ** 2) / (2 * sigma**2)).astype(np.float32)


def mean_position(map):
    y, x = np.mgrid[: map.shape[0], : map.shape[1]] + 0.5
    return np.array([(map * x).sum(), (map * y).sum()]) / map.sum()


PERSPECTIVE = np.array([[1.1, 0.1, -4], [-0.05, 0.9, 3], [1e-3, -5e-4, 1]])


@pytest.mark.parametrize(
    "matrix",
    [
        translation(3.25, -2.5),
        scaling(2, 1.5),
        scaling(0.5, 0.5),
        scaling(0.21, 0.37),
        flip(64),
        about(rotation(30), (32, 24)),
        about(rotation(90), (32, 24)) @ scaling(0.4, 0.4),
        PERSPECTIVE,
    ],
)
def test_a_map_and_its_point_move_alike(matrix):
    point = np.array([30.3, 21.8])
    carried = warp(bump((48, 64), point), matrix, (96, 128))
    np.testing.assert_allclose(mean_position(carried), moved(point, matrix), atol=0.15)


def test_the_identity_changes_nothing_and_a_whole_shift_copies(rng):
    picture = rng.integers(0, 256, (20, 30, 3), np.uint8)
    np.testing.assert_array_equal(warp(picture, np.eye(3), (20, 30)), picture)
    shifted = warp(picture, translation(4, 2), (20, 30), value=(9, 8, 7))
    np.testing.assert_array_equal(shifted[2:, 4:], picture[:-2, :-4])
    assert (shifted[:2] == (9, 8, 7)).all()


def test_a_mirror_is_exact_and_equals_the_warp(rng):
    picture = rng.integers(0, 256, (20, 31, 3), np.uint8)
    np.testing.assert_array_equal(warp(picture, flip(31), (20, 31)), transforms.flip(picture))


def test_shrinking_averages_and_shows_no_moire():
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    small = resized(stripes, (16, 16))
    assert abs(small.astype(int) - 127).max() <= 1
    turned = warp(stripes, about(rotation(45), (8, 8)) @ scaling(0.25, 0.25), (16, 16), "replicate")
    assert abs(turned[4:12, 4:12].astype(int) - 127).max() <= 2


def test_a_crop_of_a_large_picture_shows_the_same_as_of_the_part():
    picture = np.repeat(np.hypot(*np.mgrid[:200, :300]).astype(np.uint8)[..., None] // 2, 3, 2)
    frame = Frame.around(np.array([100, 50, 140, 90]), (32, 32))
    moved_frame = Frame(frame.matrix @ translation(80, 30), (32, 32))
    part = transforms.crop(picture[30:110, 80:160], moved_frame)
    assert abs(transforms.crop(picture, frame).astype(int) - part).max() <= 1


def test_a_frame_that_misses_the_picture_is_border_only(rng):
    picture = rng.integers(0, 256, (20, 30, 3), np.uint8)
    assert (warp(picture, translation(500, 500), (10, 10), value=3) == 3).all()


def test_a_mask_mixes_no_indices_and_many_maps_move_at_once():
    mask = np.zeros((32, 32), np.uint8)
    mask[8:20, 8:20] = 7
    assert set(np.unique(warp(mask, about(rotation(20), (16, 16)), (32, 32), nearest=True))) == {0, 7}
    maps = np.stack([bump((32, 32), (p, 16)) for p in range(8, 15)], -1)
    carried = warp(maps, translation(2, 0), (32, 32))
    assert carried.shape == (32, 32, 7)
    assert mean_position(carried[..., 5])[0] == pytest.approx(15, abs=0.1)


NEUTRAL = (("add", 0), ("multiply", 1), ("brightness", 1), ("contrast", 1), ("gamma", 1), ("saturation", 1),
           ("hue", 0), ("hue", 360), ("blur", 0))  # fmt: skip


@pytest.mark.parametrize(("name", "argument"), NEUTRAL)
def test_a_neutral_effect_changes_nothing(rng, name, argument):
    picture = rng.integers(0, 256, (8, 9, 3), np.uint8)
    assert abs(getattr(transforms, name)(picture, argument).astype(int) - picture).max() <= 1


def test_effects_do_what_their_names_say(rng):
    picture = rng.integers(40, 200, (32, 32, 3), np.uint8)
    assert (transforms.add(picture, (10, 0, -10)).astype(int) - picture == (10, 0, -10)).all()
    assert transforms.multiply(picture, 2.0).max() == 255
    assert transforms.brightness(picture, 0.5).mean() < picture.mean()
    assert transforms.contrast(picture, 0.5).std() == pytest.approx(picture.std() / 2, rel=0.05)
    assert transforms.gamma(picture, 2.0).mean() < picture.mean()
    flat = transforms.saturation(picture, 0)
    assert (np.ptp(flat, axis=-1) <= 1).all() and (np.ptp(transforms.grey(picture), axis=-1) == 0).all()
    red = np.full((2, 2, 3), (255, 0, 0), np.uint8)
    assert transforms.hue(red, 120)[0, 0].tolist() == [0, 255, 0]
    assert transforms.noise(picture, 5.0, rng).astype(float).std() > picture.std()
    ramp = np.repeat(np.arange(64, dtype=np.uint8)[None, :, None] * 4, 32, 0).repeat(3, 2)
    rough, fine = (abs(transforms.jpeg(ramp, q).astype(int) - ramp).mean() for q in (5, 95))
    assert fine < 1.5 < rough


def test_blurs_leave_the_points_where_they_are():
    spot = np.zeros((41, 41, 3), np.uint8)
    spot[20, 15] = 255
    for blurred in (transforms.blur(spot, 2.0), transforms.motion_blur(spot, 7.0, 30.0)):
        assert np.abs(mean_position(blurred[..., 0].astype(float)) - (15.5, 20.5)).max() < 0.1
    across = transforms.motion_blur(spot, 7.0, 0.0)[..., 0]
    assert (across > 0).sum(1).max() >= 7 and (across > 0).sum(0).max() == 1


def test_linear_light_and_back():
    values = np.linspace(0, 1, 50)
    np.testing.assert_allclose(to_srgb(to_linear(values)), values, atol=1e-6)
    assert to_linear(np.array(0.5)) == pytest.approx(0.2140, abs=1e-3)


def test_what_is_within_a_box_is_whole_pixels_inside_the_picture():
    picture = np.arange(12 * 10, dtype=np.uint8).reshape(12, 10)
    part, corner = transforms.within(picture, np.array([2.2, -3.0, 5.1, 4.5]))
    assert corner == (2, 0) and np.array_equal(part, picture[0:5, 2:6])
    assert transforms.within(picture, np.array([20.0, 20, 30, 30]))[0] is picture
