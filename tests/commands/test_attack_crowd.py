"""What hiding costs a network that finds everybody at once: the toy of throngs, whose answer is known."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from throngs import TRIO, TWO, Throng, crowd_picture, write_throng

from heatmark import models
from heatmark.commands import attack_crowd
from heatmark.commands.attack import attack
from heatmark.commands.attack_results import Hit
from heatmark.commands.evaluate import Evaluation, evaluate
from heatmark.commands.progress import quiet
from heatmark.data import coco
from heatmark.data.records import Record
from heatmark.errors import UserError
from heatmark.runtime import load
from heatmark.types import Poses

PEOPLE = replace(TRIO, parts={"warm": ("red", "green")})


@pytest.fixture
def throng(tmp_path, monkeypatch):
    monkeypatch.setitem(models.CROWDS, "throng", Throng)
    return load(write_throng(tmp_path / "throng.safetensors"))


@pytest.fixture
def pictures(tmp_path):
    """Two pictures of two persons, twice as large as the network's input."""
    folder, records = tmp_path / "people", []
    (folder / "images").mkdir(parents=True)
    for n in (1, 2):
        path = folder / "images" / f"{n}.png"
        spots = np.array(TWO, float) * 2
        Image.fromarray(crowd_picture(*spots.astype(int).tolist(), size=(96, 192))).save(path)
        boxes = np.array([[20.0, 10, 60, 86], [120, 10, 170, 90]])
        records.append(Record(path, (96, 192), Poses(PEOPLE, spots, boxes=boxes), n))
    coco.write(folder, PEOPLE, records)
    return folder


def attacked(*args, **kwargs):
    with quiet():
        return attack(*args, **kwargs)


def test_a_spot_is_hidden_on_everybody_and_costs_that_spot(throng, pictures):
    done = attacked(throng, pictures, hows=["blackout"], targets=["red", "blue"])
    (result,) = done.results
    assert done.metric == "AP" and len(done.subjects) == 4
    with quiet():
        whole = evaluate(throng, pictures)
    assert isinstance(whole, Evaluation) and result.clean.total == whole.metrics["AP"]
    assert result.clean.total > 0.9
    red = Hit("red", "blackout", 6.0)
    assert result.loss(red, "red") == pytest.approx(100 * result.clean.each["red"])
    assert result.loss(red, "blue") == 0
    assert result.loss(red) > 0


def test_the_picture_is_struck_as_the_network_sees_it(throng, pictures):
    subject = attacked(throng, pictures, hows=["blackout"], targets=["red"]).subjects[0]
    pair = attack_crowd.pair(throng, subject, PEOPLE, Hit("red", "blackout", 6.0), legacy=False)
    assert pair.before.shape == (48, 96, 3)
    np.testing.assert_allclose(pair.points, TWO[0], atol=1e-6)
    for (x, y), *_ in TWO:
        assert pair.before[y, x, 0] > 200 and not pair.after[y, x].any()
    assert not attack_crowd.struck(
        pair.before, np.full((2, 3, 2), np.nan), PEOPLE, Hit("red", "blur", 6.0), False
    )


def test_the_page_shows_who_answers_each_person_and_a_second_run_looks_at_nothing(throng, pictures, tmp_path):
    out = tmp_path / "report"
    first = attacked(throng, pictures, hows=["blackout"], out=out)
    found = attack_crowd.aligned(first.answers[0].row(0), first.subjects, PEOPLE)
    np.testing.assert_allclose(found[:2, :, :2], np.array(TWO) * 2, atol=2.0)
    assert "Before and after" in (out / "report.html").read_text()
    again = attacked(throng, pictures, hows=["blackout"], out=out)
    assert again.to_dict() == first.to_dict() == json.loads((out / "attack.json").read_text())


def test_networks_that_are_scored_differently_do_not_stand_side_by_side(throng, pictures):
    from test_attack import predictor

    single = predictor()
    with pytest.raises(UserError, match="not scored alike: the first by AP, the other by PCK@0.1"):
        attacked(throng, pictures, other=single)
