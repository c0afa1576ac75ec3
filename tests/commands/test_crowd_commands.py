"""detect, evaluate and export with a model of everybody at once."""

import json

import cv2
import numpy as np
import pytest
import torch
from throngs import SIZE, TRIO, TWO, Throng, crowd_picture, throng_card, write_throng

from heatmark import models
from heatmark.commands.crowd import answering, shifts, worst
from heatmark.commands.detect import detect
from heatmark.commands.evaluate import Evaluation, evaluate
from heatmark.commands.export import export
from heatmark.data import coco
from heatmark.data.records import Record
from heatmark.errors import GateError
from heatmark.imaging.decode import encode_jpeg
from heatmark.metrics.oks import average_precision
from heatmark.reports import people_tables
from heatmark.types import Poses


@pytest.fixture
def model(tmp_path, monkeypatch):
    monkeypatch.setitem(models.CROWDS, "throng", Throng)
    return write_throng(tmp_path / "throng.safetensors")


@pytest.fixture
def crowd(tmp_path):
    """Three labelled pictures: of two persons, of one, and of nobody."""
    folder, records = tmp_path / "crowd", []
    (folder / "images").mkdir(parents=True)
    for n, people in enumerate((TWO, TWO[:1], ())):
        path = folder / "images" / f"{n}.jpg"
        path.write_bytes(encode_jpeg(crowd_picture(*people), 98))
        points = np.array(people, float).reshape(-1, 3, 2)
        boxes = np.concatenate([points.min(1) - 8, points.max(1) + 8], -1)
        records.append(Record(path, SIZE, Poses(TRIO, points, boxes=boxes), n + 1))
    coco.write(folder, TRIO, records)
    return folder


def test_detect_finds_several_persons_and_draws_them(model, crowd, tmp_path):
    found = {d.source.split("/")[-1]: d for d in detect(crowd / "images", model, out=tmp_path / "drawn")}
    assert [len(found[f"{n}.jpg"].poses) for n in range(3)] == [2, 1, 0]
    told = json.loads(json.dumps(found["0.jpg"].to_dict()))
    assert {"red", "green", "blue"} == set(told["instances"][1]["points"]) and told["instances"][0][
        "box"
    ] is None
    assert "nothing found" in str(found["2.jpg"])
    assert (tmp_path / "drawn" / "0.jpg").is_file()


def test_evaluate_scores_everybody_by_oks(model, crowd):
    evaluation = evaluate(model, crowd)
    assert isinstance(evaluation, Evaluation)
    assert evaluation.task == "crowd" and evaluation.metrics["AP"] == pytest.approx(1.0)
    assert evaluation.metrics["PCK@0.1"] == 1.0 and evaluation.counts["instances"] == 3


def test_export_compares_the_persons_found(model, crowd):
    done = export(model, pictures=crowd)
    assert done.max_shift_px is not None and done.max_shift_px < 0.01
    assert done.views == 3 and done.out.is_file()
    assert [len(d.poses) for d in detect(crowd / "images", done.out)] == [2, 1, 0]


def test_export_refuses_a_file_that_finds_another_person(model, crowd, monkeypatch):
    from heatmark.commands import export as module

    monkeypatch.setattr(
        module, "_graph_of", lambda source, decoding: module.graphs.to_onnx(deaf(), throng_card())
    )
    with pytest.raises(GateError, match="a person in 0.jpg is found by one and not by the other"):
        export(model, pictures=crowd)
    assert not model.with_suffix(".onnx").exists()


def deaf():
    """The toy, for which everybody in the right half is nobody."""
    from heatmark.runtime.decoding import CandidateReader

    class Half(Throng):
        def forward(self, pictures):
            keep = (torch.arange(pictures.shape[-1]) < pictures.shape[-1] // 2).to(pictures.dtype)
            return super().forward(pictures * keep)

    return CandidateReader(Half(), throng_card())


def test_each_labelled_person_is_answered_by_the_one_most_alike():
    true = np.array(TWO, float)
    truth = Poses(TRIO, true, boxes=np.concatenate([true.min(1) - 8, true.max(1) + 8], -1))
    found = Poses(TRIO, np.array([true[1] + 1, true[0] + 200, true[1] + 3]))
    answers = answering(truth, found)
    np.testing.assert_array_equal(answers.points[1], true[1] + 1)
    assert np.isnan(answers.points[0]).all() and answers.scores[0].sum() == 0
    assert np.isnan(answering(truth, Poses.empty(TRIO)).points).all()


def test_a_published_network_of_everybody_becomes_a_model(tmp_path, monkeypatch):
    from heatmark.commands.published_model import convert_model
    from heatmark.models import published
    from heatmark.models.pose_ae import PoseAE
    from heatmark.runtime import load

    narrow = PoseAE(17, 4, 8)
    monkeypatch.setattr(published, "create", lambda name, points, **_: PoseAE(points, 4, 8))
    torch.save({f"model.module.{k}": v for k, v in narrow.state_dict().items()}, tmp_path / "a.pth")
    done = convert_model(tmp_path / "a.pth", tmp_path / "a.safetensors", size=(64, 64))
    assert done.model == "pose_ae" and done.points == 17
    monkeypatch.setitem(models.CROWDS, "pose_ae", lambda points, weights=None: PoseAE(points, 4, 8))
    finder = load(tmp_path / "a.safetensors")
    assert finder.card.task == "crowd" and finder.skeleton.name == "person"
    assert finder(np.zeros((50, 80, 3), np.uint8)).points.shape[1:] == (17, 2)


def test_frames_of_posetrack_get_its_own_score(tmp_path):
    from heatmark.commands.crowd import posetrack_of
    from heatmark.data.posetrack import POSETRACK17

    points = np.tile(np.arange(17.0)[:, None] * 20, (1, 2))[None]
    record = Record(
        tmp_path / "a.jpg", SIZE, Poses(POSETRACK17, points), instances=({"head": [0, 0, 30, 40]},)
    )
    half = Poses(POSETRACK17, np.where(np.arange(17)[:, None] < 5, points, np.nan))  # the head only
    found = posetrack_of([half], [record.poses], [record])
    assert found is not None and found.metrics()["Head"] == 1.0 and found.metrics()["Ankle"] == 0.0
    assert found.metrics()["mAP"] == pytest.approx(3 / 15)
    head, row = people_tables(average_precision([half], [record.poses]), posetrack=found)["PoseTrack"]
    assert head[:2] == ["frames", "Head"] and row[:3] == ["1", "100.0", "0.0"] and row[8] == "20.0"
    assert posetrack_of([Poses.empty(TRIO)], [Poses.empty(TRIO)], [record]) is None


def answers(*peaks: tuple[float, float]) -> dict[str, np.ndarray]:
    """One picture's answer: persons of three landmarks at (x, value), tags 5 apart."""
    t = len(peaks)
    x, values = (np.array(column, float) for column in zip(*peaks))
    places = np.stack([np.tile(x, (3, 1)), np.tile(np.arange(3.0)[:, None], (1, t))], -1)
    tags = np.tile(5.0 * np.arange(t)[None, :, None], (3, 1, 1))
    return {"values": np.tile(values, (3, 1))[None], "places": places[None], "tags": tags[None]}


def test_the_gate_sees_shifts_and_strangers_but_not_what_is_on_the_edge():
    card = throng_card()
    away, pictures = shifts([answers((10, 0.9), (50, 0.8))], [answers((10.5, 0.9), (50, 0.8))], card)
    assert away.shape == (2, 3) and away.max() == pytest.approx(0.5) and pictures.tolist() == [0, 0]
    away, pictures = shifts([answers((10, 0.9))], [answers((10, 0.9), (50, 0.8))], card)
    assert np.isinf(away).any() and worst(away, pictures, ["a.jpg"], TRIO) == "a person in a.jpg"
    away, _ = shifts([answers((10, 0.9))], [answers((10, 0.9), (50, 0.11))], card)  # threshold 0.1
    assert away.max() == 0
    assert worst(np.empty((0, 3)), np.empty(0, int), [], TRIO) == "nobody is found in any picture"


def test_the_published_test_looks_at_several_scales_and_mirrored(model, crowd, tmp_path, capsys):
    from heatmark.cli import main

    told = evaluate(model, crowd, scales=(2, 1, 0.5), protocol="higherhrnet")
    assert isinstance(told, Evaluation) and (told.metrics["AP"] or 0) > 0.9 and told.settings is not None
    assert told.settings["scales"] == [2, 1, 0.5] and told.settings["protocol"] == "higherhrnet"
    assert told.settings["flip test"] == "yes"
    assert evaluate(model, crowd).settings.get("scales") is None  # type: ignore[union-attr]
    words = ["evaluate", str(model), str(crowd), "--scales", "2,1,0.5", "--flip", "--json"]
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out)["metrics"]["AP"] == pytest.approx(1.0)
    assert main([*words[:3], "--scales", "2;1"]) == 2
    assert "--scales takes numbers between commas" in capsys.readouterr().err


def test_in_a_video_everybody_is_found_in_every_frame(model, tmp_path):
    path, frames = tmp_path / "walk.mp4", 4
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 8, SIZE[::-1])
    left, right = (np.array(person, float) for person in TWO)
    for n in range(frames):  # they come nearer to each other, 3 pixels a frame
        picture = crowd_picture((left + (3 * n, 0)).tolist(), (right - (3 * n, 0)).tolist())
        video.write(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    video.release()
    found = list(detect(path, model, out=tmp_path / "drawn"))
    assert [d.frame for d in found] == list(range(frames)) and [len(d.poses) for d in found] == [2] * frames
    for n, d in enumerate(found):
        columns = np.sort(d.poses.points[:, 0, 0])
        np.testing.assert_allclose(columns, [20 + 3 * n, 74 - 3 * n], atol=2)
    drawn = cv2.VideoCapture(str(tmp_path / "drawn" / "walk.mp4"))
    assert drawn.get(cv2.CAP_PROP_FRAME_COUNT) == frames
