"""What a network found under attack, and its scores, kept in a folder.

Answers lie there in blocks of SUBJECTS, each written whole, so that a run that was killed goes on with the
block it was at, and the numbers are the same. What is damaged is made again.
"""

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from ..data.records import read_json, write_whole
from ..errors import DataError, UserError
from ..runtime import Predictor
from ..runtime.crowd import CrowdPredictor
from ..types import Skeleton
from . import attack_crowd, attack_window, progress
from .attack_results import Hit, Result, Score, Subject

SUBJECTS = 32  # objects (of a crowd: pictures) of a block
Network = Predictor | CrowdPredictor


def sight_of(network: Network) -> Any:
    """How it is shown hidden things and scored: one of two modules with the same functions."""
    return attack_crowd if isinstance(network, CrowdPredictor) else attack_window


def begin(
    folder: Path,
    network: Network,
    subjects: Sequence[Subject],
    hits: Sequence[Hit],
    legacy: bool,
) -> None:
    """Make the folder of answers, or check that it holds the same attack."""
    about = zlib.crc32(network.card.to_json().encode(), _crc(Path(network.name)))
    facts = {
        "model": f"{network.name}, {about:08x}",
        "objects": f"{len(subjects)}, {_crc_of(subjects):08x}",
        "attacks": [str(hit) for hit in hits],
        "legacy": legacy,
    }
    path = folder / "attack.json"
    if path.is_file():
        before = read_json(path)
        held_ = before if isinstance(before, Mapping) else {}
        if other := [name for name in facts if held_.get(name) != facts[name]]:
            said = f"holds another attack (other {', '.join(other)}); choose another folder, or remove it"
            raise UserError(f"{folder}: {said}")
    else:
        write_whole(path, json.dumps(facts, indent=1).encode())


def _crc(file: Path) -> int:
    """Of a file's contents; 0 where there is none, as for a network that was never in a file."""
    return zlib.crc32(file.read_bytes()) if file.is_file() else 0


def _crc_of(subjects: Sequence[Subject]) -> int:
    """Of what is looked at and scored by: pictures, by name and size of file, boxes, and labels."""
    shown = [(s.record.name, s.instance, s.box.tolist()) for s in subjects]
    crc = zlib.crc32(repr(shown).encode())
    for path, record in {s.record.path: s.record for s in subjects}.items():
        poses, said = record.poses, (record.instances, record.crowd, path.stat().st_size)
        crc = zlib.crc32(repr((poses.skeleton.to_dict(), *said)).encode(), crc)
        for array in (poses.points, poses.visibility, poses.boxes):
            crc = zlib.crc32(array.tobytes(), crc)
    return crc


@dataclass(frozen=True)
class Answers:
    """What a network found, untouched (row 0) and under each attack (row n + 1); on disk, in blocks."""

    blocks: tuple[Path, ...]

    def row(self, n: int) -> np.ndarray:
        """As `looked_at` of the network's sight gives it: for windows (subjects, K, 3), x y in picture pixels
        and score.
        """
        return np.concatenate([np.load(path, mmap_mode="r")[n] for path in self.blocks])

    @classmethod
    def made(
        cls,
        folder: Path,
        network: Network,
        subjects: Sequence[Subject],
        skeleton: Skeleton,
        hits: Sequence[Hit],
        batch: int,
        legacy: bool,
    ) -> "Answers":
        """Those that are in the folder already, and the rest looked at now."""
        sight = sight_of(network)
        units = sight.units(subjects)
        blocks = [units[at : at + SUBJECTS] for at in range(0, len(units), SUBJECTS)]
        paths = [folder / f"{n:05d}.npy" for n in range(len(blocks))]
        each = sight.shape_of(skeleton)
        left = [
            (path, some)
            for path, some in zip(paths, blocks)
            if not _holds(path, (1 + len(hits), len(some), *each))
        ]

        def steps() -> Iterator[int]:
            for path, some in left:
                text = BytesIO()
                np.save(text, sight.looked_at(network, some, skeleton, hits, batch, legacy))
                write_whole(path, text.getvalue(), alone=True)
                yield len(some)

        label = f"attacking {Path(network.name).name}, {len(hits)} ways"
        for _ in progress.track(steps(), len(paths), label, "blocks", done=len(paths) - len(left)):
            pass
        return cls(tuple(paths))


def _holds(path: Path, shape: tuple[int, ...]) -> bool:
    """Whether a file is a whole block of answers of this shape; a damaged one is as good as none."""
    try:
        block = np.lib.format.open_memmap(path, mode="r")
    except Exception:  # numpy's errors for what is no array have no common parent
        return False
    return block.shape == shape and block.dtype.kind == "f"


def scored(
    folder: Path,
    network: Network,
    subjects: Sequence[Subject],
    skeleton: Skeleton,
    hits: Sequence[Hit],
    answers: Answers,
    metric: str,
    legacy: bool,
) -> Result:
    """Every score; those that the folder holds already are not computed again."""
    path = folder / "scores.json"
    rows = {"untouched": 0} | {str(hit): row for row, hit in enumerate(hits, 1)}
    known = _known_scores(path, rows, skeleton)
    fresh = [name for name in rows if name not in known]
    for name in progress.track(fresh, len(rows), "scoring", "attacks", done=len(rows) - len(fresh)):
        found = answers.row(rows[name])
        total, each = sight_of(network).score(found, subjects, skeleton, network, metric, legacy)
        known[name] = {"total": _plain(total), "each": {n: _plain(v) for n, v in each.items()}}
        write_whole(path, json.dumps(known).encode(), alone=True)
    scores = {
        name: Score(_number(one["total"]), {n: _number(v) for n, v in one["each"].items()})
        for name, one in known.items()
    }
    by_hit = {hit: scores[str(hit)] for hit in hits}
    return Result(network.name, scores["untouched"], by_hit)


def _known_scores(path: Path, names: Iterable[str], skeleton: Skeleton) -> dict[str, Any]:
    """What the file holds of these attacks; nothing where there is none, or a damaged one."""
    try:
        raw = read_json(path)
    except DataError:
        return {}
    whole = isinstance(raw, dict)
    return (
        {name: raw[name] for name in names if name in raw and _is_score(raw[name], skeleton)} if whole else {}
    )


def _is_score(one: Any, skeleton: Skeleton) -> bool:
    """Whether it is `total` and `each` landmark's, numbers or None."""
    if not isinstance(one, dict) or not isinstance(each := one.get("each"), dict) or "total" not in one:
        return False
    values = [one["total"], *each.values()]
    numbers = all(value is None or isinstance(value, (int, float)) for value in values)
    return numbers and set(each) == set(skeleton.landmarks)


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
