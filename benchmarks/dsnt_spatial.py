"""Objects only in the left of the frame while training, everywhere while testing: who still finds them.

    python -m benchmarks.dsnt_spatial --data screwdrivers --minutes 9

The paper's reason against fully connected regression: it "lacks inherent spatial generalization", because the
weights of a coordinate at the right edge have never been asked for. A network of maps has the same weights
everywhere. The object fills two fifths of the frame, its middle between 20 and 35 per cent of the width while
training; it is tested there, and between 65 and 80 per cent.
"""

import numpy as np

from heatmark.geometry import Frame, translation
from heatmark.training.loader import Entry, Samples

from . import dsnt_runs as runs

STRIDES = (16,)
TRAININGS = ("argmax", "fully connected", "DSNT, js", "DSNT, none", "DSNT, variance", "DSNT, kl")
READ = {"argmax": "argmax + DARK"}
LEFT, RIGHT, TALL = (0.2, 0.35), (0.65, 0.8), (0.35, 0.65)  # where the object's middle lies, of the frame
FILLS = 2.5  # sides of the frame over the object's
STILL = runs.VARIED | {"rotate": None, "scale": None, "translate": None, "flip": 0.0}  # nothing moves it


class Placed(Samples):
    """Each object with its middle somewhere between two shares of the frame's width."""

    def __init__(self, like: Samples, part: tuple[float, float], recipe):
        super().__init__(like.entries, like.skeleton, recipe)
        self.part = part

    def window(self, entry: Entry, rng: np.random.Generator, windows: object) -> tuple[Frame, bool]:
        h, w = self.recipe.size
        x, y = rng.uniform(*self.part), rng.uniform(*TALL)
        return Frame.around(entry.box, (h, w), FILLS).then(translation((x - 0.5) * w, (y - 0.5) * h)), True


def row(strategy: str, stride: int, seed: int) -> str:
    return f"{strategy}, stride {stride}, seed {seed}"


def measure(budget: runs.Budget, rows: runs.Rows) -> None:
    learn, test, skeleton = runs.pictures(budget)
    recipe = runs.settings("argmax", 32, 0, budget, augmentation=STILL)
    learn, here, there = (Placed(s, p, recipe) for s, p in ((learn, LEFT), (test, LEFT), (test, RIGHT)))
    for seed in range(budget.seeds):
        for stride in STRIDES:
            for strategy in TRAININGS:
                if not rows.missing(row(strategy, stride, seed)):
                    continue
                recipe = runs.settings(strategy, stride, seed, budget)
                net = runs.network(recipe, skeleton)
                shown = runs.views(learn, budget.looks, net, budget, "learn left")
                net = runs.trained(recipe, net, shown, skeleton, budget.steps)
                found, read = {}, runs.reading(READ.get(strategy, strategy), recipe)
                for name, samples in (("same place", here), ("other place", there)):
                    seen = runs.views(samples, 1, net, budget, f"test {name}")
                    numbers = runs.numbers(runs.errors(net, read, seen, skeleton))
                    found |= {f"{name} {k}": v for k, v in numbers.items()}
                rows.add({row(strategy, stride, seed): found})


def kept(rows: runs.Rows, name: str) -> str:
    """The share of its accuracy that is left in the other place."""
    here, there = (rows.over_seeds(name, f"{place} place PCK@0.2") for place in ("same", "other"))
    return f"{100 * there.mean() / here.mean():.0f} %" if len(here) and here.mean() > 0 else "not measured"


def table(rows: runs.Rows, budget: runs.Budget) -> str:
    heads = "strategy | cells | PCK@0.1, same place | other place | PCK@0.2, same place | other place | kept"
    lines = [
        f"| {heads} | mean error, same place | other place |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for stride in STRIDES:
        for strategy in TRAININGS:
            name = f"{strategy}, stride {stride}"
            pcks = [rows.cell(name, f"{p} place PCK@{a}", 100) for a in (0.1, 0.2) for p in ("same", "other")]
            far = [rows.cell(name, f"{p} place mean error") for p in ("same", "other")]
            values = [*pcks, kept(rows, name), *far]
            said = READ.get(strategy, strategy)
            lines.append(f"| {said} | {budget.size // stride} | {' | '.join(values)} |")
    return "\n".join(lines)


def claim(rows: runs.Rows) -> str:
    stride = STRIDES[0]
    shares = {s: kept(rows, f"{s}, stride {stride}") for s in ("fully connected", "DSNT, js")}
    known = "not measured" not in shares.values()
    numbers = {s: float(share.split()[0]) for s, share in shares.items()} if known else {}
    verdict = ("yes" if numbers["DSNT, js"] > numbers["fully connected"] else "no") if known else "-"
    said = ", ".join(f"{s} keeps {share} of its PCK@0.2" for s, share in shares.items())
    return (
        "| the paper's claim | measured here | holds here |\n|---|---|---|\n"
        f"| DSNT generalises spatially, fully connected regression does not | {said} | {verdict} |"
    )


def main() -> None:
    budget = runs.budget_of(runs.parser(__doc__, "docs/dsnt/spatial.md").parse_args())
    rows = runs.Rows(budget)
    if budget.data:
        measure(budget, rows)
    text = f"""# Objects in one part of the frame while training, elsewhere while testing

{budget.words}. Per cent, mean over {rows.seeds} ± their standard deviation; errors in per cent of the longer
side of the object's box, which fills two fifths of the frame. Kept: PCK@0.2 in the other place over that in
the same place.

{table(rows, budget)}

{claim(rows)}

`python -m benchmarks.dsnt_spatial --data ...`
"""
    budget.out.parent.mkdir(parents=True, exist_ok=True)
    budget.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
