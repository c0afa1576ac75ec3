"""The IHM paper's table and figures: recipes that exist, numbers from scores made by hand, a real run."""

import re
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))  # benchmarks is no part of the package

from benchmarks import figure6, figure7, figure9, runs, table1  # noqa: E402
from benchmarks.runs import Budget  # noqa: E402
from benchmarks.scores import MISSED, Results, Score  # noqa: E402
from heatmark.data import coco  # noqa: E402
from heatmark.data.records import Record  # noqa: E402
from heatmark.errors import DataError, UserError  # noqa: E402
from heatmark.imaging.decode import encode_jpeg  # noqa: E402
from heatmark.models import create  # noqa: E402
from heatmark.training import recipe as recipes  # noqa: E402
from heatmark.types import Poses, Skeleton  # noqa: E402

STICK = Skeleton("hammer", ("face", "handle_end"))


def write_sticks(folder, count, scenes=True):
    """Grey pictures with a red and a blue end."""
    rng = np.random.default_rng(0)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    records = []
    for i in range(count):
        picture, ends = np.full((64, 64, 3), 110, np.uint8), rng.uniform(14, 50, (2, 2))
        for (x, y), colour in zip(ends.astype(int).tolist(), ((250, 20, 20), (20, 20, 250))):
            cv2.circle(picture, (x, y), 4, colour, -1)
        path = folder / "images" / f"{i:06d}.jpg"
        path.write_bytes(encode_jpeg(picture, 95))
        box = np.concatenate([ends.min(0) - 5, ends.max(0) + 5])
        extra = {"index": i // 2, "kind": "rendered"} if scenes else {}
        records.append(Record(path, (64, 64), Poses(STICK, ends[None], boxes=box[None]), i + 1, extra))
    coco.write(folder, STICK, records)


def scores(folder: Path, **rows: list[list[float]]) -> Results:
    """Results with a hammer's distances for each row, boxes of 100 px."""
    results = Results(folder / "scores.json", "small")
    for row, distances in rows.items():
        names = tuple(map(str, range(len(distances))))
        score = Score(np.array(distances, float), np.full(len(distances), 100.0), names)
        results.put((row, "hammer", 0), score)
    return results


def test_the_papers_models_are_recipes_with_its_rates():
    found = {row: recipes.read(f"{table1.SHEET}/{row}") for row in table1.PAPER}
    ours = ("ihm224", "ihm56", "hm", "hourglass_keras", "simple_baseline_50")
    assert tuple(found[row].model for row in ("IHM224", "IHM56", "HM", "SHN", "SB")) == ours
    assert [found[row].lr for row in ("IHM224", "IHM56", "HM")] == [1.5e-5] * 3
    assert found["IHM56"].options["backbone"] == "resnet50_v1"
    shn = create("hourglass_keras", 3, width=8)
    assert len(shn.strides) == 2  # type: ignore[arg-type]  # two stacks


def test_the_short_schedule_keeps_the_rate_of_who_has_a_higher_one():
    budget = Budget(scenes=4, epochs=3, settings=table1.SHORT)
    for row, lr in (("IHM56", 1e-3), ("SB", 1e-3), ("SHN", 1e-3)):
        plan = table1.planned(row, "hammer", 0, budget)
        resolved = recipes.read(plan.recipe, plan.changes)
        assert (resolved.lr, resolved.schedule, resolved.epochs) == (lr, "cosine", 3)
    plain = table1.planned("IHM56", "hammer", 0, Budget(weights={"resnet50_v1": "w"}))
    assert "lr" not in plain.changes and plain.changes["options"] == {"weights": "w"}


def test_the_table_holds_the_papers_numbers_and_what_was_measured(tmp_path):
    results = scores(tmp_path, IHM56=[[0.05, 0.2], [0.05, MISSED]])
    found = {row.recipe: row for row in table1.rows(results)}
    assert (found["IHM56, hammer"].paper, found["IHM56, hammer"].ours) == (74.0, 50.0)
    assert (found["SB, screwdriver"].paper, found["SB, screwdriver"].ours) == (74.0, None)
    assert found["SHN, combination_wrench"].paper == 55.8 and len(found) == 24


def test_a_curve_rises_with_alpha_and_an_error_is_of_the_correct_only(tmp_path):
    results = scores(tmp_path, IHM56=[[0.015, 0.055], [0.155, MISSED]])
    curve = figure6.curve(results, "IHM56")
    assert curve[0] == 0 and curve[1] == 25 and curve[5] == 50 and curve[-1] == 75
    rows = {(r.recipe, r.metric): r.ours for r in figure7.rows(results)}
    assert rows["IHM56 (hammer)", "error of the correct, px of 224"] == pytest.approx(3.5)  # (1.5 + 5.5) / 2
    assert rows["IHM56 (hammer)", "the same, % of the box"] == pytest.approx(3.5)
    assert rows["SB", "the same, % of the box"] is None
    assert figure6.drawn({"IHM56": curve, "SB": []}, "x", tmp_path / "x.png").stat().st_size > 1000  # type: ignore[union-attr]
    assert figure6.drawn({"SB": []}, "x", tmp_path / "y.png") is None


def test_pasting_and_rendering_differ_in_nothing_else():
    plans = figure9.plans("screwdriver", 0, Budget(scenes=5), None)
    rendered, pasted = plans[figure9.RENDERED], plans[figure9.PASTED]
    assert rendered.scenes * (1 + rendered.copies) == pasted.scenes * (1 + pasted.copies) == 10
    assert (rendered.recipe, rendered.changes) == (pasted.recipe, pasted.changes)
    assert figure9.plans("screwdriver", 0, Budget(), "cuts")[figure9.PASTED].scene == "cuts"


def test_whether_the_papers_finding_held_is_said_with_its_width(tmp_path):
    low, high = [[0.2, 0.2]] * 20, [[0.05, 0.2]] * 20
    results = scores(tmp_path, **{figure9.RENDERED: high, figure9.PASTED: low})
    assert "+50.0 ± 0.0 (as in the paper)" in figure9.verdict(results, "hammer")
    assert "not both measured" in figure9.verdict(results, "wrench")


@pytest.mark.parametrize("page", [table1, figure6, figure7, figure9])
def test_a_page_of_nothing_says_so(tmp_path, page):
    out = tmp_path / "page.md"
    page.main([str(tmp_path), "--out", str(out), "--scores", str(tmp_path / "none.json")])
    text = out.read_text()
    assert "not measured" in text and "**" not in text and "300 scenes" in text


def test_a_row_is_rendered_trained_and_scored_and_stays(tmp_path, monkeypatch, capsys):
    made = []

    def render(scene, count, out, **_):
        made.append(scene)
        write_sticks(out, 2 * count)

    monkeypatch.setattr(runs, "render", render)
    write_sticks(tmp_path / "photographs" / "hammer", 4, scenes=False)
    tiny = {
        "options.backbone": "tiny",
        "options.width": 0.1,
        "size": "[64, 64]",
        "batch": 4,
        "workers": 0,
        "augmentation": "none",
        "lr": 0.01,
    }
    settings = [word for name, value in tiny.items() for word in ("--set", f"{name}={value}")]
    out, kept_in = tmp_path / "table1.md", tmp_path / "s.json"
    line = [str(tmp_path / "photographs"), "--tools", "hammer", "--row", "IHM56", "--epochs", "2"]
    line += ["--work", str(tmp_path / "work"), "--scenes", "6", "--out", str(out), "--scores", str(kept_in)]
    table1.main([*line, *settings])
    table1.main([*line, *settings])
    assert made == ["hammer"] and capsys.readouterr().out.count("-- IHM56, hammer") == 1
    words = runs.budget_of(table1.arguments("", "x").parse_args([*line, *settings])).words
    (kept,) = Results(kept_in, words).seeds("IHM56", "hammer")
    assert kept.fractions.shape == (4, 2) and np.isfinite(kept.fractions).all()
    assert f"| IHM56, hammer | PCK@0.1 | 74.0 | {kept.pck():.1f} |" in out.read_text()


@pytest.mark.parametrize("page", [table1, figure6, figure7, figure9])
def test_a_page_makes_the_folder_it_is_to_lie_in(tmp_path, page):
    page.main([str(tmp_path), "--scores", str(tmp_path / "s.json"), "--out", str(tmp_path / "new" / "p.md")])
    assert "not measured" in (tmp_path / "new" / "p.md").read_text()


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--reuse", "hammer"], "--reuse takes NAME=PATH, got 'hammer'"),
        (["--reuse", "hammer=/nowhere"], "/nowhere is no rendered set: it holds no scene.yaml"),
        (["--weights", "=file"], "--weights takes NAME=PATH, got '=file'"),
        (["--minutes", "-1"], "--minutes must be a positive number, got -1"),
        (["--minutes", "nan"], "--minutes must be a positive number, got nan"),
        (["--row", "render"], "no row is called 'render'"),
    ],
)
@pytest.mark.parametrize("page", [table1, figure9])
def test_an_option_that_cannot_be_is_a_users_mistake(tmp_path, page, options, word):
    out = ["--scores", str(tmp_path / "s.json"), "--out", str(tmp_path / "p.md")]
    with pytest.raises(UserError, match=re.escape(word)):
        page.main([str(tmp_path), *out, *options])
    assert not (tmp_path / "p.md").exists()


@pytest.mark.parametrize("text", ['{"bud', "[1]", '{"rows": {}}'])
def test_a_damaged_file_of_scores_is_named(tmp_path, text):
    (tmp_path / "s.json").write_text(text)
    with pytest.raises(DataError, match="s.json: "):
        Results(tmp_path / "s.json", "small")
