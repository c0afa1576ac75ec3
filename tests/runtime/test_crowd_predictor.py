"""Everybody in a picture, from a model file: the toy whose answer is known."""

import numpy as np
import pytest
import torch
from throngs import SIZE, TRIO, TWO, Throng, crowd_picture, throng_card, write_throng

from heatmark import models
from heatmark.card import Card, Decoding
from heatmark.errors import DataError, UserError
from heatmark.runtime import load
from heatmark.runtime.crowd import CrowdPredictor
from heatmark.runtime.engines import with_candidates


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
    values, found, tags = with_candidates(Throng(), card)(pictures)
    plain = with_candidates(Throng(), throng_card())(pictures)
    assert tags.shape[-1] == 2 and plain[2].shape[-1] == 1
    torch.testing.assert_close(values, plain[0])
    torch.testing.assert_close(tags[0, :, :2].sum(-1), torch.full((3, 2), 8.0))  # left plus right


def test_a_card_of_a_crowd_holds_together():
    assert Card.from_json(throng_card().to_json()) == throng_card()
    with pytest.raises(ValueError, match="belong together"):
        throng_card(decoding=Decoding())
    with pytest.raises(DataError, match="belong together"):
        Card.from_json(throng_card().to_json().replace('"crowd"', '"single"'))
