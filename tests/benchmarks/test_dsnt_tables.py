"""The tables of DSNT are made row by row, begun again where they stopped, and say what nobody measured."""

import json
import sys

import numpy as np
import pytest

pytest.importorskip("timm")
from benchmarks import (
    dsnt_confidence,
    dsnt_maps,
    dsnt_resolution,
    dsnt_runs,
    dsnt_sigma,
    dsnt_spatial,
    dsnt_speed,
    dsnt_strategies,
)
from benchmarks.dsnt_views import pictures
from heatmark.data import coco
from heatmark.data.records import Record
from heatmark.errors import UserError
from heatmark.imaging.decode import encode_jpeg
from heatmark.types import Poses, Skeleton

ENDS = Skeleton("stick", ("red", "blue"))


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """Eight pictures of noise with two landmarks and a head's box."""
    folder, rng = tmp_path_factory.mktemp("few"), np.random.default_rng(0)
    (folder / "images").mkdir()
    records = []
    for i in range(8):
        path = folder / "images" / f"{i}.jpg"
        path.write_bytes(encode_jpeg(rng.integers(0, 255, (64, 64, 3)).astype(np.uint8), 95))
        ends = rng.uniform(20, 44, (1, 2, 2))
        box = np.array([[10.0, 10, 54, 54]])
        records.append(Record(path, (64, 64), Poses(ENDS, ends, boxes=box), i + 1, {"index": i}))
    coco.write(folder, ENDS, records)
    return folder


def main(module):
    if hasattr(module, "main"):
        return module.main()
    return dsnt_runs.command(module.__doc__, "x.md", module.measure, module.page)


def run(module, monkeypatch, few, out, *more):
    small = ("--steps 2 --seeds 1 --size 64 --pictures 6 --looks 1 --batch 4 --weights none").split()
    places = ["--data", str(few), "--out", str(out), "--cache", str(few / "cache")]
    monkeypatch.setattr(sys, "argv", ["x", *small, *places, *more])
    monkeypatch.setattr(dsnt_runs, "TURNS", 1)
    main(module)
    return out.read_text(), json.loads(out.with_suffix(".json").read_text())["rows"]


def small(few):
    given = dsnt_strategies.parser(None, "x.md")
    return dsnt_strategies.budget_of(
        given.parse_args(["--data", str(few), "--size", "64", "--weights", "none"])
    )


def test_resolution_measures_what_is_asked_for_and_goes_on_from_there(tmp_path, monkeypatch, few, capsys):
    out = tmp_path / "resolution.md"
    monkeypatch.setattr(dsnt_resolution, "STRIDES", (32, 16))
    text, rows = run(dsnt_resolution, monkeypatch, few, out, "--strides", "32")
    assert {name for name in rows if "stride 32, seed" in name} == {
        f"{strategy}, stride 32, seed 0" for strategy in dsnt_strategies.STRATEGIES
    }
    assert all(0 <= rows[name]["PCK@0.1"] <= 1 for name in rows if "seed" in name)
    assert "| DSNT, js | 2 | not measured |" not in text and "| argmax | 4 | not measured |" in text
    assert "32: " in text and "16: not measured" in text
    assert (
        "by most at the lowest | 32: " in text and "16: not measured | - |" in text
    )  # of one there is no most
    assert "On MPII: not measured." in text
    assert out.with_suffix(".png").stat().st_size > 1000

    kept = json.loads(out.with_suffix(".json").read_text())
    kept["rows"]["DSNT, js, stride 32, seed 0"]["PCK@0.1"] = (
        0.123  # would come back if it were measured again
    )
    out.with_suffix(".json").write_text(json.dumps(kept))
    again, _ = run(dsnt_resolution, monkeypatch, few, out, "--strides", "32")
    assert "| DSNT, js | 2 | " in again and "| 12.3 |" in again
    with pytest.raises(UserError, match="holds rows of another budget"):
        run(dsnt_resolution, monkeypatch, few, out, "--steps", "3")


def test_what_there_is_no_time_for_is_not_measured(tmp_path, monkeypatch, few):
    for module in (dsnt_sigma, dsnt_spatial):
        out = tmp_path / f"{module.__name__}.md"
        small = f"x --data {few} --out {out} --weights none --size 64 --minutes 0".split()
        monkeypatch.setattr(sys, "argv", small)
        main(module)
        assert "not measured" in out.read_text() and "| - |" in out.read_text()
        assert not out.with_suffix(".json").exists()


def test_spatial_places_the_object_where_it_says(few):
    budget = small(few)
    learn, _, _ = pictures(budget)
    recipe = dsnt_strategies.settings("argmax", 32, 0, budget, augmentation=dsnt_spatial.STILL)
    for part in (dsnt_spatial.LEFT, dsnt_spatial.RIGHT):
        placed = dsnt_spatial.Placed(learn, part, recipe)
        for i in range(len(placed)):
            batch, box = placed[0, i], placed.entries[i].box
            middle = 64 * np.mean(part)
            x = float(np.nanmean(batch.points[:, 0]))
            points = placed.entries[i].points[:, 0].mean() - (box[0] + box[2]) / 2  # beside the box's middle
            scale = 64 / (dsnt_spatial.FILLS * 44)
            assert abs(x - points * scale - middle) <= 64 * (part[1] - part[0]) / 2 + 1e-3
            assert float(batch.sides) == pytest.approx(44 * scale, rel=1e-3)


def test_pckh_measures_by_the_head(few):
    learn, _, _ = pictures(small(few))
    off = np.full((len(learn), 2), 0.1)  # of the box's longer side, 44 pixels: 4.4 pixels
    assert dsnt_resolution.by_head(off, learn) == {}
    for entry in learn.entries:
        side = 12.0 if entry.record.id % 2 else 6.0  # 0.6 of its diagonal: 10.2 pixels, or 5.1
        object.__setattr__(entry.record, "instances", ({"head_box": [0.0, 0.0, side, side]},))
    odd = np.mean([entry.record.id % 2 for entry in learn.entries])
    assert dsnt_resolution.by_head(off, learn)["PCKh@0.5"] == pytest.approx(odd)
    twice = np.concatenate([off, 10 * off])  # a second view of each, seen by a worse network
    assert dsnt_resolution.by_head(twice, learn)["PCKh@0.5"] == pytest.approx(odd / 2)


def test_the_speed_table_says_who_is_faster_and_that_they_agree(monkeypatch):
    monkeypatch.setattr(dsnt_speed, "SHAPE", (2, 2, 16, 64))
    found = dsnt_speed.measured(rounds=1)
    assert set(found["layer, forward"]) >= {"ours", "plain PyTorch"}
    found["layer, forward"].pop("kornia", None)
    assert "| layer, forward | kornia | not measured |  |" in dsnt_speed.table(found)


def test_every_regulariser_brings_the_mean_to_the_point_and_kl_and_js_the_map_too(monkeypatch):
    monkeypatch.setattr(dsnt_maps, "STEPS", 200)
    said = {name: dsnt_maps.said(dsnt_maps.settled(name)) for name in ("none", "js")}
    widths = {name: float(words.split("width ")[1].split()[0]) for name, words in said.items()}
    assert all(words.startswith("off by 0.") for words in said.values()) and widths["js"] < 2 < widths["none"]


def test_the_two_detectors_differ_by_their_head_alone(few):
    of = {which: dsnt_confidence.settings(which, small(few)).model_dump() for which in dsnt_confidence.HEADS}
    dsnt, heat = of[dsnt_confidence.DSNT], of[dsnt_confidence.HEATMAPS]
    assert {name for name in dsnt if dsnt[name] != heat[name]} == {"head", "interchangeable", "level_weights"}
    assert dsnt["model"] == "ihm56" and dsnt["regulariser"] == "js"


def test_thresholds_tell_precision_of_what_is_kept():
    sure, unsure = (
        {"thresholds": [[0.5, 1.0], *[[0.75, 0.4]] * 5]},
        {"thresholds": [[0.5, 1.0], *[[1.0, 0.0]] * 5]},
    )
    row = {"PCK@0.1": 0.5, "PCK@0.05": 0.25, "gate px": 0.0004}
    fit = {"held-out ranked": 0.9, "photographs ranked": 0.8, "held-out error, raw": 0.2}
    fits = {"confidences": {"mass": fit | {"held-out error": 0.1, "photographs error": 0.15}}}
    text = dsnt_confidence.tables(
        {dsnt_confidence.DSNT: row | sure | fits, dsnt_confidence.HEATMAPS: row | unsure}
    )
    assert "| mass | 0.90 | 0.80 | 20.0 | 10.0 | 15.0 |" in text
    assert f"| {dsnt_confidence.DSNT} | 50.0 | 25.0 | 75 of 40 |" in text and "| none | 0.000 |" in text
    assert dsnt_confidence.tables({dsnt_confidence.DSNT: row | sure | fits}) == "Not measured."


def test_a_gain_counts_from_twice_its_error_on():
    gains = [np.array([2.0, 3.0, 4.0]), np.array([0.5, 0.6, 0.7])]
    assert dsnt_runs.verdict(gains) == "yes"
    assert dsnt_runs.verdict([*gains, np.array([-1.0, 1.2, 0.1])]) == "not told apart"
    assert dsnt_runs.verdict([*gains, np.array([-1.0, -1.2, -0.9])]) == "no"
    assert dsnt_runs.verdict([np.array([0.1])]) == "yes" and dsnt_runs.verdict([]) == "-"
