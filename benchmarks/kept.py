"""Measured rows in a JSON file beside the table that is made of them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from heatmark.data.records import read_json, write_whole
from heatmark.errors import DataError, UserError

from .rows import machine


class Kept:
    """Rows by name; each is written as soon as it is there, so that what was stopped goes on from there.

    Args:
        file: the JSON file; made with the first row.
        budget: what must be equal for two rows to stand in one table, in words.

    Raises:
        UserError: the file's rows are of another budget. DataError: it is damaged, or another file.
    """

    def __init__(self, file: Path, budget: str):
        self.file, self.budget = file, budget
        raw = read_json(file) if file.exists() else {}
        if not isinstance(raw, dict) or raw and not {"budget", "rows"} <= set(raw):
            raise DataError(f"{file}: not a file of measured rows: it holds no budget and rows")
        if raw and raw["budget"] != budget:
            raise UserError(f"{file} holds rows of another budget ({raw['budget']}): take another file")
        self.rows: dict[str, Any] = raw.get("rows", {})
        self.machine, self.notes = raw.get("machine", machine()), raw.get("notes", {})

    def put(self, rows: Mapping[str, Any]) -> None:
        self.rows |= dict(rows)
        self._write()

    def note(self, name: str, value: Any) -> None:
        """Anything else that was measured."""
        self.notes[name] = value
        self._write()

    def _write(self) -> None:
        if self.file.exists():  # another process may have measured rows meanwhile
            self.rows = json.loads(self.file.read_text())["rows"] | self.rows
        self.file.parent.mkdir(parents=True, exist_ok=True)
        head = {"budget": self.budget, "machine": self.machine, "notes": self.notes}
        rows = ",\n".join(f"{json.dumps(name)}: {json.dumps(row)}" for name, row in self.rows.items())
        write_whole(self.file, f'{json.dumps(head)[:-1]}, "rows": {{\n{rows}\n}}}}\n'.encode())
