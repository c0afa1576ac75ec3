"""What can be put into a scene by name: built-in families, meshes of your own, clutter, a hand."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from ..errors import unknown
from . import placing
from .assets import Asset
from .meshes import distractor, load

KINDS = ("family", "mesh", "distractor", "clutter", "hand", "furniture", "seat", "product", "rack")
FREQUENT = 1000  # seeds below this come again (clutter); those above are seen once or twice


def families() -> tuple[str, ...]:
    """The names of the built-in families."""
    from . import people, products

    return (*tools(), *people.FAMILIES, *products.FAMILIES)


def tools() -> tuple[str, ...]:
    """The names of the families that are tools, and so may lie about where another tool is looked for."""
    from .tools import FAMILIES

    return tuple(FAMILIES)


def build(kind: str, name: str = "", seed: int = 0) -> Asset:
    """The asset of a scene.Source: a function of its kind, name and seed.

    Raises:
        UserError: no such kind, family or path. DataError: a faulty mesh.
    """
    if kind != "mesh" and seed >= FREQUENT:
        return _passing(kind, name, seed)
    lies_about = kind in ("clutter", "hand") or (kind == "family" and name in tools())
    return (_lying if lies_about else _kept)(kind, name, seed)


@lru_cache(maxsize=1024)
def outline(kind: str, name: str = "", seed: int = 0) -> np.ndarray:
    """(M, 3) extreme points of what `build` builds."""
    return placing.outline(build(kind, name, seed))


def forget() -> None:
    """What was read of meshes is read again when it is wanted next: their files may have changed."""
    _kept.cache_clear()
    outline.cache_clear()


def sits(name: str, seed: int) -> bool:
    """Whether a family's object sits on something of kind "seat" and the same seed."""
    from . import people

    return name in people.FAMILIES and people.stance_of(_chance(seed))[1] == "sitting"


def _chance(seed: int) -> np.random.Generator:
    return np.random.default_rng([seed, 7])


def _built(kind: str, name: str, seed: int) -> Asset:
    rng = _chance(seed)
    if kind in ("mesh", "distractor"):
        return load(name) if kind == "mesh" else distractor(name)
    if kind == "family":
        return _family(name)(rng)
    if kind in ("product", "rack"):
        from . import products, racks

        return racks.rack(seed) if kind == "rack" else products.product(int(name), seed)
    from . import clutter, fist, furniture, people

    if kind not in KINDS:
        raise unknown("kind of thing", kind, KINDS)
    if kind == "seat":
        return people.seat_of(rng)
    if kind == "clutter":
        return clutter.distractors(rng, name)
    return {"hand": fist.hand, "furniture": furniture.furnishings}[kind](rng)


def _family(name: str) -> Callable[[np.random.Generator], Asset]:
    from . import people, products, tools

    known = tools.FAMILIES | people.FAMILIES | products.FAMILIES
    if name not in known:
        raise unknown("family", name, known)
    return known[name]


_kept = lru_cache(maxsize=160)(_built)
# 200 pieces of clutter, 60 hands, 72 other tools, 64 kin: some 200 MB
_lying = lru_cache(maxsize=420)(_built)
_passing = lru_cache(maxsize=24)(_built)
