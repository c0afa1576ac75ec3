"""Numbers to tables: rows of text, the head first; as Markdown or CSV. Shares are written in per cent."""

import csv as csv_format
import io
from collections.abc import Sequence

import numpy as np

from ..metrics.oks import AveragePrecision
from ..metrics.pck import PCK
from ..metrics.pckh import PCKh
from ..metrics.posetrack import PoseTrackAP

SHOWN_AT = (0.05, 0.1, 0.2)  # alphas of the tables


def rows(result: PCK) -> list[list[str]]:
    """The table of a result as text, the head first: a row a landmark, all of them last. In per cent.

    >>> from heatmark.metrics import pck
    >>> from heatmark.types import Poses, Skeleton
    >>> true = Poses(Skeleton("hammer", ("face",)), [[[10, 10]]], boxes=np.array([[0.0, 0.0, 100.0, 40.0]]))
    >>> for row in rows(pck([true], [true])): print(row[:5])
    ['landmark', 'labelled', 'PCK@0.05', 'PCK@0.1', 'PCK@0.2']
    ['face', '1', '100.0', '100.0', '100.0']
    """
    head = ["landmark", "labelled", *(f"PCK@{a:g}" for a in SHOWN_AT), f"AUC@{max(result.alphas):g}"]
    table = [[*head, "error px", "error %", "median %", "not found"]]
    ones = [result.landmark(name) for name in result.landmarks] if len(result.landmarks) > 1 else []
    for name, one in [
        *zip(result.landmarks, ones),
        ("".join(result.landmarks) if len(result.landmarks) == 1 else "all", result),
    ]:
        shares = [per_cent(one.at(a)) for a in SHOWN_AT]
        errors = [number(one.error_px), per_cent(one.error), per_cent(one.median)]
        table.append([name, str(one.counted), *shares, per_cent(one.area), *errors, str(one.nonfinite)])
    return table


def people_tables(
    oks: AveragePrecision, pckh: PCKh | None = None, posetrack: PoseTrackAP | None = None
) -> dict[str, list[list[str]]]:
    """COCO's, MPII's and PoseTrack's numbers as they are published, heading -> table, in per cent."""
    numbers = oks.metrics()
    tables = {"OKS": [["people", *numbers], [f"{oks.instances:,}", *map(_share, numbers.values())]]}
    if pckh is not None:
        shares = pckh.metrics()
        tables["PCKh"] = [["people", *shares], [f"{len(pckh.fractions):,}", *map(_share, shares.values())]]
    if posetrack is not None:
        shares = posetrack.metrics()
        tables["PoseTrack"] = [["frames", *shares], [f"{posetrack.frames:,}", *map(_share, shares.values())]]
    each = sorted(oks.per_landmark.items(), key=lambda one: -np.nan_to_num(one[1], nan=-1))
    tables["AP of each landmark alone"] = [["landmark", "AP"], *([n, per_cent(ap)] for n, ap in each)]
    return tables


def _share(value: float | None) -> str:
    return per_cent(np.nan if value is None else value)


def markdown(table: Sequence[Sequence[str]]) -> str:
    """A table as Markdown: the first column to the left, the others to the right.

    >>> print(markdown([["model", "PCK"], ["hammer", "91.0"]]))
    | model | PCK |
    |---|---:|
    | hammer | 91.0 |
    """
    lines = [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in table]
    return "\n".join([lines[0], "|---|" + "---:|" * (len(table[0]) - 1), *lines[1:]])


def csv(table: Sequence[Sequence[str]]) -> str:
    """A table as CSV (RFC 4180)."""
    text = io.StringIO()
    csv_format.writer(text).writerows(table)
    return text.getvalue()


def per_cent(share: float) -> str:
    """A fraction as people read it: 0.8312 -> '83.1'; '-' for none."""
    return number(100 * share)


def number(value: float) -> str:
    return f"{value:.1f}" if np.isfinite(value) else "-"
