"""How long it takes to draw the Gaussian map of a shelf and to find its objects again, on one thread.

    python -m benchmarks.box_maps [--repeat 15] [--out docs/box_maps_speed.md]

Expectation: 300 boxes of a picture of 800 x 1333, at half scale, in a few milliseconds; exactly the same
values as the plain definition (tests/heatmaps/test_box_maps.py).
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch

from benchmarks.rows import commit, machine
from heatmark import geometry, heatmaps

SIZE = (800, 1333)
COUNTS = (1, 100, 300, 1000)
HEAD = """# Speed of Gaussian box maps

A picture of 800 x 1333, its map 400 x 666; one thread, medians of {repeat}, milliseconds of its time.
"Boxes": upright boxes, drawn as one product of two matrices. "Quadrilaterals": the same boxes turned by a few
degrees, each carried by its own homography. "One by one": a 120 x 120 bump carried to each box by OpenCV's
warpPerspective and added, as one would write it down. "Centres": the map's local maxima, all of them.

    python -m benchmarks.box_maps --out docs/box_maps_speed.md

"""


def shelf(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (N, 4) side by side over the picture, and quadrilaterals (N, 4, 2), each turned a little."""
    h, w = SIZE
    columns = max(int(np.ceil(np.sqrt(count * w / h))), 1)
    rows = -(-count // columns)
    cells = np.array([[c, r] for r in range(rows) for c in range(columns)])[:count]
    side = np.array([w / columns, h / rows])
    boxes = np.concatenate([cells * side, (cells + 1) * side], 1)
    turned = []
    for x1, y1, x2, y2 in boxes:
        corners = np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]])
        matrix = geometry.rotation(float(rng.normal(0, 4)))
        turned.append(geometry.moved(corners, geometry.about(matrix, ((x1 + x2) / 2, (y1 + y2) / 2))))
    return boxes, np.array(turned)


def one_by_one(quads: np.ndarray) -> np.ndarray:
    """(H/2, W/2): the recipe of the paper, with OpenCV."""
    y, x = np.mgrid[:120, :120] - 59.5
    bump = np.exp(-4 * np.log(2) * (x**2 + y**2) / 40**2).astype(np.float32)
    corners = np.array([[0, 0], [119, 0], [119, 119], [0, 119]], np.float32)
    drawn = np.zeros((SIZE[0] // 2, SIZE[1] // 2), np.float32)
    for quad in quads:
        matrix = cv2.getPerspectiveTransform(corners, (quad / 2 - 0.5).astype(np.float32))
        drawn += cv2.warpPerspective(bump, matrix, drawn.shape[::-1])
    return np.minimum(drawn, 1)


def milliseconds(work: Callable[[], object], repeat: int) -> float:
    """The median of `repeat` runs, of this process's time: a busy machine counts for nothing."""
    times = []
    for _ in range(repeat):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return float(np.median(times) * 1e3)


def rows(repeat: int) -> list[str]:
    """The table's lines."""
    lines = ["| objects | boxes | quadrilaterals | one by one | centres |", "|--:|--:|--:|--:|--:|"]
    size = (SIZE[0] // 2, SIZE[1] // 2)
    for count in COUNTS:
        boxes, quads = shelf(count, np.random.default_rng(count))
        b, q = torch.tensor(boxes, dtype=torch.float32), torch.tensor(quads, dtype=torch.float32)
        drawn = heatmaps.box_maps(b, size)
        found = len(heatmaps.box_centres(drawn)[0])
        assert found == count, f"{found} of {count} objects are found again"
        times = [
            milliseconds(lambda: heatmaps.box_maps(b, size), repeat),  # noqa: B023
            milliseconds(lambda: heatmaps.quad_map(q, size), repeat),  # noqa: B023
            milliseconds(lambda: one_by_one(quads), min(repeat, 3)),  # noqa: B023
            milliseconds(lambda: heatmaps.box_centres(drawn), repeat),  # noqa: B023
        ]
        lines.append(f"| {count} | {' | '.join(f'{t:.1f}' for t in times)} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=15)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    text = HEAD.format(repeat=asked.repeat) + "\n".join(rows(asked.repeat)) + f"\n\n{commit()}, {machine()}\n"
    if asked.out:
        asked.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
