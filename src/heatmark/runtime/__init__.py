"""Model files to points, live: engines, the predictor, picture sources and overlays. No torch at import
time."""

from .draw import boxed as boxed
from .draw import contact_sheet as contact_sheet
from .draw import overlay as overlay
from .draw import people as people
from .engines import ENGINES as ENGINES
from .engines import Engine as Engine
from .predictor import Latency as Latency
from .predictor import Predictor as Predictor
from .predictor import load as load
from .sources import Shot as Shot
from .sources import shots as shots
