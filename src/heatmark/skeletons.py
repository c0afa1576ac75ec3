"""The skeletons of people: COCO's 17 landmarks and MPII's 16, with the body parts that are hidden together;
and that of things known by their box.

The parts are those of the occlusion study (Pytel et al. 2020, figure 2 and their code). Left and right are
the person's own.
"""

from .types import Skeleton

JOINTS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")  # which both have, left and right
LIMBS = {
    f"{side}_{limb}": tuple(f"{side}_{joint}" for joint in joints)
    for side in ("left", "right")
    for limb, joints in {"arm": JOINTS[:3], "leg": JOINTS[3:]}.items()
}
SIDES = {f"{side}_side": tuple(f"{side}_{joint}" for joint in JOINTS) for side in ("left", "right")}
HIPS = ("left_hip", "right_hip")
TRUNK = {
    "hip": HIPS,
    "lower_body": (*HIPS, "left_knee", "right_knee", "left_ankle", "right_ankle"),
    "corpus": ("left_shoulder", "right_shoulder", *HIPS),
}
FACE = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
ARMS = (*LIMBS["left_arm"], *LIMBS["right_arm"])
SIGMAS = {  # of COCO's own evaluation
    "nose": 0.026, "eye": 0.025, "ear": 0.035, "shoulder": 0.079, "elbow": 0.072, "wrist": 0.062,
    "hip": 0.107, "knee": 0.087, "ankle": 0.089,
}  # fmt: skip

COCO17 = Skeleton(
    "person",
    (*FACE, *(f"{side}_{joint}" for joint in JOINTS for side in ("left", "right"))),
    bones=(
        ("left_ankle", "left_knee"), ("left_knee", "left_hip"), ("right_ankle", "right_knee"),
        ("right_knee", "right_hip"), ("left_hip", "right_hip"), ("left_shoulder", "left_hip"),
        ("right_shoulder", "right_hip"), ("left_shoulder", "right_shoulder"), ("left_shoulder", "left_elbow"),
        ("right_shoulder", "right_elbow"), ("left_elbow", "left_wrist"), ("right_elbow", "right_wrist"),
        ("left_eye", "right_eye"), ("nose", "left_eye"), ("nose", "right_eye"), ("left_eye", "left_ear"),
        ("right_eye", "right_ear"), ("left_ear", "left_shoulder"), ("right_ear", "right_shoulder"),
    ),
    mirror=tuple((f"left_{name}", f"right_{name}") for name in ("eye", "ear", *JOINTS)),
    parts={"head": FACE, "upper_body": (*FACE, *ARMS, *HIPS)}
    | LIMBS
    | TRUNK
    | {side: (f"{side[:-5]}_eye", f"{side[:-5]}_ear", *joints) for side, joints in SIDES.items()},
    sigmas={
        name: SIGMAS[name.rpartition("_")[2]]
        for name in (*FACE, *(f"{side}_{joint}" for side in ("left", "right") for joint in JOINTS))
    },
)  # fmt: skip

MPII16 = Skeleton(
    "person",
    (
        "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "pelvis", "thorax",
        "upper_neck", "head_top", "right_wrist", "right_elbow", "right_shoulder", "left_shoulder",
        "left_elbow", "left_wrist",
    ),
    bones=(
        ("right_ankle", "right_knee"), ("right_knee", "right_hip"), ("right_hip", "pelvis"),
        ("left_hip", "pelvis"), ("left_knee", "left_hip"), ("left_ankle", "left_knee"), ("pelvis", "thorax"),
        ("thorax", "upper_neck"), ("upper_neck", "head_top"), ("right_wrist", "right_elbow"),
        ("right_elbow", "right_shoulder"), ("right_shoulder", "thorax"), ("left_shoulder", "thorax"),
        ("left_elbow", "left_shoulder"), ("left_wrist", "left_elbow"),
    ),
    mirror=tuple((f"left_{name}", f"right_{name}") for name in JOINTS),
    parts={"head": ("upper_neck", "head_top"), "upper_body": ("upper_neck", "head_top", *ARMS, *HIPS)}
    | LIMBS
    | TRUNK
    | SIDES,
    # MPII is scored by PCKh and has none: COCO's for the same joints, a near joint's for the other four.
    sigmas={name: s for name, s in COCO17.sigmas.items() if name.endswith(JOINTS)}
    | {"pelvis": SIGMAS["hip"]}
    | dict.fromkeys(("thorax", "upper_neck", "head_top"), SIGMAS["shoulder"]),
)  # fmt: skip
PEOPLE = {skeleton.landmarks: skeleton for skeleton in (COCO17, MPII16)}

# A thing that is known by its box, as products on shelves are. Its landmarks are the corners of its own
# front, so that a box that is turned or seen in perspective goes through crops, flips and files as any points
# do; where only the upright box is labelled all four are absent, and the box says everything.
PRODUCT = Skeleton(
    "product",
    ("top_left", "top_right", "bottom_right", "bottom_left"),
    bones=(
        ("top_left", "top_right"), ("top_right", "bottom_right"), ("bottom_right", "bottom_left"),
        ("bottom_left", "top_left"),
    ),
    mirror=(("top_left", "top_right"), ("bottom_left", "bottom_right")),
)  # fmt: skip
