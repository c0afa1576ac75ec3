"""`train`: from a recipe's name and a dataset to a model file, and what it says when something is wrong."""

import json
import signal
import subprocess
import sys
import time
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from heatmark.card import Card
from heatmark.commands.train import train
from heatmark.data import coco
from heatmark.data.records import Record, held
from heatmark.errors import DataError, UserError
from heatmark.heatmaps import decode
from heatmark.imaging.decode import encode_jpeg
from heatmark.models import create
from heatmark.training import state
from heatmark.types import Poses, Skeleton

TINY = {
    "options": {"backbone": "tiny", "width": 0.05},
    "size": [64, 64],
    "lr": 0.01,
    "batch": 4,
    "epochs": 2,
    "validation": 0.3,
    "workers": 0,
}
ENDS = Skeleton("wrench", ("jaw_a", "jaw_b", "mark"), interchangeable=(("jaw_a", "jaw_b"),))


def write(folder, count=10, skeleton=ENDS, seed=0):
    rng = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True)
    records = []
    for i in range(count):
        picture = rng.integers(0, 255, (48, 56, 3)).astype(np.uint8)
        points = rng.uniform(8, 40, (1, len(skeleton), 2))
        for x, y in points[0].astype(int).tolist():
            cv2.circle(picture, (x, y), 3, (255, 0, 0), -1)
        path = folder / "images" / f"{i}.jpg"
        path.write_bytes(encode_jpeg(picture, 90))
        boxes = np.array([[2.0, 2, 50, 46]])
        records.append(Record(path, (48, 56), Poses(skeleton, points, boxes=boxes), i + 1))
    coco.write(folder, skeleton, records)
    return folder


@pytest.fixture(scope="module")
def wrenches(tmp_path_factory):
    return write(tmp_path_factory.mktemp("wrenches") / "data")


def test_a_recipes_name_and_data_become_a_model_file(tmp_path, wrenches):
    options = TINY["options"] | {"weights": None}
    run = train("ihm56", data=wrenches, out=tmp_path / "run", settings=TINY | {"options": options})
    tensors, header = state.read(run.model)
    card = Card.from_json(header["heatmark"])
    assert (card.name, card.model, card.size, card.strides) == ("ihm56", "ihm56", (64, 64), (16, 8, 4))
    assert card.skeleton_of() == ENDS and card.recipe["batch"] == 4 and card.data["objects"] == 7
    assert card.recipe["options"]["weights"] is None
    assert str(tmp_path) not in header["heatmark"]  # nothing of this machine
    net = create(card.model, len(ENDS.channels), **card.options)
    net.load_state_dict({k: v for k, v in tensors.items()})
    points, scores = decode(net.eval()(torch.rand(1, 3, 64, 64))[-1], ENDS.channels, card.stride)
    assert points.shape == (1, 3, 2) and scores.shape == (1, 3)
    assert json.loads(json.dumps(run.to_dict())) == run.to_dict() | {"epochs": 2}


def test_several_datasets_and_a_validation_set(tmp_path, wrenches):
    more, check = write(tmp_path / "more", 4, seed=1), write(tmp_path / "check", 3, seed=2)
    run = train(
        "ihm56", data=[wrenches, more], validation=check, out=tmp_path / "run", settings=TINY | {"epochs": 1}
    )
    card = Card.from_json(state.read(run.model)[1]["heatmark"])
    assert (card.data["objects"], card.data["validation objects"]) == (14, 3)
    assert card.data["datasets"] == ["data", "more"]


def test_a_run_goes_on_where_it_ended_and_another_does_not_overwrite_it(tmp_path, wrenches):
    train("ihm56", data=wrenches, out=tmp_path / "run", settings=TINY | {"epochs": 1})
    with pytest.raises(UserError, match="already holds a run"):
        train("ihm56", data=wrenches, out=tmp_path / "run", settings=TINY)
    with pytest.raises(UserError, match="begun with other settings: lr"):
        train("ihm56", data=wrenches, out=tmp_path / "run", settings=TINY | {"lr": 1.0}, resume=True)
    assert train("ihm56", data=wrenches, out=tmp_path / "run", settings=TINY, resume=True).epochs == 2


def test_a_folder_that_another_process_trains_in_is_left_as_it_is(tmp_path, wrenches):
    with held(tmp_path / "run"):  # as in the seconds before the other's first step
        (tmp_path / "run" / "recipe.yaml").write_text("the other's")
        with pytest.raises(UserError, match="another process works in it"):
            train("ihm56", data=wrenches, out=tmp_path / "run", settings=TINY)
    assert [p.read_text() for p in (tmp_path / "run").iterdir()] == ["the other's"]


def test_training_begins_where_a_finished_model_ended(tmp_path, wrenches):
    first = train("ihm56", data=wrenches, out=tmp_path / "a", settings=TINY)
    still = TINY | {"start": str(first.model), "lr": 1e-12, "epochs": 1}
    second = train("ihm56", data=wrenches, out=tmp_path / "b", settings=still)
    before, after = (state.read(run.model)[0] for run in (first, second))
    learnt = [name for name in before if "running" not in name and "num_batches" not in name]
    assert all(torch.allclose(before[name], after[name], atol=1e-6) for name in learnt)
    assert Card.from_json(state.read(second.model)[1]["heatmark"]).recipe["start"] == "best.safetensors"


def test_boxes_of_other_objects_teach_that_there_is_nothing(tmp_path, wrenches):
    hammers = write(tmp_path / "hammers", 9, Skeleton("hammer", ("face", "claw")), seed=3)
    settings = TINY | {"epochs": 1, "negatives": [str(hammers)], "negative_share": 0.3}
    run = train("ihm56", data=wrenches, out=tmp_path / "run", settings=settings)
    card = Card.from_json(state.read(run.model)[1]["heatmark"])
    assert (card.data["objects"], card.data["validation objects"]) == (10, 3)  # 7 wrenches, 3 of the hammers
    assert card.recipe["negatives"] == ["hammers"]
    with pytest.raises(UserError, match="negatives are for task: single, head: heatmap and absent: zero"):
        train("ihm56", data=wrenches, out=tmp_path / "no", settings=settings | {"absent": "ignore"})


def test_a_model_of_another_network_is_no_start(tmp_path, wrenches):
    first = train("ihm56", data=wrenches, out=tmp_path / "a", settings=TINY | {"epochs": 1})
    wider = TINY | {"start": str(first.model), "options": {"backbone": "tiny", "width": 0.1}}
    with pytest.raises(
        DataError, match=r"best.safetensors: of another network: \d+ of \d+ layers differ, .*\(here"
    ):
        train("ihm56", data=wrenches, out=tmp_path / "b", settings=wider)
    with pytest.raises(UserError, match="start: there is no model at nowhere.safetensors"):
        train("ihm56", data=wrenches, out=tmp_path / "b", settings=TINY | {"start": "nowhere.safetensors"})
    assert not (tmp_path / "b").exists()


def test_without_a_folder_a_run_gets_a_dated_one_and_resume_finds_it(tmp_path, wrenches, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = train("ihm56", data=wrenches, settings=TINY | {"epochs": 1})
    assert run.folder.parent.name == "runs" and run.folder.name.startswith("ihm56-2")
    assert train("ihm56", data=wrenches, settings=TINY, resume=True).folder == run.folder
    with pytest.raises(UserError, match="no run of hm in runs/"):
        train("hm", data=wrenches, settings=TINY, resume=True)


@pytest.mark.parametrize(
    ("settings", "fault", "word"),
    [
        ({"landmarks": ["jaw_c"]}, UserError, "did you mean 'jaw_"),
        ({"batches": 3}, UserError, "did you mean 'batch'"),
        ({"validation": 0.0}, DataError, "nothing is left to validate on"),
        ({"options": {"backbone": "tiny", "weights": "no.pth"}}, UserError, "no file of weights at no.pth"),
    ],
)
def test_a_mistake_is_told_before_anything_is_written(tmp_path, wrenches, settings, fault, word):
    with pytest.raises(fault, match=word):
        train("ihm56", data=wrenches, out=tmp_path / "run", settings=TINY | settings)
    assert not (tmp_path / "run").exists()


def test_datasets_of_other_landmarks_do_not_mix(tmp_path, wrenches):
    other = write(tmp_path / "other", 3, Skeleton("hammer", ("face", "claw")))
    with pytest.raises(UserError, match="no landmark of 'hammer' is called 'jaw_a'"):
        train("ihm56", data=[wrenches, other], out=tmp_path / "run", settings=TINY)


@pytest.mark.parametrize("cache_mb", [4096, 0])  # all are opened before the first step, or each as it comes
def test_a_picture_that_is_broken_is_named_and_once_mended_the_same_command_trains(
    tmp_path, wrenches, cache_mb
):
    data, settings = write(tmp_path / "data", 6), TINY | {"batch": 6, "cache_mb": cache_mb, "epochs": 1}
    given: Any = {"data": data, "validation": wrenches, "out": tmp_path / "run", "settings": settings}
    picture = data / "images" / "3.jpg"
    whole = picture.read_bytes()
    picture.write_bytes(whole[:200])
    with pytest.raises(DataError, match="3.jpg"):
        train("ihm56", **given)
    picture.write_bytes(whole)
    assert train("ihm56", **given).epochs == 1


KILLED = """
import sys
from heatmark.commands.train import train
if __name__ == "__main__":
    train("ihm56", data=sys.argv[1], out=sys.argv[2], settings=eval(sys.argv[3]))
"""


@pytest.mark.usefixtures("one_thread")
def test_a_killed_run_resumes_and_ends_as_one_that_was_not(tmp_path, wrenches):
    settings = TINY | {"epochs": 500, "early_stop": 500, "save_minutes": 1e-9, "augmentation": "none"}
    command = [sys.executable, "-c", KILLED, str(wrenches), str(tmp_path / "killed"), repr(settings)]
    running = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    saved = tmp_path / "killed" / "last" / "before.safetensors"
    deadline = time.monotonic() + 120
    while not saved.exists() and running.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert saved.exists()
    done = state.Progress()
    net = create("ihm56", 2, **TINY["options"])
    done.data = json.loads(state.read(saved)[1]["progress"])["data"]
    state.resume(
        tmp_path / "killed", net, torch.optim.Adam([p for p in net.parameters() if p.requires_grad]), done
    )

    short = settings | {"epochs": done.epoch + 1}
    resumed = train("ihm56", data=wrenches, out=tmp_path / "killed", settings=short, resume=True)
    whole = train("ihm56", data=wrenches, out=tmp_path / "whole", settings=short)
    one, other = state.read(resumed.model)[0], state.read(whole.model)[0]
    assert resumed.epochs == whole.epochs == done.epoch + 1
    assert all(torch.equal(one[k], other[k]) for k in one)


def test_several_processes_must_be_told_their_folder(tmp_path, wrenches, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    with pytest.raises(UserError, match="say where the run's folder is to be"):
        train("ihm56", data=wrenches, settings=TINY)
