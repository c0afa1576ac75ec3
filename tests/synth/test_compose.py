from dataclasses import replace

import numpy as np
import pytest

from heatmark.errors import DataError
from heatmark.imaging import encode_jpeg
from heatmark.synth import scraps
from heatmark.synth.compose import (
    Cutout,
    copied,
    cut_and_paste,
    cut_out,
    develop,
    metered,
    pasted,
    with_background,
    with_occluder,
)
from heatmark.synth.render import Layers
from heatmark.synth.scene import Effects
from heatmark.types import SEEN, Skeleton

BAR = Skeleton("bar", ("left", "right"))
SIZE = (60, 80)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def layers():
    """A bright bar, 30 x 10, on a dark ground with a block of clutter beside it; its landmarks are its
    ends."""
    picture = np.full((*SIZE, 3), 0.1, np.float32)
    ids = np.full(SIZE, -2, np.int16)
    picture[20:30, 20:50], ids[20:30, 20:50] = (0.8, 0.3, 0.2), 0
    picture[40:56, 55:73], ids[40:56, 55:73] = (0.2, 0.5, 0.2), 1
    depth = np.where(ids == 0, 0.9, 1.0).astype(np.float32)
    points = np.array([[[20.5, 25.0], [49.5, 25.0]]])
    mask = (ids == 0).astype(np.uint8)
    return Layers(
        picture, np.ones(SIZE, np.float32), ids, mask, depth, BAR, points, np.array([[2, 1]], np.uint8)
    )


def plain_seed():
    """A seed with which nothing random happens in `develop`: no sharpening, no JPEG."""
    for seed in range(1000):
        rng = np.random.default_rng([seed, 23])
        if rng.choice(["srgb", "shoulder", "filmic"]) == "srgb" and rng.random() > 0.3:
            if rng.integers(35, 98) and rng.random() > 0.6:
                return seed
    raise AssertionError


def test_without_effects_the_picture_is_the_light_in_srgb(layers):
    sample = develop(layers, Effects(seed=plain_seed()))
    assert sample.picture[25, 35].tolist() == [231, 149, 124]  # sRGB of 0.8, 0.3, 0.2
    np.testing.assert_array_equal(sample.poses.points, layers.points)
    assert sample.poses.visibility.tolist() == [[2, 1]]
    assert sample.poses.boxes.tolist() == [[20, 20, 50, 30]]


def test_effects_do_what_they_say(layers):
    seed = plain_seed()
    plain = develop(layers, Effects(seed=seed)).picture.astype(int)
    brighter = develop(layers, Effects(seed=seed, exposure_ev=0.3)).picture.astype(int)
    assert (brighter >= plain).all() and brighter.mean() > plain.mean() + 3
    warm = develop(layers, Effects(seed=seed, white_balance=(1.2, 1.0, 0.8))).picture.astype(int)
    assert warm[0, 0, 0] > plain[0, 0, 0] and warm[0, 0, 2] < plain[0, 0, 2]
    grey = develop(layers, Effects(seed=seed, saturation=0.0)).picture.astype(int)
    assert np.ptp(grey, axis=-1).max() <= 1
    dark = develop(layers, Effects(seed=seed, vignette=0.5)).picture.astype(int)
    assert dark[0, 0, 0] < plain[0, 0, 0] and abs(dark[30, 40] - plain[30, 40]).max() <= 1
    for blurred in (Effects(seed=seed, blur_px=2.0), Effects(seed=seed, motion_px=(4.0, 3.0))):
        picture = develop(layers, blurred).picture.astype(int)
        assert abs(np.diff(picture[..., 0], axis=0)).max() < abs(np.diff(plain[..., 0], axis=0)).max()


def test_a_picture_too_dark_or_too_bright_is_exposed_anew(layers):
    assert metered(layers.picture) == 1.0
    assert metered(np.full((4, 4, 3), 0.01)) == pytest.approx(6.0)
    assert metered(np.full((4, 4, 3), 0.9)) == pytest.approx(0.5)
    dim = replace(layers, picture=layers.picture * np.float32(0.01))
    assert develop(dim, Effects()).picture.mean() > 40


def test_develop_is_a_function_of_its_arguments(layers):
    effects = Effects(seed=4, noise=0.05, blur_px=0.5)
    one, two = develop(layers, effects), develop(layers, effects)
    np.testing.assert_array_equal(one.picture, two.picture)
    assert not np.array_equal(one.picture, develop(layers, Effects(seed=5, noise=0.05, blur_px=0.5)).picture)


def test_a_stretched_picture_keeps_points_mask_and_box_together(layers):
    for seed in range(12):
        wider = 1.25 if seed % 2 else 0.8
        sample = develop(layers, Effects(seed=seed, stretch=wider))
        assert sample.mask is not None and sample.mask.any()
        ys, xs = np.nonzero(sample.mask)
        x1, y1, x2, y2 = sample.poses.boxes[0]
        assert abs(np.array([x1, y1, x2, y2]) - [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]).max() < 1.0
        bright = sample.picture[..., 0] > sample.picture[..., 1].astype(int) + 40
        assert (bright == (sample.mask > 0)).mean() > 0.95
        left, right = sample.poses.points[0]
        assert xs.min() - 0.1 < left[0] < xs.min() + 2.5 and xs.max() - 1.5 < right[0] < xs.max() + 1.1
        assert right[0] - left[0] == pytest.approx(29 * max(wider, 1))
        assert np.ptp(ys) + 1 == pytest.approx(10 / min(wider, 1), abs=1)


def test_points_outside_the_picture_are_absent(layers):
    moved = Layers(**{**vars(layers), "points": layers.points + [40.0, 0.0]})
    sample = develop(moved, Effects(seed=plain_seed()))
    assert sample.poses.visibility.tolist() == [[2, 0]] and np.isnan(sample.poses.points[0, 1]).all()


def test_a_pasted_thing_hides_the_landmarks_under_it_and_no_others(layers, rng):
    sample = develop(layers, Effects(seed=plain_seed()))
    cover = np.zeros(SIZE, np.float32)
    cover[15:35, 10:30] = 1
    made = pasted(sample, np.full((*SIZE, 3), 200, np.uint8), cover, rng)
    assert made.poses.visibility.tolist() == [[1, 1]] and made.depth is None
    assert made.mask is not None and not made.mask[:, :30].any() and made.mask[25, 40] == 1
    np.testing.assert_array_equal(made.poses.points, sample.poses.points)


def test_an_occluder_never_covers_most_of_the_object(layers, rng):
    sample = develop(layers, Effects(seed=plain_seed()))
    hidden = 0
    for _ in range(25):
        made = with_occluder(sample, rng, (), layers)
        assert made.mask is not None and (made.mask > 0).sum() >= 0.39 * layers.mask.sum()
        hidden += int((made.poses.visibility == 1).sum()) - 1
        assert (made.poses.visibility > 0).all()
    assert hidden > 2


def test_another_background_leaves_the_object(layers, rng):
    sample = develop(layers, Effects(seed=plain_seed()))
    for _ in range(8):
        made = with_background(sample, rng)
        inner = np.s_[23:27, 25:45]
        assert abs(made.picture[inner].astype(int) - sample.picture[inner]).mean() < 45
        assert abs(made.picture[5:15].astype(int) - sample.picture[5:15]).mean() > 3
        assert made.poses == sample.poses


def test_another_background_leaves_what_the_object_sits_on(layers, rng):
    ids = layers.ids.copy()
    ids[40:46, 10:60] = 7  # a bench below it
    sat = Layers(**{**vars(layers), "ids": ids})
    sample = develop(sat, Effects(seed=plain_seed()))
    seen = [copied(sample, sat, rng, seats=[7]) for _ in range(12)]
    bench = np.s_[42:44, 14:56]
    there = [m for kind, m in seen if kind == "background"]
    assert there and all(abs(m.picture[bench].astype(int) - sample.picture[bench]).mean() < 45 for m in there)
    gone = [m for kind, m in (copied(sample, sat, rng) for _ in range(12)) if kind == "background"]
    assert np.mean([abs(m.picture[bench].astype(int) - sample.picture[bench]).mean() for m in gone]) > 20


def test_copies_are_of_both_kinds_and_a_hidden_object_gets_an_occluder(layers, rng):
    sample = develop(layers, Effects(seed=plain_seed()))
    assert {copied(sample, layers, rng)[0] for _ in range(12)} == {"occluder", "background"}
    hidden = Layers(**{**vars(layers), "mask": np.zeros(SIZE, np.uint8)})
    nothing = develop(hidden, Effects(seed=plain_seed()))
    assert {copied(nothing, hidden, rng)[0] for _ in range(6)} == {"occluder"}


def test_a_cut_out_keeps_its_points(layers):
    cutout = cut_out(layers, Effects(seed=plain_seed()))
    assert cutout.rgba.shape == (14, 34, 4)
    np.testing.assert_allclose(cutout.points, [[2.5, 7.0], [31.5, 7.0]])
    assert cutout.rgba[7, 17, 3] == 255 and cutout.rgba[0, 0, 3] == 0


def test_cut_and_paste_puts_the_landmarks_where_the_object_is(rng):
    """The ends of the cut-out are pure red and pure blue; they are found again at their landmarks."""
    rgba = np.zeros((20, 60, 4), np.uint8)
    rgba[..., 1], rgba[..., 3] = 120, 255
    rgba[:, :12, :3], rgba[:, 48:, :3] = (255, 0, 0), (0, 0, 255)
    cutout = Cutout(rgba, np.array([[6.0, 10.0], [54.0, 10.0]]), np.array([2, 2], np.uint8), BAR)
    right = checked = 0
    for _ in range(40):
        sample = cut_and_paste([cutout], (96, 96), rng)
        assert len(sample.poses) == 1 and sample.mask is not None
        for k, channel in ((0, 0), (1, 2)):
            if sample.poses.visibility[0, k] == 2 and np.isfinite(sample.poses.boxes).all():
                x, y = np.clip(sample.poses.points[0, k].astype(int), 0, 95)
                checked += 1
                right += int(sample.picture[y, x].argmax() == channel)
    assert checked > 30 and right > 0.85 * checked  # a Poisson blend may take some colour away


def test_a_cut_out_that_is_pasted_mirrored_keeps_its_left_hand_on_the_left():
    skeleton = Skeleton("person", ("head", "left", "right"), mirror=(("left", "right"),))
    points = np.array([[30.0, 5], [10, 40], [50, 40]])
    seen = np.full(3, SEEN, np.uint8)
    cutout = Cutout(np.full((60, 60, 4), 255, np.uint8), points, seen, skeleton)
    turns = []
    for seed in range(30):
        pasted = cut_and_paste([cutout], (64, 64), np.random.default_rng(seed), distractors=0)
        (x, y), (u, v) = (pasted.poses.points[0, k] - pasted.poses.points[0, 0] for k in (1, 2))
        turns += [np.sign(x * v - y * u)] if np.isfinite([x, y, u, v]).all() else []
    assert len(turns) > 10 and set(turns) == {-1}  # from the head, left to right is anticlockwise always


def test_scraps_are_functions_of_their_generator(tmp_path):
    (tmp_path / "a.jpg").write_bytes(encode_jpeg(np.full((40, 50, 3), (200, 30, 30), np.uint8)))
    photos = scraps.photographs(str(tmp_path))
    for make in (scraps.invented, scraps.background, lambda r, s: scraps.thing(r, s, 0.4)[0]):
        one, two = (make(np.random.default_rng(7), SIZE) for _ in range(2))
        assert one.shape == (*SIZE, 3) and one.dtype == np.uint8
        np.testing.assert_array_equal(one, two)
    cut = scraps.background(np.random.default_rng(1), SIZE, photos)
    assert cut.shape == (*SIZE, 3) and abs(cut.astype(int) - (200, 30, 30)).max() < 6
    with pytest.raises(DataError, match="no pictures"):
        (tmp_path / "empty").mkdir()
        scraps.photographs(str(tmp_path / "empty"))


def test_silhouettes_are_of_about_the_size_asked_for(rng):
    for _ in range(40):
        cover = scraps.silhouette(rng, (100, 100), 0.5, middle=True)
        ys, xs = np.nonzero(cover > 0.5)
        assert 15 < max(np.ptp(xs), np.ptp(ys)) < 90 and cover[0].max() == 0
