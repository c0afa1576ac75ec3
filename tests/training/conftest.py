"""Tiny labelled pictures: a line with a red and a blue end on noise."""

import cv2
import numpy as np
import pytest

from heatmark.data import coco
from heatmark.data.records import Record
from heatmark.imaging.decode import encode_jpeg
from heatmark.types import Poses, Skeleton

STICK = Skeleton("stick", ("red", "blue"), bones=(("red", "blue"),))


def write_sticks(folder, count, seed=0, size=(64, 64), skeleton=STICK):
    rng = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True)
    records = []
    for i in range(count):
        picture = rng.integers(90, 130, (*size, 3)).astype(np.uint8)
        middle, angle = rng.uniform(26, 38, 2), rng.uniform(0, 2 * np.pi)
        half = np.array([np.cos(angle), np.sin(angle)]) * rng.uniform(12, 18)
        ends = np.stack([middle + half, middle - half])
        for end, colour in zip(ends, ((250, 20, 20), (20, 20, 250))):
            cv2.circle(picture, tuple(int(v) for v in end), 4, colour, -1)
        path = folder / "images" / f"{i:03d}.jpg"
        path.write_bytes(encode_jpeg(picture, 95))
        box = np.concatenate([ends.min(0) - 5, ends.max(0) + 5])
        records.append(
            Record(path, size, Poses(skeleton, ends[None], boxes=box[None]), i + 1, {"index": i // 2})
        )
    coco.write(folder, skeleton, records)
    return folder


@pytest.fixture(scope="session")
def sticks(tmp_path_factory):
    return write_sticks(tmp_path_factory.mktemp("sticks") / "data", 12)


@pytest.fixture
def tiny():
    """Settings of a recipe that runs in a second."""
    return {
        "name": "tiny",
        "model": "ihm56",
        "options": {"backbone": "tiny", "width": 0.05},
        "size": [64, 64],
        "augmentation": {"rotate": [-20, 20]},
        "sigma": 4.0,
        "lr": 0.01,
        "batch": 4,
        "epochs": 3,
        "validation": 0.3,
        "workers": 0,
    }
