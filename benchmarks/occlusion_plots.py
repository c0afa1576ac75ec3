"""Figures 3 to 8 and 11 of "Tilting at windmills" (Pytel et al. 2020) as pictures, from an attack's numbers.

`drawn` writes small PNG files beside the document of benchmarks.occlusion_figures, which calls it.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from heatmark.commands.attack import Attack
from heatmark.commands.attack_page import COLOURS, at_radius, dearest
from heatmark.commands.attack_results import Hit, Result

TOP = 5  # landmarks that suffer most
SHOWN = {  # which figure shows what hidden
    "6": ("nose", "left_eye", "left_ankle"),
    "8": ("upper_body", "corpus", "left_side"),
}
LOSS = "points of {metric} lost"


def drawn(attack: Attack, folder: Path, name: str) -> list[tuple[str, Path]]:
    """Write every figure that the attack has numbers for: (caption, file)."""
    radius = at_radius(attack) if attack.radii else 0.0
    kinds: list[tuple[str, str, bool, Callable[[], Any]]] = [
        ("3 and 11", "networks", len(attack.results) > 1, lambda: networks(attack, radius)),
        ("4", "radius", len(attack.radii) > 1, lambda: radii(attack)),
        ("5", "landmarks", bool(attack.radii), lambda: targets(attack, False, "landmark hidden")),
        ("7", "parts", any(h.part for h in attack.hits), lambda: targets(attack, True, "part hidden")),
        ("6 and 8", "sufferers", _has(attack, radius), lambda: sufferers(attack, radius)),
    ]
    found = []
    for number, kind, there, figure in kinds:
        if there:
            path = folder / f"{name}-{kind}.png"
            figure().savefig(path)
            found.append((f"figure {number}", path))
    return found


def _figure(width: float, height: float) -> Any:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=90, layout="constrained")


def _has(attack: Attack, radius: float) -> bool:
    return any(_hits(attack, target, radius) for some in SHOWN.values() for target in some)


def _hits(attack: Attack, target: str, radius: float) -> list[Hit]:
    return [h for h in attack.hits if h.target == target and (h.part or h.radius == radius)]


def radii(attack: Attack) -> Any:
    """Figure 4: mean loss over the landmarks, over the radius; a line a way of hiding."""
    figure, result = _figure(5, 3.2), attack.results[0]
    axes = figure.add_subplot(xlabel="radius, network pixels", ylabel=LOSS.format(metric=attack.metric))
    for how in attack.hows:
        losses = [result.mean_loss(how, False, r) for r in attack.radii]
        axes.plot((0, *attack.radii), (0, *losses), "o-", color=COLOURS[how], label=how, markersize=4)
    axes.legend(fontsize="small")
    return figure


def targets(attack: Attack, part: bool, says: str) -> Any:
    """Figures 5 and 7: the loss by hiding each landmark or part, the dearest above."""
    found = dearest(attack, attack.results[0], part)[::-1]
    figure = _figure(5.5, 0.6 + 0.3 * len(found))
    axes = figure.add_subplot(xlabel=LOSS.format(metric=attack.metric), title=says)
    _bars(axes, [name for name, _ in found], attack.hows, lambda row, how: found[row][1][how])
    axes.legend(fontsize="small", loc="lower right")
    return figure


def sufferers(attack: Attack, radius: float) -> Any:
    """Figures 6 and 8: the landmarks that lose most of their own score where one thing is hidden."""
    known = [[t for t in some if _hits(attack, t, radius)] for some in SHOWN.values()]
    rows = [row for row in known if row]
    figure = _figure(9.5, 2.5 * len(rows))
    result = attack.results[0]
    for y, row in enumerate(rows):
        for x, target in enumerate(row):
            axes = figure.add_subplot(len(rows), max(map(len, rows)), y * max(map(len, rows)) + x + 1)
            _sufferers(axes, result, _hits(attack, target, radius))
            axes.set_title(f"{target} hidden", fontsize="small")
            axes.tick_params(labelsize="x-small")
    figure.supxlabel(f"points of its own {attack.metric} lost", fontsize="small")
    return figure


def _sufferers(axes: Any, result: Result, hits: Sequence[Hit]) -> None:
    mean = {
        name: float(np.mean([result.loss(hit, name) for hit in hits]))
        for name, clean in result.clean.each.items()
        if np.isfinite(clean)
    }
    worst = sorted(mean, key=lambda name: -mean[name])[:TOP][::-1]
    by_how = {hit.how: hit for hit in hits}
    _bars(axes, worst, list(by_how), lambda row, how: result.loss(by_how[how], worst[row]))


def networks(attack: Attack, radius: float) -> Any:
    """Figures 3 and 11: what is left of each network's score, untouched and under each way of hiding."""
    figure = _figure(8, 3)
    for n, (kind, part) in enumerate((("landmarks", False), ("parts", True))):
        axes = figure.add_subplot(1, 2, n + 1, title=f"hidden {kind}", ylabel=f"{attack.metric}, per cent")
        width = 0.8 / len(attack.results)
        for m, result in enumerate(attack.results):
            clean = 100 * result.clean.total
            left = [clean - result.mean_loss(how, part, 0.0 if part else radius) for how in attack.hows]
            places = np.arange(1 + len(left)) + width * (m - (len(attack.results) - 1) / 2)
            axes.bar(places, [clean, *left], width, label=result.name)
        axes.set_xticks(range(1 + len(attack.hows)), ["untouched", *attack.hows], fontsize="small")
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def _bars(axes: Any, names: Sequence[str], hows: Sequence[str], loss: Callable[[int, str], float]) -> None:
    """Grouped bars, a row a name and a bar a way of hiding."""
    height = 0.8 / len(hows)
    for n, how in enumerate(hows):
        places = np.arange(len(names)) - height * (n - (len(hows) - 1) / 2)
        losses = [loss(row, how) for row in range(len(names))]
        axes.barh(places, losses, height, color=COLOURS[how], label=how)
    axes.set_yticks(range(len(names)), names)
    axes.axvline(0, color="0.5", linewidth=0.8)
