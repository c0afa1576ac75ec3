"""Bumps and tags judged apart: peaks given to true persons, true points with the tags drawn there."""

import sys
from pathlib import Path

import numpy as np
import pytest
from throngs import SIZE, TRIO, TWO, Throng, crowd_picture, write_throng

sys.path.insert(0, str(Path(__file__).parents[2]))  # benchmarks is no part of the package

from benchmarks import clusterwise_parts as parts  # noqa: E402
from heatmark import models  # noqa: E402
from heatmark.data import coco  # noqa: E402
from heatmark.data.records import Record  # noqa: E402
from heatmark.geometry import boxes_around  # noqa: E402
from heatmark.grouping import Candidates  # noqa: E402
from heatmark.imaging import encode_jpeg  # noqa: E402
from heatmark.types import Poses  # noqa: E402


def test_a_peak_goes_to_the_person_it_is_nearest_to_and_to_one_only():
    places = np.array([[[10.0, 0.0], [32.0, 0.0], [99.0, 99.0]], [[11.0, 4.0], [np.nan] * 2, [np.nan] * 2]])
    values = np.array([[0.9, 0.8, 0.7], [0.6, 0.0, 0.0]])
    found = Candidates(values, places, np.zeros((2, 3, 1)))
    persons = np.array([[[30.0, 0.0], [30.0, 4.0]], [[12.0, 0.0], [12.0, 4.0]]])
    groups = parts.given(found, persons, np.array([20.0, 20.0]))
    assert groups.members.tolist() == [[1, -1], [0, 0]]  # the peak at 11, 4 is 19 away from the first
    assert groups.score.tolist() == pytest.approx([0.4, 0.75])


def test_labelled_points_take_the_tags_of_their_cells():
    tags = np.arange(8.0).reshape(1, 2, 4)
    points = np.array([[[5.0, 1.0]], [[np.nan, np.nan]], [[15.9, 7.9]]])
    found = parts.labelled(points, tags, stride=4, most=3)
    assert found.values[0].tolist() == [1, 1, 0] and found.tags[0, :2, 0].tolist() == [1.0, 7.0]


def test_a_network_that_draws_both_right_lacks_neither(tmp_path, monkeypatch):
    monkeypatch.setitem(models.CROWDS, "throng", Throng)
    model = write_throng(tmp_path / "best.safetensors")
    (tmp_path / "set" / "images").mkdir(parents=True)
    path, points = tmp_path / "set" / "images" / "0.png", np.array(TWO, float)
    path.write_bytes(encode_jpeg(crowd_picture(*TWO), 98))
    coco.write(
        tmp_path / "set", TRIO, [Record(path, SIZE, Poses(TRIO, points, boxes=boxes_around(points)), 1)]
    )
    row = parts.measured(model, tmp_path / "set")
    assert [ap50 for _, ap50 in row.values()] == [1, 1, 1]
    assert row["as it is"] == row["true persons"] and row["true points"] == (1, 1)  # peaks: to a quarter cell
    assert "| 100.0 | 100.0 |\n\n`x`, commit" in parts.page({"throng": row}, "x")
