"""The commands that need MPII run on a few people in its form: the table of resolutions, and a training."""

import json
import sys

import numpy as np
import pytest
from scipy.io import savemat

pytest.importorskip("timm")
pytest.importorskip("accelerate")
import heatmark as hm
from benchmarks import dsnt_resolution, dsnt_strategies
from heatmark.commands.evaluate import Evaluation
from heatmark.imaging.decode import encode_jpeg

PEOPLE = 6


@pytest.fixture(scope="module")
def mpii(tmp_path_factory):
    """Six people in three pictures of noise, the same to learn from and to test on: train.json, valid.json
    and gt_valid.mat, as HRNet's authors give them. Heads are boxes of 12 x 16 pixels.
    """
    folder, rng = tmp_path_factory.mktemp("mpii"), np.random.default_rng(0)
    (folder / "images").mkdir()
    rows = []
    for i in range(PEOPLE):
        name = f"{i // 2}.jpg"
        noise = rng.integers(0, 255, (120, 100, 3)).astype(np.uint8)
        (folder / "images" / name).write_bytes(encode_jpeg(noise, 95))
        joints = rng.uniform([30, 40], [70, 80], (16, 2)).round(1).tolist()
        rows.append(
            {"image": name, "center": [50.0, 55.0], "scale": 0.4, "joints": joints, "joints_vis": [1] * 16}
        )
    for part in ("train", "valid"):
        (folder / f"{part}.json").write_text(json.dumps(rows))
    savemat(
        folder / "gt_valid.mat", {"headboxes_src": np.tile([[[40.0], [20]], [[52], [36]]], (1, 1, PEOPLE))}
    )
    return folder


def table(monkeypatch, mpii, out, backbone, trainings, seeds):
    given = f"x --mpii {mpii} --out {out} --cache {out.parent / 'cache'} --backbone {backbone} --weights none"
    few = "--strides 32 --steps 1 --size 64 --looks 1 --batch 4 --width 8"
    monkeypatch.setattr(sys, "argv", [*given.split(), *few.split(), "--seeds", str(seeds)])
    monkeypatch.setattr(dsnt_resolution, "TRAININGS", trainings)
    dsnt_resolution.main()
    return out.read_text(), json.loads(out.with_suffix(".json").read_text())["rows"]


def test_the_table_of_resolutions_is_made_on_mpii_too(tmp_path, monkeypatch, mpii):
    trainings = ("argmax", "DSNT, js", "fully connected")
    text, rows = table(monkeypatch, mpii, tmp_path / "resolution.md", "coordinate_lite0", trainings, seeds=2)
    ways = (*dsnt_strategies.HEATMAPS, "DSNT, js", "fully connected")
    assert set(rows) == {f"MPII, {way}, stride 32, seed {seed}" for way in ways for seed in (0, 1)}
    assert all(0 <= row["PCKh@0.5"] <= 1 for row in rows.values())
    assert "| strategy | cells | MPII PCKh@0.5 | ms |" in text and "points of PCKh@0.5 on MPII" in text
    assert "On MPII: not measured" not in text


def test_the_papers_network_which_learns_as_a_whole_is_measured_on_mpii(tmp_path, monkeypatch, mpii):
    _, rows = table(monkeypatch, mpii, tmp_path / "resolution.md", "coordinate_34", ("DSNT, js",), seeds=1)
    assert 0 <= rows["MPII, DSNT, js, stride 32, seed 0"]["PCKh@0.5"] <= 1


def test_an_error_of_half_a_head_is_the_limit_of_pckh(mpii):
    given = dsnt_strategies.parser(None, "x.md").parse_args(["--size", "64", "--weights", "none"])
    _, test, skeleton = dsnt_resolution.mpii(str(mpii), dsnt_strategies.budget_of(given))
    assert len(test) == PEOPLE and len(skeleton) == 16
    # A head of 12 x 16 has a diagonal of 20, so a size of 12; the person's box has sides of 80.
    assert dsnt_resolution.head_size(test.entries[0]) == pytest.approx(0.6 * 20 / 80)
    just = np.full((PEOPLE, 16), 0.499 * 12 / 80)
    just[:, 0] *= 1.01  # an ankle a little too far
    assert dsnt_resolution.by_head(just, test) == {
        "PCKh@0.5": pytest.approx(13 / 14)
    }  # pelvis, thorax left out


def test_the_papers_recipe_trains_on_mpii_and_its_pckh_is_measured(tmp_path, mpii):
    small = {
        "size": [64, 64],
        "options": {"dilate": 0, "weights": None},
        "batch": 4,
        "epochs": 1,
        "workers": 0,
        "task": "top_down",  # scored by PCKh
    }
    run = hm.train(
        "dsnt", data=mpii / "train.json", validation=mpii / "valid.json", out=tmp_path / "run", settings=small
    )
    found = hm.evaluate(run.model, mpii / "valid.json", boxes="truth")
    assert isinstance(found, Evaluation)
    share = found.metrics["PCKh@0.5"]
    assert share is not None and 0 <= share <= 1 and found.counts["instances"] == PEOPLE
