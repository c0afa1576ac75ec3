"""The table of dense shelves says what was measured: means and spreads over seeds, gains of the same seed."""

import pytest

from benchmarks import dense_markdown
from benchmarks.dense_table import LEFT_OUT, counted


def run(ap: float, kinds=("nms", "soft")) -> dict:
    scores = {kind: dict.fromkeys(dense_markdown.COLUMNS, ap + 0.1 * n) for n, kind in enumerate(kinds)}
    where = {kind: {"crowded": ap} for kind in kinds}
    return {"scores": scores, "counting": {"boxes": {"MAE": 10 * ap, "share": ap}}, "where": where}


RUNS = {
    "gaussian_layer-0": run(0.5, ("nms", "soft", "map")),
    "retinanet-0": run(0.4),
    "gaussian_layer-1": run(0.52, ("nms", "soft", "map")),
    "retinanet-1": run(0.44),
}


def test_runs_are_gathered_by_network_the_baseline_first():
    own = dense_markdown.by_method(RUNS)
    assert list(own) == ["retinanet", "gaussian_layer"]
    assert [r["scores"]["nms"]["AP"] for r in own["retinanet"]] == [0.4, 0.44]


def test_gains_are_against_the_same_seed():
    rows = dense_markdown.gains(dense_markdown.by_method(RUNS)).splitlines()
    cells = {tuple(c.strip() for c in row.split("|")[1:4]) for row in rows[2:]}
    assert ("RetinaNet", "Soft-NMS", "+10.0 ± 0.0") in cells
    assert ("Gaussian Layer", "NMS", "+9.0 ± 1.4") in cells  # 10 and 8 points
    assert not any(network == "RetinaNet" and kind == "NMS" for network, kind, _ in cells)


def test_the_papers_numbers_stand_beside_ours_and_what_is_lacking_says_so():
    text = dense_markdown.tables({"shelves": RUNS, "SKU-110K": {"retinanet-0": run(0.4)}})
    assert "| SKU-110K | RetinaNet | 0.455 | - | 0.389 | 0.530 | - | 0.400 | 0.400 |" in text
    assert "| WebMarket | Gaussian Layer | 0.403 |" in text and "not measured" in text


def test_a_network_without_its_map_costs_exactly_what_retinanet_costs():
    base, layer, left_out, decoder = map(
        counted, ("retinanet", "gaussian_layer", LEFT_OUT, "gaussian_decoder")
    )
    assert left_out == base
    assert base["parameters"] == pytest.approx(36.3e6, rel=0.01)
    assert base["operations"] < layer["operations"] < decoder["operations"]
