"""How people hold themselves: stances drawn at random within the range of every joint.

A `Puppet` is a build's inner skeleton with its joints turned; feet are set and hands sent by two-bone inverse
kinematics. Ranges of motion are those that clinics measure by (American Academy of Orthopaedic Surgeons,
Joint Motion: Method of Measuring and Recording, 1965; Norkin & White).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from . import bones
from .bodies import Build
from .bones import INDEX, SIDES, Posed, bent, mirrored, swing_of, swung
from .placing import turn

Rng = np.random.Generator
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


# what hands do


def _spot(p: Puppet, bone: str, x: float, y: float, z: float) -> np.ndarray:
    """A place in a bone's axes, in metres of somebody of 1.75 m; x and y grow with the girth."""
    return p.now().at(bone, (x * p.girth, y * p.girth, z * p.size))


def _ways(p: Puppet, x: float, y: float, z: float) -> np.ndarray:
    """A direction in the chest's axes, in the world's."""
    return p.now().rotations[INDEX["thorax"]] @ np.array([x, y, z])


def hang(rng: Rng, p: Puppet, side: str) -> None:
    p.arm(
        side,
        rng.uniform(50, 105),
        rng.uniform(7, 17),
        rng.uniform(-5, 30),
        rng.uniform(6, 28),
        rng.uniform(-10, 50),
    )


def akimbo(rng: Rng, p: Puppet, side: str) -> None:
    y = OUT[side]
    p.reach(
        side,
        _spot(p, "pelvis", -0.02, y * 0.205, rng.uniform(0.06, 0.11)),
        _ways(p, rng.uniform(-0.7, -0.2), y, 0),
        60,
    )


def pocket(rng: Rng, p: Puppet, side: str) -> None:
    y = OUT[side]
    p.reach(
        side,
        _spot(p, "pelvis", rng.uniform(0, 0.05), y * 0.225, rng.uniform(0.0, 0.04)),
        _ways(p, -1, y * 0.6, 0),
    )


def before(rng: Rng, p: Puppet, side: str) -> None:
    """Hands together before the belly or lower."""
    y = OUT[side]
    p.reach(side, _spot(p, "pelvis", 0.21, y * 0.06, rng.uniform(-0.02, 0.03)), _ways(p, -0.3, y, -0.3), 40)


def behind(rng: Rng, p: Puppet, side: str) -> None:
    y = OUT[side]
    p.reach(side, _spot(p, "pelvis", -0.21, y * 0.07, rng.uniform(0.0, 0.06)), _ways(p, -0.6, y, 0))


def phone(rng: Rng, p: Puppet, side: str) -> None:
    """A hand held up before the chest."""
    y = OUT[side]
    p.reach(side, _spot(p, "thorax", rng.uniform(0.27, 0.36), y * rng.uniform(0.06, 0.14),
    rng.uniform(-0.02, 0.12)),
            _ways(p, -0.2, y * 0.6, -1), 70)  # fmt: skip


def carry(rng: Rng, p: Puppet, side: str) -> None:
    y = OUT[side]
    p.reach(side, _spot(p, "thorax", rng.uniform(0.25, 0.36), y * rng.uniform(0.14, 0.26),
    rng.uniform(-0.16, 0.0)),
            _ways(p, -0.6, y * 0.5, -1), rng.uniform(0, 90))  # fmt: skip


def to_ear(rng: Rng, p: Puppet, side: str) -> None:
    y = OUT[side]
    p.reach(side, p.now().at("head", np.array([0.05, y * 0.135, -0.03]) * p.size), _ways(p, 0.5, y * 0.7, -1))


def to_face(rng: Rng, p: Puppet, side: str) -> None:
    y = OUT[side]
    p.reach(
        side, p.now().at("head", np.array([0.19, y * 0.05, -0.10]) * p.size), _ways(p, 0.3, y * 0.6, -1), 60
    )


def on_head(rng: Rng, p: Puppet, side: str) -> None:
    y = OUT[side]
    p.reach(
        side,
        p.now().at("head", np.array([0.0, y * 0.16, rng.uniform(0.08, 0.2)]) * p.size),
        _ways(p, 0.1, y, 0.3),
    )


def wave(rng: Rng, p: Puppet, side: str) -> None:
    y, now = OUT[side], p.now()
    way = np.array([rng.uniform(0.0, 0.25), y * rng.uniform(0.15, 0.4), rng.uniform(0.2, 0.45)]) * p.size
    p.reach(
        side,
        now.joints[INDEX[f"{side}_arm"]] + now.rotations[INDEX["thorax"]] @ way,
        _ways(p, -0.2, y, -0.6),
        90,
    )


def stretch(rng: Rng, p: Puppet, side: str) -> None:
    """A long arm, forwards, sideways or up."""
    p.arm(
        side,
        rng.uniform(-10, 105),
        rng.uniform(50, 165),
        rng.uniform(-30, 30),
        rng.uniform(3, 35),
        rng.uniform(0, 90),
    )


def up(rng: Rng, p: Puppet, side: str) -> None:
    p.arm(side, rng.uniform(40, 100), rng.uniform(135, 172), rng.uniform(-30, 20), rng.uniform(5, 60))


def crossed(rng: Rng, p: Puppet) -> None:
    """Both arms over the chest, one over the other."""
    over = rng.permutation(SIDES)
    for side, ahead in zip(over, (0.225, 0.175)):
        y = OUT[side]
        p.reach(
            side, _spot(p, "thorax", ahead, -y * 0.085, rng.uniform(0.0, 0.03)), _ways(p, 0.35, y, -1.1), 60
        )


ONE_HAND: dict[str, Callable] = {
    "hang": hang, "akimbo": akimbo, "pocket": pocket, "phone": phone, "carry": carry, "to_ear": to_ear,
    "to_face": to_face, "wave": wave, "stretch": stretch, "up": up, "behind": behind, "on_head": on_head,
}  # fmt: skip
USUAL = {
    "hang": 7, "akimbo": 2, "pocket": 2, "phone": 1.5, "carry": 1.5, "to_ear": 0.7, "to_face": 0.7, "wave": 1,
    "stretch": 1.2, "up": 0.6, "behind": 0.6, "on_head": 0.4,
}  # fmt: skip


def picked(rng: Rng, weights: Mapping[str, float]) -> str:
    names = list(weights)
    chances = np.array(list(weights.values()), float)
    return names[int(rng.choice(len(names), p=chances / chances.sum()))]


def _arms(rng: Rng, p: Puppet, weights: Mapping[str, float] = USUAL) -> None:
    which = rng.random()
    if which < 0.07:
        return crossed(rng, p)
    if which < 0.14:
        return [before(rng, p, side) for side in SIDES][0]
    act = picked(rng, weights)
    for side in SIDES:
        ONE_HAND[act](rng, p, side)
        act = act if rng.random() < 0.45 else picked(rng, weights)


def _glance(rng: Rng, p: Puppet, down: float = 0.0) -> None:
    p.look(
        np.clip(rng.normal(down, 12), -40, 45),
        np.clip(rng.normal(0, 6), -25, 25),
        np.clip(rng.normal(0, 22), -65, 65),
    )


# stances: each turns all joints; the ground is found afterwards


def _stand_at(p: Puppet, height: float, feet: Mapping[str, tuple[float, ...]]) -> None:
    """Feet at (x, y, yaw, pitch) in legs' lengths, the hips `height` legs over them."""
    leg = p.length("left_shin") + p.length("left_foot")
    for side, (x, y, yaw, pitch) in feet.items():
        hips = p.now().joints[INDEX["pelvis"]]
        ball = 0.10 * p.size * np.sin(np.deg2rad(max(pitch, 0)))  # on tiptoe the ankle is higher
        p.step(side, hips + np.array([x * leg, y * leg, -height * leg + ball]), yaw, pitch)


def standing(rng: Rng, p: Puppet) -> None:
    wide = rng.gamma(4, 0.018) + 0.07
    shift, ahead = rng.normal(0, 0.05), rng.normal(0, 0.06)
    height = rng.uniform(0.955, 0.99)
    p.turns["pelvis"] = bent(rng.normal(3, 4), rng.normal(0, 3), 0)
    yaws = rng.normal(10, 9, 2)
    _stand_at(
        p, height, {"left": (ahead, wide + shift, yaws[0], 0), "right": (-ahead, -wide + shift, yaws[1], 0)}
    )
    p.trunk(rng.normal(2, 5), rng.normal(0, 4), rng.normal(0, 8))
    _glance(rng, p)
    _arms(rng, p)


def walking(rng: Rng, p: Puppet) -> None:
    stride, phase = rng.uniform(0.22, 0.42), rng.choice([-1, 1])
    front, back = ("left", "right") if phase > 0 else ("right", "left")
    part = rng.random()  # of the step: heel down, or the back leg swinging through
    p.turns["pelvis"] = bent(rng.uniform(2, 6), 0, phase * rng.uniform(-8, -2))
    narrow = rng.uniform(0.02, 0.09)
    if part < 0.6:
        feet = {
            front: (stride, OUT[front] * narrow, 6, rng.uniform(-18, 0)),
            back: (-stride, OUT[back] * narrow, 8, rng.uniform(15, 45)),
        }
        _stand_at(p, rng.uniform(0.93, 0.96), feet)
    else:
        _stand_at(p, 0.97, {front: (0.0, OUT[front] * narrow, 6, 0)})
        p.leg(back, rng.uniform(0, 30), 2, 3, rng.uniform(35, 65), -10)
    p.trunk(rng.uniform(0, 8), 0, phase * rng.uniform(4, 14))
    _glance(rng, p)
    if rng.random() < 0.25:
        return _arms(rng, p)
    swing = rng.uniform(12, 32)
    for side in SIDES:
        ahead = side != front
        p.arm(
            side, 25 if ahead else 155, swing * (1 if ahead else 0.8), 0, rng.uniform(10, 35) + 10 * ahead, 20
        )


def running(rng: Rng, p: Puppet) -> None:
    front, back = rng.permutation(SIDES)
    p.turns["pelvis"] = bent(rng.uniform(5, 14), 0, OUT[front] * -8)
    p.leg(front, rng.uniform(40, 85), 2, 3, rng.uniform(50, 105), rng.uniform(-15, 10))
    p.leg(back, rng.uniform(-25, 0), 2, 3, rng.uniform(10, 90), rng.uniform(-40, -15))
    p.trunk(rng.uniform(3, 14), 0, OUT[front] * rng.uniform(6, 20))
    p.look(rng.normal(-8, 8), 0, rng.normal(0, 10))
    p.arm(front, 160, rng.uniform(30, 60), 10, rng.uniform(70, 110), 10)
    p.arm(back, 15, rng.uniform(25, 60), 25, rng.uniform(75, 115), 10)
    p.airborne = True


def sitting(rng: Rng, p: Puppet) -> None:
    """On a seat of a chair's height."""
    lean = rng.uniform(-18, 8)
    p.turns["pelvis"] = bent(lean, 0, 0)
    p.seat = "seat"
    over = rng.random()
    for side in SIDES:
        p.leg(
            side,
            88 + lean + rng.uniform(-6, 6),
            rng.uniform(2, 18),
            rng.uniform(-5, 10),
            rng.uniform(70, 105),
            rng.uniform(-12, 8),
        )
    if over < 0.2:  # one knee over the other
        top = str(rng.choice(SIDES))
        p.leg(top, 103 + lean, -13, -8, rng.uniform(60, 90), -15)
        p.leg("left" if top == "right" else "right", 86 + lean, -3, 0, rng.uniform(75, 95), 0)
    p.trunk(rng.uniform(-5, 30) - 0.3 * lean, rng.normal(0, 5), rng.normal(0, 10))
    _glance(rng, p, 6)
    _lap(rng, p)


def _lap(rng: Rng, p: Puppet) -> None:
    if rng.random() < 0.35:
        return _arms(
            rng, p, USUAL | {"hang": 0.5, "pocket": 0, "akimbo": 0.3, "phone": 4, "carry": 4, "behind": 0}
        )
    both = rng.uniform(0.35, 0.95)
    for side in SIDES:
        y, now = OUT[side], p.now()
        if rng.random() < 0.25:
            ONE_HAND[picked(rng, {"phone": 2, "to_face": 1, "carry": 2, "to_ear": 1})](rng, p, side)
            continue
        along = both + rng.normal(0, 0.06)
        spot = now.at(
            f"{side}_thigh",
            (
                0.12 * p.girth,
                -y * rng.uniform(0, 0.04) * p.girth,
                -np.clip(along, 0.2, 1) * p.length(f"{side}_shin"),
            ),
        )
        p.reach(side, spot, _ways(p, -0.6, y * 0.9, -0.5), 60)


def on_the_ground(rng: Rng, p: Puppet) -> None:
    """Sitting on the ground: legs long, drawn up, or crossed."""
    p.seat = "ground"
    how, lean = rng.random(), rng.uniform(-25, 5)
    p.turns["pelvis"] = bent(lean, 0, 0)
    for side in SIDES:
        if how < 0.3:
            p.leg(side, 85 + lean, rng.uniform(3, 20), 5, rng.uniform(0, 15), -20)
        elif how < 0.7:
            knee = rng.uniform(80, 125)
            p.leg(side, min(85 + lean + knee * 0.47, 128), rng.uniform(0, 14), 0, knee, -30)
        else:
            p.leg(side, 80 + lean, 42, 48, 118 + 8 * (side == "left"), -25)
    p.trunk(rng.uniform(5, 35) - lean * 0.4, rng.normal(0, 5), rng.normal(0, 10))
    _glance(rng, p, 5)
    if lean < -12 and rng.random() < 0.6:  # leaning back on the hands
        for side in SIDES:
            p.arm(side, 165, rng.uniform(35, 50), -20, 5)
        return
    _lap(rng, p)


def crouching(rng: Rng, p: Puppet) -> None:
    p.turns["pelvis"] = bent(rng.uniform(15, 45), 0, 0)
    low = rng.uniform(0.36, 0.75)
    wide, tip = rng.uniform(0.09, 0.24), 35 if low < 0.5 and rng.random() < 0.6 else 0
    _stand_at(p, low, {s: (rng.uniform(-0.02, 0.12), OUT[s] * wide, rng.uniform(8, 30), tip) for s in SIDES})
    p.trunk(rng.uniform(5, 45), rng.normal(0, 5), rng.normal(0, 8))
    _glance(rng, p, -10)
    if rng.random() < 0.5:
        return _lap(rng, p)
    for side in SIDES:  # both hands at something before the feet
        y = OUT[side]
        p.reach(
            side,
            _spot(p, "pelvis", 0.0, y * 0.1, 0) + np.array([0.45, 0, rng.uniform(-0.25, 0.1)]) * p.size,
            _ways(p, -0.3, y, -0.6),
            60,
        )


def kneeling(rng: Rng, p: Puppet) -> None:
    down = str(rng.choice(SIDES))
    other = "left" if down == "right" else "right"
    lean = rng.uniform(-5, 15)
    p.turns["pelvis"] = bent(lean, 0, 0)
    if rng.random() < 0.6:
        p.leg(down, lean + rng.uniform(-5, 12), 3, 0, rng.uniform(85, 105), -45)
        p.leg(other, 85 + lean, rng.uniform(2, 15), 5, rng.uniform(78, 95), 0)
    else:
        knee = rng.uniform(90, 150)
        for side in SIDES:
            p.leg(side, lean + max(knee - 100, 0) * 1.1, 6, 0, knee, -50)
    p.trunk(rng.uniform(0, 30), rng.normal(0, 5), rng.normal(0, 10))
    _glance(rng, p, 8)
    _arms(rng, p, USUAL | {"hang": 3, "pocket": 0, "carry": 4, "phone": 3})


def lying(rng: Rng, p: Puppet) -> None:
    """On the back, the belly or a side."""
    how = rng.choice(["back", "belly", "side"], p=[0.5, 0.2, 0.3])
    knee = rng.choice([rng.uniform(2, 20), rng.uniform(30, 95)], p=[0.6, 0.4])
    for side in SIDES:
        own = float(np.clip(knee + rng.normal(0, 8), 0, 120))
        flexed = {"back": own * 0.52, "belly": rng.uniform(-8, 4), "side": own * 0.9}[how]
        p.leg(
            side,
            flexed,
            rng.uniform(1, 14) if how != "side" else 0,
            rng.uniform(0, 25) * (how == "back"),
            own if how != "belly" else own * 0.3,
            -25,
        )
    p.trunk(rng.uniform(-4, 8), rng.normal(0, 5), 0)
    p.look(
        rng.uniform(-5, 12),
        rng.normal(0, 6),
        rng.choice([-1, 1]) * rng.uniform(40, 70) if how == "belly" else rng.normal(0, 18),
    )
    p.turns["pelvis"] = {
        "back": bent(-90, 0, 0),
        "belly": bent(90, 0, 0),
        "side": turn([1.0, 0, 0], 90 * rng.choice([-1, 1])) @ bent(0, 0, 0),
    }[how]
    for side in SIDES:
        if how == "side":
            p.arm(side, rng.uniform(0, 25), rng.uniform(35, 95), rng.uniform(0, 30), rng.uniform(20, 100))
        elif how == "back" and rng.random() < 0.3:
            on_head(rng, p, side)
        else:
            p.arm(
                side,
                92,
                rng.uniform(12, 150),
                rng.uniform(-60, 0) if how == "back" else 20,
                rng.uniform(5, 60),
                40,
            )


def bending(rng: Rng, p: Puppet) -> None:
    """Picking something up, or reaching to the side."""
    fold = rng.uniform(30, 85)
    p.turns["pelvis"] = bent(fold * 0.6, 0, rng.normal(0, 5))
    wide = rng.uniform(0.07, 0.2)
    back = 0.10 * fold / 60
    _stand_at(
        p,
        rng.uniform(0.78, 0.96),
        {s: (back + rng.normal(0, 0.05), OUT[s] * wide, rng.uniform(0, 20), 0) for s in SIDES},
    )
    p.trunk(fold * 0.55, rng.normal(0, 8), rng.normal(0, 10))
    _glance(rng, p, -10)
    for side in SIDES:
        if rng.random() < 0.8:
            y, now = OUT[side], p.now()
            arm = p.length("left_forearm") + p.length("left_hand")
            way = np.array([rng.uniform(0.1, 0.75), y * rng.uniform(0.0, 0.25), -1.0])
            spot = now.joints[INDEX[f"{side}_arm"]] + way / np.linalg.norm(way) * arm * rng.uniform(
                0.75, 0.97
            )
            p.reach(side, spot, _ways(p, -0.2, y, 0.2), 40)
        else:
            (akimbo if rng.random() < 0.5 else hang)(rng, p, side)


def playing(rng: Rng, p: Puppet) -> None:
    """Sport: a lunge, a throw or a swing, a kick, a jump, a balance."""
    how = rng.choice(["lunge", "throw", "kick", "jump", "balance"])
    near, far = rng.permutation(SIDES)
    turned = rng.normal(0, 18)
    if how in ("lunge", "throw"):
        p.turns["pelvis"] = bent(rng.uniform(0, 20), rng.normal(0, 5), turned * 0.5)
        apart = rng.uniform(0.28, 0.5)
        _stand_at(
            p,
            rng.uniform(0.72, 0.92),
            {near: (apart, OUT[near] * 0.12, 8, 0), far: (-apart, OUT[far] * 0.14, 35, rng.choice([0, 35]))},
        )
    elif how == "kick":
        p.turns["pelvis"] = bent(rng.uniform(-18, 5), OUT[near] * rng.uniform(-5, 15), 0)
        p.leg(near, rng.uniform(35, 100), rng.uniform(0, 25), 5, rng.uniform(0, 45), -30)
        p.leg(far, rng.uniform(-5, 12), 4, 8, rng.uniform(5, 25), 5)
    elif how == "jump":
        p.turns["pelvis"] = bent(rng.uniform(-10, 15), rng.normal(0, 6), 0)
        open_ = rng.uniform(0, 40)
        for side in SIDES:
            p.leg(side, rng.uniform(-20, 60), open_ + rng.uniform(0, 8), 8, rng.uniform(0, 95), -35)
        p.airborne = True
    else:
        p.turns["pelvis"] = bent(rng.uniform(-5, 30), 0, 0)
        p.leg(near, rng.uniform(-5, 5), 3, 8, rng.uniform(2, 20), 0)
        p.leg(far, rng.uniform(-20, 95), rng.uniform(0, 40), rng.uniform(0, 40), rng.uniform(5, 125), -25)
    p.trunk(rng.uniform(-10, 25), rng.normal(0, 12), turned)
    _glance(rng, p)
    if rng.random() < 0.3:  # both hands on a bat or a club
        y = OUT[near]
        spot = _spot(p, "thorax", rng.uniform(0.28, 0.4), y * rng.uniform(-0.1, 0.25), rng.uniform(-0.2, 0.3))
        for side in SIDES:
            p.reach(
                side,
                spot + _ways(p, 0, 0.03 * OUT[side], 0.05 * OUT[side]),
                _ways(p, -0.2, OUT[side], -0.8),
                30,
            )
        return
    for side in SIDES:
        which = rng.random()
        if which < 0.45:
            stretch(rng, p, side)
        elif which < 0.65:
            p.arm(
                side, rng.uniform(100, 135), rng.uniform(60, 100), rng.uniform(-80, -30), rng.uniform(60, 110)
            )
        else:
            p.arm(side, rng.uniform(10, 120), rng.uniform(20, 70), rng.uniform(-10, 40), rng.uniform(30, 110))


STANCES: dict[str, Callable[[Rng, Puppet], None]] = {
    "standing": standing, "walking": walking, "running": running, "sitting": sitting,
    "on_the_ground": on_the_ground,
    "crouching": crouching, "kneeling": kneeling, "lying": lying, "bending": bending, "playing": playing,
}  # fmt: skip
OFTEN = {
    "standing": 0.34, "walking": 0.14, "running": 0.06, "sitting": 0.14, "on_the_ground": 0.05,
    "crouching": 0.05, "kneeling": 0.04, "lying": 0.04, "bending": 0.05, "playing": 0.09,
}  # fmt: skip


def drawn(rng: Rng, offsets: np.ndarray, build: Build, stance: str | None = None) -> Puppet:
    """A stance of a build; of up to ten draws the first in which no joint is forced and no limb cuts into
    flesh.
    """
    stance = stance or picked(rng, OFTEN)
    best, least = None, np.inf
    for _ in range(10):
        p = Puppet(offsets, build)
        STANCES[stance](rng, p)
        fault = depth(p) + 0.004 * sum(max(low - v, v - high, 0) for v, (low, high) in _measured(p))
        if fault < least:
            best, least = p, fault
        if least < 0.018 * p.size:
            break
    assert best is not None
    return best


def _measured(p: Puppet) -> list[tuple[float, tuple[float, float]]]:
    return [(v, LIMITS[name.partition("/")[0]]) for name, v in angles(p).items()]


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
