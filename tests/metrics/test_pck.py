import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heatmark.errors import UserError
from heatmark.metrics.pck import ALPHAS, matching, pck
from heatmark.types import Poses, Skeleton

HAMMER = Skeleton("hammer", ("face", "claw", "handle_end"))
WRENCH = Skeleton("wrench", ("jaw_a", "jaw_b"), interchangeable=(("jaw_a", "jaw_b"),))
BOX = [[0.0, 0.0, 100.0, 50.0]]
nan = np.nan


def hammer(points, visibility=(2, 2, 2), boxes=None):
    boxes = np.array(BOX if boxes is None else boxes, float)
    return Poses(HAMMER, np.array([points], float), visibility=np.array([visibility]), boxes=boxes)


def wrench(points, visibility=(2, 2)):
    return Poses(WRENCH, np.array([points], float), visibility=np.array([visibility]), boxes=np.array(BOX))


TRUE = hammer([[10, 10], [20, 10], [90, 40]])


def test_the_truth_itself_is_perfect():
    result = pck([TRUE], [TRUE])
    assert (result.curve == 1).all() and result.area == 1 and result.error_px == 0 and result.median == 0


def test_the_threshold_is_strict_and_the_longer_side_counts():
    found = hammer([[20, 10], [20, 19.999], [90, 40]])
    result = pck([found], [TRUE])
    assert result.landmark("face").at(0.1) == 0
    assert result.landmark("claw").at(0.1) == 1
    tall = [[0, 0, 50, 200.0]]  # 20 px are 0.1 now
    result = pck([hammer([[29, 10], [20, 10], [90, 40]])], [hammer(TRUE.points[0], boxes=tall)])
    assert result.landmark("face").at(0.1) == 1


def test_overall_weighs_points_and_the_mean_weighs_landmarks():
    second = hammer([[10, 10], [nan, nan], [nan, nan]], [2, 0, 0])
    result = pck([hammer([[50, 50], [20, 10], [90, 40]]), hammer([[50, 50], [0, 0], [0, 0]])], [TRUE, second])
    assert result.counted == 4
    assert result.at(0.1) == 0.5
    assert result.mean_at(0.1) == pytest.approx(2 / 3)


def test_absent_landmarks_never_count():
    true = hammer([[10, 10], [nan, nan], [90, 40]], [2, 0, 1])
    result = pck([hammer([[10, 10], [500, 500], [nan, nan]])], [true])
    assert (result.counted, result.nonfinite, result.at(0.1)) == (2, 1, 0.5)
    assert np.isnan(result.landmark("claw").at(0.1))


@pytest.mark.parametrize(
    "policy, seen, hidden", [("count", 2 / 3, None), ("ignore", 1.0, None), ("separate", 1.0, 0.0)]
)
def test_hidden_landmarks_follow_the_policy(policy, seen, hidden):
    true = hammer([[10, 10], [20, 10], [90, 40]], [2, 1, 2])
    result = pck([hammer([[10, 10], [60, 10], [90, 40]])], [true], hidden=policy)
    assert result.at(0.1) == pytest.approx(seen)
    assert (result.hidden and result.hidden.at(0.1)) == hidden
    assert ("hidden PCK@0.1" in result.metrics()) == (policy == "separate")


def test_an_unknown_policy_is_named_with_its_neighbour():
    with pytest.raises(UserError, match="did you mean 'ignore'"):
        pck([TRUE], [TRUE], hidden="ignroe")  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", [nan, np.inf, -np.inf])
def test_a_prediction_that_is_not_finite_is_a_miss_and_is_reported(bad):
    result = pck([hammer([[bad, 10], [20, 10], [90, 40]])], [TRUE])
    assert result.nonfinite == 1
    assert result.at(0.2) == pytest.approx(2 / 3)
    assert result.error_px == 0  # never averaged
    assert all(v is None or np.isfinite(v) for v in result.metrics().values())


def test_predictions_far_out_of_range_overflow_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = pck([wrench([[1e308, -1e308], [-1e308, 1e308]])], [wrench([[10, 10], [90, 10]])])
    assert result.at(0.2) == 0


def test_labels_that_are_no_points_are_named_and_not_counted():
    true = hammer([[nan, 10], [20, 10], [90, 40]], [2, 2, 2])
    result = pck([TRUE], [true])
    assert result.unlabelled == ((0, 0, "face"),)
    assert result.counted == 2


@pytest.mark.parametrize("box", [[0, 0, 0, 50], [0, 0, 50, 0], [9, 9, 3, 3], [nan] * 4, [0, 0, np.inf, 9]])
def test_an_instance_without_a_box_is_left_out_and_named(box):
    result = pck([TRUE, TRUE], [TRUE, hammer(TRUE.points[0], boxes=[box])])
    assert result.boxless == ((1, 0),)
    assert result.counted == 3


def test_interchangeable_landmarks_are_matched_best():
    true = wrench([[10, 10], [90, 10]])
    assert pck([wrench([[90, 10], [10, 10]])], [true]).at(0.01) == 1
    assert pck([wrench([[12, 10], [13, 10]])], [true]).matched.tolist() == [[0, 1]]
    assert pck([hammer([[20, 10], [10, 10], [90, 40]])], [TRUE]).at(0.05) == pytest.approx(1 / 3)


def test_a_group_with_one_labelled_truth_takes_the_nearer_prediction():
    true = wrench([[10, 10], [nan, nan]], [2, 0])
    result = pck([wrench([[90, 10], [11, 10]])], [true])
    assert (result.counted, result.at(0.05)) == (1, 1.0)


def test_a_hidden_jaw_takes_its_own_prediction_even_when_it_is_ignored():
    true = wrench([[10, 10], [90, 10]], [2, 1])
    result = pck([wrench([[88, 10], [60, 10]])], [true], hidden="ignore")
    assert result.distances[0, 0] == 50 and np.isnan(result.distances[0, 1])


def test_a_point_that_is_not_finite_is_given_out_last():
    found = np.array([[[nan, nan], [500.0, 500.0]]])
    true = np.array([[[0.0, 0.0], [nan, nan]]])
    assert matching(found, true, [(0, 1)]).tolist() == [[1, 0]]


def test_matching_is_the_best_of_all_permutations(rng=np.random.default_rng(0)):
    from itertools import permutations

    found, true = rng.uniform(0, 100, (20, 4, 2)), rng.uniform(0, 100, (20, 4, 2))
    order = matching(found, true, [(0, 2, 3)])
    for n in range(20):
        sums = [
            np.linalg.norm(found[n, list(p)] - true[n, [0, 2, 3]], axis=-1).sum()
            for p in permutations([0, 2, 3])
        ]
        got = np.linalg.norm(found[n, order[n]] - true[n], axis=-1)[[0, 2, 3]].sum()
        assert got == pytest.approx(min(sums)) and order[n, 1] == 1


def test_the_area_is_the_limit_of_a_fine_curve():
    rng = np.random.default_rng(3)
    true = [hammer(rng.uniform(0, 100, (3, 2))) for _ in range(20)]
    found = [t.moved(t.points + rng.normal(0, 10, (1, 3, 2))) for t in true]
    fine = np.linspace(1e-4, 0.2, 2000)
    result = pck(found, true, alphas=tuple(fine))
    assert result.area == pytest.approx(result.curve.mean(), abs=1e-3)
    assert (np.diff(result.curve) >= 0).all()


@settings(max_examples=30, deadline=None)
@given(st.floats(0.1, 50), st.floats(-1000, 1000))
def test_scaling_and_moving_everything_changes_no_fraction(scale, shift):
    found = hammer([[16, 17], [60, 10], [90, 45]])
    here = pck([found], [TRUE])
    moved = [p.moved(p.points * scale + shift, p.boxes * scale + shift) for p in (found, TRUE)]
    there = pck(moved[:1], moved[1:])
    np.testing.assert_allclose(there.fractions, here.fractions, rtol=1e-6)


def test_nothing_to_score_is_nothing_and_not_zero():
    for result in (pck([], []), pck([Poses.empty(HAMMER)], [Poses.empty(HAMMER)])):
        assert result.counted == 0 and np.isnan(result.at(0.1)) and np.isnan(result.area)
        assert set(result.to_dict()["metrics"].values()) <= {None}


def test_lists_that_do_not_line_up_are_refused():
    with pytest.raises(ValueError, match="one prediction a picture"):
        pck([TRUE], [])
    with pytest.raises(ValueError, match="one prediction an instance.*got 0 for 1"):
        pck([Poses.empty(HAMMER)], [TRUE])
    with pytest.raises(ValueError, match="wanted face, claw, handle_end, got jaw_a, jaw_b"):
        pck([wrench([[1, 1], [2, 2]])], [TRUE])


def test_the_uncertainty_is_that_of_a_mean_over_instances():
    far = [[10, 60], [20, 60], [90, 100]]
    result = pck([TRUE] * 30 + [hammer(far)] * 10, [TRUE] * 40)  # all or nothing: 40 draws, not 120
    assert result.uncertainty(0.1) == pytest.approx(1.96 * np.sqrt(0.75 * 0.25 / 39))
    assert np.isnan(pck([TRUE], [TRUE]).uncertainty(0.1))


def test_the_dictionary_names_every_threshold():
    plain = pck([TRUE], [TRUE]).to_dict()
    assert all(f"PCK@{alpha:g}" in plain["metrics"] for alpha in ALPHAS)
    assert plain["per_landmark"]["claw"]["PCK@0.1"] == 1 and plain["per_landmark"]["claw"]["counted"] == 1
