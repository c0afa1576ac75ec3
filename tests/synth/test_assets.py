"""Assets and their parts check themselves, keep their edges, and move as a whole."""

import numpy as np
import pytest
import trimesh

from heatmark.synth import assets, meshes


def test_a_box_keeps_its_edges_and_a_ball_is_smooth():
    box, ball = trimesh.creation.box(), trimesh.creation.icosphere(3)
    flat = assets.Part(box.vertices, box.faces).shaded
    assert flat.normals is not None
    assert len(flat.vertices) == 24 and np.abs(flat.normals).max(1) == pytest.approx(1)
    smooth = assets.Part(ball.vertices, ball.faces).shaded
    assert len(smooth.vertices) == len(ball.vertices)
    assert smooth.normals is not None
    np.testing.assert_allclose(smooth.normals, smooth.vertices, atol=0.02)


def test_inside_and_outside_are_told_apart():
    triangles = np.asarray(trimesh.creation.box().triangles)
    assert assets.winding(triangles, np.array([0.2, 0.3, -0.4])) == pytest.approx(1)
    assert assets.winding(triangles, np.array([0.2, 0.3, -0.6])) == pytest.approx(0, abs=1e-9)


def test_moving_carries_vertices_and_landmarks_alike(folder):
    asset = meshes.load(folder)
    matrix = np.array([[0, -2, 0, 1], [2, 0, 0, 2], [0, 0, 2, 3], [0, 0, 0, 1.0]])
    there = asset.moved(matrix)
    np.testing.assert_allclose(there.landmarks[1], [1, 2.2, 3])
    assert there.size_m == pytest.approx(0.4)


def test_a_material_and_a_part_check_themselves():
    with pytest.raises(ValueError, match="base_color must be 3 numbers"):
        assets.Material((0.5, 2.0, 0.0))
    with pytest.raises(ValueError, match="roughness must be a .H, W. uint8 texture"):
        assets.Material(roughness=np.zeros((2, 2), np.float32))
    with pytest.raises(ValueError, match="a face names vertex 3; there are 3"):
        assets.Part(np.eye(3), np.array([[0, 1, 3]]))
    with pytest.raises(ValueError, match="a part with a texture needs uv"):
        assets.Part(np.eye(3), np.array([[0, 1, 2]]), material=assets.Material(np.zeros((2, 2, 3), np.uint8)))
