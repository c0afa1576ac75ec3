"""What can be put into a scene by name: built-in families, meshes of your own, clutter, a hand."""

from functools import lru_cache

import numpy as np

from ..errors import UserError, unknown
from .assets import Asset, load


def families() -> tuple[str, ...]:
    """The names of the built-in families."""
    try:
        from .tools import FAMILIES
    except ImportError:
        return ()
    return tuple(FAMILIES)


@lru_cache(maxsize=256)
def build(kind: str, name: str, seed: int) -> Asset:
    """The asset of a scene.Source: a function of its kind, name and seed. Raises a UserError or DataError."""
    rng = np.random.default_rng([seed, 7])
    if kind == "mesh":
        return load(name)
    if kind == "clutter":
        from .clutter import distractors

        return distractors(rng)
    if kind == "family":
        from .tools import FAMILIES

        if name not in FAMILIES:
            raise unknown("family", name, FAMILIES)
        return FAMILIES[name](rng)
    raise UserError(f"nothing builds {kind}")
