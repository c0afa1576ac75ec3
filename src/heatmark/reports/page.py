"""One HTML page that opens from disk and asks nothing of any other host.

The page is text, inline SVG and embedded JPEGs; no script, no plotting library: the core install does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

import numpy as np

from ..data.records import write_whole
from ..metrics.pck import PCK
from .drawings import COLOURS, Case, case_picture, error_histogram, off_by, pck_curves
from .tables import number, per_cent, rows

STYLE = Path(__file__).with_name("style.css")


@dataclass(frozen=True)
class Page:
    """Everything a report shows, in the order it shows it."""

    title: str
    lead: str  # one sentence: what was measured on what
    result: PCK
    counts: Mapping[str, int]
    notes: Sequence[str] = ()
    worst: Sequence[Case] = ()
    best: Sequence[Case] = ()
    facts: Mapping[str, Mapping[str, object]] = field(default_factory=dict)  # heading -> rows
    tables: Mapping[str, Sequence[Sequence[str]]] = field(default_factory=dict)  # the same, shown first


def ranked(result: PCK) -> np.ndarray:
    """(M,) instances with anything counted, the worst first by mean fraction, where not found counts as 1."""
    fractions = np.minimum(result.fractions, 1.0)
    counted = ~np.isnan(fractions)
    mean = np.where(counted, fractions, 0).sum(1) / np.maximum(counted.sum(1), 1)
    order = np.argsort(-mean, kind="stable")
    return order[(counted.sum(1) > 0)[order]]


def html(page: Page) -> str:
    """The whole page."""
    colours = {name: COLOURS[k % len(COLOURS)] for k, name in enumerate(page.result.landmarks)}
    parts = [
        *(f"<h2>{escape(name)}</h2>{table_html(table, colours)}" for name, table in page.tables.items()),
        _tiles(page.result, page.counts),
        *notes(page.notes),
        "<div class=two>",
        chart(
            "Correct landmarks at every threshold",
            "distance below alpha × the longer side of the box",
            pck_curves(page.result, colours),
        ),
        chart(
            "How far off the landmarks are",
            f"distance in per cent of the longer side; from {page.result.correct_at:.0%} on it is wrong",
            error_histogram(page.result),
        ),
        "</div>",
        "<h2>Every landmark</h2>" + table_html(rows(page.result), colours),
        *_hidden(page.result),
        *_cases("The worst", page.worst, colours, page.result.correct_at),
        *_cases("The best", page.best, colours, page.result.correct_at),
        facts_html(page.facts),
        f"<footer>{escape(_how(page.result))}</footer>",
    ]
    return document(page.title, page.lead, parts)


def document(title: str, lead: str, parts: Sequence[str]) -> str:
    """A page of these parts, whole: it opens from disk and asks nothing of any other host."""
    header = f"<header><h1>{escape(title)}</h1><p class=lead>{escape(lead)}</p></header>"
    style = f"<style>\n{STYLE.read_text(encoding='utf-8')}</style>"
    meta = '<meta charset=utf-8><meta name=viewport content="width=device-width,initial-scale=1">'
    head = f"<!doctype html><html lang=en><head>{meta}<title>{escape(title)}</title>{style}</head>"
    return head + "<body><main>" + "\n".join([header, *parts]) + "</main></body></html>\n"


def write(path: Path, text: str) -> Path:
    """Write a text file whole or not at all, making its folder."""
    write_whole(path, text.encode())
    return path


def chart(title: str, says: str, svg: str) -> str:
    """A drawing under its title and what it says."""
    return f"<figure><figcaption><b>{title}</b><br>{says}</figcaption>{svg}</figure>"


def _cases(title: str, cases: Sequence[Case], colours: Mapping[str, str], correct_at: float) -> list[str]:
    if not cases:
        return []
    legend = "rings: where the landmarks are; dots: where they were found"
    names = "".join(
        f'<span class=key><i style="background:{c}"></i>{escape(n)}</span>' for n, c in colours.items()
    )
    cards = []
    for case in cases:
        counted = np.flatnonzero(~np.isnan(case.fractions)).tolist()
        right = int((case.fractions[counted] < correct_at).sum())
        worst_first = sorted(counted, key=lambda k: -case.fractions[k])
        words = " · ".join(f"{case.truth.skeleton.landmarks[k]} {off_by(case, k)}" for k in worst_first[:4])
        more = f" · {len(counted) - 4} more" if len(counted) > 4 else ""
        badge = f"<b class={'good' if right == len(counted) else 'bad'}>{right} of {len(counted)} correct</b>"
        picture = case_picture(case, colours, correct_at)
        file = f'<small title="{escape(case.name)}">{escape(case.name)}</small>'
        says = f"<figcaption>{badge} {escape(words + more)}{file}</figcaption>"
        cards.append(f"<figure class=case>{picture}{says}</figure>")
    return [f"<h2>{title}</h2><p class=legend>{legend} {names}</p><div class=cases>{''.join(cards)}</div>"]


def _tiles(result: PCK, counts: Mapping[str, int]) -> str:
    alpha = result.correct_at
    spread = result.uncertainty(alpha)
    exact = f"± {100 * spread:.1f} (95 %, over instances)" if np.isfinite(spread) else "of all landmarks"
    error = f"of the box, or {number(result.error_px)} px"
    facts = [
        (f"PCK@{alpha:g}", f"{per_cent(result.at(alpha))}<small>%</small>", exact),
        (f"AUC@{max(result.alphas):g}", f"{per_cent(result.area)}<small>%</small>", "area under the curve"),
        ("mean error of the correct ones", f"{per_cent(result.error)}<small>%</small>", error),
        ("scored", f"{result.counted:,}", f"landmarks in {counts.get('pictures', 0):,} pictures"),
    ]  # fmt: skip
    return tiles(facts)


def tiles(facts: Sequence[tuple[str, str, str]]) -> str:
    """Numbers in large type, each (HTML) with its name above and a remark below."""
    cells = (f"<div class=tile><span>{n}</span><strong>{v}</strong><em>{t}</em></div>" for n, v, t in facts)
    return f"<div class=tiles>{''.join(cells)}</div>"


def notes(lines: Sequence[str]) -> list[str]:
    """Remarks, each a paragraph and a sentence."""
    return [f"<p class=note>{escape(line[:1].upper() + line[1:])}.</p>" for line in lines]


def table_html(table: Sequence[Sequence[str]], colours: Mapping[str, str]) -> str:
    """A table, the head first; rows whose name has a colour get a dot of it."""
    head = "".join(f"<th>{escape(cell)}</th>" for cell in table[0])
    body = []
    for row in table[1:]:
        dot = f'<i style="background:{colours[row[0]]}"></i>' if row[0] in colours else ""
        cells = "".join(f"<td>{escape(cell)}</td>" for cell in row[1:])
        kind = "" if not colours or row[0] in colours else " class=all"
        body.append(f"<tr{kind}><th>{dot}{escape(row[0])}</th>{cells}</tr>")
    return (
        f"<div class=scroll><table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
    )


def _hidden(result: PCK) -> list[str]:
    if result.hidden is None or not result.hidden.counted:
        return []
    return ["<h2>Hidden landmarks alone</h2>", table_html(rows(result.hidden), {})]


def facts_html(facts: Mapping[str, Mapping[str, object]]) -> str:
    """Headings with names and values below."""
    sections = []
    for heading, lines in facts.items():
        body = "".join(
            f"<dt>{escape(str(k))}</dt><dd>{escape(str(v))}</dd>" for k, v in lines.items() if str(v)
        )
        sections.append(f"<section><h2>{escape(heading)}</h2><dl>{body}</dl></section>")
    return f"<div class=two>{''.join(sections)}</div>" if sections else ""


def _how(result: PCK) -> str:
    return (
        "PCK@alpha is the share of landmarks found closer to the truth than alpha times the longer side of"
        " the object's box. Absent landmarks do not count; one that was not found is a miss."
        " Interchangeable landmarks are matched so that the sum of distances is least. Mean errors are over"
        f" the landmarks that are correct at {result.correct_at:g}."
    )
