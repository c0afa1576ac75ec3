"""A build's inner skeleton with its joints turned, and how far it is from what a body can do.

Feet are set and hands sent by two-bone inverse kinematics. Ranges of motion are those that clinics measure by
(American Academy of Orthopaedic Surgeons, Joint Motion: Method of Measuring and Recording, 1965; Norkin &
White).
"""

from dataclasses import dataclass, field

import numpy as np

from . import bones
from .bodies import Build
from .bones import INDEX, SIDES, Posed, bent, mirrored, swing_of, swung
from .placing import turn

# degrees: lowest, highest
LIMITS = {
    "hip_flexion": (-30, 130), "hip_abduction": (-35, 60), "hip_rotation": (-50, 60), "knee": (0, 155),
    "ankle": (-55, 35), "arm_elevation": (0, 180), "arm_twist": (-100, 100), "elbow": (0, 150),
    "trunk_flexion": (-30, 75), "trunk_side": (-40, 40), "trunk_twist": (-50, 50),
    "head_flexion": (-60, 60), "head_side": (-45, 45), "head_twist": (-80, 80),
}  # fmt: skip
OUT = {"left": 1, "right": -1}


@dataclass
class Puppet:
    """Joints being turned. Places are metres; `size` is 1 for somebody of 1.75 m."""

    offsets: np.ndarray
    build: Build
    turns: dict[str, np.ndarray] = field(default_factory=dict)
    seat: str = ""  # what is sat on: "", "seat" or "ground"
    airborne: bool = False

    def __post_init__(self):
        self.size = self.build.stature_m / 1.75
        self.girth = self.size * (self.build.bmi / 22.5) ** 0.6

    def length(self, bone: str) -> float:
        """From a bone's joint to the next one's."""
        return float(np.linalg.norm(self.offsets[INDEX[bone]]))

    def now(self) -> Posed:
        return bones.posed(self.offsets, self.turns)

    def trunk(self, flexion: float = 0.0, side: float = 0.0, twist: float = 0.0) -> None:
        """Bows, leans and turns the spine, two fifths in the loins, the rest in the chest."""
        self.turns["lumbar"] = bent(0.45 * flexion, 0.5 * side, 0.3 * twist)
        self.turns["thorax"] = bent(0.55 * flexion, 0.5 * side, 0.7 * twist)

    def look(self, flexion: float = 0.0, side: float = 0.0, twist: float = 0.0) -> None:
        self.turns["neck"] = bent(0.4 * flexion, 0.4 * side, 0.4 * twist)
        self.turns["head"] = bent(0.6 * flexion, 0.6 * side, 0.6 * twist)

    def leg(
        self, side: str, flexion: float, abduction: float = 4, rotation: float = 5, knee: float = 5, ankle=0.0
    ):
        """Turns a leg's joints; rotation is outwards, the ankle's positive towards the shin."""
        y = OUT[side]
        hip = turn([0, 1, 0], -flexion) @ turn([1, 0, 0], y * abduction) @ turn([0, 0, 1], y * rotation)
        self.turns[f"{side}_thigh"] = hip
        self.turns[f"{side}_shin"] = turn([0, 1, 0], knee)
        self.turns[f"{side}_foot"] = turn([0, 1, 0], -ankle)

    def arm(self, side: str, plane: float, elevation: float, twist: float = 0.0, elbow: float = 10, palm=0.0):
        """Turns an arm's joints, the shoulder blade going along above 30 degrees."""
        y = OUT[side]
        self.turns[f"{side}_clavicle"] = self._clavicle(plane, elevation, y)
        whole = swung(plane, elevation, twist, y)
        self.turns[f"{side}_arm"] = self.turns[f"{side}_clavicle"].T @ whole
        self._forearm(side, elbow, palm)

    def _forearm(self, side: str, elbow: float, palm: float) -> None:
        self.turns[f"{side}_forearm"] = turn([0, 1, 0], -elbow) @ turn([0, 0, 1], -0.5 * OUT[side] * palm)
        self.turns[f"{side}_hand"] = turn([0, 0, 1], -0.5 * OUT[side] * palm)

    def _clavicle(self, plane: float, elevation: float, y: int) -> np.ndarray:
        lift = 0.22 * max(elevation - 30, 0)
        ahead = 0.12 * elevation * np.cos(np.deg2rad(plane)) if plane < 90 else 0.0
        made = turn([1.0, 0, 0], lift) @ turn([0, 0, 1.0], -ahead)
        return made if y > 0 else mirrored(made)

    def reach(self, side: str, wrist: np.ndarray, elbow_to: np.ndarray, palm: float = 0.0) -> None:
        """Sends a wrist to a place (3,) in the world, the elbow kept towards a direction (3,)."""
        y = OUT[side]
        self.turns[f"{side}_clavicle"] = np.eye(3)
        for _ in range(2):
            now = self.now()
            thorax = now.rotations[INDEX["thorax"]]
            first, bend = _two_bones(
                now.joints[INDEX[f"{side}_arm"]], wrist, elbow_to, self.length(f"{side}_forearm"),
                self.length(f"{side}_hand"), 150,
            )  # fmt: skip
            plane, elevation, _ = swing_of(thorax.T @ first, y)
            self.turns[f"{side}_clavicle"] = self._clavicle(plane, elevation, y)
        now = self.now()
        first, bend = _two_bones(
            now.joints[INDEX[f"{side}_arm"]], wrist, elbow_to, self.length(f"{side}_forearm"),
            self.length(f"{side}_hand"), 150,
        )  # fmt: skip
        self.turns[f"{side}_arm"] = now.rotations[INDEX[f"{side}_clavicle"]].T @ first
        self._forearm(side, bend, palm)

    def step(self, side: str, ankle: np.ndarray, yaw: float = 8.0, pitch: float = 0.0, knee_to=None) -> None:
        """Sets a foot: its ankle at a place (3,) in the world, toes turned out by `yaw`, heel up by
        `pitch`.
        """
        y, now = OUT[side], self.now()
        ahead = turn([0, 0, 1.0], y * yaw) @ [1.0, 0, 0] if knee_to is None else np.asarray(knee_to, float)
        hip = now.joints[INDEX[f"{side}_thigh"]]
        first, bend = _two_bones(
            hip, ankle, ahead, self.length(f"{side}_shin"), self.length(f"{side}_foot"), 150, backwards=True
        )
        self.turns[f"{side}_thigh"] = now.rotations[INDEX["pelvis"]].T @ first
        self.turns[f"{side}_shin"] = turn([0, 1, 0], bend)
        wanted = turn([0, 0, 1.0], y * yaw) @ turn([0, 1.0, 0], pitch)
        shin = first @ self.turns[f"{side}_shin"]
        local = shin.T @ wanted
        up = np.rad2deg(np.arctan2(local[2, 0], local[0, 0]))  # towards the shin
        low, high = LIMITS["ankle"]
        out = np.clip(np.rad2deg(np.arctan2(local[1, 0], local[0, 0])), -25, 25)
        self.turns[f"{side}_foot"] = turn([0, 1.0, 0], -float(np.clip(up, low, high))) @ turn(
            [0, 0, 1.0], out
        )


def _two_bones(start, end, towards, upper: float, lower: float, most: float, backwards: bool = False):
    """((3, 3) of the upper bone, bend in degrees) for two bones that reach from `start` to `end`."""
    way = np.asarray(end, float) - start
    least = np.sqrt(upper**2 + lower**2 + 2 * upper * lower * np.cos(np.deg2rad(most)))
    far = float(np.clip(np.linalg.norm(way), least, 0.999 * (upper + lower)))
    way = way / max(np.linalg.norm(way), 1e-9)
    bend = np.arccos(np.clip((far**2 - upper**2 - lower**2) / (2 * upper * lower), -1, 1))
    inner = np.arcsin(np.clip(lower * np.sin(bend) / far, -1, 1))
    side = np.asarray(towards, float) - (np.asarray(towards, float) @ way) * way
    side = side / max(np.linalg.norm(side), 1e-9)
    first = np.cos(inner) * way + np.sin(inner) * side
    x = (side @ first) * first - side  # an elbow bends towards its x axis, a knee away from it
    x = x / max(np.linalg.norm(x), 1e-9) * (-1 if backwards else 1)
    z = -first
    return np.stack([x, np.cross(z, x), z], 1), float(np.rad2deg(bend))


def angles(p: Puppet) -> dict[str, float]:
    """Every joint's angles in degrees, as clinics measure them: "knee/left": 12 ..."""
    now, found = p.now(), {}
    thorax, pelvis = now.rotations[INDEX["thorax"]], now.rotations[INDEX["pelvis"]]
    for name, low, high in (("trunk", pelvis, thorax), ("head", thorax, now.rotations[INDEX["head"]])):
        r = low.T @ high
        found[f"{name}_flexion"] = float(np.rad2deg(np.arcsin(np.clip(-r[2, 0], -1, 1))))
        found[f"{name}_side"] = -float(np.rad2deg(np.arctan2(r[2, 1], r[2, 2])))
        found[f"{name}_twist"] = float(np.rad2deg(np.arctan2(r[1, 0], r[0, 0])))
    for side in SIDES:
        y = OUT[side]
        _, elevation, twist = swing_of(thorax.T @ now.rotations[INDEX[f"{side}_arm"]], y)
        hip = pelvis.T @ now.rotations[INDEX[f"{side}_thigh"]]
        hip = hip if y > 0 else mirrored(hip)
        shin, foot = p.turns.get(f"{side}_shin", np.eye(3)), p.turns.get(f"{side}_foot", np.eye(3))
        elbow = p.turns.get(f"{side}_forearm", np.eye(3))
        down = hip @ [0, 0, -1.0]
        found |= {
            f"arm_elevation/{side}": elevation,
            f"arm_twist/{side}": twist,
            f"elbow/{side}": float(np.rad2deg(np.arccos(np.clip(elbow[2, 2], -1, 1)))),
            f"hip_flexion/{side}": float(np.rad2deg(np.arctan2(down[0], -down[2]))),
            f"hip_abduction/{side}": float(np.rad2deg(np.arcsin(np.clip(down[1], -1, 1)))),
            f"hip_rotation/{side}": float(np.rad2deg(np.arctan2(hip[1, 0], hip[1, 1]))),
            f"knee/{side}": float(np.rad2deg(np.arctan2(shin[0, 2], shin[2, 2]))),
            f"ankle/{side}": float(np.rad2deg(np.arctan2(-foot[0, 2], foot[2, 2]))),
        }
    return found


def depth(p: Puppet) -> float:
    """Metres that forearms and hands reach into trunk, head, thighs or each other, at the worst."""
    now, worst = p.now(), 0.0
    reach = {s: _limb(now, s) for s in SIDES}
    for points in reach.values():
        for bone, low, high, a, b, x in (
            ("pelvis", -0.08, 0.09, 0.108, 0.163, -0.012), ("lumbar", -0.02, 0.18, 0.098, 0.140, 0.03),
            ("thorax", -0.02, 0.19, 0.108, 0.150, 0.03),
        ):  # fmt: skip
            own = (points - now.joints[INDEX[bone]]) @ now.rotations[INDEX[bone]]
            near = (own[:, 2] > low * p.size) & (own[:, 2] < high * p.size)
            inside = 1 - np.hypot(
                (own[:, 0] - x * p.size) / (a * p.girth + 0.025), own[:, 1] / (b * p.girth + 0.025)
            )
            worst = max(worst, float(np.where(near, inside * a * p.girth, 0).max()))
        skull = now.at("head", np.array([0.01, 0, 0.075]) * p.size)
        worst = max(worst, 0.12 * p.size - float(np.linalg.norm(points - skull, axis=1).min()))
        for side in SIDES:
            hip, knee = now.joints[INDEX[f"{side}_thigh"]], now.joints[INDEX[f"{side}_shin"]]
            worst = max(worst, 0.085 * p.girth - _distance(points, hip, knee))
    left, right = reach["left"], reach["right"]
    apart = np.linalg.norm(left[:, None] - right[None], axis=-1).min()
    return max(worst, 0.055 * p.size - float(apart))


def _limb(now: Posed, side: str) -> np.ndarray:
    """(9, 3) points down the forearm and the hand."""
    elbow, wrist = now.joints[INDEX[f"{side}_forearm"]], now.joints[INDEX[f"{side}_hand"]]
    tip = wrist + (wrist - elbow) * 0.55
    t = np.linspace(0.15, 1, 6)[:, None]
    return np.concatenate(
        [elbow + t * (wrist - elbow), wrist + np.array([[0.4], [0.7], [1.0]]) * (tip - wrist)]
    )


def _distance(points: np.ndarray, a: np.ndarray, b: np.ndarray) -> float:
    """The least distance of points from a segment."""
    t = np.clip((points - a) @ (b - a) / max((b - a) @ (b - a), 1e-9), 0, 1)
    return float(np.linalg.norm(points - a - t[:, None] * (b - a), axis=1).min())
