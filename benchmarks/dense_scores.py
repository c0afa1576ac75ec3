"""How long SKU-110K's evaluation takes: 2,941 pictures of 147 boxes each, 300 predicted in each, one thread.

    python -m benchmarks.dense_scores [--pictures 2941] [--beside 60] [--out docs/dense_scores_speed.md]

Expectation: the whole test set in seconds, the same numbers as pycocotools to 1e-9, many times as fast. Where
pycocotools is installed (it is a guest here: nothing of heatmark needs it) both score the same `--beside`
pictures; it needs minutes for all.
"""

import argparse
import contextlib
import io
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.rows import commit, machine
from heatmark.metrics.boxes import nms, soft_nms
from heatmark.metrics.dense import dense_scores
from heatmark.types import Boxes

LABELS, ANSWERS = 147, 300
PROPOSED = 2000
HEAD = """# Speed of dense scoring

Pictures with {labels} labelled boxes and {answers} predicted ones each; seconds of one core's time. Below,
suppression of a picture's {proposed} candidates.

    python -m benchmarks.dense_scores --beside 20 --out docs/dense_scores_speed.md

"""


def shelf(rng: np.random.Generator, answers: int = ANSWERS) -> tuple[Boxes, Boxes]:
    """Labels on a grid of touching boxes, and answers: the same moved a little, and some that are wrong."""
    columns = 21
    cells = np.array([[i % columns, i // columns] for i in range(LABELS)])
    side = rng.uniform([30, 60], [50, 110])
    labels = np.concatenate([cells * side, (cells + 1) * side], 1)
    near = labels + rng.normal(0, 3, labels.shape)
    more = answers - LABELS
    again = labels[rng.integers(LABELS, size=more)] + rng.normal(0, 12, (more, 4))
    found = np.concatenate([near, again])
    found[:, 2:] = np.maximum(found[:, 2:], found[:, :2] + 1)
    return Boxes(found, rng.random(len(found))), Boxes(labels)


def pycoco(found: Sequence[Boxes], labels: Sequence[Boxes]) -> tuple[float, float]:
    """AP and AR300 as pycocotools gives them."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def rows(pictures: Sequence[Boxes]) -> list[dict]:
        out = []
        for i, boxes in enumerate(pictures, 1):
            for (x1, y1, x2, y2), score in zip(boxes.boxes.tolist(), boxes.scores.tolist()):
                box = {"bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1), "score": score}
                out.append(box | {"id": len(out) + 1, "image_id": i, "category_id": 1, "iscrowd": 0})
        return out

    def indexed(annotations: list[dict]) -> COCO:
        coco: Any = COCO()
        images = [{"id": i + 1} for i in range(len(labels))]
        coco.dataset = {"images": images, "categories": [{"id": 1}], "annotations": annotations}
        coco.createIndex()
        return coco

    with contextlib.redirect_stdout(io.StringIO()):
        run = COCOeval(indexed(rows(labels)), indexed(rows(found)), "bbox")
        run.params.maxDets, run.params.areaRng, run.params.areaRngLbl = [300], [[0, 1e10]], ["all"]
        run.evaluate()
        run.accumulate()
    return float(run.eval["precision"].mean()), float(run.eval["recall"].mean())


def suppression(repeat: int = 15) -> list[str]:
    """A table: what either way takes for PROPOSED candidates, median milliseconds."""
    found, _ = shelf(np.random.default_rng(1), PROPOSED)
    lines = ["| suppression | milliseconds | kept |", "|---|--:|--:|"]
    for name, way in (("NMS", nms), ("Soft-NMS", lambda b, s: soft_nms(b, s, least=0.05)[0])):
        times = [seconds(lambda: way(found.boxes, found.scores))[0] for _ in range(repeat)]  # noqa: B023
        kept = len(way(found.boxes, found.scores))
        lines.append(f"| {name} | {1e3 * float(np.median(times)):.1f} | {kept} |")
    return lines


def seconds(work: Callable[[], object]) -> tuple[float, object]:
    start = time.process_time()
    made = work()
    return time.process_time() - start, made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=2941)
    parser.add_argument("--beside", type=int, default=60)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    rng = np.random.default_rng(0)
    found, labels = zip(*(shelf(rng) for _ in range(asked.pictures)))
    whole, scores = seconds(lambda: dense_scores(found, labels))
    lines = ["| pictures | boxes | by | seconds | ratio |", "|--:|--:|---|--:|--:|"]
    lines += [f"| {asked.pictures} | {asked.pictures * LABELS} | heatmark | {whole:.1f} | |"]
    part, label_part = found[: asked.beside], labels[: asked.beside]
    ours, few = seconds(lambda: dense_scores(part, label_part))
    lines += [f"| {asked.beside} | {asked.beside * LABELS} | heatmark | {ours:.2f} | 1 |"]
    if find_spec("pycocotools") is None:
        lines += [f"| {asked.beside} | {asked.beside * LABELS} | pycocotools | not measured | |"]
    else:
        theirs, numbers = seconds(lambda: pycoco(part, label_part))
        assert np.allclose(numbers, [few.ap, few.ar300], atol=1e-9), (numbers, few)  # type: ignore[attr-defined]
        lines += [
            f"| {asked.beside} | {asked.beside * LABELS} | pycocotools | {theirs:.2f} | {theirs / ours:.0f} |"
        ]
    lines += ["", *suppression()]
    text = HEAD.format(labels=LABELS, answers=ANSWERS, proposed=PROPOSED) + "\n".join(lines)
    text += f"\n\n{commit()}, {machine()}\n"
    if asked.out:
        asked.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
