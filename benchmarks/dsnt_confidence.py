"""What DSNT's score is worth: detectors with and without it, exported, and their scores on photographs.

    python -m benchmarks.dsnt_confidence --data screwdrivers --photographs DATASET [--models FOLDER]

A mean has no height, so its score is made of the map's shape (heatmaps.confidence: mass, peak or spread), and
a line through its logit, fitted to one half of the held-out renderings, makes it the chance that the point
lies within a tenth of the box. Here the fit is tested on the other half and on real photographs: are the
chances true, and does a threshold raise the precision?

Two detectors of the recipe that the shipped ones were trained by learn from the same views, for as many
steps: one with its heatmaps, one with `head: dsnt`. Both are exported through the gate, and the photographs
are scored by the exported files, which have the fit inside.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from heatmark import heatmaps
from heatmark.card import Card
from heatmark.commands.evaluate import Evaluation, evaluate
from heatmark.commands.export import export
from heatmark.errors import UserError
from heatmark.metrics import calibration_error, chances, logistic, precision_above
from heatmark.models import origin, unfetched
from heatmark.models.blocks import seen_by
from heatmark.training import recipe as recipes
from heatmark.training import state
from heatmark.training.recipe import Recipe
from heatmark.types import Skeleton

from . import dsnt_runs as runs
from .dsnt_strategies import Budget, budget_of, network, parser
from .dsnt_views import Views, photographs, pictures, views
from .kept import Kept
from .runs import ended

RECIPE, ALPHA = "ihm56_lite0", 0.1
DSNT, HEATMAPS = "DSNT with JS", "heatmaps"
HEADS: dict[str, dict[str, Any]] = {
    DSNT: {"head": "dsnt", "interchangeable": "matched", "level_weights": [0, 0, 1]},
    HEATMAPS: {},
}
THRESHOLDS = (0.0, 0.3, 0.5, 0.7, 0.8, 0.9)
CONFIDENCES = ("mass", "peak", "spread")


def ranked(scores: np.ndarray, right: np.ndarray) -> float:
    """How often a right point has a higher score than a wrong one (area under the ROC curve).

    >>> ranked(np.array([0.1, 0.9, 0.5]), np.array([False, True, True]))
    1.0
    """
    above = scores[right][:, None] - scores[~right][None]
    return float(((above > 0) + 0.5 * (above == 0)).mean()) if above.size else float("nan")


def judged(off: np.ndarray, said: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scores and whether each was right, of the points that are labelled."""
    there = ~np.isnan(off)
    return said[there].astype(float), off[there] < ALPHA


def confidences(net: Any, views: Views, skeleton: Skeleton) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """How far each point was off (N, K) and its score (N, K), for each kind of confidence."""
    found = {}
    for how in CONFIDENCES:

        def read(maps, strides, skeleton, how=how):
            return heatmaps.decode_expectation(maps[-1], skeleton.alone, strides[-1], how=how)

        found[how] = runs.answers(net, read, views, skeleton)
    return found


def settings(which: str, budget: Budget) -> Recipe:
    """The shipped detectors' recipe, with the detector's head."""
    options = {"weights": budget.weights}
    size = (budget.size, budget.size)
    changes = {"size": size, "batch": budget.batch, "lr": budget.lr, "options": options, "workers": 0}
    return recipes.read(RECIPE, changes | HEADS[which])


def saved(net: Any, recipe: Recipe, skeleton: Skeleton, decoding: dict[str, Any], path: Path) -> Path:
    """The network as a model file, with a card as `heatmark train` writes it."""
    name, comes_from, licence = origin(recipe.model, recipe.options)
    said = dict(
        name=path.stem, skeleton=skeleton, size=recipe.size, model=recipe.model, strides=net.strides,
        options=unfetched(recipe.model, recipe.options), decoding=decoding, input=seen_by(net),
        enlarge=recipe.enlarge, context=recipe.context == 1, recipe=recipe.model_dump(mode="json"),
        licence=f"backbone: {licence}", data={"backbone": {"name": name, "origin": comes_from}},
    )  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    state.write_model(path, net, Card.model_validate(said))
    return path


def on_photographs(found: Evaluation) -> dict[str, Any]:
    """Accuracy, calibration and the precision above each threshold, from an exported file's answers."""
    said = np.concatenate([poses.scores for poses in found.found])
    said = np.take_along_axis(said, found.result.matched, 1)
    scores, right = judged(found.result.fractions, said)
    kept = np.quantile(scores, np.linspace(0, 0.9, 19))
    return {
        "points": len(right),
        "PCK@0.1": float(right.mean()),
        "PCK@0.05": found.result.at(0.05),
        "mean chance": float(scores.mean()),
        "calibration error": calibration_error(scores, right),
        "ranked": ranked(scores, right),
        "thresholds": precision_above(scores, right, THRESHOLDS),
        "curve": precision_above(scores, right, [float(k) - 1e-9 for k in kept]),
    }


def measure(budget: Budget, kept: Kept, real: str, models: Path) -> None:
    """Both detectors, each as soon as it is trained; what is there already is not trained again."""
    for which in HEADS:
        if which in kept.rows:
            continue
        recipe = settings(which, budget)
        learn, test, skeleton = pictures(budget, recipe)
        net = network(recipe, skeleton)
        shown = views(learn, budget.looks, net, budget, RECIPE)
        begun = time.process_time()
        net = runs.trained(recipe, net, shown, skeleton, budget.steps)
        found: dict[str, Any] = {"training minutes": (time.process_time() - begun) / 60}
        decoding: dict[str, Any] = {}
        if recipe.head == "dsnt":
            held = confidences(net, views(test, 0, net, budget, f"{RECIPE} test"), skeleton)
            seen = views(photographs(real, test), 0, net, budget, f"{RECIPE} {real}")
            found["confidences"] = fits(held, confidences(net, seen, skeleton))
            decoding = {"method": "expectation", "calibration": found["confidences"]["mass"]["line"]}
        model = models / f"{skeleton.name}_{recipe.head}.safetensors"
        exported = export(saved(net.cpu(), recipe, skeleton, decoding, model), pictures=real)
        scored = evaluate(exported.out, real, threads=budget.threads)
        assert isinstance(scored, Evaluation)
        found |= on_photographs(scored)
        kept.put({which: found | {"gate px": exported.max_shift_px, "bytes": exported.bytes}})


def fits(held: dict[str, Any], real: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Each kind's line, fitted to every other held-out picture, and how true it is on the rest and on the
    photographs.
    """
    found = {}
    for how, (off, said) in held.items():
        line = logistic(*judged(off[::2], said[::2]))
        if line is None:
            raise UserError("too few held-out points to fit to: give more pictures")
        other, photos = judged(off[1::2], said[1::2]), judged(*real[how])
        found[how] = {
            "line": line,
            "held-out ranked": ranked(*other),
            "held-out error, raw": calibration_error(*other),
            "held-out error": calibration_error(chances(other[0], line), other[1]),
            "photographs ranked": ranked(*photos),
            "photographs error": calibration_error(chances(photos[0], line), photos[1]),
        }
    return found


def tables(rows: Mapping[str, Any]) -> str:
    if not all(which in rows for which in HEADS):
        return "Not measured."
    lines = ["| score of a mean | ranked, renderings | photographs | error, raw | calibrated | photographs |"]
    lines.append("|---|---:|---:|---:|---:|---:|")
    for how, row in rows[DSNT]["confidences"].items():
        ranks = f"{row['held-out ranked']:.2f} | {row['photographs ranked']:.2f}"
        wrong = [row[k] for k in ("held-out error, raw", "held-out error", "photographs error")]
        lines.append(f"| {how} | {ranks} | {' | '.join(f'{100 * v:.1f}' for v in wrong)} |")
    heads = " | ".join(f"above {t:g}" for t in THRESHOLDS[1:])
    lines += ["", f"| on photographs | PCK@0.1 | PCK@0.05 | {heads} | moved by the export, px |"]
    lines.append("|---|---:|---:" + "|---:" * len(THRESHOLDS) + "|")
    for which in HEADS:
        row = rows[which]
        cells = [_cell(*pair) for pair in row["thresholds"][1:]]
        pcks = f"{100 * row['PCK@0.1']:.1f} | {100 * row['PCK@0.05']:.1f}"
        lines.append(f"| {which} | {pcks} | {' | '.join(cells)} | {row['gate px']:.3f} |")
    return "\n".join(lines)


def _cell(precision: float, kept: float) -> str:
    return f"{100 * precision:.0f} of {100 * kept:.0f}" if kept else "none"


def plot(rows: Mapping[str, Any], path: Path) -> None:
    """Precision on photographs over the share of points that is kept."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.8), layout="constrained")
    axes = figure.subplots()
    for which in (which for which in HEADS if which in rows):
        precision, kept = np.array(rows[which]["curve"]).T
        axes.plot(100 * kept, 100 * precision, marker="o", ms=3, label=which)
    axes.set(xlabel="points kept, per cent, those with the highest scores", ylabel="within 0.1 of the box, %")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=110)


def words(budget: Budget) -> str:
    return (
        f"{RECIPE}, its backbone frozen; {budget.size} x {budget.size} pixels; {budget.pictures} pictures at "
        f"most, {budget.looks} varied views of each; {budget.steps} steps of {budget.batch}, Adam, "
        f"{budget.lr:g} falling to 0 by a cosine"
    )


def page(rows: Mapping[str, Any], budget: Budget, picture: Path) -> str:
    points = rows[DSNT]["points"] if DSNT in rows else "no"
    return f"""# What DSNT's score is worth

{words(budget)}; one seed. DSNT reads the finest of the three maps, {budget.size // 4} cells, and learns on it
alone; the heatmaps are learnt on all three. Ranked: how often a right point (within a tenth of the box) has
a higher score than a wrong one. Error: how far the scores lie from the share that is right, in points, before
and after the fit on the other half of the held-out renderings, and on {points} points in photographs.

Then the exported files on the photographs, in their boxes: the precision of what is left above a threshold,
and how much is left ("90 of 40": 90 % of the 40 % that are kept). DSNT's score is a chance; a heatmap's is
the height of its peak, so the thresholds are not the same thing; the curve below compares them.

{tables(rows)}

![precision over what is kept]({picture.name})

`python -m benchmarks.dsnt_confidence --data ... --photographs ...`
"""


def main() -> None:
    options = parser(__doc__, "docs/dsnt/confidence.md")
    options.set_defaults(size=224, looks=1, steps=1000, batch=16, lr=1e-3)
    options.add_argument("--photographs", help="labelled photographs of the same object")
    options.add_argument("--models", type=Path, default=Path("runs/dsnt"), help="where the detectors go")
    given = options.parse_args()
    budget = budget_of(given)
    kept = Kept(budget.out.with_suffix(".json"), words(budget))
    if budget.data:
        if given.photographs is None:
            raise UserError("--photographs: wanted a labelled dataset of photographs")
        measure(budget, kept, given.photographs, given.models)
    picture = budget.out.with_suffix(".png")
    plot(kept.rows, picture)
    runs.write(budget, page(kept.rows, budget, picture))


if __name__ == "__main__":
    ended(main)
