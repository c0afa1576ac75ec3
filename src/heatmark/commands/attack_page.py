"""The tables, drawings and page of an attack: what it costs to hide what.

All losses are in points of 100 of the metric. The figures named are those of "Tilting at windmills".
"""

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from .. import reports
from ..geometry import boxes_around
from ..imaging.occlude import HIGH, RADIUS
from ..types import Poses, Skeleton
from .attack_kept import Network, sight_of
from .attack_results import Hit, Result
from .console import plain
from .looks import only

if TYPE_CHECKING:
    from .attack import Attack

COLOURS = {"blur": "#2a7de1", "blackout": "#e8622c", "meanout": "#17a673"}
MOST = 6  # landmarks and parts of which pictures are shown
SUFFERERS = 5


def tables(attack: "Attack") -> dict[str, list[list[str]]]:
    """Heading -> rows, the head first: everything that the page draws."""
    found: dict[str, list[list[str]]] = {}
    if len(attack.results) > 1:
        found["Side by side"] = side_by_side(attack)
    for result in attack.results:
        of = f", {result.name}" if len(attack.results) > 1 else ""
        if attack.radii:
            found[f"Loss by radius{of}"] = by_radius(attack, result)
            found[f"Loss by landmark{of}"] = by_target(attack, result, part=False)
        if any(hit.part for hit in attack.hits):
            found[f"Loss by part{of}"] = by_target(attack, result, part=True)
        found[f"Who suffers most{of}"] = sufferers(attack, result)
    return found


def at_radius(attack: "Attack") -> float:
    """The radius that single landmarks are compared at: of those tried, the nearest to the study's share of
    the window, 6 pixels of 256.
    """
    return min(attack.radii, key=lambda radius: abs(radius - RADIUS * attack.high / HIGH))


def by_radius(attack: "Attack", result: Result) -> list[list[str]]:
    """Figure 4: mean loss over the landmarks for each radius and way of hiding."""
    rows = [["radius, px", *attack.hows]]
    for radius in attack.radii:
        losses = [result.mean_loss(how, part=False, radius=radius) for how in attack.hows]
        rows.append([f"{radius:g}", *map(_points, losses)])
    return rows


def by_target(attack: "Attack", result: Result, part: bool) -> list[list[str]]:
    """Figures 5 and 7: loss for each landmark (at one radius) or part, the dearest first."""
    rows = [["part" if part else "landmark", *attack.hows]]
    for target, losses in dearest(attack, result, part):
        rows.append([target, *(_points(losses[how]) for how in attack.hows)])
    return rows


def dearest(attack: "Attack", result: Result, part: bool) -> list[tuple[str, dict[str, float]]]:
    """(target, how -> loss) of all landmarks or all parts, by mean loss, the dearest first."""
    losses: dict[str, dict[str, float]] = {}
    for hit in attack.hits:
        if hit.part == part and (part or hit.radius == at_radius(attack)):
            losses.setdefault(hit.target, {})[hit.how] = result.loss(hit)
    return sorted(losses.items(), key=lambda one: -float(np.nan_to_num(list(one[1].values())).mean()))


def sufferers(attack: "Attack", result: Result, most: int = SUFFERERS) -> list[list[str]]:
    """Figures 6 and 8: for each attack, the landmarks that lose most of their own score."""
    most = min(most, len(attack.skeleton))
    rows = [["hidden", "how", *(f"{n}." for n in range(1, most + 1))]]
    for hit in attack.hits:
        if hit.part or hit.radius == at_radius(attack):
            worst = [f"{name} {_points(loss)}" for name, loss in result.sufferers(hit, most)]
            rows.append([hit.target, hit.how, *worst, *["-"] * (most - len(worst))])
    return rows


def side_by_side(attack: "Attack") -> list[list[str]]:
    """Figures 3 and 11: each network's score untouched, and its mean under attacks on landmarks and parts."""
    rows = [[attack.metric, *(result.name for result in attack.results)]]
    rows.append(["untouched", *(reports.per_cent(result.clean.total) for result in attack.results)])
    kinds = [("landmarks", False)] * bool(attack.radii) + [("parts", True)] * any(h.part for h in attack.hits)
    for name, part in kinds:
        radius = 0.0 if part else at_radius(attack)
        for how in attack.hows:
            kept = [100 * r.clean.total - r.mean_loss(how, part, radius) for r in attack.results]
            rows.append([f"{how} of {name}", *(reports.per_cent(k / 100) for k in kept)])
    return rows


def write(attack: "Attack", networks: "Sequence[Network]", folder: Path) -> None:
    """report.html, tables.md and attack.json; the page last."""
    numbers = json.dumps(plain(attack.to_dict()), indent=1, allow_nan=False)
    words = "\n\n".join(f"{heading}\n\n{reports.markdown(rows)}" for heading, rows in attack.tables.items())
    reports.write(folder / "attack.json", numbers + "\n")
    reports.write(folder / "tables.md", words + "\n")
    reports.write(folder / "report.html", page(attack, networks))


def page(attack: "Attack", networks: "Sequence[Network]") -> str:
    """The whole page."""
    names = " and ".join(result.name for result in attack.results)
    lead = (
        f"{len(attack.subjects)} objects of {attack.dataset}, each hidden in {len(attack.hits)} ways in the"
        f" window that the network sees; losses are points of {attack.metric}, in per cent."
    )
    parts = reports.notes(attack.notes)
    shown = dict(attack.tables)
    if "Side by side" in shown:
        parts += ["<h2>Side by side</h2>", reports.table_html(shown.pop("Side by side"), {})]
    for n, (result, network) in enumerate(zip(attack.results, networks)):
        if len(attack.results) > 1:
            parts.append(f"<h2>{escape(result.name)}</h2>")
        parts.append(_tiles(attack, result))
        parts += ["<div class=two>", *_drawings(attack, result), "</div>"]
        parts += [f"<h2>Before and after</h2><p class=legend>{LEGEND}</p>", *_pairs(attack, n, network)]
    for heading, rows in shown.items():
        parts += [f"<h2>{escape(heading)}</h2>", reports.table_html(rows, {})]
    parts.append(f"<footer>{escape(_how(attack))}</footer>")
    return reports.document(f"{names}: what it costs to hide", lead, parts)


def _tiles(attack: "Attack", result: Result) -> str:
    tiles = [(f"{attack.metric}, untouched", reports.per_cent(result.clean.total), "per cent")]
    for part, kind in ((False, "landmark"), (True, "part")):
        if not any(hit.part == part for hit in attack.hits):
            continue
        target, losses = dearest(attack, result, part)[0]
        how = max(losses, key=lambda h: float(np.nan_to_num(losses[h], nan=-np.inf)))
        tiles.append((f"dearest {kind}", target.replace("_", " "), f"{_points(losses[how])} points by {how}"))
    return reports.tiles([(escape(name), escape(value), escape(remark)) for name, value, remark in tiles])


def _drawings(attack: "Attack", result: Result) -> list[str]:
    drawn = []
    if attack.radii:
        losses = dict(dearest(attack, result, part=False))
        means = {name: float(np.nanmean(list(by.values()))) for name, by in losses.items() if by}
        says = f"mean loss by hiding each landmark with {at_radius(attack):g} px; the redder, the dearer"
        drawn.append(reports.chart("What matters", says, importance(attack, means)))
        says = f"loss by hiding one landmark, {at_radius(attack):g} px"
        drawn.append(reports.chart("Each landmark", says, bars(attack, result, part=False)))
    if len(attack.radii) > 1:
        says = "mean loss over the landmarks, by the radius of what hides them"
        drawn.append(reports.chart("Size of the occlusion", says, curves(attack, result)))
    if any(hit.part for hit in attack.hits):
        says = "loss by hiding a part with a rectangle"
        drawn.append(reports.chart("Each part", says, bars(attack, result, part=True)))
    return drawn


def bars(attack: "Attack", result: Result, part: bool) -> str:
    """Grouped bars, a row a target and a bar a way of hiding, the dearest above."""
    found = dearest(attack, result, part)
    each = 10 * len(attack.hows) + 8
    w, left, right, top = 560, 130, 44, 22
    h = top + each * len(found) + 4
    losses = [v for _, by in found for v in by.values() if np.isfinite(v)] or [0.0]
    low, high = min(0.0, *losses), max(0.0, *losses) or 1.0

    def at(loss: float) -> float:
        return left + (loss - low) / (high - low) * (w - left - right)

    out = [_key(attack.hows, left), f'<path class=grid d="M{at(0):.1f},{top}V{h}"/>']
    for row, (target, by) in enumerate(found):
        y = top + row * each
        out.append(
            f'<text class=tick x={left - 10} y="{y + each / 2:.1f}" text-anchor=end>{escape(target)}</text>'
        )
        for n, how in enumerate(attack.hows):
            if not np.isfinite(by.get(how, np.nan)):
                continue
            x1, x2 = sorted((at(0), at(by[how])))
            box = f'x="{x1:.1f}" y={y + 10 * n + 2} width="{max(x2 - x1, 0.5):.1f}" height=8'
            tip = f"<title>{escape(target)}, {how}: {_points(by[how])} points</title>"
            out.append(f'<rect {box} rx=2 fill="{_colour(how)}">{tip}</rect>')
            edge = x2 + 4 if by[how] >= 0 else at(0) + 4
            out.append(f'<text class=tick x="{edge:.1f}" y={y + 10 * n + 9} style="font-size:9px">'
                       f"{_points(by[how])}</text>")  # fmt: skip
    return f'<svg viewBox="0 0 {w} {h}" role=img aria-label="Loss by target">{"".join(out)}</svg>'


def curves(attack: "Attack", result: Result) -> str:
    """Figure 4: mean loss over radius, a line a way of hiding."""
    w, h, left, right, top, bottom = 560, 320, 44, 88, 14, 34
    lines = {how: [result.mean_loss(how, False, radius) for radius in attack.radii] for how in attack.hows}
    values = [v for line in lines.values() for v in line if np.isfinite(v)] or [0.0]
    low, high, widest = min(0.0, *values), max(*values, 0.1), attack.radii[-1]

    def at(radius: float, loss: float) -> str:
        x = left + radius / widest * (w - left - right)
        return f"{x:.1f},{top + (1 - (loss - low) / (high - low)) * (h - top - bottom):.1f}"

    ticks = [(radius / widest, f"{radius:g}") for radius in attack.radii]
    ys = [(share, f"{low + share * (high - low):.1f}") for share in (0, 0.25, 0.5, 0.75, 1)]
    out = [reports.axes(w, h, left, right, top, bottom, ticks, "radius, px", y_labels=ys)]
    labels = []
    for how, line in lines.items():
        points = [(0.0, 0.0), *((r, v) for r, v in zip(attack.radii, line) if np.isfinite(v))]
        path = "L".join(at(*point) for point in points)
        out.append(f'<path d="M{path}" fill=none stroke="{_colour(how)}" stroke-width=2.5 />')
        labels.append((float(at(*points[-1]).split(",")[1]), how))
    for y, how in reports.apart(labels, 14, top, h - bottom):
        out.append(f'<text x={w - right + 8} y="{y + 4:.1f}" fill="{_colour(how)}">{how}</text>')
    return f'<svg viewBox="0 0 {w} {h}" role=img aria-label="Loss over radius">{"".join(out)}</svg>'


def importance(attack: "Attack", losses: Mapping[str, float]) -> str:
    """The skeleton as it stands on average in its box, each landmark the redder the dearer it is to hide."""
    shape = mean_shape(attack.skeleton, [(s.record.poses, s.instance) for s in attack.subjects])
    low, high = boxes_around(shape)[:2], boxes_around(shape)[2:]
    scale = 340 / max(float((high - low).max()), 1e-6)
    w, h = (float(v) for v in (high - low) * scale + 60)
    spots = (shape - low) * scale + 30
    out, dearest_ = [], max([*(v for v in losses.values() if np.isfinite(v)), 1e-9])
    for a, b in attack.skeleton.bones:
        ends = spots[[attack.skeleton.index(a), attack.skeleton.index(b)]]
        if np.isfinite(ends).all():
            (x1, y1), (x2, y2) = ends
            line = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
            out.append(f'<line {line} stroke="var(--faint)" stroke-width=3 />')
    for name, (x, y) in zip(attack.skeleton.landmarks, spots):
        if not np.isfinite([x, y]).all():
            continue
        loss = losses.get(name, np.nan)
        share = float(np.clip(np.nan_to_num(loss) / dearest_, 0, 1))
        tip = f"<title>{escape(name)}: {_points(loss)} points</title>"
        radius = 5 + 7 * share
        out.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="{heat(share)}" stroke="var(--ink)">'
            f"{tip}</circle>"
        )
        if len(attack.skeleton) <= reports.MANY:
            out.append(f'<text class=tick x="{x + 16:.1f}" y="{y + 4:.1f}">{escape(name)}</text>')
    left = max((420 - w) / 2, 0)
    box = f"{-left:.0f} 0 {max(w, 420):.0f} {h:.0f}"
    return f'<svg viewBox="{box}" role=img aria-label="What matters">{"".join(out)}</svg>'


def mean_shape(skeleton: Skeleton, objects: Sequence[tuple[Poses, int]]) -> np.ndarray:
    """(K, 2): the median place of each landmark in the objects' boxes, as tall as the median box; NaN where
    none is labelled.
    """
    places, aspects = [], []
    for poses, n in objects:
        mine = only(poses, skeleton)
        x1, y1, x2, y2 = poses.boxes[n]
        if x2 > x1 and y2 > y1:
            places.append((mine.points[n] - (x1, y1)) / (x2 - x1, y2 - y1))
            aspects.append((x2 - x1) / (y2 - y1))
    stacked = np.ma.masked_invalid(np.stack(places))
    middle = np.ma.median(stacked, axis=0).filled(np.nan)
    return np.asarray(middle) * (float(np.median(aspects)), 1.0)


def heat(share: float) -> str:
    """0 pale, 1 red."""
    pale, red = np.array([246, 240, 228]), np.array([200, 30, 30])
    r, g, b = (pale + (red - pale) * share).round().astype(int)
    return f"rgb({r},{g},{b})"


LEGEND = (
    "The most telling picture for each of the dearest landmarks and parts: as the network sees it untouched,"
    " and hidden. Rings: where the landmarks are; dots: where they were found; a dotted line where that is"
    " further than a tenth of the box"
)


def _pairs(attack: "Attack", n: int, network: Network) -> list[str]:
    """Before and after, for the dearest landmarks and parts."""

    def row(number: int) -> np.ndarray:
        found = attack.answers[n].row(number)
        return sight_of(network).aligned(found, attack.subjects, attack.skeleton)

    result, clean = attack.results[n], row(0)
    chosen: list[Hit] = []
    for part in (False, True):
        pool = [h for h in attack.hits if h.part == part and (part or h.radius == at_radius(attack))]
        targets = [t for t, _ in dearest(attack, result, part)] if pool else []
        for target in targets[: MOST // 2]:
            mine = [h for h in pool if h.target == target]
            chosen.append(max(mine, key=lambda h: float(np.nan_to_num(result.loss(h)))))
    cards = []
    for hit in chosen:
        after = row(1 + attack.hits.index(hit))
        m = most_telling(attack, clean, after)
        if m is not None:
            cards.append(_card(attack, network, hit, m, clean[m], after[m]))
    return [f'<div class="cases" style="grid-template-columns:repeat(auto-fill,minmax(460px,1fr))">'
            f"{''.join(cards)}</div>"]  # fmt: skip


def most_telling(attack: "Attack", clean: np.ndarray, after: np.ndarray) -> int | None:
    """Of the objects found well before, the one whose answer gets worst; None if none gets worse."""
    before, then = (_off(attack, found) for found in (clean, after))
    worse = np.where(before < 0.1, np.minimum(then, 1.0) - before, 0.0).sum(-1)
    return int(worse.argmax()) if worse.max() > 0 else None


def _off(attack: "Attack", found: np.ndarray) -> np.ndarray:
    """(subjects, K): how far each landmark is off, in longer sides of the box; 0 where not labelled."""
    rows = []
    for subject, points in zip(attack.subjects, found[..., :2]):
        true = only(subject.record.poses, attack.skeleton).points[subject.instance]
        side = max(float((subject.box[2:] - subject.box[:2]).max()), 1e-6)
        away = np.linalg.norm(points - true, axis=-1) / side
        rows.append(np.where(np.isfinite(true).all(-1), np.nan_to_num(away, nan=1.0), 0.0))
    return np.stack(rows)


def _card(attack: "Attack", network: Network, hit: Hit, m: int, clean: np.ndarray, after: np.ndarray) -> str:
    """One object untouched and under an attack, side by side."""
    subject, skeleton = attack.subjects[m], attack.skeleton
    pair = sight_of(network).pair(network, subject, skeleton, hit, attack.legacy)
    h, w = pair.before.shape[:2]
    scale = reports.SIDE / max(h, w)
    size = (round(w * scale), round(h * scale))
    colours = {name: reports.COLOURS[k % len(reports.COLOURS)] for k, name in enumerate(skeleton.landmarks)}
    true = Poses(skeleton, pair.points[None] * scale)
    side = float((subject.box[2:] - subject.box[:2]).max())
    drawn = []
    for shown, found in ((pair.before, clean), (pair.after, after)):
        answer = Poses(skeleton, pair.frame.into(found[None, :, :2]) * scale)
        large = cv2.resize(shown, size, interpolation=cv2.INTER_CUBIC)
        original = only(subject.record.poses, skeleton).points[subject.instance]
        away = np.linalg.norm(found[:, :2] - original, axis=-1)
        away = np.where(np.isfinite(original).all(-1), np.nan_to_num(away, nan=np.inf), np.nan)
        identity = np.arange(len(skeleton))
        case = reports.Case(subject.record.name, large, true, answer, away / side, away, identity)
        drawn.append(reports.case_picture(case, colours, 0.1))
    words = f"<b>{escape(str(hit))}</b> {escape(subject.record.name)}"
    both = f'<div style="display:grid;grid-template-columns:1fr 1fr;gap:6px">{"".join(drawn)}</div>'
    return f"<figure class=case>{both}<figcaption>{words}</figcaption></figure>"


def _key(hows: Sequence[str], left: float) -> str:
    out = []
    for n, how in enumerate(hows):
        x = left + 84 * n
        out.append(f'<rect x={x} y=4 width=10 height=10 rx=2 fill="{_colour(how)}"/>')
        out.append(f"<text class=tick x={x + 15} y=13>{how}</text>")
    return "".join(out)


def _colour(how: str) -> str:
    return COLOURS.get(how, reports.COLOURS[0])


def _points(loss: float) -> str:
    return f"{loss:.1f}" if np.isfinite(loss) else "-"


def _how(attack: "Attack") -> str:
    return (
        "An object is cut out by its labelled box, as the network is shown it; there a disc about a landmark"
        " or a rectangle over a part is hidden, and everything is looked for and scored again, what is hidden"
        f" too. A loss is the {attack.metric} of the untouched pictures minus that under the attack, times"
        " 100; below 0 the network does better. Where an object does not have what is hidden, its answer"
        " stays. A network that finds everybody at once is shown the whole picture, and the same is hidden of"
        " everybody in it."
    )
