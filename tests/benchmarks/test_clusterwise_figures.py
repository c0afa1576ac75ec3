"""The cluster-wise figures: every stack drawn, and crowds labelled and found."""

import sys
from pathlib import Path

import numpy as np
from safetensors.torch import save_file
from throngs import SIZE, TRIO, TWO, Throng, crowd_picture, write_throng

sys.path.insert(0, str(Path(__file__).parents[2]))  # benchmarks is no part of the package

from benchmarks import clusterwise_figures as figures  # noqa: E402
from heatmark import models  # noqa: E402
from heatmark.card import KEY, Card, Decoding  # noqa: E402
from heatmark.data import coco  # noqa: E402
from heatmark.data.records import Record  # noqa: E402
from heatmark.imaging import encode_jpeg  # noqa: E402
from heatmark.models import create  # noqa: E402
from heatmark.types import Poses, Skeleton  # noqa: E402


def test_every_stack_and_branch_is_drawn(tmp_path):
    skeleton, options = Skeleton("trio", ("a", "b", "c")), {"dense": [1, 1], "sparse": [3, 3], "width": 8}
    net = create("clusterwise", 3, **options)
    facts = {"name": "t", "skeleton": skeleton, "size": (64, 96), "model": "clusterwise", "options": options}
    card = Card(**facts, task="crowd", strides=net.strides, decoding=Decoding(method="tags"))  # type: ignore
    save_file(net.state_dict(), tmp_path / "m.safetensors", metadata={KEY: card.to_json()})
    sheet = figures.stacks(tmp_path / "m.safetensors", np.zeros((32, 48, 3), np.uint8))
    assert sheet.shape == (3 * 64, 4 * 96, 3) and sheet.dtype == np.uint8


def test_crowds_are_drawn_as_labelled_and_as_found_the_fullest_first(tmp_path, monkeypatch):
    monkeypatch.setitem(models.CROWDS, "throng", Throng)
    model = write_throng(tmp_path / "best.safetensors")
    (tmp_path / "set" / "images").mkdir(parents=True)
    records = []
    for n, people in enumerate((TWO[:1], TWO)):
        path = tmp_path / "set" / "images" / f"{n}.png"
        path.write_bytes(encode_jpeg(crowd_picture(*people), 98))
        records.append(Record(path, SIZE, Poses(TRIO, np.array(people, float)), n + 1))
    coco.write(tmp_path / "set", TRIO, records)
    for shown in (model, tmp_path):  # a file, or the folder of a run
        sheet = figures.crowds(tmp_path / "set", [shown], columns=2)
        h, w = figures.CELL
        assert sheet.shape == (2 * h, 2 * w, 3)
    first = sheet[:h, :w].reshape(-1, 3)
    colours = {tuple(c) for c in first[first.max(1) > 60].tolist()}
    assert {(255, 70, 70), (60, 160, 255)} <= colours  # two persons in two colours
