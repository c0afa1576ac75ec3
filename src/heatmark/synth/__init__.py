"""A seed becomes labelled pictures: invent (seed -> Scene), draw (-> Layers), compose (-> Sample).

assets, meshes      objects with materials and named landmarks: built here, or read from a folder of yours
tools, clutter      the built-in families, and what lies about them (kit, fist); solids, surfaces, handles are
                    their trade
people              the built-in people: bones, bodies, flesh (nets), figures, puppets, gestures, postures,
                    heads, hair, wardrobe (tailoring, cloth) make them
furniture, vistas   what people sit on, and what they stand before
settings, scene     the ranges (one YAML file), and one draw from them as data
invention, company  the draw: object, camera and light, and what is there beside them; placing is geometry
things, stage       from names to assets, textures, light and background; lights, grounds, scraps invent them
world, tracer       a scene as one mesh and one atlas, and Mitsuba, which draws it
render              Scene -> Layers: picture, ids, depth, landmarks and their visibility
compose, studio     Layers -> Sample: what the camera does, copies, cut and paste; (seed, index) -> pictures

Importing this room imports no renderer: Mitsuba and trimesh enter when they are first needed.
"""

from .assets import Asset as Asset
from .assets import Material as Material
from .assets import Part as Part
