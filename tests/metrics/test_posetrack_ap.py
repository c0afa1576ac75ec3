"""PoseTrack's average precision: matching, false positives and averages, by hand."""

from typing import Any

import numpy as np
import pytest

from heatmark.metrics.posetrack import GROUPS, JOINTS, average_precision, mean_ap
from heatmark.types import Poses, Skeleton

PERSON = Skeleton("person", JOINTS)
HEAD = np.array([0.0, 0.0, 30.0, 40.0])  # diagonal 50: 0.6 * 50 * 0.5 = 15 px is near


def body(x: float, y: float = 100.0) -> np.ndarray:
    """(15, 2) points 40 px apart."""
    return np.stack([x + 40.0 * np.arange(15), np.full(15, y)], -1)


def poses(*bodies: np.ndarray, scores: Any = None, skeleton=PERSON) -> Poses:
    points = np.array(bodies).reshape(-1, len(skeleton), 2)
    return Poses(skeleton, points, scores=scores)


def scored(found: Poses, true: Poses, **more):
    return mean_ap([found], [true], [np.tile(HEAD, (len(true), 1))], **more)


def test_perfect_answers_are_one_and_none_are_zero():
    true = poses(body(0), body(0, 300))
    assert scored(true, true).metrics() == {n: 1.0 for n in (*GROUPS, "mAP", "precision", "recall")}
    assert scored(poses(), true).metrics()["mAP"] == 0.0


def test_half_the_heads_size_is_near_and_a_little_more_is_not():
    true, answer = poses(body(0)), body(0)
    answer[JOINTS.index("nose"), 1] += 15.0
    answer[JOINTS.index("head_top"), 1] += 15.1
    ap = scored(poses(answer), true).ap
    assert ap["nose"] == 1.0 and ap["head_top"] == 0.0
    assert scored(poses(answer), true).metrics()["Head"] == pytest.approx(2 / 3)


def test_a_second_answer_to_the_same_person_is_false_in_every_joint():
    result = scored(
        poses(body(1), body(0), scores=np.stack([np.full(15, 0.5), np.full(15, 0.9)])), poses(body(0))
    )
    # both have all joints near: the first found is the match, and the higher score is the false one
    assert result.ap["nose"] == pytest.approx(0.5) and result.false_positives["nose"] == 1
    assert result.metrics()["precision"] == 0.5 and result.metrics()["recall"] == 1.0


def test_each_answer_goes_to_the_person_it_fits_best():
    near = body(0)
    near[:8] = body(0, 300)[:8]  # eight joints of the second person, seven of the first
    result = scored(poses(near), poses(body(0), body(0, 300)))
    assert [result.recall[j] for j in (JOINTS[0], JOINTS[14])] == [0.5, 0.0]
    assert result.false_positives[JOINTS[14]] == 1


def test_a_joint_without_a_label_is_a_false_positive_and_one_not_found_is_a_miss():
    true, answer = body(0), body(0)
    true[JOINTS.index("left_knee")] = np.nan
    answer[JOINTS.index("right_knee")] = np.nan
    result = scored(poses(answer), poses(true))
    assert np.isnan(result.ap["left_knee"]) and result.false_positives["left_knee"] == 1
    assert result.ap["right_knee"] == 0.0
    assert result.metrics()["Knee"] == 0.0 and result.metrics()["mAP"] == pytest.approx(13 / 14)


def test_frames_without_a_person_are_left_out_and_ignored_regions_take_both_sides():
    nobody, somebody = poses(), poses(body(0))
    result = mean_ap([somebody, somebody], [nobody, somebody], [np.zeros((0, 4)), HEAD[None]])
    assert result.frames == 1 and result.metrics()["precision"] == 1.0
    square = np.array([[500.0, 80], [700, 80], [700, 120], [500, 120]])  # the last two joints: x 520 and 560
    extra = poses(body(0), body(0, 300))
    result = scored(extra, poses(body(0)), ignored=[[square]])
    assert np.isnan(result.ap[JOINTS[14]]) and result.false_positives[JOINTS[14]] == 1
    assert result.ap[JOINTS[0]] == 1.0 and result.precision[JOINTS[0]] == 0.5


def test_the_area_is_under_the_envelope():
    right = np.array([True, False, False, True, True])
    # recall 1/4 at precision 1, then 2/4 and 3/4 at best at 3/5
    assert average_precision(np.arange(5.0)[::-1], right, 4) == pytest.approx(0.25 + 0.5 * 0.6)


def test_scores_that_are_not_finite_come_last_and_other_names_are_understood():
    other = Skeleton("person", tuple("neck" if j == "head_bottom" else j for j in JOINTS) + ("left_ear",))
    points = np.concatenate([np.array([body(0), body(0, 300)]), np.full((2, 1, 2), np.nan)], 1)
    found = poses(*points, skeleton=other, scores=np.stack([np.full(16, np.nan), np.full(16, 0.1)]))
    result = scored(found, poses(body(0, 300)))
    assert result.ap["head_bottom"] == 1.0 and result.precision["head_bottom"] == 0.5


def test_what_does_not_line_up_is_told():
    true = poses(body(0))
    with pytest.raises(ValueError, match="do not agree"):
        mean_ap([true], [true], [])
    with pytest.raises(ValueError, match="frame 0: 2 heads for 1 people"):
        mean_ap([true], [true], [np.zeros((2, 4)) + HEAD])
    with pytest.raises(ValueError, match="frame 0: a head's box has no size"):
        mean_ap([true], [true], [np.zeros((1, 4))])
    with pytest.raises(ValueError, match="'spots' has no head_bottom"):
        mean_ap([poses(skeleton=Skeleton("spots", ("nose",)))], [true], [HEAD[None]])
