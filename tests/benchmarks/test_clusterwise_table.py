"""The cluster-wise table: rows that are recipes, and numbers from a file."""

import argparse
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[2]))  # benchmarks is no part of the package

from benchmarks import clusterwise_table as bench  # noqa: E402
from benchmarks.clusterwise_table import METRICS, PAPER, Budget, Table  # noqa: E402
from heatmark.errors import UserError  # noqa: E402
from heatmark.models import create  # noqa: E402
from heatmark.training import recipe as recipes  # noqa: E402


def test_every_row_is_a_recipe_with_the_same_number_of_steps():
    budget = Budget(pictures=100, steps=450, batch=10, width=8, side=64)
    for row in PAPER:
        recipe = recipes.read(f"clusterwise_coco/{row}", budget.settings(row, seed=3))
        assert recipe.epochs == 50 and recipe.seed == 3 and recipe.options["width"] == 8
        assert recipe.size == (64, 64) and recipe.model == ("pose_ae" if row == "pose_ae" else "clusterwise")
        with torch.device("meta"):
            create(recipe.model, 17, **recipe.options)


def test_fewer_stacks_are_the_last_ones_and_a_backbone_is_every_rows():
    budget = Budget(pictures=100, stacks=2, backbone="efficientnet_lite0")
    rows = {row: recipes.read(f"clusterwise_coco/{row}", budget.settings(row, 0)).options for row in PAPER}
    assert rows["cluster_1"]["dense"] == (1, 3) and rows["cluster_1"]["sparse"] == (5, 17)
    assert rows["in_cross"]["dense"] == (1, 1) and rows["pose_ae"]["stacks"] == 2
    assert {(o["backbone"], o["weights"]) for o in rows.values()} == {("efficientnet_lite0", "hub")}
    assert "2 stacks" in budget.words and "over a frozen efficientnet_lite0" in budget.words
    with pytest.raises(UserError, match="stacks must be 1 to 4, got 5"):
        Budget(pictures=9, stacks=5).settings("cluster_1", 0)


def test_part_of_the_backbone_learns_where_the_budget_says_so():
    budget = Budget(pictures=100, stacks=2, backbone="efficientnet_lite0", learns="blocks.4")
    for row in ("pose_ae", "in_cross"):
        recipe = recipes.read(f"clusterwise_coco/{row}", budget.settings(row, 0))
        assert recipe.options["trainable_from"] == "blocks.4" and recipe.backbone_lr == 0.2
    assert "over efficientnet_lite0 that learns from blocks.4 on at a fifth of the rate" in budget.words


def test_small_windows_reach_the_edges_of_a_picture_and_the_papers_stay_in_its_middle():
    assert (
        Budget(flip=1).scales == {"flip": True} and Budget(flip=1).words == Budget().words + ", also mirrored"
    )
    paper = {"least": 0.75, "most": 1.25, "translate": 0.0, "rotate": bench.TURN}
    assert Budget().zoom == paper and Budget().scales == {}
    small = Budget(least=0.4, most=0.6, look=2)
    assert small.zoom["translate"] == pytest.approx(0.5)  # half a window, which is half a picture, either way
    assert small.scales == {"scales": (2,)}
    recipe = recipes.read("clusterwise_coco/pose_ae", small.settings("pose_ae", 0))
    assert recipe.zoom is not None and (recipe.zoom.least, recipe.zoom.side) == (0.4, "long")


def test_what_was_not_run_says_so_and_seeds_are_averaged(tmp_path):
    table = Table.opened(tmp_path / "t.json", "small")
    assert bench.page(table, "x").count("not measured") == 2 * len(PAPER) + len(bench.POSETRACK)
    for seed, ap in enumerate((0.2, 0.3)):
        table.put("in_cross", seed, dict.fromkeys(METRICS, ap) | {"APL": None})
    again = Table.opened(tmp_path / "t.json", "small")
    assert again.mean("in_cross", "AP") == pytest.approx(25.0) and again.mean("in_cross", "APL") is None
    text = bench.page(again, "x")
    assert (
        "| in_cross | AP | 62.7 | 25.0 | -37.7 |" in text and "| in_cross_1 | AP | - | not measured |" in text
    )
    with pytest.raises(UserError, match="another budget"):
        Table.opened(tmp_path / "t.json", "large")


def test_a_budget_too_small_to_learn_anything_says_so(tmp_path):
    table = Table.opened(tmp_path / "t.json", "tiny")
    assert "too small" not in bench.page(table, "x")  # nothing was measured at all
    table.put("pose_ae", 0, dict.fromkeys(METRICS, 0.0))
    assert "this budget is too small to compare anything" in bench.page(table, "x")
    table.put("in_cross", 0, dict.fromkeys(METRICS, 0.2))
    assert "too small" not in bench.page(table, "x")


def test_photographs_have_a_table_of_their_own(tmp_path):
    table = Table.opened(tmp_path / "t.json", "small")
    assert "photographs" not in bench.page(table, "x")
    table.put("pose_ae", 0, dict.fromkeys(METRICS, 0.25), photographs=True)
    again = Table.opened(tmp_path / "t.json", "small")
    assert again.mean("pose_ae", "AR", photographs=True) == 25 and again.mean("pose_ae", "AR") is None
    assert "| pose_ae | " + " | ".join(["25.0"] * len(METRICS)) + " |" in bench.page(again, "x")


def test_mistakes_are_told(tmp_path):
    table = Table.opened(tmp_path / "t.json", "small")
    with pytest.raises(UserError, match="did you mean 'in_cross'"):
        bench.measure(argparse.Namespace(row=["in_crss"]), Budget(), table)
    with pytest.raises(UserError, match="nowhere"):
        bench.main([str(tmp_path / "nowhere"), str(tmp_path / "nowhere")])
