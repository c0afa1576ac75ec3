"""A network of everybody whose answer is known: red, green and blue spots are the landmarks, and a spot's tag
is how far right it lies. For the tests, as toys.py.
"""

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from toys import spots

from heatmark.card import KEY, Card, Decoding
from heatmark.models.layout import Drawn, each
from heatmark.types import Skeleton

TRIO = Skeleton("trio", ("red", "green", "blue"), bones=(("red", "green"), ("green", "blue")))
SIZE = (48, 96)  # (H, W)
TWO = (((20, 14), (20, 24), (16, 34)), ((74, 16), (70, 26), (70, 36)))  # places of two persons


class Throng(nn.Module):
    """(B, 3, H, W) -> (B, 6, H / 2, W / 2): three detections and three tags, 8 from the left to the right."""

    strides = (2,)

    def __init__(self, points: int = 3):
        super().__init__()
        self.layout = (Drawn(each(points), tags_from=points, read=True),)
        self.gain = nn.Parameter(torch.ones(3, 1, 1))
        self.shift = nn.Parameter(torch.zeros(()))

    def forward(self, pictures: Tensor) -> tuple[Tensor]:
        heat = nn.functional.avg_pool2d(pictures, 2) * self.gain
        b, k, h, w = heat.shape
        across = torch.linspace(0, 8, w, device=heat.device) + self.shift
        return (torch.cat([heat, across.view(1, 1, 1, w).expand(b, k, h, w)], 1),)


def throng_card(**changes) -> Card:
    decoding = Decoding(method="tags", refine="quarter", threshold=0.1, person=0.1)
    facts = {"name": "throng", "skeleton": TRIO, "size": SIZE, "model": "throng", "strides": Throng.strides}
    return Card(**(facts | {"task": "crowd", "decoding": decoding} | changes))


def write_throng(path, card: Card | None = None, **weights: Tensor):
    state = {k: v.detach().contiguous() for k, v in (Throng().state_dict() | weights).items()}
    save_file(state, path, metadata={KEY: (card or throng_card()).to_json()})
    return path


def crowd_picture(*people, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A black picture with the spots of several persons, each three places (x, y)."""
    pictures = [spots(size, *places, radius=2.5) for places in people]
    return np.max([np.zeros((*size, 3), np.uint8), *pictures], axis=0)
