"""Everybody at once: whole pictures with all their persons, learnt by maps and tags, checked by OKS.

`Crowds` are the samples, `task_for` the Task of a network that has a `layout`. A landmark outside of what the
network sees counts nowhere; crowds and persons without labels are neither learnt nor blamed (`masks`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from .. import data, heatmaps
from ..data.regions import counted
from ..geometry import Frame, boxes_around
from ..grouping import Candidates, Rules, assembled
from ..imaging import transforms
from ..imaging.augment import framed, recoloured, varied
from ..imaging.occlude import occluded
from ..imaging.persons import coloured, glowing, tinted
from ..imaging.zoom import zoomed
from ..metrics.oks import average_precision
from ..models.layout import Drawn, readings
from ..types import ABSENT, Poses, Sample, Skeleton
from .fit import Fitting, forward
from .loader import SAMPLE, Entry, bank_of, decoded, entries, validation_batches
from .recipe import Recipe
from .tags import detection_error, embedding_error
from .task import SideBySide, Task

SHOWN = 4  # pictures on a sheet


@dataclass(frozen=True)
class Scene:
    """One picture with its persons."""

    record: data.Record
    poses: Poses  # those with a label, landmarks in the recipe's order
    people: tuple[Entry, ...]  # the same, one by one


@dataclass(frozen=True)
class CrowdBatch(SideBySide):
    """Pictures side by side; persons padded with NaN to the most that a picture has."""

    pictures: Tensor  # (B, 3, H, W) uint8 RGB
    points: Tensor  # (B, N, K, 2) float32, x y in network pixels; NaN where there is none inside
    boxes: Tensor  # (B, N, 4) float32 x1 y1 x2 y2, network pixels; NaN for nobody
    masks: Tensor  # (B, H, W) uint8: 1 where errors count
    names: tuple[str, ...]


@dataclass(frozen=True)
class Wanted:
    """What each of a network's maps should have shown."""

    detections: list[Tensor]  # (B, C, h, w) each
    masks: list[Tensor]  # (B, h, w) each
    points: Tensor  # (B, N, K, 2)
    strides: tuple[int, ...]


def scenes(dataset: data.Dataset, skeleton: Skeleton) -> list[Scene]:
    """Every picture with at least one labelled person."""
    people: dict[str, list[Entry]] = {}
    for entry in entries(dataset, skeleton):
        people.setdefault(str(entry.record.path), []).append(entry)
    found = []
    for mine in people.values():
        columns = [np.stack([getattr(e, n) for e in mine]) for n in ("points", "visibility", "box")]
        poses = Poses(skeleton, columns[0], visibility=columns[1], boxes=columns[2])
        found.append(Scene(mine[0].record, poses, tuple(mine)))
    return found


class Crowds(Dataset):
    """Pictures as the network sees them: `crowds[epoch, index]` varied, `crowds[None, index]` not."""

    def __init__(self, entries: Sequence[Scene], skeleton: Skeleton, recipe: Recipe):
        self.entries, self.skeleton, self.recipe = list(entries), skeleton, recipe
        people = [person for scene in self.entries for person in scene.people]
        self.pictures = decoded(people, recipe.cache_mb)
        self.bank = _Bank(self, people).parts() if recipe.occlusion and recipe.occlusion.partmix else {}

    def __len__(self) -> int:
        return len(self.entries)

    def picture(self, entry: Scene | Entry) -> np.ndarray:
        """(H, W, 3) uint8."""
        kept = self.pictures.get(str(entry.record.path))
        return data.sample(entry.record).picture if kept is None else kept

    def __getitem__(self, key: tuple[int | None, int]) -> CrowdBatch:
        """A CrowdBatch of one, without its axis B."""
        epoch, index = key
        scene, recipe = self.entries[index], self.recipe
        rng = np.random.default_rng([recipe.seed, SAMPLE, 0 if epoch is None else epoch + 1, index])
        frame, flipped = Frame.whole(scene.record.size, recipe.size), False
        if epoch is not None and recipe.zoom:
            frame, flipped = zoomed(scene.record.size, recipe.size, recipe.zoom, rng)
        elif epoch is not None:
            frame, flipped = varied(scene.poses, frame, recipe.augmentation, rng)
        sample = Sample(self.picture(scene), scene.poses, scene.record.name)
        border = recipe.augmentation.border if epoch is not None else "constant"
        seen = framed(sample, frame, flipped, border)
        picture, points = seen.picture, seen.poses.points
        if epoch is not None:
            picture, points = self.disturbed(picture, points, rng)
        # Beyond the picture nobody is, and that counts: the published programs leave it out, but they do not
        # letterbox what they look at, and maps that nobody learnt are full of ghosts.
        plane = transforms.warp(counted(scene.record), frame.matrix, frame.size, value=1, nearest=True)
        return CrowdBatch(
            torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1))),
            torch.from_numpy(points.astype(np.float32)),
            torch.from_numpy(seen.poses.boxes.astype(np.float32)),
            torch.from_numpy(plane),
            (scene.record.name,),
        )

    def disturbed(
        self, picture: np.ndarray, points: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Recoloured, and then things hidden on every person by its own chance: the picture, and the points
        (N, K, 2) without the labels that this takes away. Nobody's occlusion takes a neighbour's labels.
        """
        picture, occlusion = recoloured(picture, self.recipe.augmentation, rng), self.recipe.occlusion
        if occlusion is None:
            return picture, points
        points = points.copy()
        for n, person in enumerate(points):
            picture, lost = occluded(picture, person, self.skeleton, occlusion, rng, self.bank)
            points[n, lost] = np.nan
        return picture, points

    @staticmethod
    def collate(samples: Sequence[CrowdBatch]) -> CrowdBatch:
        """Batches of one side by side, persons padded with NaN."""
        most = max(len(s.points) for s in samples)

        def padded(one: Tensor) -> Tensor:
            more = one.new_full((most - len(one), *one.shape[1:]), torch.nan)
            return torch.cat([one, more])

        return CrowdBatch(
            torch.stack([s.pictures for s in samples]),
            torch.stack([padded(s.points) for s in samples]),
            torch.stack([padded(s.boxes) for s in samples]),
            torch.stack([s.masks for s in samples]),
            tuple(name for s in samples for name in s.names),
        )


class _Bank:
    """Persons one by one, as loader.bank_of wants them, for PartMix."""

    def __init__(self, crowds: Crowds, people: Sequence[Entry]):
        self.entries, self.skeleton, self.picture = list(people), crowds.skeleton, crowds.picture

    def parts(self) -> dict[str, Sequence[np.ndarray]]:
        return bank_of(self)  # type: ignore[arg-type]


def task_for(layout: Sequence[Drawn], rules: Rules = Rules()) -> Task:
    """The Task of a network that draws what `layout` says; `rules` make persons of it when it is checked."""
    targets: Any = partial(draw, layout=layout)
    return Task(
        targets=targets,
        loss=partial(compare, layout=layout),
        decode=_unused,
        metric=_unused,
        check=partial(check, layout=layout, rules=rules),
    )


def _unused(*_: Any) -> Any:
    raise AssertionError("a crowd is checked by `check`, not point by point")


def draw(
    batch: CrowdBatch,
    strides: Sequence[int],
    skeleton: Skeleton,
    recipe: Recipe,
    layout: Sequence[Drawn],
) -> Wanted:
    """The bumps of every map; maps of the same clusters and size are drawn once."""
    (h, w), how = batch.pictures.shape[-2:], recipe.embedding
    drawn: dict[Any, Tensor] = {}
    masks: dict[int, Tensor] = {}
    for one, stride in zip(layout, strides):
        if stride not in masks:
            masks[stride] = heatmaps.crowd.shrunk(batch.masks, stride)
        if (one.clusters, stride) not in drawn:
            drawn[one.clusters, stride] = heatmaps.crowd.clustered(
                batch.points,
                one.clusters,
                (h // stride, w // stride),
                how.sigma,
                stride,
                how.bumps == "published",
            )
    return Wanted(
        [drawn[one.clusters, stride] for one, stride in zip(layout, strides)],
        [masks[stride] for stride in strides],
        batch.points,
        tuple(strides),
    )


def compare(maps: Sequence[Tensor], wanted: Wanted, recipe: Recipe, layout: Sequence[Drawn]) -> Tensor:
    """Eq. 8: the sum over stacks and branches of detection and weighed embedding errors."""
    losses = []
    for one, m, target, mask, stride in zip(layout, maps, wanted.detections, wanted.masks, wanted.strides):
        losses.append(detection_error(one.detections(m), target, mask, recipe.foreground))
        if one.tags_from is not None:
            tags = one.tags(m)
            losses.append(embedding_error(tags, wanted.points, one.clusters, stride, recipe.embedding))
    return torch.stack(losses).sum()


def found(
    maps: Sequence[Tensor], layout: Sequence[Drawn], skeleton: Skeleton, stride: int, rules: Rules
) -> list[Poses]:
    """The persons on each picture of a batch, in network pixels, as a model file finds them."""
    heat, tags = readings(maps, layout)
    columns = heatmaps.crowd.tagged_maxima(heat, tags, rules.peaks, rules.floor, stride)
    people = []
    for one in zip(*(column.double().cpu().numpy() for column in columns)):
        groups = assembled(Candidates(*one), rules)
        people.append(Poses(skeleton, groups.points, np.clip(groups.values, 0, 1), score=groups.score))
    return people


@torch.no_grad()
def check(
    f: Fitting, net: nn.Module, samples: Crowds, layout: Sequence[Drawn], rules: Rules
) -> tuple[dict[str, float], np.ndarray | None, None]:
    """Loss and OKS AP over this process's share of the validation set, and a sheet of its first pictures.

    Areas are those of the boxes, distances network pixels.
    """
    net.eval()
    rank, ranks = f.accelerator.process_index, f.accelerator.num_processes
    stride, total, count = min(f.strides), 0.0, 0
    answers: list[Poses] = []
    truth: list[Poses] = []
    picture = None
    batches: Any = validation_batches(samples, rank, ranks)  # type: ignore[arg-type]
    for batch in batches:
        loss, maps, batch = cast(tuple[Tensor, Sequence[Tensor], CrowdBatch], forward(f, batch, net))
        people = found(maps, layout, f.skeleton, stride, rules)
        total, count = total + float(loss) * len(batch), count + len(batch)
        answers += people
        truth += [labelled(batch, b, f.skeleton) for b in range(len(batch))]
        if picture is None:
            picture = sheet(batch, maps, layout, people, f.skeleton)
    scored = average_precision(answers, truth)
    ap, ap50 = (float(np.nan_to_num(n)) * count for n in (scored.ap, scored.ap50))
    sums = torch.tensor([total, count, ap, ap50], dtype=torch.float64, device=f.accelerator.device)
    summed: Any = f.accelerator.reduce(sums, reduction="sum")
    total, count, ap, ap50 = summed.tolist()
    numbers = {"loss": total / count, "AP": ap / count, "AP50": ap50 / count}
    return {f"validation {name}": value for name, value in numbers.items()}, picture, None


def labelled(batch: CrowdBatch, b: int, skeleton: Skeleton) -> Poses:
    """The persons of picture b, in network pixels."""
    points, boxes = batch.points[b].double().cpu().numpy(), batch.boxes[b].double().cpu().numpy()
    there = np.isfinite(points).all(-1).any(-1)
    tight = boxes_around(points[there])
    return Poses(
        skeleton,
        points[there],
        visibility=np.where(np.isfinite(points[there]).all(-1), 2, ABSENT).astype(np.uint8),
        boxes=np.where(np.isfinite(boxes[there]), boxes[there], tight),
    )


def sheet(
    batch: CrowdBatch,
    maps: Sequence[Tensor],
    layout: Sequence[Drawn],
    people: Sequence[Poses],
    skeleton: Skeleton,
) -> np.ndarray:
    """Labelled persons, found persons, detections and tags, one below the other: (4 H, n W, 3) uint8."""
    heat, tags = (m.float().cpu().numpy() for m in readings(maps, layout))
    columns = []
    for b, poses in enumerate(people[:SHOWN]):
        picture = np.ascontiguousarray(batch.pictures[b].permute(1, 2, 0).cpu().numpy())
        true = labelled(batch, b, skeleton).points
        tag = np.take_along_axis(tags[b], heat[b].argmax(0)[None], 0)[0]  # of the likeliest landmark
        tall = transforms.resized(tinted(tag), (picture.shape[0], picture.shape[1]))
        good = poses.points[poses.score > 0.1]
        rows = [coloured(picture, true, skeleton), coloured(picture, good, skeleton)]
        columns.append(np.concatenate([*rows, glowing(picture, heat[b]), tall]))
    return np.concatenate(columns, 1)
