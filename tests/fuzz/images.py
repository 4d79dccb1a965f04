"""Images in class folders: damaged, in odd modes and formats, of sizes that they only claim."""

from __future__ import annotations

import io
import json
import os
import random
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from bench.plugins.registry import Registry
from tests.fuzz.kind import Given, Kind
from tests.fuzz.mutate import change_bytes

FORMATS = {
    "PNG": (".png", ("RGB", "L", "1", "P", "RGBA", "LA", "I;16")),
    "JPEG": (".jpg", ("RGB", "L", "CMYK")),
    "BMP": (".bmp", ("RGB", "L", "1", "P")),
    "GIF": (".gif", ("L", "P")),
    "TIFF": (".tif", ("RGB", "L", "1", "P", "RGBA", "CMYK", "F", "I;16", "LAB")),
    "WEBP": (".webp", ("RGB", "RGBA")),
    "PPM": (".ppm", ("RGB", "L", "1")),
}
SIZES = ((12, 12), (1, 1), (40, 3), (3, 40), (16, 17), (200, 1), (1, 900))
CLAIMED = (0, 1, 60_000, 1_000_000, 2**31 - 1, 2**32 - 1)
ODD = ("pipe", "folder", "loop", "nowhere", "empty", "self")  # in place of a file
_registry: list[Registry] = []


class Images(Kind):
    """One image among good ones in a class folder."""

    name, count, lines = "images", 20_000, 12

    def prepare(self, home: Path) -> None:
        """Import the reader once, and decode one image of each format."""
        Image.init()
        _registry[:] = [Registry()]
        for form, (suffix, modes) in FORMATS.items():
            self.attempt(Given(_encode(form, modes[0], (12, 12), 0), suffix), home / form)
            Image.open(io.BytesIO(_encode(form, modes[0], (12, 12), 0))).load()

    def draw(self, rng: random.Random) -> Given:
        """Draw an image file, or what stands in place of one."""
        if rng.random() < 0.02:
            return Given(json.dumps(rng.choice(ODD)).encode(), ".json")
        form = rng.choice(list(FORMATS))
        suffix, modes = FORMATS[form]
        content = _encode(form, rng.choice(modes), rng.choice(SIZES), rng.randrange(9))
        what = rng.random()
        if what < 0.3:
            content = _claim(rng, form, content)
        elif what < 0.9:
            content = change_bytes(rng, content)
        if rng.random() < 0.1:
            suffix = rng.choice((".png", ".PNG", ".jpeg", ".tiff", ".bmp", ".txt", ""))
        return Given(content, suffix)

    def attempt(self, given: Given, folder: Path) -> None:
        """Read the folder, without the broken images or stopping at the first."""
        good = _encode("PNG", "RGB", (12, 12), 1)
        for place in ("a", "b"):
            (folder / "data" / place).mkdir(parents=True, exist_ok=True)
            for number in range(3):
                (folder / "data" / place / f"{number}.png").write_bytes(good)
        file = folder / "data" / "a" / f"one{given.suffix}"
        if given.suffix == ".json":
            _put(json.loads(given.content), file.with_suffix(".png"))
        else:
            file.write_bytes(given.content)
        broken = "stop" if zlib.crc32(given.content) % 4 == 0 else "skip"
        data = _registry[0].resolve(
            "datasets", f"folder:{folder / 'data'}[side=8,broken={broken}]"
        )()
        assert data.fingerprint


def _encode(form: str, mode: str, size: tuple[int, int], seed: int) -> bytes:
    width, height = size
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)
    image = Image.fromarray(pixels)
    if mode == "I;16":
        image = Image.fromarray(pixels[..., 0].astype(np.uint16) * 257)
    elif mode != "RGB":
        image = image.convert("RGB" if mode == "LAB" else mode)
    buffer = io.BytesIO()
    image.save(buffer, form)
    return buffer.getvalue()


def _claim(rng: random.Random, form: str, content: bytes) -> bytes:
    """Let the file claim another width or height."""
    changed, claimed = bytearray(content), rng.choice(CLAIMED)
    if form == "PNG":
        struct.pack_into(">I", changed, rng.choice((16, 20)), claimed)
        struct.pack_into(">I", changed, 29, zlib.crc32(changed[12:29]))  # its checksum is right
    elif form == "BMP":
        struct.pack_into("<I", changed, rng.choice((18, 22)), claimed)
    elif form == "GIF":
        struct.pack_into("<H", changed, rng.choice((6, 8)), claimed & 0xFFFF)
    elif form == "PPM":
        head, _line, rest = content.partition(b"\n")
        return head + f"\n{claimed} ".encode() + rest.partition(b" ")[2]
    elif form == "JPEG":
        place = changed.find(b"\xff\xc0")
        struct.pack_into(">H", changed, place + rng.choice((5, 7)), claimed & 0xFFFF)
    else:
        place = rng.randrange(max(1, len(changed) - 4))
        struct.pack_into("<I", changed, place, claimed)
    return bytes(changed)


def _put(what: str, file: Path) -> None:
    """Put something else where an image would be."""
    if what == "pipe":
        os.mkfifo(file)
    elif what == "folder":
        file.mkdir()
    elif what == "loop":
        file.with_suffix("").symlink_to(file.parent.parent)
    elif what == "nowhere":
        file.symlink_to("nowhere.png")
    elif what == "self":
        file.symlink_to(file.name)
    else:
        file.touch()
