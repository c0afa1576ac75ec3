"""What int8 costs on photographs: PCK@0.1 of networks in fp32 and in whole numbers, by engine.

    python -m benchmarks.int8_photos PHOTOGRAPHS SETS hammer=RUN screwdriver=RUN ...

RUN is a finished training of that tool (benchmarks.table1 leaves them in its work folder), PHOTOGRAPHS a
labelled dataset for each tool, SETS a rendered one for each, whose pictures set the ranges of int8. Each is
scored inside the labelled boxes. Over all tools together the difference has a 95 % interval: a landmark or
two near a tenth of the box decide it. How fast int8 is stands in docs/latency.md.
"""

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from heatmark.commands.export import export

from . import runs
from .rows import commit, machine
from .scores import Score, half_width

FP32, INT8 = "fp32", "int8"
WAYS = ((FP32, "onnxruntime"), (INT8, "onnxruntime"), (INT8, "openvino"))


def measured(run: Path, photographs: Path, pictures: Path) -> dict[tuple[str, str], Score]:
    """The scores of one network, by precision and engine."""
    with tempfile.TemporaryDirectory() as folder:
        anyhow: dict[str, Any] = {"gate_px": np.inf, "gate_pck": np.inf}  # what int8 costs is the question
        plain = export(run, out=Path(folder) / f"{FP32}.onnx").out
        whole = export(
            run, out=Path(folder) / f"{INT8}.onnx", precision=INT8, pictures=pictures, **anyhow
        ).out
        files = {FP32: plain, INT8: whole}
        return {way: Score.of(runs.evaluated(files[way[0]], photographs, engine=way[1])) for way in WAYS}


def pooled(scores: Sequence[Score]) -> Score:
    """The objects of several tools as one; landmarks that a tool has not are not counted."""
    most = max(score.fractions.shape[1] for score in scores)
    wide = [
        np.pad(s.fractions, ((0, 0), (0, most - s.fractions.shape[1])), constant_values=np.nan)
        for s in scores
    ]
    names = tuple(f"{i}/{name}" for i, s in enumerate(scores) for name in s.names)
    return Score(np.concatenate(wide), np.concatenate([s.sides for s in scores]), names)


def table(found: Mapping[str, Mapping[tuple[str, str], Score]]) -> str:
    """Markdown: a line for each tool, and one for all."""
    heads = [f"{precision}, {engine}" for precision, engine in WAYS]
    lines = [f"| tool | landmarks | {' | '.join(heads)} |", f"|---|{'--:|' * (len(heads) + 1)}"]
    together = {way: pooled([scores[way] for scores in found.values()]) for way in WAYS}
    for tool, scores in {**found, "all": together}.items():
        plain = scores[WAYS[0]]
        cells = [f"{plain.pck():.1f}"]
        for way in WAYS[1:]:
            change, wide = scores[way].pck() - plain.pck(), half_width([scores[way]], [plain])
            cells.append(f"{scores[way].pck():.1f} ({change:+.1f} ± {wide:.1f})")
        lines.append(f"| {tool.replace('_', ' ')} | {len(plain.counted)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photographs", type=Path)
    parser.add_argument("sets", type=Path)
    parser.add_argument("runs", nargs="+", metavar="TOOL=RUN")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    found = {}
    for pair in given.runs:
        tool, _, run = pair.partition("=")
        found[tool] = measured(Path(run), given.photographs / tool, given.sets / tool)
        print(table(found), flush=True)
    text = (
        "# What int8 costs on photographs\n\n"
        "PCK@0.1 inside labelled boxes, and what changes from fp32, with a 95 % interval over the objects."
        "\nHeads and decoding stay fp32.\n\n"
        "    python -m benchmarks.int8_photos PHOTOGRAPHS SETS TOOL=RUN ... --out docs/int8_photos.md\n\n"
        f"{table(found)}\n\nCommit {commit()}, {machine()}.\n"
    )
    if given.out:
        given.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    runs.ended(main)
