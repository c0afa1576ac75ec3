"""Surface nets (Gibson 1998), a mesh on the zero level of a field; neighbours and normals of its vertices."""

import numpy as np
from scipy import sparse


def surface_nets(value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The zero level of a field (X, Y, Z), negative inside: vertices in cells, triangles seen from outside.

    One vertex in every cell that the surface passes, at the mean of its crossings of the cell's edges.
    """
    inside = value < 0
    corner = [(i, j, k) for i in (0, 1) for j in (0, 1) for k in (0, 1)]
    shape = np.array(value.shape) - 1
    part = [tuple(slice(c, c + n) for c, n in zip(at, shape)) for at in corner]
    count = sum(inside[p].astype(np.int8) for p in part)
    cells = np.argwhere((count > 0) & (count < 8))
    number = np.full(shape, -1, np.int64)
    number[tuple(cells.T)] = np.arange(len(cells))
    at = np.stack([value[tuple((cells + c).T)] for c in corner], 1)  # (C, 8)
    total, crossings = np.zeros((len(cells), 3)), np.zeros(len(cells))
    for a in range(8):
        for b in range(a + 1, 8):
            if sum(abs(i - j) for i, j in zip(corner[a], corner[b])) != 1:
                continue
            cut = (at[:, a] < 0) != (at[:, b] < 0)
            t = np.where(cut, at[:, a] / np.where(cut, at[:, a] - at[:, b], 1), 0)[:, None]
            spot = np.array(corner[a]) + t * (np.array(corner[b]) - np.array(corner[a]))
            total += np.where(cut[:, None], spot, 0)
            crossings += cut
    vertices = cells + total / crossings[:, None]
    quads = []
    for axis in range(3):
        one, two = np.roll([0, 1, 2], -axis)[1:]
        first = tuple(slice(0, -1) if k == axis else slice(1, -1) for k in range(3))
        then = tuple(slice(1, None) if k == axis else slice(1, -1) for k in range(3))
        for sign in (True, False):
            edges = np.argwhere((inside[first] == sign) & (inside[then] != sign))
            edges[:, one] += 1
            edges[:, two] += 1
            around = np.repeat(edges[:, None], 4, 1)
            steps = ((-1, -1), (0, -1), (0, 0), (-1, 0)) if sign else ((-1, -1), (-1, 0), (0, 0), (0, -1))
            for n, (i, j) in enumerate(steps):
                around[:, n, one] += i
                around[:, n, two] += j
            quads.append(number[tuple(around.reshape(-1, 3).T)].reshape(-1, 4))
    quads = np.concatenate(quads)
    return vertices, np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])


def neighbours(faces: np.ndarray, count: int) -> sparse.csr_matrix:
    """(V, V) whose product with values is the mean over each vertex's neighbours."""
    a, b, c = faces.T
    rows, columns = np.concatenate([a, b, c, b, c, a]), np.concatenate([b, c, a, a, b, c])
    links = sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), (count, count))
    links.data[:] = 1
    return sparse.diags(1 / np.maximum(np.asarray(links.sum(1)).ravel(), 1)) @ links


def normals_of(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(V, 3) unit normals, the mean of the faces' by their area."""
    (ax, ay, az), (bx, by, bz) = ((vertices[faces[:, k]] - vertices[faces[:, 0]]).T for k in (1, 2))
    cross = np.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], 1)
    flat = faces.ravel()
    made = np.stack([np.bincount(flat, np.repeat(cross[:, k], 3), len(vertices)) for k in range(3)], 1)
    return made / np.maximum(np.linalg.norm(made, axis=1, keepdims=True), 1e-12)
