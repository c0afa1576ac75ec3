"""Many things side by side: whole pictures with all their boxes, learnt by anchors and by a Gaussian map.

`Wholes` are the samples, `task_for` the Task of a network that has `anchors`. A box of which little is left
in what the network sees asks for nothing; in a crowd, where not each thing is labelled, nothing is learnt.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from .. import data, heatmaps
from ..card import Decoding
from ..data.boxed import corners_of
from ..geometry import Frame, boxes_around, scaling
from ..heatmaps import anchors as boxed
from ..heatmaps.anchors import BACKGROUND, IGNORED, Anchors
from ..imaging.augment import framed, recoloured, varied
from ..imaging.persons import glowing
from ..metrics.boxes import centred, nms, separated, soft_nms
from ..metrics.dense import dense_scores, with_area
from ..types import Boxes, Poses, Sample, Skeleton
from .dense_losses import Dense, bump_error, focal, smooth_l1
from .fit import Fitting, forward
from .loader import SAMPLE, Entry, decoded, validation_batches
from .recipe import Recipe
from .task import SideBySide, Task

LEFT = 0.3  # of a box's area that must be seen
SMALLEST = 2.0  # network pixels, of its sides
CROWDED = 0.5  # of an anchor's area: with more of it in a crowd it may well see a thing that is not labelled
SHOWN = 4  # pictures on a sheet
CANDIDATES = Decoding().candidates  # boxes of a picture that compete, as in a model's file


@dataclass(frozen=True)
class Shelf:
    """One picture with its boxes."""

    record: data.Record
    poses: Poses
    crowds: np.ndarray  # (M, 4) boxes in which things are not labelled one by one


@dataclass(frozen=True)
class DenseBatch(SideBySide):
    """Pictures side by side; things padded with NaN to the most that a picture has."""

    pictures: Tensor  # (B, 3, H, W) uint8 RGB
    boxes: Tensor  # (B, N, 4) float32 x1 y1 x2 y2, network pixels; NaN for nothing
    quads: Tensor  # (B, N, 4, 2) float32 corners, network pixels; NaN where only the box is labelled
    crowds: Tensor  # (B, M, 4) float32, as boxes
    names: tuple[str, ...]


@dataclass(frozen=True)
class Wanted:
    """What a network should have said."""

    classes: Tensor  # (B, A) int64: 0 a thing, BACKGROUND, IGNORED
    shifts: Tensor  # (B, A, 4) of the anchors that are to find a thing; 0 elsewhere
    maps: Tensor  # (B, h, w); NaN where anything may be said


def shelves(dataset: data.Dataset, skeleton: Skeleton) -> list[Shelf]:
    """Every picture, those without a thing too: they teach what is none. The skeleton's landmarks are its
    corners if it has the four of PRODUCT.
    """
    found = []
    for record in dataset:
        crowds = np.array([corners_of(region) for region in record.crowd]).reshape(-1, 4)
        found.append(Shelf(record, record.poses[with_area(record.poses.boxes)], crowds[with_area(crowds)]))
    return found


class Wholes(Dataset):
    """Pictures as the network sees them: `wholes[epoch, index]` varied, `wholes[None, index]` not."""

    def __init__(self, entries: Sequence[Shelf], skeleton: Skeleton, recipe: Recipe):
        self.entries, self.skeleton, self.recipe = list(entries), skeleton, recipe
        nobody = np.empty((0, 2)), np.empty(0, np.uint8), np.empty(4)
        self.pictures = decoded([Entry(e.record, *nobody, False) for e in self.entries], recipe.cache_mb)

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, key: tuple[int | None, int]) -> DenseBatch:
        """A DenseBatch of one, without its axis B."""
        epoch, index = key
        shelf, recipe = self.entries[index], self.recipe
        rng = np.random.default_rng([recipe.seed, SAMPLE, 0 if epoch is None else epoch + 1, index])
        frame, flipped = fitted(shelf.record.size, recipe), False
        if epoch is not None:
            frame, flipped = varied(shelf.poses, frame, recipe.augmentation, rng)
        stored = self.pictures.get(str(shelf.record.path))
        picture = data.sample(shelf.record).picture if stored is None else stored
        border = recipe.augmentation.border if epoch is not None else "constant"
        sample = Sample(picture, shelf.poses, shelf.record.name)
        seen = framed(sample, frame, flipped, border, outside=True)
        picture = seen.picture if epoch is None else recoloured(seen.picture, recipe.augmentation, rng)
        there = left_over(shelf.poses.boxes, seen.poses.boxes, frame)
        corners = seen.poses.points[there]
        corners = corners if corners.shape[1] == 4 else np.full((int(there.sum()), 4, 2), np.nan)
        crowds = np.clip(carried(shelf.crowds, frame), 0, np.tile(frame.size[::-1], 2))
        return DenseBatch(
            torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1))),
            torch.from_numpy(seen.poses.boxes[there].astype(np.float32)),
            torch.from_numpy(corners.astype(np.float32)),
            torch.from_numpy(crowds[with_area(crowds)].astype(np.float32)),
            (shelf.record.name,),
        )

    @staticmethod
    def collate(samples: Sequence[DenseBatch]) -> DenseBatch:
        """Batches of one side by side: pictures padded with black, things with NaN."""
        h, w = (max(s.pictures.shape[axis] for s in samples) for axis in (1, 2))

        def padded(each: list[Tensor]) -> Tensor:
            return nn.utils.rnn.pad_sequence(each, batch_first=True, padding_value=torch.nan)

        def enlarged(one: Tensor) -> Tensor:
            return nn.functional.pad(one, (0, w - one.shape[2], 0, h - one.shape[1]))

        return DenseBatch(
            torch.stack([enlarged(s.pictures) for s in samples]),
            padded([s.boxes for s in samples]),
            padded([s.quads for s in samples]),
            padded([s.crowds for s in samples]),
            tuple(name for s in samples for name in s.names),
        )


def fitted(size: tuple[int, int], recipe: Recipe) -> Frame:
    """The whole picture (H, W): in the recipe's size, or with `resize` as large as the paper has it, in the
    top left of a multiple of 32.
    """
    if recipe.dense.resize is None:
        return Frame.whole(size, recipe.size)
    short, long = recipe.dense.resize
    scale = min(short / min(size), long / max(size))
    h, w = (max(-(-round(side * scale) // 32) * 32, 32) for side in size)
    return Frame(scaling(scale, scale), (h, w))


def carried(boxes: np.ndarray, frame: Frame) -> np.ndarray:
    """Boxes (N, 4) of the picture, in the frame's pixels."""
    return boxes_around(frame.into(boxes[:, [[0, 1], [2, 1], [2, 3], [0, 3]]]))


def left_over(boxes: np.ndarray, seen: np.ndarray, frame: Frame) -> np.ndarray:
    """(N,) which boxes (N, 4) of the picture are still things where they are `seen`, clipped to the frame."""
    there = carried(boxes, frame)
    whole = np.prod(there[:, 2:] - there[:, :2], 1)
    sides = seen[:, 2:] - seen[:, :2]
    return (sides >= SMALLEST).all(1) & (sides.prod(1) >= LEFT * whole)


def task_for(anchors: Anchors) -> Task:
    """The Task of a network that has these anchors."""
    targets: Any = partial(ask, anchors=anchors)
    return Task(
        targets=targets, loss=compare, decode=_unused, metric=_unused, check=partial(check, anchors=anchors)
    )


def _unused(*_: Any) -> Any:
    raise AssertionError("boxes are checked by `check`, not point by point")


def ask(
    batch: DenseBatch, strides: Sequence[int], skeleton: Skeleton, recipe: Recipe, anchors: Anchors
) -> Wanted:
    """What every anchor and every cell of the map should say."""
    (h, w), how = batch.pictures.shape[-2:], recipe.dense
    places = anchors.boxes((h, w), batch.boxes)
    classes, shifts = [], []
    for boxes, crowds in zip(batch.boxes, batch.crowds):
        mine = boxes[torch.isfinite(boxes).all(-1)]
        found = boxed.matched(places, mine, how.positive, how.negative, how.rescue)
        for crowd in crowds[torch.isfinite(crowds).all(-1)]:
            found[(found == BACKGROUND) & (boxed.share_in(places, crowd) > CROWDED)] = IGNORED
        classes.append(found.clamp(max=0))
        goal = torch.zeros_like(places)
        goal[found >= 0] = boxed.encoded(mine[found[found >= 0]], places[found >= 0])
        shifts.append(goal)
    size = (h // 2, w // 2)
    if how.oriented:
        drawn = torch.stack([bumps(b, q, size, how) for b, q in zip(batch.boxes, batch.quads)])
    else:
        drawn = heatmaps.box_maps(batch.boxes, size, 2, how.sigma, how.reading)
    for wanted, crowds in zip(drawn, batch.crowds):
        for x1, y1, x2, y2 in (crowds[torch.isfinite(crowds).all(-1)] / 2).round().int().tolist():
            part = wanted[y1:y2, x1:x2]
            part[part <= how.empty] = torch.nan
    return Wanted(torch.stack(classes), torch.stack(shifts), drawn)


def bumps(boxes: Tensor, quads: Tensor, size: tuple[int, int], how: Dense) -> Tensor:
    """The map (h, w) of one picture whose labels are in part oriented."""
    x1, y1, x2, y2 = boxes.unbind(-1)
    upright = torch.stack([torch.stack(p, -1) for p in ((x1, y1), (x2, y1), (x2, y2), (x1, y2))], 1)
    oriented = torch.isfinite(quads).all(-1).all(-1)
    corners = torch.where(oriented[:, None, None], quads, upright)
    return heatmaps.quad_map(corners, size, 2, how.sigma, how.reading)


def compare(outputs: Sequence[Tensor], wanted: Wanted, recipe: Recipe) -> Tensor:
    """Equation 4, a picture's mean; a network without a map has no third term."""
    how, (logits, shifts, *drawn) = recipe.dense, outputs
    losses = []
    for b in range(len(logits)):
        positive = wanted.classes[b] >= 0
        terms = [
            focal(logits[b], wanted.classes[b], how.alpha, how.gamma),
            smooth_l1(shifts[b][positive], wanted.shifts[b][positive], how.beta),
        ]
        terms += [bump_error(m[b, 0], wanted.maps[b], how.bump, how.empty, how.hard) for m in drawn]
        losses.append(torch.stack([w * term for w, term in zip(how.weights, terms)]).sum())
    return torch.stack(losses).mean()


def read(
    outputs: Sequence[Tensor], anchors: Anchors, size: tuple[int, int], how: Dense, by: str = "nms"
) -> list[Boxes]:
    """The boxes on each picture of a batch, in network pixels, the surest first.

    Args:
        size: (H, W) of the pictures.
        by: "nms", "soft" (Soft-NMS), or, with the map's peaks, "map": neighbours are told apart by them;
            "centred" and "soft centred": boxes whose middles are off their peaks lose score first.
    """
    logits, shifts, *drawn = (o.detach().float() for o in outputs)
    places, found = anchors.boxes(size, logits), []
    for b in range(len(logits)):
        boxes = boxed.decoded(shifts[b], places)
        boxes, scores, *_ = boxed.best(logits[b].sigmoid(), boxes, how.least, CANDIDATES)
        boxes, scores = clipped(boxes, size).double().cpu().numpy(), scores.double().cpu().numpy()
        which = peaks_under(boxes, drawn[0][b, 0]) if by in ("map", "centred", "soft centred") else None
        if which is not None and by != "map":
            w = drawn[0].shape[-1]
            middles = np.stack([which % w, which // w], -1) * 2.0 + 1.0  # of cells of half the size
            scores = centred(boxes, scores, np.where(which[:, None] < 0, np.nan, middles))
        if by.startswith("soft"):
            order, scores = soft_nms(boxes, scores, least=how.least)
            found.append(Boxes(boxes[order], scores)[: how.kept])
            continue
        if by == "map":
            assert which is not None
            order = separated(boxes, scores, which, how.overlap, how.apart)
        else:
            order = nms(boxes, scores, how.overlap)
        found.append(Boxes(boxes[order], scores[order])[: how.kept])
    return found


def peaks_under(boxes: np.ndarray, drawn: Tensor) -> np.ndarray:
    """(N,) the cell of the map (h, w), counted row by row, to which each box's middle climbs; -1: to none."""
    peaks = heatmaps.climbed(heatmaps.smoothed(drawn)).cpu().numpy()
    middle = (boxes[:, :2] + boxes[:, 2:]) / 4  # cells of half the size
    x, y = np.clip(middle, 0, np.array(peaks.shape[::-1]) - 1).astype(int).T
    return peaks[y, x]


def clipped(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Boxes (N, 4) inside a picture (H, W)."""
    limit = boxes.new_tensor([size[1], size[0], size[1], size[0]])
    return boxes.clamp_min(0).minimum(limit)


@torch.no_grad()
def check(
    f: Fitting, net: nn.Module, samples: Wholes, anchors: Anchors
) -> tuple[dict[str, float], np.ndarray | None, None]:
    """Loss and SKU-110K's AP over this process's share of the validation set, and a sheet of its first
    pictures.
    """
    net.eval()
    rank, ranks = f.accelerator.process_index, f.accelerator.num_processes
    total, count, picture = 0.0, 0, None
    answers: list[Boxes] = []
    truth: list[Boxes] = []
    crowds: list[np.ndarray] = []
    batches: Any = validation_batches(samples, rank, ranks)  # type: ignore[arg-type]
    for batch in batches:
        loss, outputs, batch = cast(tuple[Tensor, Sequence[Tensor], DenseBatch], forward(f, batch, net))
        size = (batch.pictures.shape[-2], batch.pictures.shape[-1])
        found = read(outputs, anchors, size, f.recipe.dense)
        total, count = total + float(loss) * len(batch), count + len(batch)
        answers += found
        truth += [labelled(boxes) for boxes in batch.boxes]
        crowds += [labelled(boxes).boxes for boxes in batch.crowds]
        if picture is None:
            picture = sheet(batch, outputs, found)
    scored = dense_scores(answers, truth, crowds)
    ap, ap50 = (float(np.nan_to_num(n)) * count for n in (scored.ap, scored.ap50))
    sums = torch.tensor([total, count, ap, ap50], dtype=torch.float64, device=f.accelerator.device)
    summed: Any = f.accelerator.reduce(sums, reduction="sum")
    total, count, ap, ap50 = summed.tolist()
    numbers = {"loss": total / count, "AP": ap / count, "AP50": ap50 / count}
    return {f"validation {name}": value for name, value in numbers.items()}, picture, None


def labelled(boxes: Tensor) -> Boxes:
    """The labels of one picture, (N, 4) padded with NaN."""
    return Boxes(boxes[torch.isfinite(boxes).all(-1)].double().cpu().numpy())


def sheet(batch: DenseBatch, outputs: Sequence[Tensor], found: Sequence[Boxes]) -> np.ndarray:
    """Labelled boxes, found boxes and, of a network that has one, the map, one below the other:
    (2 or 3 H, n W, 3) uint8."""
    columns = []
    for b, boxes in enumerate(found[:SHOWN]):
        picture = np.ascontiguousarray(batch.pictures[b].permute(1, 2, 0).cpu().numpy())
        true = labelled(batch.boxes[b]).boxes
        good = boxes.boxes[boxes.scores > 0.3]
        rows = [outlined(picture, true, (60, 140, 240)), outlined(picture, good, (230, 70, 60))]
        rows += [glowing(picture, m[b].float().clamp(0, 1).cpu().numpy()) for m in outputs[2:]]
        columns.append(np.concatenate(rows))
    return np.concatenate(columns, 1)


def outlined(picture: np.ndarray, boxes: np.ndarray, color: tuple[int, int, int]) -> np.ndarray:
    """A copy with boxes (N, 4) drawn."""
    picture = picture.copy()
    for x1, y1, x2, y2 in np.round(boxes - 0.5).astype(int):
        cv2.rectangle(picture, (x1, y1), (x2, y2), color, 1)
    return picture
