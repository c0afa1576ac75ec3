"""Pictures with what a model of boxes found, to look at: right, false and missed where there are labels.

    python -m benchmarks.dense_sheets MODEL PICTURES [--count 6] [--cell 350] [--score 0.4] [--tiles] [--map]
        [--out docs/shelves_found.jpg]

PICTURES is a dataset with boxes, or a folder of pictures without labels. Green boxes are right, red ones
false, yellow ones are labels that were missed; without labels all are blue. --map draws a trained model's map
below each picture.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from heatmark import data
from heatmark.data.records import read_bytes
from heatmark.imaging import decode, encode_jpeg
from heatmark.imaging.persons import glowing
from heatmark.metrics.dense import answered
from heatmark.runtime.dense import DensePredictor
from heatmark.runtime.engines import opened
from heatmark.runtime.sources import pictures_in
from heatmark.types import Boxes

RIGHT, FALSE, MISSED, UNJUDGED = (30, 220, 130), (255, 60, 50), (255, 215, 60), (60, 170, 255)
LARGEST = 1400  # px; a photograph's longer side is shrunk to this before it is drawn on


def shown(source: Path, count: int) -> Iterator[tuple[str, np.ndarray, Boxes | None]]:
    """(name, picture, labels or None) of evenly spread pictures."""
    if (source / "annotations.json").is_file():
        records = data.open_dataset(source).records
        for n in spread(len(records), count):
            sample = data.sample(records[n])
            whole = np.isfinite(sample.poses.boxes).all(-1)
            yield records[n].name, sample.picture, Boxes(sample.poses.boxes[whole])
        return
    paths = pictures_in(source)
    for n in spread(len(paths), count):
        yield paths[n].name, decode(read_bytes(paths[n]), paths[n].name), None


def spread(length: int, count: int) -> list[int]:
    """`count` indices, evenly spread.

    >>> spread(10, 3), spread(2, 5)
    ([0, 4, 9], [0, 1])
    """
    return np.linspace(0, length - 1, min(length, count)).astype(int).tolist()


def judged(picture: np.ndarray, found: Boxes, truth: Boxes | None) -> np.ndarray:
    """A copy with boxes drawn, twice as large where the picture is small."""
    scale = 2.0 if max(picture.shape[:2]) < LARGEST / 2 else min(LARGEST / max(picture.shape[:2]), 1.0)
    size = (round(picture.shape[1] * scale), round(picture.shape[0] * scale))
    canvas = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    drawn = [(found.boxes, UNJUDGED)]
    if truth is not None:
        labels = answered(found, truth)
        missed = np.setdiff1d(np.arange(len(truth)), labels)
        drawn = [
            (truth.boxes[missed], MISSED),
            (found.boxes[labels < 0], FALSE),
            (found.boxes[labels >= 0], RIGHT),
        ]
    for boxes, colour in drawn:
        for x1, y1, x2, y2 in np.round(boxes * scale).astype(int).tolist():
            cv2.rectangle(canvas, (x1, y1), (x2 - 1, y2 - 1), colour, 2)
    return canvas


def side_by_side(pictures: list[np.ndarray], columns: int, width: int) -> np.ndarray:
    """Pictures `width` px wide in rows, each row as high as its highest."""
    gap, rows = 4, []
    sized = [
        cv2.resize(p, (width, round(p.shape[0] * width / p.shape[1])), interpolation=cv2.INTER_AREA)
        for p in pictures
    ]
    for at in range(0, len(sized), columns):
        row = sized[at : at + columns]
        high = max(p.shape[0] for p in row) + gap
        canvas = np.full((high, columns * (width + gap) - gap, 3), 32, np.uint8)
        for n, picture in enumerate(row):
            left = n * (width + gap)
            canvas[: picture.shape[0], left : left + width] = picture
        rows.append(canvas)
    return np.concatenate(rows)[:-gap]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--count", type=int, default=6)
    parser.add_argument("--columns", type=int, default=3)
    parser.add_argument("--cell", type=int, default=350)
    parser.add_argument("--quality", type=int, default=72)
    parser.add_argument("--score", type=float, default=0.4)
    parser.add_argument("--tiles", action="store_true")
    parser.add_argument("--map", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("found.jpg"))
    given = parser.parse_args()
    engine, card = opened(given.model, decoding={"map": True} if given.map else None)
    predictor, cells = DensePredictor(engine, card), []
    for name, picture, truth in shown(given.pictures, given.count):
        found = predictor.look(picture, given.tiles)
        sure = found.boxes[found.boxes.scores >= given.score]
        cell = judged(picture, sure, truth)
        if given.map and found.map is not None:
            plain = cv2.resize(picture, cell.shape[1::-1], interpolation=cv2.INTER_AREA)
            cell = np.concatenate([cell, glowing(plain, found.map[None])])
        cells.append(cell)
        said = "" if truth is None else f" of {len(truth)}, {int((answered(sure, truth) >= 0).sum())} right"
        print(f"{name}: {len(sure)} boxes{said}", flush=True)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_bytes(encode_jpeg(side_by_side(cells, given.columns, given.cell), given.quality))
    print(f"{given.out}: {given.out.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
