"""What people type and read: `--set` pairs and sizes in; lines, tables and JSON out."""

import json
import math
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ..errors import UserError

WIDEST = 200  # columns, where no terminal says how many it has
BROKEN_PIPE = 141  # the exit code of any Unix tool whose reader went away (`| head`)


def plain(value: Any) -> Any:
    """What JSON can hold: NumPy becomes plain, paths become text, what is not finite becomes null.

    >>> plain({"a": (1, float("nan")), "b": Path("x")})
    {'a': [1, None], 'b': 'x'}
    """
    if isinstance(value, dict) or hasattr(value, "items"):
        return {str(key): plain(inner) for key, inner in value.items()}
    if hasattr(value, "tolist"):  # NumPy scalars and arrays
        return plain(value.tolist())
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(inner) for inner in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value) if isinstance(value, Path) else value


def show(result: Any, as_json: bool, words: str = "") -> None:
    """A command's result: one JSON object; else its own table or text; else `words`."""
    if as_json:
        say(json.dumps(plain(result.to_dict()), allow_nan=False))
    elif hasattr(result, "__rich__"):
        drawn(result)
    else:
        say(words if type(result).__str__ is object.__str__ else str(result))


def table(rows: Sequence[Sequence[str]]) -> None:
    """Rows of text under a head, the first column to the left."""
    from rich.table import Table

    whole = Table(box=None, pad_edge=False, header_style="bold")
    for i, head in enumerate(rows[0]):
        whole.add_column(head, justify="right" if i else "left", no_wrap=True)
    for row in rows[1:]:
        whole.add_row(*row)
    drawn(whole)


def drawn(result: Any) -> None:
    """What rich can draw, as wide as the terminal; where there is none (a file, a pipe), as wide as it is."""
    from rich.console import Console

    console = Console()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = WIDEST
    console.print(result)


def say(text: str) -> None:
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(BROKEN_PIPE) from None


def settings_of(pairs: Iterable[str] | None) -> dict[str, Any]:
    """`--set` pairs as one nested dict. Raises a UserError that shows the form.

    >>> settings_of(["lr=1e-3", "camera.tilt=[10, 80]", "name=on fire"])
    {'lr': 0.001, 'camera': {'tilt': [10, 80]}, 'name': 'on fire'}
    """
    import yaml

    settings: dict[str, Any] = {}
    for pair in pairs or ():
        key, equals, text = pair.partition("=")
        if not equals or not all(key.split(".")):
            raise UserError(f"--set takes KEY=VALUE, e.g. --set camera.tilt=[10,80]; got {pair!r}")
        try:
            value = yaml.safe_load(text)
        except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: a date that is none
            raise UserError(
                f"--set {key}: {text!r} is not a YAML value ({str(error).splitlines()[0]})"
            ) from error
        inner, *path, last = settings, *key.split(".")
        for name in path:
            inner = inner.setdefault(name, {})
            if not isinstance(inner, dict):
                raise UserError(f"--set {key}: {name!r} was given a value of its own before")
        inner[last] = _number(value)
    return settings


def _number(value: Any) -> Any:
    """YAML 1.1 reads 1e-3 as text; we read it as a number."""
    if isinstance(value, list):
        return [_number(inner) for inner in value]
    try:
        return float(value) if isinstance(value, str) and value[:1] in "+-.0123456789" else value
    except ValueError:
        return value


def numbers_of(text: str, option: str) -> tuple[float, ...]:
    """Numbers between commas, of an option of that name.

    >>> numbers_of("2, 1, 0.5", "--scales")
    (2.0, 1.0, 0.5)
    """
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise UserError(f"{option} takes numbers between commas, e.g. 2,1,0.5; got {text!r}") from None


def size_of(text: str, option: str = "--size") -> tuple[int, int]:
    """(H, W) from "224" or "256x192" (height x width), of an option or the like.

    >>> size_of("224"), size_of("256x192")
    ((224, 224), (256, 192))
    """
    parts = text.lower().split("x")
    if len(parts) > 2 or not all(part.isdecimal() and 0 < int(part) <= 16384 for part in parts):
        raise UserError(f"{option} takes HEIGHTxWIDTH in pixels, e.g. 224 or 256x192; got {text!r}")
    return int(parts[0]), int(parts[-1])
