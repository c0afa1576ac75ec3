"""Speed of the DSNT layer and its loss, forward and backward, beside plain PyTorch and kornia's functions.

    pip install kornia
    python -m benchmarks.dsnt_speed [--threads 1] [--rounds 100] [--out docs/dsnt/speed.md]

The layer: softmax and expectation of 32 x 16 maps of 64 x 64 cells. The loss: on top of it the mean of the
distance and of the Jensen-Shannon divergence from a Gaussian of one cell. "Plain" is what one writes down
first: a softmax over the flattened map, times a grid of the cells' centres. All take turns within one run,
after a check that they agree; the table has medians and their ratio to ours, which is to be at least 1.
Without kornia its rows say "not measured".
"""

import argparse
import statistics
import time
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor

from heatmark import heatmaps

from .rows import commit, machine

SHAPE, SIGMA = (32, 16, 64, 64), 1.0


def ours_layer(maps: Tensor) -> Tensor:
    return heatmaps.expectation(heatmaps.rectified(maps))


def ours_loss(maps: Tensor, points: Tensor) -> Tensor:
    drawn = heatmaps.rectified(maps)
    off = heatmaps.distance(heatmaps.expectation(drawn), points)
    return heatmaps.masked_mean(off + heatmaps.js(drawn, points, SIGMA), points.isfinite().all(-1))


def _plain_grid(h: int, w: int) -> Tensor:
    y, x = torch.meshgrid(torch.arange(h) + 0.5, torch.arange(w) + 0.5, indexing="ij")
    return torch.stack([x, y], -1)  # (H, W, 2)


def _plain_softmax(maps: Tensor) -> Tensor:
    return maps.flatten(-2).softmax(-1).view_as(maps)


def _plain_mean(drawn: Tensor) -> Tensor:
    return drawn.flatten(-2) @ _plain_grid(*drawn.shape[-2:]).flatten(0, 1)


def plain_layer(maps: Tensor) -> Tensor:
    return _plain_mean(_plain_softmax(maps))


def plain_loss(maps: Tensor, points: Tensor) -> Tensor:
    drawn = _plain_softmax(maps)
    away = _plain_grid(*maps.shape[-2:]) - points[..., None, None, :]
    bump = (-away.square().sum(-1) / (2 * SIGMA**2)).exp()
    q = bump / bump.sum((-2, -1), keepdim=True)
    m, tiny = 0.5 * (drawn + q), 1e-24

    def kl(a: Tensor) -> Tensor:
        return (a * ((a + tiny).log() - (m + tiny).log())).sum((-2, -1))

    off = (_plain_mean(drawn) - points).norm(dim=-1)
    return (off + 0.5 * kl(drawn) + 0.5 * kl(q)).mean()


def kornia_layer(maps: Tensor) -> Tensor:
    from kornia.geometry.subpix import spatial_expectation2d, spatial_softmax2d

    return spatial_expectation2d(spatial_softmax2d(maps), normalized_coordinates=False) + 0.5


def kornia_loss(maps: Tensor, points: Tensor) -> Tensor:
    from kornia.geometry.subpix import render_gaussian2d, spatial_expectation2d, spatial_softmax2d
    from kornia.losses import js_div_loss_2d

    drawn = spatial_softmax2d(maps)
    found = spatial_expectation2d(drawn, normalized_coordinates=False)
    q = render_gaussian2d(
        points - 0.5, torch.tensor([SIGMA, SIGMA]), SHAPE[-2:], normalized_coordinates=False
    )
    return (found + 0.5 - points).norm(dim=-1).mean() + js_div_loss_2d(drawn, q)


LAYERS = {"ours": ours_layer, "plain PyTorch": plain_layer, "kornia": kornia_layer}
LOSSES = {"ours": ours_loss, "plain PyTorch": plain_loss, "kornia": kornia_loss}


def medians(ways: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Milliseconds of CPU time of each, taking turns; what else the machine does is not in it."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds + 5):
        for name, run in ways.items():
            start = time.process_time()
            run()
            taken[name].append(1e3 * (time.process_time() - start))
    return {name: statistics.median(each[5:]) for name, each in taken.items()}


def measured(rounds: int) -> dict[str, dict[str, float]]:
    """{"layer, forward": {"ours": ms, ...}, ...}"""
    draw = torch.Generator().manual_seed(0)
    maps = (3 * torch.randn(SHAPE, generator=draw)).requires_grad_()
    points = torch.rand(*SHAPE[:2], 2, generator=draw) * torch.tensor([SHAPE[3], SHAPE[2]])
    upstream = torch.randn(*SHAPE[:2], 2, generator=draw)
    installed = [name for name in LAYERS if name != "kornia" or find_spec("kornia")]

    def backward(value: Tensor, gradient: Tensor | None = None) -> Tensor:
        maps.grad = None
        value.backward(gradient)
        assert maps.grad is not None
        return maps.grad

    kinds: dict[str, dict[str, Callable[[], Tensor]]] = {
        "layer, forward": {n: lambda n=n: LAYERS[n](maps.detach()) for n in installed},
        "layer, forward and backward": {
            n: lambda n=n: backward(LAYERS[n](maps), upstream) for n in installed
        },
        "loss (distance + JS), forward and backward": {
            n: lambda n=n: backward(LOSSES[n](maps, points)) for n in installed
        },
    }
    for ways in kinds.values():
        for name in installed[1:]:
            torch.testing.assert_close(ways[name](), ways["ours"](), atol=1e-4, rtol=1e-3)
    return {kind: medians(ways, rounds) for kind, ways in kinds.items()}


def table(found: dict[str, dict[str, float]]) -> str:
    lines = ["| 32 x 16 maps of 64 x 64 | who | median, CPU ms | times ours |", "|---|---|---:|---:|"]
    for kind, each in found.items():
        for name in LAYERS:
            numbers = (
                f"{each[name]:.2f} | {each[name] / each['ours']:.2f}" if name in each else "not measured | "
            )
            lines.append(f"| {kind} | {name} | {numbers} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    kornia = "not installed"
    if find_spec("kornia"):
        from importlib.metadata import version

        kornia = version("kornia")
    text = f"""# Speed of DSNT

{table(measured(given.rounds))}

`python -m benchmarks.dsnt_speed --rounds {given.rounds} --threads {given.threads}`, in turns within one run;
commit {commit()}, {machine()}, torch {torch.__version__}, kornia {kornia}.
"""
    print(text)
    if given.out:
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
