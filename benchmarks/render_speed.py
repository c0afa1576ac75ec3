"""Pictures per second and memory of the path tracer: full scenes, as `heatmark render` makes them.

    python -m benchmarks.render_speed                     100 pictures of each variant that works here
    python -m benchmarks.render_speed --pictures 1000 --out docs/render_speed.md     what docs holds

Each picture is invented (its object built anew), drawn, denoised, labelled and developed, the next one
prepared meanwhile, as `heatmark render` does it; nothing is written, and the paper's copies are not made.
CPU seconds say what a busy machine hides: two cores make at most 2 / (CPU seconds) pictures per second.
Stopped by Ctrl-C, it tells of the pictures made until then.
"""

import argparse
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.rows import commit, machine
from heatmark.synth.render import VARIANTS, mending, works
from heatmark.synth.settings import settings_of
from heatmark.synth.studio import Studio

EXPECTED = {
    "llvm_ad_rgb": 3.0
}  # pictures per second at 224 x 224, 16 samples, on 2 cores with nothing else to do
FAMILIES = ("hammer", "screwdriver", "wrench", "combination_wrench")
WARM = 10  # pictures of each family that are not counted: kernels are compiled, caches filled


def resident_mb() -> float:
    """Memory this process holds, MB; 0 where the system does not say."""
    status = Path("/proc/self/statm")
    return int(status.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6 if status.exists() else 0.0


def busy_seconds() -> float:
    """CPU seconds that all processes of this machine have spent; 0 where the system does not say."""
    stat = Path("/proc/stat")
    if not stat.exists():
        return 0.0
    ticks = [int(n) for n in stat.read_text().split("\n")[0].split()[1:8]]
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")  # less idling and waiting for disks


@dataclass
class Spent:
    """What each picture took, in the order they were made."""

    wall: list[float] = field(default_factory=list)  # seconds
    cpu: list[float] = field(default_factory=list)
    held: list[float] = field(default_factory=list)  # MB, after it
    others: list[float] = field(default_factory=list)  # CPU seconds of other processes meanwhile

    def row(self, variant: str) -> str:
        """Its line of the table."""
        quarters = [self.held[max(len(self.held) * k // 4 - 1, 0)] for k in (1, 2, 3, 4)]
        memory = " | ".join(f"{mb:.0f}" for mb in (*quarters, max(self.held)))
        speed = (
            f"{len(self.wall) / sum(self.wall):.2f} | {np.median(self.wall):.3f} | {np.mean(self.cpu):.3f}"
        )
        load = f"{sum(self.others) / sum(self.wall):.1f}"
        return f"| {variant} | {len(self.wall)} | {speed} | {load} | {memory} |"


def measured(
    variant: str,
    pictures: int,
    size: int,
    samples: int,
    folders: dict[str, str | None],
    families: Sequence[str] = FAMILIES,
) -> Spent:
    """What pictures of the families took, one after the other, the first few of each not counted."""
    changes = {room: {"folder": folder} for room, folder in folders.items() if folder}
    spent = Spent()
    try:
        for family in families:
            studio = Studio(settings_of(family, changes), 0, (size, size), samples, variant, copies=0)
            then = (time.perf_counter(), time.process_time(), busy_seconds())
            for i, _ in enumerate(studio.many(range(WARM + pictures // len(families)))):
                now = (time.perf_counter(), time.process_time(), busy_seconds())
                wall, cpu, busy = (b - a for a, b in zip(then, now))
                if i >= WARM:
                    spent.wall.append(wall)
                    spent.cpu.append(cpu)
                    spent.others.append(max(busy - cpu, 0.0))
                    spent.held.append(resident_mb())
                then = now
    except KeyboardInterrupt:
        if not spent.wall:
            raise
    return spent


HEAD = """# How fast pictures are made

Full scenes of the four families, each picture another tool, with clutter, photographs as grounds and backgrounds and environment maps,
at {size} x {size} with {samples} samples, denoised; nothing is written, copies (a few milliseconds each) not counted:

    python -m benchmarks.render_speed --pictures {pictures} --light FOLDER --ground FOLDER --background FOLDER --out docs/render_speed.md

"""  # noqa: E501
TABLE = """| variant | pictures | pictures/s | s/picture, median | CPU s/picture | others' cores | MB at 1/4 | 1/2 | 3/4 | end | at most |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"""  # noqa: E501
TAIL = """
"Others' cores": how many of the machine's cores other processes kept busy meanwhile. Where that is not 0,
pictures/s says little, and 2 / (CPU s/picture) is what two cores make with nothing else to do. Memory is that
of one process over all pictures of a row.

Commit {commit}, {machine}.
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=int, default=100)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--variant", action="append", help="default: all but scalar_rgb that work here")
    parser.add_argument("--family", action="append", choices=FAMILIES, help="default: a quarter of each")
    for room in ("light", "ground", "background"):
        parser.add_argument(f"--{room}", help="a folder of its own files")
    parser.add_argument("--out", type=Path, help="write the page here too")
    args = parser.parse_args()
    folders = {"light": args.light, "ground": args.ground, "background": args.background}
    rows = []
    for variant in args.variant or VARIANTS[:2]:
        if why := works(variant):
            print(f"{variant} does not work here: {why}. {mending(variant)}")
            continue
        rows.append(
            measured(variant, args.pictures, args.size, args.samples, folders, args.family or FAMILIES).row(
                variant
            )
        )
    text = "\n".join([TABLE, *rows]) + "\n" + TAIL.format(commit=commit(), machine=machine())
    print(f"{text}\nExpected with nothing else running: {EXPECTED}")
    if args.out:
        head = HEAD.format(size=args.size, samples=args.samples, pictures=args.pictures)
        args.out.write_text(head + text, encoding="utf-8")


if __name__ == "__main__":
    main()
