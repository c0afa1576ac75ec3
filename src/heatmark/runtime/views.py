"""Everybody in a picture that is looked at several times: at several scales, and mirrored.

So the published programs are tested. Heights of all views are averaged; tags are those of scale 1, one more
of each for the mirror image, and persons are made of both (`grouping.combined`, `grouping.people`). Needs the
network's maps, so a .safetensors model and torch.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..card import Card
from ..errors import UserError, unknown
from ..geometry import Frame, scaling
from ..grouping import HIGHERHRNET, POSE_AE, Groups, Rules, combined, mirrored_back, people
from ..skeletons import COCO17
from .crowd import CrowdPredictor, Look, groups_of, shown
from .engines import CANDIDATES, cores, network
from .windows import network_input

CELLS = 64  # a network's sides are multiples of it, pixels
Sizes = Callable[[tuple[int, int], tuple[int, int], float, float], tuple[int, int]]
# (B, 3, H, W) float32 RGB in [0, 1] -> heights and tags, (B, K, h, w) each
Maps = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def short_side(
    picture: tuple[int, int], size: tuple[int, int], scale: float, least: float
) -> tuple[int, int]:
    """HigherHRNet's (H, W) for a picture (H, W): the shorter side becomes the network's, the longer one in
    proportion, both rounded up to multiples of 64 at the `least` scale and multiplied from there.

    >>> short_side((480, 640), (512, 512), 1, 1), short_side((480, 640), (512, 512), 2, 0.5)
    ((512, 704), (1024, 1536))
    """
    base = int((least * min(size) + 63) // CELLS * CELLS)
    longer = int((base / min(picture) * max(picture) + 63) // CELLS * CELLS)
    short, long = int(base * scale / least), int(longer * scale / least)
    return (long, short) if picture[1] < picture[0] else (short, long)


def long_side(picture: tuple[int, int], size: tuple[int, int], scale: float, least: float) -> tuple[int, int]:
    """PoseAE's: a square, whatever the picture, rounded up to a multiple of 64.

    >>> long_side((480, 640), (512, 512), 0.5, 0.5), long_side((480, 640), (512, 512), 0.7, 0.5)
    ((256, 256), (384, 384))
    """
    side = int((scale * max(size) + 63) // CELLS * CELLS)
    return side, side


def letterbox(picture: tuple[int, int], size: tuple[int, int], scale: float, least: float) -> tuple[int, int]:
    """The card's own size, rounded to multiples of 64 where it is scaled.

    >>> letterbox((480, 640), (192, 256), 1, 1), letterbox((480, 640), (192, 256), 0.5, 0.5)
    ((192, 256), (128, 128))
    """
    if scale == 1:
        return size
    h, w = (max(math.floor(scale * side / CELLS + 0.5), 1) * CELLS for side in size)
    return h, w


@dataclass(frozen=True)
class Protocol:
    """How pictures are fitted, and persons made of their maps."""

    sizes: Sizes
    rules: Rules | None = None  # None: the card's, as in a model file
    most: float = np.inf  # averaged heights are cut off above it
    whole: bool = False  # maps are joined at the network's pixels of scale 1; else at the largest map's cells


PROTOCOLS = {
    "heatmark": Protocol(letterbox),
    "higherhrnet": Protocol(short_side, HIGHERHRNET, whole=True),
    "pose_ae": Protocol(long_side, POSE_AE, most=1.0),
}


@dataclass(frozen=True)
class Views:
    """A Look of several views each."""

    maps: Maps
    card: Card
    scales: tuple[float, ...]  # the largest first
    flip: bool
    protocol: Protocol

    def __call__(self, pictures: Sequence[np.ndarray]) -> tuple[list[Groups], float]:
        looked = [self.one(picture) for picture in pictures]
        return [groups for groups, _ in looked], sum(seconds for _, seconds in looked)

    def one(self, picture: np.ndarray) -> tuple[Groups, float]:
        """The persons of one picture (H, W, 3) uint8, and the seconds the network took."""
        began = time.perf_counter()
        size = (picture.shape[0], picture.shape[1])
        frame = Frame.whole(size, self._size(size, 1.0))  # of scale 1, whether it is looked at or not
        heats: list[np.ndarray] = []
        tags: list[np.ndarray] = []
        for scale in self.scales:
            heat, tag = self.seen(picture, scaled(frame, self._size(size, scale)))
            heats += heat
            tags += tag if scale == 1 or len(self.scales) == 1 else []
        seconds = time.perf_counter() - began
        h, w = frame.size if self.protocol.whole else max(m.shape[1:] for m in heats)
        cell = np.array([frame.size[1] / w, frame.size[0] / h])  # pixels of scale 1
        within = shown(picture, frame, self.card.stride / 2) / cell
        groups = self.persons(*combined(heats, tags, (h, w), self.protocol.most), within)
        pixels = groups.points * cell
        return replace(groups, points=frame.back(pixels)), seconds

    def persons(self, heat: np.ndarray, tags: np.ndarray, within: np.ndarray) -> Groups:
        """Of maps (K, h, w) and tags (K, h, w, D), in cells: by the protocol's rules, or as a model file that
        searches the peaks itself, those inside the corners `within` (2, 2) of the picture."""
        rules = self.protocol.rules
        if rules is not None:
            coco = self.card.skeleton_of().landmarks == COCO17.landmarks
            return people(heat, tags, rules if coco else replace(rules, order=None))
        import torch

        from ..heatmaps.crowd import tagged_maxima

        d = self.card.decoding
        heats, several = (torch.from_numpy(m[None]) for m in (heat, tags))
        found = tagged_maxima(heats, several, d.peaks, d.floor, 1, d.refine)
        return groups_of(dict(zip(CANDIDATES, (column.numpy() for column in found))), 0, self.card, within)

    def seen(self, picture: np.ndarray, frame: Frame) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Heights and tags (K, h, w) of a view, and of its mirror image where that is asked for."""
        view = network_input(picture, frame)
        if not self.flip:
            heats, tags = self.maps(view[None])
            return list(heats), list(tags)
        heats, tags = self.maps(np.stack([view, view[..., ::-1]]))
        mirrored = self.card.skeleton_of().mirrored.tolist()
        return [heats[0], mirrored_back(heats[1], mirrored)], [tags[0], mirrored_back(tags[1], mirrored)]

    def _size(self, picture: tuple[int, int], scale: float) -> tuple[int, int]:
        return self.protocol.sizes(picture, self.card.size, scale, min(self.scales))


def scaled(frame: Frame, size: tuple[int, int]) -> Frame:
    """The same window on the picture, seen by a network of another size."""
    h, w = frame.size
    return Frame(scaling(size[1] / w, size[0] / h) @ frame.matrix, size)


def in_views(
    path: Path,
    scales: Sequence[float] | None = None,
    flip: bool | None = None,
    protocol: str | None = None,
    threads: int | None = None,
) -> CrowdPredictor:
    """A model of everybody at once that looks at each picture several times.

    Args:
        path: a .safetensors model.
        scales: of the network's size; the published programs have (1,) and (2, 1, 0.5). None: (1,).
        flip: the mirror image, too; None: as the card says, and with a published protocol yes.
        protocol: a key of PROTOCOLS; None: "heatmark", the card's own size and our grouping.

    Raises:
        UserError: an unknown protocol, scales that cannot be, or a model of another kind.
    """
    how = protocol or "heatmark"
    if how not in PROTOCOLS:
        raise unknown("protocol", how, PROTOCOLS)
    wanted = tuple(sorted({float(s) for s in scales or (1.0,)}, reverse=True))
    if not all(0 < s <= 4 for s in wanted):
        raise UserError(f"scales are above 0 and at most 4, got {list(wanted)}")
    if len(wanted) > 1 and 1.0 not in wanted:
        raise UserError(f"of several scales one must be 1, whose tags tell persons apart, got {list(wanted)}")
    if path.suffix != ".safetensors":
        raise UserError(
            f"{path}: reads its maps itself, so it has no other scales or protocols; use the .safetensors"
            " model it was made of"
        )
    maps, card = maps_of(path, threads)
    if flip is None:
        flip = card.decoding.flip or how != "heatmark"
    card = card.model_copy(update={"decoding": card.decoding.model_copy(update={"flip": flip})})
    look: Look = Views(maps, card, wanted, flip, PROTOCOLS[how])
    return CrowdPredictor(look, card, name=str(path))


def maps_of(path: Path, threads: int | None = None) -> tuple[Maps, Card]:
    """What a model's network draws, in torch: on the GPU where there is one. Raises a UserError for a network
    that does not draw everybody."""
    whole: Any
    whole, card = network(path)
    if card.task != "crowd":
        raise UserError(f"{path}: scales and protocols are for models of everybody at once, not {card.task}")
    import torch

    from ..models.layout import readings

    torch.set_num_threads(threads or cores())
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    net = whole.net.to(device)

    def maps(pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        with torch.inference_mode():
            seen = torch.from_numpy(np.ascontiguousarray(pictures)).to(device)
            heat, tags = readings(net(seen), net.layout)
            return heat.float().cpu().numpy(), tags.float().cpu().numpy()

    return maps, card
