"""A video of built-in people who move, with the labels of every frame: what finding everybody is shown on.

    python -m benchmarks.crowd_video OUT [--frames 24] [--people 3] [--size 256x256] [--seed 0]
    heatmark detect OUT/walk.mp4 --model people.onnx --out overlays --json > persons.jsonl
    heatmark evaluate people.onnx OUT

One invented scene, drawn again for every frame: everybody in it sways across the picture along the ground,
each at a pace of their own, as they stand (nobody moves a limb). OUT is a dataset, too: images/,
annotations.json.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from benchmarks import runs
from heatmark.commands.console import size_of
from heatmark.commands.progress import track
from heatmark.data import coco
from heatmark.data.records import Record
from heatmark.errors import UserError
from heatmark.imaging import encode_jpeg
from heatmark.synth.compose import develop
from heatmark.synth.invention import invent
from heatmark.synth.render import Renderer
from heatmark.synth.scene import Placed, Scene
from heatmark.synth.settings import settings_of
from heatmark.types import Sample

SWAY = 0.35  # metres to either side
PERIOD = 24  # frames, of the slowest; the others are up to twice as fast
TRIES = 200  # scenes looked at for one with so many people
FPS = 8.0


def scene_of(people: int, seed: int, aspect: float) -> Scene:
    """A scene with exactly so many people, none of whom sits. Raises a UserError if none is found."""
    others = people - 1
    changes = {
        "object": {"closeup": 0.0, "truncated": 0.0, "small": 0.0, "extent": [0.5, 0.7]},
        "clutter": {"kin": float(others > 0), "kin_count": [others, others], "count": [0, 0]},
        "camera": {"depth_of_field": 0.0},
        "effects": {"motion": 0.0, "grey": 0.0},
    }
    settings = settings_of("people", changes)
    for index in range(TRIES):
        scene = invent(settings, seed, index, aspect)
        if [o.source.kind for o in scene.objects] == ["family"] * people:  # a seat is an object, too
            return scene
    raise UserError(f"none of {TRIES} scenes has {people} standing people: try another seed, or fewer")


def at(scene: Scene, frame: int) -> Scene:
    """The scene of a frame: everybody has swayed to where they are then."""
    across = np.array(scene.camera.matrix)[:2, 0]
    across /= np.linalg.norm(across)

    def swayed(placed: Placed) -> Placed:
        rng = np.random.default_rng([scene.seed, placed.instance])
        pace, phase = rng.uniform(1, 2), rng.uniform(0, 2 * np.pi)
        matrix = np.array(placed.matrix)
        angle = 2 * np.pi * frame * pace / PERIOD
        matrix[:2, 3] += across * SWAY * (np.sin(angle + phase) - np.sin(phase))
        return placed.model_copy(update={"matrix": tuple(map(tuple, matrix.tolist()))})

    return scene.model_copy(update={"objects": tuple(map(swayed, scene.objects))})


def frames(scene: Scene, count: int, size: tuple[int, int], samples: int) -> Iterator[Sample]:
    """The frames, one after the other."""
    renderer = Renderer(size, samples)
    for frame in range(count):
        yield develop(renderer(at(scene, frame)), scene.effects, f"{frame:04d}.jpg")


def written(out: Path, samples: Iterator[Sample], count: int) -> Path:
    """A dataset and its video; the video's path."""
    (out / "images").mkdir(parents=True, exist_ok=True)
    records, video = [], None
    for sample in track(samples, total=count, label="drawing", unit="frames"):
        path = out / "images" / sample.name
        path.write_bytes(encode_jpeg(sample.picture, 95))
        h, w = sample.picture.shape[:2]
        if video is None:
            codec = cv2.VideoWriter.fourcc(*"mp4v")
            video = cv2.VideoWriter(str(out / "walk.mp4"), codec, FPS, (w, h))
        video.write(cv2.cvtColor(sample.picture, cv2.COLOR_RGB2BGR))
        records.append(Record(path, (h, w), sample.poses, len(records) + 1))
    if video is None or not video.isOpened():
        raise UserError(f"{out / 'walk.mp4'}: this OpenCV cannot write videos here")
    video.release()
    coco.write(out, records[0].poses.skeleton, records)
    return out / "walk.mp4"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--people", type=int, default=3)
    parser.add_argument("--size", default="256x256", help="HEIGHTxWIDTH, even")
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    size = size_of(given.size)
    scene = scene_of(given.people, given.seed, size[1] / size[0])
    print(written(given.out, frames(scene, given.frames, size, given.samples), given.frames))


if __name__ == "__main__":
    runs.ended(main)
