"""What a model finds in the labelled pictures of a dataset, picture by picture."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from .. import data
from ..errors import DataError
from ..runtime import Detector
from ..runtime.detector import SecondLook
from ..types import Boxes, Poses, Sample, Skeleton
from . import crowd, progress, topdown
from .looks import Looks, answering, only

TOGETHER = 8  # pictures decoded and shown to the network at once


@dataclass(frozen=True)
class Seen:
    """Records that could be read and what was found in them; the lists grow together."""

    records: list[data.Record] = field(default_factory=list)
    truth: list[Poses] = field(default_factory=list)
    found: list[Poses] = field(default_factory=list)  # one answer for each labelled instance
    answers: list[Poses] = field(default_factory=list)  # all, rescored and thinned out; top_down only
    bad: list[str] = field(default_factory=list)  # why other records could not be read


def predicted(
    predictor: Detector,
    records: Sequence[data.Record],
    skeleton: Skeleton,
    look: Looks,
    boxes: str,
    second_look: SecondLook,
    skip_bad: bool,
    nms: topdown.Suppression,
) -> Seen:
    """What a model finds in every record, a few at a time.

    Args:
        skeleton: the landmarks that are looked at.
        look: where; `boxes`, `second_look`, `skip_bad` and `nms` as in `evaluate`.

    Raises a DataError for pictures that cannot be read, which names all of them.
    """
    seen, card = Seen(), predictor.card

    def steps() -> Iterator[data.Record]:
        for at in range(0, len(records), TOGETHER):
            pairs = _decoded(records[at : at + TOGETHER])
            seen.bad.extend(str(s) for _, s in pairs if isinstance(s, DataError))
            if seen.bad and not skip_bad:
                rest = _decoded(records[at + TOGETHER :], keep=False)
                raise DataError(_unreadable(seen.bad + [str(s) for _, s in rest if s is not None]))
            good = [(r, s) for r, s in pairs if isinstance(s, Sample)]
            where = look(good) if good else []
            windows = [None if w is None else w.boxes for w in where]
            answers = predictor.many([s for _, s in good], windows, second_look)
            for (record, _), looked, answer in zip(good, where, answers):
                answer = only(answer, skeleton)
                seen.records.append(record)
                seen.truth.append(only(record.poses, skeleton))
                if card.task == "crowd":
                    seen.found.append(crowd.answering(seen.truth[-1], answer))
                    seen.answers.append(answer)
                    continue
                seen.found.append(answering(record.poses, looked, answer, boxes, card))
                if card.task == "top_down":
                    h, w = record.size
                    boxes_ = Boxes(np.array([[0.0, 0.0, w, h]])) if looked is None else looked
                    answer = answer.moved(answer.points, boxes_.boxes)
                    seen.answers.append(topdown.settled(answer, boxes_.scores, card, nms))
            yield from (r for r, _ in pairs)

    for _ in progress.track(steps(), total=len(records), label="evaluating"):
        pass
    return seen


def _decoded(
    records: Sequence[data.Record], keep: bool = True
) -> list[tuple[data.Record, Sample | DataError | None]]:
    """Each record with its picture, or with what is wrong with it; None for a good one that is not kept."""

    def one(record: data.Record) -> Sample | DataError | None:
        try:
            sample = data.sample(record)
            return sample if keep else None
        except DataError as error:
            return error

    with ThreadPoolExecutor(2) as pool:
        return list(zip(records, pool.map(one, records)))


def _unreadable(bad: Sequence[str]) -> str:
    if len(bad) == 1:
        return bad[0]
    shown = "; ".join(bad[:10]) + (f"; and {len(bad) - 10} more" if len(bad) > 10 else "")
    return f"{len(bad)} pictures cannot be read: {shown}"
