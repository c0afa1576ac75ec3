"""A network whose answer is known: landmark k is the spot where colour channel k is brightest. For the
tests."""

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from heatmark.card import KEY, Card
from heatmark.commands import graphs
from heatmark.runtime.decoding import PointReader
from heatmark.types import Skeleton

SPOTS = Skeleton("spots", ("red", "green", "blue"), bones=(("red", "green"),))
SIZE = (48, 64)  # (H, W)


class Spots(nn.Module):
    """(B, 3, H, W) -> one map each of redness, greenness, blueness, at strides 4 and 2."""

    strides = (4, 2)

    def __init__(self, points: int = 3):
        super().__init__()
        self.colours = nn.Conv2d(3, points, 1, bias=False)
        with torch.no_grad():
            self.colours.weight.copy_(torch.eye(3)[:points, :, None, None])

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        half = nn.functional.avg_pool2d(self.colours(pictures), 2)
        return nn.functional.avg_pool2d(half, 2), half


def spots_card(**changes) -> Card:
    facts = {"name": "spots", "skeleton": SPOTS, "size": SIZE, "model": "spots", "strides": Spots.strides}
    return Card(**(facts | changes))


def write_safetensors(path, card: Card | None = None, weights: dict | None = None):
    state = {k: v.contiguous() for k, v in (Spots().state_dict() | (weights or {})).items()}
    save_file(state, path, metadata={KEY: (card or spots_card()).to_json()})
    return path


def write_onnx(path, card: Card | None = None):
    card = card or spots_card()
    graphs.write(graphs.to_onnx(PointReader(Spots(), card), card), card, path)
    return path


def spots(size: tuple[int, int], *places: tuple[float, float], radius: float = 4.0) -> np.ndarray:
    """A black picture (H, W, 3) with a soft red, green and blue spot at the given (x, y)."""
    y, x = np.mgrid[: size[0], : size[1]] + 0.5
    picture = np.zeros((*size, 3))
    for k, (px, py) in enumerate(places):
        picture[..., k] = 250 * np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * radius**2))
    return picture.round().astype(np.uint8)
