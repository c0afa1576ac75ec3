"""What can be put into a scene by name: built-in families, meshes of your own, clutter, a hand."""

from functools import lru_cache

import numpy as np

from ..errors import unknown
from . import placing
from .assets import Asset, load

KINDS = ("family", "mesh", "clutter", "hand")
FREQUENT = 1000  # seeds below this come again (clutter); those above are seen once or twice


def families() -> tuple[str, ...]:
    """The names of the built-in families."""
    from .tools import FAMILIES

    return tuple(FAMILIES)


def build(kind: str, name: str = "", seed: int = 0) -> Asset:
    """The asset of a scene.Source: a function of its kind, name and seed.

    Raises:
        UserError: no such kind, family or path. DataError: a faulty mesh.
    """
    return (_kept if kind == "mesh" or seed < FREQUENT else _passing)(kind, name, seed)


@lru_cache(maxsize=1024)
def outline(kind: str, name: str = "", seed: int = 0) -> np.ndarray:
    """(M, 3) extreme points of what `build` builds."""
    return placing.outline(build(kind, name, seed))


def _built(kind: str, name: str, seed: int) -> Asset:
    rng = np.random.default_rng([seed, 7])
    if kind == "mesh":
        return load(name)
    if kind == "family":
        from .tools import FAMILIES

        if name not in FAMILIES:
            raise unknown("family", name, FAMILIES)
        return FAMILIES[name](rng)
    from . import clutter

    if kind not in KINDS:
        raise unknown("kind of thing", kind, KINDS)
    return clutter.hand(rng) if kind == "hand" else clutter.distractors(rng)


_kept = lru_cache(maxsize=160)(_built)
_passing = lru_cache(maxsize=4)(_built)
