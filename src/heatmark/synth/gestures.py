"""What hands and eyes do: each gesture sends one arm of a Puppet somewhere, by chance within limits."""

from collections.abc import Callable, Mapping

import numpy as np

from .bones import INDEX, SIDES
from .puppets import OUT, Puppet

Rng = np.random.Generator


def spot_of(p: Puppet, bone: str, x: float, y: float, z: float) -> np.ndarray:
    """A place in a bone's axes, in metres of somebody of 1.75 m; x and y grow with the girth."""
    return p.now().at(bone, (x * p.girth, y * p.girth, z * p.size))


def ways(p: Puppet, x: float, y: float, z: float) -> np.ndarray:
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
        spot_of(p, "pelvis", -0.02, y * 0.205, rng.uniform(0.06, 0.11)),
        ways(p, rng.uniform(-0.7, -0.2), y, 0),
        60,
    )


def pocket(rng: Rng, p: Puppet, side: str) -> None:
    y = OUT[side]
    p.reach(
        side,
        spot_of(p, "pelvis", rng.uniform(0, 0.05), y * 0.225, rng.uniform(0.0, 0.04)),
        ways(p, -1, y * 0.6, 0),
    )


def before(rng: Rng, p: Puppet, side: str) -> None:
    """Hands together before the belly or lower."""
    y = OUT[side]
    p.reach(side, spot_of(p, "pelvis", 0.21, y * 0.06, rng.uniform(-0.02, 0.03)), ways(p, -0.3, y, -0.3), 40)


def behind(rng: Rng, p: Puppet, side: str) -> None:
    y = OUT[side]
    p.reach(side, spot_of(p, "pelvis", -0.21, y * 0.07, rng.uniform(0.0, 0.06)), ways(p, -0.6, y, 0))


def phone(rng: Rng, p: Puppet, side: str) -> None:
    """A hand held up before the chest."""
    y = OUT[side]
    p.reach(side, spot_of(p, "thorax", rng.uniform(0.27, 0.36), y * rng.uniform(0.06, 0.14),
    rng.uniform(-0.02, 0.12)),
            ways(p, -0.2, y * 0.6, -1), 70)  # fmt: skip


def carry(rng: Rng, p: Puppet, side: str) -> None:
    y = OUT[side]
    p.reach(side, spot_of(p, "thorax", rng.uniform(0.25, 0.36), y * rng.uniform(0.14, 0.26),
    rng.uniform(-0.16, 0.0)),
            ways(p, -0.6, y * 0.5, -1), rng.uniform(0, 90))  # fmt: skip


def to_ear(rng: Rng, p: Puppet, side: str) -> None:
    y = OUT[side]
    p.reach(side, p.now().at("head", np.array([0.05, y * 0.135, -0.03]) * p.size), ways(p, 0.5, y * 0.7, -1))


def to_face(rng: Rng, p: Puppet, side: str) -> None:
    y = OUT[side]
    p.reach(
        side, p.now().at("head", np.array([0.19, y * 0.05, -0.10]) * p.size), ways(p, 0.3, y * 0.6, -1), 60
    )


def on_head(rng: Rng, p: Puppet, side: str) -> None:
    y = OUT[side]
    p.reach(
        side,
        p.now().at("head", np.array([0.0, y * 0.16, rng.uniform(0.08, 0.2)]) * p.size),
        ways(p, 0.1, y, 0.3),
    )


def wave(rng: Rng, p: Puppet, side: str) -> None:
    y, now = OUT[side], p.now()
    way = np.array([rng.uniform(0.0, 0.25), y * rng.uniform(0.15, 0.4), rng.uniform(0.2, 0.45)]) * p.size
    p.reach(
        side,
        now.joints[INDEX[f"{side}_arm"]] + now.rotations[INDEX["thorax"]] @ way,
        ways(p, -0.2, y, -0.6),
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
            side, spot_of(p, "thorax", ahead, -y * 0.085, rng.uniform(0.0, 0.03)), ways(p, 0.35, y, -1.1), 60
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
    """One of the names, as often as its weight says."""
    names = list(weights)
    chances = np.array(list(weights.values()), float)
    return names[int(rng.choice(len(names), p=chances / chances.sum()))]


def arms(rng: Rng, p: Puppet, weights: Mapping[str, float] = USUAL) -> None:
    """Both arms: crossed, together, or each at something of its own."""
    which = rng.random()
    if which < 0.07:
        return crossed(rng, p)
    if which < 0.14:
        return [before(rng, p, side) for side in SIDES][0]
    act = picked(rng, weights)
    for side in SIDES:
        ONE_HAND[act](rng, p, side)
        act = act if rng.random() < 0.45 else picked(rng, weights)


def glance(rng: Rng, p: Puppet, down: float = 0.0) -> None:
    """Looks somewhere, `down` degrees below straight ahead on average."""
    p.look(
        np.clip(rng.normal(down, 12), -40, 45),
        np.clip(rng.normal(0, 6), -25, 25),
        np.clip(rng.normal(0, 22), -65, 65),
    )
