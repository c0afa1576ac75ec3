"""Pictures to pictures, with their points: NumPy and OpenCV, no file and no network."""

from . import msra as msra
from . import occlude as occlude
from .augment import Augmentation as Augmentation
from .augment import augment as augment
from .augment import framed as framed
from .blend import BLENDS as BLENDS
from .decode import decode as decode
from .decode import encode_jpeg as encode_jpeg
from .decode import encode_png as encode_png
from .transforms import warp as warp
