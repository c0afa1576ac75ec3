"""Grouping: hand-made tags, the two published programs written naively beside it, and inputs that are bad."""

import time

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from heatmark.grouping import (
    COCO_ORDER,
    HIGHERHRNET,
    POSE_AE,
    Candidates,
    Rules,
    adjust,
    candidates,
    combined,
    grouped,
    mirrored_back,
    people,
    refine,
)

SIZE = (48, 64)
PRESETS = {"heatmark": Rules(), "higherhrnet": HIGHERHRNET, "pose_ae": POSE_AE}


def found(*landmarks: list[tuple[float, float]]) -> Candidates:
    """Candidates from (value, tag) by landmark; candidate t of landmark k lies at (t, k)."""
    most = max(len(peaks) for peaks in landmarks)
    values, places = np.zeros((len(landmarks), most)), np.full((len(landmarks), most, 2), np.nan)
    tags = np.full((len(landmarks), most, 1), np.nan)
    for k, peaks in enumerate(landmarks):
        for t, (value, tag) in enumerate(peaks):
            values[k, t], places[k, t], tags[k, t] = value, (t + 0.5, k + 0.5), tag
    return Candidates(values, places, tags)


def crowd(rng, persons: int, landmarks: int = 17, size=SIZE, tags: int = 1, spread: float = 2.5, missing=0.2):
    """Maps of a crowd: soft bumps of many heights on noise, tags `spread` apart per person."""
    h, w = size
    heat = rng.uniform(0, 0.05, (landmarks, h, w)).astype(np.float32)
    tag = rng.normal(0, 0.1, (landmarks, h, w, tags)).astype(np.float32)
    y, x = np.mgrid[:h, :w]
    for person in range(persons):
        centre, own = rng.uniform(4, [w - 4, h - 4]), person * spread + rng.normal(0, 0.1, tags)
        for k in range(landmarks):
            if rng.random() < missing:
                continue
            px, py = np.clip(centre + rng.normal(0, 6, 2), 0, [w - 1, h - 1])
            bump = rng.uniform(0.2, 1) * np.exp(-((x - px) ** 2 + (y - py) ** 2) / 4)
            tag[k][bump > heat[k]] = own + rng.normal(0, 0.02, tags)
            heat[k] = np.maximum(heat[k], bump)
    return heat, tag


def test_candidates_of_two_persons_are_told_apart_by_their_tags():
    groups = grouped(found([(0.9, 0.0), (0.8, 5.0)], [(0.7, 5.2), (0.6, 0.1)], [(0.5, 4.9)]))
    assert groups.members.tolist() == [[0, 1, -1], [1, 0, 0]]
    np.testing.assert_allclose(groups.tags[:, 0], [0.05, (5 + 5.2 + 4.9) / 3])
    np.testing.assert_allclose(groups.score, [(0.9 + 0.6) / 3, (0.8 + 0.7 + 0.5) / 3])
    np.testing.assert_array_equal(groups.points[0], [[0.5, 0.5], [1.5, 1.5], [np.nan, np.nan]])


def test_a_clusters_map_has_its_peaks_for_each_of_its_landmarks():
    heat = np.zeros((2, 9, 9))
    heat[:, ::2, ::2] = np.arange(1, 26).reshape(5, 5)  # 25 peaks on each map
    peaks = candidates(heat, np.zeros((2, 9, 9)), peaks=4, shown=[5, 1])
    assert peaks.values.shape == (2, 20) and (peaks.values > 0).sum(1).tolist() == [20, 4]
    assert peaks.values[0, [0, -1]].tolist() == [25, 6] and np.isnan(peaks.places[1, 4:]).all()
    assert peaks.values[1, :4].tolist() == [25, 24, 23, 22]
    with pytest.raises(ValueError, match="what 2 maps show must be 2 numbers, got 3"):
        candidates(heat, heat, shown=[1, 1, 1])


def test_a_tag_out_of_reach_begins_a_person_and_pushes_nobody_aside():
    groups = grouped(found([(0.9, 0.0)], [(0.8, 0.9), (0.7, 0.1), (0.6, 3.0)]))
    assert groups.members.tolist() == [[0, 1], [-1, 0], [-1, 2]]  # 0.7 * 0.9 is worth more than 0.8 * 0.1


def test_the_assignment_is_the_best_of_all_and_not_the_first_that_comes():
    # One by one, 0.4 would take the nearer person (0.5) from 0.6, whose own way to the other is out of reach.
    rules = Rules(reach=0.8)
    groups = grouped(found([(1.0, 0.5), (1.0, -0.35)], [(1.0, 0.4), (1.0, 0.6)]), rules)
    assert groups.members.tolist() == [[0, 1], [1, 0]]


def test_two_persons_whose_first_tags_are_equal_stay_two_but_in_the_published_programs():
    peaks = found([(0.9, 1.0), (0.8, 1.0)], [(0.7, 1.0), (0.6, 1.0)])
    assert len(grouped(peaks)) == 2
    collided = grouped(peaks, Rules(keyed=True, rounded=True))
    assert collided.members.tolist() == [[1, 1]]  # the second overwrites the first, twice


def test_forty_persons_are_found_where_pose_ae_stops_at_thirty():
    peaks = found([(0.9, 3.0 * i) for i in range(40)], [(0.8, 3.0 * i) for i in range(40)])
    ours = grouped(peaks)
    assert len(ours) == 40 and (ours.members[:, 1] == np.arange(40)).all()
    stopped = grouped(peaks, Rules(keyed=True, rounded=True, most=30, stops=True))
    assert len(stopped) == 40 and (stopped.members[:, 1] == -1).all()
    offered = grouped(peaks, Rules(keyed=True, rounded=True, most=30))
    assert (offered.members[:30, 1] == np.arange(30)).all()


def test_every_tag_dimension_counts():
    values, places = np.array([[0.9, 0.8], [0.7, 0.6]]), np.zeros((2, 2, 2))
    tags = np.array([[[0.0, 0.0], [0.0, 3.0]], [[0.1, 2.9], [0.1, 0.1]]])
    assert grouped(Candidates(values, places, tags)).members.tolist() == [[0, 1], [1, 0]]


def test_root_mean_square_reaches_farther_than_the_sum():
    values, places = np.array([[0.9], [0.8]]), np.zeros((2, 1, 2))
    peaks = Candidates(values, places, np.array([[[0.0, 0.0]], [[0.8, 0.8]]]))  # 1.13 as a sum, 0.8 as a mean
    assert len(grouped(peaks, Rules())) == 2
    assert len(grouped(peaks, Rules(rms=True))) == 1


def test_a_peak_moves_a_quarter_to_its_higher_neighbour_and_ties_are_the_presets_own():
    heat = np.zeros((1, 3, 4))
    heat[0, 1] = [0.1, 0.9, 0.3, 0.0]
    point = np.array([[[1.5, 1.5]]])
    assert adjust(point, heat)[0, 0].tolist() == [1.75, 1.5]
    assert adjust(point, heat, "minus")[0, 0].tolist() == [1.75, 1.25]
    assert np.isnan(adjust(np.full((1, 1, 2), np.nan), heat)).all()


def test_a_weak_landmark_completes_the_person_it_belongs_to():
    heat, tags = np.zeros((2, 8, 16)), np.zeros((2, 8, 16))
    heat[0, 2, 3], heat[0, 2, 12], heat[1, 5, 3], heat[1, 5, 12] = 0.9, 0.8, 0.06, 0.9
    tags[:, :, 8:] = 4.0
    groups = people(heat, tags)
    np.testing.assert_allclose(groups.points[:, 1], [[3.5, 5.5], [12.5, 5.5]])
    np.testing.assert_allclose(groups.values[0], [0.9, 0.06])
    np.testing.assert_allclose(groups.score, [0.45, 0.85])  # a completed landmark earns nothing
    assert np.isnan(people(heat, tags, fill=False).points[0, 1]).all()


def test_maps_of_the_mirror_image_and_of_other_scales_are_joined():
    heat, tags = np.zeros((2, 4, 4)), np.arange(32.0).reshape(2, 4, 4)
    heat[0, 1, 3] = 1.0
    back = mirrored_back(heat, [1, 0])
    assert back[1, 1, 0] == 1.0
    joined, several = combined([heat, back, np.full((2, 2, 2), 3.0)], [tags, tags[..., ::-1]], (4, 4), most=1)
    assert joined.max() == 1.0 and joined[0, 0, 0] == 1.0  # (0 + 0 + 3) / 3
    assert several.shape == (2, 4, 4, 2) and several[0, 0, 0].tolist() == [0.0, 3.0]


# ---- the published programs, as REFERENCE describes them, one plain step after the other ----


def naive(heat, tags, window, rms, stops, one):
    """(N, K, 3) x y score after adjust and refine, and (N,) scores before refine."""
    k, h, w = heat.shape
    pad = window // 2
    persons, tag_lists = {}, {}
    for landmark in COCO_ORDER:
        peaks = []
        for y in range(h):
            for x in range(w):
                about = heat[landmark, max(y - pad, 0) : y + pad + 1, max(x - pad, 0) : x + pad + 1]
                if heat[landmark, y, x] == about.max():
                    peaks.append((heat[landmark, y, x], x, y))
        peaks = [p for p in sorted(peaks, key=lambda p: -p[0])[:30] if p[0] > 0.1]
        if not peaks:
            continue
        own = [tags[landmark, y, x].astype(float) for _, x, y in peaks]
        mates = {}
        if persons:
            keys = list(persons)[:30]
            if stops and len(keys) == 30:
                continue
            away = np.array([[away_of(t, np.mean(tag_lists[key], 0), rms) for key in keys] for t in own])
            cost = np.round(away) * 100 - np.array([p[0] for p in peaks])[:, None]
            if len(peaks) > len(keys):
                cost = np.hstack([cost, np.full((len(peaks), len(peaks) - len(keys)), 1e10)])
            for row, column in zip(*linear_sum_assignment(cost)):
                if column < len(keys) and away[row, column] < 1:
                    mates[row] = keys[column]
        for row, (value, x, y) in enumerate(peaks):
            key = mates.get(row)
            if key is None:
                key = float(own[row][0])
                persons.setdefault(key, np.zeros((k, 3)))
                tag_lists[key] = [own[row]]
            else:
                tag_lists[key].append(own[row])
            persons[key][landmark] = x, y, value
    answer = np.array([persons[key] for key in persons]).reshape(-1, k, 3)
    for person in answer:
        for landmark in range(k):
            if person[landmark, 2] > 0:
                person[landmark, :2] = quarter(
                    heat[landmark], int(person[landmark, 0]), int(person[landmark, 1]), h - 1
                )
    scores = answer[..., 2].mean(1)
    for person in answer:
        there = [n for n in range(k) if person[n, 2] > 0]
        mean = np.mean([tags[n, int(person[n, 1]), int(person[n, 0])] for n in there], 0)
        for landmark in range(k):
            if person[landmark, 2] > 0:
                continue
            away = np.sqrt(((tags[landmark] - mean) ** 2).sum(-1))
            y, x = np.unravel_index(np.argmax(heat[landmark] - np.round(away)), (h, w))
            if heat[landmark, y, x] > 0:
                person[landmark, :2] = quarter(heat[landmark], x, y, min(k - 1, h - 1) if one else h - 1)
                person[landmark, 2] = 1 if one else heat[landmark, y, x]
    return answer, scores


def away_of(tag, mean, rms):
    squares = (tag - mean) ** 2
    return np.sqrt(squares.mean() if rms else squares.sum())


def quarter(m, x, y, last_row):
    dx = 0.25 if m[y, min(x + 1, m.shape[1] - 1)] > m[y, max(x - 1, 0)] else -0.25
    dy = 0.25 if m[min(y + 1, last_row), x] > m[max(y - 1, 0), x] else -0.25
    return x + dx + 0.5, y + dy + 0.5


@pytest.mark.parametrize("preset", ["higherhrnet", "pose_ae"])
@pytest.mark.parametrize("seed", range(4))
def test_the_presets_give_what_the_published_programs_give(preset, seed):
    rng = np.random.default_rng(seed)
    heat, tags = crowd(rng, persons=[0, 1, 5, 34][seed], tags=1 + seed % 2)
    window, rms, stops, one = {"higherhrnet": (5, 0, 0, 0), "pose_ae": (3, 1, 1, 1)}[preset]
    theirs, scores = naive(heat, tags, window, bool(rms), bool(stops), bool(one))
    ours = people(heat, tags, PRESETS[preset])
    assert len(ours) == len(theirs) and (seed == 0 or len(ours) >= 1)
    there = theirs[..., 2] > 0
    np.testing.assert_array_equal(np.isfinite(ours.points).all(-1), there)
    np.testing.assert_array_equal(ours.points[there], theirs[there][:, :2])
    np.testing.assert_allclose(ours.values, theirs[..., 2], atol=1e-6)
    np.testing.assert_allclose(ours.score, scores, atol=1e-6)


def test_our_own_rules_find_a_crowd_as_it_was_drawn():
    heat, tags = crowd(np.random.default_rng(5), persons=4, missing=0.0, size=(96, 128))
    groups = people(heat, tags)
    assert len(groups) >= 4 and (groups.values > 0.1).all(1).sum() >= 3
    best = np.sort(groups.score)[-4:]
    assert best.min() > 0.4


# ---- bad input is answered ----


@pytest.mark.parametrize("rules", PRESETS.values(), ids=PRESETS)
def test_no_person_is_no_person(rules):
    groups = people(np.zeros((17, 32, 32)), np.zeros((17, 32, 32)), rules)
    assert len(groups) == 0 and groups.points.shape == (0, 17, 2) and groups.tags.shape == (0, 1)


@pytest.mark.parametrize("rules", PRESETS.values(), ids=PRESETS)
def test_three_hundred_candidates_a_landmark_and_equal_tags_everywhere_are_answered(rules):
    rng = np.random.default_rng(0)
    heat = np.zeros((17, 64, 64), np.float32)
    heat[:, ::3, ::3] = rng.uniform(0.2, 1, (17, 22, 22))  # 484 peaks a map
    many = Rules(**{**rules.__dict__, "peaks": 300})
    groups = people(heat, np.full((17, 64, 64), 0.5), many)
    assert len(groups) == {HIGHERHRNET: 1, POSE_AE: 1}.get(rules, 300)


def test_what_is_not_finite_is_left_out_and_counted():
    heat, tags = np.zeros((2, 8, 8)), np.zeros((2, 8, 8))
    heat[0, 2, 2], heat[0, 5, 5], heat[1, 2, 2], tags[0, 5, 5] = 0.9, 0.8, np.nan, np.nan
    groups = people(heat, tags)
    assert len(groups) == 1 and groups.nonfinite == 1 and np.isnan(groups.points[0, 1]).all()
    assert len(people(heat, np.full((2, 8, 8), np.nan))) == 0


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_a_cell_that_is_not_finite_takes_no_place_from_the_peak_beside_it(wrong):
    heat = np.zeros((1, 8, 8))
    heat[0, 4, 4], heat[0, 4, 5], heat[0, 4, 3], heat[0, 3, 4] = 0.9, wrong, wrong, 0.5
    assert adjust(np.array([[[4.5, 4.5]]]), heat).tolist() == [[[4.5, 4.25]]]


@pytest.mark.parametrize("rules", [HIGHERHRNET, POSE_AE], ids=["higherhrnet", "pose_ae"])
def test_what_is_missing_is_not_looked_for_where_tags_or_heights_are_not_finite(rules):
    heat, tags = np.zeros((2, 8, 8)), np.zeros((2, 8, 8))
    heat[0, 2, 2], heat[1, 5, 5], heat[1, 1, 1], heat[1, 7, 7] = 0.9, 0.08, 0.05, np.inf
    tags[1, 1, 1] = np.nan
    (person,) = people(heat, tags, Rules(**{**rules.__dict__, "order": None})).points
    assert np.floor(person).tolist() == [[2, 2], [5, 5]]


@pytest.mark.parametrize("rules", [Rules(), Rules(keyed=True, rounded=True, window=5)])
@pytest.mark.parametrize("size", [(1, 1), (1, 3), (2, 2)])
def test_one_landmark_on_maps_smaller_than_the_window_is_answered(size, rules):
    heat = np.zeros((1, *size))
    heat[0, 0, 0] = 0.9
    groups = people(heat, np.zeros((1, *size)), rules)
    assert len(groups) == 1 and np.isfinite(groups.points).all() and groups.score[0] == pytest.approx(0.9)


def test_a_refined_landmark_needs_a_person_with_a_place():
    empty = people(np.zeros((2, 4, 4)), np.zeros((2, 4, 4)))
    assert len(refine(empty, np.ones((2, 4, 4)), np.zeros((2, 4, 4)))) == 0


def test_shapes_and_orders_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match="must be of one size"):
        candidates(np.zeros((2, 4, 4)), np.zeros((2, 4, 5)))
    with pytest.raises(ValueError, match="must name each of 2 landmarks"):
        grouped(found([(0.9, 0.0)], [(0.9, 0.0)]), Rules(order=(0,)))
    with pytest.raises(ValueError, match="need places"):
        Candidates(np.zeros((2, 3)), np.zeros((2, 4, 2)), np.zeros((2, 3, 1)))


def test_thirty_persons_take_milliseconds():
    heat, tags = crowd(np.random.default_rng(1), persons=30, size=(128, 128))
    people(heat, tags)
    best = min(_seconds(heat, tags) for _ in range(5))
    assert best < 0.1  # benchmarks/grouping measures; this only notices a change of order


def _seconds(heat, tags) -> float:
    start = time.perf_counter()
    people(heat, tags)
    return time.perf_counter() - start
