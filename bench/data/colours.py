"""Turn whatever Pillow reads into an upright 8-bit RGB image, and say what was done for that."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

SIXTEEN_BITS = 257  # 65535 / 255
ORIENTATION = 0x0112  # the number of this tag in EXIF
OPAQUE = (255, 255)  # the least and the greatest alpha


class Kind(IntEnum):
    """What was done with an image that is not an upright 8-bit RGB image, from mild to severe."""

    TURNED = 0
    FIRST_FRAME = 1
    SAME_COLOURS = 2  # every colour is an RGB colour too
    OTHER_COLOURS = 3
    LOST = 4


class Remark(NamedTuple):
    """One unusual thing about a file."""

    kind: Kind
    text: str


def upright_rgb(image: Image.Image) -> tuple[Image.Image, list[Remark]]:
    """The first frame of an opened image as RGB, held upright; decodes and closes the image.

    Transparent pixels are laid on white. 16-bit grey is scaled by 1/257. ValueError for numbers
    whose range nobody states, such as 32-bit grey.
    """
    from PIL import Image

    remarks = []
    if getattr(image, "is_animated", False):
        remarks.append(Remark(Kind.FIRST_FRAME, "several frames, the first taken"))
    turn = _turn(image)
    image.load()  # before cropping: a truncated file must not pass
    left = _turn(image)  # of TIFF, Pillow has turned the pixels by now
    rgb, converted = _rgb(image)
    if rgb is not image:
        image.close()  # a huge one is in memory once only
    if left is not None:
        rgb = rgb.transpose(left)
    if turn is not None:
        remarks.append(Remark(Kind.TURNED, f"turned: {Image.Transpose(turn).name.lower()}"))
    return rgb, remarks + converted


def _turn(image: Image.Image) -> Image.Transpose | None:
    """How an image has to be turned to be seen as it was photographed."""
    from PIL import Image

    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
    try:
        return turns.get(image.getexif().get(ORIENTATION, 1))
    except Exception:  # whatever damaged EXIF data raise: viewers show such an image as stored
        return None


def _rgb(image: Image.Image) -> tuple[Image.Image, list[Remark]]:
    """A loaded image as RGB, and whether that changed its colours."""
    mode, kind = image.mode, Kind.SAME_COLOURS
    if mode == "RGB" and "transparency" not in image.info:
        return image, []
    if mode.startswith("I;16") or (mode == "I" and image.format in ("PNG", "PPM")):
        rgb, kind = _from_sixteen_bits(image), Kind.OTHER_COLOURS
    elif mode in ("I", "F"):
        raise ValueError(
            f"mode {mode}: nothing says which number is white; store 8-bit or 16-bit grey"
        )
    elif mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        rgb, opaque = _on_white(image)
        kind = Kind.SAME_COLOURS if opaque else Kind.OTHER_COLOURS
    else:
        rgb = image.convert("RGB")
        kind = Kind.SAME_COLOURS if mode in ("1", "L", "P") else Kind.OTHER_COLOURS
    return rgb, [Remark(kind, f"mode {mode}, converted")]


def _from_sixteen_bits(image: Image.Image) -> Image.Image:
    from PIL import Image

    values = np.array(image)
    np.clip(values, 0, 65535 - SIXTEEN_BITS // 2, out=values)  # so that rounding does not overflow
    values += SIXTEEN_BITS // 2
    values //= SIXTEEN_BITS
    return Image.fromarray(values.astype(np.uint8)).convert("RGB")


def _on_white(image: Image.Image) -> tuple[Image.Image, bool]:
    """An image with transparent pixels laid on white, and whether all of it was opaque."""
    from PIL import Image

    image = image if image.mode == "RGBA" else image.convert("RGBA")
    alpha = image.getchannel("A")
    if alpha.getextrema() == OPAQUE:
        return image.convert("RGB"), True
    white = Image.new("RGB", image.size, "white")
    white.paste(image, mask=alpha)
    return white, False
