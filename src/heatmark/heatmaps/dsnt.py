"""Differentiable spatial-to-numerical transform, DSNT (Nibali et al. 2018, arXiv:1801.07372).

A map is made to sum to 1 (`rectified`), and its mean (`expectation`) is the answer, so that a network learns
from the distance to the true point itself. Nothing in that says what the map should look like; a regulariser
(`kl`, `js`, `variance_error`) asks for one narrow bump at the point.

Everything is batched over leading axes and works on maps of 1, 2 or 3 axes (`dims`); points are x, y, z: the
last axis of a map comes first. Half precisions are computed and answered in float32, since with 8 bits of
fraction cell 50 of 56 would be known to a quarter only.

The formulas are those of the authors' code (anibali/dsnt-pose2d) in the house's pixels.
"""

from collections.abc import Callable, Sequence
from itertools import permutations

import torch
from torch import Tensor

from .render import centres

RECTIFICATIONS = ("softmax", "thresholded_softmax", "abs", "relu", "sigmoid")
CONFIDENCES = ("mass", "peak", "spread")
_EPSILON = 1e-24  # added in logarithms, as in the authors' code: a cell of 0 costs 55 nats, not infinity
_EMPTY = 1e-12  # a map that sums to less says nothing about the point


def _wide(x: Tensor) -> Tensor:
    return x if x.dtype == torch.float64 else x.float()


def _spatial(dims: int) -> tuple[int, ...]:
    """The axes of a map: (-2, -1) for 2."""
    if dims not in (1, 2, 3):
        raise ValueError(f"a map has 1, 2 or 3 axes, got dims={dims}")
    return tuple(range(-dims, 0))


def _marginals(maps: Tensor, dims: int) -> list[Tensor]:
    """The map summed to each axis, x first: (..., H, W) -> [(..., W), (..., H)]."""
    axes = _spatial(dims)
    others = [[a for a in axes if a != axis] for axis in reversed(axes)]
    return [maps.sum(rest) if rest else maps for rest in others]


def rectified(maps: Tensor, how: str = "softmax", dims: int = 2, threshold: float = -0.5) -> Tensor:
    """What a network drew, made non-negative and to sum to 1, in one of the paper's ways.

    Args:
        maps: (..., H, W), any values.
        how: "softmax" over all cells; "thresholded_softmax", which leaves out the cells below `threshold`; or
            the cells' "abs", "relu" or "sigmoid", divided by their sum.
        dims: how many of the last axes are the map's.

    Returns:
        (..., H, W). Where nothing is left to divide (a ReLU of negative cells), every cell alike: the middle.

    >>> rectified(torch.tensor([[0.0, -1.0, 3.0]]), "relu")
    tensor([[0., 0., 1.]])
    >>> rectified(torch.tensor([[0.0, -1.0, -3.0, 0.0]]), "relu")
    tensor([[0.2500, 0.2500, 0.2500, 0.2500]])
    """
    size = maps.shape[len(maps.shape) - len(_spatial(dims)) :]
    flat = _wide(maps).flatten(-dims)
    if how == "softmax":
        return flat.softmax(-1).unflatten(-1, size)
    if how == "thresholded_softmax":
        top = flat.detach().amax(-1, keepdim=True)
        positive = (flat - top).exp() * (flat >= threshold)
    elif how == "abs":
        positive = flat.abs()
    elif how == "relu":
        positive = flat.relu()
    elif how == "sigmoid":
        positive = flat.sigmoid()
    else:
        raise ValueError(f"no rectification is called {how!r}; there are: {', '.join(RECTIFICATIONS)}")
    total = positive.sum(-1, keepdim=True)
    there = total > _EMPTY
    shares = positive / torch.where(there, total, 1.0)
    return torch.where(there, shares, 1.0 / flat.shape[-1]).unflatten(-1, size)


def expectation(maps: Tensor, stride: float = 1, dims: int = 2) -> Tensor:
    """Mean position under each map: the transform itself.

    Args:
        maps: (..., H, W) that sum to 1.
        stride: picture pixels per cell.

    Returns:
        (..., dims), x y in picture pixels.

    >>> expectation(torch.tensor([[0.0, 0.0, 0.0], [0.0, 0.5, 0.5], [0.0, 0.0, 0.0]]))
    tensor([2.0000, 1.5000])

    And its gradient, through a softmax of five by five equal cells: (x - 2.5) / 25 for the cell at x, so that
    cells right of the mean pull it to the right.

    >>> cells = torch.zeros(5, 5, requires_grad=True)
    >>> expectation(rectified(cells))[0].backward()
    >>> cells.grad[3].round(decimals=4)
    tensor([-0.0800, -0.0400,  0.0000,  0.0400,  0.0800])
    """
    sums = _marginals(_wide(maps), dims)
    # Not a matrix product: autocast would do that in half precision.
    return torch.stack([(m * centres(m.shape[-1], m)).sum(-1) for m in sums], -1) * stride


def variance(maps: Tensor, stride: float = 1, dims: int = 2) -> Tensor:
    """Variance of the position: maps (..., H, W) that sum to 1 -> (..., dims), x y, pixels squared.

    >>> variance(torch.tensor([[0.5, 0.0, 0.5]]))
    tensor([1., 0.])
    """
    sums = _marginals(_wide(maps), dims)
    found = []
    for m in sums:
        cells = centres(m.shape[-1], m)
        away = cells - (m * cells).sum(-1, keepdim=True)
        found.append((m * away.square()).sum(-1))
    return torch.stack(found, -1) * stride**2


def to_unit(points: Tensor, size: Sequence[float]) -> Tensor:
    """Pixels to the paper's grid, in which the picture's edges are -1 and 1, and so the last cell's centre is
    (n - 1) / n.

    Args:
        points: (..., D), x y in picture pixels.
        size: (H, W) of the picture, in pixels.

    >>> to_unit(torch.tensor([0.5, 3.0]), size=(3, 4))
    tensor([-0.7500,  1.0000])
    """
    return 2 * points / points.new_tensor(tuple(size)[::-1]) - 1


def from_unit(points: Tensor, size: Sequence[float]) -> Tensor:
    """The inverse of to_unit.

    >>> from_unit(torch.tensor([-0.75, 1.0]), size=(3, 4))
    tensor([0.5000, 3.0000])
    """
    return (points + 1) / 2 * points.new_tensor(tuple(size)[::-1])


def distance(points: Tensor, true: Tensor) -> Tensor:
    """Euclidean distance, (..., D) each -> (...); 0, without a gradient, where `true` is NaN.

    >>> distance(torch.tensor([[3.0, 4.0], [1.0, 1.0]]), torch.tensor([[0.0, 0.0], [torch.nan, torch.nan]]))
    tensor([5., 0.])
    """
    there = true.isfinite().all(-1, keepdim=True)
    return torch.linalg.vector_norm(torch.where(there, points - true, 0.0), dim=-1)


def matched(points: Tensor, true: Tensor, groups: Sequence[Sequence[int]]) -> Tensor:
    """The true points, inside each group in the order in which the sum of distances to `points` is least.

    So interchangeable landmarks can be learnt on maps of their own, whichever comes to show which.

    Args:
        points, true: (..., K, D); NaN in `true` is no distance from anything.
        groups: of indices into K, of up to 6 each: all orders are tried.

    >>> found, ends = torch.tensor([[9.0, 0.0], [1.0, 0.0]]), torch.tensor([[0.0, 0.0], [8.0, 0.0]])
    >>> matched(found, ends, groups=[(0, 1)])
    tensor([[8., 0.],
            [0., 0.]])
    """
    for group in groups:
        if len(group) > 6:
            raise ValueError(f"interchangeable groups of up to 6 can be matched, got {len(group)}")
        which = torch.tensor(list(group), device=true.device)
        orders = torch.tensor(list(permutations(range(len(group)))), device=true.device)  # (P, G)
        here, there = points.detach()[..., which, :], true[..., which, :]
        costs = distance(here.unsqueeze(-3), there[..., orders, :]).sum(-1)  # (..., P)
        nearest = orders[costs.argmin(-1)].unsqueeze(-1).expand(there.shape)  # (..., G, D)
        true = true.index_copy(-2, which, there.gather(-2, nearest))
    return true


def bumps(points: Tensor, size: Sequence[int], sigma: float, stride: float = 1) -> Tensor:
    """Gaussians that sum to 1, what the divergences compare with; also for points far outside the map.

    Args:
        points: (..., D), x y in picture pixels; NaN draws a bump somewhere, to be left out by the caller.
        size: (H, W) of a map, in cells.
        sigma: width of a bump, in cells.

    Returns:
        (..., H, W).
    """
    if not sigma > 0:
        raise ValueError(f"sigma must be positive, got {sigma}")
    dims = len(size)
    product = None
    for axis, place in enumerate(_wide(points).nan_to_num(0.0).unbind(-1)):  # x, y, z
        away = (centres(tuple(size)[-1 - axis], place) - place.unsqueeze(-1) / stride).abs()  # (..., n)
        least = away.amin(-1, keepdim=True)
        # Squares less the least of them, so that the nearest cell's logarithm is 0 however narrow the bump.
        further = (away - least) * (away + least)
        share = (-0.5 * (further / sigma / sigma)).softmax(-1)  # e to the logarithms, over their sum
        share = share.reshape(*share.shape[:-1], *(1,) * (dims - 1 - axis), share.shape[-1], *(1,) * axis)
        product = share if product is None else product * share
    assert product is not None
    return product


def _divergence(p: Tensor, q: Tensor, dims: int) -> Tensor:
    return (p * ((p + _EPSILON).log() - (q + _EPSILON).log())).sum(_spatial(dims))


def _where_labelled(values: Tensor, points: Tensor) -> Tensor:
    return torch.where(points.isfinite().all(-1), values, 0.0)


def none(maps: Tensor, points: Tensor, sigma: float, stride: float = 1, dims: int = 2) -> Tensor:
    """No regulariser: zeros (...)."""
    return _wide(maps).new_zeros(maps.shape[: maps.ndim - dims])


def kl(maps: Tensor, points: Tensor, sigma: float, stride: float = 1, dims: int = 2) -> Tensor:
    """Kullback-Leibler divergence of the map from a Gaussian at the point.

    Args:
        maps: (..., H, W) that sum to 1.
        points: (..., D), x y in picture pixels; NaN costs nothing.
        sigma: width of the Gaussian, in cells.
        stride: picture pixels per cell.

    Returns:
        (...), in nats.
    """
    target = bumps(points, maps.shape[-dims:], sigma, stride)
    return _where_labelled(_divergence(_wide(maps), target, dims), points)


def js(maps: Tensor, points: Tensor, sigma: float, stride: float = 1, dims: int = 2) -> Tensor:
    """Jensen-Shannon divergence from that Gaussian, in [0, ln 2]: the paper's best. Else as `kl`."""
    p, q = _wide(maps), bumps(points, maps.shape[-dims:], sigma, stride)
    middle = (0.5 * (p + q) + _EPSILON).log()
    apart = p * ((p + _EPSILON).log() - middle) + q * ((q + _EPSILON).log() - middle)
    return _where_labelled(0.5 * apart.sum(_spatial(dims)), points)


def variance_error(maps: Tensor, points: Tensor, sigma: float, stride: float = 1, dims: int = 2) -> Tensor:
    """Squared difference of the map's variance from sigma squared, summed over the axes. Else as `kl`.

    In the paper's grid, where sigma is 2 sigma / n (dsntnn 0.5.3 has pixels, so (n / 2)^4 times as much).
    An axis of one cell has no variance to ask for, and does not count.
    """
    sizes = _wide(maps).new_tensor(tuple(maps.shape[-dims:])[::-1])
    off = (variance(maps, dims=dims) - sigma**2) * (2 / sizes).square()
    return _where_labelled(torch.where(sizes > 1, off.square(), 0.0).sum(-1), points)


REGULARISERS: dict[str, Callable[..., Tensor]] = {
    "none": none,
    "kl": kl,
    "js": js,
    "variance": variance_error,
}


def masked_mean(values: Tensor, counted: Tensor | None = None) -> Tensor:
    """Mean of those that count, 0 if none does: values (...), counted (...) bool -> a scalar.

    >>> masked_mean(torch.tensor([1.0, 5.0, torch.nan]), torch.tensor([True, True, False]))
    tensor(3.)
    """
    if counted is None:
        return values.mean()
    return torch.where(counted, values, 0.0).sum() / counted.sum().clamp(min=1)


def confidence(maps: Tensor, how: str = "mass", dims: int = 2, sigma: float = 1.0) -> Tensor:
    """How sure a map is of its expectation, which, unlike a heatmap's peak, has no value of its own.

    "mass": how much of the map lies near its expectation; a cell d cells away counts exp(-d^2 / 8 sigma^2). A
    bump of `sigma` gives 0.8, two places far apart nearly 0: their mean lies between them, at neither.
    "peak": the highest cell. "spread": sigma over the map's own width, at most 1.

    Args:
        maps: (..., H, W) that sum to 1.
        sigma: width of the bumps it was trained for, in cells.

    Returns:
        (...), in [0, 1]. An order, no probability; `calibrated` makes it one.

    >>> two_places = torch.tensor([[0.5, 0, 0, 0, 0, 0, 0, 0, 0.5]])
    >>> [round(float(confidence(two_places, how)), 2) for how in CONFIDENCES]
    [0.14, 0.5, 0.35]
    """
    maps = _wide(maps)
    if how == "peak":
        return maps.amax(_spatial(dims))
    if how == "spread":
        return (sigma / variance(maps, dims=dims).mean(-1).clamp_min(sigma**2).sqrt()).clamp(max=1.0)
    if how != "mass":
        raise ValueError(f"no confidence is called {how!r}; there are: {', '.join(CONFIDENCES)}")
    near = maps
    for axis, place in enumerate(expectation(maps, dims=dims).unbind(-1)):  # x, y, z
        cells = centres(maps.shape[-1 - axis], maps)
        weight = (-(cells - place.unsqueeze(-1)).square() / (8 * sigma**2)).exp()  # (..., n)
        near = near * weight.reshape(
            *weight.shape[:-1], *(1,) * (dims - 1 - axis), weight.shape[-1], *(1,) * axis
        )
    return near.sum(_spatial(dims))


def calibrated(scores: Tensor, line: tuple[float, float]) -> Tensor:
    """Confidences as the chance of being right: (slope, offset) of their logit, from `metrics.logistic`.

    >>> calibrated(torch.tensor([0.5, 0.9]), (2.0, 0.0))
    tensor([0.5000, 0.9878])
    """
    return (line[0] * scores.clamp(1e-6, 1 - 1e-6).logit() + line[1]).sigmoid()


def certain(points: Tensor) -> tuple[Tensor, Tensor]:
    """Points (B, K, 2) and their scores (B, K), all 1: `decode`'s sibling for networks without maps."""
    return points, torch.ones_like(points[..., 0])


def decode_expectation(
    maps: Tensor,
    channels: Sequence[Sequence[int]],
    stride: float = 1,
    rectification: str = "softmax",
    threshold: float = 0.0,
    how: str = "mass",
    calibration: tuple[float, float] | None = None,
) -> tuple[Tensor, Tensor]:
    """Every landmark's point and score from what a network drew; `decode`'s sibling for networks with a DSNT.

    Args:
        maps: (B, C, H, W), any values.
        channels: which landmark each map shows (Skeleton.channels). A map has one mean, so it shows one.
        stride: picture pixels per cell.
        rectification: one of RECTIFICATIONS.
        threshold: landmarks whose score is not above it are NaN, with their score kept.
        how: one of CONFIDENCES.
        calibration: makes chances of them, see `calibrated`.

    Returns:
        points (B, K, 2), x y in picture pixels, and scores (B, K), in the skeleton's order.
    """
    if any(len(group) != 1 for group in channels):
        raise ValueError("a map has one expectation, so interchangeable landmarks need a map each")
    order = [group[0] for group in channels]
    if order != sorted(order):
        maps = maps[:, [order.index(k) for k in sorted(order)]]
    drawn = rectified(maps, rectification)
    points, scores = expectation(drawn, stride), confidence(drawn, how)
    if calibration is not None:
        scores = calibrated(scores, calibration)
    if threshold > 0:
        points = torch.where((scores > threshold).unsqueeze(-1), points, torch.nan)
    return points, scores
