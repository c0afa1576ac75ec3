"""PCK@0.1 of tool detectors on photographs they never saw, beside table 1 of the IHM paper (IHM56).

    python -m benchmarks.tool_photos DATA [--models RUNS] [--boxes truth|whole [--second-look|--live]]

DATA holds a dataset for each tool, in folders of their names; RUNS a model file for each (hammer.onnx ...),
else the shipped ones are taken. The paper's own photographs are not public: ours are others, harder in
aspect and colour, so the comparison is of the order of magnitude. With --pages each tool's report is
written too.
"""

import argparse
from pathlib import Path

from heatmark.errors import UserError

from .rows import Row, markdown
from .runs import ended, evaluated

PAPER = {"screwdriver": 82.0, "wrench": 88.9, "combination_wrench": 84.9, "hammer": 74.0}  # IHM56, table 1


def measured(tool: str, given: argparse.Namespace) -> float | None:
    """PCK@0.1 in per cent; None where there is no model, or no photograph of the tool."""
    model = given.models / f"{tool}.onnx" if given.models else tool
    pages = given.pages / tool if given.pages else None
    again = "live" if given.live else given.second_look
    try:
        result = evaluated(model, given.data / tool, boxes=given.boxes, second_look=again, out=pages)
    except UserError as error:
        print(f"{tool}: {error}")
        return None
    return 100 * result.result.at(0.1)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--models", type=Path)
    parser.add_argument("--boxes", default="truth")
    parser.add_argument("--second-look", action="store_true")
    parser.add_argument("--live", action="store_true", help="a second look as in frames of a video")
    parser.add_argument("--pages", type=Path)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    rows = [Row(tool, "PCK@0.1", paper, measured(tool, given), within=None) for tool, paper in PAPER.items()]
    looks = " --live" if given.live else " --second-look" if given.second_look else ""
    if all(row.ours is None for row in rows):
        raise UserError(f"{given.data}: no tool was measured")
    table = markdown(rows, f"python -m benchmarks.tool_photos DATA --boxes {given.boxes}{looks}")
    print(table)
    if given.out:
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(table, encoding="utf-8")


if __name__ == "__main__":
    ended(main)
