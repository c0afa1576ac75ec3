"""A seed becomes labelled pictures: invent (seed -> Scene), draw (Scene -> Layers), compose (Layers -> Sample).

assets    meshes with named landmarks: a folder of yours, or the built-in families
scene     what is there, as data: SceneSettings (one YAML file), invent, Scene
lights, grounds   procedural environment maps and ground textures
render    Scene -> Layers by path tracing

Importing this room imports no renderer: Mitsuba and trimesh enter when they are first needed.
"""

from .assets import Asset as Asset
from .assets import Material as Material
from .assets import Part as Part
