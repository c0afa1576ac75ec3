"""What every part hands to the next: Skeleton, Poses, Boxes, Sample. Frozen, and they check themselves.

Points are (x, y) in continuous pixels (see geometry). A landmark is known by its name. NaN is a point nobody
labelled or found. Visibility has three states and keeps them: 0 absent, 1 hidden, 2 seen.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from .errors import UserError, unknown

ABSENT, HIDDEN, SEEN = 0, 1, 2
DEFAULT_SIGMA = 0.05  # OKS tolerance where a skeleton says nothing; a COCO eye has 0.025, an elbow 0.072


@dataclass(frozen=True)
class Skeleton:
    """The landmarks of a kind of object, all by name.

    >>> wrench = Skeleton("wrench", ("jaw_a", "jaw_b"), interchangeable=(("jaw_a", "jaw_b"),))
    >>> wrench.channels
    ((0, 1),)
    """

    name: str
    landmarks: tuple[str, ...]
    bones: tuple[tuple[str, str], ...] = ()
    mirror: tuple[tuple[str, str], ...] = ()  # pairs that swap when the picture is mirrored
    interchangeable: tuple[tuple[str, ...], ...] = ()  # groups nobody can tell apart: one merged map for each
    parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sigmas: Mapping[str, float] = field(default_factory=dict)  # OKS tolerance by name, else DEFAULT_SIGMA

    def __post_init__(self):
        if isinstance(self.landmarks, str):
            raise UserError(f"skeleton {self.name!r}: landmarks are a list of names, got {self.landmarks!r}")
        for name in ("landmarks", "bones", "mirror", "interchangeable"):
            object.__setattr__(
                self, name, tuple(v if isinstance(v, str) else tuple(v) for v in getattr(self, name))
            )
        object.__setattr__(self, "parts", MappingProxyType({k: tuple(v) for k, v in self.parts.items()}))
        object.__setattr__(self, "sigmas", MappingProxyType({k: float(v) for k, v in self.sigmas.items()}))
        if not self.landmarks:
            raise UserError(f"skeleton {self.name!r} has no landmarks")
        if len(set(self.landmarks)) != len(self.landmarks):
            twice = sorted({n for n in self.landmarks if self.landmarks.count(n) > 1})
            raise UserError(f"skeleton {self.name!r} names a landmark twice: {', '.join(twice)}")
        mentioned = [
            *self.bones,
            *self.mirror,
            *self.interchangeable,
            *self.parts.values(),
            tuple(self.sigmas),
        ]
        for name in (name for names in mentioned for name in names):
            self.index(name)
        for label, pairs in (("bones", self.bones), ("mirror", self.mirror)):
            if any(len(pair) != 2 for pair in pairs):
                raise UserError(
                    f"skeleton {self.name!r}: {label} must be pairs of landmark names, got {list(pairs)}"
                )
        for label, groups in (("mirror", self.mirror), ("interchangeable", self.interchangeable)):
            flat = [name for group in groups for name in group]
            if len(set(flat)) != len(flat):
                raise UserError(f"skeleton {self.name!r}: a landmark stands twice in {label}: {flat}")
        if bad := [k for k, v in self.sigmas.items() if not (np.isfinite(v) and v > 0)]:
            raise UserError(f"skeleton {self.name!r}: sigmas must be positive, not so for {', '.join(bad)}")

    def __reduce__(self):  # the read-only mappings do not pickle; the plain description does
        return (Skeleton.from_dict, (self.to_dict(),))

    def __hash__(self) -> int:
        return hash((self.name, self.landmarks))

    def __len__(self) -> int:
        return len(self.landmarks)

    def index(self, landmark: str) -> int:
        """Where a landmark stands. Raises a UserError that names the nearest one."""
        if landmark not in self.landmarks:
            raise unknown(f"landmark of {self.name!r}", landmark, self.landmarks)
        return self.landmarks.index(landmark)

    @property
    def mirrored(self) -> np.ndarray:
        """(K,) int: landmark k of a mirrored picture is landmark mirrored[k] of the picture."""
        order = np.arange(len(self))
        for a, b in self.mirror:
            i, j = self.index(a), self.index(b)
            order[i], order[j] = j, i
        return order

    @property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """Interchangeable groups as indices."""
        return tuple(tuple(self.index(n) for n in group) for group in self.interchangeable)

    @property
    def channels(self) -> tuple[tuple[int, ...], ...]:
        """Which landmarks each heatmap shows: an interchangeable group shares a merged one."""
        group_of = {k: group for group in self.groups for k in group}
        seen: dict[tuple[int, ...], None] = {}
        for k in range(len(self)):
            seen.setdefault(group_of.get(k, (k,)))
        return tuple(seen)

    @property
    def alike(self) -> np.ndarray:
        """(K, K) bool: which landmarks nobody can tell apart; each is like itself."""
        of = {k: i for i, group in enumerate(self.channels) for k in group}
        channel = np.array([of[k] for k in range(len(self))])
        return channel[:, None] == channel

    @property
    def alone(self) -> tuple[tuple[int, ...], ...]:
        """The same for networks that give every landmark a map, or a point, of its own."""
        return tuple((k,) for k in range(len(self)))

    @property
    def tolerances(self) -> np.ndarray:
        """(K,) OKS sigma of each landmark."""
        return np.array([self.sigmas.get(n, DEFAULT_SIGMA) for n in self.landmarks])

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and dicts, for JSON."""
        return {
            "name": self.name,
            "landmarks": list(self.landmarks),
            "bones": [list(b) for b in self.bones],
            "mirror": [list(m) for m in self.mirror],
            "interchangeable": [list(g) for g in self.interchangeable],
            "parts": {k: list(v) for k, v in self.parts.items()},
            "sigmas": dict(self.sigmas),
        }

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> "Skeleton":
        """The inverse of to_dict. Raises a UserError that names an unknown or missing field."""
        if not isinstance(raw, Mapping):
            raise UserError(f"a skeleton is an object with 'name' and 'landmarks', got {raw!r:.80}")
        fields = ("name", "landmarks", "bones", "mirror", "interchangeable", "parts", "sigmas")
        for key in raw:
            if key not in fields:
                raise unknown("skeleton field", key, fields)
        if "name" not in raw or "landmarks" not in raw:
            raise UserError(f"a skeleton needs 'name' and 'landmarks', got {sorted(raw)}")
        try:
            return cls(**raw)
        except UserError:
            raise
        except (TypeError, ValueError, AttributeError) as error:
            raise UserError(f"a skeleton's fields are names and lists of names; {error}") from error


@dataclass(frozen=True)
class Poses:
    """Every instance found in one picture, or labelled in it.

    Missing fields are filled in: visibility 2 where a point is finite, boxes NaN, instance scores the mean
    over the points that are there.
    """

    skeleton: Skeleton
    points: np.ndarray  # (N, K, 2) float64, x y in picture pixels; NaN where there is none
    scores: np.ndarray = None  # type: ignore[assignment]  # (N, K) in [0, 1]; labels: 1 where labelled, else 0
    visibility: np.ndarray = None  # type: ignore[assignment]  # (N, K) uint8: 0 absent, 1 hidden, 2 seen
    boxes: np.ndarray = None  # type: ignore[assignment]  # (N, 4) x1 y1 x2 y2; NaN where unknown
    score: np.ndarray = None  # type: ignore[assignment]  # (N,) of the whole instance, in [0, 1]

    def __post_init__(self):
        points = np.asarray(self.points, np.float64)
        k = len(self.skeleton)
        if points.ndim != 3 or points.shape[1:] != (k, 2):
            raise ValueError(f"points of {self.skeleton.name!r} must be (N, {k}, 2), got {points.shape}")
        n, there = len(points), np.isfinite(points).all(-1)
        filled = {
            "points": points,
            "scores": there.astype(np.float64)
            if self.scores is None
            else np.asarray(self.scores, np.float64),
            "visibility": np.where(there, SEEN, ABSENT).astype(np.uint8)
            if self.visibility is None
            else np.asarray(self.visibility, np.uint8),
            "boxes": np.full((n, 4), np.nan) if self.boxes is None else np.asarray(self.boxes, np.float64),
        }
        if self.score is None:
            total = (
                np.where(there, np.nan_to_num(filled["scores"]), 0).sum(-1)
                if filled["scores"].shape == (n, k)
                else 0
            )
            filled["score"] = total / np.maximum(there.sum(-1), 1) * np.ones(n)
        else:
            filled["score"] = np.asarray(self.score, np.float64)
        wanted = {"scores": (n, k), "visibility": (n, k), "boxes": (n, 4), "score": (n,)}
        for name, shape in wanted.items():
            if filled[name].shape != shape:
                raise ValueError(
                    f"{name} must be {shape} for points {points.shape}, got {filled[name].shape}"
                )
        if filled["visibility"].size and filled["visibility"].max() > SEEN:
            raise ValueError(f"visibility must be 0, 1 or 2, got {int(filled['visibility'].max())}")
        for name, value in filled.items():
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.points)

    def __getitem__(self, which) -> "Poses":
        """Some of the instances: an index, a slice or a mask. Always Poses again."""
        which = np.array([which]) if isinstance(which, (int, np.integer)) else which
        arrays = {n: getattr(self, n)[which] for n in ("points", "scores", "visibility", "boxes", "score")}
        return Poses(self.skeleton, **arrays)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Poses):
            return NotImplemented
        names = ("points", "scores", "visibility", "boxes", "score")
        return self.skeleton == other.skeleton and all(
            np.array_equal(getattr(self, n), getattr(other, n), equal_nan=True) for n in names
        )

    def moved(self, points: np.ndarray, boxes: np.ndarray | None = None) -> "Poses":
        """The same instances with other coordinates."""
        return replace(self, points=points, boxes=self.boxes if boxes is None else boxes)

    @classmethod
    def empty(cls, skeleton: Skeleton) -> "Poses":
        return cls(skeleton, np.empty((0, len(skeleton), 2)))

    @classmethod
    def join(cls, skeleton: Skeleton, many: "list[Poses]") -> "Poses":
        """Several Poses of one skeleton, one after the other."""
        many = [cls.empty(skeleton), *many]
        names = ("points", "scores", "visibility", "boxes", "score")
        return cls(skeleton, **{n: np.concatenate([getattr(p, n) for p in many]) for n in names})


@dataclass(frozen=True)
class Boxes:
    """Every object found in one picture, or labelled in it, by its box."""

    boxes: np.ndarray  # (N, 4) x1 y1 x2 y2 in picture pixels
    scores: np.ndarray = None  # type: ignore[assignment]  # (N,) in [0, 1]
    labels: np.ndarray = None  # type: ignore[assignment]  # (N,) int, into names
    names: tuple[str, ...] = ("object",)

    def __post_init__(self):
        boxes = np.asarray(self.boxes, np.float64)
        if boxes.ndim != 2 or boxes.shape[1] != 4:
            raise ValueError(f"boxes must be (N, 4) x1 y1 x2 y2, got {boxes.shape}")
        n = len(boxes)
        scores = np.ones(n) if self.scores is None else np.asarray(self.scores, np.float64)
        labels = np.zeros(n, np.int64) if self.labels is None else np.asarray(self.labels, np.int64)
        for name, value in (("scores", scores), ("labels", labels)):
            if value.shape != (n,):
                raise ValueError(f"{name} must be ({n},) for {n} boxes, got {value.shape}")
        if n and not (0 <= labels.min() and labels.max() < len(self.names)):
            raise ValueError(f"labels must be 0..{len(self.names) - 1}, got {labels.min()}..{labels.max()}")
        for name, value in (
            ("boxes", boxes),
            ("scores", scores),
            ("labels", labels),
            ("names", tuple(self.names)),
        ):
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, which) -> "Boxes":
        which = np.array([which]) if isinstance(which, (int, np.integer)) else which
        return Boxes(self.boxes[which], self.scores[which], self.labels[which], self.names)


@dataclass(frozen=True)
class Sample:
    """One labelled picture on its way from a source (synth, data) to training or scoring."""

    picture: np.ndarray  # (H, W, 3) uint8 RGB
    poses: Poses
    name: str = ""  # where it came from: a file name, or scene and index
    mask: np.ndarray | None = None  # (H, W) uint8: 0 nothing, n instance n-1 of poses
    depth: np.ndarray | None = None  # (H, W) float32 metres; inf where there is nothing

    def __post_init__(self):
        if self.picture.ndim != 3 or self.picture.shape[2] != 3 or self.picture.dtype != np.uint8:
            raise ValueError(
                f"{self.name}: a picture must be (H, W, 3) uint8, "
                f"got {self.picture.shape} {self.picture.dtype}"
            )
        for name, plane in (("mask", self.mask), ("depth", self.depth)):
            if plane is not None and plane.shape != self.picture.shape[:2]:
                raise ValueError(f"{self.name}: {name} must be {self.picture.shape[:2]}, got {plane.shape}")

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the picture."""
        return self.picture.shape[0], self.picture.shape[1]
