"""Objects only in the left of the frame while training, everywhere while testing: who still finds them.

    python -m benchmarks.dsnt_spatial --data screwdrivers --minutes 9

The paper's reason against fully connected regression: it "lacks inherent spatial generalization", because the
weights of a coordinate at the right edge have never been asked for. A network of maps has the same weights
everywhere. The object fills two fifths of the frame, its middle between 20 and 35 per cent of the width while
training; it is tested there, and between 65 and 80 per cent.
"""

import itertools

import numpy as np

from heatmark.geometry import Frame, translation
from heatmark.training.loader import Entry, Samples, Shot

from . import dsnt_runs as runs
from .dsnt_strategies import CONNECTED, TRAININGS, VARIED, Budget, reading, settings
from .dsnt_views import pictures, views
from .runs import ended

STRIDE = 16
READ = {"argmax": "argmax + quarter"}
LEFT, RIGHT, TALL = (0.2, 0.35), (0.65, 0.8), (0.35, 0.65)  # where the object's middle lies, of the frame
FILLS = 2.5  # sides of the frame over the object's
STILL = VARIED | {"rotate": None, "scale": None, "translate": None, "flip": 0.0}  # nothing moves it
LEARNT = 0.05  # of PCK@0.2 in the same place: below it there is nothing to keep
HERE, THERE = "same place ", "other place "


class Placed(Samples):
    """Each object with its middle somewhere between two shares of the frame's width."""

    def __init__(self, like: Samples, part: tuple[float, float], recipe):
        super().__init__(like.entries, like.skeleton, recipe)
        self.part = part

    def shot(self, entry: Entry, rng: np.random.Generator, windows: object) -> Shot:
        h, w = self.recipe.size
        x, y = rng.uniform(*self.part), rng.uniform(*TALL)
        frame = Frame.around(entry.box, (h, w), FILLS)
        return Shot(frame.then(translation((x - 0.5) * w, (y - 0.5) * h)), entry.box)


def measure(budget: Budget, rows: runs.Rows) -> None:
    learn, test, skeleton = pictures(budget)
    recipe = settings("argmax", 32, 0, budget, augmentation=STILL)
    learn, here, there = (Placed(s, p, recipe) for s, p in ((learn, LEFT), (test, LEFT), (test, RIGHT)))
    for seed, strategy in itertools.product(range(budget.seeds), TRAININGS):
        name = f"{strategy}, seed {seed}"
        if not rows.missing(name):
            continue
        net, recipe = runs.fitted(strategy, STRIDE, seed, budget, learn, skeleton, "learn left")
        read, found = reading(READ.get(strategy, strategy), recipe), {}
        for place, samples in ((HERE, here), (THERE, there)):
            seen = views(samples, runs.SHOWN, net, budget, f"test {place.strip()}")
            found |= runs.numbers(runs.errors(net, read, seen, skeleton), place)
        rows.add({name: found})


def kept(rows: runs.Rows, strategy: str) -> np.ndarray:
    """Per cent of its PCK@0.2 that is left in the other place, for each seed."""
    here, there = (rows.over_seeds(strategy, f"{place}PCK@0.2") for place in (HERE, THERE))
    return 100 * there / np.maximum(here, 1e-9)


def table(rows: runs.Rows) -> str:
    heads = "strategy | PCK@0.1, same place | other place | PCK@0.2, same place | other place | kept, %"
    lines = [f"| {heads} | mean error, same place | other place |", "|---" + "|---:" * 7 + "|"]
    for strategy in TRAININGS:
        pcks = [rows.cell(strategy, f"{place}PCK@{a}", 100) for a in (0.1, 0.2) for place in (HERE, THERE)]
        far = [rows.cell(strategy, f"{place}mean error") for place in (HERE, THERE)]
        here = rows.over_seeds(strategy, f"{HERE}PCK@0.2")
        left = runs.said(kept(rows, strategy)) if not len(here) or here.mean() > LEARNT else "-"
        cells = " | ".join([*pcks, left, *far])
        lines.append(f"| {READ.get(strategy, strategy)} | {cells} |")
    return "\n".join(lines)


def claims(rows: runs.Rows) -> str:
    """The paper's claim, and ours beside it, of the shares that are kept."""
    said = {
        "DSNT generalises spatially, fully connected regression does not": ("DSNT, js", CONNECTED),
        "a regulariser keeps more (not the paper's)": ("DSNT, js", "DSNT, none"),
        "heatmaps keep more than DSNT (not the paper's)": ("argmax", "DSNT, js"),
    }
    lines = ["| claim | kept, % of PCK@0.2 | holds here |", "|---|---|---|"]
    for words, pair in said.items():
        ours, rival = (kept(rows, strategy) for strategy in pair)
        both = min(len(ours), len(rival))
        verdict = runs.verdict([ours[:both] - rival[:both]] if both else [])
        shares = (f"{READ.get(s, s)} {runs.said(kept(rows, s))}" for s in pair)
        lines.append(f"| {words} | {'; '.join(shares)} | {verdict} |")
    return "\n".join(lines)


def page(budget: Budget, rows: runs.Rows) -> str:
    cells = budget.size // STRIDE
    return f"""# Objects in one part of the frame while training, elsewhere while testing

{cells} x {cells} cells; {budget.words}. Per cent, mean over {rows.seeds} ± their standard deviation;
errors in per cent of the longer side of the object's box, which fills two fifths of the frame. Kept: PCK@0.2
in the other place over that in the same place; nothing is said of one that learnt nothing there. A claim
holds if the difference over the seeds is more than
twice its standard error.

{table(rows)}

{claims(rows)}

`python -m benchmarks.dsnt_spatial --data ... --looks {budget.looks}`
"""


if __name__ == "__main__":
    ended(lambda: runs.command(__doc__, "docs/dsnt/spatial.md", measure, page))
