"""A build stretched out of the neutral surface: the same vertices, other lengths, girths, bulges and faces.

`stretched` carries any points of the neutral rest pose, so landmarks move with the flesh they stand on.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from . import flesh
from .bodies import AVERAGE_BMI, LENGTHS, NEUTRAL_M, Build, head_scale, lengths, offsets, trunk_scale
from .bones import BONES, INDEX, Posed, posed, skinned
from .flesh import MM, REST, Skin

# bulges: middle and radius, mm at 1.75 m standing (y is mirrored); where they push, mm at strength 1
BULGES = {
    "breasts": ((112, 70, 1258), 58, (46, 6, -6)),
    "belly": ((95, 0, 1065), 120, (60, 0, -10)),
    "flanks": ((0, 150, 1060), 90, (0, 30, 0)),
    "buttocks": ((-118, 72, 905), 85, (-26, 4, 0)),
    "hips": ((-10, 165, 890), 105, (0, 24, 0)),
    "pecs": ((100, 80, 1330), 60, (16, 2, 0)),
    "back": ((-105, 90, 1300), 90, (-8, 14, 0)),
}
# of the face, from the head's joint
FEATURES = {
    "nose": ((104, 0, 30), 17, (7, 0, 0)),
    "nose_wide": ((94, 11, 27), 9, (0, 4, 0)),
    "chin": ((84, 0, -36), 22, (7, 0, -2)),
    "jaw": ((34, 52, -8), 32, (0, 7, 0)),
    "brow": ((84, 18, 83), 18, (4.5, 0, 0)),
    "cheeks": ((56, 52, 30), 28, (4, 6, 0)),
    "lips": ((88, 0, -7), 14, (4, 0, 0)),
    "ears": ((-16, 80, 46), 30, (0, 8, 0)),
}


@dataclass(frozen=True)
class Figure:
    """A build in the rest pose."""

    build: Build
    offsets: np.ndarray  # (B, 3), see bones.posed
    rest: Posed
    body: Skin
    head: Skin
    hands: Skin

    def moved(self, skin: Skin, now: Posed) -> np.ndarray:
        """(V, 3) a part of it in another pose."""
        return skinned(skin.vertices, skin.weights, self.rest, now)


def figure(build: Build) -> Figure:
    """Somebody of a build, in the rest pose."""
    own, parts = offsets(build), []
    for part in (flesh.body, flesh.head, flesh.hands):
        skin = part()
        points = skin.vertices + _pushes_of(part.__name__) @ _strengths(build)
        parts.append(Skin(_drawn_out(points, skin.weights, build), skin.faces, skin.weights))
    return Figure(build, own, posed(own, REST), *parts)


def stretched(points: np.ndarray, weights: np.ndarray, build: Build) -> np.ndarray:
    """Points (V, 3) of the neutral rest pose, moved by bones as `weights` (V, B) say, on another build."""
    return _drawn_out(points + _pushes(points, weights) @ _strengths(build), weights, build)


def _drawn_out(points: np.ndarray, weights: np.ndarray, build: Build) -> np.ndarray:
    """Points (V, 3) with each bone's flesh as long and as thick as the build has it."""
    then, now = flesh.neutral(), posed(offsets(build), REST)
    matrices = np.einsum("bij,bj,bkj->bik", now.rotations, _scales(build), then.rotations)
    shifts = now.joints - np.einsum("bij,bj->bi", matrices, then.joints)
    mixed = weights @ np.concatenate([matrices.reshape(-1, 9), shifts], 1)  # (V, 12)
    return np.einsum("vij,vj->vi", mixed[:, :9].reshape(-1, 3, 3), points) + mixed[:, 9:]


def _scales(build: Build) -> np.ndarray:
    """(B, 3) of each bone's flesh along its own axes: depth, breadth, length."""
    size = build.stature_m / NEUTRAL_M
    fat = fatness(build)
    male, small, muscle = build.male, 1 - build.grown, build.muscle * (0.4 + 0.6 * build.male)
    own, up = lengths(build), trunk_scale(build)
    long = {n: own[n] / (LENGTHS[n] * NEUTRAL_M) for n in LENGTHS}
    limb = size * fat**0.85 * (1 + 0.12 * small)
    arm, leg = limb * (0.87 + 0.15 * male + 0.07 * muscle), limb * (1.03 - 0.03 * male + 0.03 * muscle)
    trunk = size * fat * (1 + 0.10 * small)
    waist = 0.90 + 0.10 * male + 0.08 * small
    chest = (0.92 + 0.10 * male) * (1 + 0.03 * muscle)
    head = head_scale(build)
    made = {
        "pelvis": (trunk, trunk * (1.03 - 0.05 * male) * build.hips, up),
        "lumbar": (trunk * fat**0.35 * (0.95 + 0.05 * male), trunk * fat**0.15 * waist, up),
        "thorax": (trunk * chest, trunk * chest * (0.6 + 0.4 * build.shoulders), up),
        "neck": (size * fat**0.6 * (0.85 + 0.15 * male + 0.07 * small),) * 2 + (up,),
        "head": (head, head * (1 + 0.04 * build.face.get("wide", 0)), head),
        "clavicle": (trunk * chest, trunk * chest * (0.6 + 0.4 * build.shoulders), up * fat**0.3),
        "arm": (arm, arm, long["arm"]),
        "forearm": (arm * (1 - 0.02 * fat), arm, long["forearm"]),
        "hand": (long["hand"],) * 3,
        "thigh": (leg * fat**0.1, leg * fat**0.1, long["thigh"]),
        "shin": (leg, leg, long["shin"]),
        "foot": (long["foot"],) * 3,
    }
    return np.array([made[bone.rpartition("_")[2]] for bone in BONES])


def fatness(build: Build) -> float:
    """Girth over that of a lean grown-up or child of the same size."""
    return float(np.sqrt(build.bmi / (16.3 + (AVERAGE_BMI - 16.3) * build.grown)))


def _strengths(build: Build) -> np.ndarray:
    """(K,) how strong each bulge and feature is, and last how much lower the lower face ends."""
    fat, female, grown = max(fatness(build) - 1, 0), 1 - build.male, build.grown
    ripe = np.clip((build.age - 10) / 6, 0, 1)
    body = {
        "breasts": ripe * female**2 * (0.55 + 1.1 * fat + 0.25 * build.muscle),
        "belly": fat * 1.6 + 0.18 * (1 - grown) + max(build.age - 40, 0) * 0.005,
        "flanks": fat * 0.9,
        "buttocks": 0.25 + 0.5 * female * ripe + 0.6 * fat,
        "hips": ripe * female * (0.7 + 0.6 * fat),
        "pecs": build.male * ripe * max(0.3 + build.muscle, 0) + 0.6 * fat,
        "back": build.male * ripe * max(0.2 + build.muscle, 0),
    }
    face = {name: build.face.get(name, 0.0) for name in FEATURES}
    for name, man, child in (
        ("nose", 0.4, -1.1), ("chin", 0.5, -0.8), ("jaw", 0.6, -0.3), ("brow", 1.1, -0.9),
        ("cheeks", -0.2, 1.0), ("lips", -0.3, 0.2), ("nose_wide", 0.3, 0.2), ("ears", 0.1, 0.2),
    ):  # fmt: skip
        face[name] += man * (2 * build.male - 1) * ripe + child * (1 - grown)
    face["cheeks"] += 2.2 * fat
    face["jaw"] += 2.5 * fat
    lower = 0.006 * build.face.get("long", 0.0) - 0.013 * (1 - grown)
    return np.array([*(body[n] for n in BULGES), *(face[n] for n in FEATURES), lower])


@lru_cache
def _pushes_of(part: str) -> np.ndarray:
    skin = getattr(flesh, part)()
    return _pushes(skin.vertices, skin.weights)


def _pushes(points: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(V, 3, K) metres that every bulge and feature pushes points of the neutral rest pose by, at strength
    1.
    """
    trunk = weights[:, [INDEX["pelvis"], INDEX["lumbar"], INDEX["thorax"]]].sum(1)
    thighs = weights[:, [INDEX["left_thigh"], INDEX["right_thigh"]]].sum(1)
    head = weights[:, INDEX["head"]]
    local = points - flesh.neutral().joints[INDEX["head"]]
    made = [
        _push(points, bulge) * (trunk + thighs * (name in ("hips", "buttocks")))[:, None]
        for name, bulge in BULGES.items()
    ]
    made += [_push(local, feature) * head[:, None] for feature in FEATURES.values()]
    lower = np.clip((60 * MM - local[:, 2]) / 0.1, 0, 1) * np.clip((local[:, 0] + 0.02) / 0.06, 0, 1)
    made.append(np.column_stack([np.zeros((len(points), 2)), -lower * head]))
    return np.stack(made, -1)


def _push(points: np.ndarray, bulge: tuple) -> np.ndarray:
    """(V, 3) what one bulge and its mirror image push."""
    (x, y, z), radius, push = bulge
    made = np.zeros_like(points)
    for mirror in (1, -1) if y else (1,):
        near = np.exp(-((points - np.array([x, mirror * y, z]) * MM) ** 2).sum(1) / (radius * MM) ** 2)
        made += near[:, None] * np.array([push[0], mirror * push[1], push[2]]) * MM
    return made
