"""TrueFake in miniature: real crops of photographs, and crops that bear the traces of up-sampling.

Made from the two photographs that ship with scikit-learn, written in TrueFake's layout and read by
the same loader, in seconds and without a download. Fake images are crops of the same kind, made
smaller and enlarged again as the last layers of generators do, which leaves what detectors of real
ones look for (X. Zhang, S. Karaman, S.-F. Chang, Detecting and Simulating Artifacts in GAN Fake
Images, WIFS 2019): gan2 by doubled pixels and a small filter, gan3 by bilinear interpolation, sdxl
by a cubic one. Training, validation and test crops come from strips of the photographs that do not
overlap. It stands for TrueFake's form, not for its difficulty: no number carries over.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from bench.builtin.datasets.formats.truefake import FAKE, REAL, SHARES
from bench.builtin.datasets.formats.truefake_tree import read_tree
from bench.plugins.dataset import Data

VERSION = 1
NAME = "truefake-mini"
KEYS = {"real": ("ffhq", "forlab"), "fake": ("gan2", "gan3", "sdxl")}
FOLDERS = {"gan2": "StyleGAN2/conf-f-psi-0.5", "gan3": "StyleGAN3/conf-t-psi-0.5"} | {
    "sdxl": "StableDiffusionXL/general",
    "ffhq": "FFHQ",
    "forlab": "FORLAB",
}
STRIP = 48  # pixels of width; of five neighbouring strips three are for training
STRIPS = {"train": (0, 1, 3), "val": (2,), "test": (4,)}
SIZES = {"train": 800, "val": 200, "test": 400}
PLAIN = 14.0  # standard deviation of grey below which a crop shows too little to bear traces


def truefake_mini(*, side: Annotated[int, Field(ge=8, le=STRIP)] = 16) -> Data:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_tree(root, side)
        real, fake = (
            [known[key] for key in KEYS[kind]] for kind, known in (("real", REAL), ("fake", FAKE))
        )
        return read_tree(NAME, root, [SHARES["pre"]], real, fake, side, None, "stop")


def write_tree(root: Path, side: int) -> None:
    """Write the miniature as PNG files in TrueFake's layout, with its split.json."""
    from PIL import Image
    from sklearn.datasets import load_sample_images

    photographs = load_sample_images().images
    rng = np.random.default_rng(0)
    split: dict[str, list[str]] = {part: [] for part in SIZES}
    number = 0
    for part, size in SIZES.items():
        for kind, keys in KEYS.items():
            for place in range(size // 2):
                key = keys[place % len(keys)]
                source = photographs[place // len(keys) % len(photographs)]
                pixels = crop(source, STRIPS[part], side, rng)
                if kind == "fake":
                    pixels = GENERATORS[key](pixels)
                folder = root / SHARES["pre"] / kind.capitalize() / FOLDERS[key]
                folder.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(folder / f"{number:05d}.png")
                split[part].append(f"{FOLDERS[key]}/{number:05d}")
                number += 1
    (root / "split.json").write_text(json.dumps(split))


def crop(
    photograph: np.ndarray, strips: tuple[int, ...], side: int, rng: np.random.Generator
) -> np.ndarray:
    """A random square that shows some structure, from the given ones of each five strips."""
    height, width = photograph.shape[:2]
    allowed = [strip for strip in range(width // STRIP) if strip % 5 in strips]
    for _attempt in range(1000):
        left = rng.choice(allowed) * STRIP + rng.integers(STRIP - side + 1)
        top = rng.integers(height - side + 1)
        pixels = photograph[top : top + side, left : left + side]
        if pixels.mean(2).std() > PLAIN:
            return pixels
    raise ValueError(f"no crop of {side} x {side} with structure in 1000 attempts")


def _halve(pixels: np.ndarray) -> np.ndarray:
    """The mean of each 2 x 2 pixels, float64."""
    height, width = (length // 2 * 2 for length in pixels.shape[:2])
    blocks = pixels[:height, :width].astype(float).reshape(height // 2, 2, width // 2, 2, 3)
    return blocks.mean((1, 3))


def _fit(pixels: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Repeat the edge pixels up to the size of ``like``; round to uint8."""
    missing = [(0, max(0, a - b)) for a, b in zip(like.shape, pixels.shape, strict=True)]
    return np.pad(pixels, missing, mode="edge").round().clip(0, 255).astype(np.uint8)


def enlarge_by_doubling(pixels: np.ndarray) -> np.ndarray:
    """Halve the resolution, double each pixel and blur a little, like a transposed convolution."""
    from scipy.ndimage import convolve1d

    large = _halve(pixels).repeat(2, 0).repeat(2, 1)
    for axis in (0, 1):
        large = convolve1d(large, [0.1, 0.8, 0.1], axis=axis, mode="nearest")
    return _fit(large, pixels)


def enlarge_by_spline(pixels: np.ndarray, order: int) -> np.ndarray:
    """Halve the resolution and enlarge it by a spline: order 1 is bilinear, 3 cubic."""
    from scipy.ndimage import zoom

    return _fit(zoom(_halve(pixels), (2, 2, 1), order=order, mode="nearest"), pixels)


GENERATORS = {
    "gan2": enlarge_by_doubling,
    "gan3": lambda pixels: enlarge_by_spline(pixels, 1),
    "sdxl": lambda pixels: enlarge_by_spline(pixels, 3),
}
