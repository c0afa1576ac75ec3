"""SKU-110K's numbers, by hand; what is faulty counts against, not for; boxes that say the same."""

import numpy as np
import pytest

from heatmark.metrics.boxes import iou, nms, separated, soft_nms
from heatmark.metrics.dense import counting_error, dense_scores, found_at
from heatmark.types import Boxes


def row(count: int, side: float = 10.0, gap: float = 0.0) -> np.ndarray:
    left = np.arange(count) * (side + gap)
    return np.stack([left, np.zeros(count), left + side, np.full(count, side)], 1)


def test_a_perfect_answer_scores_one_and_none_scores_zero():
    truth = [Boxes(row(5)), Boxes(row(3))]
    assert set(dense_scores(truth, truth).metrics().values()) == {1.0}
    nothing = [Boxes(np.empty((0, 4)))] * 2
    assert set(dense_scores(nothing, truth).metrics().values()) == {0.0}


def test_half_found_by_boxes_that_overlap_by_080_scores_by_hand():
    """One of two is found, with IoU 0.8: right at the overlaps 0.5 to 0.8, seven of ten (0.80 counts).
    Precision is 1 up to recall 0.5: 51 of COCO's 101 recalls."""
    truth = [Boxes(np.array([[0.0, 0, 10, 10], [20, 0, 30, 10]]))]
    found = [Boxes(np.array([[0.0, 0, 10, 8]]), np.array([0.9]))]
    assert iou(found[0].boxes, truth[0].boxes)[0, 0] == 0.8
    scores = dense_scores(found, truth)
    assert scores.ap50 == pytest.approx(51 / 101) and scores.ap75 == pytest.approx(51 / 101)
    assert scores.ap == pytest.approx(0.7 * 51 / 101, abs=1e-6)
    assert scores.ar300_50 == 0.5 and scores.ar300 == pytest.approx(0.35)


def test_a_wrong_box_that_is_surer_than_a_right_one_halves_the_precision():
    truth = [Boxes(row(1))]
    found = [Boxes(np.array([[50.0, 50, 60, 60], [0, 0, 10, 10]]), np.array([0.9, 0.5]))]
    assert dense_scores(found, truth).ap50 == pytest.approx(0.5)
    assert dense_scores([found[0][[1, 0]]], truth).ap50 == pytest.approx(0.5)
    huge = [Boxes(np.array([[-1e6, -1e6, 1e6, 1e6], [0, 0, 10, 10]]), np.array([0.9, 0.5]))]
    assert dense_scores(huge, truth).ap50 == pytest.approx(0.5)


def test_three_hundred_boxes_count_and_not_one_hundred():
    truth = [Boxes(row(250))]
    assert dense_scores([Boxes(row(250), np.linspace(1, 0.5, 250))], truth).ap == pytest.approx(1.0)
    many = dense_scores([Boxes(row(350), np.linspace(1, 0.5, 350))], [Boxes(row(350))])
    assert many.ar300_50 == pytest.approx(300 / 350) and many.beyond == 50


def test_the_first_box_of_a_picture_is_found_like_any_other():
    """An id of 0 would be taken for no match."""
    truth = [Boxes(row(1))]
    assert dense_scores(truth, truth).ar300_50 == 1.0


def test_nan_boxes_and_scores_count_against_the_answer():
    truth = [Boxes(row(2))]
    nan = np.nan
    bad = np.array([[nan, 0, 10, 10], [0, 0, nan, nan], [5, 5, 5, 9], [9, 9, 3, 3]])
    scores = dense_scores([Boxes(bad, np.full(4, 0.9))], truth)
    assert scores.ap == 0 and scores.nonfinite == 4
    mixed = Boxes(np.concatenate([bad[:1], row(2)]), np.array([0.9, 0.8, 0.7]))
    assert dense_scores([mixed], truth).ap50 < 0.7
    unsure = Boxes(row(2), np.array([nan, nan]))
    assert dense_scores([unsure], truth).ap50 == 1.0  # last, but there
    wrong = Boxes(np.concatenate([row(2), row(2) + 100]), np.array([nan, nan, 0.1, 0.1]))
    assert dense_scores([wrong], truth).ap50 <= 0.51


def test_labels_without_an_area_ask_for_nothing():
    labels = np.concatenate([row(2), [[5, 5, 5, 9], [np.nan] * 4]])
    scores = dense_scores([Boxes(row(2))], [Boxes(labels)])
    assert scores.ap == 1.0 and scores.arealess == 2 and scores.boxes == 2
    empty = dense_scores([Boxes(row(2))], [Boxes(np.empty((0, 4)))])
    assert empty.metrics()["AP"] is None and empty.to_dict()["counts"]["predicted"] == 2


def test_what_is_found_in_a_crowd_is_neither_right_nor_wrong():
    """Two wholly in the crowd; one of which half lies in it is passed over up to 0.5, and wrong above."""
    crowd, truth = np.array([[100.0, 0, 200, 50]]), [Boxes(row(1))]
    inside = np.array([[110.0, 5, 120, 15], [150, 5, 160, 15]])
    found = Boxes(np.concatenate([inside, row(1)]), np.array([0.9, 0.9, 0.5]))
    assert dense_scores([found], truth).ap50 == pytest.approx(1 / 3)
    assert dense_scores([found], truth, [crowd]).ap == pytest.approx(1.0)
    half = Boxes(np.concatenate([[[95.0, 5, 105, 15]], row(1)]), np.array([0.9, 0.5]))
    scores = dense_scores([half], truth, [crowd])
    assert scores.ap50 == pytest.approx(1.0) and scores.ap75 == pytest.approx(0.5)
    assert scores.boxes == 1 and scores.ar300 == 1


def test_found_boxes_are_those_that_coco_would_match():
    rng = np.random.default_rng(0)
    labels = row(40, gap=-3)
    noisy = np.concatenate([labels + rng.normal(0, 2, labels.shape), row(10) + 200])
    found = Boxes(noisy, rng.random(len(noisy)))
    recall = dense_scores([found], [Boxes(labels)]).ar300_50
    assert found_at(found, Boxes(labels)).mean() == pytest.approx(recall)


def test_counting_is_wrong_by_as_much_as_it_is():
    assert counting_error([3, 5], [3, 5])["MAE"] == 0
    assert counting_error([0, 10], [10, 0]) == {"MAE": 10, "RMSE": 10, "bias": 0, "share": 2}
    assert np.isnan(counting_error([], [])["MAE"])


def test_suppression_keeps_the_surest_of_a_heap_and_every_lone_box():
    heap = np.array([[0.0, 0, 10, 10], [1, 0, 11, 10], [2, 0, 12, 10], [40, 0, 50, 10]])
    assert nms(heap, np.array([0.5, 0.9, 0.7, 0.1])).tolist() == [1, 3]
    assert nms(np.empty((0, 4)), np.empty(0)).tolist() == []


def test_suppression_is_what_one_gets_box_by_box():
    """The surest goes out, and with it every other that overlaps it by more; and so on; ties in order."""
    rng = np.random.default_rng(4)
    for n in (1, 7, 150):
        low = rng.uniform(0, 60, (n, 2)).round()
        boxes, scores = np.concatenate([low, low + rng.integers(0, 25, (n, 2))], 1), rng.random(n).round(1)
        left, wanted = sorted(range(n), key=lambda i: -scores[i]), []
        while left:
            wanted.append(left.pop(0))
            left = [i for i in left if iou(boxes[wanted[-1:]], boxes[[i]])[0, 0] <= 0.4]
        assert nms(boxes, scores, 0.4).tolist() == wanted


def test_soft_suppression_lowers_scores_by_the_papers_formula():
    pair = np.array([[0.0, 0, 10, 10], [0, 0, 10, 5]])  # IoU 0.5
    order, scores = soft_nms(pair, np.array([0.9, 0.8]))
    assert order.tolist() == [0, 1]
    assert scores.tolist() == pytest.approx([0.9, 0.8 * np.exp(-0.25 / 0.5)])
    assert soft_nms(pair, np.array([0.9, 0.8]), least=0.6)[0].tolist() == [0]


def test_soft_suppression_is_what_one_gets_box_by_box():
    """The surest goes out; every other loses exp(-IoU^2 / sigma); and so on. Boxes without an area, too."""
    rng = np.random.default_rng(3)
    low = rng.uniform(0, 60, (120, 2))
    boxes, before = np.concatenate([low, low + rng.uniform(0, 25, (120, 2))], 1), rng.random(120).round(2)
    boxes[5, 2:] = boxes[5, :2]
    now, left, wanted = before.copy(), list(range(120)), []
    while left:
        best = max(left, key=lambda n: now[n])
        left.remove(best)
        wanted += [(best, now[best])] if now[best] >= 0.05 else []
        for n in left:
            now[n] *= np.exp(-(iou(boxes[[best]], boxes[[n]])[0, 0] ** 2) / 0.3)
    order, scores = soft_nms(boxes, before, sigma=0.3, least=0.05)
    assert order.tolist() == [n for n, _ in wanted]
    np.testing.assert_allclose(scores, [score for _, score in wanted], rtol=1e-12)
    assert soft_nms(boxes[:0], before[:0])[0].tolist() == [] == soft_nms(boxes, before, least=1.1)[0].tolist()


def test_neighbours_with_peaks_of_their_own_survive_what_nms_would_merge():
    """Two products that overlap by 0.6, each found twice."""
    boxes = np.array([[0.0, 0, 10, 10], [0.5, 0, 10.5, 10], [2.5, 0, 12.5, 10], [2.6, 0, 12.6, 10]])
    scores, peaks = np.array([0.9, 0.8, 0.7, 0.6]), np.array([4, 4, 9, 9])
    assert nms(boxes, scores).tolist() == [0]
    assert separated(boxes, scores, peaks).tolist() == [0, 2]
    assert separated(boxes, scores, np.full(4, -1)).tolist() == [0]  # those without a peak share none
    assert separated(boxes, scores, peaks, other=0.5).tolist() == [0]
