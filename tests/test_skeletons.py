"""The skeletons of people: the ids of COCO and MPII, and the parts of the occlusion study."""

import pytest

from heatmark.skeletons import COCO17, MPII16
from heatmark.types import Skeleton


def ids(skeleton: Skeleton, part: str) -> list[int]:
    return sorted(skeleton.index(name) for name in skeleton.parts[part])


def test_cocos_parts_have_the_published_ids():
    assert COCO17.landmarks[:7] == (
        "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder",
    )  # fmt: skip
    assert ids(COCO17, "head") == [0, 1, 2, 3, 4]
    assert ids(COCO17, "left_arm") == [5, 7, 9] and ids(COCO17, "right_arm") == [6, 8, 10]
    assert ids(COCO17, "left_leg") == [11, 13, 15] and ids(COCO17, "right_leg") == [12, 14, 16]
    assert ids(COCO17, "hip") == [11, 12] and ids(COCO17, "corpus") == [5, 6, 11, 12]
    assert ids(COCO17, "left_side") == [*range(1, 17, 2)] and ids(COCO17, "right_side") == [*range(2, 17, 2)]
    assert ids(COCO17, "upper_body") == [*range(13)] and ids(COCO17, "lower_body") == [*range(11, 17)]


def test_mpiis_parts_have_the_published_ids():
    assert ids(MPII16, "head") == [8, 9] and ids(MPII16, "hip") == [2, 3]
    assert ids(MPII16, "left_arm") == [13, 14, 15] and ids(MPII16, "right_arm") == [10, 11, 12]
    assert ids(MPII16, "left_leg") == [3, 4, 5] and ids(MPII16, "right_leg") == [0, 1, 2]
    assert ids(MPII16, "upper_body") == [2, 3, *range(8, 16)] and ids(MPII16, "lower_body") == [*range(6)]
    assert ids(MPII16, "corpus") == [2, 3, 12, 13]
    assert ids(MPII16, "left_side") == [3, 4, 5, 13, 14, 15] and ids(MPII16, "right_side") == [
        0,
        1,
        2,
        10,
        11,
        12,
    ]


@pytest.mark.parametrize("person", [COCO17, MPII16], ids=["coco", "mpii"])
def test_every_left_has_its_right_and_every_landmark_a_tolerance(person):
    for name, other in zip(person.landmarks, person.mirrored):
        assert person.landmarks[other] == name.replace("left", "r~").replace("right", "left").replace(
            "r~", "right"
        )
    assert set(person.sigmas) == set(person.landmarks)
    assert Skeleton.from_dict(person.to_dict()) == person


def test_cocos_tolerances():
    assert COCO17.tolerances.tolist()[::4] == [0.026, 0.035, 0.062, 0.062, 0.089][:1] + [
        0.035,
        0.072,
        0.107,
        0.089,
    ]
