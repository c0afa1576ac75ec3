"""Occlusion: which pixels are hidden, by what, and which labels go with them."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from heatmark.errors import UserError
from heatmark.imaging import occlude
from heatmark.imaging.occlude import Occlusion, attack, disc, hidden, occluded, part_mixed, part_of, rectangle
from heatmark.types import Skeleton

SIZE = (48, 36)  # (H, W): high, as a person's crop
HALF = Skeleton(
    "half a person",
    ("left_shoulder", "left_elbow", "left_wrist", "left_hip", "right_hip", "nose", "left_eye", "right_eye"),
    parts={
        "head": ("nose", "left_eye", "right_eye"),
        "left_arm": ("left_shoulder", "left_elbow", "left_wrist"),
        "hip": ("left_hip", "right_hip"),
        "corpus": ("left_shoulder", "left_hip", "right_hip"),
    },
)
POINTS = np.array([[10, 14], [12, 22], [16, 30], [12, 40], [20, 41], [18, 6], [20, 4], [16, 4]]) + 0.5
TOOL = Skeleton("hammer", ("face", "claw", "end"), parts={"heads": ("face", "claw"), "grip": ("end",)})


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.fixture
def picture(rng):
    return rng.integers(1, 255, (*SIZE, 3), np.uint8)


def changed(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    return (before != after).any(-1)


def without(*names: str) -> np.ndarray:
    points = POINTS.copy()
    points[[HALF.index(name) for name in names]] = np.nan
    return points


@pytest.mark.parametrize("radius", [1, 2.5, 6, 18])
def test_a_disc_is_all_pixels_within_the_radius(picture, radius):
    y, x = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    near = (x - 12.5) ** 2 + (y - 22.5) ** 2 <= radius**2
    after = attack(picture, POINTS, HALF, "left_elbow", "blackout", radius=radius)
    assert np.array_equal(changed(picture, after), near) and not after[near].any()


def test_a_landmark_low_in_a_high_crop_is_hidden_and_in_the_released_code_it_is_not(picture):
    assert POINTS[3, 1] > SIZE[1]  # the hip's y exceeds the width, which the code tests it against
    assert changed(picture, attack(picture, POINTS, HALF, "left_hip", "blackout")).any()
    assert np.array_equal(attack(picture, POINTS, HALF, "left_hip", "blackout", legacy=True), picture)
    higher = attack(picture, POINTS, HALF, "nose", "blackout", legacy=True)
    assert np.array_equal(higher, attack(picture, POINTS, HALF, "nose", "blackout"))


def test_the_released_codes_guards():
    wide = (36, 48)

    def at(x, y, legacy):
        points = np.full((8, 2), 20.0)
        points[0] = x, y
        return disc(points, HALF, "left_shoulder", wide, legacy=legacy) is not None

    assert at(40.5, 10.5, legacy=False) and not at(40.5, 10.5, legacy=True)  # x beyond the height
    assert at(10.5, 0.5, legacy=False) and not at(10.5, 0.5, legacy=True)  # the first row counts as absent
    assert not at(10.5, 36.5, legacy=False) and at(10.5, 36.5, legacy=True)  # below the picture
    assert not at(-1, 10.5, legacy=False) and not at(-1, 10.5, legacy=True)


def test_an_absent_landmark_hides_nothing(picture):
    assert np.array_equal(attack(picture, without("nose"), HALF, "nose", "blackout"), picture)


def test_a_blur_comes_from_the_whole_picture_with_the_studys_kernels(picture):
    kernels = {6: 11, 2: 3, 18: 35}
    for radius, kernel in kernels.items():
        after = attack(picture, POINTS, HALF, "left_elbow", "blur", radius=radius)
        mask = disc(POINTS, HALF, "left_elbow", SIZE, radius).mask(SIZE)  # type: ignore[union-attr]
        whole = cv2.GaussianBlur(picture, (kernel, kernel), 0)
        assert np.array_equal(after[mask], whole[mask]) and np.array_equal(after[~mask], picture[~mask])
    nine = attack(picture, POINTS, HALF, "left_elbow", "blur", kernel=9)
    mask = disc(POINTS, HALF, "left_elbow", SIZE).mask(SIZE)  # type: ignore[union-attr]
    assert np.array_equal(nine[mask], cv2.GaussianBlur(picture, (9, 9), 0)[mask])
    part = attack(picture, POINTS, HALF, "corpus", "blur")
    inside = changed(picture, part)
    assert np.array_equal(part[inside], cv2.GaussianBlur(picture, (31, 31), 5.0)[inside])


def test_meanout_is_the_mean_of_the_crop_with_its_black_border(picture):
    picture[:10] = 0
    after = attack(picture, POINTS, HALF, "corpus", "meanout")
    inside = changed(picture, after)
    assert (after[inside] == np.floor(picture.mean((0, 1)))).all()
    assert (after[20, 15] == np.floor(picture.mean((0, 1)))).all()


def sides(points: np.ndarray, part: str, skeleton: Skeleton = HALF) -> tuple[float, ...] | None:
    """(x, y, width, height), counted from the first pixel's middle as the study does."""
    area = rectangle(points, skeleton, part)
    return None if area is None else (area.x - 0.5, area.y - 0.5, area.width, area.height)


def test_a_part_is_the_tight_box_of_what_is_there():
    assert sides(POINTS, "corpus") == (15, 27.5, 10, 27)
    assert sides(without("left_hip"), "corpus") == (15, 27.5, 10, 27)
    assert sides(without("left_hip", "right_hip"), "corpus") is None


def test_a_head_is_a_fifth_larger():
    assert sides(POINTS, "head") == pytest.approx((18, 5, 4.8, 2.4))


def test_a_head_of_two_landmarks_is_twice_as_wide():
    mpii = Skeleton("mpii", ("neck", "top"), parts={"head": ("neck", "top")})
    assert sides(np.array([[10.5, 30.5], [12.5, 10.5]]), "head", mpii) == (
        11,
        20,
        10,
        20,
    )  # 2 -> 20 / 4, doubled
    assert sides(np.array([[10.5, 30.5], [np.nan, np.nan]]), "head", mpii) is None


def test_a_hip_is_doubled_and_no_side_is_under_a_quarter_of_the_other():
    assert sides(POINTS, "hip") == (16, 40.5, 16, 4)
    assert sides(without("left_hip"), "hip") is None


def test_a_limb_without_one_joint_falls_back():
    assert sides(POINTS, "left_arm") == (13, 22, 6, 16)
    assert sides(without("left_wrist"), "left_arm") == (12, 22, 2 * 2, 2 * 8)  # about the elbow
    assert sides(without("left_shoulder"), "left_arm") == (12, 22, 2 * 4, 2 * 8)
    assert sides(without("left_elbow"), "left_arm") == (13, 22, 6, 16)  # the box of its ends
    assert sides(without("left_elbow", "left_wrist"), "left_arm") is None


def test_the_part_of_any_object_has_an_area():
    level = np.array([[10.5, 20.5], [30.5, 20.5], [20.5, 40.5]])
    assert sides(level, "heads", TOOL) == (20, 20, 20, 5)
    assert sides(level, "grip", TOOL) is None  # one landmark spans nothing


def test_a_rectangle_leaves_out_the_far_border_and_ends_with_the_picture(picture):
    inside = changed(picture, attack(picture, POINTS, HALF, "corpus", "blackout"))
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    assert (rows[0], rows[-1], columns[0], columns[-1]) == (
        14,
        40,
        10,
        19,
    )  # int(27.5 - 13.5) ... int(41) - 1
    beyond = POINTS + (30.0, 0.0)
    assert attack(picture, beyond, HALF, "corpus", "blackout").shape == picture.shape


def test_names_and_numbers_that_cannot_be_are_told(picture):
    with pytest.raises(UserError, match="no landmark or part .*did you mean 'corpus'"):
        attack(picture, POINTS, HALF, "corpse", "blur")
    with pytest.raises(UserError, match="did you mean 'blackout'"):
        attack(picture, POINTS, HALF, "nose", "blackuot")
    with pytest.raises(UserError, match="odd number of pixels, got 8"):
        attack(picture, POINTS, HALF, "nose", "blur", kernel=8)
    with pytest.raises(UserError, match="radius is positive"):
        attack(picture, POINTS, HALF, "nose", "blur", radius=0)
    with pytest.raises(UserError, match="occlusion.blur: a probability"):
        Occlusion(blur=1.5)
    with pytest.raises(UserError, match="no occlusion.removal is called 'all'"):
        Occlusion(removal="all")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="no part of 'half a person' is called 'tail'"):
        occluded(
            picture, POINTS, HALF, Occlusion(blur=1, level="part", parts=("tail",)), np.random.default_rng(0)
        )


def test_a_picture_that_is_given_stays_as_it_was(picture, rng):
    before = picture.copy()
    bank = {part: [np.full((4, 4, 3), 200, np.uint8)] for part in HALF.parts}
    all_of_it = Occlusion(partmix=1, blur=1, cutout=1, several=1, level="part", removal="under")
    points = POINTS.copy()
    occluded(picture, points, HALF, all_of_it, rng, bank)
    assert np.array_equal(picture, before) and np.array_equal(points, POINTS)


def test_the_same_seed_hides_the_same(picture):
    settings = Occlusion(blur=0.5, cutout=0.5, several=0.2)
    one, two = (occluded(picture, POINTS, HALF, settings, np.random.default_rng(3))[0] for _ in range(2))
    assert np.array_equal(one, two)


def test_nothing_is_hidden_by_default_and_nothing_where_nothing_is_labelled(picture, rng):
    for settings, points in (
        (Occlusion(), POINTS),
        (Occlusion(blur=1, cutout=1, several=1), POINTS * np.nan),
    ):
        after, lost = occluded(picture, points, HALF, settings, rng)
        assert np.array_equal(after, picture) and not lost.any()


def test_probabilities_are_those_asked_for_and_landmarks_are_drawn_evenly(picture):
    rng = np.random.default_rng(0)
    masks = [disc(POINTS, HALF, n, SIZE, 1).mask(SIZE) for n in HALF.landmarks]  # type: ignore[union-attr]
    draws = [occluded(picture, POINTS, HALF, Occlusion(cutout=0.5, radius=1), rng)[0] for _ in range(800)]
    found = np.array([[changed(picture, d)[m].all() for m in masks] for d in draws])
    assert abs(found.any(1).mean() - 0.5) < 0.06 and (found.sum(1) <= 1).all()
    assert np.ptp(found.mean(0)) < 0.06


def test_several_hides_at_most_so_many_and_none_twice(picture, rng):
    masks = [disc(POINTS, HALF, n, SIZE, 1).mask(SIZE) for n in HALF.landmarks]  # type: ignore[union-attr]
    sure = Occlusion(several=1, most=5, radius=1, kernel=9)
    for _ in range(20):
        after, _ = occluded(picture, POINTS, HALF, sure, rng)
        assert sum(changed(picture, after)[m].any() for m in masks) == 5
    few = [
        occluded(picture, POINTS, HALF, Occlusion(several=0.2, radius=1, kernel=9), rng)[0]
        for _ in range(300)
    ]
    mean = np.mean([sum(int(changed(picture, a)[m].any()) for m in masks) for a in few])
    assert abs(mean - 1.0) < 0.2  # five trials at 0.2


def test_labels_are_lost_under_the_part_or_twice_as_far(picture, rng):
    hip = Occlusion(cutout=1, level="part", parts=("hip",))
    for removal, names in (
        ("none", set()),
        ("under", {"left_hip", "right_hip"}),
        ("wide", {"left_hip", "right_hip"}),  # the wrist lies 10 above, the rectangle is 4 high
    ):
        settings = replace(hip, removal=removal)  # type: ignore[arg-type]
        lost = occluded(picture, POINTS, HALF, settings, rng)[1]
        assert {n for n, gone in zip(HALF.landmarks, lost) if gone} == names
    arm = occlude.Rectangle(13.5, 22.5, 6, 16)
    near = np.array(
        [[16.5, 30.5], [17.0, 30.5], [19.5, 22.5], [7.5, 22.5]]
    )  # a corner, just off, +- the width
    assert arm.covers(near).tolist() == [True, False, False, False]
    assert arm.covers(near, wide=True).tolist() == [True, True, True, False]


def test_a_label_that_was_lost_is_not_hidden_again(picture, rng):
    settings = Occlusion(
        cutout=1, several=1, most=8, level="part", parts=("corpus",), removal="under", radius=1
    )
    after, lost = occluded(picture, POINTS, HALF, settings, rng)
    assert lost[[0, 1, 3, 4]].all()
    only_part = hidden(picture, rectangle(POINTS, HALF, "corpus"), "meanout")
    inside = rectangle(POINTS, HALF, "corpus").mask(SIZE)  # type: ignore[union-attr]
    assert np.array_equal(after[20:38, 11:15], only_part[20:38, 11:15]) and inside.any()


def test_partmix_lays_another_part_over_a_complete_one(picture):
    places = {part: rectangle(POINTS, HALF, part).mask(SIZE) for part in ("head", "left_arm", "corpus")}  # type: ignore
    seen = set()
    bank = {
        part: [np.full((5, 9, 3), colour, np.uint8)]
        for part, colour in (("head", 1), ("left_arm", 2), ("corpus", 3))
    }
    for seed in range(40):
        after, area = part_mixed(picture, POINTS, HALF, np.random.default_rng(seed), bank)
        assert area is not None
        mask = area.mask(SIZE)
        target = next(part for part, place in places.items() if np.array_equal(place, mask))
        colour = int(after[mask].max())
        assert (after[mask] == colour).all() and np.array_equal(after[~mask], picture[~mask])
        seen.add((target, {1: "head", 2: "left_arm", 3: "corpus"}[colour]))
    assert seen == {(a, b) for a in places for b in places if a != b}


def test_partmix_needs_all_of_the_part_and_a_bank(picture):
    for seed in range(10):
        points = without("nose", "left_shoulder")
        bank = {part: [np.zeros((5, 5, 3), np.uint8)] for part in HALF.parts}
        assert part_mixed(picture, points, HALF, np.random.default_rng(seed), bank)[1] is None
        assert part_mixed(picture, POINTS, HALF, np.random.default_rng(seed), {})[1] is None


def test_the_released_code_pastes_blue_for_red(picture):
    bank = {part: [np.full((5, 5, 3), (200, 10, 20), np.uint8)] for part in HALF.parts}
    for legacy, colour in ((False, (200, 10, 20)), (True, (20, 10, 200))):
        after, area = part_mixed(picture, POINTS, HALF, np.random.default_rng(1), bank, legacy)
        assert area and (after[area.mask(SIZE)] == colour).all()


def test_a_bank_is_cut_from_pictures_at_their_own_resolution(picture):
    cut = part_of(picture, POINTS, HALF, "corpus")
    assert cut is not None and np.array_equal(cut, picture[14:41, 10:20])
    assert part_of(picture, without("left_hip"), HALF, "corpus") is None


def test_colours_change_after_partmix_and_before_the_rest(picture, rng):
    settings = Occlusion(cutout=1, level="part", parts=("corpus",))
    after, _ = occluded(picture, POINTS, HALF, settings, rng, recolour=lambda p: p // 2)
    mean = np.floor((picture // 2).mean((0, 1)))
    assert (after[20, 15] == mean).all() and np.array_equal(after[0], picture[0] // 2)


def test_a_skeleton_without_the_studys_parts_uses_its_own(picture, rng):
    points = np.array([[10.5, 20.5], [30.5, 20.5], [20.5, 40.5]])
    drawn = [occluded(picture, points, TOOL, Occlusion(cutout=1, level="part"), rng)[0] for _ in range(20)]
    hit = [changed(picture, d).any() for d in drawn]
    assert any(hit) and not all(hit)  # `heads` has an area, `grip` has none


def test_a_disc_larger_than_the_picture_blurs_no_wider_than_it(picture):
    vast = occlude.Disc(18.0, 24.0, 1e9)
    np.testing.assert_array_equal(hidden(picture, vast, "blur"), hidden(picture, vast, "blur", kernel=95))


def test_a_blur_wider_than_twice_the_picture_is_as_wide_as_that(picture):
    disc = occlude.Disc(20, 20, 6)
    widest = 2 * max(picture.shape[:2]) - 1
    np.testing.assert_array_equal(
        hidden(picture, disc, "blur", kernel=3001), hidden(picture, disc, "blur", kernel=widest)
    )
    with pytest.raises(UserError, match="odd number of pixels, got 3000"):
        hidden(picture, disc, "blur", kernel=3000)
