"""Predictions and truth to numbers: NumPy in, frozen results out; no network and no file."""

from .pck import ALPHAS as ALPHAS
from .pck import PCK as PCK
from .pck import pck as pck
