"""What is there beside a scene's first object: others of its kind, clutter, a hand, what people sit on."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import placing
from .scene import Camera, Placed, Source, half_size, rows
from .settings import SceneSettings, one_of
from .things import build, outline, sits, tools

KIN = 64  # different objects that lie beside the first; each has many sizes, and is kept once built
CROWDED = 0.6  # of somebody's box that may be hidden by others
LEAST = 0.18  # of the picture's shorter side, that an object labelled beside the first is long


@dataclass(frozen=True)
class View:
    """What the camera sees, for those who put things into it."""

    camera: Camera
    aspect: float
    metres: float  # that the picture covers at the object
    floats: bool  # nothing lies on a ground
    upright: bool  # things stand on it as they were built

    @property
    def matrix(self) -> np.ndarray:
        return np.array(self.camera.matrix)

    @property
    def half(self) -> np.ndarray:
        return half_size(self.camera.fov_deg, self.aspect)

    def spot(
        self,
        rng: np.random.Generator,
        rotation: np.ndarray,
        points: np.ndarray,
        reach: float,
        depths: tuple[float, float],
    ) -> np.ndarray | None:
        """(4, 4) that puts an outline somewhere into the picture, whose edge is at `reach` 1; None above the
        horizon. In the air it comes to one of `depths`, in distances of the object.
        """
        half, matrix = self.half, self.matrix
        if self.upright:
            return self._stands(rng, rotation, points, reach, depths)
        way = matrix[:3, :3] @ np.append(rng.uniform(-reach, reach, 2) * half, 1.0)
        if self.floats:
            spot = matrix[:3, 3] + way * self.metres / (2 * half.min()) * rng.uniform(*depths)
            height = np.ptp(points @ rotation.T, axis=0)[2]
            return placing.placed(rotation, points, spot[:2], spot[2] - height / 2)
        if way[2] > -1e-3:
            return None
        spot = matrix[:3, 3] - way * matrix[2, 3] / way[2]
        return placing.placed(rotation, points, spot[:2])

    def _stands(self, rng, rotation, points, reach: float, depths: tuple[float, float]) -> np.ndarray | None:
        """The same for what stands on the ground: its middle comes into the picture, or nearly."""
        half, matrix = self.half, self.matrix
        away = rng.uniform(*depths) * float(np.linalg.norm(matrix[:2, 3]))
        ahead, aside = (v / max(float(np.linalg.norm(v)), 1e-6) for v in (matrix[:2, 2], matrix[:2, 0]))
        spot = matrix[:2, 3] + ahead * away + aside * away * rng.uniform(-reach, reach) * half[0]
        there = placing.placed(rotation, points, spot)
        middle = placing.seen(matrix, placing.carried(there, points).mean(0, keepdims=True))[0]
        return there if (np.abs(middle) < reach * half).all() else None


def clutter_of(
    rng: np.random.Generator,
    settings: SceneSettings,
    what: str,
    first: Placed,
    taken: list[np.ndarray],
    view: View,
) -> tuple[Placed, ...]:
    """Pieces that lie about in what the camera sees, now and then in line with the object, as on a tool
    board; none cuts into what is `taken`, few hide much of the object, the first of these.
    """
    taken, pieces = list(taken), []
    neat = _flat(taken[0], view) and rng.random() < settings.clutter.neat
    for _ in range(rng.integers(settings.clutter.count[0], settings.clutter.count[1] + 1)):
        source = _piece(rng, settings, what)
        points = outline(source.kind, source.name, source.seed)
        how = "air" if view.floats else one_of(rng, {"lying": 0.75, "rolled": 0.15, "standing": 0.1})
        rotation = placing.posed(rng, "upright" if view.upright else how, points, (10, 60))
        for attempt in range(8):
            if neat and attempt < 3:
                there = _beside(rng, first, source, taken, 1.0, side=rng.choice([-1, 1]))
            else:
                there = view.spot(rng, rotation, points, 1.15, (0.5, 2.2) if view.upright else (1.2, 3.0))
            if there is not None and _fits(moved := placing.carried(there, points), taken, view):
                taken.append(moved)
                pieces.append(Placed(source=source, matrix=rows(there)))
                break
    return tuple(pieces)


def _fits(points: np.ndarray, taken: list[np.ndarray], view: View) -> bool:
    most = CROWDED if view.upright else 0.33
    return placing.free(points, taken) and not placing.hides(view.matrix, points, taken[0], most)


def _flat(solid: np.ndarray, view: View) -> bool:
    """Whether an object lies on the ground."""
    return bool(np.ptp(solid[:, 2]) < 0.5 * np.ptp(solid, axis=0).max()) and not view.floats


def kin_of(
    rng: np.random.Generator, settings: SceneSettings, first: Placed, solid: np.ndarray, view: View
) -> tuple[Placed, ...]:
    """Others of the first object's kind, labelled 2, 3, ...: side by side with it, or about."""
    ours, source = settings.clutter, first.source
    if rng.random() >= ours.kin:
        return ()
    count = int(rng.integers(ours.kin_count[0], ours.kin_count[1] + 1))
    in_set, one_make = _flat(solid, view) and rng.random() < ours.sets, rng.random() < 0.5
    taken, kin = [solid], []
    for i in range(count):
        other = source
        if source.kind == "family" and not (in_set and one_make):
            usual = settings.object.draws or (2**31 if view.upright else KIN)
            draw = int(rng.integers(usual if view.upright else min(usual, KIN)))
            other = Source(kind="family", name=source.name, seed=draw)
        points = outline(other.kind, other.name, other.seed)
        size = float(np.exp(rng.uniform(-0.35, 0.3))) if in_set else float(np.exp(rng.uniform(-0.15, 0.15)))
        for _ in range(4):
            if in_set:
                there = _beside(rng, first, other, taken, size, side=1 if i % 2 else -1)
            else:
                how = "air" if view.floats else one_of(rng, {"lying": 0.85, "rolled": 0.15})
                turned = placing.posed(rng, "upright", points, (0, 0)) if view.upright else None
                turned = placing.posed(rng, how, points, (10, 60)) * size if turned is None else turned
                there = view.spot(rng, turned, points, 0.8, (0.6, 2.4) if view.upright else (0.9, 1.6))
            if there is None or not _fits(moved := placing.carried(there, points), taken, view):
                continue
            if np.ptp(placing.seen(view.matrix, moved), axis=0).max() > LEAST * 2 * view.half.min():
                taken.append(moved)
                kin.append(Placed(source=other, matrix=rows(there), instance=len(kin) + 2))
                break
    return tuple(kin)


def seats_of(sitters: tuple[Placed, ...]) -> tuple[Placed, ...]:
    """What those people sit on who do."""
    found = []
    for sitter in sitters:
        if sitter.source.kind == "family" and sits(sitter.source.name, sitter.source.seed):
            seat = Source(kind="seat", seed=sitter.source.seed)
            found.append(Placed(source=seat, matrix=sitter.matrix))
    return tuple(found)


def _beside(
    rng: np.random.Generator, first: Placed, other: Source, taken: list[np.ndarray], size: float, side: int
) -> np.ndarray:
    """(4, 4) that lays another object along the first, outside all that are taken on that side (1 or -1)."""
    points = outline(other.kind, other.name, other.seed)
    matrix = np.array(first.matrix)
    along = matrix[:3, :3] @ _direction(first.source)
    along = along[:2] / max(float(np.linalg.norm(along[:2])), 1e-9)
    across = np.array([-along[1], along[0]])
    rotation = placing.posed(rng, "lying", points, (10, 60))
    ours = (rotation @ _direction(other))[:2]
    turned = np.arctan2(along[1], along[0]) - np.arctan2(ours[1], ours[0])
    turned += np.deg2rad(rng.normal(0, 3)) + (np.pi if rng.random() < 0.15 else 0.0)
    rotation = placing.turn([0, 0, 1], float(np.rad2deg(turned))) @ rotation * size
    width = np.ptp((points @ rotation.T)[:, :2] @ across)
    edge = max((side * (t[:, :2] @ across)).max() for t in taken)
    middle = (taken[0].min(0) + taken[0].max(0))[:2] / 2
    slide = rng.normal(0, 0.06) * np.ptp(taken[0][:, :2] @ along)
    out = edge + width / 2 + 0.004 + width * rng.uniform(0.0, 0.35)
    xy = across * side * out + along * (middle @ along + slide)
    return placing.placed(rotation, points, xy)


def _direction(source: Source) -> np.ndarray:
    """(3,) from an object's last landmark to its first, or its long axis where there are no two."""
    marks = build(source.kind, source.name, source.seed).landmarks
    way = marks[0] - marks[-1] if len(marks) else np.zeros(3)
    far = float(np.linalg.norm(way))
    return way / far if far > 1e-6 else placing.long_axis(outline(source.kind, source.name, source.seed))


def hand_on(rng: np.random.Generator, first: Placed, solid: np.ndarray, view: View) -> tuple[Placed, ...]:
    """A hand round the object's handle; none if every way to hold it would reach through the ground, or come
    between the camera and most of the object.
    """
    source, matrix = first.source, np.array(first.matrix)
    held, points = (
        build(source.kind, source.name, source.seed),
        outline(source.kind, source.name, source.seed),
    )
    axis, middle = placing.long_axis(points), points.mean(0)
    along = (points - middle) @ axis
    ends = [n for n in (held.skeleton.landmarks if held.skeleton else ()) if "handle" in n]
    if ends and held.skeleton:
        end = np.sign((held.landmarks[held.skeleton.index(ends[0])] - middle) @ axis) or 1.0
        part = rng.uniform(0.12, 0.35)
    else:
        end, part = rng.choice([-1, 1]), rng.uniform(0.2, 0.5)
    at = (along.max() if end > 0 else along.min()) - end * part * np.ptp(along)
    near = points[np.argsort(np.abs(along - at))[:24]]
    across = np.eye(3) - np.outer(axis, axis)
    spot = middle + at * axis + across @ ((near.min(0) + near.max(0)) / 2 - middle)
    hand = Source(kind="hand", seed=int(rng.integers(60)))
    shape = outline(hand.kind, hand.name, hand.seed)
    for _ in range(6):
        grip = np.eye(4)
        grip[:3, :3] = placing.turn(axis, rng.uniform(-180, 180)) @ placing.onto(
            np.array([1.0, 0, 0]), axis * end
        )
        grip[:3, 3] = spot
        there = matrix @ grip
        where = placing.carried(there, shape)
        above = view.floats or where[:, 2].min() > -0.002
        if above and not placing.hides(view.matrix, where, solid, most=0.7):
            return (Placed(source=hand, matrix=rows(there)),)
    return ()


def _piece(rng: np.random.Generator, settings: SceneSettings, what: str) -> Source:
    """What one piece of clutter is: never of the object's own family, nor of one that looks like it."""
    ours, seed = settings.clutter, int(rng.integers(settings.clutter.draws))
    own = {name for name in settings.objects} | {Path(what).stem}
    if ours.what == "furniture":
        return Source(kind="furniture", seed=seed)
    others = [name for name in tools() if not any(name in o or o in name for o in own)]
    if others and rng.random() < ours.tools:
        return Source(kind="family", name=others[rng.integers(len(others))], seed=seed % 24)
    if ours.meshes and rng.random() < 0.5:
        return Source(kind="distractor", name=ours.meshes[rng.integers(len(ours.meshes))])
    name = ours.pieces[rng.integers(len(ours.pieces))] if ours.pieces else ""
    return Source(kind="clutter", name=name, seed=seed)
