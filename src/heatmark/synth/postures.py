"""How people hold themselves: stances drawn at random within the range of every joint.

A stance turns all joints of a Puppet (puppets), its hands by gestures; the ground is found afterwards.
"""

from collections.abc import Callable, Mapping

import numpy as np

from .bodies import Build
from .bones import INDEX, SIDES, bent
from .gestures import ONE_HAND, USUAL, akimbo, arms, glance, hang, on_head, picked, spot_of, stretch, ways
from .placing import turn
from .puppets import LIMITS, OUT, Puppet, angles, depth

Rng = np.random.Generator


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
    glance(rng, p)
    arms(rng, p)


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
    glance(rng, p)
    if rng.random() < 0.25:
        return arms(rng, p)
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
    glance(rng, p, 6)
    _lap(rng, p)


def _lap(rng: Rng, p: Puppet) -> None:
    if rng.random() < 0.35:
        return arms(
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
        p.reach(side, spot, ways(p, -0.6, y * 0.9, -0.5), 60)


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
    glance(rng, p, 5)
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
    glance(rng, p, -10)
    if rng.random() < 0.5:
        return _lap(rng, p)
    for side in SIDES:  # both hands at something before the feet
        y = OUT[side]
        p.reach(
            side,
            spot_of(p, "pelvis", 0.0, y * 0.1, 0) + np.array([0.45, 0, rng.uniform(-0.25, 0.1)]) * p.size,
            ways(p, -0.3, y, -0.6),
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
    glance(rng, p, 8)
    arms(rng, p, USUAL | {"hang": 3, "pocket": 0, "carry": 4, "phone": 3})


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
    glance(rng, p, -10)
    for side in SIDES:
        if rng.random() < 0.8:
            y, now = OUT[side], p.now()
            arm = p.length("left_forearm") + p.length("left_hand")
            way = np.array([rng.uniform(0.1, 0.75), y * rng.uniform(0.0, 0.25), -1.0])
            spot = now.joints[INDEX[f"{side}_arm"]] + way / np.linalg.norm(way) * arm * rng.uniform(
                0.75, 0.97
            )
            p.reach(side, spot, ways(p, -0.2, y, 0.2), 40)
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
    glance(rng, p)
    if rng.random() < 0.3:  # both hands on a bat or a club
        y = OUT[near]
        spot = spot_of(
            p, "thorax", rng.uniform(0.28, 0.4), y * rng.uniform(-0.1, 0.25), rng.uniform(-0.2, 0.3)
        )
        for side in SIDES:
            p.reach(
                side,
                spot + ways(p, 0, 0.03 * OUT[side], 0.05 * OUT[side]),
                ways(p, -0.2, OUT[side], -0.8),
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
