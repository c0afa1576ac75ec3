"""What a run says while it goes: log.jsonl, TensorBoard, and a sheet of predictions for each epoch."""

import json
import math
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from ..data.records import write_whole
from ..imaging.decode import encode_jpeg


class Log:
    """Writes into a run's folder. A resumed run cuts what was logged after the step it goes on from."""

    def __init__(self, folder: Path, step: int, active: bool = True):
        self.folder, self.active = folder, active
        if not active:
            return
        path = folder / "log.jsonl"
        kept = _until(path, step)
        write_whole(path, "".join(kept).encode(), alone=True)  # a kill here must not cost the log
        self.file = open(path, "a", encoding="utf-8", buffering=1)  # noqa: SIM115  # a line at a time
        self.board = None
        if find_spec("tensorboard"):
            from torch.utils.tensorboard import SummaryWriter

            self.board = SummaryWriter(str(folder / "tensorboard"), purge_step=step)

    def step(self, line: dict[str, Any]) -> None:
        self._write("step", line)

    def epoch(self, line: dict[str, Any], picture: np.ndarray | None) -> None:
        self._write("epoch", line)
        if self.active and picture is not None:
            path = self.folder / "pictures" / f"epoch-{line['epoch'] + 1:03d}.jpg"
            write_whole(path, encode_jpeg(picture, 90), alone=True)
            if self.board:
                self.board.add_image("predictions", picture, line["step"], dataformats="HWC")

    def _write(self, kind: str, line: dict[str, Any]) -> None:
        if not self.active:
            return
        plain = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in line.items()}
        self.file.write(json.dumps({"kind": kind} | plain) + "\n")
        if self.board:
            for name, value in plain.items():
                if isinstance(value, float):
                    self.board.add_scalar(f"{kind}/{name}", value, line["step"])

    def __enter__(self) -> "Log":
        return self

    def __exit__(self, *_: object) -> None:
        if self.active:
            self.file.close()
            if self.board:
                self.board.close()


def _until(path: Path, step: int) -> list[str]:
    """The whole lines of a log about steps before `step`, and about epochs that ended by then."""
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []:
        try:
            said = json.loads(line)
        except ValueError:  # cut off by a kill
            continue
        if said["step"] < step or (said["kind"] == "epoch" and said["step"] == step):
            kept.append(line)
    return kept
