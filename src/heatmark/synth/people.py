"""The built-in people: figures of every age and build, clothed, in a stance, their landmarks known.

`people` carries COCO's 17 landmarks, `people_mpii` MPII's 16; one seed gives the same person in both. A
figure faces +x; seen from in front its left hand is on the right of the picture. Landmarks of joints lie
inside the body, in the joint's middle, those of the face on the skin.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..skeletons import COCO17, JOINTS, MPII16
from ..types import Skeleton
from . import bodies, figures, flesh, gestures, hair, heads, postures, puppets, tailoring, wardrobe
from .assets import Asset, Material, Part
from .bodies import NEUTRAL_M
from .bones import BONES, INDEX, SIDES, Posed, skinned
from .figures import Figure
from .flesh import MM
from .furniture import seat
from .nets import normals_of
from .solids import box, part
from .tailoring import Shell

Rng = np.random.Generator
BONE_OF = {
    "shoulder": "arm",
    "elbow": "forearm",
    "wrist": "hand",
    "hip": "thigh",
    "knee": "shin",
    "ankle": "foot",
}
# metres of a 1.75 m figure, clothed, that the camera may see before a landmark of the same body: from before,
# behind and the side a joint lies so deep at the most; what is further in front is another limb
DEPTH_M = {
    "nose": 0.02, "eye": 0.022, "ear": 0.04, "shoulder": 0.105, "elbow": 0.09, "wrist": 0.055,
    "hip": 0.175, "knee": 0.10, "ankle": 0.07, "pelvis": 0.175, "thorax": 0.14, "upper_neck": 0.095,
    "head_top": 0.09,
}  # fmt: skip


@dataclass(frozen=True)
class Person:
    """Somebody in a stance, before they are made into an asset."""

    figure: Figure
    stance: str
    now: Posed
    puppet: puppets.Puppet


def person(rng: Rng) -> Person:
    build, stance = stance_of(rng)
    figure = figures.figure(build)
    puppet = postures.drawn(rng, figure.offsets, figure.build, stance)
    return Person(figure, stance, puppet.now(), puppet)


def stance_of(rng: Rng) -> tuple[bodies.Build, str]:
    """What a person's generator draws first: who they are, and a key of postures.STANCES."""
    return bodies.drawn(rng), gestures.picked(rng, postures.OFTEN)


def people(rng: Rng) -> Asset:
    """Somebody, with COCO's landmarks."""
    return _asset(rng, "people", COCO17)


def people_mpii(rng: Rng) -> Asset:
    """Somebody, with MPII's landmarks."""
    return _asset(rng, "people_mpii", MPII16)


def _asset(rng: Rng, name: str, skeleton: Skeleton) -> Asset:
    who = person(rng)
    marks = landmarks(who)
    build = who.figure.build
    size = build.stature_m / NEUTRAL_M * (0.6 + 0.4 * figures.fatness(build))
    depths = (
        np.array([DEPTH_M[n if n in DEPTH_M else n.partition("_")[2]] for n in skeleton.landmarks]) * size
    )
    return Asset(name, skeleton, np.array([marks[n] for n in skeleton.landmarks]), parts(rng, who), depths)


def landmarks(who: Person) -> dict[str, np.ndarray]:
    """Every landmark of either skeleton, (3,) metres."""
    now, figure = who.now, who.figure
    found = {}
    for side in SIDES:
        for joint in JOINTS:
            found[f"{side}_{joint}"] = now.at(f"{side}_{BONE_OF[joint]}")
    skull = INDEX["head"]
    at_rest = flesh.neutral().joints[skull]
    spots = {"nose": flesh.NOSE_MM, "head_top": (-6.0, 0.0, 183.0)}
    for side, y in zip(SIDES, (1, -1)):
        spots |= {
            f"{side}_eye": np.array(flesh.EYES_MM) * [1, y, 1],
            f"{side}_ear": np.array(flesh.EARS_MM) * [1, y, 1],
        }
    names, places = list(spots), at_rest + np.array(list(spots.values())) * MM
    only = np.eye(len(BONES))[np.full(len(places), skull)]
    moved = skinned(figures.stretched(places, only, figure.build), only, figure.rest, now)
    found |= dict(zip(names, moved))
    found["pelvis"] = (found["left_hip"] + found["right_hip"]) / 2
    found["thorax"] = now.at("neck")
    found["upper_neck"] = now.at("head", np.array([-0.01, 0, -0.035]) * figures.head_scale(figure.build))
    return found


def parts(rng: Rng, who: Person) -> tuple[Part, ...]:
    """Skin, face, hair and clothes, in the stance."""
    figure = who.figure
    color = heads.complexion(rng)
    hair_color = hair.hair_color(rng, figure.build, color)
    outfit = wardrobe.outfit(rng, figure, who.stance)
    head = [
        heads.head_shell(figure, heads.face(rng, figure.build, color, hair_color)),
        *hair.hair(rng, figure, hair_color),
    ]
    skin = Material(tuple(color), float(rng.uniform(0.42, 0.6)))
    bare = [tailoring.shell(figure, figure.body.vertices, outfit.bare, skin), _hands(figure, skin)]
    shells = [s for s in (*bare, *head, *outfit.shells) if len(s.faces)]
    return tuple(_part(shell, figure, who.now) for shell in shells)


def _hands(figure: Figure, skin: Material) -> Shell:
    hands = figure.hands
    return Shell(hands.vertices, hands.faces, hands.weights, np.full((len(hands.vertices), 2), 0.5), skin)


def _part(shell: Shell, figure: Figure, now: Posed) -> Part:
    vertices = skinned(shell.vertices, shell.weights, figure.rest, now)
    return Part(vertices, shell.faces, shell.uv, shell.material, _welded_normals(vertices, shell.faces))


def _welded_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(V, 3) normals, the same for vertices that lie in one place."""
    place = np.unique(
        np.round(vertices * 1e5).astype(np.int64) @ np.array([1, 1 << 20, 1 << 40]), return_inverse=True
    )[1]
    place = place.reshape(-1)
    flat = place[faces]
    middle = np.zeros((place.max() + 1, 3))
    middle[place] = vertices
    return normals_of(middle, flat)[place]


def seat_of(rng: Rng) -> Asset:
    """What the person of the same seed sits on, in the same coordinates; who sits on nothing gets a
    pebble.
    """
    who = person(rng)
    if who.stance != "sitting":
        return Asset("pebble", None, np.empty((0, 3)), (part(box(np.full(3, 5.0)), Material()),))
    now, figure = who.now, who.figure
    body = figure.moved(figure.body, now)
    hips = now.joints[INDEX["pelvis"]]
    thighs = figure.body.weights[:, [INDEX["left_thigh"], INDEX["right_thigh"], INDEX["pelvis"]]].sum(1) > 0.6
    reach = 0.22 * figure.build.stature_m / NEUTRAL_M
    under = thighs & (np.hypot(*(body[:, :2] - hips[:2]).T) < reach)
    floor = min(float(body[:, 2].min()), float(body[under, 2].min()) - 0.25)
    across = float(np.ptp(body[under, 1]))
    return seat(rng, float(body[under, 2].min()) + 0.012, across, (float(hips[0]), float(hips[1])), floor)


FAMILIES: dict[str, Callable[[Rng], Asset]] = {"people": people, "people_mpii": people_mpii}
