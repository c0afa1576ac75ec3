"""Points to maps and back: pure tensor functions, no network and no file."""

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
