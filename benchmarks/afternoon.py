"""A new object in an afternoon, timed: every command of docs/afternoon.md, from a mesh to points.

    python -m benchmarks.afternoon --folder FOLDER [--scenes 100 --epochs 16] [--set options.weights=FILE]

Works in FOLDER (examples/bottle_opener.py makes the mesh there) and writes the times into the table of
docs/afternoon.md. A step that is done is not done again, one that was stopped goes on. Wall time counts what
else the machine does; CPU time does not, so beside it stands what all cores of this process spent.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from heatmark.commands.progress import duration

from . import runs
from .rows import commit, machine

PAGE = Path(__file__).parents[1] / "docs" / "afternoon.md"
MESH = Path(__file__).parents[1] / "examples" / "bottle_opener.py"
BEGIN, END = "<!-- times -->", "<!-- end of times -->"
HELD_OUT = 40  # scenes to score on


@dataclass(frozen=True)
class Step:
    """One command of the tutorial."""

    name: str
    line: str  # as the tutorial has it
    more: str = ""  # what this machine adds: where weights lie


def steps(scenes: int, epochs: int, more: str) -> list[Step]:
    """The tutorial's commands; each reads what those before it made."""
    held_out = f"heatmark render bottle_opener.glb --count {HELD_OUT} --seed 1 --copies 0 --out held_out"
    return [
        Step("a mesh, and its landmarks by hand", "python examples/bottle_opener.py"),
        Step("pictures", f"heatmark render bottle_opener.glb --count {scenes} --out pictures"),
        Step("look for faults", "heatmark check pictures"),
        Step(
            "a network", f"heatmark train ihm56_lite0 --data pictures --out run --set epochs={epochs}", more
        ),
        Step("pictures it never saw", held_out),
        Step("how good is it", "heatmark evaluate run held_out --out report"),
        Step("one file", "heatmark export run --out opener.onnx --pictures held_out"),
        Step("points", "heatmark detect held_out/images --model opener.onnx --out overlays"),
    ]


def run(step: Step, folder: Path) -> tuple[dict[str, float], int]:
    """Do it in the folder: ({"wall": seconds, "cpu": seconds of all that it started}, exit code)."""
    words = shlex.split(f"{step.line} {step.more}")
    words = [sys.executable, str(MESH)] if words[0] == "python" else [sys.executable, "-m", *words]
    if words[3:4] == ["train"] and (folder / "run").exists():
        words.append("--resume")
    before, start = os.times(), time.monotonic()
    print(f"$ {step.line}", flush=True)
    code = subprocess.run(words, cwd=folder).returncode
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return {"wall": time.monotonic() - start, "cpu": spent}, code


def table(all_steps: Sequence[Step], times: dict[str, dict[str, float]]) -> str:
    """Markdown: what each command took, and all of them together."""
    lines = ["| step | command | CPU time | wall time |", "|---|---|---:|---:|"]
    for step in all_steps:
        took = times.get(step.name)
        cells = [duration(took[k]) if took else "not measured" for k in ("cpu", "wall")]
        lines.append(f"| {step.name} | `{step.line}` | {' | '.join(cells)} |")
    if len(times) == len(all_steps):
        total = [duration(sum(t[k] for t in times.values())) for k in ("cpu", "wall")]
        lines.append(f"| **all** | | {' | '.join(total)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--scenes", type=int, default=100)
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument(
        "--set", action="append", default=[], help="of the recipe, as heatmark train takes it"
    )
    parser.add_argument("--page", type=Path, default=PAGE)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    kept = given.folder / "times.json"
    raw = json.loads(kept.read_text()) if kept.exists() else {}
    times, stopped = raw.get("done", {}), raw.get("stopped", {})
    more = " ".join(f"--set {shlex.quote(pair)}" for pair in given.set)
    wanted = steps(given.scenes, given.epochs, more)
    for step in wanted:
        if step.name not in times:
            took, code = run(step, given.folder)
            before = stopped.pop(step.name, {"wall": 0.0, "cpu": 0.0})
            took = {k: v + before[k] for k, v in took.items()}
            (stopped if code else times)[step.name] = took
            kept.write_text(json.dumps({"done": times, "stopped": stopped}, indent=1))
            if code:
                raise SystemExit(code)
    command = (
        f"python -m benchmarks.afternoon --folder FOLDER --scenes {given.scenes} --epochs {given.epochs}"
    )
    told = f"{table(wanted, times)}\n\n`{command}`, commit {commit()}, {machine()}."
    head, _, rest = given.page.read_text(encoding="utf-8").partition(BEGIN)
    tail = rest.partition(END)[2]
    given.page.write_text(f"{head}{BEGIN}\n\n{told}\n\n{END}{tail}", encoding="utf-8")
    print(told)


if __name__ == "__main__":
    runs.ended(main)
