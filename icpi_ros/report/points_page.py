"""Page on which the marks of a table are clicked in an image, for `icpi calibrate table --points`.

It is one file without a server: the image is in it, and the points are saved by the browser.
"""

from __future__ import annotations

import base64

import cv2
import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from icpi_ros.core.html import template
from icpi_ros.report.page import document

FILE = "points.csv"
"""Name under which the browser saves the points."""


def points_page(image: NDArray[np.uint8], source: str, command: str) -> str:
    """Return the page.

    Args:
        image: ``(h, w)`` grey levels.
        source: of the image, one line.
        command: that is run with the points.
    """
    data = base64.b64encode(cv2.imencode(".png", image)[1].tobytes()).decode("ascii")
    body = template("points.html").render(image=data, command=command, file=FILE)
    return document(f"Points of the table in {source}", [Markup(body)], script="points.js")
