"""Figures 3 to 8 and 11 of "Tilting at windmills" (Pytel et al. 2020): what it costs to hide what.

    python -m benchmarks.occlusion_figures MODEL DATASET [--other MODEL] [--name hrnet] [--minutes 9.5]

Attacks a trained network (figures 4 to 8), and a second one beside it (figure 3: HRNet and SimpleBaseline;
figure 11: with and without augmentation), and sets the numbers that the paper states in its text beside ours.
Plots are read from no picture: a claim without a number in the text is not listed. A killed command goes on.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

from heatmark.commands.attack import Attack, Hit, Result, attack
from heatmark.errors import UserError
from heatmark.imaging.occlude import HOWS

from .rows import Row, commit, machine, markdown
from .runs import ended, minutes

RADII = (3.0, 6.0, 9.0, 12.0, 15.0, 18.0)
Measure = Callable[[Result], float]


def hit(target: str, how: str, radius: float = 6.0) -> Measure:
    return lambda result: result.loss(Hit(target, how, radius))


def part(target: str, how: str, landmark: str | None = None) -> Measure:
    return lambda result: result.loss(Hit(target, how), landmark)


def own(target: str, landmark: str) -> Measure:
    """A landmark's own loss where another one is hidden, the mean over the ways."""
    return lambda result: float(np.mean([result.loss(Hit(target, how, 6.0), landmark) for how in HOWS]))


def large(result: Result) -> float:
    """The mean loss over all landmarks and ways at 18 pixels."""
    return float(np.mean([result.mean_loss(how, False, 18.0) for how in HOWS]))


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
states them; ours are those of {model}, {counts} of {data}. With another network or other data a "no" says how
far the paper's conclusion carries, not that a run failed.

"""


def claims(result: Result | None) -> list[Row]:
    """The paper's numbers and ours."""
    rows = []
    for name, metric, paper, measure, within in CLAIMS:
        try:
            ours = None if result is None else measure(result)
        except KeyError:  # a skeleton without this landmark or part
            ours = None
        ours = None if ours is None or np.isnan(ours) else ours
        rows.append(Row(name, metric, paper, ours, within))
    return rows


def document(done: Attack, command: str) -> str:
    """The claims, and every table of the attack."""
    counts = f"{len(done.subjects)} objects"
    names = " and ".join(r.name for r in done.results)
    data = Path(done.dataset).name
    text = HEAD.format(metric=done.metric, model=names, counts=counts, data=data)
    text += markdown(claims(done.results[0]), command)
    for heading, rows in done.tables.items():
        lines = ["| " + " | ".join(row) + " |" for row in rows]
        lines.insert(1, "|---|" + "---:|" * (len(rows[0]) - 1))
        text += f"\n## {heading}\n\n" + "\n".join(lines) + "\n"
    return text + f"\nCommit {commit()}, {machine()}.\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model")
    parser.add_argument("dataset")
    parser.add_argument("--other", help="a second network")
    parser.add_argument("--name", default="figures", help="of the document and the report's folder")
    parser.add_argument("--radii", default=",".join(f"{r:g}" for r in RADII))
    parser.add_argument("--limit", type=int, help="only so many pictures")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--flip", action="store_true", help="with the flip test, as the paper")
    parser.add_argument("--work", type=Path, default=Path(".cache/windmills"))
    parser.add_argument("--minutes", type=float, default=9.5, help="then stop; the same command goes on")
    parser.add_argument("--out", type=Path, default=Path("docs/windmills"))
    given = parser.parse_args()
    if given.other == given.model:
        raise UserError("the second network is the first")
    with minutes(given.minutes):
        done = attack(
            given.model,
            given.dataset,
            other=given.other,
            radii=[float(r) for r in given.radii.split(",")],
            limit=given.limit,
            batch=given.batch,
            flip=True if given.flip else None,
            out=given.work / given.name,
        )
    other = " --other MODEL" if given.other else ""
    text = document(done, f"python -m benchmarks.occlusion_figures MODEL DATASET{other}")
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / f"{given.name}.md").write_text(text, encoding="utf-8")
    print(f"{given.out / given.name}.md, {given.work / given.name / 'report.html'}")


if __name__ == "__main__":
    ended(main)
