"""Peaks and tags to persons: which candidates of different landmarks belong to one body.

A network that finds everybody in one pass draws two maps for each landmark: a bump wherever somebody has it,
and a tag, a number that is alike over one person and different from the next (associative embedding, Newell
et al. 2017). `candidates` reads both, `grouped` makes persons of them, landmark by landmark, by an optimal
assignment (scipy's), `complete` or `refine` look for what is still missing, `people` does all of it.

`Rules()` is ours. `HIGHERHRNET` and `POSE_AE` give what those two published programs give, quirks included;
where their rounding leaves several assignments equally cheap, the choice is scipy's and not Munkres's.

Places are x, y in cells of the map, whose first cell has its middle at (0.5, 0.5), as everywhere here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
from scipy.optimize import linear_sum_assignment

COCO_ORDER = (0, 1, 2, 3, 4, 5, 6, 11, 12, 7, 8, 9, 10, 13, 14, 15, 16)  # head and trunk before the limbs
PADDED = 1e10  # what the published programs let it cost to be nobody's


@dataclass(frozen=True)
class Rules:
    """How candidates become persons.

    Ours lets a person be any number of people, keeps two persons apart whose first tags are equal, weighs
    tags as they are, and gives no candidate to two persons. The fields below `order` are those quirks.
    """

    peaks: int = 30  # of a landmark, at the most
    window: int = 5  # cells; a peak is the highest of so many by so many
    threshold: float = 0.1  # a candidate must be higher to begin or join a person
    floor: float = 0.02  # and so high to complete one
    reach: float = 1.0  # a candidate's tag must be nearer than this to its person's
    order: tuple[int, ...] | None = None  # in which the landmarks are joined; None: as they stand

    rounded: bool = False  # tag distances count in whole numbers only, a hundred times as much as scores
    rms: bool = False  # the distance of several tags is their mean square's root, not their sum's
    keyed: bool = False  # a person is known by its first tag: an equal one overwrites it
    most: int | None = None  # later persons are offered no further landmarks
    stops: bool = False  # nor are there any more persons, once there are `most`
    ties: Literal["stay", "minus"] = "stay"  # where both neighbours are equal: the peak stays, or is moved
    found: Literal["value", "one"] = "value"  # what a refined landmark scores: the map's value, or 1


HIGHERHRNET = Rules(order=COCO_ORDER, rounded=True, keyed=True, most=30, ties="minus")
POSE_AE = Rules(
    window=3,
    order=COCO_ORDER,
    rounded=True,
    rms=True,
    keyed=True,
    most=30,
    stops=True,
    ties="minus",
    found="one",
)


@dataclass(frozen=True)
class Candidates:
    """The highest peaks of every landmark, the highest first, for K landmarks, T peaks and D tags."""

    values: np.ndarray  # (K, T) heights; 0 where there are fewer than T
    places: np.ndarray  # (K, T, 2) x y, cells; NaN there
    tags: np.ndarray  # (K, T, D); NaN there

    def __post_init__(self):
        k, t = self.values.shape
        if self.places.shape != (k, t, 2) or self.tags.ndim != 3 or self.tags.shape[:2] != (k, t):
            raise ValueError(
                f"candidates of values {self.values.shape} need places {(k, t, 2)} and tags ({k}, {t}, D), "
                f"got {self.places.shape} and {self.tags.shape}"
            )

    @property
    def usable(self) -> np.ndarray:
        """(K, T) bool: a finite value, place and tag."""
        finite = np.isfinite(self.places).all(-1) & np.isfinite(self.tags).all(-1)
        return np.asarray(finite & np.isfinite(self.values))


@dataclass(frozen=True)
class Groups:
    """N persons of K landmarks."""

    points: np.ndarray  # (N, K, 2) x y, cells; NaN where a person lacks the landmark
    values: np.ndarray  # (N, K), 0 there
    tags: np.ndarray  # (N, D) means of the persons' tags
    members: np.ndarray  # (N, K) int: which candidate it is, -1 for none
    score: np.ndarray  # (N,) mean of `values` over all K, as both published programs have it
    nonfinite: int = 0  # candidates left out because their value, place or tag was not finite

    def __len__(self) -> int:
        return len(self.points)


def people(heat: np.ndarray, tags: np.ndarray, rules: Rules = Rules(), fill: bool = True) -> Groups:
    """The persons on maps.

    Args:
        heat: (K, H, W), higher where a landmark is likelier.
        tags: (K, H, W), or (K, H, W, D) with several tags (of a mirrored picture, of other scales).
        fill: look for the landmarks that a person still lacks: by the published programs' `refine` where
            `rules` are theirs, else by `complete`.
    """
    heat, tags = np.asarray(heat), _several(tags)
    found = candidates(heat, tags, rules.peaks, rules.window, min(rules.threshold, rules.floor))
    ours = fill and not rules.keyed
    groups = assembled(found, rules) if ours else grouped(found, rules)
    groups = replace(groups, points=adjust(groups.points, heat, rules.ties))
    return refine(groups, heat, tags, rules.found) if fill and rules.keyed else groups


def assembled(found: Candidates, rules: Rules = Rules()) -> Groups:
    """Candidates to whole persons: what is left of `people` where a model file searched the peaks."""
    return complete(grouped(found, rules), found, rules)


def candidates(
    heat: np.ndarray,
    tags: np.ndarray,
    peaks: int = 30,
    window: int = 3,
    threshold: float = 0.0,
    shown: Sequence[int] | None = None,
) -> Candidates:
    """The highest peaks of every map, in the middle of their cells, with the tags there.

    A peak is as high as the highest cell of the window about it, so a plateau is all peaks.

    Args:
        heat: (K, H, W). What is not finite is no peak.
        tags: (K, H, W) or (K, H, W, D).
        peaks: how many of a landmark at the most.
        window: odd, cells.
        threshold: peaks are higher than this.
        shown: how many landmarks each map shows, one by default; a cluster's map has `peaks` for each of its
            own (the cluster-wise paper's K, section 3.2).
    """
    heat, tags = np.asarray(heat, np.float32), _several(tags)
    if heat.shape != tags.shape[:3]:
        raise ValueError(f"maps {heat.shape} and tags {tags.shape[:3]} must be of one size")
    if not np.isfinite(heat).all():
        heat = np.where(np.isfinite(heat), heat, -np.inf)
    square = np.ones((window, window), np.uint8)
    highest = np.stack([cv2.dilate(m, square) for m in heat]) if heat.size else heat
    cells = np.flatnonzero((heat == highest) & (heat > max(threshold, np.finfo(np.float32).min)))
    k, y, x = np.unravel_index(cells, heat.shape)
    values = heat[k, y, x]
    order = np.lexsort((-values, k))  # by landmark, then the highest first; stable, so in reading order
    k, y, x, values = k[order], y[order], x[order], values[order]
    starts = np.searchsorted(k, np.arange(len(heat)))
    rank = np.arange(len(k)) - starts[k]
    most = peaks * np.array([1] * len(heat) if shown is None else shown, int)  # (K,)
    if most.shape != (len(heat),):
        raise ValueError(f"what {len(heat)} maps show must be {len(heat)} numbers, got {len(most)}")
    kept = rank < most[k]
    k, y, x, rank, values = k[kept], y[kept], x[kept], rank[kept], values[kept]
    shape = (len(heat), int(most.max(initial=0)))
    found = Candidates(
        np.zeros(shape), np.full((*shape, 2), np.nan), np.full((*shape, tags.shape[3]), np.nan)
    )
    found.values[k, rank] = values
    found.places[k, rank] = np.stack([x, y], -1) + 0.5
    found.tags[k, rank] = tags[k, y, x]
    return found


def grouped(found: Candidates, rules: Rules = Rules()) -> Groups:
    """Candidates to persons, landmark by landmark in the rules' order.

    The first landmark's candidates begin a person each. Those of the next are assigned to persons so that
    tags agree best; one whose tag is within `reach` of its person's mean joins it, another begins a person.
    """
    usable = found.usable & (found.values > rules.threshold)
    order = range(len(found.values)) if rules.order is None else rules.order
    if sorted(order) != list(range(len(found.values))):
        raise ValueError(f"the order must name each of {len(found.values)} landmarks once, got {list(order)}")
    crowd = _Crowd(len(found.values), found.tags.shape[2], rules.keyed)
    for landmark in order:
        rows = np.flatnonzero(usable[landmark])
        tags = found.tags[landmark, rows]  # (R, D)
        if len(rows) and len(crowd.members) and rules.stops and len(crowd.members) >= (rules.most or np.inf):
            continue
        chosen = _assigned(tags, found.values[landmark, rows], crowd.means()[: rules.most], rules)
        for row, tag, person in zip(rows, tags, chosen):
            if person >= 0:
                crowd.join(int(person), landmark, int(row), tag)
            else:
                crowd.begin(landmark, int(row), tag)
    there = np.isfinite(found.places).all(-1)
    members = np.array(crowd.members, int).reshape(-1, len(found.values))
    return _gathered(found, members, crowd.means(), int((there & ~found.usable).sum()))


def complete(groups: Groups, found: Candidates, rules: Rules = Rules()) -> Groups:
    """What persons still lack, out of the candidates that nobody has, down to the rules' `floor`.

    `found` is what the groups were made of. No candidate is given twice. A person's score stays what it was,
    as in the published programs.
    """
    points, values, members = groups.points.copy(), groups.values.copy(), groups.members.copy()
    usable = found.usable & (found.values > rules.floor)
    for landmark in range(points.shape[1]):
        lacking = np.flatnonzero(members[:, landmark] < 0)
        free = np.setdiff1d(np.flatnonzero(usable[landmark]), members[:, landmark])
        chosen = _assigned(
            found.tags[landmark, free], found.values[landmark, free], groups.tags[lacking], rules
        )
        rows, persons = free[chosen >= 0], lacking[chosen[chosen >= 0]]
        points[persons, landmark] = found.places[landmark, rows]
        values[persons, landmark] = found.values[landmark, rows]
        members[persons, landmark] = rows
    return replace(groups, points=points, values=values, members=members)


def adjust(points: np.ndarray, heat: np.ndarray, ties: Literal["stay", "minus"] = "stay") -> np.ndarray:
    """Points a quarter of a cell nearer to their higher neighbour, on each axis.

    Args:
        points: (N, K, 2) x y, middles of cells; NaN stays.
        heat: (K, H, W). Beyond its border stands what stands at the border.
        ties: of equal neighbours "stay" prefers none, "minus" the first, as the published programs do.
    """
    there = np.isfinite(points).all(-1)
    n, k = np.nonzero(there)
    x, y = np.floor(points[n, k]).astype(int).T if len(n) else (n, n)
    moved = np.array(points, np.float64)
    moved[n, k] = np.stack([x, y], -1) + 0.5 + _quarter(np.asarray(heat), k, x, y, ties)
    return moved


def refine(groups: Groups, heat: np.ndarray, tags: np.ndarray, found: str = "value") -> Groups:
    """What persons lack, each where the map less the rounded tag distance is highest, as HigherHRNet has it.

    Two persons may be given the same place, and none is where a height or tag is not finite. Scores stay.

    Args:
        heat: (K, H, W); tags: (K, H, W) or (K, H, W, D).
        found: what it scores: the map's "value"; or "one" as PoseAE, whose comparison of the rows below and
            above also takes no row beyond the number of landmarks.
    """
    heat, tags = np.asarray(heat), _several(tags)
    points, values = groups.points.copy(), groups.values.copy()
    for person in range(len(points)):
        has = np.flatnonzero(np.isfinite(points[person]).all(-1))
        if not len(has):
            continue
        x, y = np.floor(points[person, has]).astype(int).T
        mean = tags[has, y, x].mean(0)
        for landmark in np.flatnonzero(~np.isfinite(points[person]).all(-1)):
            away = np.sqrt(((tags[landmark] - mean) ** 2).sum(-1))
            worth = heat[landmark] - np.round(away)
            worth[~np.isfinite(worth)] = -np.inf  # NaN would be the highest of all
            y, x = divmod(int(np.argmax(worth)), heat.shape[2])
            if np.isfinite(worth[y, x]) and heat[landmark, y, x] > 0:
                last = len(heat) - 1 if found == "one" else None
                k = np.array([landmark])
                step = _quarter(heat, k, np.array([x]), np.array([y]), "minus", last)[0]
                points[person, landmark] = np.array([x, y]) + 0.5 + step
                values[person, landmark] = 1.0 if found == "one" else heat[landmark, y, x]
    return replace(groups, points=points, values=values)


def mirrored_back(maps: np.ndarray, mirrored: Sequence[int]) -> np.ndarray:
    """Maps (K, H, W) of a mirrored picture, as maps of the picture; `mirrored` is Skeleton.mirrored.

    >>> mirrored_back(np.array([[[1, 2]], [[3, 4]]]), [1, 0]).tolist()
    [[[4, 3]], [[2, 1]]]
    """
    return maps[list(mirrored)][..., ::-1]


def combined(
    heats: Sequence[np.ndarray], tags: Sequence[np.ndarray], size: tuple[int, int], most: float = np.inf
) -> tuple[np.ndarray, np.ndarray]:
    """Maps of one picture, seen mirrored and at several scales, as one: values averaged, tags side by side.

    Args:
        heats: (K, h, w) each, of any size.
        tags: (K, h, w) each, of those views that are to be grouped by (the published programs: scale 1, and
            its mirror image).
        size: (H, W) of the result; maps are stretched bilinearly.
        most: values are cut off above it (PoseAE: 1).

    Returns:
        heat (K, H, W), tags (K, H, W, D).
    """
    heat = np.mean([_stretched(h, size) for h in heats], 0)
    return np.minimum(heat, most), np.stack([_stretched(t, size) for t in tags], -1)


class _Crowd:
    """Persons while they are found: who has which candidate, and the tags each is known by."""

    def __init__(self, landmarks: int, tags: int, keyed: bool):
        self.landmarks, self.keyed, self.dimensions = landmarks, keyed, tags
        self.members: list[list[int]] = []
        self.sums: list[np.ndarray] = []
        self.counts: list[int] = []
        self.known: dict[float, int] = {}  # by their first tag, if `keyed`

    def begin(self, landmark: int, candidate: int, tag: np.ndarray) -> None:
        person = self.known.get(float(tag[0])) if self.keyed else None
        if person is None:
            person = len(self.members)
            self.known[float(tag[0])] = person
            self.members.append([-1] * self.landmarks)
            self.sums.append(tag)
            self.counts.append(1)
        self.members[person][landmark] = candidate
        self.sums[person], self.counts[person] = tag, 1

    def join(self, person: int, landmark: int, candidate: int, tag: np.ndarray) -> None:
        self.members[person][landmark] = candidate
        self.sums[person] = self.sums[person] + tag
        self.counts[person] += 1

    def means(self) -> np.ndarray:
        """(N, D)."""
        if not self.members:
            return np.zeros((0, self.dimensions))
        return np.array(self.sums) / np.array(self.counts)[:, None]


def _assigned(tags: np.ndarray, values: np.ndarray, persons: np.ndarray, rules: Rules) -> np.ndarray:
    """For each of R candidates its person, or -1: tags (R, D), values (R,), persons (N, D) -> (R,)."""
    chosen = np.full(len(tags), -1)
    if not len(tags) or not len(persons):
        return chosen
    away = _distances(tags, persons, rules.rms)  # (R, N)
    if rules.rounded:
        cost = np.round(away) * 100 - values[:, None]
        nobody = np.full((len(tags), max(len(tags) - len(persons), 0)), PADDED)
        rows, columns = linear_sum_assignment(np.concatenate([cost, nobody], 1))
    else:  # worth nothing beyond the reach, so that a far candidate does not push a near one aside
        worth = np.maximum(1 - away / rules.reach, 0) * values[:, None]
        rows, columns = linear_sum_assignment(worth, maximize=True)
    real = columns < len(persons)
    rows, columns = rows[real], columns[real]
    near = away[rows, columns] < rules.reach
    chosen[rows[near]] = columns[near]
    return chosen


def _distances(tags: np.ndarray, others: np.ndarray, rms: bool) -> np.ndarray:
    """(R, D) and (N, D) -> (R, N)."""
    squares = (tags[:, None] - others[None]) ** 2
    return np.sqrt(squares.mean(-1) if rms else squares.sum(-1))


def _gathered(found: Candidates, members: np.ndarray, tags: np.ndarray, nonfinite: int) -> Groups:
    """Persons by their candidates (N, K)."""
    k = np.arange(len(found.values))
    has = members >= 0
    points = np.where(has[..., None], found.places[k, members], np.nan)
    values = np.where(has, found.values[k, members], 0.0)
    return Groups(points, values, tags, members, values.mean(-1), nonfinite)


def _quarter(heat: np.ndarray, k, x, y, ties: str, last: int | None = None) -> np.ndarray:
    """(M, 2) steps of a quarter cell at map k, cell x, y (M,); `last`: the highest row that is looked at."""
    h, w = heat.shape[1:]
    right, left = heat[k, y, np.minimum(x + 1, w - 1)], heat[k, y, np.maximum(x - 1, 0)]
    bottom = h - 1 if last is None else min(last, h - 1)
    below, above = heat[k, np.minimum(y + 1, bottom), x], heat[k, np.maximum(y - 1, 0), x]
    if ties == "minus":
        return np.stack([np.where(right > left, 0.25, -0.25), np.where(below > above, 0.25, -0.25)], -1)
    sides = ((right, left), (below, above))  # compared, not subtracted: a neighbour may be NaN or infinite
    return 0.25 * np.stack([(more > less) * 1.0 - (more < less) for more, less in sides], -1)


def _several(tags: np.ndarray) -> np.ndarray:
    """(K, H, W) or (K, H, W, D) -> (K, H, W, D)."""
    tags = np.asarray(tags)
    return tags[..., None] if tags.ndim == 3 else tags


def _stretched(maps: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    if maps.shape[1:] == tuple(size):
        return maps
    flat = [cv2.resize(np.ascontiguousarray(m), size[::-1], interpolation=cv2.INTER_LINEAR) for m in maps]
    return np.stack(flat)
