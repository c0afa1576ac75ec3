"""A picture of what each regulariser asks of a map.

    python -m benchmarks.dsnt_maps [--out docs/dsnt/maps.png]

No network: the values of one map, undecided between two places at first, step down DSNT's loss towards one
point, with each regulariser and with none. All end with their mean at the point, but not all with a map that
means it. Seconds on any machine; the numbers below the maps are of these very maps.
"""

import argparse
from pathlib import Path

import torch
from torch import Tensor

from heatmark import heatmaps
from heatmark.training.losses import coordinate_sum

SIZE, POINT, OTHER = (24, 24), (8.3, 14.6), (17.2, 7.4)  # cells; the point, and where else it might have been
STEPS, RATE, SIGMA = 400, 0.05, 1.0


def undecided() -> Tensor:
    """(24, 24) values: a wide bump at the point, a higher one elsewhere, and noise."""
    places = torch.tensor([POINT, OTHER])
    here, there = heatmaps.gaussians(places, SIZE, sigma=2.5)
    noise = torch.randn(SIZE, generator=torch.Generator().manual_seed(0))
    return 4 * here + 5 * there + 0.3 * noise


def settled(regulariser: str) -> Tensor:
    """The map (24, 24), summing to 1, after STEPS steps."""
    values = undecided()[None, None].requires_grad_()
    optimiser = torch.optim.Adam([values], RATE)
    for _ in range(STEPS):
        loss = coordinate_sum(
            [values], torch.tensor([[POINT]]), [1], regulariser=regulariser, reg_sigma=SIGMA
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return heatmaps.rectified(values.detach())[0, 0]


def said(drawn: Tensor) -> str:
    off = float(heatmaps.distance(heatmaps.expectation(drawn), torch.tensor(POINT)))
    wide = float(heatmaps.variance(drawn).mean().sqrt())
    score = float(heatmaps.confidence(drawn))
    return f"off by {off:.1f} cells\nwidth {wide:.1f} cells\nscore (mass) {score:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("docs/dsnt/maps.png"))
    given = parser.parse_args()
    from matplotlib.figure import Figure

    maps = {"at first": heatmaps.rectified(undecided())} | {n: settled(n) for n in heatmaps.REGULARISERS}
    figure = Figure(figsize=(2.3 * len(maps), 3.1), layout="constrained")
    for axes, (name, drawn) in zip(figure.subplots(1, len(maps)), maps.items()):
        axes.imshow(drawn.sqrt(), extent=(0, SIZE[1], SIZE[0], 0), cmap="magma")
        axes.plot(*POINT, "o", ms=12, mfc="none", mec="white", label="true")
        axes.plot(*heatmaps.expectation(drawn).tolist(), "x", ms=8, color="cyan", label="mean")
        axes.set(xticks=[], yticks=[], title=name, xlabel=said(drawn))
    given.out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(given.out, dpi=90)
    print(given.out, {name: said(drawn).replace("\n", ", ") for name, drawn in maps.items()})


if __name__ == "__main__":
    main()
