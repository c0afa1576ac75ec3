"""Tables 1 and 2 of "Learning Gaussian Maps for Dense Object Detection" (Kant 2019), and ours beside them.

    heatmark render shelf --count 44 --seed 901 --size 288x384 --samples 4 --copies 0 --out shelves/train
    heatmark render shelf --count 24 --seed 900 --size 288x384 --samples 4 --copies 0 --out shelves/test
    python -m benchmarks.dense_table --folder runs/dense --data shelves/train --test shelves/test
        [--epochs 8] [--seeds 1] [--minutes 9] [--weights FILE] [--sku FOLDER] [--out docs/shelves_table.md]

Every network learns the same pictures for as many epochs from the same seed (RECIPE and SETTINGS), and is
scored on the same others. A call works for `--minutes`, then saves; the same call goes on. Where SKU-110K
lies in --sku, its test split is scored too (with networks trained on --data, which should then be its
training split); WebMarket, Holoselecta, Grocery Products and CAPG-GP are given as --also NAME=DATASET. What
was not measured says so.

Expectation: the paper claims +5 to +6 AP for the map. At our size (a few minutes of a CPU) differences below
two points are within the spread of seeds.
"""

import argparse
import json
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.rows import commit, machine
from heatmark import data, heatmaps
from heatmark.card import Card
from heatmark.imaging.augment import framed
from heatmark.metrics.boxes import overlaps
from heatmark.metrics.dense import counting_error, dense_scores, found_at
from heatmark.models import create
from heatmark.training import state
from heatmark.training.dense import fitted, read, shelves
from heatmark.training.dense_losses import Dense
from heatmark.training.recipe import Recipe, validated
from heatmark.types import Boxes, Sample

METHODS = ("retinanet", "gaussian_layer", "gaussian_decoder")
RECIPE = "shelf_small"
SIZE = (192, 256)
SETTINGS: dict[str, Any] = {
    "size": list(SIZE), "workers": 0, "batch": 2, "lr": 5.0e-4, "save_minutes": 1.0, "warmup": 1.0,
    "augmentation": {"others": "none", "flip": 0.5, "brightness": [0.7, 1.4], "saturation": [0.6, 1.4]},
}  # fmt: skip
OPTIONS = {"backbone": "mobilenet_v2", "width": 64, "depth": 2, "anchor": 2.0}
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


def settings_for(method: str, seed: int, epochs: int, weights: str | None) -> dict[str, Any]:
    """What a run changes of RECIPE."""
    options = OPTIONS | ({"weights": weights} if weights else {})
    return SETTINGS | {"model": method, "options": options, "seed": seed, "epochs": epochs}


def trained(folder: Path, given: argparse.Namespace, method: str, seed: int, until: float) -> Path | None:
    """The run's best model, or None if the time is over first."""
    run, asked = folder / f"{method}-{seed}", settings_for(method, seed, given.epochs, given.weights)
    if (run / "done.json").exists():
        return run / "best.safetensors"
    code = (
        "import json, sys; from heatmark.commands.train import train\n"
        "recipe, data, out, resume, settings = json.loads(sys.argv[1])\n"
        "train(recipe, data=data, out=out, resume=resume, settings=settings)"
    )
    plan = [RECIPE, str(given.data), str(run), (run / "recipe.yaml").exists(), asked]
    process = subprocess.Popen([sys.executable, "-c", code, json.dumps(plan)])
    try:
        process.wait(timeout=max(until - time.monotonic(), 5))
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        process.wait()
        return None
    if process.returncode:
        sys.exit(f"training {method} ended with {process.returncode}")
    (run / "done.json").write_text(json.dumps(asked))
    return run / "best.safetensors"


def opened(path: Path) -> tuple[Any, Card, Recipe]:
    """A trained network with its raw outputs, its card and recipe."""
    tensors, header = state.read(path)
    card = Card.from_json(header["heatmark"], str(path))
    net: Any = create(card.model, 1, **card.options)
    net.load_state_dict(tensors)
    return net.eval(), card, validated(card.recipe | {"options": card.options}, path.name)


def scored(path: Path, test: Path) -> dict[str, Any]:
    """Everything that is measured of one model on one dataset: by suppression, and what is found where."""
    net, _, recipe = opened(path)
    kinds = ("nms", "soft", "map") if net.branch is not None else ("nms", "soft")
    how = Dense(least=0.05)
    answers: dict[str, list[Boxes]] = {kind: [] for kind in kinds}
    truth, peaks, sure = [], [], []
    for shelf in shelves(data.open_dataset(test), data.open_dataset(test).skeleton):
        picture = data.sample(shelf.record)
        frame = fitted(shelf.record.size, recipe)
        seen = framed(Sample(picture.picture, shelf.poses), frame)
        pixels = torch.from_numpy(np.ascontiguousarray(seen.picture.transpose(2, 0, 1)))[None].float() / 255
        with torch.inference_mode():
            outputs = net(pixels)
        for kind in kinds:
            answers[kind] += read(outputs, net.anchors, frame.size, how, kind)
        truth.append(Boxes(seen.poses.boxes))
        sure.append(int((answers["nms"][-1].scores > 0.3).sum()))
        if net.branch is not None:
            drawn = heatmaps.smoothed(outputs[2][0, 0].clamp(0, 1))
            peaks.append(len(heatmaps.box_centres(drawn, 0.3)[0]))
    numbers = {kind: dense_scores(found, truth).metrics() for kind, found in answers.items()}
    counts = [len(t) for t in truth]
    counting = {"boxes above 0.3": counting_error(sure, counts)}
    if peaks:
        counting["peaks of the map"] = counting_error(peaks, counts)
    return {"scores": numbers, "counting": counting, "where": found_where(answers, truth)}


def found_where(answers: dict[str, list[Boxes]], truth: Sequence[Boxes]) -> dict[str, dict[str, float]]:
    """Recall at 0.5 by how crowded the picture is and by how much of a label its nearest neighbour shares."""
    crowded = np.array([len(t) for t in truth])
    middle = float(np.median(crowded))
    shared = []
    for t in truth:
        iou = overlaps(t.boxes, t.boxes) if len(t) else np.zeros((0, 0))
        np.fill_diagonal(iou, 0)
        shared.append(iou.max(1) if len(t) else np.empty(0))
    close = np.concatenate(shared)
    many = np.concatenate([np.full(len(t), len(t) > middle) for t in truth])
    tables = {}
    for kind, found in answers.items():
        hit = np.concatenate([found_at(f, t) for f, t in zip(found, truth)])
        tables[kind] = {
            f"in pictures of at most {middle:.0f}": _share(hit[~many]),
            f"in pictures of more than {middle:.0f}": _share(hit[many]),
            "neighbour shares < 0.02": _share(hit[close < 0.02]),
            "neighbour shares 0.02 to 0.1": _share(hit[(close >= 0.02) & (close < 0.1)]),
            "neighbour shares > 0.1": _share(hit[close >= 0.1]),
        }
    return tables


def _share(hits: np.ndarray) -> float:
    return float(hits.mean()) if len(hits) else float("nan")


def costs(repeat: int = 5) -> dict[str, dict[str, float]]:
    """Seconds of this process's time for a step and for a picture, in turns, so that a busy machine is busy
    for all; medians, as ratios to RetinaNet.
    """
    torch.manual_seed(0)
    pixels = torch.rand(2, 3, *SIZE)
    nets: dict[str, Any] = {m: create(m, 1, **OPTIONS, weights=None) for m in METHODS}
    left: Any = create("gaussian_layer", 1, **OPTIONS, weights=None)
    nets["gaussian_layer, map left out"] = left.without_map()
    times: dict[str, dict[str, list[float]]] = {m: {"training": [], "inference": []} for m in nets}
    for _ in range(repeat + 1):
        for method, net in nets.items():
            start = time.process_time()
            torch.stack([o.square().mean() for o in net.train()(pixels)]).sum().backward()
            middle = time.process_time()
            with torch.inference_mode():
                net.eval()(pixels)
            times[method]["training"].append(middle - start)
            times[method]["inference"].append(time.process_time() - middle)
    medians = {m: {k: float(np.median(v[1:])) for k, v in t.items()} for m, t in times.items()}
    base = medians["retinanet"]
    return {m: {k: v / base[k] for k, v in t.items()} for m, t in medians.items()}


HEAD = """# Dense shelves: the paper's tables, and ours

Kant 2019, tables 1 and 2. Ours on built-in shelves: {pictures} rendered pictures to learn and choose from, at
{size[0]} x {size[1]} pixels, {epochs} epochs, {seeds} seed(s), the same for each network; MobileNetV2, a
quarter of the paper's width. Made by `python -m benchmarks.dense_table`, whose head has the whole command.
Costs are ratios of one run and scatter by about a tenth here: the last row's networks are alike.

"""


def text(results: dict[str, Any], given: argparse.Namespace) -> str:
    """The tables as Markdown."""
    lines = [
        "| data | method | suppression | " + " | ".join(COLUMNS) + " | paper's " + " | ".join(COLUMNS) + " |"
    ]
    lines.append("|---" * (3 + 2 * len(COLUMNS)) + "|")
    own = results.get("shelves", {})
    for method in METHODS:
        runs = [own[f"{method}-{s}"] for s in range(given.seeds) if f"{method}-{s}" in own]
        for kind in ("nms", "soft", "map"):
            have = [r["scores"][kind] for r in runs if kind in r["scores"]]
            if have or (kind == "nms" and not runs):
                ours = _cells(have)
                lines.append(
                    f"| built-in shelves | {NAMES[method]} | {kind} | {ours} | " + "- | " * len(COLUMNS)
                )
    for name, table in PAPER.items():
        measured = results.get(name, {})
        for method, numbers in table.items():
            key = next((f"{m}-0" for m, n in NAMES.items() if n == method), "")
            have = [measured[key]["scores"]["nms"]] if key in measured else []
            paper = " | ".join("-" if v is None else f"{v:.3f}" for v in numbers)
            lines.append(f"| {name} | {method} | nms | {_cells(have)} | {paper} |")
    lines += ["", "Recall at 0.5 on built-in shelves, by how crowded it is:", ""]
    heads: list[str] = next((list(r["where"]["nms"]) for r in own.values()), [])
    lines += ["| method | suppression | " + " | ".join(heads) + " |", "|---" * (2 + len(heads)) + "|"]
    for key, r in own.items():
        for kind, row in r["where"].items():
            lines.append(f"| {key} | {kind} | " + " | ".join(f"{v:.3f}" for v in row.values()) + " |")
    lines += [
        "",
        "Counting, mean absolute error (and as a share of all):",
        "",
        "| method | by | error |",
        "|---|---|--:|",
    ]
    for key, r in own.items():
        for by, e in r["counting"].items():
            lines.append(f"| {key} | {by} | {e['MAE']:.1f} ({e['share']:.3f}) |")
    lines += [
        "",
        "Cost, as ratios to RetinaNet of one run (process time):",
        "",
        "| | training step | inference |",
        "|---|--:|--:|",
    ]
    for method, row in results.get("costs", {}).items():
        lines.append(f"| {method} | {row['training']:.2f} | {row['inference']:.2f} |")
    return "\n".join(lines)


def _cells(have: Sequence[dict[str, float | None]]) -> str:
    """Means over seeds, their spread where there are several."""
    if not have:
        return " | ".join(["not measured"] * len(COLUMNS))
    cells = []
    for column in COLUMNS:
        values = np.array([h[column] for h in have], float)
        spread = f" ± {values.std(ddof=1):.3f}" if len(values) > 1 else ""
        cells.append(f"{values.mean():.3f}{spread}")
    return " | ".join(cells)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--test", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=9)
    parser.add_argument("--weights")
    parser.add_argument("--sku", type=Path)
    parser.add_argument("--also", action="append", default=[])
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    until = time.monotonic() + given.minutes * 60
    given.folder.mkdir(parents=True, exist_ok=True)
    kept = given.folder / "results.json"
    results: dict[str, Any] = json.loads(kept.read_text()) if kept.exists() else {}
    sets = {"shelves": given.test} | dict(also.split("=", 1) for also in given.also)
    sets |= {"SKU-110K": given.sku} if given.sku else {}
    for seed in range(given.seeds):
        for method in METHODS:
            model = trained(given.folder, given, method, seed, until)
            if model is None:
                print("time is over; the same call goes on")
                return
            for name, test in sets.items():
                if f"{method}-{seed}" not in results.setdefault(name, {}):
                    results[name][f"{method}-{seed}"] = scored(model, Path(test))
                    kept.write_text(json.dumps(results, indent=1))
    if "costs" not in results:
        results["costs"] = costs()
        kept.write_text(json.dumps(results, indent=1))
    head = HEAD.format(
        pictures=len(data.open_dataset(given.data)), size=SIZE, epochs=given.epochs, seeds=given.seeds
    )
    whole = head + text(results, given) + f"\n\n{commit()}, {machine()}\n"
    if given.out:
        given.out.write_text(whole, encoding="utf-8")
    print(whole)


if __name__ == "__main__":
    main()
