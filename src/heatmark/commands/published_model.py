"""`heatmark convert X.pth Y.safetensors`: a published network becomes a model of ours, with the right card.

The file is loaded weights-only and recognised by its names and shapes. Its card says what it does not: the
landmarks by name, the size of the input, colours, and that crops and maps are read as its authors do (msra),
so that it finds the points it was published with. Networks of everybody at once (HigherHRNet, PoseAE) are
read by our own grouping.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import UserError, require
from ..skeletons import COCO17, MPII16
from ..types import Skeleton

SUFFIXES = (".pth", ".pt", ".tar")
KNOWN = {len(COCO17): (COCO17, (256, 192)), len(MPII16): (MPII16, (256, 256))}  # maps -> landmarks, (H, W)
AUTHORS = {"hrnet": ("Sun et al. 2019", "MIT"), "simple": ("Xiao et al. 2018", "MIT"),
           "hourglass": ("Newell et al. 2016", "BSD-3-Clause"), "higher": ("Cheng et al. 2020", "MIT"),
           "pose_ae": ("Newell et al. 2017", "BSD-3-Clause")}  # fmt: skip
# Of one person a box: crops and maps read as the authors do. Of everybody at once: our grouping, which keeps
# weak persons too, and their input.
ONE = {"task": "top_down", "decoding": {"method": "msra"}}
EVERYBODY = {"task": "crowd", "decoding": {"method": "tags", "refine": "quarter", "threshold": 0.1}}
MULTIPLE = 32  # pixels of the coarsest cell
WHOLE = (512, 512)  # (H, W) of everybody's input


@dataclass(frozen=True)
class ConvertedModel:
    """What the weights were, and where the model is."""

    source: str
    out: str
    model: str
    points: int
    size: tuple[int, int]  # (H, W)

    def __str__(self) -> str:
        h, w = self.size
        return f"{self.out}: {self.model} with {self.points} points for {w} x {h} px, read as its authors do"

    def to_dict(self) -> dict[str, Any]:
        """The `--json` form."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in self.__dict__.items()}


def is_weights(source: str | Path) -> bool:
    """Whether a path's ending is that of a file of weights."""
    return Path(source).suffix.lower() in SUFFIXES


def convert_model(
    source: str | Path,
    target: str | Path,
    *,
    model: str | None = None,
    size: tuple[int, int] | None = None,
    like: str | Path | None = None,
) -> ConvertedModel:
    """Write a published network as one model file.

    Args:
        source: the authors' .pth file.
        target: the .safetensors file to write.
        model: a key of MODELS or CROWDS; an error if the file holds another. None: whatever it holds.
        size: (H, W) it was trained for, which the file does not say; None: 256x192 for COCO's 17 landmarks,
            256x256 for MPII's 16, and 512x512 for networks of everybody at once.
        like: a dataset whose landmarks, in their order, are those of the maps; needed for other numbers.

    Raises:
        UserError: no such file, another network, landmarks that do not fit. DataError: no weights we know.
    """
    require("torch", "safetensors", to="convert a published model")
    from ..card import Card
    from ..models import CROWDS, unfetched
    from ..models.blocks import seen_by
    from ..models.published import opened, recognised
    from ..training.state import write_model

    source, target = Path(source), Path(target)
    if target.suffix != ".safetensors":
        raise UserError(f"{target}: the model to write ends in .safetensors")
    if size and any(side < MULTIPLE or side % MULTIPLE for side in size):
        h, w = size
        raise UserError(f"size: a network's input is multiples of {MULTIPLE} pixels, got {h}x{w}")
    name, net = opened(source)
    if model is not None and model != name:
        raise UserError(f"{source.name}: holds the weights of {name}, not of {model}")
    points = recognised(net.state_dict())[1]
    skeleton, usual = _landmarks(points, like, source.name)
    if name not in CROWDS:  # which draws a map for each, also of those that nobody can tell apart
        skeleton = replace(skeleton, interchangeable=())
    authors, licence = next(v for k, v in AUTHORS.items() if name.startswith(k))
    card = Card.model_validate(
        {
            "name": target.stem,
            **(EVERYBODY if name in CROWDS else ONE),
            "skeleton": skeleton.to_dict(),
            "size": size or (WHOLE if name in CROWDS else usual),
            "model": name,
            "options": unfetched(name, {}),
            "strides": net.strides,
            "input": seen_by(net),
            "data": {"weights": f"published by {authors}; converted from {source.name}"},
            "licence": f"{licence}, as the authors' code",
        }
    )
    write_model(target, net, card)
    return ConvertedModel(str(source), str(target), name, len(skeleton), card.size)


def _landmarks(points: int, like: str | Path | None, source: str) -> tuple[Skeleton, tuple[int, int]]:
    """The landmarks of so many maps, and the usual size of the input."""
    if like is not None:
        from ..data import open_dataset

        skeleton = open_dataset(like).skeleton
        if len(skeleton) != points:
            raise UserError(f"{source}: draws {points} maps, but {like} has {len(skeleton)} landmarks")
        return skeleton, KNOWN.get(points, KNOWN[len(COCO17)])[1]
    if points not in KNOWN:
        raise UserError(
            f"{source}: draws {points} maps, neither COCO's 17 nor MPII's 16: name a dataset whose landmarks"
            " they are (like)"
        )
    return KNOWN[points]
