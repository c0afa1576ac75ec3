"""Throughput of `heatmark attack` against a plain loop: every window hidden and shown to the network alone.

    python -m benchmarks.attack_speed [--network hrnet_w32] [--size 256x192] [--people 16]
                                      [--out docs/windmills/attack_speed.md]

Random weights, which cost as much; people that are drawn, not photographed. Both give the same points.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from heatmark.card import Card, Decoding
from heatmark.commands.attack import hits_of
from heatmark.commands.attack_results import Subject
from heatmark.commands.attack_window import looked_at, struck, view
from heatmark.commands.console import size_of
from heatmark.data import sample
from heatmark.data.records import Record
from heatmark.imaging import encode_jpeg
from heatmark.models import create, unfetched
from heatmark.runtime import Predictor, load
from heatmark.skeletons import COCO17
from heatmark.training.state import write_model
from heatmark.types import Poses

from .rows import commit, machine

HEAD = """# Throughput of an attack

{network} at {size}, {windows} windows of {people} people ({hits} attacks on landmarks and parts), in torch:
windows a second of `heatmark attack`, which hides and shows them in batches and passes over those that have
nothing to hide, and of a loop that shows every one alone; the best of {turns} turns each. CPU seconds hold on
a busy machine, too.

"""


def people(folder: Path, count: int, seed: int = 0) -> list[Subject]:
    """Noise with a labelled person in each picture, one landmark in four absent."""
    rng, found = np.random.default_rng(seed), []
    for n in range(count):
        path = folder / f"{n}.jpg"
        path.write_bytes(encode_jpeg(rng.integers(0, 255, (400, 300, 3)).astype(np.uint8), 90))
        points = rng.uniform((60, 50), (240, 350), (1, 17, 2))
        points[rng.random((1, 17)) < 0.25] = np.nan
        box = np.array([50.0, 40, 250, 360])
        found.append(Subject(Record(path, (400, 300), Poses(COCO17, points, boxes=box[None]), n), 0, box))
    return found


def network(folder: Path, name: str, size: tuple[int, int]) -> Predictor:
    """A network with random weights, as a model file."""
    net = create(name, 17, **unfetched(name, {}))
    facts = {"name": name, "task": "top_down", "skeleton": COCO17.to_dict(), "size": size, "model": name}
    facts |= {"options": unfetched(name, {}), "strides": net.strides, "decoding": Decoding(method="msra")}
    write_model(folder / "net.safetensors", net, Card.model_validate(facts))
    return load(folder / "net.safetensors")  # type: ignore[return-value]


def alone(predictor: Predictor, subjects: list[Subject], hits: list) -> np.ndarray:
    """What `looked_at` gives, by a plain loop."""
    found = np.zeros((1 + len(hits), len(subjects), len(COCO17), 3))
    for i, subject in enumerate(subjects):
        picture, points, frame = view(sample(subject.record).picture, predictor, subject, COCO17)
        for row, hit in enumerate([None, *hits]):
            touched = None if hit is None else struck(picture, points, COCO17, hit, legacy=False)
            shown = picture if touched is None else touched
            answer = predictor.engine(shown.transpose(2, 0, 1)[None].astype(np.float32) / 255)
            found[row, i, :, :2] = frame.back(answer["points"][0].astype(np.float64))
            found[row, i, :, 2] = answer["scores"][0]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--network", default="hrnet_w32")
    parser.add_argument("--size", default="256x192")
    parser.add_argument("--people", type=int, default=16)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--ways", default="blackout", help="with commas between")
    parser.add_argument("--turns", type=int, default=3, help="of which the best counts")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as aside:
        subjects = people(Path(aside), given.people)
        predictor = network(Path(aside), given.network, size_of(given.size))
        hits = hits_of(COCO17, None, given.ways.split(","), [6.0])
        looked_at(predictor, subjects[:1], COCO17, hits[:1], given.batch, False)  # warm
        ways = {
            "heatmark attack": lambda: looked_at(predictor, subjects, COCO17, hits, given.batch, False),
            "one at a time": lambda: alone(predictor, subjects, hits),
        }
        found: dict[str, np.ndarray] = {}
        took: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for _ in range(given.turns):  # in turns, so that what else the machine does falls on both
            for name, way in ways.items():
                start, worked = time.perf_counter(), time.process_time()
                found[name] = way()
                took[name].append((time.perf_counter() - start, time.process_time() - worked))
    together, one_by_one = found.values()
    windows = together.shape[0] * together.shape[1]
    moved = float(np.nanmax(np.abs(together[..., :2] - one_by_one[..., :2])))
    best = {name: [min(times) for times in zip(*turns)] for name, turns in took.items()}
    slow = best["one at a time"]
    rows = [
        f"| {name} | {windows / wall:.1f} | {slow[0] / wall:.2f} | {worked:.2f} | {slow[1] / worked:.2f} |"
        for name, (wall, worked) in best.items()
    ]
    head = ["| | windows/s | times as fast | CPU seconds | times as cheap |", "|---|---:|---:|---:|---:|"]
    table = "\n".join([*head, *rows])
    text = HEAD.format(
        network=given.network,
        size=given.size,
        windows=windows,
        people=given.people,
        hits=len(hits),
        turns=given.turns,
    )
    text += f"{table}\n\nThe points differ by {moved:.2g} px at most.\n\n"
    text += f"`python -m benchmarks.attack_speed --people {given.people}`, batches of {given.batch}, "
    text += f"commit {commit()}, {machine()}.\n"
    print(text)
    if given.out:
        given.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
