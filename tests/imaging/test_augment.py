from dataclasses import replace

import numpy as np
import pytest

from heatmark.errors import UserError
from heatmark.geometry import Frame
from heatmark.imaging.augment import Augmentation, augment, framed, recoloured
from heatmark.types import Poses, Sample, Skeleton

PAIR = Skeleton("pair", ("left", "right", "top"), mirror=(("left", "right"),))
SPOTS = np.array([[30.5, 40.5], [80.5, 44.5], [50.5, 20.5]])
GEOMETRY_ONLY = {n: 0.0 for n in ("add", "multiply", "brightness", "contrast", "saturation", "hue", "blur",
                                  "motion_blur", "noise", "jpeg")}  # fmt: skip


@pytest.fixture
def rng():
    return np.random.default_rng(3)


@pytest.fixture
def sample():
    """A black picture with one spot of its own colour under each of three landmarks."""
    y, x = np.mgrid[:90, :120] + 0.5
    picture = np.zeros((90, 120, 3), np.uint8)
    for c, (px, py) in enumerate(SPOTS):
        picture[..., c] = 255 * np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * 3.0**2))
    boxes = np.array([[20, 10, 90, 60]], float)
    mask = np.zeros((90, 120), np.uint8)
    mask[10:60, 20:90] = 1
    return Sample(picture, Poses(PAIR, SPOTS[None], boxes=boxes), "spots", mask)


def seen_at(picture, channel):
    weight = picture[..., channel].astype(float)
    y, x = np.mgrid[: picture.shape[0], : picture.shape[1]] + 0.5
    return np.array([(weight * x).sum(), (weight * y).sum()]) / weight.sum()


def test_points_lie_on_their_spots_after_any_geometry(sample, rng):
    frame = Frame.whole(sample.size, (128, 128))
    augmentation = Augmentation(
        chances=GEOMETRY_ONLY | {"perspective": 1.0}, grey=0, translate=(-0.05, 0.05), flip=0
    )
    seen = 0
    for _ in range(40):
        varied = augment(sample, frame, augmentation, rng)
        for k, (x, y) in enumerate(varied.poses.points[0]):
            if 16 < x < 112 and 16 < y < 112:
                patch = varied.picture[int(y) - 9 : int(y) + 10, int(x) - 9 : int(x) + 10]
                off = seen_at(patch, k) - (9 + x % 1, 9 + y % 1)
                assert (
                    abs(off).max() < 1.0
                )  # the patch may cut or stretch a spot; a wrong point is off by more
                seen += 1
    assert seen > 60


def test_a_mirrored_picture_swaps_the_names(sample, rng):
    always = replace(Augmentation.none(), flip=1.0)
    mirrored = augment(sample, Frame.stretch(sample.size, sample.size), always, rng)
    left, right, top = mirrored.poses.points[0]
    np.testing.assert_allclose(left, (120 - 80.5, 44.5))
    np.testing.assert_allclose(right, (120 - 30.5, 40.5))
    np.testing.assert_allclose(top, (120 - 50.5, 20.5))
    np.testing.assert_allclose(seen_at(mirrored.picture, 0), right, atol=0.1)  # red is under the old left
    np.testing.assert_allclose(mirrored.poses.boxes, [[30, 10, 100, 60]])
    assert mirrored.mask is not None and mirrored.mask[30, 95] == 1 and mirrored.mask[30, 25] == 0


def test_nothing_happens_with_none(sample, rng):
    frame = Frame.around(np.array([10, 10, 110, 80]), (64, 64))
    same = augment(sample, frame, Augmentation.none(), rng)
    plain = framed(sample, frame)
    assert same.poses == plain.poses
    inside = np.s_[12:52, 2:62]  # beyond the picture lies a random colour
    np.testing.assert_array_equal(same.picture[inside], plain.picture[inside])


def test_points_that_leave_the_frame_become_absent(sample):
    cut = framed(sample, Frame.around(np.array([0, 30, 60, 90]), (60, 60)))
    assert np.isfinite(cut.poses.points[0, 0]).all() and np.isnan(cut.poses.points[0, 1:]).all()
    assert cut.poses.visibility.tolist() == [[2, 0, 0]]
    np.testing.assert_allclose(cut.poses.boxes, [[20, 0, 60, 30]])


def test_a_picture_without_instances_is_varied_too(rng):
    empty = Sample(np.full((20, 20, 3), 9, np.uint8), Poses.empty(PAIR))
    assert augment(empty, Frame.whole((20, 20), (16, 16)), Augmentation(), rng).size == (16, 16)


def test_the_same_seed_gives_the_same_sample(sample):
    frame = Frame.whole(sample.size, (64, 64))
    one, two = (augment(sample, frame, Augmentation(), np.random.default_rng(8)) for _ in range(2))
    np.testing.assert_array_equal(one.picture, two.picture)
    assert one.poses == two.poses


def test_a_range_the_wrong_way_round_and_unknown_names_are_named():
    with pytest.raises(UserError, match="scale is a range"):
        Augmentation(scale=(2, 1))
    with pytest.raises(UserError, match="rotate is a range .low, high., got 'abc'"):
        Augmentation(rotate="abc")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="did you mean 'noise'"):
        Augmentation(chances={"nois": 1})
    with pytest.raises(UserError, match="did you mean 'reflect'"):
        Augmentation(border="reflec")
    with pytest.raises(UserError, match=r"flip is a share in \[0, 1\]"):
        Augmentation(flip=2)
    with pytest.raises(UserError, match=r"chances.blur is in \[0, 1\], got 5"):
        Augmentation(chances={"blur": 5})
    with pytest.raises(UserError, match="rotate is a range .low, high., got .0, inf."):
        Augmentation(rotate=(0, float("inf")))


@pytest.mark.parametrize("name", ["scale", "stretch", "gamma"])
def test_what_is_drawn_in_its_logarithm_or_is_an_exponent_is_above_0(name):
    with pytest.raises(UserError, match=f"{name} is a range above 0, got .0, 1."):
        Augmentation(**{name: (0, 1)})  # type: ignore[arg-type]


def test_no_picture_is_coarse_by_having_more_pixels():
    for value in ((0.0, 0.1), (-2.0, 3.0), (0.5, 4.0)):
        with pytest.raises(UserError, match="coarse is a range of 1 or more, got"):
            replace(Augmentation.none(), coarse=value)


def test_a_coarse_picture_has_fewer_pixels_in_the_same_size(rng):
    fine = rng.integers(0, 256, (64, 64, 3), np.uint8)
    seen = recoloured(fine, replace(Augmentation.none(), coarse=(4, 4), chances={"coarse": 1.0}), rng)
    assert seen.shape == fine.shape
    assert seen.astype(float).std() < 0.5 * fine.std() and abs(seen.mean() - fine.mean()) < 2
