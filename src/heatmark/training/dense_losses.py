"""What dense detection steps down on: is a thing there (focal), where are its sides (smooth L1), and the map
(MSE over its bumps and mined hard negatives). Lin et al. 2017; Kant 2019, equations 1 to 4.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from ..errors import UserError
from ..heatmaps.anchors import BACKGROUND

FEWEST = 512  # cells of a map without bumps that count, the hardest ones


@dataclass(frozen=True)
class Dense:
    """How boxes and their map are learnt and read: the defaults are the papers'."""

    resize: tuple[int, int] | None = None  # shorter and longer side at the most; None: fitted into `size`
    weights: tuple[float, float, float] = (1.0, 1.0, 1.0)  # of focal, smooth L1 and map: lambda of equation 4
    alpha: float = 0.25
    gamma: float = 2.0
    beta: float = 1 / 9
    positive: float = 0.5  # overlap from which an anchor is to find a box
    negative: float = 0.4  # and below which it is to find nothing
    rescue: bool = False  # a box that no anchor overlaps so much gets its best one
    sigma: float = 40.0  # of the paper's bump, 120 cells wide
    reading: Literal["fwhm", "std"] = "fwhm"  # of that sigma
    oriented: bool = False  # bumps fill the labelled corners, where there are any, not the upright box
    bump: float = 0.1  # a cell of the map above it belongs to a thing
    empty: float = 0.1  # and one not above this to none
    hard: float = 3.0  # cells of none that count, for each that belongs to a thing
    least: float = 0.05  # score a box must exceed
    overlap: float = 0.5  # suppression
    apart: float = 0.7  # the same of boxes that have peaks of their own, where the map is asked
    kept: int = 300  # boxes of a picture at the most

    def __post_init__(self):
        if self.resize is not None and not (len(self.resize) == 2 and 0 < self.resize[0] <= self.resize[1]):
            raise UserError(f"dense.resize is a shorter and a longer side above 0, got {list(self.resize)}")
        if not all(0 <= weight < torch.inf for weight in self.weights):
            raise UserError(f"dense.weights are 0 or more, got {list(self.weights)}")
        if not 0 <= self.negative <= self.positive <= 1:
            raise UserError(
                "dense.negative and positive lie in [0, 1], in this order, got "
                f"{self.negative}, {self.positive}"
            )
        if not 0 <= self.empty <= self.bump < 1:
            raise UserError(
                f"dense.empty and bump lie in [0, 1), in this order, got {self.empty}, {self.bump}"
            )
        shares = {"alpha": self.alpha, "least": self.least, "overlap": self.overlap, "apart": self.apart}
        for name, value in shares.items():
            if not (0 <= value <= 1 and (value or name in ("alpha", "least"))):
                raise UserError(f"dense.{name} lies in [0, 1], overlap and apart above 0, got {value}")
        for name in ("gamma", "beta", "hard"):
            if not 0 <= getattr(self, name) < torch.inf:
                raise UserError(f"dense.{name} is 0 or more, got {getattr(self, name)}")
        if not (0 < self.sigma < torch.inf and self.kept >= 1):
            raise UserError(f"dense.sigma is above 0 and kept is 1 or more, got {self.sigma} and {self.kept}")


def focal(logits: Tensor, classes: Tensor, alpha: float = 0.25, gamma: float = 2.0) -> Tensor:
    """Focal loss over the anchors that count, over the number of positive ones (1 where there is none).

    The paper's equation 1 leaves out the minus and the weight of negatives, 1 - alpha (REFERENCE 11.17).

    Args:
        logits: (A, C), of one picture.
        classes: (A,) int64: a class, BACKGROUND, or below: does not count.

    >>> focal(torch.zeros(2, 1), torch.tensor([0, -2])) / torch.log(torch.tensor(2.0))  # 0.25 (1 - 0.5)^2
    tensor(0.0625)
    """
    counted = classes >= BACKGROUND
    logits, classes = logits[counted], classes[counted]
    wanted = F.one_hot(classes.clamp_min(0), logits.shape[-1]) * (classes >= 0).unsqueeze(-1)
    entropy = F.binary_cross_entropy_with_logits(logits, wanted.to(logits.dtype), reduction="none")
    chance = logits.sigmoid()
    off = torch.where(wanted == 1, 1 - chance, chance)
    weight = torch.where(wanted == 1, alpha, 1 - alpha)
    return (weight * off**gamma * entropy).sum() / (classes >= 0).sum().clamp_min(1)


def smooth_l1(found: Tensor, wanted: Tensor, beta: float = 1 / 9) -> Tensor:
    """Mean over all numbers: squared below beta, straight above; 0 where there are none.

    Args:
        found, wanted: (P, 4) shifts of the positive anchors.
        beta: 1/9 as in RetinaNet's own code; equation 2 has 1.

    >>> smooth_l1(torch.tensor([[0.0, 0.5, 2.0, 0.0]]), torch.zeros(1, 4), beta=1.0)  # (0.125 + 1.5) / 4
    tensor(0.4062)
    """
    if not found.numel():
        return found.sum()  # 0, with a gradient of 0
    return F.smooth_l1_loss(found, wanted, beta=beta)


def bump_error(
    drawn: Tensor, wanted: Tensor, positive: float = 0.1, negative: float = 0.1, hard: float = 3.0
) -> Tensor:
    """Equation 3 for one map: the mean squared error over the cells of bumps, and over the hardest others.

    Args:
        drawn, wanted: (h, w); where `wanted` is NaN nothing counts.
        positive, negative: a cell above `positive` is a bump's, one not above `negative` is a negative; what
            lies between counts nowhere.
        hard: how many negatives count, for each cell of a bump: those with the largest error. Of a map
            without bumps FEWEST count.

    >>> wanted, drawn = torch.tensor([[1.0, 0, 0, 0, 0]]), torch.tensor([[0.5, 0.1, 0.2, 0.3, 0.4]])
    >>> bump_error(drawn, wanted, hard=2)  # 0.25 + (0.16 + 0.09) / 2
    tensor(0.3750)
    """
    counted = torch.isfinite(wanted)
    target = wanted[counted]
    error = (drawn[counted] - target).square()
    bumps, others = error[target > positive], error[(target <= negative) & ~(target > positive)]
    count = min(int(hard * len(bumps)) if len(bumps) else FEWEST, len(others))
    mined = others.topk(count, sorted=False).values
    return bumps.sum() / max(len(bumps), 1) + mined.sum() / max(count, 1)
