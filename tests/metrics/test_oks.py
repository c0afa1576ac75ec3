"""OKS, and AP and AR over it, against numbers made by hand and a plain reckoning."""

import numpy as np
import pytest

from heatmark.metrics.oks import average_precision, oks, oks_nms, rescored
from heatmark.types import Poses, Skeleton

PAIR = Skeleton("pair", ("a", "b"), sigmas={"a": 0.05, "b": 0.1})
BOX = [[0.0, 0.0, 100.0, 100.0]]  # area 10,000: a tolerance of 0.05 is 10 pixels, 0.1 is 20


def poses(points: list, **more) -> Poses:
    return Poses(PAIR, np.array(points, float), **{name: np.array(value) for name, value in more.items()})


TRUE = poses([[[20, 20], [80, 80]]], boxes=BOX)
FINE = np.linspace(0, 1, 101)  # the recalls at which COCO reads precision


def moved(*by: float, score: float = 0.9) -> Poses:
    """The two landmarks moved to the right by so many pixels."""
    return poses([[[20 + by[0], 20], [80 + by[1], 80]]], score=[score])


def similarity(found: Poses, true: Poses = TRUE) -> float:
    return float(oks(found.points, true.points, np.array([10_000.0]), PAIR.tolerances)[0, 0])


def test_a_landmark_as_far_as_its_tolerance_counts_exp_of_minus_a_half():
    assert similarity(moved(0, 0)) == 1
    assert similarity(moved(10, 20)) == pytest.approx(np.exp(-0.5))
    assert similarity(moved(0, 20)) == pytest.approx((1 + np.exp(-0.5)) / 2)


def test_only_labelled_landmarks_count_and_what_was_not_found_is_a_miss():
    half = poses([[[20, 20], [np.nan, np.nan]]], boxes=BOX)
    assert similarity(moved(0, 500), half) == 1
    assert similarity(moved(0, np.nan)) == 0.5 and similarity(moved(np.inf, np.nan)) == 0
    assert similarity(moved(0, 1e200)) == 0.5
    assert np.isnan(similarity(moved(0, 0), poses([[[np.nan] * 2] * 2])))


def test_an_exact_answer_has_ap_1_and_none_has_0():
    assert average_precision([TRUE], [TRUE]).metrics() == dict.fromkeys(
        ("AP", "AP50", "AP75", "APL", "AR", "AR50", "AR75", "ARL"), 1.0
    ) | {"APM": None, "ARM": None}
    nothing = average_precision([Poses.empty(PAIR)], [TRUE])
    assert nothing.ap == nothing.ar == 0 and nothing.instances == 1


@pytest.mark.parametrize(("by", "passes"), [((10, 20), 3), ((0, 20), 7), ((0, 0), 10)])
def test_ap_is_the_share_of_thresholds_that_one_answer_passes(by, passes):
    """exp(-1/2) = 0.607 is at least 0.5, 0.55, 0.6; 0.803 at least 0.5 ... 0.8."""
    result = average_precision([moved(*by)], [TRUE])
    assert result.ap == pytest.approx(passes / 10) and result.ar == pytest.approx(passes / 10)
    assert result.ap50 == 1 and result.ap75 == float(passes >= 6)


def test_a_wrong_answer_before_the_right_one_halves_precision_and_after_it_costs_nothing():
    both = Poses.join(PAIR, [moved(0, 0, score=0.5), moved(300, 300, score=0.9)])
    assert average_precision([both], [TRUE]).ap == pytest.approx(0.5)
    both = Poses.join(PAIR, [moved(0, 0, score=0.9), moved(300, 300, score=0.5)])
    assert average_precision([both], [TRUE]).ap == pytest.approx(1.0)


def test_a_wrong_answer_is_wrong_however_large_it_is():
    far = poses([[[-1e6, -1e6], [1e6, 1e6]]], score=[0.95])
    assert average_precision([Poses.join(PAIR, [moved(0, 0), far])], [TRUE]).ap == pytest.approx(0.5)


def test_an_object_that_was_not_found_costs_recall():
    two = poses([[[20, 20], [80, 80]], [[320, 320], [380, 380]]], boxes=[*BOX, [300.0, 300, 400, 400]])
    result = average_precision([moved(0, 0)], [two])
    assert result.ar == 0.5 and result.ap == pytest.approx(51 / 101) and result.instances == 2


def test_a_prediction_that_is_not_finite_is_a_miss_and_is_counted():
    result = average_precision([moved(np.nan, np.nan)], [TRUE])
    assert result.ap == 0 and result.ar == 0 and result.nonfinite == 2
    assert result.metrics()["APL"] == 0
    wrong_and_nan = Poses.join(PAIR, [moved(np.nan, np.nan, score=0.95), moved(0, 0)])
    assert average_precision([wrong_and_nan], [TRUE]).ap == pytest.approx(0.5)  # it is not excused
    assert average_precision([moved(0, np.nan)], [TRUE]).ap == pytest.approx(0.1)  # OKS 0.5
    assert average_precision([moved(0, 1e300)], [TRUE]).ap == pytest.approx(0.1)


def test_a_score_that_is_not_finite_comes_last():
    both = Poses.join(PAIR, [moved(300, 300, score=np.nan), moved(0, 0, score=0.1)])
    assert average_precision([both], [TRUE]).ap == pytest.approx(1.0)


def test_the_twenty_best_answers_count():
    wrong = [moved(300, 300, score=0.9) for _ in range(20)]
    assert average_precision([Poses.join(PAIR, [*wrong, moved(0, 0, score=0.5)])], [TRUE]).ar == 0
    assert average_precision([Poses.join(PAIR, [*wrong[1:], moved(0, 0, score=0.5)])], [TRUE]).ar == 1


def test_medium_and_large_are_by_area():
    small = poses([[[20, 20], [50, 50]]], boxes=[[10.0, 10, 60, 60]])  # 2,500: between 32^2 and 96^2
    exact, off = average_precision([small, TRUE], [small, TRUE]), moved(500, 500)
    assert exact.ap_medium == exact.ap_large == 1
    one = average_precision([small, off], [small, TRUE])
    assert one.ap_medium == 1 and one.ap_large == 0
    given = average_precision([TRUE], [TRUE], areas=[np.array([2_500.0])])
    assert given.ap_medium == 1 and np.isnan(given.ap_large)


def test_what_nobody_labelled_neither_asks_nor_blames():
    blank = poses([[[20, 20], [80, 80]], [[np.nan] * 2] * 2], boxes=[*BOX, [300.0, 300, 400, 400]])
    inside = poses([[[20, 20], [80, 80]], [[320, 320], [380, 390]]], score=[0.5, 0.9])
    assert average_precision([inside], [blank]).ap == pytest.approx(1.0)
    assert average_precision([inside], [TRUE]).ap == pytest.approx(0.5)
    crowd = [{"bbox": [300, 300, 100, 100], "area": 40_000, "iscrowd": 1}]
    assert average_precision([inside], [TRUE], crowds=[crowd]).ap == pytest.approx(1.0)
    absent = poses([[[20, 20], [80, 80]]], boxes=BOX, visibility=[[0, 0]])
    assert np.isnan(average_precision([TRUE], [absent]).ap)
    assert np.isnan(average_precision([], []).ap)


def test_each_landmark_alone():
    found = moved(0, 20)
    result = average_precision([found], [TRUE], per_landmark=True)
    assert result.per_landmark == pytest.approx({"a": 1.0, "b": 0.3})
    assert result.to_dict()["per_landmark"]["a"] == {"AP": pytest.approx(1.0)}


def test_a_landmark_that_is_not_labelled_is_asked_for_only_by_the_released_code():
    half = poses([[[20, 20], [80, 80]], [[320, 320], [np.nan] * 2]], boxes=[*BOX, [300.0, 300, 400, 400]])
    found = poses([[[20, 20], [80, 80]], [[320, 320], [380, 380]]], score=[0.9, 0.8])
    ours = average_precision([found], [half], per_landmark=True).per_landmark["b"]
    theirs = average_precision([found], [half], per_landmark=True, legacy=True).per_landmark["b"]
    assert ours == pytest.approx(1.0) and theirs < 0.6


def plain(predicted: list[Poses], truth: list[Poses]) -> tuple[float, float]:
    """AP and AR in plain Python, where everything is labelled and nothing is a crowd."""
    aps, recalls = [], []
    total = sum(len(t) for t in truth)
    for threshold in np.arange(0.5, 0.96, 0.05):
        answers = []
        for found, true in zip(predicted, truth):
            areas = (true.boxes[:, 2:] - true.boxes[:, :2]).prod(-1)
            alike = oks(found.points, true.points, areas, PAIR.tolerances)
            free = set(range(len(true)))
            for n in np.argsort(-found.score, kind="stable")[:20]:
                best = max(free, key=lambda m: alike[n, m], default=None)  # noqa: B023
                hit = best is not None and alike[n, best] >= threshold - 1e-10
                free -= {best} if hit else set()
                answers.append((found.score[n], hit))
        hits = np.array([hit for _, hit in sorted(answers, key=lambda a: -a[0])])
        recall, precision = hits.cumsum() / total, hits.cumsum() / np.arange(1, len(hits) + 1)
        reached = [precision[recall >= r - 1e-12].max(initial=0) for r in FINE]
        aps.append(np.mean(reached))
        recalls.append(recall[-1])
    return float(np.mean(aps)), float(np.mean(recalls))


def test_numbers_agree_with_a_plain_reckoning():
    rng = np.random.default_rng(0)
    truth, predicted = [], []
    for _ in range(12):
        n = rng.integers(1, 4)
        corner = rng.uniform(0, 400, (n, 1, 2))
        points = corner + rng.uniform(0, 100, (n, 2, 2))
        boxes = np.concatenate([corner[:, 0], corner[:, 0] + rng.uniform(60, 120, (n, 2))], -1)
        truth.append(Poses(PAIR, points, boxes=boxes))
        again = np.concatenate([points, points[:1] + 3, rng.uniform(0, 400, (1, 2, 2))])
        scores = rng.uniform(size=len(again))
        predicted.append(Poses(PAIR, again + rng.normal(0, 8, again.shape), score=scores))
    result = average_precision(predicted, truth)
    assert (result.ap, result.ar) == pytest.approx(plain(predicted, truth), abs=1e-6)
    assert 0.2 < result.ap < 0.9


def test_of_the_same_object_the_best_answer_stays():
    all_of = Poses.join(PAIR, [moved(1, 1, score=0.5), moved(0, 0, score=0.9), moved(300, 300, score=0.7)])
    areas = np.full(3, 10_000.0)
    kept, scores = oks_nms(all_of.points, all_of.score, areas, PAIR.tolerances)
    assert kept.tolist() == [1, 2] and scores.tolist() == [0.9, 0.7]
    kept, scores = oks_nms(all_of.points, all_of.score, areas, PAIR.tolerances, soft=True)
    near = similarity(moved(1, 1))
    assert kept.tolist() == [1, 2, 0] and scores == pytest.approx(
        [0.9, 0.7, 0.5 * np.exp(-(near**2) / 0.9)], rel=1e-3
    )
    assert len(oks_nms(all_of.points[:0], np.empty(0), np.empty(0), PAIR.tolerances)[0]) == 0


def test_suppression_takes_the_mean_of_both_areas():
    both = Poses.join(PAIR, [moved(0, 0), moved(4, 8, score=0.5)])
    for areas, stays in (((10_000.0, 10_000.0), 1), ((10_000.0, 1_000.0), 2)):
        assert len(oks_nms(both.points, both.score, np.array(areas), PAIR.tolerances)[0]) == stays


def test_a_score_is_the_boxs_times_the_mean_of_the_sure_landmarks():
    assert rescored(np.array([[0.9, 0.2, 0.3]]), np.array([0.5])).tolist() == [pytest.approx(0.3)]


def test_lists_that_do_not_line_up_are_told():
    with pytest.raises(ValueError, match="predictions are wanted for every picture: got 0 for 1"):
        average_precision([], [TRUE])
    with pytest.raises(ValueError, match="picture 0: 2 areas for 1 instances"):
        average_precision([TRUE], [TRUE], areas=[np.ones(2)])
    with pytest.raises(ValueError, match="the same everywhere, wanted a, b, got a$"):
        average_precision([Poses.empty(Skeleton("one", ("a",)))], [TRUE])
