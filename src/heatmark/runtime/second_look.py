"""The second look: an answer is believed when the network, shown nothing but its place, gives it again.

Until one is believed, the network looks closer (about the points it found, and about the surest of them),
then everywhere (into windows of three quarters and of half of the picture). A detector of hammers draws bumps
on pliers, too; shown the pliers alone it is less sure, or finds its points elsewhere on them. Live, and in
given boxes, which are not searched, it looks closer and the answer with the highest score is kept.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np

from ..card import Card
from ..geometry import boxes_around
from ..types import Skeleton
from .windows import Window, window

BELIEVED = 0.8  # from this mean score on, of an answer and of the same place seen alone
CHECKED = 4  # of the answers found in one go: the surest
ROUND = 1.25  # an answer's box, in sides of its points' box: an object is larger than its landmarks' box
SMALLEST = 8.0  # that box's longer side before, picture pixels
APART = 0.1  # of that side: points as far apart as this agree by 1/e
TRUSTED = 0.1  # the score of points to look closer at
GRIDS = ((0.75, 2), (0.5, 3))  # everywhere: windows of this share of the picture, so many each way


@dataclass(frozen=True)
class Place:
    """One thing to look at."""

    picture: int
    window: Window
    extent: np.ndarray  # (4,) x1 y1 x2 y2: the box, or the whole picture
    given: bool  # somebody said that there is one object in this box

    @property
    def box(self) -> np.ndarray:
        """(4,), NaN for the whole picture."""
        return self.extent if self.given else np.full(4, np.nan)

    def square(self, middle: np.ndarray, side: float, card: Card) -> "Place":
        """A part of it."""
        return self.part(np.concatenate([middle - side / 2, middle + side / 2]), card)

    def part(self, box: np.ndarray, card: Card) -> "Place":
        """What lies in a box of it."""
        return Place(self.picture, window(box, card, enlarge=1.0), self.extent, self.given)

    @property
    def widest(self) -> float:
        """The shorter side of what its window shows, picture pixels."""
        corners = self.window.back(np.array([[0.0, 0.0], [self.window.size[1], self.window.size[0]]]))
        return float((corners[1] - corners[0]).min())


@dataclass(frozen=True)
class Look:
    """What the network answers to a place."""

    place: Place
    points: np.ndarray  # (K, 2) picture pixels, NaN where nothing was found
    scores: np.ndarray  # (K,) heights of the bumps

    @property
    def score(self) -> float:
        """The mean of all landmarks."""
        return float(self.scores.mean())


@dataclass(frozen=True)
class Checked:
    """An answer whose place was seen alone."""

    look: Look  # what was found there then
    worth: float  # of two answers, the worthier is kept
    belief: float  # the lesser of its two scores


Show = Callable[[list[Place]], list[Look]]


def second_looks(first: list[Look], show: Show, skeleton: Skeleton, card: Card, live: bool) -> list[Look]:
    """The worthiest answer for each first look, through `show`, which asks the network.

    Args:
        live: three looks in all, and no more than two calls of the network.
    """
    judged = partial(checked, show=show, skeleton=skeleton, card=card, live=live)
    best = judged(first)
    for places in (closer,) if live else (closer, everywhere):
        doubtful = [i for i, answer in enumerate(best) if answer.belief < BELIEVED]
        asked = [(i, place) for i in doubtful for place in places(first[i], card)]
        looks = show([place for _, place in asked])
        found = {i: [look for (j, _), look in zip(asked, looks) if j == i] for i in doubtful}
        surest = [(i, look) for i in doubtful for look in sorted(found[i], key=lambda a: -a.score)[:CHECKED]]
        for (i, _), answer in zip(surest, judged([look for _, look in surest])):
            best[i] = max(best[i], answer, key=lambda a: a.worth)
    return [answer.look for answer in best]


def checked(looks: list[Look], show: Show, skeleton: Skeleton, card: Card, live: bool) -> list[Checked]:
    """Each answer's place seen alone. Where that cannot be (a single point has no place) or is not wanted, an
    answer is worth its score, and not believed.
    """
    boxes = [None if live or look.place.given else box_of(look.points) for look in looks]
    alone = [Place(a.place.picture, window(b, card), b, True) for a, b in zip(looks, boxes) if b is not None]
    again = iter(show(alone))
    return [
        Checked(look, 3 * look.score, 0.0) if box is None else compared(look, next(again), skeleton)
        for look, box in zip(looks, boxes)
    ]


def compared(look: Look, again: Look, skeleton: Skeleton) -> Checked:
    """How far an answer holds: its own score counts twice, that of what agrees with it once. What was seen
    alone was seen closer, so those points are kept, unless the object was lost.
    """
    gaps = np.linalg.norm(again.points[:, None] - look.points, axis=-1)
    gaps = np.where(skeleton.alike & np.isfinite(gaps), gaps, np.inf).min(1)
    x1, y1, x2, y2 = boxes_around(look.points)
    agreed = np.exp(-((gaps / (APART * max(x2 - x1, y2 - y1, SMALLEST))) ** 2))
    held = float((again.scores * agreed).mean())
    kept = again if again.score >= look.score / 2 else look
    return Checked(Look(look.place, kept.points, kept.scores), 2 * look.score + held, min(look.score, held))


def box_of(points: np.ndarray) -> np.ndarray | None:
    """A box (4,) for an object with these landmarks (K, 2); None under two points."""
    if np.isfinite(points).all(-1).sum() < 2:
        return None
    x1, y1, x2, y2 = boxes_around(points)
    pad = (ROUND - 1) / 2 * max(x2 - x1, y2 - y1, SMALLEST)
    return np.array([x1 - pad, y1 - pad, x2 + pad, y2 + pad])


def closer(look: Look, card: Card) -> list[Place]:
    """Around the points that can be trusted; in a picture also half of it, about the surest point: of a small
    object only one end may have been found.
    """
    place, places = look.place, []
    there = np.atleast_1d(np.isfinite(look.points).all(-1))
    trusted = look.points[there & (look.scores >= min(TRUSTED, float(look.scores.max()) / 2))]
    if len(trusted) > 1:
        x1, y1, x2, y2 = boxes_around(trusted)
        wanted = max(x2 - x1, y2 - y1) * card.second_look
        side = float(np.clip(wanted, 0.1 * place.widest, place.widest))
        places.append(place.square(np.array([x1 + x2, y1 + y2]) / 2, side, card))
    surest = int(np.argmax(look.scores))
    if not place.given and there[surest]:
        places.append(place.square(look.points[surest], place.widest / 2, card))
    return places


def everywhere(look: Look, card: Card) -> list[Place]:
    """Windows all over a picture; none in a given box."""
    if look.place.given:
        return []
    x1, y1, x2, y2 = look.place.extent
    places = []
    for share, each_way in GRIDS:
        w, h = share * (x2 - x1), share * (y2 - y1)
        corners = product(np.linspace(x1, x2 - w, each_way), np.linspace(y1, y2 - h, each_way))
        places += [look.place.part(np.array([x, y, x + w, y + h]), card) for x, y in corners]
    return places
