"""Pictures per second and memory of the path tracer: full scenes, as `heatmark render` makes them.

    python -m benchmarks.render_speed                     100 pictures of each variant that works here
    python -m benchmarks.render_speed --pictures 1000     what the claim of flat memory rests on

Each picture is invented (its object built anew), drawn, denoised, labelled and developed, the next one
prepared meanwhile, as `heatmark render` does it; nothing is written, and the paper's copies are not made.
CPU seconds say what a busy machine hides: two cores make at most 2 / (CPU seconds) pictures per second.
"""

import argparse
import os
import time
from pathlib import Path

import numpy as np

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


def measured(
    variant: str, pictures: int, size: int, samples: int, folders: dict[str, str | None]
) -> dict[str, float]:
    """Seconds a picture (median and mean), CPU seconds, and memory at a quarter of the way and at the end."""
    changes = {room: {"folder": folder} for room, folder in folders.items() if folder}
    wall, cpu, held = [], [], []
    for family in FAMILIES:
        studio = Studio(settings_of(family, changes), 0, (size, size), samples, variant, copies=0)
        start, spent = time.perf_counter(), time.process_time()
        for i, _ in enumerate(studio.many(range(WARM + pictures // len(FAMILIES)))):
            now, used = time.perf_counter(), time.process_time()
            if i >= WARM:
                wall.append(now - start)
                cpu.append(used - spent)
                held.append(resident_mb())
            start, spent = now, used
    return {
        "median": float(np.median(wall)),
        "mean": float(np.mean(wall)),
        "cpu": float(np.mean(cpu)),
        "early": held[len(held) // 4],
        "late": held[-1],
        "most": max(held),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=int, default=100)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--variant", action="append", help="default: all but scalar_rgb that work here")
    for room in ("light", "ground", "background"):
        parser.add_argument(f"--{room}", help="a folder of its own files")
    args = parser.parse_args()
    folders = {"light": args.light, "ground": args.ground, "background": args.background}
    what = f"{args.size} x {args.size}, {args.samples} samples, {args.pictures} pictures"
    print(f"{what}, {os.cpu_count()} cores\n")
    print("| variant | pictures/s | s/picture, median | CPU s/picture | MB at 1/4 | at the end | at most |")
    print("|---|---|---|---|---|---|---|")
    for variant in args.variant or VARIANTS[:2]:
        if why := works(variant):
            print(f"| {variant} | does not work here: {why}. {mending(variant)} |")
            continue
        got = measured(variant, args.pictures, args.size, args.samples, folders)
        speed = f"{1 / got['mean']:.2f} | {got['median']:.3f} | {got['cpu']:.3f}"
        print(f"| {variant} | {speed} | {got['early']:.0f} | {got['late']:.0f} | {got['most']:.0f} |")
    print(f"\nExpected with nothing else running: {EXPECTED}")


if __name__ == "__main__":
    main()
