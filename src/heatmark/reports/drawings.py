"""Numbers and pictures to SVG that stands in a page: curves, a histogram, a case to look at."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

import cv2
import numpy as np

from ..geometry import enlarged
from ..imaging.decode import encode_jpeg
from ..metrics.pck import PCK
from ..types import Poses
from .tables import per_cent

# One colour a landmark: far apart for most colour-blind eyes, strong enough for photographs and both grounds.
COLOURS = ("#2a7de1", "#e8622c", "#17a673", "#d99a00", "#8a5cf0", "#dd4477", "#14a3b8", "#7a8f1d")
SIDE = 640  # px; longer side of an embedded picture
MANY = 8  # landmarks from which on the curves are not coloured one by one


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
            tip = f"<title>{escape(name)} found here, {off_by(case, k)}</title>"
            drawn.append(f'<circle cx="{fx:.1f}" cy="{fy:.1f}" r=9 class=dot fill="{colour}">{tip}</circle>')
        tip = f"<title>{escape(name)} is here</title>"
        drawn.append(f'<circle cx="{tx:.1f}" cy="{ty:.1f}" r=15 class=rim />')
        drawn.append(f'<circle cx="{tx:.1f}" cy="{ty:.1f}" r=15 class=ring stroke="{colour}">{tip}</circle>')
    return f'<svg viewBox="0 0 {w} {h}" role=img aria-label="{escape(case.name)}">{"".join(drawn)}</svg>'


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


def off_by(case: Case, k: int) -> str:
    if not np.isfinite(case.distances[k]):
        return "not found"
    return f"{case.distances[k]:.0f}\u00a0px off ({100 * case.fractions[k]:.0f}\u00a0%)"
