"""The built-in tool families: each draws a different object every time, its landmarks known by construction.

A family is a function rng -> Asset. Its asset lies flat (z is up); landmarks stand in their skeleton's order.
"""

from collections.abc import Callable

import numpy as np

from ..types import Skeleton
from .assets import Asset
from .hammers import HAMMER, hammer
from .screwdrivers import SCREWDRIVER, screwdriver
from .wrenches import COMBINATION_WRENCH, WRENCH, combination_wrench, wrench

FAMILIES: dict[str, Callable[[np.random.Generator], Asset]] = {
    "hammer": hammer,
    "screwdriver": screwdriver,
    "wrench": wrench,
    "combination_wrench": combination_wrench,
}

SKELETONS: dict[str, Skeleton] = {s.name: s for s in (HAMMER, SCREWDRIVER, WRENCH, COMBINATION_WRENCH)}
