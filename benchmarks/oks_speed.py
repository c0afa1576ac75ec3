"""OKS scoring against pycocotools on synthetic pictures: the same numbers, and how much faster.

    pip install pycocotools
    python -m benchmarks.oks_speed [--pictures 5000] [--out docs/oks_speed.md]

pycocotools is a guest of this benchmark only: it gives a prediction that is not finite a perfect score. Both
read the same annotations and results, already in memory, and score AP and AR; the largest difference of their
ten numbers must be below 1e-6.
"""

import argparse
import contextlib
import io
import time
from pathlib import Path

import numpy as np

from heatmark.metrics.oks import AREAS, MOST, _asked, _given, average_precision
from heatmark.skeletons import COCO17
from heatmark.types import Poses

from .rows import commit, machine

TOLERANCE = 1e-6
HEAD = """# Scoring by OKS

AP and AR of the same predictions on {pictures:,} synthetic pictures with {people:,} people, by
`heatmark.metrics.oks` (over faster-coco-eval) and by pycocotools; the best of {turns} turns each. CPU seconds
hold on a busy machine, too.

"""


def synthetic(pictures: int, seed: int = 0) -> tuple[list[Poses], list[Poses]]:
    """(predictions, truth): up to five people a picture, some unlabelled, found more or less well, and a few
    answers too many.
    """
    rng = np.random.default_rng(seed)
    found, truth = [], []
    for _ in range(pictures):
        people = int(rng.integers(0, 6))
        corners, sides = rng.uniform(0, 400, (people, 1, 2)), rng.uniform(30, 300, (people, 1, 2))
        points = corners + rng.uniform(0, 1, (people, 17, 2)) * sides
        visibility = rng.integers(0, 3, (people, 17)).astype(np.uint8) * (rng.random((people, 1)) < 0.8)
        boxes = np.concatenate([corners[:, 0], corners[:, 0] + sides[:, 0]], -1)
        truth.append(Poses(COCO17, points, visibility=visibility.astype(np.uint8), boxes=boxes))
        off = points + rng.standard_normal(points.shape) * sides * rng.uniform(0, 0.15, (people, 1, 1))
        stray = rng.uniform(0, 600, (int(rng.integers(0, 3)), 17, 2))
        every = np.concatenate([off, stray])
        found.append(Poses(COCO17, every, score=rng.random(len(every))))
    return found, truth


def by_pycocotools(found: list[Poses], truth: list[Poses]) -> list[float]:
    """COCO's ten numbers by pycocotools."""
    from pycocotools.coco import COCO  # type: ignore[import-not-found]
    from pycocotools.cocoeval import COCOeval  # type: ignore[import-not-found]

    def indexed(rows: list[list[dict]]) -> COCO:
        flat = [a | {"image_id": i + 1, "category_id": 1} for i, some in enumerate(rows) for a in some]
        coco = COCO()
        coco.dataset = {  # type: ignore[assignment]
            "images": [{"id": i + 1} for i in range(len(rows))],
            "categories": [{"id": 1}],
            "annotations": [a | {"id": n + 1, "ignore": 0} for n, a in enumerate(flat)],
        }
        coco.createIndex()
        return coco

    with contextlib.redirect_stdout(io.StringIO()):
        asked = indexed([_asked(poses, None, ()) for poses in truth])
        run = COCOeval(asked, indexed([_given(poses) for poses in found]), "keypoints")
        run.params.kpt_oks_sigmas = COCO17.tolerances
        run.params.maxDets = [MOST]
        run.params.areaRng, run.params.areaRngLbl = [list(r) for r in AREAS.values()], list(AREAS)
        run.evaluate()
        run.accumulate()
        run.summarize()
    return [float(v) for v in run.stats]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=int, default=5000)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    found, truth = synthetic(given.pictures)
    took: dict[str, list[tuple[float, float]]] = {"ours": [], "pycocotools": []}
    numbers: dict[str, list[float]] = {}
    ways = {
        "ours": lambda: [v or 0.0 for v in average_precision(found, truth).metrics().values()],
        "pycocotools": lambda: by_pycocotools(found, truth),
    }
    for _ in range(given.turns):
        for name, way in ways.items():
            start, worked = time.perf_counter(), time.process_time()
            numbers[name] = way()
            took[name].append((time.perf_counter() - start, time.process_time() - worked))
    apart = float(np.abs(np.subtract(numbers["ours"], numbers["pycocotools"])).max())
    best = {name: [min(times) for times in zip(*turns)] for name, turns in took.items()}
    slow = best["pycocotools"]
    rows = [
        f"| {name} | {wall:.2f} | {slow[0] / wall:.2f} | {worked:.2f} | {slow[1] / worked:.2f} |"
        for name, (wall, worked) in best.items()
    ]
    head = "| scorer | seconds | times as fast | CPU seconds | times as cheap |"
    table = "\n".join([head, "|---|---:|---:|---:|---:|", *rows])
    says = f"AP {numbers['ours'][0]:.6f}; the largest difference of the ten numbers is {apart:.1e}."
    people = sum(map(len, truth))
    text = HEAD.format(pictures=given.pictures, people=people, turns=given.turns) + f"{table}\n\n{says}\n\n"
    text += f"`python -m benchmarks.oks_speed --pictures {given.pictures}`, commit {commit()}, {machine()}.\n"
    print(text)
    if given.out:
        given.out.write_text(text, encoding="utf-8")
    if apart >= TOLERANCE:
        raise SystemExit(f"the numbers differ by {apart:.1e}, more than {TOLERANCE:.0e}")


if __name__ == "__main__":
    main()
