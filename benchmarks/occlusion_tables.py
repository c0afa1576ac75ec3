"""Tables I, II and figure 11 of "Tilting at windmills" (Pytel et al. 2020): augmentation against occlusion.

    python -m benchmarks.occlusion_tables --rows half_body,blur_k_0.5 --minutes 9.5
    python -m benchmarks.occlusion_tables --recipe people_lite0 --from RUN --set epochs=1 --attack blackout \\
        --data PEOPLE --validation HELD_OUT --rows no_augments,half_body,blur_k_0.5,cutout_p_0.5,partmix_0.5
    python -m benchmarks.occlusion_tables --table II --data MPII/train.json --validation MPII/valid.json

Learns from built-in people unless --data and --validation name COCO's (table I) or MPII's (table II). The
paper trains 210 epochs of 57,000 pictures; set what you can afford, e.g. --set epochs=20 --set size=[128,96]
--set options.weights=null, or lay the rows over a small recipe and begin them all with the same model.
--attack scores each row with landmarks and parts hidden, too. Rows that were not run say "not measured". A
killed command goes on.
"""

import argparse
from pathlib import Path

from heatmark.commands import progress

from .occlusion_runs import HOWS, KINDS, SHEETS, Study, arguments, chosen, measured, points, study_of
from .runs import ended, minutes

COLUMNS = {
    "I": ("AP", "AP50", "AP75", "APM", "APL", "AR"),
    "II": ("Head", "Shoulder", "Elbow", "Wrist", "Hip", "Knee", "Ankle", "PCKh@0.5"),
}
PAPER = {
    "I": {
        "no_augments": (65.3, 86.4, 72.6, 62.6, 70.7, 70.2),
        "flip_rot_scale": (73.9, 90.0, 80.9, 70.4, 80.3, 78.3),
        "half_body": (74.3, 90.6, 81.7, 70.7, 80.7, 78.8),
        "blur_k_0.2": (74.3, 90.4, 81.6, 70.8, 80.6, 78.7),
        "blur_k_0.5": (74.5, 90.4, 81.8, 70.8, 80.8, 78.7),
        "cutout_k_0.2": (74.3, 90.4, 81.7, 71.0, 80.3, 78.7),
        "cutout_k_0.5": (74.5, 90.5, 81.7, 70.9, 80.7, 78.8),
        "cutout_blur_k_0.2": (74.0, 90.4, 81.1, 70.4, 80.3, 78.4),
        "cutout_blur_k_0.5": (74.3, 90.5, 81.1, 70.8, 80.6, 78.6),
        "blur_p_removed_0.2": (74.3, 90.5, 81.7, 70.6, 80.8, 78.6),
        "blur_p_removed_0.5": (74.0, 90.5, 81.1, 70.5, 80.4, 78.4),
        "blur_p_0.5": (74.1, 90.3, 81.1, 70.6, 80.2, 78.5),
        "cutout_p_removed_0.2": (74.2, 90.5, 81.2, 70.8, 80.4, 78.6),
        "cutout_p_removed_0.5": (74.2, 90.3, 81.1, 70.6, 80.4, 78.6),
        "cutout_p_0.5": (74.5, 90.5, 81.6, 70.9, 80.7, 78.8),
        "cutout_blur_p_removed_0.2": (73.4, 90.3, 80.8, 69.9, 79.5, 77.8),
        "cutout_blur_p_removed_0.5": (73.9, 90.4, 81.0, 70.5, 80.0, 78.3),
        "cutout_blur_p_0.5": (74.3, 90.4, 81.2, 70.6, 80.5, 78.6),
        "several_0.2": (73.9, 90.1, 80.9, 70.5, 80.2, 78.3),
        "partmix_removed_0.5": (74.3, 90.5, 81.1, 70.7, 80.6, 78.7),
        "partmix_0.5": (74.4, 90.7, 81.5, 71.1, 80.5, 78.8),
    },
    "II": {
        "baseline": (97.1, 95.9, 90.4, 86.4, 89.1, 87.2, 83.3, 90.3),
        "blur_k_0.5": (97.3, 95.9, 90.5, 86.2, 89.2, 86.4, 83.1, 90.3),
        "cutout_p_0.5": (97.2, 96.3, 90.7, 86.7, 89.4, 86.7, 83.3, 90.5),
        "partmix_0.5": (97.4, 96.2, 91.0, 86.8, 89.2, 86.7, 83.0, 90.5),
    },
}
HEAD = """# Tilting at windmills, table {table}: augmentation against occlusion

The paper's number above, ours below it. The paper scores {paper}; ours are in labelled boxes, with the flip
test. k hides a landmark, p a part, removed takes the labels under a part away, then the probability.

"""
SCORED = {
    "I": "COCO's val2017 in Cascade R-CNN's boxes, after 210 epochs on COCO's train2017",
    "II": "MPII's validation set, after 210 epochs on MPII",
}
UNDER_ATTACK = """
## Figure 11: what is left under attack

AP in per cent (table II: PCKh@0.5) without the flip test, untouched and with one landmark (a disc that hides
as large a share of the window as 6 pixels do of 256) or one part hidden at a time, the mean over all
landmarks or all parts. The paper draws its figure without numbers; its text says that training on hidden
parts helps against hidden parts by more than 5 points, and that blurred landmarks help against blurred
landmarks only.

"""


def table(study: Study, name: str, command: str) -> str:
    """The paper's rows with its values and ours, as Markdown."""
    known, columns = study.known(), COLUMNS[name]
    lines = [f"| augmentation | | {' | '.join(columns)} |", "|---|---|" + "---:|" * len(columns)]
    for row, paper in PAPER[name].items():
        lines.append(f"| {row} | paper | {' | '.join(f'{v:.1f}' for v in paper)} |")
        ours = known.get(f"{SHEETS[name]}/{row}")
        if ours is None:
            lines.append("| | ours | not measured" + " | " * (len(columns) - 1) + " |")
            continue
        values = [points(ours["metrics"].get(column)) for column in columns]
        lines.append(f"| | ours | {' | '.join('-' if v is None else f'{v:.1f}' for v in values)} |")
    made = sorted({(one["commit"], one["machine"]) for one in known.values()})
    by = "; ".join(f"commit {commit}, {machine}" for commit, machine in made)
    return "\n".join([*lines, "", study.words, "", f"`{command}`{', ' + by if by else ''}."]) + "\n"


def figure_11(study: Study, name: str) -> str:
    """What each row is left with under attack, as Markdown; empty where none was attacked.

    The paper draws this figure without numbers.
    """
    known = {row: study.known().get(f"{SHEETS[name]}/{row}", {}).get("metrics", {}) for row in PAPER[name]}
    known = {row: metrics for row, metrics in known.items() if "attack.untouched" in metrics}
    if not known:
        return ""
    every = ["untouched", *(f"{how} of {kind}" for kind, _ in KINDS for how in HOWS)]
    columns = [c for c in every if any(f"attack.{c}" in metrics for metrics in known.values())]
    lines = [f"| augmentation | {' | '.join(columns)} |", "|---|" + "---:|" * len(columns)]
    for row, metrics in known.items():
        values = [metrics.get(f"attack.{column}") for column in columns]
        lines.append(f"| {row} | {' | '.join('-' if v is None else f'{100 * v:.1f}' for v in values)} |")
    return UNDER_ATTACK + "\n".join(lines) + "\n"


def written(study: Study, name: str, command: str) -> Path:
    study.out.parent.mkdir(parents=True, exist_ok=True)
    text = HEAD.format(table=name, paper=SCORED[name]) + table(study, name, command) + figure_11(study, name)
    study.out.write_text(text, encoding="utf-8")
    return study.out


def said(given: argparse.Namespace) -> str:
    """The command, without this machine's paths."""
    words = [f"--table {given.table}"]
    words += [f"--recipe {Path(given.recipe).stem}"] if given.recipe else []
    words += ["--from RUN"] if given.start else []
    words += [f"--set {one}" for one in given.set]
    words += [f"--attack {given.attack} --hide {given.hide}"] if given.attack else []
    words += ["--data DATA --validation VALIDATION"] if given.data else [f"--people {given.people}"]
    return f"python -m benchmarks.occlusion_tables {' '.join(words)}"


def main() -> None:
    parser = arguments(__doc__, "docs/windmills/table_I.md")
    parser.add_argument("--table", choices=tuple(PAPER), default="I")
    parser.add_argument("--rows", help="only these, with commas between; all that are missing if left out")
    given = parser.parse_args()
    if given.table == "II" and given.out == parser.get_default("out"):
        given.out = given.out.with_name("table_II.md")
    with minutes(given.minutes):
        study = study_of(given)
        rows = chosen(tuple(PAPER[given.table]), given.rows)
        try:
            for row in rows:
                recipe = f"{SHEETS[given.table]}/{row}"
                metrics = measured(study, recipe)
                progress.note(f"{recipe}: {points(metrics.get(COLUMNS[given.table][0]))}")
        finally:
            print(written(study, given.table, said(given)))


if __name__ == "__main__":
    ended(main)
