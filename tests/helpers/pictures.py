"""Image files for tests of data sets."""

from __future__ import annotations

import numpy as np
from PIL import Image


def picture(path, value=0, side=12, mode="RGB"):
    """Write a square image of one grey value, in this mode of Pillow."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if mode == "I;16":
        Image.fromarray(np.full((side, side), value, np.uint16)).save(path)
        return
    image = Image.fromarray(np.full((side, side, 3), value, np.uint8))
    (image if mode == "RGB" else image.convert(mode)).save(path)
