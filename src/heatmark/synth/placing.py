"""How things lie and how they are framed: NumPy geometry on the outline (extreme points) of an object.

Matrices are (4, 4), object or camera -> world, metres, z up.
"""

from collections.abc import Sequence

import numpy as np
from scipy.spatial import ConvexHull, QhullError

from .assets import Asset


def outline(asset: Asset, count: int = 200) -> np.ndarray:
    """(M, 3) vertices of an asset extreme in some of `count` directions: near enough its convex hull."""
    vertices = np.concatenate([part.vertices for part in asset.parts])
    i = np.arange(count) + 0.5
    z, a = 1 - 2 * i / count, np.pi * (1 + 5**0.5) * i
    r = np.sqrt(1 - z * z)
    ways = np.concatenate([np.stack([r * np.cos(a), r * np.sin(a), z], 1), np.eye(3), -np.eye(3)])
    # not `@`, which wakes BLAS's threads for it, at ten times the cost; argmax is fast along rows alone
    far = np.einsum("ij,jk->ik", ways.astype(np.float32), np.ascontiguousarray(vertices.T)).argmax(1)
    return vertices[np.unique(far)].astype(np.float64)


def rests(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ways to lie at rest: (R, 3) what points down, in the object's coordinates, and (R,) how likely each is.

    A side of the hull is a rest if the middle of the hull stands above it; large and low ones are likelier.
    """
    try:
        hull = ConvexHull(points)
    except QhullError:  # flat: it lies on either side
        normal = np.linalg.svd(points - points.mean(0))[2][2]
        return np.stack([normal, -normal]), np.array([0.5, 0.5])
    normals = hull.equations[:, :3]
    corners = points[hull.simplices]
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2
    middle = (corners.mean(1) * areas[:, None]).sum(0) / areas.sum()
    heights = -hull.equations[:, 3]
    below = middle - normals * (normals @ middle - heights)[:, None]  # the middle's foot on each facet
    ways = np.roll(corners, -1, 1) - corners
    across = (_cross(ways, below[:, None] - corners) * normals[:, None]).sum(-1)
    under = (across >= -1e-12).all(1) | (across <= 1e-12).all(1)
    _, first, which = np.unique(np.round(normals, 2), axis=0, return_index=True, return_inverse=True)
    which = which.reshape(-1)
    rest = np.flatnonzero(np.bincount(which, under) > 0)
    if not len(rest):
        best = areas.argmax()
        return normals[best : best + 1], np.ones(1)
    downs = normals[first[rest]]
    weights = np.bincount(which, areas)[rest] / (heights[first[rest]] - downs @ middle) ** 2
    return downs, weights / weights.sum()


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """np.cross of (..., 3), a few times faster."""
    x, y, z = np.moveaxis(a, -1, 0)
    u, v, w = np.moveaxis(b, -1, 0)
    return np.stack([y * w - z * v, z * u - x * w, x * v - y * u], -1)


def turn(axis: np.ndarray | Sequence[float], degrees: float) -> np.ndarray:
    """(3, 3) right-handed rotation about an axis."""
    axis = np.asarray(axis, np.float64) / np.linalg.norm(axis)
    k = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    s, c = np.sin(np.deg2rad(degrees)), np.cos(np.deg2rad(degrees))
    return np.eye(3) + s * k + (1 - c) * k @ k


def onto(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(3, 3) shortest rotation that takes one unit vector to another."""
    axis, c = np.cross(source, target), float(np.clip(source @ target, -1, 1))
    if np.linalg.norm(axis) < 1e-9:
        return (
            np.eye(3)
            if c > 0
            else turn(np.roll(np.eye(3)[np.abs(source).argmin()], 0) @ _across(source), 180)
        )
    return turn(axis, np.rad2deg(np.arccos(c)))


def _across(vector: np.ndarray) -> np.ndarray:
    """(3, 3) projection onto the plane across a unit vector."""
    return np.eye(3) - np.outer(vector, vector)


def any_rotation(rng: np.random.Generator) -> np.ndarray:
    """(3, 3), all alike likely."""
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return q if np.linalg.det(q) > 0 else q[:, [1, 0, 2]]


def long_axis(points: np.ndarray) -> np.ndarray:
    """(3,) unit vector along the greatest extent."""
    return np.linalg.svd(points - points.mean(0), full_matrices=False)[2][0]


def posed(
    rng: np.random.Generator, how: str, points: np.ndarray, lean_deg: tuple[float, float]
) -> np.ndarray:
    """(3, 3) rotation of an object with this outline: lying, rolled, leaning, standing, in the air; or
    upright, as it was built, turned about the vertical only.
    """
    if how == "air":
        return any_rotation(rng)
    if how == "upright":
        return turn([0, 0, 1], rng.uniform(-180, 180))
    downs, weights = rests(points)
    rotation = onto(downs[rng.choice(len(downs), p=weights)], np.array([0, 0, -1.0]))
    axis = long_axis(points)
    if how == "rolled":
        rotation = turn(rotation @ axis, rng.uniform(-180, 180)) @ rotation
    elif how == "leaning":
        across = np.cross([0, 0, 1.0], rotation @ axis)
        across = across if np.linalg.norm(across) > 1e-3 else np.array([1.0, 0, 0])
        roll = turn(rotation @ axis, rng.uniform(-180, 180))
        rotation = turn(across, rng.choice([-1, 1]) * rng.uniform(*lean_deg)) @ roll @ rotation
    elif how == "standing":
        rotation = onto(
            axis * rng.choice([-1, 1]), turn(any_rotation(rng)[0], rng.uniform(0, 6)) @ [0, 0, 1.0]
        )
    return turn([0, 0, 1], rng.uniform(-180, 180)) @ rotation


def placed(rotation: np.ndarray, points: np.ndarray, xy: np.ndarray, height: float = 0.0) -> np.ndarray:
    """(4, 4) that turns an object of this outline, sets it `height` over the ground, its middle at `xy`."""
    turned = points @ rotation.T
    matrix = np.eye(4)
    matrix[:3, :3] = rotation
    low, high = turned.min(0), turned.max(0)
    matrix[:3, 3] = [xy[0] - (low[0] + high[0]) / 2, xy[1] - (low[1] + high[1]) / 2, height - low[2]]
    return matrix


def carried(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    return points @ matrix[:3, :3].T + matrix[:3, 3]


def looking(eye: np.ndarray, target: np.ndarray, roll_deg: float = 0.0) -> np.ndarray:
    """(4, 4) camera (x right, y down, z forward) at `eye`, looking at `target`; roll turns it clockwise."""
    forward = (target - eye) / np.linalg.norm(target - eye)
    up = np.array([0, 0, 1.0]) if abs(forward[2]) < 0.999 else np.array([0, 1.0, 0])
    right = np.cross(forward, up)
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward], 1) @ turn([0, 0, 1], roll_deg)
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = rotation, eye
    return matrix


def seen(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(M, 2) x/z, y/z of world points in a camera; points behind it are far out."""
    x, y, z = ((points - matrix[:3, 3]) @ matrix[:3, :3]).T
    return np.stack([x, y], 1) / np.maximum(z, 1e-3)[:, None]


def framed(
    points: np.ndarray,
    towards: np.ndarray,
    roll_deg: float,
    half: np.ndarray,
    extent: float,
    centre: np.ndarray,
) -> np.ndarray:
    """A camera that sees `points` (M, 3) of the world as large, and where, as it is told.

    Args:
        towards: (3,) unit vector from the object to the camera.
        half: (2,) half the picture's width and height at distance 1 (tangents).
        extent: longer side of the points' box in the picture, as a part of the picture's shorter side.
        centre: (2,) of that box, in the same parts, from the middle of the picture.

    Returns:
        (4, 4) camera -> world.
    """
    middle, radius = (points.min(0) + points.max(0)) / 2, np.ptp(points, axis=0).max()
    unit = 2 * half.min()
    distance, aim = radius / (unit * extent), middle.copy()
    for _ in range(14):
        eye = aim + towards * distance
        matrix = looking(eye, aim, roll_deg)
        if ((points - eye) @ matrix[:3, 2]).min() < 0.05 * radius:
            distance *= 1.5
            continue
        flat = seen(matrix, points)
        low, high = flat.min(0), flat.max(0)
        off = (low + high) / 2 - centre * unit
        aim = aim + matrix[:3, :2] @ off * distance
        distance *= np.clip((high - low).max() / (unit * extent), 0.5, 2.0)
    return looking(aim + towards * distance, aim, roll_deg)


def free(points: np.ndarray, taken: list[np.ndarray], gap: float = 0.002) -> bool:
    """Whether an outline (M, 3) keeps clear of all others, seen from above or one above the other."""
    return all(
        points[:, 2].min() > other[:, 2].max()
        or other[:, 2].min() > points[:, 2].max()
        or _apart(points, other, gap)
        for other in taken
    )


def _apart(one: np.ndarray, other: np.ndarray, gap: float) -> bool:
    """Whether a vertical plane, one of 16 directions, parts the two."""
    angle = np.arange(16) / 16 * np.pi
    ways = np.stack([np.cos(angle), np.sin(angle)])
    a, b = one[:, :2] @ ways, other[:, :2] @ ways
    return bool(((a.min(0) > b.max(0) + gap) | (b.min(0) > a.max(0) + gap)).any())


def hides(camera: np.ndarray, points: np.ndarray, solid: np.ndarray, most: float = 0.33) -> bool:
    """Whether an outline stands too near the camera, or in front of more than `most` of the solid's box."""
    depth = (points - camera[:3, 3]) @ camera[:3, 2]
    ours = (solid - camera[:3, 3]) @ camera[:3, 2]
    if depth.min() < 0.25 * ours.min():
        return True
    if depth.mean() > ours.max():
        return False
    a, b = seen(camera, points), seen(camera, solid)
    shared = np.minimum(a.max(0), b.max(0)) - np.maximum(a.min(0), b.min(0))
    return bool(np.prod(np.maximum(shared, 0)) > most * np.prod(np.ptp(b, axis=0)))
