"""The occlusion study: every row and claim of the paper, its value, and ours only where measured."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import occlusion_figures, occlusion_plots, occlusion_runs, occlusion_tables, oks_speed
from heatmark.commands.attack import Attack
from heatmark.commands.attack_results import Hit, Result, Score
from heatmark.data import coco
from heatmark.data.records import Record
from heatmark.errors import UserError
from heatmark.imaging import encode_jpeg
from heatmark.metrics.oks import average_precision
from heatmark.skeletons import COCO17
from heatmark.training import recipe
from heatmark.types import Poses


def study(folder: Path) -> occlusion_runs.Study:
    (folder / "data" / "images").mkdir(parents=True)
    path = folder / "data" / "images" / "0.jpg"
    path.write_bytes(encode_jpeg(np.zeros((64, 64, 3), np.uint8), 90))
    poses = Poses(COCO17, np.full((1, 17, 2), 30.0), boxes=np.array([[10.0, 10, 50, 50]]))
    coco.write(folder / "data", COCO17, [Record(path, (64, 64), poses, 1)])
    return occlusion_runs.Study(folder / "data", folder / "data", folder / "work", folder / "table.md")


def test_every_row_of_the_tables_is_a_recipe_that_does_what_the_row_says():
    for table, rows in occlusion_tables.PAPER.items():
        for row in rows:
            found = recipe.read(f"{occlusion_runs.SHEETS[table]}/{row}")
            hides = found.occlusion
            assert (hides is None) == (row in ("no_augments", "flip_rot_scale", "half_body", "baseline"))
            if hides is None:
                continue
            p = float(row.rpartition("_")[2])
            asked = {name: getattr(hides, name) for name in ("blur", "cutout", "partmix", "several")}
            assert {name: p if name in row else 0.0 for name in asked} == asked
            assert (hides.level == "part") == ("_p_" in row)
            assert (hides.removal == "under") == ("removed" in row)
    assert len(occlusion_tables.PAPER["I"]) == 21 and len(occlusion_tables.PAPER["II"]) == 4


def test_a_row_that_was_not_run_says_so_and_one_that_was_stands_below_the_papers(tmp_path):
    here = study(tmp_path)
    here.keep("windmills_coco/half_body", {"AP": 0.4125, "AP50": None, "AR": 0.5})
    text = occlusion_tables.written(here, "I", "python -m x").read_text()
    lines = text.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("| half_body | paper"))
    assert lines[at].startswith("| half_body | paper | 74.3 | 90.6 |") and lines[at].endswith("| 78.8 |")
    assert lines[at + 1].replace(" ", "") in [f"||ours|{ap}|-|-|-|-|50.0|" for ap in ("41.2", "41.3")]
    assert text.count("not measured") == 20 and "data (1 pictures, 1 people)" in text
    assert str(tmp_path) not in text


def test_what_holds_for_other_data_or_budgets_is_not_shown(tmp_path):
    here = study(tmp_path)
    here.keep("windmills_coco/half_body", {"AP": 0.4})
    other = occlusion_runs.Study(here.data, here.validation, here.work, here.out, {"epochs": 2})
    assert here.known() and not other.known()
    assert json.loads(here.scores.read_text())["windmills_coco/half_body"]["commit"]


def test_a_row_laid_over_a_small_recipe_keeps_what_it_hides_and_nothing_else_of_its_sheet(tmp_path):
    here = replace(study(tmp_path), base="people_lite0", settings={"epochs": 3}, start=tmp_path / "start.st")
    small = recipe.read("people_lite0")
    row = occlusion_runs.recipe_of(here, "windmills_coco/cutout_p_0.5")
    assert (row.model, row.size, row.epochs, row.lr) == (small.model, small.size, 3, small.lr)
    assert row.occlusion is not None
    assert row.occlusion.level == "part" and row.occlusion.cutout == 0.5
    assert row.occlusion.radius == 6 * small.size[0] / 256  # as large a share of the window
    assert row.augmentation == recipe.read("windmills_coco/cutout_p_0.5").augmentation
    assert row.start == str(tmp_path / "start.st") and row.name == "cutout_p_0.5"
    plain = occlusion_runs.recipe_of(here, "windmills_coco/no_augments")
    assert plain.windows is None and plain.occlusion is None


def test_what_a_row_is_left_with_under_attack_stands_in_a_table_of_its_own(tmp_path):
    here = study(tmp_path)
    each = dict.fromkeys(COCO17.landmarks, 0.8)
    hits = {Hit("nose", "blur", 3.0): Score(0.7, each), Hit("hip", "blur"): Score(0.55, each)}
    left = occlusion_runs.under_attack(Result("net", Score(0.75, each), hits), 3.0)
    assert left["attack.untouched"] == 0.75 and left["attack.blur of landmarks"] == pytest.approx(0.7)
    assert left["attack.blur of parts"] == pytest.approx(0.55)
    assert not occlusion_tables.figure_11(here, "I")
    here.keep("windmills_coco/half_body", {name: None if v != v else v for name, v in left.items()})
    assert "| half_body | 75.0 | 70.0 | - | - | 55.0 | - | - |" in occlusion_tables.figure_11(here, "I")


def test_the_papers_claims_stand_beside_ours(tmp_path):
    each = dict.fromkeys(COCO17.landmarks, 0.8)
    hidden = Score(0.7, each | {"left_eye": 0.7})
    hits = {Hit("nose", how, 6.0): hidden for how in ("blur", "blackout", "meanout")}
    result = Result("net", Score(0.75, each), hits)
    rows = {row.recipe: row for row in occlusion_figures.claims(result)}
    assert rows["figure 5: nose, blackout"].ours == pytest.approx(5.0)
    assert rows["figure 5: nose, blackout"].verdict == "yes"
    assert rows["figure 6a: nose hidden, of the left eye"].ours == pytest.approx(10.0)
    assert rows["figure 7: upper body, blackout"].ours is None  # not attacked
    assert all(row.ours is None for row in occlusion_figures.claims(None))


def test_every_figure_that_has_numbers_is_drawn_small(tmp_path):
    each = dict.fromkeys(COCO17.landmarks, 0.8)
    ways = [(target, r) for target in ("nose", "left_eye") for r in (3.0, 6.0)] + [("corpus", 0.0)]
    hits = {Hit(target, how, r): Score(0.7, each) for target, r in ways for how in ("blur", "blackout")}
    result = Result("net", Score(0.75, each), hits)
    attack = Attack("people", "AP", COCO17, (result,), (), (), high=128)
    found = occlusion_plots.drawn(attack, tmp_path, "net")
    assert [caption for caption, _ in found] == ["figure 4", "figure 5", "figure 7", "figure 6 and 8"]
    assert all(1_000 < path.stat().st_size < 150_000 for _, path in found)
    both = replace(attack, results=(result, replace(result, model="other")))
    assert occlusion_plots.drawn(both, tmp_path, "two")[0][0] == "figure 3 and 11"
    text = occlusion_figures.document(replace(both, subjects=()), "python -m x", 0.5, found)
    assert "![figure 4](net-radius.png)" in text and "a disc of 3 pixels hides what one of 6" in text


def test_a_row_that_does_not_exist_is_named():
    with pytest.raises(UserError, match="no row is called 'blur'; there are: a, b"):
        occlusion_runs.chosen(("a", "b"), "a,blur")


def test_both_scorers_give_the_same_numbers():
    pytest.importorskip("pycocotools")
    found, truth = oks_speed.synthetic(40)
    ours = [v or 0.0 for v in average_precision(found, truth).metrics().values()]
    assert ours == pytest.approx(oks_speed.by_pycocotools(found, truth), abs=1e-6)
    assert 0.02 < ours[0] < 0.9
