"""The words check themselves, and say what is wrong."""

import pickle

import numpy as np
import pytest

from heatmark import Boxes, Poses, Sample, Skeleton, UserError

HAMMER = Skeleton("hammer", ("face", "claw", "handle_end"), bones=(("face", "claw"),), sigmas={"face": 0.03})
WRENCH = Skeleton("wrench", ("jaw_a", "mark", "jaw_b"), interchangeable=(("jaw_a", "jaw_b"),))


def test_a_skeleton_survives_json_and_pickle():
    for skeleton in (HAMMER, WRENCH):
        assert Skeleton.from_dict(skeleton.to_dict()) == skeleton
        assert pickle.loads(pickle.dumps(skeleton)) == skeleton


def test_interchangeable_landmarks_share_a_channel_and_others_have_their_own():
    assert WRENCH.channels == ((0, 2), (1,))
    assert HAMMER.channels == ((0,), (1,), (2,))


def test_mirroring_swaps_the_named_pairs_and_twice_is_nothing():
    face = Skeleton("face", ("nose", "left", "right"), mirror=(("left", "right"),))
    assert face.mirrored.tolist() == [0, 2, 1]
    assert face.mirrored[face.mirrored].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"landmarks": ()}, "no landmarks"),
        ({"landmarks": ("a", "a")}, "twice: a"),
        ({"landmarks": ("face", "claw"), "bones": (("face", "clow"),)}, "did you mean 'claw'"),
        ({"landmarks": ("a", "b"), "bones": (("a", "b", "a"),)}, "pairs"),
        ({"landmarks": ("a", "b", "c"), "mirror": (("a", "b"), ("b", "c"))}, "stands twice in mirror"),
        ({"landmarks": ("a",), "sigmas": {"a": -1}}, "sigmas must be positive"),
        ({"landmarks": ("a",), "parts": {"p": ("z",)}}, "no landmark of 'thing' is called 'z'"),
    ],
)
def test_a_wrong_skeleton_is_refused_with_the_reason(fields, text):
    with pytest.raises(UserError, match=text):
        Skeleton("thing", **fields)


def test_an_unknown_skeleton_field_names_its_neighbour():
    with pytest.raises(UserError, match="did you mean 'landmarks'"):
        Skeleton.from_dict({"name": "x", "landmark": ["a"]})


def test_poses_fill_in_what_follows_from_the_points():
    poses = Poses(HAMMER, np.array([[[1, 2], [np.nan, np.nan], [5, 6]]]))
    assert poses.visibility.tolist() == [[2, 0, 2]]
    assert poses.scores.tolist() == [[1, 0, 1]]
    assert poses.score.tolist() == [1.0]
    assert np.isnan(poses.boxes).all()


def test_poses_are_picked_joined_and_compared_like_lists():
    poses = Poses(
        HAMMER, np.arange(12.0).reshape(2, 3, 2), scores=np.array([[0.1, 0.2, 0.3], [0.9, 0.8, 0.7]])
    )
    assert len(poses[poses.score > 0.5]) == 1
    assert poses[1].points.shape == (1, 3, 2)
    assert Poses.join(HAMMER, [poses[0], poses[1]]) == poses
    assert len(Poses.empty(HAMMER)) == 0 and Poses.join(HAMMER, []) == Poses.empty(HAMMER)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"points": np.zeros((2, 4, 2))}, r"must be \(N, 3, 2\), got \(2, 4, 2\)"),
        ({"points": np.zeros((2, 3, 2)), "scores": np.zeros(3)}, r"scores must be \(2, 3\)"),
        ({"points": np.zeros((1, 3, 2)), "visibility": np.full((1, 3), 7)}, "0, 1 or 2, got 7"),
        ({"points": np.zeros((1, 3, 2)), "boxes": np.zeros((2, 4))}, r"boxes must be \(1, 4\)"),
    ],
)
def test_wrong_shapes_are_refused(fields, text):
    with pytest.raises(ValueError, match=text):
        Poses(HAMMER, **fields)


def test_boxes_check_their_labels():
    assert len(Boxes(np.zeros((3, 4)))[[0, 2]]) == 2
    with pytest.raises(ValueError, match="0..0"):
        Boxes(np.zeros((1, 4)), labels=np.array([1]))
    with pytest.raises(ValueError, match=r"\(N, 4\)"):
        Boxes(np.zeros((1, 3)))


def test_a_sample_wants_an_rgb_picture_and_planes_of_its_size():
    poses = Poses.empty(HAMMER)
    assert Sample(np.zeros((4, 6, 3), np.uint8), poses).size == (4, 6)
    with pytest.raises(ValueError, match="uint8"):
        Sample(np.zeros((4, 6, 3)), poses)
    with pytest.raises(ValueError, match="depth"):
        Sample(np.zeros((4, 6, 3), np.uint8), poses, depth=np.zeros((6, 4), np.float32))
