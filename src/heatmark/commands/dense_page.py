"""The files of an evaluation of boxes: the page with its curves, counts and worst pictures, the tables, and
the numbers and answers for other programs.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from .. import data, reports
from ..imaging import encode_jpeg
from ..metrics.dense import OVERLAPS, answered
from ..types import Boxes

if TYPE_CHECKING:
    from .dense import DenseEvaluation

WORST, BEST = 9, 3  # pictures shown on the page
SIDE = 900  # px; longer side of an embedded picture
W, H, LEFT, RIGHT, TOP, BOTTOM = 560, 320, 48, 116, 12, 34  # px, of a drawing and its margins
SERIES = ("#2a7de1", "#e8622c", "#17a673", "#d99a00")
STYLE = """<style>
.shelf svg{aspect-ratio:auto;border-radius:8px;background:var(--card)}
.shelf .right{fill:none;stroke:#17c690;stroke-width:2}
.shelf .false{fill:none;stroke:#ff4a40;stroke-width:2}
.shelf .missed{fill:#ffd23f;fill-opacity:.28;stroke:#ffd23f;stroke-width:2;stroke-dasharray:5 4}
.shelves{display:grid;grid-template-columns:repeat(auto-fill,minmax(340px,1fr));gap:20px 16px}
</style>"""


def write(evaluation: "DenseEvaluation", folder: Path) -> None:
    """metrics.json, predictions.json, table.md, table.csv and report.html; the page last, so that where it is
    the rest is too.
    """
    tables = evaluation.tables
    words = "\n\n".join(f"{heading}\n\n{reports.markdown(rows)}" for heading, rows in tables.items())
    numbers = json.dumps(evaluation.to_dict(), indent=1, allow_nan=False)
    reports.write(folder / "metrics.json", numbers + "\n")
    reports.write(folder / "predictions.json", json.dumps(results(evaluation), allow_nan=False) + "\n")
    reports.write(folder / "table.md", words + "\n")
    reports.write(folder / "table.csv", reports.csv(next(iter(tables.values()))))
    reports.write(folder / "report.html", page(evaluation))


def results(evaluation: "DenseEvaluation") -> list[dict[str, Any]]:
    """Everything found, as COCO's results: x, y, w, h from the picture's edge."""
    rows = []
    for record, found in zip(evaluation.records, evaluation.found):
        sides = np.concatenate([found.boxes[:, :2], found.boxes[:, 2:] - found.boxes[:, :2]], 1)
        for box, score in zip(sides.round(2).tolist(), found.scores.round(4).tolist()):
            rows.append({"image_id": record.id, "category_id": 1, "bbox": box, "score": score})
    return rows


def page(evaluation: "DenseEvaluation") -> str:
    """The whole page."""
    s = evaluation.scores
    lead = (
        f"{s.boxes:,} boxes in {s.pictures:,} pictures of {evaluation.dataset}, looked for in whole pictures."
    )
    order = np.argsort([agreement(*pair) for pair in _sure_pairs(evaluation)], kind="stable")
    few, tables = min(WORST, (len(order) + 1) // 2), evaluation.tables.items()
    parts = [
        STYLE,
        _tiles(evaluation),
        *reports.notes(evaluation.notes),
        "<div class=two>",
        reports.chart(
            "Precision over recall",
            "by how much a box must overlap its label (IoU)",
            precision_curves(s.precision),
        ),
        reports.chart(
            "How many are there",
            "each dot a picture: counted over labelled; on the line it is right",
            counts_chart([len(t) for t in evaluation.truth], evaluation.counted),
        ),
        "</div>",
        *(f"<h2>{escape(name)}</h2>{reports.table_html(rows, {})}" for name, rows in tables),
        *_pictures("The worst pictures", evaluation, order[:few]),
        *_pictures("The best", evaluation, order[few:][::-1][:BEST]),
        reports.facts_html({"The model": _model_facts(evaluation)}),
        f"<footer>{escape(HOW)}</footer>",
    ]  # fmt: skip
    title = f"{evaluation.card.name}: boxes on {Path(evaluation.dataset).name}"
    return reports.document(title, lead, parts)


HOW = (
    "AP and AR300 are the means over the overlaps 0.5 to 0.95, as SKU-110K's evaluation has them: one class,"
    " all areas, the 300 surest boxes of a picture. A box is right that overlaps a label by 0.5 or more which"
    " no surer box has taken. Pictures are ranked by F1: twice the right ones over all found and all labelled"
    " ones."
)


def agreement(found: Boxes, truth: Boxes) -> float:
    """F1 at an overlap of 0.5: 2 right / (found + labelled); 1 where there is nothing, and nothing is found.

    >>> agreement(Boxes(np.array([[0.0, 0, 4, 4]])), Boxes(np.array([[0.0, 0, 4, 4], [9, 0, 13, 4]])))
    0.6666666666666666
    """
    right = int((answered(found, truth) >= 0).sum())
    every = len(found) + len(truth)
    return 2 * right / every if every else 1.0


def _sure_pairs(evaluation: "DenseEvaluation") -> list[tuple[Boxes, Boxes]]:
    return [(f[f.scores >= evaluation.sure], t) for f, t in zip(evaluation.found, evaluation.truth)]


def _tiles(evaluation: "DenseEvaluation") -> str:
    s, (by, counting) = evaluation.scores, min(evaluation.counting.items(), key=lambda one: one[1]["MAE"])
    facts = [
        ("AP", reports.per_cent(s.ap), "per cent, IoU 0.5 to 0.95"),
        ("AP50", reports.per_cent(s.ap50), f"per cent; AP75 {reports.per_cent(s.ap75)}"),
        ("AR300", reports.per_cent(s.ar300), f"per cent; at 0.5 {reports.per_cent(s.ar300_50)}"),
        ("counts are off by", f"{counting['MAE']:.1f}", f"a picture, by {by}"),
    ]
    return reports.tiles(facts)


def _at(x: float, y: float) -> tuple[float, float]:
    """Shares of the axes -> px of a drawing."""
    return LEFT + x * (W - LEFT - RIGHT), TOP + (1 - y) * (H - TOP - BOTTOM)


def precision_curves(precision: np.ndarray) -> str:
    """Precision over recall at a few overlaps, and of all in the mean, as SVG.

    Args:
        precision: (overlaps, recalls), see `DenseScores`.
    """
    ticks = [(i / 5, f"{20 * i}") for i in range(6)]
    drawn, labels = [reports.axes(W, H, LEFT, RIGHT, TOP, BOTTOM, ticks, "recall, per cent")], []
    lines = [(f"IoU {o:g}", precision[OVERLAPS.index(o)]) for o in (0.5, 0.75, 0.9)]
    for (name, row), colour in zip([*lines, ("mean", precision.mean(0))], (*SERIES[:3], "var(--ink)")):
        if not np.isfinite(row).all():
            continue
        row, recalls = row.tolist(), np.linspace(0, 1, len(row)).tolist()
        path = "L".join("{:.1f},{:.1f}".format(*_at(*point)) for point in zip(recalls, row))
        drawn.append(f'<path d="M{path}" fill=none stroke="{colour}" stroke-width=2.5 />')
        labels.append((_at(0, float(np.mean(row)))[1], name, colour))
    for y, name, colour in reports.apart(labels, 14, TOP, H - BOTTOM):
        drawn.append(f'<text x={W - RIGHT + 8} y="{y + 4:.1f}" fill="{colour}">{name}</text>')
    return f'<svg viewBox="0 0 {W} {H}" role=img aria-label="Precision over recall">{"".join(drawn)}</svg>'


def counts_chart(labelled: Sequence[int], counted: Mapping[str, Sequence[int]]) -> str:
    """A dot for each picture, counted over labelled, in a colour for each way of counting, as SVG."""
    most = max([1, *labelled, *(n for row in counted.values() for n in row)])
    ticks = [(i / 4, f"{round(most * i / 4)}") for i in range(5)]
    drawn = [reports.axes(W, H, LEFT, RIGHT, TOP, BOTTOM, ticks, "labelled", ticks)]
    (x0, y0), (x1, y1) = _at(0, 0), _at(1, 1)
    drawn.append(f'<path class=mark d="M{x0},{y0}L{x1},{y1}"/>')
    for i, ((by, numbers), colour) in enumerate(zip(counted.items(), SERIES)):
        for true, found in zip(labelled, numbers):
            x, y = _at(true / most, found / most)
            tip = f"<title>{found} of {true}</title>"
            drawn.append(
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r=4 fill="{colour}" fill-opacity=.7>{tip}</circle>'
            )
        for j, word in enumerate(by.split(" of ")):  # a name a line or two long
            y = TOP + 14 + 40 * i + 15 * j
            drawn.append(f'<text x={W - RIGHT + 8} y={y} fill="{colour}">{escape(word)}</text>')
    return f'<svg viewBox="0 0 {W} {H}" role=img aria-label="Counts">{"".join(drawn)}</svg>'


def _pictures(title: str, evaluation: "DenseEvaluation", which: np.ndarray) -> list[str]:
    if not len(which):
        return []
    cards, pairs = [], _sure_pairs(evaluation)
    for n in which.tolist():
        record, (found, truth) = evaluation.records[n], pairs[n]
        right = int((answered(found, truth) >= 0).sum())
        words = f"{len(found) - right} false, {len(truth) - right} missed"
        badge = f"<b>{right} of {len(truth)} found</b> {words}"
        file = f'<small title="{escape(record.name)}">{escape(record.name)}</small>'
        drawing = picture_svg(data.sample(record).picture, found, truth)
        cards.append(f"<figure class=case>{drawing}<figcaption>{badge}{file}</figcaption></figure>")
    legend = (
        f"boxes of score {evaluation.sure:.2f} and more, where precision and recall agree best on this data:"
        " green is right, red is false, yellow and dashed is missed"
    )
    return [f"<h2>{title}</h2><p class=legend>{legend}</p><div class='shelves shelf'>{''.join(cards)}</div>"]


def picture_svg(picture: np.ndarray, found: Boxes, truth: Boxes) -> str:
    """A picture with what is right, false and missed, as SVG."""
    scale = min(SIDE / max(picture.shape[:2]), 1.0)
    size = (round(picture.shape[1] * scale), round(picture.shape[0] * scale))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA) if scale < 1 else picture
    jpeg = base64.b64encode(encode_jpeg(small, 80)).decode()
    labels = answered(found, truth)
    missed = np.setdiff1d(np.arange(len(truth)), labels)
    kinds = {
        "missed": truth.boxes[missed],
        "false": found.boxes[labels < 0],
        "right": found.boxes[labels >= 0],
    }
    outlines = "".join(_outlined(kind, boxes * scale) for kind, boxes in kinds.items())
    w, h = size
    image = f'<image href="data:image/jpeg;base64,{jpeg}" width={w} height={h} />'
    return f'<svg viewBox="0 0 {w} {h}" role=img>{image}{outlines}</svg>'


def _outlined(kind: str, boxes: np.ndarray) -> str:
    """All boxes (N, 4) of a kind as one path."""
    d = "".join(f"M{x1:.1f},{y1:.1f}H{x2:.1f}V{y2:.1f}H{x1:.1f}Z" for x1, y1, x2, y2 in boxes.tolist())
    return f'<path class={kind} d="{d}"/>' if d else ""


def _model_facts(evaluation: "DenseEvaluation") -> dict[str, Any]:
    card = evaluation.card
    return {
        "file": evaluation.model,
        "network": card.model,
        "input": f"{card.size[1]} x {card.size[0]} px",
        "boxes": str(card.decoding),
        "licence": card.licence,
        "limits": card.limits,
        "took": f"{evaluation.seconds:.1f} s of the network",
    }
