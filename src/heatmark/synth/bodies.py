"""Who somebody is: sex, age, stature, mass, and the lengths and girths that follow.

Segment lengths are fractions of stature (Drillis & Contini 1966, as printed in Winter, Biomechanics and Motor
Control of Human Movement, fig. 4.1); the shoulder is taken at the middle of its joint, which lies under the
acromion that they measured. Statures and breadths of men and women: ANSUR II (Gordon et al. 2014); of
children: the medians of the CDC's growth charts (2000). Heads grow less than the rest: a head is a fifth of a
three-year-old and 0.13 of an adult.
"""

from dataclasses import dataclass, field

import numpy as np

from .bones import BONES, INDEX, SIDES

Rng = np.random.Generator
STATURE_M = {"man": (1.756, 0.069), "woman": (1.629, 0.064)}  # mean, deviation: ANSUR II
AGES = (2.0, 3.0, 5.0, 7.0, 9.0, 11.0, 13.0, 15.0, 17.0, 18.0)
GIRL_M = (0.86, 0.945, 1.08, 1.215, 1.33, 1.44, 1.57, 1.62, 1.63, 1.63)  # CDC medians
BOY_M = (0.87, 0.955, 1.09, 1.22, 1.335, 1.435, 1.56, 1.70, 1.75, 1.756)
HEAD = (0.225, 0.20, 0.178, 0.166, 0.157, 0.150, 0.144, 0.138, 0.133, 0.130)  # chin to vertex, of stature

# of stature: Drillis & Contini, except where said
LENGTHS = {
    "ankle": 0.039, "shin": 0.246, "thigh": 0.245, "arm": 0.172, "forearm": 0.146, "hand": 0.108,
    "foot": 0.152, "hip_half": 0.050, "head": 0.130,
}  # fmt: skip
# arm: from the elbow, 0.630 high, to the joint's middle, at 0.802; hip_half: half of what parts the hips
TRUNK_M = {  # joints of the trunk over the hips' middle (x, z), at a stature of 1.75 m
    "lumbar": (-0.025, 0.083), "thorax": (-0.035, 0.263), "neck": (-0.030, 0.513), "head": (-0.008, 0.640),
}  # fmt: skip
NEUTRAL_M, AVERAGE_BMI = 1.75, 22.5
CROWN_M = 0.1825  # of the vertex above the head's joint
CLAVICLE, SHOULDER = (0.015, 0.025, 0.486), (-0.015, 0.178, 0.476)  # from the hips' middle, at 1.75 m


@dataclass(frozen=True)
class Build:
    """What somebody's body is like."""

    male: float  # 0 woman, 1 man; what is between is, too
    age: float  # years
    stature_m: float
    bmi: float  # kg / m^2
    shoulders: float = 1.0  # breadth, of what is usual
    hips: float = 1.0
    legs: float = 1.0  # length of the legs, of what is usual
    muscle: float = 0.0  # -1 .. 1
    face: dict[str, float] = field(default_factory=dict)  # feature -> -1 .. 1, see flesh.FEATURES

    @property
    def grown(self) -> float:
        """0 at three years, 1 from sixteen on."""
        return float(np.clip((self.age - 3) / 13, 0, 1))

    @property
    def head(self) -> float:
        """Chin to vertex, of stature."""
        return float(np.interp(self.age, AGES, HEAD))


def drawn(rng: Rng) -> Build:
    """Anybody: four fifths are grown up."""
    sex = "man" if rng.random() < 0.5 else "woman"
    child = rng.random() < 0.2
    age = float(rng.uniform(3, 16) if child else rng.triangular(17, 28, 80))
    if child:
        middle = float(np.interp(age, AGES, BOY_M if sex == "man" else GIRL_M))
        stature, bmi = middle * (1 + rng.normal(0, 0.04)), rng.normal(15 + 0.25 * max(age - 6, 0), 1.2)
    else:
        mean, deviation = STATURE_M[sex]
        stature = mean + deviation * rng.normal() - 0.0006 * max(age - 45, 0)
        bmi = float(np.exp(rng.normal(np.log(24.0), 0.15)))
    return Build(
        male=float(np.clip((0.85 if sex == "man" else 0.12) + rng.normal(0, 0.1), 0, 1)),
        age=age,
        stature_m=float(np.clip(stature, 0.8, 2.1)),
        bmi=float(np.clip(bmi, 13.0 if child else 17.5, 42.0)),
        shoulders=1 + rng.normal(0, 0.035),
        hips=1 + rng.normal(0, 0.035),
        legs=1 + rng.normal(0, 0.02),
        muscle=float(np.clip(rng.normal(0, 0.5), -1, 1)),
        face={name: float(np.clip(rng.normal(0, 0.5), -1.2, 1.2)) for name in FACE},
    )


FACE = ("long", "wide", "nose", "nose_wide", "chin", "jaw", "brow", "cheeks", "lips", "ears")


def lengths(build: Build) -> dict[str, float]:
    """Metres of every segment. Children's legs and arms are shorter parts of them, their heads larger."""
    small = 1 - build.grown
    scale = dict.fromkeys(LENGTHS, 1.0)
    scale["thigh"] = scale["shin"] = build.legs * (1 - 0.13 * small)
    scale["arm"] = scale["forearm"] = 1 - 0.05 * small
    scale["hand"] = scale["foot"] = (1 - 0.02 * small) * (0.97 + 0.03 * build.male)
    scale["hip_half"] = build.hips * (1.06 - 0.06 * build.male)
    made = {name: LENGTHS[name] * scale[name] * build.stature_m for name in LENGTHS}
    made["head"] = build.head * build.stature_m
    made["leg"] = made["thigh"] + made["shin"] + made["ankle"]
    return made


def trunk_scale(build: Build) -> float:
    """Size of trunk and neck, that of the 1.75 m figure being 1: what legs and head leave of the stature."""
    above = CROWN_M * head_scale(build)
    return (build.stature_m - lengths(build)["leg"] - above) / TRUNK_M["head"][1]


def head_scale(build: Build) -> float:
    """Size of the head, that of the 1.75 m figure being 1."""
    return lengths(build)["head"] / (LENGTHS["head"] * NEUTRAL_M)


def offsets(build: Build) -> np.ndarray:
    """(B, 3) metres: each joint from its parent's, standing; the pelvis's from the ground."""
    own, up = lengths(build), trunk_scale(build)
    wide = (
        (0.94 + 0.08 * build.male)
        * build.shoulders
        * build.stature_m
        / NEUTRAL_M
        * (0.93 + 0.07 * build.grown)
    )
    made = np.zeros((len(BONES), 3))
    made[INDEX["pelvis"]] = 0, 0, own["leg"]
    spots = {"pelvis": np.zeros(3)} | {n: np.array([x, 0, z]) * up for n, (x, z) in TRUNK_M.items()}
    for lower, upper in (("pelvis", "lumbar"), ("lumbar", "thorax"), ("thorax", "neck"), ("neck", "head")):
        made[INDEX[upper]] = spots[upper] - spots[lower]
    for side, y in zip(SIDES, (1, -1)):
        joint = np.array([up, y * wide, up])
        made[INDEX[f"{side}_clavicle"]] = CLAVICLE * joint - spots["thorax"]
        made[INDEX[f"{side}_arm"]] = (np.array(SHOULDER) - CLAVICLE) * joint
        made[INDEX[f"{side}_forearm"]] = 0, 0, -own["arm"]
        made[INDEX[f"{side}_hand"]] = 0, 0, -own["forearm"]
        made[INDEX[f"{side}_thigh"]] = 0, y * own["hip_half"], 0
        made[INDEX[f"{side}_shin"]] = 0, 0, -own["thigh"]
        made[INDEX[f"{side}_foot"]] = 0, 0, -own["shin"]
    return made
