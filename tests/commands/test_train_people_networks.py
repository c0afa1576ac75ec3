"""Networks of other papers go through `train` as the first did: a recipe, a run, a file that opens."""

import numpy as np

from heatmark.commands.train import train
from heatmark.data import coco
from heatmark.data.records import Record
from heatmark.imaging import encode_jpeg
from heatmark.runtime import load
from heatmark.types import Poses, Skeleton

DOT = Skeleton("dot", ("left", "right"), mirror=(("left", "right"),))
RECIPE = """
model: hourglass_2
options: {width: 8}
size: [64, 64]
sigma: 8.0
lr: 0.01
batch: 3
epochs: 1
validation: 0.4
workers: 0
augmentation: none
"""


def test_an_hourglass_trains_by_a_recipe_and_its_file_opens(tmp_path):
    rng, records = np.random.default_rng(0), []
    (tmp_path / "data" / "images").mkdir(parents=True)
    for n in range(5):
        path = tmp_path / "data" / "images" / f"{n}.jpg"
        path.write_bytes(encode_jpeg(rng.integers(0, 255, (64, 64, 3)).astype(np.uint8), 90))
        poses = Poses(DOT, rng.uniform(10, 50, (1, 2, 2)), boxes=np.array([[2.0, 2, 60, 60]]))
        records.append(Record(path, (64, 64), poses, n + 1))
    coco.write(tmp_path / "data", DOT, records)
    (tmp_path / "small.yaml").write_text(RECIPE)
    run = train(str(tmp_path / "small.yaml"), data=tmp_path / "data", out=tmp_path / "run")
    detector = load(str(run.model))
    assert detector.card.strides == (4, 4) and detector.card.options == {"width": 8}
    assert detector.card.data["backbone"] == {"name": "hourglass_2", "origin": "random weights"}
    assert detector(rng.integers(0, 255, (64, 64, 3)).astype(np.uint8)).points.shape == (1, 2, 2)
