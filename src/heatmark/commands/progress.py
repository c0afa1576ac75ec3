"""How far long work has come: a bar on a terminal, plain lines elsewhere, nothing under `quiet()`.

Everything goes to stderr, so that stdout holds results only.
"""

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress

T = TypeVar("T")
FIRST_LINE_S, LONGEST_PAUSE_S = (
    5.0,
    60.0,
)  # plain lines come after 5 s, then ever more rarely, at least once a minute

_quiet = 0  # how many `quiet()` are active
_bar: "Progress | None" = None  # the one bar on the screen; a track inside a track becomes a second row of it


@contextmanager
def quiet() -> Iterator[None]:
    """Within it nothing reports progress: for `--json`, and for callers who only want the result."""
    global _quiet
    _quiet += 1
    try:
        yield
    finally:
        _quiet -= 1


def note(text: str, fault: bool = False) -> None:
    """One line beside the progress (a choice made, a thing skipped), on stderr, above the bar; a fault's also
    under `quiet()`.
    """
    if _quiet and not fault:
        return
    if _bar is not None:
        _bar.console.print(text, markup=False, highlight=False)
    else:
        print(text, file=sys.stderr, flush=True)


def track(
    items: Iterable[T], total: int | None = None, label: str = "", unit: str = "pictures", done: int = 0
) -> Iterator[T]:
    """Hand on `items` one by one and show how many are finished, how fast, and how much time is left.

    Args:
        total: how many there will be in the end, `done` included; None asks `len(items)`, or stays unknown.
        label: what is being done, e.g. "rendering hammer".
        unit: what an item is, in the plural.
        done: how many were finished before (a resumed run); they do not count into the speed.
    """
    if total is None and isinstance(items, Sized):
        total = len(items) + done
    if _quiet:
        yield from items
    elif sys.stderr.isatty():
        yield from _with_bar(items, total, label, unit, done)
    else:
        yield from _with_lines(items, total, label, unit, done)


def _with_bar(items: Iterable[T], total: int | None, label: str, unit: str, done: int) -> Iterator[T]:
    global _bar
    outermost = _bar is None
    if _bar is None:
        _bar = _new_bar()
        _bar.start()
    task = _bar.add_task(label, total=total, completed=done, unit=unit, done=done)
    try:
        for item in items:
            yield item
            _bar.advance(task)
    finally:
        if outermost:
            _bar.stop()
            _bar = None
        else:
            _bar.remove_task(task)


def _new_bar() -> "Progress":
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Speed(ProgressColumn):
        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text(_speed(speed, task.fields["unit"]) if speed else task.fields["unit"], style="cyan")

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Speed()
    times = TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(compact=True)
    return Progress(*columns, *times, console=Console(stderr=True), refresh_per_second=4)


def _with_lines(items: Iterable[T], total: int | None, label: str, unit: str, done: int) -> Iterator[T]:
    head = f"{label}: " if label else ""
    of = f" of {total}" if total is not None else ""
    start = time.monotonic()
    pause, next_line, count = FIRST_LINE_S, start + FIRST_LINE_S, 0
    try:
        for item in items:
            yield item
            count += 1
            now = time.monotonic()
            if now >= next_line and (total is None or done + count < total):
                speed = count / (now - start)
                left = f", {duration((total - done - count) / speed)} left" if total is not None else ""
                _line(f"{head}{done + count}{of} {unit}, {_speed(speed, unit)}{left}")
                pause = min(pause * 2, LONGEST_PAUSE_S)
                next_line = now + pause
    finally:  # also after Ctrl-C and errors: the last line says how far it came
        took = max(time.monotonic() - start, 1e-9)
        if count:
            _line(f"{head}{done + count}{of} {unit} in {duration(took)}, {_speed(count / took, unit)}")


def _line(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _speed(per_second: float, unit: str) -> str:
    return f"{per_second:.3g} {unit}/s" if per_second < 1000 else f"{per_second:.0f} {unit}/s"


def duration(seconds: float) -> str:
    """A time span as people say it.

    >>> duration(4.24), duration(75), duration(3 * 3600 + 120)
    ('4.2 s', '1 min 15 s', '3 h 02 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
