"""Tables 1 and 2 of "Learning Gaussian Maps for Dense Object Detection" (Kant 2019), and ours beside them.

    heatmark render shelf --count 400 --seed 901 --size 288x384 --samples 4 --copies 0 \\
        --set shelf.products=[60,160] --out shelves/train
    heatmark render shelf --count 36 --seed 900 --size 288x384 --samples 4 --copies 0 \\
        --set shelf.products=[60,160] --out shelves/test
    python -m benchmarks.dense_table --folder runs/dense --data shelves/train --test shelves/test --epochs 6
        --seeds 3 [--minutes 9] [--weights FILE] [--sku FOLDER] [--out docs/shelves_table.md]

Every network learns the same pictures for as many epochs from the same seed (RECIPE and SETTINGS), and is
scored on the same others. A call works for `--minutes`, then saves; the same call goes on; with 0 it writes
the table of what is there. Where SKU-110K lies in --sku, its test split is scored too (with networks trained
on --data, which should then be its training split); WebMarket, Holoselecta, Grocery Products and CAPG-GP are
given as --also NAME=DATASET. What was not measured says so.

Expectation: the paper claims +5 to +6 points of AP for the map.
"""

import argparse
import json
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import dense_markdown
from benchmarks.rows import commit, machine
from benchmarks.runs import digest
from heatmark import data, heatmaps
from heatmark.card import Card
from heatmark.imaging.augment import framed
from heatmark.metrics.boxes import iou
from heatmark.metrics.dense import counting_error, dense_scores, found_at, with_area
from heatmark.models import create
from heatmark.training import state
from heatmark.training.dense import fitted, read, shelves
from heatmark.training.dense_losses import Dense
from heatmark.training.recipe import Recipe, validated
from heatmark.types import Boxes, Sample

METHODS = ("retinanet", "gaussian_layer", "gaussian_decoder")
RECIPE = "shelf_small"
SIZE = (288, 384)
PAPERS_SIZE = (800, 1344)  # 800 x 1333 in multiples of 32
LEFT_OUT = "gaussian_layer, map left out"
SETTINGS: dict[str, Any] = {
    "size": list(SIZE), "workers": 0, "batch": 2, "lr": 1.0e-3, "precision": "auto",
    "save_minutes": 1.0, "warmup": 0.5,
    "augmentation": {"others": "none", "flip": 0.5, "brightness": [0.7, 1.4], "saturation": [0.6, 1.4]},
}  # fmt: skip
OPTIONS = {
    "backbone": "mobilenet_v2", "width": 64, "depth": 2, "anchor": 2.5,
    "trainable_from": "blocks.1",  # the first strides stay as ImageNet made them; C2 to C5 learn
}  # fmt: skip


def settings_for(method: str, seed: int, epochs: int, weights: str | None) -> dict[str, Any]:
    """What a run changes of RECIPE."""
    options = OPTIONS | ({"weights": weights} if weights else {})
    return SETTINGS | {"model": method, "options": options, "seed": seed, "epochs": epochs}


def trained(folder: Path, given: argparse.Namespace, method: str, seed: int, until: float) -> Path | None:
    """The run's best model, or None if the time is over first."""
    run, asked = folder / f"{method}-{seed}", settings_for(method, seed, given.epochs, given.weights)
    if (run / "done.json").exists():
        return run / "best.safetensors"
    if time.monotonic() >= until:
        return None
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
    kinds = ("nms", "soft") if net.branch is None else ("nms", "soft", "map", "centred", "soft centred")
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
        truth.append(Boxes(seen.poses.boxes[with_area(seen.poses.boxes)]))
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


def labels_of(test: Path) -> str:
    """What tells a dataset's labels from others'."""
    return digest([(record.name, record.poses.boxes.tolist()) for record in data.open_dataset(test)])


def found_where(answers: dict[str, list[Boxes]], truth: Sequence[Boxes]) -> dict[str, dict[str, float]]:
    """Recall at 0.5 by how crowded the picture is and by how much of a label its nearest neighbour shares."""
    crowded = np.array([len(t) for t in truth])
    middle = float(np.median(crowded))
    shared = []
    for t in truth:
        mutual = iou(t.boxes, t.boxes) if len(t) else np.zeros((0, 0))
        np.fill_diagonal(mutual, 0)
        shared.append(mutual.max(1) if len(t) else np.empty(0))
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


def costs(repeat: int = 9) -> dict[str, dict[str, float]]:
    """Each network's costs over RetinaNet's.

    Seconds of this process's time for a step and for a picture at our size, medians of `repeat` taken in
    turns, so that a busy machine is busy for all; and, counted without running them, the operations of one
    look and the parameters at the paper's size.
    """
    torch.manual_seed(0)
    pixels = torch.rand(2, 3, *SIZE)
    options = OPTIONS | {"weights": None}
    nets: dict[str, Any] = {m: create(m, 1, **options) for m in METHODS}
    nets[LEFT_OUT] = cast(Any, create("gaussian_layer", 1, **options)).without_map()
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
    found = {m: {k: float(np.median(v[1:])) for k, v in t.items()} for m, t in times.items()}
    for method in nets:
        found[method] |= counted(method)
    base = found["retinanet"]
    return {m: {k: v / base[k] for k, v in t.items()} for m, t in found.items()}


def counted(method: str) -> dict[str, float]:
    """Operations of one look at a picture of the paper's size, and parameters: ResNet-50, 256 channels."""
    with torch.device("meta"):  # shapes without numbers: nothing is computed
        net: Any = create(method.split(",")[0], 1, weights=None).eval()
        net = net.without_map() if method == LEFT_OUT else net
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            net(torch.empty(1, 3, *PAPERS_SIZE))
    parameters = sum(p.numel() for p in net.parameters())
    return {"operations": float(counter.get_total_flops()), "parameters": float(parameters)}


HEAD = """# Dense shelves: the paper's tables, and ours

Kant 2019, tables 1 and 2. Ours on built-in shelves: {learnt} rendered pictures to learn and choose from,
{tested} others to score, {size[0]} x {size[1]} pixels, {epochs} epochs, the same for each network;
MobileNetV2 whose first stride is frozen, a quarter of the paper's width. Made by
`python -m benchmarks.dense_table`, whose head has the whole command. Numbers are fractions: means over seeds,
and their standard deviation.

"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--test", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=2)
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
    labels = {name: labels_of(Path(test)) for name, test in sets.items()}
    for name in sets:
        if results.get("labels", {}).get(name) != labels[name]:
            results.pop(name, None)  # scored on other pictures
    results["labels"] = labels
    for method, seed in ((m, s) for s in range(given.seeds) for m in METHODS):
        model = trained(given.folder, given, method, seed, until)
        if model is None:
            print("time is over; the same call goes on")
            break
        for name, test in sets.items():
            if f"{method}-{seed}" not in results.setdefault(name, {}):
                results[name][f"{method}-{seed}"] = scored(model, Path(test))
                kept.write_text(json.dumps(results, indent=1))
    else:
        if "costs" not in results:
            results["costs"] = costs()
            kept.write_text(json.dumps(results, indent=1))
    pictures = len(data.open_dataset(given.data)), len(data.open_dataset(given.test))
    head = HEAD.format(learnt=pictures[0], tested=pictures[1], size=SIZE, epochs=given.epochs)
    whole = head + dense_markdown.tables(results) + f"\n\n{commit()}, {machine()}\n"
    if given.out:
        given.out.write_text(whole, encoding="utf-8")
    print(whole)


if __name__ == "__main__":
    main()
