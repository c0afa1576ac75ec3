"""The video of people who move: who moves, where to, and a dataset that its frames' labels are."""

import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))  # benchmarks is no part of the package

from benchmarks import crowd_video  # noqa: E402
from heatmark.data import open_dataset  # noqa: E402
from heatmark.synth.scene import Camera, Light, Placed, Scene, Source  # noqa: E402
from heatmark.types import Poses, Sample, Skeleton  # noqa: E402


def matrix(*move: float) -> Any:
    rows = np.eye(4)
    rows[:3, 3] = move
    return tuple(map(tuple, rows.tolist()))


@pytest.fixture
def scene():
    """Two people before a camera whose x is the world's x."""
    source = Source(kind="family", name="people")
    people = tuple(Placed(source=source, matrix=matrix(n, 5, 0), instance=n) for n in (1, 2))
    light = Light(kind="sky")
    return Scene(
        seed=3, index=0, objects=people, camera=Camera(matrix=matrix(0, 0, 1), fov_deg=40), light=light
    )


def test_everybody_sways_across_the_picture_on_the_ground_at_a_pace_of_their_own(scene):
    assert crowd_video.at(scene, 0) == scene
    places = np.array([
        [np.array(o.matrix)[:3, 3] for o in crowd_video.at(scene, frame).objects] for frame in range(48)
    ])  # fmt: skip
    assert (places[:, :, 1] == 5).all() and (places[:, :, 2] == 0).all()
    moved = places[:, :, 0] - places[0, :, 0]
    assert (np.ptp(moved, axis=0) > crowd_video.SWAY).all() and np.ptp(moved) <= 4 * crowd_video.SWAY
    assert not np.allclose(moved[:, 0], moved[:, 1])


def test_frames_become_a_dataset_and_a_video(tmp_path):
    pair = Skeleton("pair", ("a", "b"))
    points = [np.array([[[4.5 + n, 8.5], [20.5, 9.5]]]) for n in range(3)]
    samples = (
        Sample(np.full((32, 48, 3), 90, np.uint8), Poses(pair, p), f"{n:04d}.jpg")
        for n, p in enumerate(points)
    )
    video = cv2.VideoCapture(str(crowd_video.written(tmp_path, samples, 3)))
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == 3 and video.get(cv2.CAP_PROP_FRAME_WIDTH) == 48
    records = open_dataset(tmp_path).records
    assert [r.path.name for r in records] == ["0000.jpg", "0001.jpg", "0002.jpg"]
    np.testing.assert_allclose([r.poses.points for r in records], points)


def test_one_who_sits_on_a_seat_is_not_two_people(scene, monkeypatch):
    seat = scene.objects[1].model_copy(update={"source": Source(kind="seat"), "instance": 0})
    seated = scene.model_copy(update={"objects": (scene.objects[0], seat)})
    monkeypatch.setattr(crowd_video, "invent", lambda settings, seed, index, aspect: (seated, scene)[index])
    assert crowd_video.scene_of(2, seed=0, aspect=1.0) == scene
