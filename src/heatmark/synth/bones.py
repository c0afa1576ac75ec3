"""The inner skeleton of a figure: bones, how joints turn, and skin that follows by dual quaternions.

A figure faces +x, its left is +y, up is z. In the neutral stance it stands upright, arms hanging, palms to
the thighs; every bone's own axes are then the world's. A `Stance` gives each bone's turn in its parent.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from .placing import turn

TRUNK = ("pelvis", "lumbar", "thorax", "neck", "head")
LIMB = ("clavicle", "arm", "forearm", "hand", "thigh", "shin", "foot")
SIDES = ("left", "right")
BONES = (*TRUNK, *(f"{side}_{bone}" for side in SIDES for bone in LIMB))
ABOVE = {"lumbar": "pelvis", "thorax": "lumbar", "neck": "thorax", "head": "neck"} | {
    f"{side}_{bone}": parent if parent in TRUNK else f"{side}_{parent}"
    for side in SIDES
    for bone, parent in {
        "clavicle": "thorax", "arm": "clavicle", "forearm": "arm", "hand": "forearm", "thigh": "pelvis",
        "shin": "thigh", "foot": "shin",
    }.items()
}  # fmt: skip
INDEX = {bone: i for i, bone in enumerate(BONES)}

SHOULDER_MEAN = 0.8  # how much of the skinning round the shoulders is linear
Turns = Mapping[str, np.ndarray]  # bone -> (3, 3) in its parent's axes; one that is not there is not turned


@dataclass(frozen=True)
class Posed:
    """Where every bone is."""

    joints: np.ndarray  # (B, 3) metres: the end of each bone that is nearer to the pelvis
    rotations: np.ndarray  # (B, 3, 3) from the bone's own axes to the world's

    def at(self, bone: str, place=(0.0, 0.0, 0.0)) -> np.ndarray:
        """(..., 3) of a place (..., 3) in a bone's own axes, measured from its joint."""
        i = INDEX[bone]
        return self.joints[i] + np.asarray(place, np.float64) @ self.rotations[i].T


def posed(offsets: np.ndarray, turns: Turns) -> Posed:
    """Forward kinematics.

    Args:
        offsets: (B, 3) each joint from its parent's in the neutral stance; the pelvis's own from the ground.
    """
    joints, rotations = np.zeros((len(BONES), 3)), np.zeros((len(BONES), 3, 3))
    for i, bone in enumerate(BONES):
        own = turns.get(bone, np.eye(3))
        if bone == "pelvis":
            joints[i], rotations[i] = offsets[i], own
        else:
            p = INDEX[ABOVE[bone]]
            joints[i] = joints[p] + rotations[p] @ offsets[i]
            rotations[i] = rotations[p] @ own
    return Posed(joints, rotations)


def swung(plane_deg: float, elevation_deg: float, twist_deg: float = 0.0, mirror: int = 1) -> np.ndarray:
    """(3, 3) turn of a limb that hangs down: lifted by an elevation in a plane, then twisted about itself.

    Args:
        plane_deg: where it is lifted to: 0 forwards, 90 to its own side, 180 backwards, -90 inwards.
        twist_deg: inwards, so that a bent elbow or knee swings to the other side.
        mirror: 1 left, -1 right.
    """
    a = np.deg2rad(plane_deg)
    axis = np.array([np.sin(a), -np.cos(a), 0.0])  # lifts -z towards (cos a, sin a, 0)
    made = turn(axis, elevation_deg) @ turn([0, 0, 1.0], -twist_deg)
    return made if mirror > 0 else mirrored(made)


def swing_of(rotation: np.ndarray, mirror: int = 1) -> tuple[float, float, float]:
    """The inverse of `swung`: (plane, elevation, twist) in degrees, elevation in [0, 180]."""
    own = rotation if mirror > 0 else mirrored(rotation)
    down = own @ np.array([0, 0, -1.0])
    plane = float(np.rad2deg(np.arctan2(down[1], down[0]))) if np.hypot(*down[:2]) > 1e-9 else 0.0
    elevation = float(np.rad2deg(np.arccos(np.clip(-down[2], -1, 1))))
    rest = swung(plane, elevation).T @ own
    return plane, elevation, -float(np.rad2deg(np.arctan2(rest[1, 0], rest[0, 0])))


def mirrored(rotation: np.ndarray) -> np.ndarray:
    """The rotation as a mirror in the plane of symmetry (y = 0) shows it."""
    m = np.array([1.0, -1.0, 1.0])
    return rotation * m[:, None] * m[None, :]


def bent(flexion_deg: float, side_deg: float = 0.0, twist_deg: float = 0.0) -> np.ndarray:
    """(3, 3) turn of the trunk, neck or head: bowed forwards, leant to the left, turned to the left."""
    return turn([0, 0, 1.0], twist_deg) @ turn([1.0, 0, 0], -side_deg) @ turn([0, 1.0, 0], flexion_deg)


def skinned(vertices: np.ndarray, weights: np.ndarray, rest: Posed, now: Posed) -> np.ndarray:
    """Vertices (V, 3) of the rest pose as they are now, each moved by its bones as `weights` (V, B) say.

    Dual quaternions (Kavan et al. 2007): a bent elbow keeps its girth, where a mean of matrices would pinch.
    Round the shoulders they would bulge; there most of it is the mean of matrices after all.
    """
    turns = now.rotations @ rest.rotations.transpose(0, 2, 1)
    shifts = now.joints - np.einsum("bij,bj->bi", turns, rest.joints)
    real = np.roll(Rotation.from_matrix(turns).as_quat(), 1, 1)  # (B, 4) w x y z
    dual = 0.5 * _product(np.column_stack([np.zeros(len(shifts)), shifts]), real)
    same = np.where(real @ real.T < 0, -1.0, 1.0)  # q and -q turn alike: all as the strongest bone's
    signed = weights * same[weights.argmax(1)]
    mixed = signed @ np.concatenate([real, dual], 1)  # (V, 8)
    mixed /= np.linalg.norm(mixed[:, :4], axis=1, keepdims=True)
    w, v, dw, dv = mixed[:, :1], mixed[:, 1:4], mixed[:, 4:5], mixed[:, 5:]
    moved = vertices + 2 * _cross(v, _cross(v, vertices) + w * vertices)
    moved += 2 * (w * dv - dw * v + _cross(v, dv))
    arm = weights[:, [INDEX["left_arm"], INDEX["right_arm"]]].sum(1)
    chest = weights[:, [INDEX[b] for b in ("thorax", "left_clavicle", "right_clavicle")]].sum(1)
    some = arm * chest > 0.02
    share = np.clip(4 * (arm * chest)[some], 0, 1)[:, None] * SHOULDER_MEAN
    matrices = weights[some] @ np.concatenate([turns.reshape(-1, 9), shifts], 1)  # (S, 12)
    mean = np.einsum("sij,sj->si", matrices[:, :9].reshape(-1, 3, 3), vertices[some]) + matrices[:, 9:]
    moved[some] += share * (mean - moved[some])
    return moved


def _product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Hamilton's product of (N, 4) quaternions."""
    w = a[:, :1] * b[:, :1] - (a[:, 1:] * b[:, 1:]).sum(1, keepdims=True)
    return np.concatenate([w, a[:, :1] * b[:, 1:] + b[:, :1] * a[:, 1:] + _cross(a[:, 1:], b[:, 1:])], 1)


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    x, y, z = a.T
    u, v, w = b.T
    return np.stack([y * w - z * v, z * u - x * w, x * v - y * u], 1)
