"""Samples for training, side by side: each is a function of (seed, epoch, index) alone.

So they are the same on 1 or 8 workers, in one go or resumed. Pictures are decoded once and kept as uint8 when
all of them fit into `cache_mb`.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from .. import data
from ..data import boxes as box_files
from ..errors import DataError, HeatmarkError
from ..geometry import Frame, about, boxes_around, enlarged, rotation, scaling, translation
from ..imaging import msra
from ..imaging.augment import framed, recoloured, varied
from ..imaging.occlude import occluded, part_of
from ..imaging.transforms import within
from ..imaging.windows import Windows, drawn
from ..types import ABSENT, Poses, Sample, Skeleton
from .recipe import Recipe
from .task import TENSORS, Batch

INEXACT = 0.9, 1.15  # how much smaller or larger than its box the part is that is seen
SEARCHED = 0.25, 0.8  # of the picture's sides, what a search shows of it at a time
SPLIT, ORDER, SAMPLE, NEGATIVE = 1, 2, 3, 4  # the streams of chance, so that one does not shift another


@dataclass(frozen=True)
class Entry:
    """One object in one picture."""

    record: data.Record
    points: np.ndarray  # (K, 2) picture pixels, NaN where there is none
    visibility: np.ndarray  # (K,) uint8
    box: np.ndarray  # (4,) picture pixels
    alone: bool  # no other labelled object in the picture
    nothing: bool = False  # what is in the box is something else: all maps are to be empty


@dataclass(frozen=True)
class Shot:
    """Where to look for an object."""

    frame: Frame
    box: np.ndarray | None = None  # (4,) that was given; None: the whole picture
    alone: bool = False  # nothing outside that box is seen
    search: bool = False  # the box is no object's: what is not in it is not there


def entries(dataset: data.Dataset, skeleton: Skeleton) -> list[Entry]:
    """Every object with at least one landmark, its landmarks in the skeleton's order.

    The box is the labelled one, else the one around the landmarks, else (one landmark) the whole picture.
    """
    order = [dataset.skeleton.index(name) for name in skeleton.landmarks]
    found = []
    for record in dataset:
        poses, (h, w) = record.poses, record.size
        points = np.where(poses.visibility[:, order, None] == ABSENT, np.nan, poses.points[:, order])
        for points_, visibility, box in zip(points, poses.visibility[:, order], poses.boxes):
            there = np.isfinite(points_).all(-1)
            if not there.any():
                continue
            for candidate in (box, boxes_around(points_), np.array([0.0, 0.0, w, h])):
                if np.isfinite(candidate).all() and (candidate[2:] - candidate[:2]).min() > 1:
                    box = candidate
                    break
            found.append(Entry(record, points_, visibility, box, len(poses) == 1))
    return found


def negatives(dataset: data.Dataset, skeleton: Skeleton) -> list[Entry]:
    """The boxes of other things: no landmark of `skeleton` is in them, which a network learns to say.

    Raises a DataError where there is none: a thing needs a landmark of its own, as everywhere in `entries`.
    """
    k = len(skeleton)
    none, absent = np.full((k, 2), np.nan), np.full(k, ABSENT, np.uint8)
    things = entries(dataset, dataset.skeleton)
    if not things:
        raise DataError(f"negatives: {dataset.folder}: no object with a labelled landmark")
    return [Entry(e.record, none, absent, e.box, e.alone, nothing=True) for e in things]


def some(entries: Sequence[Any], count: int, seed: int) -> list[Any]:
    """At most so many of them, by chance, in their order."""
    if len(entries) <= count:
        return list(entries)
    drawn = np.random.default_rng([seed, NEGATIVE]).choice(len(entries), count, replace=False)
    return [entries[i] for i in sorted(drawn.tolist())]


def centred(frame: Frame, box: np.ndarray) -> Frame:
    """`frame` moved so that the middle of a box (4,) in the picture is in the middle of what it shows."""
    (x, y), (h, w) = frame.into(box.reshape(2, 2).mean(0)), frame.size
    return frame.then(translation(w / 2 - x, h / 2 - y))


def somewhere(size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """A box (4,) anywhere in a picture (H, W), as a second look's search shows parts of it."""
    h, w = (rng.uniform(*SEARCHED) * np.array(size)).tolist()
    x, y = rng.uniform(0, size[1] - w), rng.uniform(0, size[0] - h)
    return np.array([x, y, x + w, y + h])


def split(dataset: data.Dataset, share: float, seed: int) -> tuple[data.Dataset, data.Dataset]:
    """(training, validation) by picture. A rendered scene and its copies (`index`) stay on the same side."""
    scenes: dict[object, list[int]] = {}
    for i, record in enumerate(dataset):
        scenes.setdefault(record.extra.get("index", i), []).append(i)
    order = np.random.default_rng([seed, SPLIT]).permutation(len(scenes))
    wanted, apart = round(share * len(dataset)), []
    groups = list(scenes.values())
    for s in order:
        if len(apart) >= wanted:
            break
        apart += groups[s]
    kept = sorted(set(range(len(dataset))) - set(apart))
    return dataset[kept], dataset[sorted(apart)]


class Samples(Dataset):
    """Entries as the network sees them: `samples[epoch, index]` varied, `samples[None, index]` not."""

    def __init__(self, entries: Sequence[Entry], skeleton: Skeleton, recipe: Recipe):
        self.entries, self.skeleton, self.recipe = list(entries), skeleton, recipe
        self.pictures = decoded(self.entries, recipe.cache_mb)
        self.bank = bank_of(self) if recipe.occlusion and recipe.occlusion.partmix else {}

    def __len__(self) -> int:
        return len(self.entries)

    @staticmethod
    def collate(samples: Sequence[Batch]) -> Batch:
        return collate(samples)

    def picture(self, entry: Entry) -> np.ndarray:
        """(H, W, 3) uint8."""
        kept = self.pictures.get(str(entry.record.path))
        return data.sample(entry.record).picture if kept is None else kept

    def __getitem__(self, key: tuple[int | None, int]) -> Batch:
        """A Batch of one, without its axis B."""
        epoch, index = key
        entry = self.entries[index]
        rng = np.random.default_rng([self.recipe.seed, SAMPLE, 0 if epoch is None else epoch + 1, index])
        poses = Poses(
            self.skeleton, entry.points[None], visibility=entry.visibility[None], boxes=entry.box[None]
        )
        sample = Sample(self.picture(entry), poses, entry.record.name)
        if epoch is None:
            sample, frame = self.shown(sample, self.shot(entry, rng, None), rng)
            seen = framed(sample, frame, averaged=not self.as_published, outside=self.as_published)
            lost = np.zeros(len(self.skeleton), bool)
        else:
            shot = self.shot(entry, rng, self.recipe.windows)
            sample, frame = self.shown(sample, shot, rng)
            seen, lost = self.varied(sample, frame, rng, middle=shot.box is None and not entry.alone)
        x1, y1, x2, y2 = seen.poses.boxes[0]
        return Batch(
            torch.from_numpy(np.ascontiguousarray(seen.picture.transpose(2, 0, 1))),
            torch.from_numpy(np.where(lost[:, None], np.nan, seen.poses.points[0]).astype(np.float32)),
            torch.from_numpy((entry.visibility == ABSENT) | lost),
            torch.tensor(max(x2 - x1, y2 - y1), dtype=torch.float32),
            (entry.record.name,),
        )

    @property
    def as_published(self) -> bool:
        """Pictures and points are those that HRNet's authors would have had: their crops (imaging.msra)."""
        return self.recipe.head == "msra"

    def shot(self, entry: Entry, rng: np.random.Generator, windows: Windows | None) -> Shot:
        """Where to look for an object: in its box, which may vary, in the whole picture, or as a search does.

        Where there are others, the whole picture is shown with the object in the middle: of several in view
        the network learns to mean that one.
        """
        recipe, size = self.recipe, self.recipe.size
        if rng.random() < recipe.whole and not entry.nothing:
            by, middle = rng.uniform(*recipe.whole_scale), (size[1] / 2, size[0] / 2)
            frame = Frame.whole(entry.record.size, size).then(about(scaling(by, by), middle))
            return Shot(frame if entry.alone else centred(frame, entry.box))
        if recipe.search and entry.alone and not entry.nothing and rng.random() < recipe.search:
            box = somewhere(entry.record.size, rng)
            return Shot(Frame.around(box, size), box, alone=True, search=True)
        box = box_files.as_published(entry.box, entry.record)[0] if self.as_published else entry.box
        if windows is None:
            box, turn = enlarged(box, recipe.enlarge), 0.0
        else:
            box, turn = drawn(box, entry.points, self.skeleton, size, recipe.enlarge, windows, rng)
        if self.as_published:
            window = msra.Window.around(box, size, enlarge=1.0)
            return Shot(msra.frame(window.centre, window.scale, size, turn), box)
        frame = Frame.around(box, size).then(about(rotation(turn), (size[1] / 2, size[0] / 2)))
        # Round the box of something else there may be what it is not: it is always shown alone.
        alone = entry.nothing or recipe.context < 1 and rng.random() >= recipe.context
        return Shot(frame, enlarged(entry.box, recipe.enlarge), alone)

    def shown(self, sample: Sample, shot: Shot, rng: np.random.Generator) -> tuple[Sample, Frame]:
        """The sample and its frame; of a box that is seen alone the part inside it, its size inexact."""
        if shot.box is None or not shot.alone:
            return sample, shot.frame
        part, corner = within(sample.picture, enlarged(shot.box, rng.uniform(*INEXACT)))
        poses = sample.poses.moved(sample.poses.points - corner, sample.poses.boxes - np.tile(corner, 2))
        if shot.search:
            beyond = (poses.points < 0) | (poses.points > part.shape[1::-1])  # NaN is not
            points = np.where(np.any(beyond, axis=-1, keepdims=True), np.nan, poses.points)
            poses = replace(poses, points=points)
        moved = Frame(shot.frame.matrix @ translation(*corner), shot.frame.size)
        return replace(sample, picture=part, poses=poses), moved

    def varied(
        self, sample: Sample, frame: Frame, rng: np.random.Generator, middle: bool = False
    ) -> tuple[Sample, np.ndarray]:
        """Moved, recoloured and occluded by chance; and (K,) bool, labels that the occlusion took away.

        Args:
            middle: the object stays where the middle is.
        """
        augmentation, occlusion = self.recipe.augmentation, self.recipe.occlusion
        frame, flipped = varied(sample.poses, frame, augmentation, rng)
        if middle:
            frame = centred(frame, sample.poses.boxes[0])
        colour = rng.integers(0, 256, 3).tolist()
        seen = framed(
            sample,
            frame,
            flipped,
            augmentation.border,
            0 if self.as_published else colour,
            averaged=not self.as_published,
            outside=self.as_published,
        )
        recolour = partial(recoloured, augmentation=augmentation, rng=rng)
        lost = np.zeros(len(self.skeleton), bool)
        if occlusion is None:
            picture = recolour(seen.picture)
        else:
            points = seen.poses.points[0]
            picture, lost = occluded(
                seen.picture, points, self.skeleton, occlusion, rng, self.bank, recolour=recolour
            )
        return replace(seen, picture=picture), lost


class CutOuts(Sequence[np.ndarray]):
    """One part of many objects, each cut out of its picture only when it is asked for: for PartMix."""

    def __init__(self, samples: "Samples", part: str, entries: Sequence[Entry]):
        self.samples, self.part, self.entries = samples, part, entries

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, index: Any) -> np.ndarray:
        """(h, w, 3) uint8 RGB, at the picture's own resolution; empty where the part lies outside it."""
        entry = self.entries[index]
        found = part_of(self.samples.picture(entry), entry.points, self.samples.skeleton, self.part)
        return np.empty((0, 0, 3), np.uint8) if found is None else found


def bank_of(samples: "Samples") -> dict[str, Sequence[np.ndarray]]:
    """The parts that PartMix draws from: of the first object of each picture, those with all landmarks."""
    skeleton, first = samples.skeleton, {str(e.record.path): e for e in reversed(samples.entries)}
    bank: dict[str, Sequence[np.ndarray]] = {}
    for part, names in skeleton.parts.items():
        indices = [skeleton.index(name) for name in names]
        whole = [e for e in reversed(first.values()) if np.isfinite(e.points[indices]).all()]
        bank[part] = CutOuts(samples, part, whole)
    return bank


def decoded(entries: Sequence[Entry], cache_mb: int) -> dict[str, np.ndarray]:
    """Every picture by its path, decoded, if all fit into `cache_mb`; else none."""
    records = {str(e.record.path): e.record for e in entries}
    if sum(r.size[0] * r.size[1] * 3 for r in records.values()) > cache_mb * 2**20:
        return {}
    with ThreadPoolExecutor(4) as pool:  # decoding releases the interpreter
        return dict(zip(records, pool.map(lambda record: data.sample(record).picture, records.values())))


class Order(Sampler):
    """Batches of (epoch, index): a new order each epoch, from the batch `start` on, shared by processes."""

    def __init__(self, length: int, recipe: Recipe, rank: int = 0, ranks: int = 1):
        self.length, self.recipe, self.rank, self.ranks = length, recipe, rank, ranks
        self.epoch, self.start = 0, 0

    def __len__(self) -> int:
        """Batches in a whole epoch, for each process. One of a single sample is left out (batch norm)."""
        rounds, rest = divmod(self.length, self.recipe.batch * self.ranks)
        return max(rounds + (rest >= 2 * self.ranks), 1)

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        order = np.random.default_rng([self.recipe.seed, ORDER, self.epoch]).permutation(self.length)
        each = self.recipe.batch * self.ranks
        for i in range(self.start, len(self)):
            together = order[i * each : (i + 1) * each]
            shared = max(len(together) // self.ranks, 1) * self.ranks  # as many for each process
            together = together[:shared]
            yield [(self.epoch, int(index)) for index in together[self.rank :: self.ranks]]


def collate(samples: Sequence[Batch]) -> Batch:
    """Batches of one, without their axis B, side by side."""
    stacked = {n: torch.stack([getattr(s, n) for s in samples]) for n in TENSORS}
    return Batch(**stacked, names=tuple(name for s in samples for name in s.names))


class Batches(Dataset):
    """Whole batches by their keys. What is wrong with a sample is handed over as a value: raised in a worker
    it would come out as the text of a traceback.
    """

    def __init__(self, samples: Samples):
        self.samples = samples

    def __getitem__(self, keys: Sequence[tuple[int, int]]) -> Batch | HeatmarkError:
        try:
            return self.samples.collate([self.samples[key] for key in keys])
        except HeatmarkError as error:
            return error


def training_loader(samples: Samples, order: Order) -> DataLoader:
    """Batches in `order`, which is asked anew each time the loader is iterated; see `sound`."""
    workers = min(samples.recipe.workers, len(order))
    return DataLoader(
        Batches(samples),
        sampler=order,
        batch_size=None,  # what the order lists are whole batches
        num_workers=workers,
        persistent_workers=workers > 0,
        worker_init_fn=_one_thread if workers else None,
        generator=torch.Generator(),  # its own, or the loader would draw from the one that drops values out
    )


def sound(batches: Iterable[Batch | HeatmarkError]) -> Iterator[Batch]:
    """The batches of a `training_loader`. Raises the HeatmarkError that stands in the place of one."""
    for batch in batches:
        if isinstance(batch, HeatmarkError):
            raise batch
        yield batch


def _one_thread(worker: int) -> None:
    """OpenCV's threads do not survive a fork, and each worker is one core's work."""
    cv2.setNumThreads(0)


def validation_batches(samples: Samples, rank: int = 0, ranks: int = 1) -> Iterator[Batch]:
    """Every sample once, not augmented, in order."""
    mine = range(rank, len(samples), ranks)
    for i in range(0, len(mine), samples.recipe.batch):
        yield samples.collate([samples[None, k] for k in mine[i : i + samples.recipe.batch]])


def worth_training(training: Sequence[Entry], validation: Sequence[Entry], source: str) -> None:
    """Raise a DataError unless there is something to learn from and something to check on."""
    if not training:
        raise DataError(f"{source}: no object with a labelled landmark to learn from")
    if not validation:
        raise DataError(f"{source}: nothing is left to validate on: give a validation set, or a larger share")
