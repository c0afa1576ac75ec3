"""Sheets to compare by eye: pictures of a dataset side by side, without labels.

    python -m benchmarks.sheets DATASET [--count 64] [--cell 112] [--out docs/sheets/hammer.jpg]

DATASET is a rendered folder (its copies are left out) or one of photographs. What tells a sheet of renderings
from a sheet of photographs is what a network trained on renderings will stumble over.
"""

import argparse
from itertools import islice
from pathlib import Path

from heatmark.data import open_dataset, sample
from heatmark.imaging import encode_jpeg
from heatmark.runtime.draw import contact_sheet

from .runs import ended

COPIES = ("occluder", "background", "pasted")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--cell", type=int, default=112)
    parser.add_argument("--columns", type=int, default=8)
    parser.add_argument("--out", type=Path, default=Path("sheet.jpg"))
    given = parser.parse_args()
    plain = (record for record in open_dataset(given.dataset) if record.extra.get("kind") not in COPIES)
    pictures = [sample(record).picture for record in islice(plain, given.count)]
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_bytes(encode_jpeg(contact_sheet(pictures, given.columns, given.cell), 82))
    print(f"{given.out}: {len(pictures)} pictures of {given.dataset}")


if __name__ == "__main__":
    ended(main)
