"""What DSNT's score is worth: detectors with and without it, exported, and their scores on photographs.

    python -m benchmarks.dsnt_confidence --data screwdrivers --photographs DATASET [--models FOLDER]

A mean has no height, so its score is made of the map's shape (heatmaps.confidence: mass, peak or spread), and
a line through its logit, fitted to one half of the held-out renderings, makes it the chance that the point
lies within a tenth of the box. Here the fit is tested on the other half and on real photographs: are the
chances true, and does a threshold raise the precision? The heatmap detector beside it has learnt from the
same pictures for as many steps; its score is the height of its peak. Both are exported through the gate, and
the photographs are scored by the exported files, which have the fit inside.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from heatmark import heatmaps
from heatmark.card import Card
from heatmark.commands.evaluate import Evaluation, evaluate
from heatmark.commands.export import export
from heatmark.metrics import calibration_error, chances, logistic, precision_above
from heatmark.models import origin, unfetched
from heatmark.training import state
from heatmark.training.recipe import Recipe
from heatmark.types import Skeleton

from . import dsnt_runs as runs

STRIDE, ALPHA = 8, 0.1
THRESHOLDS = (0.0, 0.3, 0.5, 0.7, 0.8, 0.9)
CONFIDENCES = ("mass", "peak", "spread")
DETECTORS = {"DSNT, js": "DSNT with JS", "argmax + quarter": "heatmaps"}


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


def confidences(net: Any, views: runs.Views, skeleton: Skeleton) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """How far each point was off (N, K) and its score (N, K), for each kind of confidence."""
    found = {}
    for how in CONFIDENCES:

        def read(maps, strides, skeleton, how=how):
            return heatmaps.decode_expectation(maps[-1], skeleton.alone, strides[-1], how=how)

        found[how] = runs.answers(net, read, views, skeleton)
    return found


def saved(net: Any, recipe: Recipe, skeleton: Skeleton, decoding: dict[str, Any], path: Path) -> Path:
    """The network as a model file, with a card as `heatmark train` writes it."""
    name, comes_from, licence = origin(recipe.model, recipe.options)
    said = dict(
        name=path.stem, skeleton=skeleton, size=recipe.size, model=recipe.model, strides=net.strides,
        options=unfetched(recipe.model, recipe.options), decoding=decoding, enlarge=recipe.enlarge,
        recipe=recipe.model_dump(mode="json"), licence=f"backbone: {licence}",
        data={"backbone": {"name": name, "origin": comes_from}},
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


def measured(budget: runs.Budget, photographs: str, models: Path) -> dict[str, Any]:
    learn, test, skeleton = runs.pictures(budget)
    rows: dict[str, Any] = {"budget": budget.words}
    for strategy, said in DETECTORS.items():
        net, recipe = runs.fitted(strategy, STRIDE, 0, budget, learn, skeleton)
        decoding: dict[str, Any] = {"refine": "quarter"}
        if strategy in runs.DSNT:
            held = confidences(net, runs.views(test, 0, net, budget, "test"), skeleton)
            real = runs.views(runs.photographs(photographs, test), 0, net, budget, photographs)
            rows["confidences"] = fits(held, confidences(net, real, skeleton))
            decoding = {"method": "expectation", "calibration": rows["confidences"]["mass"]["line"]}
        name = f"{skeleton.name}_{'dsnt' if strategy in runs.DSNT else 'heatmap'}"
        model = saved(net.cpu(), recipe, skeleton, decoding, models / f"{name}.safetensors")
        exported = export(model, pictures=photographs)
        found = evaluate(exported.out, photographs, threads=budget.threads)
        assert isinstance(found, Evaluation)
        rows[said] = on_photographs(found)
        rows[said] |= {"gate px": exported.max_shift_px, "bytes": exported.bytes}
    return rows


def fits(held: dict[str, Any], real: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Each kind's line, fitted to every other held-out picture, and how true it is on the rest and on the
    photographs.
    """
    found = {}
    for how, (off, said) in held.items():
        line = logistic(*judged(off[::2], said[::2]))
        if line is None:
            raise SystemExit("too few held-out points to fit to: give more pictures")
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


def tables(rows: dict[str, Any]) -> str:
    lines = ["| score of a mean | ranked, renderings | photographs | error, raw | calibrated | photographs |"]
    lines.append("|---|---:|---:|---:|---:|---:|")
    for how, row in rows["confidences"].items():
        ranks = f"{row['held-out ranked']:.2f} | {row['photographs ranked']:.2f}"
        wrong = [row[k] for k in ("held-out error, raw", "held-out error", "photographs error")]
        lines.append(f"| {how} | {ranks} | {' | '.join(f'{100 * v:.1f}' for v in wrong)} |")
    heads = " | ".join(f"above {t:g}" for t in THRESHOLDS[1:])
    lines += ["", f"| on photographs | PCK@0.1 | PCK@0.05 | {heads} | moved by the export, px |"]
    lines.append("|---|---:|---:" + "|---:" * len(THRESHOLDS) + "|")
    for said in DETECTORS.values():
        row = rows[said]
        cells = [_cell(*pair) for pair in row["thresholds"][1:]]
        pcks = f"{100 * row['PCK@0.1']:.1f} | {100 * row['PCK@0.05']:.1f}"
        lines.append(f"| {said} | {pcks} | {' | '.join(cells)} | {row['gate px']:.3f} |")
    return "\n".join(lines)


def _cell(precision: float, kept: float) -> str:
    return f"{100 * precision:.0f} of {100 * kept:.0f}" if kept else "none"


def plot(rows: dict[str, Any], path: Path) -> None:
    """Precision on photographs over the share of points that is kept."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.8), layout="constrained")
    axes = figure.subplots()
    for said in DETECTORS.values():
        precision, kept = np.array(rows[said]["curve"]).T
        axes.plot(100 * kept, 100 * precision, marker="o", ms=3, label=said)
    axes.set(xlabel="points kept, per cent, those with the highest scores", ylabel="within 0.1 of the box, %")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = runs.parser(__doc__, "docs/dsnt/confidence.md")
    parser.add_argument("--photographs", help="labelled photographs of the same object")
    parser.add_argument("--models", type=Path, default=Path("runs/dsnt"), help="where the detectors go")
    given = parser.parse_args()
    budget = runs.budget_of(given)
    kept = budget.out.with_suffix(".json")
    if budget.data:
        if given.photographs is None:
            raise SystemExit("--photographs: wanted a labelled dataset of photographs")
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(measured(budget, given.photographs, given.models), indent=1) + "\n")
    rows = json.loads(kept.read_text())
    picture = budget.out.with_suffix(".png")
    plot(rows, picture)
    real = rows[DETECTORS["DSNT, js"]]
    text = f"""# What DSNT's score is worth

{rows["budget"]}. {budget.size // STRIDE} cells. Ranked: how often a right point (within a tenth of the
box) has a higher score than a wrong one. Error: how far the scores lie from the share that is right, in
points, before and after the fit on the other half of the held-out renderings, and on {real["points"]} points
in photographs.

Then the exported files on the photographs, in their boxes: the precision of what is left above a threshold,
and how much is left ("90 of 40": 90 % of the 40 % that are kept). DSNT's score is a chance; a heatmap's is
the height of its peak, so the thresholds are not the same thing; the curve below compares them.

{tables(rows)}

![precision over what is kept]({picture.name})

`python -m benchmarks.dsnt_confidence --data ... --photographs ... --steps {given.steps} --lr {given.lr:g}`
"""
    budget.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
