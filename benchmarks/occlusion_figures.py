"""Figures 3 to 8 and 11 of "Tilting at windmills" (Pytel et al. 2020): what it costs to hide what.

    python -m benchmarks.occlusion_figures MODEL DATASET [--other MODEL] [--name hrnet] [--minutes 9.5]

Attacks a trained network (figures 4 to 8), and a second one beside it (figure 3: HRNet and SimpleBaseline;
figure 11: with and without augmentation), draws them, and sets the numbers that the paper states in its text
beside ours. Plots are read from no picture: a claim without a number in the text is not listed. A killed
command goes on.

The paper's windows are 256 pixels high. --radii are given in their pixels, and hide as large a share of
another network's window: 6 is a disc of 3 pixels in a window of 128.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from heatmark.commands.attack import Attack, attack
from heatmark.commands.attack_results import Hit, Result
from heatmark.commands.evaluate import BEST
from heatmark.errors import UserError
from heatmark.imaging.occlude import HIGH, HOWS, RADIUS
from heatmark.runtime import load

from . import occlusion_plots
from .rows import Row, commit, machine, markdown
from .runs import ended, minutes

RADII = (3.0, 6.0, 9.0, 12.0, 15.0, 18.0)
LARGE = 18.0  # the largest of figure 4
Measure = Callable[
    [Result, float], float
]  # a network's losses, its window's height over the paper's -> points


def hit(target: str, how: str) -> Measure:
    return lambda result, share: result.loss(Hit(target, how, RADIUS * share))


def part(target: str, how: str, landmark: str | None = None) -> Measure:
    return lambda result, share: result.loss(Hit(target, how), landmark)


def own(target: str, landmark: str) -> Measure:
    """A landmark's own loss where another one is hidden, the mean over the ways."""

    def mean(result: Result, share: float) -> float:
        tried = [h for h in (Hit(target, how, RADIUS * share) for how in HOWS) if h in result.hits]
        return float(np.mean([result.loss(h, landmark) for h in tried])) if tried else float("nan")

    return mean


def large(result: Result, share: float) -> float:
    """The mean loss over all landmarks and ways at 18 pixels."""
    return float(np.mean([result.mean_loss(how, False, LARGE * share) for how in HOWS]))


CLAIMS: tuple[tuple[str, str, float, Measure, float], ...] = (
    ("figure 4: every landmark, 18 px, mean of the ways", "loss", 3.0, large, 1.5),
    ("figure 5: nose, blackout", "loss", 5.0, hit("nose", "blackout"), 1.5),
    ("figure 5: nose, meanout", "loss", 4.4, hit("nose", "meanout"), 1.5),
    ("figure 5: nose, blur", "loss", 1.2, hit("nose", "blur"), 1.0),
    ("figure 5: left eye, blackout", "loss", 1.0, hit("left_eye", "blackout"), 0.7),
    ("figure 6a: nose hidden, of the left eye", "own loss", 10.0, own("nose", "left_eye"), 3.0),
    ("figure 6a: nose hidden, of the right eye", "own loss", 10.0, own("nose", "right_eye"), 3.0),
    ("figure 6b: left eye hidden, of itself", "own loss", 5.0, own("left_eye", "left_eye"), 3.0),
    ("figure 7: upper body, blackout", "loss", 44.0, part("upper_body", "blackout"), 8.0),
    ("figure 7: left side, blackout", "loss", 24.0, part("left_side", "blackout"), 8.0),
    ("figure 7: right side, blackout", "loss", 24.0, part("right_side", "blackout"), 8.0),
    ("figure 8a: upper body, blackout, of the left ankle", "own loss", 3.0,
     part("upper_body", "blackout", "left_ankle"), 2.0),
    ("figure 8a: upper body, blackout, of the right ankle", "own loss", 3.0,
     part("upper_body", "blackout", "right_ankle"), 2.0),
)  # fmt: skip
HEAD = """# Tilting at windmills, figures 3 to 8 and 11: what it costs to hide what

Losses are points of {metric}. The paper's are HRNet-W32's on COCO's val2017 (5,000 pictures), as its text
states them; ours are those of {model}, {counts} of {data}. {radii}

With another network or other data a "no" says how far the paper's conclusion carries, not that a run failed.

"""


def claims(result: Result | None, share: float = 1.0) -> list[Row]:
    """The paper's numbers and ours; `share` is our window's height over the paper's."""
    rows = []
    for name, metric, paper, measure, within in CLAIMS:
        try:
            ours = None if result is None else measure(result, share)
        except KeyError:  # a skeleton without this landmark or part, or a radius that was not tried
            ours = None
        ours = None if ours is None or np.isnan(ours) else ours
        rows.append(Row(name, metric, paper, ours, within))
    return rows


def document(done: Attack, command: str, share: float, pictures: Sequence[tuple[str, Path]] = ()) -> str:
    """The claims, the pictures, and every table of the attack."""
    counts = f"{len(done.subjects)} objects"
    names = " and ".join(r.name for r in done.results)
    radii = "" if share == 1 else (
        f"Windows are {HIGH * share:g} pixels high, so a disc of {RADIUS * share:g} pixels hides what one of"
        f" {RADIUS:g} does in the paper."
    )  # fmt: skip
    text = HEAD.format(
        metric=done.metric, model=names, counts=counts, data=Path(done.dataset).name, radii=radii
    )
    text += markdown(claims(done.results[0], share), command)
    text += "".join(f"\n![{caption}]({path.name})\n" for caption, path in pictures)
    for heading, rows in done.tables.items():
        lines = ["| " + " | ".join(row) + " |" for row in rows]
        lines.insert(1, "|---|" + "---:|" * (len(rows[0]) - 1))
        text += f"\n## {heading}\n\n" + "\n".join(lines) + "\n"
    return text + f"\nCommit {commit()}, {machine()}.\n"


def share_of(model: str) -> float:
    """How high a network's window is, of the paper's."""
    file = Path(model) / BEST
    return load(file if file.is_file() else model).card.size[0] / HIGH


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model")
    parser.add_argument("dataset")
    parser.add_argument("--other", help="a second network")
    parser.add_argument("--name", default="figures", help="of the document and the report's folder")
    parser.add_argument(
        "--radii", default=",".join(f"{r:g}" for r in RADII), help="pixels of the paper's windows"
    )
    parser.add_argument("--ways", default=",".join(HOWS), help="of hiding, with commas between")
    parser.add_argument("--limit", type=int, help="only so many pictures")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--flip", action="store_true", help="with the flip test, as the paper")
    parser.add_argument("--work", type=Path, default=Path(".cache/windmills"))
    parser.add_argument("--minutes", type=float, default=9.5, help="then stop; the same command goes on")
    parser.add_argument("--out", type=Path, default=Path("docs/windmills"))
    given = parser.parse_args()
    if given.other == given.model:
        raise UserError("the second network is the first")
    share = share_of(given.model)
    with minutes(given.minutes):
        done = attack(
            given.model,
            given.dataset,
            other=given.other,
            hows=given.ways.split(","),
            radii=[float(r) * share for r in given.radii.split(",")],
            limit=given.limit,
            batch=given.batch,
            flip=True if given.flip else None,
            out=given.work / given.name,
        )
    given.out.mkdir(parents=True, exist_ok=True)
    command = f"python -m benchmarks.occlusion_figures MODEL DATASET{' --other MODEL' if given.other else ''}"
    command += f" --radii {given.radii} --ways {given.ways}" + (" --flip" if given.flip else "")
    pictures = occlusion_plots.drawn(done, given.out, given.name)
    text = document(done, command, share, pictures)
    (given.out / f"{given.name}.md").write_text(text, encoding="utf-8")
    print(f"{given.out / given.name}.md, {given.work / given.name / 'report.html'}")


if __name__ == "__main__":
    ended(main)
