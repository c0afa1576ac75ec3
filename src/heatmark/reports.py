"""Numbers to tables, curves and one HTML page that opens from disk and asks nothing of any other host.

The page is text, inline SVG and embedded JPEGs; no script, no plotting library: the core install does.
"""

import base64
import csv as csv_format
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

import cv2
import numpy as np

from .data.records import write_whole
from .geometry import enlarged
from .imaging.decode import encode_jpeg
from .metrics.oks import AveragePrecision
from .metrics.pck import PCK
from .metrics.pckh import PCKh
from .types import Poses

# One colour a landmark: far apart for most colour-blind eyes, strong enough for photographs and both grounds.
COLOURS = ("#2a7de1", "#e8622c", "#17a673", "#d99a00", "#8a5cf0", "#dd4477", "#14a3b8", "#7a8f1d")
SIDE = 640  # px; longer side of an embedded picture
MANY = 8  # landmarks from which on the curves are not coloured one by one
SHOWN_AT = (0.05, 0.1, 0.2)  # alphas of the tables


@dataclass(frozen=True)
class Case:
    """One instance to look at: a cut of its picture, the truth and the answer in the cut's own pixels."""

    name: str
    picture: np.ndarray  # (h, w, 3) uint8 RGB
    truth: Poses  # one instance
    found: Poses  # one instance
    fractions: np.ndarray  # (K,) distance over the longer side of the box; inf not found; NaN not counted
    distances: np.ndarray  # (K,) the same in picture pixels
    matched: np.ndarray  # (K,) int: which predicted landmark stands for each true one


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
    tables: Mapping[str, Sequence[Sequence[str]]] = field(
        default_factory=dict
    )  # heading -> rows, shown first


def cut(
    picture: np.ndarray, truth: Poses, found: Poses, margin: float = 1.5
) -> tuple[np.ndarray, Poses, Poses]:
    """The part of a picture that shows an instance's box and what was found, SIDE px long; points follow."""
    h, w = picture.shape[:2]
    all_points = np.concatenate([truth.points[0], found.points[0], truth.boxes[0].reshape(2, 2)])
    there = np.clip(all_points[np.isfinite(all_points).all(-1)], *_reach(truth, h, w))
    low, high = (there.min(0), there.max(0)) if len(there) else (np.zeros(2), np.array([w, h]))
    middle, half = (low + high) / 2, np.full(2, max((high - low).max() / 2 * margin, 32))
    x1, y1 = np.clip(np.floor(middle - half), 0, [w - 1, h - 1]).astype(int)
    x2, y2 = np.clip(np.ceil(middle + half), [x1 + 1, y1 + 1], [w, h]).astype(int)
    part = picture[y1:y2, x1:x2]
    scale = SIDE / max(x2 - x1, y2 - y1)
    size = (max(round((x2 - x1) * scale), 1), max(round((y2 - y1) * scale), 1))
    ratio, corner = np.divide(size, (x2 - x1, y2 - y1)), np.array([x1, y1])
    part = cv2.resize(part, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)

    def into(poses: Poses) -> Poses:
        boxes = (poses.boxes.reshape(-1, 2, 2) - corner) * ratio
        return poses.moved((poses.points - corner) * ratio, boxes.reshape(-1, 4))

    return part, into(truth), into(found)


def _reach(truth: Poses, h: int, w: int) -> tuple[np.ndarray, np.ndarray]:
    """How far around an instance a far-off point may widen its cut: its box enlarged, inside the picture."""
    around = enlarged(truth.boxes[0], 2.5)
    low, high = (around[:2], around[2:]) if np.isfinite(around).all() else (np.zeros(2), np.array([w, h]))
    return np.clip(low, 0, [w - 1, h - 1]), np.clip(high, 1, [w, h])


def ranked(result: PCK) -> np.ndarray:
    """(M,) instances with anything counted, the worst first by mean fraction, where not found counts as 1."""
    fractions = np.minimum(result.fractions, 1.0)
    counted = ~np.isnan(fractions)
    mean = np.where(counted, fractions, 0).sum(1) / np.maximum(counted.sum(1), 1)
    order = np.argsort(-mean, kind="stable")
    return order[(counted.sum(1) > 0)[order]]


def rows(result: PCK) -> list[list[str]]:
    """The table of a result as text, the head first: a row a landmark, all of them last. In per cent.

    >>> from heatmark.metrics import pck
    >>> from heatmark.types import Skeleton
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
        errors = [_number(one.error_px), per_cent(one.error), per_cent(one.median)]
        table.append([name, str(one.counted), *shares, per_cent(one.area), *errors, str(one.nonfinite)])
    return table


def people_tables(oks: AveragePrecision, pckh: PCKh | None = None) -> dict[str, list[list[str]]]:
    """COCO's and MPII's numbers as they are published, heading -> table, in per cent."""
    numbers = oks.metrics()
    tables = {"OKS": [["people", *numbers], [f"{oks.instances:,}", *map(_share, numbers.values())]]}
    if pckh is not None:
        shares = pckh.metrics()
        tables["PCKh"] = [["people", *shares], [f"{len(pckh.fractions):,}", *map(_share, shares.values())]]
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
    return _number(100 * share)


def html(page: Page) -> str:
    """The whole page."""
    colours = {name: COLOURS[k % len(COLOURS)] for k, name in enumerate(page.result.landmarks)}
    parts = [
        *(f"<h2>{escape(name)}</h2>{table_html(table, colours)}" for name, table in page.tables.items()),
        _tiles(page.result, page.counts),
        *(f"<p class=note>{escape(note[:1].upper() + note[1:])}.</p>" for note in page.notes),
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
    style = f"<style>{STYLE}</style>"
    meta = '<meta charset=utf-8><meta name=viewport content="width=device-width,initial-scale=1">'
    head = f"<!doctype html><html lang=en><head>{meta}<title>{escape(title)}</title>{style}</head>"
    return head + "<body><main>" + "\n".join([header, *parts]) + "</main></body></html>\n"


def write(path: Path, text: str) -> Path:
    """Write a text file whole or not at all, making its folder."""
    write_whole(path, text.encode())
    return path


def pck_curves(result: PCK, colours: Mapping[str, str]) -> str:
    """PCK over alpha, one line a landmark and a heavy one for all, named at their right ends."""
    w, h, left, right, top, bottom = 560, 320, 40, 104, 12, 34
    largest = max(result.alphas)
    alphas = np.linspace(0, largest, 81)[1:]

    def at(alpha: float, share: float) -> str:
        return (
            f"{left + alpha / largest * (w - left - right):.1f},{top + (1 - share) * (h - top - bottom):.1f}"
        )

    lines = [
        axes(w, h, left, right, top, bottom, [(a / largest, f"{a:g}") for a in _ticks(largest)], "alpha")
    ]
    cross = at(result.correct_at, 0).split(",")[0]
    if result.correct_at <= largest:
        lines.append(f'<path class=mark d="M{cross},{top}V{h - bottom}"/>')
    labels: list[tuple[float, str, str, bool]] = []
    ones = [(n, result.landmark(n)) for n in result.landmarks] if len(result.landmarks) > 1 else []
    named = len(ones) <= MANY
    for name, one, heavy in [*((n, o, False) for n, o in ones), ("all", result, True)]:
        if not one.counted:
            continue
        shares = [one.at(a) for a in alphas]
        colour = "var(--ink)" if heavy else colours[name] if named else "var(--faint)"
        path = "L".join(at(a, s) for a, s in zip([0.0, *alphas], [0.0, *shares]))
        tip = (
            f"<title>{escape(name)}: {per_cent(one.at(result.correct_at))} % at {result.correct_at:g}</title>"
        )
        lines.append(
            f'<path d="M{path}" fill=none stroke="{colour}" stroke-width={3 if heavy else 2}>{tip}</path>'
        )
        if heavy or named:
            labels.append((float(at(0, shares[-1]).split(",")[1]), f"{name}", colour, heavy))
    for y, name, colour, heavy in apart(labels, 14, top, h - bottom):
        weight = ' font-weight="600"' if heavy else ""
        lines.append(
            f'<text x={w - right + 8} y="{y + 4:.1f}" fill="{colour}"{weight}>{escape(name[:16])}</text>'
        )
    return f'<svg viewBox="0 0 {w} {h}" role=img aria-label="PCK over alpha">{"".join(lines)}</svg>'


def error_histogram(result: PCK, longest: float = 0.5, bins: int = 25) -> str:
    """How many landmarks are how far off; the last bar is everything beyond, or not found."""
    w, h, left, right, top, bottom = 560, 320, 40, 12, 12, 34
    fractions = result.fractions[~np.isnan(result.fractions)]
    inside = np.histogram(fractions[fractions < longest], bins=bins, range=(0, longest))[0]
    counts = [*inside.tolist(), int((fractions >= longest).sum())]
    most = max(*counts, 1)
    step = (w - left - right) / (bins + 2)  # the last bar stands one step apart
    ticks = [(i * step * 5 / (w - left - right), f"{i * longest / 5:.0%}") for i in range(5)]
    ticks.append(((bins + 1.5) * step / (w - left - right), f"{longest:.0%}+"))
    lines = [axes(w, h, left, right, top, bottom, ticks, "", y_labels=[(1, str(most)), (0, "0")])]
    for i, count in enumerate(counts):
        if not count:
            continue
        tall = count / most * (h - top - bottom)
        x = left + (i if i < bins else bins + 1) * step
        low, high = i * longest / bins, (i + 1) * longest / bins
        wrong = i == bins or low >= result.correct_at - 1e-9
        span = f"{low:.0%} to {high:.0%}" if i < bins else f"{longest:.0%} and more, or not found"
        colour = "var(--bad)" if wrong else "var(--good)"
        bar = f'x="{x + 1:.1f}" y="{h - bottom - tall:.1f}" width="{step - 2:.1f}" height="{tall:.1f}"'
        lines.append(f"<rect {bar} rx=2 fill={colour}><title>{span}: {count} landmarks</title></rect>")
    return f'<svg viewBox="0 0 {w} {h}" role=img aria-label="Histogram of errors">{"".join(lines)}</svg>'


def case_picture(case: Case, colours: Mapping[str, str], correct_at: float) -> str:
    """A case as SVG: rings where the landmarks are, dots where they were found, lines between."""
    h, w = case.picture.shape[:2]
    data = base64.b64encode(encode_jpeg(case.picture, 82)).decode()
    drawn = [f'<image href="data:image/jpeg;base64,{data}" width={w} height={h} />']
    x1, y1, x2, y2 = case.truth.boxes[0]
    if np.isfinite(case.truth.boxes[0]).all():
        box = f'x="{x1:.1f}" y="{y1:.1f}" width="{x2 - x1:.1f}" height="{y2 - y1:.1f}"'
        drawn.append(f"<rect {box} class=box />")
    for k, name in enumerate(case.truth.skeleton.landmarks):
        if np.isnan(case.fractions[k]):
            continue
        (tx, ty), (fx, fy) = case.truth.points[0, k], case.found.points[0, case.matched[k]]
        colour = colours[name]
        if np.isfinite([fx, fy]).all():
            kind = "off" if case.fractions[k] >= correct_at else "near"
            drawn.append(f'<path class={kind} d="M{tx:.1f},{ty:.1f}L{fx:.1f},{fy:.1f}"/>')
            tip = f"<title>{escape(name)} found here, {_off(case, k)}</title>"
            drawn.append(f'<circle cx="{fx:.1f}" cy="{fy:.1f}" r=9 class=dot fill="{colour}">{tip}</circle>')
        tip = f"<title>{escape(name)} is here</title>"
        drawn.append(f'<circle cx="{tx:.1f}" cy="{ty:.1f}" r=15 class=rim />')
        drawn.append(f'<circle cx="{tx:.1f}" cy="{ty:.1f}" r=15 class=ring stroke="{colour}">{tip}</circle>')
    return f'<svg viewBox="0 0 {w} {h}" role=img aria-label="{escape(case.name)}">{"".join(drawn)}</svg>'


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
        words = " · ".join(f"{case.truth.skeleton.landmarks[k]} {_off(case, k)}" for k in worst_first[:4])
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
    error = f"of the box, or {_number(result.error_px)} px"
    tiles = [
        (f"PCK@{alpha:g}", f"{per_cent(result.at(alpha))}<small>%</small>", exact),
        (f"AUC@{max(result.alphas):g}", f"{per_cent(result.area)}<small>%</small>", "area under the curve"),
        ("mean error of the correct ones", f"{per_cent(result.error)}<small>%</small>", error),
        ("scored", f"{result.counted:,}", f"landmarks in {counts.get('pictures', 0):,} pictures"),
    ]  # fmt: skip
    cells = (f"<div class=tile><span>{n}</span><strong>{v}</strong><em>{t}</em></div>" for n, v, t in tiles)
    return f"<div class=tiles>{''.join(cells)}</div>"


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


def axes(
    w: int, h: int, left: int, right: int, top: int, bottom: int, ticks, title: str, y_labels=None
) -> str:
    """Faint horizontal lines with labels, and labels below; both are (share of the axis, text)."""
    y_labels = y_labels or [(i / 5, f"{20 * i}") for i in range(6)]
    out = []
    for share, text in y_labels:
        y = top + (1 - share) * (h - top - bottom)
        out.append(f'<path class=grid d="M{left},{y:.1f}H{w - right}"/>')
        out.append(f'<text class=tick x={left - 6} y="{y + 4:.1f}" text-anchor=end>{text}</text>')
    for share, text in ticks:
        x = left + share * (w - left - right)
        out.append(f'<text class=tick x="{x:.1f}" y={h - bottom + 16} text-anchor=middle>{text}</text>')
    middle = (left + w - right) / 2
    return "".join(out) + f'<text class=tick x="{middle:.1f}" y={h - 3} text-anchor=middle>{title}</text>'


def _ticks(largest: float) -> list[float]:
    step = next(s for s in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 1e9) if largest / s <= 5)
    return [i * step for i in range(int(largest / step + 1e-9) + 1)]


def apart(labels: list, least: float, top: float, bottom: float) -> list:
    """Labels (y, ...) from top to bottom, moved so that no two are closer than `least`."""
    placed: list = []
    for y, *rest in sorted(labels):
        placed.append([max(y, placed[-1][0] + least if placed else top), *rest])
    beyond = max(placed[-1][0] - bottom, 0) if placed else 0
    for i in range(len(placed) - 1, -1, -1):  # push back up what ran out below
        ceiling = placed[i + 1][0] - least if i + 1 < len(placed) else placed[i][0] - beyond
        placed[i][0] = min(placed[i][0], ceiling)
    return placed


def _off(case: Case, k: int) -> str:
    if not np.isfinite(case.distances[k]):
        return "not found"
    return f"{case.distances[k]:.0f}\u00a0px off ({100 * case.fractions[k]:.0f}\u00a0%)"


def _number(value: float) -> str:
    return f"{value:.1f}" if np.isfinite(value) else "-"


STYLE = """
:root{--paper:#fff;--ink:#1b1f24;--soft:#5a6472;--faint:#b9c0c9;--line:#e6e9ed;--card:#f6f7f9;
--good:#17a673;--bad:#d6453d;color-scheme:light dark}
@media(prefers-color-scheme:dark){:root{--paper:#14171b;--ink:#e9ecef;--soft:#9aa4b0;--faint:#5a6472;
--line:#2a3037;--card:#1c2026;--good:#2bbd87;--bad:#ec6a61}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif}
main{max-width:1180px;margin:0 auto;padding:40px 24px 64px}
h1{font-size:28px;line-height:1.2;margin:0 0 4px}
h2{font-size:18px;margin:40px 0 10px}
.lead{color:var(--soft);margin:0 0 24px}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(200px,1fr));gap:12px;margin-bottom:16px}
.tile{background:var(--card);border-radius:10px;padding:14px 18px;display:flex;flex-direction:column}
.tile span,.tile em{color:var(--soft);font-size:13px;font-style:normal}
.tile strong{font-size:34px;line-height:1.25}
.tile strong small{font-size:17px;margin-left:2px;color:var(--soft)}
.note{margin:6px 0;padding:6px 12px;border-left:3px solid var(--faint);color:var(--soft)}
.two{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(420px,100%),1fr));gap:28px;margin-top:24px}
figure{margin:0}
figcaption{color:var(--soft);font-size:13px;margin-bottom:8px}
figcaption b{color:var(--ink);font-size:15px}
svg{width:100%;height:auto;display:block;font:12px system-ui,sans-serif}
.tick{fill:var(--soft)}
.grid{stroke:var(--line);stroke-width:1}
.mark{stroke:var(--faint);stroke-width:1;stroke-dasharray:3 4}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:7px 10px;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}
thead th{color:var(--soft);font-weight:500;font-size:13px}
th:first-child{text-align:left}
tbody th{font-weight:500}
tr.all th,tr.all td{font-weight:650;border-bottom:0}
table i,.key i{display:inline-block;width:10px;height:10px;border-radius:50%;margin-right:8px}
.legend{color:var(--soft);font-size:13px;margin:0 0 12px}
.key{margin-left:16px;white-space:nowrap}
.key i{margin-right:5px}
.cases{display:grid;grid-template-columns:repeat(auto-fill,minmax(260px,1fr));gap:20px 16px}
.case svg{aspect-ratio:1;border-radius:8px;background:var(--card);box-shadow:0 0 0 1px var(--line)}
.case figcaption{margin:8px 2px 0}
.case figcaption b{font-size:13px;margin-right:6px}
.case b.good{color:var(--good)}
.case b.bad{color:var(--bad)}
.case small{color:var(--faint);display:block;white-space:nowrap;overflow:hidden;text-overflow:ellipsis}
.box{fill:none;stroke:#fff;stroke-opacity:.6;stroke-width:2;stroke-dasharray:8 6;mix-blend-mode:difference}
.ring{fill:none;stroke-width:5}
.rim{fill:none;stroke:#fff;stroke-opacity:.9;stroke-width:9}
.dot{stroke:#fff;stroke-width:3}
.near{stroke:#fff;stroke-width:3;stroke-opacity:.9}
.off{stroke:#ff4a40;stroke-width:5;stroke-dasharray:3 8;stroke-linecap:round}
dl{display:grid;grid-template-columns:auto 1fr;gap:4px 16px;margin:0}
dt{color:var(--soft)}
dd{margin:0;overflow-wrap:anywhere}
footer{margin-top:48px;padding-top:16px;border-top:1px solid var(--line);color:var(--soft);font-size:13px;
max-width:80ch}
"""
