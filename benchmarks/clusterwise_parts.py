"""What a network of everybody at once lacks: its bumps, or the tags that make persons of them.

    python -m benchmarks.clusterwise_parts DATASET MODEL ... [--out docs/crowd_parts.md]

Every model's maps are read three times. As they are. With the peaks given to the persons they are nearest to,
whatever their tags: what is then missing, bumps lack. With the labelled points in the peaks' place, each with
the tag that is drawn there: what is then missing, tags lack.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from benchmarks import runs
from benchmarks.clusterwise_figures import file_of
from benchmarks.rows import commit, machine
from heatmark import data
from heatmark.data.records import write_whole
from heatmark.errors import UserError
from heatmark.geometry import Frame
from heatmark.grouping import Candidates, Groups, assembled
from heatmark.metrics.oks import average_precision
from heatmark.runtime.crowd import rules_of
from heatmark.runtime.engines import network
from heatmark.runtime.windows import network_input
from heatmark.types import Poses, Skeleton

NEAR = 0.5  # of the root of a person's box: a peak farther from a landmark is not its own
READINGS = ("as it is", "true persons", "true points")


def measured(model: Path, dataset: Path) -> dict[str, tuple[float, float]]:
    """AP and AP50 of each of READINGS, fractions, over the pictures in which somebody is labelled; persons by
    the card's rules.
    """
    import torch

    from heatmark import heatmaps
    from heatmark.models.layout import readings

    whole, card = network(model)
    if card.task != "crowd":
        raise UserError(f"{model}: its card says {card.task}, not crowd: it draws no tags")
    net: Any = whole.net
    rules = rules_of(card)
    answers: dict[str, list[Poses]] = {reading: [] for reading in READINGS}
    truth: list[Poses] = []
    for record in data.open_dataset(dataset).records:
        if not len(record.poses):
            continue
        frame = Frame.whole(record.size, card.size)
        pictures = torch.from_numpy(network_input(data.sample(record).picture, frame))[None]
        with torch.inference_mode():
            heat, tags = readings(net(pictures), net.layout)
        stride = card.size[0] // heat.shape[-2]
        columns = heatmaps.crowd.tagged_maxima(heat, tags, rules.peaks, rules.floor, stride)
        found = Candidates(*(column[0].double().numpy() for column in columns))
        seen = frame.into(record.poses.points)
        sides = np.sqrt((record.poses.boxes[:, 2:] - record.poses.boxes[:, :2]).prod(-1))
        groups = (
            assembled(found, rules),
            given(found, seen, sides * frame.matrix[0, 0]),
            assembled(labelled(seen, tags[0].numpy(), stride, rules.peaks), rules),
        )
        for reading, group in zip(READINGS, groups):
            answers[reading].append(_poses(group, frame, record.poses.skeleton))
        truth.append(record.poses)
    scores = {reading: average_precision(found, truth) for reading, found in answers.items()}
    return {reading: (score.ap, score.ap50) for reading, score in scores.items()}


def given(found: Candidates, points: np.ndarray, sides: np.ndarray) -> Groups:
    """Each labelled person with the peaks that are nearest to it: points (N, K, 2), sides (N,), in pixels.

    A peak is given once; one that is farther from the landmark than NEAR of the side is not given to it.
    """
    members = np.full(points.shape[:2], -1)
    for k in range(points.shape[1]):
        persons, peaks = (np.flatnonzero(np.isfinite(p[..., 0])) for p in (points[:, k], found.places[k]))
        gaps = np.linalg.norm(points[persons, k][:, None] - found.places[k, peaks][None], axis=-1)
        gaps = gaps / sides[persons, None]
        for n, t in zip(*linear_sum_assignment(np.minimum(gaps, NEAR))):
            if gaps[n, t] < NEAR:
                members[persons[n], k] = peaks[t]
    members = members[(members >= 0).any(-1)]
    has, k = members >= 0, np.arange(members.shape[1])
    places = np.where(has[..., None], found.places[k, members], np.nan)
    values = np.where(has, found.values[k, members], 0.0)
    return Groups(places, values, np.zeros((len(members), 1)), members, values.mean(-1))


def labelled(points: np.ndarray, tags: np.ndarray, stride: int, most: int) -> Candidates:
    """The labelled points (N, K, 2) as candidates of height 1, each with the tag (K, h, w) of its cell; the
    first `most` of a landmark.
    """
    k, (h, w) = points.shape[1], tags.shape[-2:]
    found = Candidates(np.zeros((k, most)), np.full((k, most, 2), np.nan), np.full((k, most, 1), np.nan))
    for landmark in range(k):
        there = points[np.isfinite(points[:, landmark]).all(-1), landmark][:most]
        x, y = np.floor(there / stride).astype(int).T
        found.values[landmark, : len(there)] = 1.0
        found.places[landmark, : len(there)] = there
        found.tags[landmark, : len(there), 0] = tags[landmark, y.clip(0, h - 1), x.clip(0, w - 1)]
    return found


def _poses(groups: Groups, frame: Frame, skeleton: Skeleton) -> Poses:
    """Persons in picture pixels."""
    points = frame.back(groups.points)
    return Poses(skeleton, points, np.clip(groups.values, 0, 1), score=groups.score)


def page(rows: dict[str, dict[str, tuple[float, float]]], command: str) -> str:
    """The table, AP and AP50 in per cent."""
    lines = [
        "# Bumps or tags: what is missing",
        "",
        "OKS AP and AP50, per cent, of the same maps read three times: as they are, with every peak given to",
        "the person it is nearest to (no tag is asked), with the labelled points in the peaks' place (only",
        "their tags are the network's).",
        "",
        "| model | " + " | ".join(f"{reading}, AP | AP50" for reading in READINGS) + " |",
        "|---|" + "---:|" * (2 * len(READINGS)),
    ]
    for model, row in rows.items():
        cells = [f"{100 * value:.1f}" for reading in READINGS for value in row[reading]]
        lines.append(f"| {model} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", f"`{command}`, commit {commit()}, {machine()}.", ""])


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dataset", type=Path, help="labelled crowds")
    parser.add_argument("models", nargs="+", type=Path, help="runs' folders or .safetensors files")
    parser.add_argument("--out", type=Path, default=Path("docs/crowd_parts.md"))
    asked = parser.parse_args(arguments)
    rows = {}
    for model in asked.models:
        rows[network(file_of(model))[1].name] = measured(file_of(model), asked.dataset)
    write_whole(asked.out, page(rows, "python -m benchmarks.clusterwise_parts DATASET MODEL ...").encode())
    print(asked.out)


if __name__ == "__main__":
    runs.ended(main)
