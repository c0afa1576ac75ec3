"""Points to maps and back: pure tensor functions, no network and no file."""

from . import msra as msra
from .dsnt import RECTIFICATIONS as RECTIFICATIONS
from .dsnt import REGULARISERS as REGULARISERS
from .dsnt import confidence as confidence
from .dsnt import decode_expectation as decode_expectation
from .dsnt import distance as distance
from .dsnt import expectation as expectation
from .dsnt import from_unit as from_unit
from .dsnt import js as js
from .dsnt import kl as kl
from .dsnt import masked_mean as masked_mean
from .dsnt import rectified as rectified
from .dsnt import to_unit as to_unit
from .dsnt import variance as variance
from .dsnt import variance_error as variance_error
from .peaks import argmax as argmax
from .peaks import decode as decode
from .peaks import local_maxima as local_maxima
from .peaks import refine as refine
from .render import default_sigma as default_sigma
from .render import gaussians as gaussians
from .render import levels as levels
from .render import merged as merged
from .render import pyramid as pyramid
from .render import snapped as snapped
