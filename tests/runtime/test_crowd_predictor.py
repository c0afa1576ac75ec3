"""Everybody in a picture, from a model file: the toy whose answer is known."""

import numpy as np
import pytest
import torch
from throngs import SIZE, TRIO, TWO, Throng, crowd_picture, throng_card, write_throng

from heatmark import models
from heatmark.card import Card, Decoding
from heatmark.errors import DataError, UserError
from heatmark.runtime import load
from heatmark.runtime.crowd import CrowdPredictor, letterboxed
from heatmark.runtime.decoding import CandidateReader
from heatmark.types import Skeleton


@pytest.fixture
def throng(tmp_path, monkeypatch):
    monkeypatch.setitem(models.CROWDS, "throng", Throng)
    return load(write_throng(tmp_path / "throng.safetensors"))


def places(poses) -> np.ndarray:
    """Points (N, K, 2), the person on the left first."""
    return poses.points[np.argsort(poses.points[:, 0, 0])]


def test_two_persons_are_found_where_they_are(throng):
    assert isinstance(throng, CrowdPredictor)
    poses = throng(crowd_picture(*TWO))
    assert len(poses) == 2 and poses.skeleton == TRIO
    np.testing.assert_allclose(places(poses), np.array(TWO, float), atol=1.0)
    assert (poses.scores > 0.8).all() and (np.diff(poses.score) <= 0).all()


def test_a_larger_picture_gives_its_own_pixels(throng):
    people = np.array(TWO) * 2
    poses = throng(crowd_picture(*people.tolist(), size=(96, 192)))
    np.testing.assert_allclose(places(poses), people, atol=2.0)


def test_nobody_is_nobody_and_a_person_may_lack_a_landmark(throng):
    assert len(throng(np.zeros((*SIZE, 3), np.uint8))) == 0
    picture = crowd_picture(*TWO)
    picture[:, :48, 1] = 0  # the left one's green spot
    left = places(throng(picture))[0]
    assert np.isnan(left[1]).all() and np.isfinite(left[[0, 2]]).all()


def test_around_a_letterboxed_picture_is_nobody():
    """48 x 48 in a network of 48 x 96: the picture lies at x 24 to 72, and one of each landmark beside it."""
    inside, left, below = (
        [40.0, 20.0],
        [22.5, 20.0],
        [60.0, 47.5],
    )  # a cell is 2 wide: half of it may stick out
    places = [[inside, left], [left, inside], [left, below]]
    finder = told([[0.9, 0.8], [0.9, 0.8], [0.9, 0.8]], places, [[[0.0], [9.0]]] * 3)
    poses = finder(np.zeros((48, 48, 3), np.uint8))
    assert len(poses) == 2 and np.isfinite(poses.points).all(-1).sum() == 3
    assert np.nanmin(poses.points) == 16 and np.nanmax(poses.points) == 47.5  # x 24 is the picture's 0
    assert len(finder(np.zeros((*SIZE, 3), np.uint8))) == 2  # where all of it is the picture
    assert np.nanmin(finder(np.zeros((*SIZE, 3), np.uint8)).points) == 20


def test_several_pictures_at_once_are_as_one_by_one(throng):
    pictures = [crowd_picture(TWO[0]), np.zeros((30, 200, 3), np.uint8), crowd_picture(*TWO)]
    for together, alone in zip(throng.many(pictures), pictures):
        assert together == throng(alone)
    assert throng.many([]) == []


def test_boxes_and_second_looks_are_refused(throng):
    with pytest.raises(UserError, match="no boxes and no second look"):
        throng(crowd_picture(*TWO), boxes=np.array([[0, 0, 9, 9.0]]))
    with pytest.raises(UserError, match="no boxes and no second look"):
        throng(crowd_picture(*TWO), second_look=True)


def test_the_flip_test_adds_a_tag_and_finds_the_same(throng):
    card = throng_card(decoding=Decoding(method="tags", refine="quarter", threshold=0.1, flip=True))
    pictures = torch.from_numpy(crowd_picture(*TWO).transpose(2, 0, 1)[None] / np.float32(255))
    values, found, tags = CandidateReader(Throng(), card)(pictures)
    plain = CandidateReader(Throng(), throng_card())(pictures)
    assert tags.shape[-1] == 2 and plain[2].shape[-1] == 1
    torch.testing.assert_close(values, plain[0])
    torch.testing.assert_close(tags[0, :, :2].sum(-1), torch.full((3, 2), 8.0))  # left plus right


def test_a_card_of_a_crowd_holds_together():
    assert Card.from_json(throng_card().to_json()) == throng_card()
    with pytest.raises(ValueError, match="belong together"):
        throng_card(decoding=Decoding())
    with pytest.raises(DataError, match="belong together"):
        Card.from_json(throng_card().to_json().replace('"crowd"', '"single"'))


# ---- bad input is answered ----


@pytest.mark.parametrize("size", [(1, 1), (1, 200), (200, 1), (3, 2)])
def test_pictures_smaller_than_a_cell_are_answered(throng, size):
    assert throng(np.zeros((*size, 3), np.uint8)).points.shape[1:] == (3, 2)
    assert np.isfinite(throng(np.full((*size, 3), 255, np.uint8)).scores).all()


def told(values, places, tags, skeleton=TRIO) -> CrowdPredictor:
    """A model whose file answers this of every picture."""
    columns = {"values": values, "places": places, "tags": tags}
    answer = {name: np.array(column, np.float32)[None] for name, column in columns.items()}
    return CrowdPredictor(letterboxed(lambda _: answer, card := throng_card(skeleton=skeleton)), card)


def test_tags_and_places_that_are_no_numbers_belong_to_nobody():
    values = np.full((3, 2), 0.9)
    spots = np.arange(12.0).reshape(3, 2, 2)
    picture = np.zeros((*SIZE, 3), np.uint8)
    assert len(told(values, spots, np.full((3, 2, 1), np.nan))(picture)) == 0
    assert len(told(np.full((3, 2), np.inf), spots, np.zeros((3, 2, 1)))(picture)) == 0
    half = np.where(np.arange(2)[None, :, None] == 0, 1.0, np.nan) * np.ones((3, 2, 1))
    alone = told(values, spots, half)(picture)
    np.testing.assert_allclose(alone.points, spots[None, :, 0])  # the picture is as large as the network's


def test_three_hundred_candidates_a_landmark_of_equal_tags_are_three_hundred_persons_at_most():
    rng = np.random.default_rng(0)
    values, spots = -np.sort(-rng.uniform(0.2, 1, (3, 300))), rng.uniform(0, 48, (3, 300, 2))
    poses = told(values, spots, np.full((3, 300, 1), 0.5))(np.zeros((*SIZE, 3), np.uint8))
    assert len(poses) == 300 and np.isfinite(poses.points).all()
    assert len(np.unique(poses.points.reshape(-1, 2), axis=0)) == 900  # no candidate is given twice


def test_a_skeleton_of_one_landmark_makes_a_person_of_every_peak():
    one = Skeleton("dot", ("dot",))
    poses = told([[0.9, 0.8, 0.05]], [[[5, 5], [30, 9], [60, 9]]], [[[0], [0], [0]]], one)(
        np.zeros((*SIZE, 3), np.uint8)
    )
    assert poses.points.tolist() == [[[5, 5]], [[30, 9]]]  # the third is too low to begin a person


def test_more_candidates_than_cells_are_as_many_as_there_are_cells():
    card = throng_card(decoding=Decoding(method="tags", refine="quarter", threshold=0.1, peaks=300))
    values, places, tags = CandidateReader(Throng(), card)(torch.rand(1, 3, 4, 6))
    assert values.shape == (1, 3, 6) and places.shape == (1, 3, 6, 2) and tags.shape == (1, 3, 6, 1)
    assert torch.isfinite(values).all()
