"""A mesh that nobody prepared: a bottle opener in millimetres; its landmarks by hand (docs/afternoon.md)."""

import json
from pathlib import Path

import numpy as np
import trimesh
from manifold3d import CrossSection, Manifold
from trimesh.visual.material import PBRMaterial


def mesh(solid: Manifold, color: list[float], metallic: float, roughness: float) -> trimesh.Trimesh:
    found = solid.to_mesh()
    material = PBRMaterial(baseColorFactor=color, metallicFactor=metallic, roughnessFactor=roughness)
    look = trimesh.visual.TextureVisuals(uv=np.zeros((len(found.vert_properties), 2)), material=material)
    return trimesh.Trimesh(found.vert_properties[:, :3], found.tri_verts, visual=look, process=False)


head = CrossSection.circle(21, 96).scale((1.1, 1.0))
handle = CrossSection.batch_hull(
    [CrossSection.circle(r, 64).translate((x, 0)) for x, r in ((15, 9), (118, 13))]
)
tooth = CrossSection([[(-2, -6), (-2, 6), (-9, 4), (-9, -4)]])  # it grips the crown cap
cavity = CrossSection.circle(13, 96).translate((-3, 0)) - tooth.translate((12, 0))
blade = head + handle - cavity - CrossSection.circle(4.5, 48).translate((122, 0))
grip = CrossSection.batch_hull(
    [CrossSection.circle(r, 64).translate((x, 0)) for x, r in ((40, 8), (106, 10.5))]
)

steel = Manifold.extrude(blade, 3.0)
wood = Manifold.extrude(grip, 5.0).translate((0, 0, 3)) + Manifold.extrude(grip, 5.0).translate((0, 0, -5))
parts = [mesh(steel, [0.72, 0.72, 0.74, 1], 1.0, 0.3), mesh(wood, [0.36, 0.2, 0.1, 1], 0.0, 0.6)]
trimesh.Scene(parts).export("bottle_opener.glb")

places = {"nose": [-23.1, 0, 1.5], "tooth": [3, 0, 1.5], "end": [131, 0, 1.5]}  # where they are on the mesh
bones = [["nose", "tooth"], ["tooth", "end"]]
description = {"name": "bottle opener", "unit": "mm", "landmarks": places, "bones": bones}
Path("bottle_opener.landmarks.json").write_text(json.dumps(description, indent=2))
print(f"bottle_opener.glb: {sum(len(p.faces) for p in parts)} faces, landmarks: {', '.join(places)}")
