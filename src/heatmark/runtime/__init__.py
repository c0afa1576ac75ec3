"""Model files to points, live: engines, detectors, sources and overlays. No torch at import time."""

from .detector import Detector as Detector
from .detector import Latency as Latency
from .draw import boxed as boxed
from .draw import contact_sheet as contact_sheet
from .draw import overlay as overlay
from .draw import people as people
from .engines import ENGINES as ENGINES
from .engines import Engine as Engine
from .predictor import Predictor as Predictor
from .predictor import load as load
from .sources import Shot as Shot
from .sources import shots as shots
