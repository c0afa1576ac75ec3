"""The tables of dense_table as Markdown: the paper's numbers, ours, where the map helps, what it costs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

COLUMNS = ("AP", "AP50", "AP75", "AR300", "AR300@0.5")
PAPER = {  # data -> method -> the paper's numbers
    "SKU-110K": {
        "Faster-RCNN": (0.045, None, 0.010, 0.066, None),
        "YOLO9000": (0.094, None, 0.073, 0.111, None),
        "RetinaNet": (0.455, None, 0.389, 0.530, None),
        "Goldman et al.": (0.492, None, 0.556, 0.554, None),
        "Goldman et al., improved": (0.514, 0.853, 0.569, 0.571, 0.872),
        "Mask R-CNN": (0.403, 0.742, 0.396, 0.465, 0.778),
        "Gaussian Decoder": (0.512, 0.878, 0.552, 0.582, 0.917),
        "Gaussian Layer": (0.521, 0.891, 0.562, 0.596, 0.931),
    },
    "WebMarket": {
        "Goldman et al., improved": (0.383, 0.773, 0.332, 0.491, 0.855),
        "Gaussian Decoder": (0.397, 0.798, 0.340, 0.547, 0.946),
        "Gaussian Layer": (0.403, 0.813, 0.340, 0.551, 0.954),
    },
    "Holoselecta": {
        "Goldman et al., improved": (0.454, 0.835, 0.447, 0.581, 0.955),
        "Gaussian Decoder": (0.368, 0.717, 0.316, 0.497, 0.842),
        "Gaussian Layer": (0.384, 0.705, 0.368, 0.524, 0.843),
    },
    "Grocery Products": {
        "Goldman et al., improved": (0.259, 0.520, 0.241, 0.403, 0.716),
        "Gaussian Decoder": (0.494, 0.846, 0.539, 0.623, 0.967),
        "Gaussian Layer": (0.506, 0.862, 0.548, 0.634, 0.975),
    },
    "CAPG-GP": {
        "Goldman et al., improved": (0.431, 0.684, 0.519, 0.481, 0.721),
        "Gaussian Decoder": (0.482, 0.782, 0.573, 0.542, 0.819),
        "Gaussian Layer": (0.510, 0.777, 0.616, 0.572, 0.816),
    },
}
NAMES = {
    "retinanet": "RetinaNet",
    "gaussian_layer": "Gaussian Layer",
    "gaussian_decoder": "Gaussian Decoder",
}
SUPPRESSION = {
    "nms": "NMS",
    "soft": "Soft-NMS",
    "map": "NMS, neighbours apart by the map's peaks",
    "centred": "NMS, rescored by the map's peaks",
    "soft centred": "Soft-NMS, rescored by the map's peaks",
}
COSTS = {
    "training": "training step, time",
    "inference": "inference, time",
    "operations": "inference, operations at the paper's size",
    "parameters": "parameters, the paper's",
}

Results = Mapping[str, Any]  # of one run on one dataset, as dense_table.scored gives them


def tables(results: Mapping[str, Any]) -> str:
    """Everything, heading by heading.

    Args:
        results: dataset -> "METHOD-SEED" -> Results, and "costs" -> method -> what -> ratio.
    """
    own = by_method(results.get("shelves", {}))
    parts = [
        ("Scores on built-in shelves", scores(own)),
        ("Against RetinaNet with NMS, in points of 100, same seeds", gains(own)),
        ("Recall at an overlap of 0.5 by how crowded it is", places(own)),
        ("Counting: mean absolute error of a picture's count, and as a share of all", counting(own)),
        ("Cost, as ratios to RetinaNet of one run", costs(results.get("costs", {}))),
        ("The paper's tables, and ours on its data", published(results)),
    ]
    return "\n\n".join(f"## {heading}\n\n{rows}" for heading, rows in parts)


def by_method(runs: Mapping[str, Results]) -> dict[str, list[Results]]:
    """Runs "METHOD-SEED" -> the runs of each method, by seed."""
    found: dict[str, list[Results]] = {}
    for key in sorted(runs, key=lambda k: (list(NAMES).index(k.rpartition("-")[0]), k)):
        found.setdefault(key.rpartition("-")[0], []).append(runs[key])
    return found


def spread(values: Sequence[float], digits: int = 3, sign: str = "") -> str:
    """A mean, and behind it the standard deviation where there are several.

    >>> spread([0.25, 0.35]), spread([0.5])
    ('0.300 ± 0.071', '0.500')
    """
    mean = f"{np.mean(values):{sign}.{digits}f}"
    return f"{mean} ± {np.std(values, ddof=1):.{digits}f}" if len(values) > 1 else mean


def scores(own: Mapping[str, list[Results]]) -> str:
    """A row for each network and way of suppression."""
    rows = [["network", "suppression", "seeds", *COLUMNS]]
    for method, runs in own.items():
        for kind in runs[0]["scores"]:
            cells = [spread([r["scores"][kind][column] for r in runs]) for column in COLUMNS]
            rows.append([NAMES[method], SUPPRESSION[kind], str(len(runs)), *cells])
    return markdown(rows)


def gains(own: Mapping[str, list[Results]]) -> str:
    """What each network and way of suppression has more than the baseline of the same seed."""
    rows = [["network", "suppression", *COLUMNS]]
    for method, runs in own.items():
        pairs = list(zip(runs, own.get("retinanet", [])))
        for kind in runs[0]["scores"] if pairs else ():
            if (method, kind) != ("retinanet", "nms"):
                more = [
                    [100 * (r["scores"][kind][c] - b["scores"]["nms"][c]) for r, b in pairs] for c in COLUMNS
                ]
                rows.append([NAMES[method], SUPPRESSION[kind], *(spread(m, 1, "+") for m in more)])
    return markdown(rows)


def places(own: Mapping[str, list[Results]]) -> str:
    """Recall by density and by overlap with the nearest neighbour."""
    heads: list[str] = next((list(runs[0]["where"]["nms"]) for runs in own.values()), [])
    rows = [["network", "suppression", *heads]]
    for method, runs in own.items():
        for kind in runs[0]["where"]:
            cells = [spread([r["where"][kind][head] for r in runs]) for head in heads]
            rows.append([NAMES[method], SUPPRESSION[kind], *cells])
    return markdown(rows)


def counting(own: Mapping[str, list[Results]]) -> str:
    """How far counts are off."""
    rows = [["network", "counted by", "off by", "share"]]
    for method, runs in own.items():
        for by in runs[0]["counting"]:
            errors = [r["counting"][by] for r in runs]
            mae, share = ([e[name] for e in errors] for name in ("MAE", "share"))
            rows.append([NAMES[method], by, spread(mae, 1), spread(share)])
    return markdown(rows)


def costs(ratios: Mapping[str, Mapping[str, float]]) -> str:
    """Every network's costs over RetinaNet's."""
    rows = [["network", *COSTS.values()]]
    for method, row in ratios.items():
        rows.append([method, *(f"{row[what]:.2f}" if what in row else "not measured" for what in COSTS)])
    return markdown(rows)


def published(results: Mapping[str, Any]) -> str:
    """The paper's rows, ours beside those whose data was there."""
    rows = [["data", "method", *(f"paper's {c}" for c in COLUMNS), "ours, AP", "ours, AP50"]]
    methods = {name: method for method, name in NAMES.items()}
    for name, table in PAPER.items():
        measured = by_method(results.get(name, {}))
        for method, numbers in table.items():
            runs = measured.get(methods.get(method, ""), [])
            ours = [
                spread([r["scores"]["nms"][c] for r in runs]) if runs else "not measured" for c in COLUMNS[:2]
            ]
            rows.append([name, method, *("-" if v is None else f"{v:.3f}" for v in numbers), *ours])
    return markdown(rows)


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """Rows, the head first, as a Markdown table."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]])
