"""The files of an evaluation: the page, the tables, and the numbers and answers for other programs."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import data, reports

if TYPE_CHECKING:
    from .evaluate import Evaluation

WORST, BEST = 12, 8  # instances shown on the page


def write(evaluation: "Evaluation", folder: Path) -> None:
    """Everything `out` asks for; the page last, so that where it is, the rest is too."""
    order = reports.ranked(evaluation.result)
    few = min(WORST, (len(order) + 1) // 2)
    tables = evaluation.tables
    every = "\n\n".join(f"{heading}\n\n{reports.markdown(table)}" for heading, table in tables.items())
    *people, (_, table) = tables.items()
    what = "PCK" if evaluation.oks is None else "people"
    page = reports.Page(
        f"{evaluation.card.name}: {what} on {Path(evaluation.dataset).name}",
        _lead(evaluation),
        evaluation.result,
        evaluation.counts,
        evaluation.notes,
        [_case(evaluation, n) for n in order[:few]],
        [_case(evaluation, n) for n in order[few:][::-1][:BEST]],
        {"The model": _model_facts(evaluation), "The data": _data_facts(evaluation)},
        dict(people),
    )
    answers = json.dumps(evaluation.predictions(), allow_nan=False)
    reports.write(folder / "metrics.json", json.dumps(evaluation.to_dict(), indent=1, allow_nan=False) + "\n")
    reports.write(folder / "predictions.json", answers + "\n")
    reports.write(folder / "table.md", (every if people else reports.markdown(table)) + "\n")
    reports.write(folder / "table.csv", reports.csv(table))
    reports.write(folder / "report.html", reports.html(page))


def _case(evaluation: "Evaluation", n: int) -> reports.Case:
    """Instance n of all, cut out of its picture."""
    picture, instance = evaluation.where(n)
    record = evaluation.records[picture]
    truth, found = evaluation.truth[picture][instance], evaluation.found[picture][instance]
    shown = reports.cut(data.sample(record).picture, truth, found)
    name = record.name if len(record.poses) == 1 else f"{record.name}, instance {instance + 1}"
    result = evaluation.result
    return reports.Case(name, *shown, result.fractions[n], result.distances[n], result.matched[n])


def _lead(evaluation: "Evaluation") -> str:
    looked = {"truth": "looked for in their labelled boxes", "whole": "looked for in whole pictures"}
    boxes = (evaluation.settings or {}).get("boxes", "truth")
    counts = evaluation.counts
    where = looked.get(boxes, f"in the boxes of {boxes}")
    return (
        f"{counts['instances']} instances in {counts['pictures']} pictures of {evaluation.dataset}, {where}."
    )


def _model_facts(evaluation: "Evaluation") -> dict[str, Any]:
    card = evaluation.card
    trained = ", ".join(f"{k}: {v}" for k, v in card.data.items() if isinstance(v, (str, int, float)))
    size = f"{card.size[1]} x {card.size[0]} px"
    network = {
        "file": evaluation.model,
        "network": card.model,
        "input": size,
        "map": f"1/{card.stride} of it",
    }
    return network | {
        "points": str(card.decoding),
        "trained on": trained,
        "licence": card.licence,
        "limits": card.limits,
    }


def _data_facts(evaluation: "Evaluation") -> dict[str, Any]:
    counts = evaluation.counts
    states = f"{counts['seen']} seen, {counts['hidden']} hidden, {counts['absent']} absent"
    settings = dict(evaluation.settings or {})
    seconds = settings.pop("seconds", 0.0)
    facts = {"folder": evaluation.dataset, "pictures": counts["pictures"], "instances": counts["instances"]}
    took = f"{seconds:.1f} s, {1e3 * seconds / max(counts['instances'], 1):.0f} ms an instance"
    return facts | {"landmarks": states} | settings | {"took": took}
