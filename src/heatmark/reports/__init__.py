"""Numbers to tables, curves and one HTML page that opens from disk."""

from .drawings import COLOURS as COLOURS
from .drawings import MANY as MANY
from .drawings import SIDE as SIDE
from .drawings import Case as Case
from .drawings import apart as apart
from .drawings import axes as axes
from .drawings import case_picture as case_picture
from .drawings import cut as cut
from .drawings import error_histogram as error_histogram
from .drawings import pck_curves as pck_curves
from .page import Page as Page
from .page import chart as chart
from .page import document as document
from .page import facts_html as facts_html
from .page import html as html
from .page import notes as notes
from .page import ranked as ranked
from .page import table_html as table_html
from .page import tiles as tiles
from .page import write as write
from .tables import csv as csv
from .tables import markdown as markdown
from .tables import people_tables as people_tables
from .tables import per_cent as per_cent
from .tables import rows as rows
