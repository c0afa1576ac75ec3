"""The cluster-wise paper's pictures: what every stack draws, and who is found in crowds.

    python -m benchmarks.clusterwise_figures stacks MODEL PICTURE --out sheet.jpg          # figures 3 and 5
    python -m benchmarks.clusterwise_figures crowds DATASET MODEL MODEL --out crowds.jpg   # figure 6

MODEL is a run's folder or a model file, DATASET labelled crowds, of which the fullest pictures are shown: the
labels in the first row, then what each model finds; one colour a person.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import runs
from heatmark import data
from heatmark.commands.evaluate import BEST
from heatmark.errors import UserError
from heatmark.geometry import Frame
from heatmark.imaging import encode_jpeg, transforms
from heatmark.imaging.persons import coloured, glowing, tinted
from heatmark.runtime import load
from heatmark.runtime.engines import network
from heatmark.runtime.sources import read
from heatmark.runtime.windows import network_input

CELL = (240, 240)  # (H, W) of a picture on a sheet of crowds
SURE = 0.15  # who scores less is not drawn


def stacks(model: Path, picture: np.ndarray) -> np.ndarray:
    """What every stack and branch draws, as figures 3 and 5: (H, W, 3) uint8.

    One column a map of the network; above its detections on the darkened picture, each cluster a colour, in
    the middle its first cluster's tags, below the tags with the detections on them.
    """
    import torch

    whole, card = network(model)
    if card.task != "crowd":
        raise UserError(f"{model}: its card says {card.task}, not crowd: it draws no tags")
    frame = Frame.whole((picture.shape[0], picture.shape[1]), card.size)
    seen = transforms.crop(picture, frame)
    net: Any = whole.net
    with torch.inference_mode():
        maps = net(torch.from_numpy(network_input(picture, frame))[None])
    columns = []
    for one, m in zip(net.layout, maps):
        detections = one.detections(m)[0].numpy()
        rows = [glowing(seen, detections)]
        if one.tags_from is not None:
            tags = transforms.resized(tinted(one.tags(m)[0, 0].numpy()), card.size)
            rows += [tags, glowing(tags, detections.max(0, keepdims=True))]
        else:
            rows += [np.zeros_like(seen)] * 2
        columns.append(np.concatenate(rows))
    return np.concatenate(columns, 1)


def crowds(dataset: Path, models: Sequence[Path], columns: int = 5, sure: float = SURE) -> np.ndarray:
    """The `columns` fullest pictures of a dataset, labelled and as each model finds them: (H, W, 3) uint8."""
    finders = [load(file_of(model)) for model in models]
    records = sorted(data.open_dataset(dataset).records, key=lambda record: -len(record.poses))[:columns]
    sheet = []
    for record in records:
        picture = data.sample(record).picture
        found = [finder(picture) for finder in finders]
        answers = [record.poses, *(poses[poses.score >= sure] for poses in found)]
        frame = Frame.whole(record.size, CELL)
        seen = transforms.crop(picture, frame)
        sheet.append(np.concatenate([coloured(seen, frame.into(p.points), p.skeleton) for p in answers]))
    return np.concatenate(sheet, 1)


def file_of(model: Path) -> Path:
    """A run's model file, or the file itself."""
    return model / BEST if model.is_dir() else model


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    kinds = parser.add_subparsers(dest="kind", required=True)
    drawn = kinds.add_parser("stacks")
    drawn.add_argument("model", type=Path)
    drawn.add_argument("picture", type=Path)
    shown = kinds.add_parser("crowds")
    shown.add_argument("dataset", type=Path)
    shown.add_argument("models", nargs="+", type=Path)
    shown.add_argument("--columns", type=int, default=5)
    shown.add_argument("--sure", type=float, default=SURE)
    for one in (drawn, shown):
        one.add_argument("--out", type=Path, required=True)
    given = parser.parse_args(arguments)
    if given.kind == "stacks":
        sheet = stacks(file_of(given.model), read(given.picture))
    else:
        sheet = crowds(given.dataset, given.models, given.columns, given.sure)
    given.out.write_bytes(encode_jpeg(sheet, 88))
    print(given.out)


if __name__ == "__main__":
    runs.ended(main)
