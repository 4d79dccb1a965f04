"""TrueFake: real photographs against images of GANs and diffusion models, as posted and as shared.

Citation: S. Dell'Anna, A. Montibeller, G. Boato, TrueFake: A Real World Case Dataset of Last
Generation Fake Images also Shared on Social Networks, IJCNN 2025. Images by request from the
authors, about 600,000 of mostly 1024 x 1024; put the folder that holds PreSocial, Facebook, ...
into the data folder as truefake (or name the folder itself). Layout: SHARE/Real/SOURCE/NUMBER.png
and SHARE/Fake/SOURCE/KIND/NUMBER.png (.jpg, .jpeg); shares PreSocial, Facebook, Telegram, Twitter;
real sources FFHQ, FORLAB; fake ones StyleGAN, StyleGAN2, StyleGAN3, StableDiffusion1.5,
StableDiffusion2, StableDiffusion3, StableDiffusionXL, FLUX.1; kinds such as conf-f-psi-0.5, faces.
``share``: pre, fb, tl, tw, shr (the last three) or all; ``real``: ffhq, forlab; ``fake``: gan1,
gan2, gan3, sd15, sd2, sd3, sdxl, flux; joined by +, keys or folder names. Each image is its central
``side`` x ``side`` pixels, where the University of Trento's detector takes random 96 of the central
512. ``splits``: a folder with split.json or train.json, val.json and test.json, by default the data
set's own; without any, the harness draws a stratified split over sorted paths and records it (of
several shares 80, 10 and 10 % of the entries: no image is learnt from one and tested on another).
``memory``: keep (all pixels in memory, for up to about 100 a side), demand (decode each image when
it is needed, in worker processes; as sets of 512 a side need), auto (keep up to 4 GB).
``broken``: stop (before anything is trained, with the list) or skip (leave out what cannot be read,
convert what is not 8-bit RGB, and say how many). Decoded pixels are kept beside the results;
on demand all files are decoded once to find the broken ones.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from bench.builtin.datasets.formats.truefake import (
    FAKE,
    LAYOUT,
    REAL,
    SHARES,
    find_root,
    folder_names,
)
from bench.builtin.datasets.formats.truefake_tree import read_tree
from bench.config.folders import data_home
from bench.config.limits import Count
from bench.errors import UserError
from bench.outside import shown
from bench.plugins.dataset import Data

VERSION = 2


def truefake(
    *,
    share: str = "pre",
    real: str = "ffhq+forlab",
    fake: str = "gan2+gan3+sdxl",
    side: Count = 96,
    splits: str | None = None,
    memory: Literal["auto", "keep", "demand"] = "auto",
    broken: Literal["stop", "skip"] = "stop",
) -> Data:
    root = find_root(data_home())
    if root is None:
        raise UserError(
            f"no TrueFake in {shown(data_home())}: expected {LAYOUT}; see bench show truefake"
        )
    chosen = (
        folder_names("share", share, SHARES),
        folder_names("source", real, REAL),
        folder_names("source", fake, FAKE),
    )
    return read_tree("truefake", root, *chosen, side, splits, broken, memory)


def stand_in(home: Path) -> str | None:
    """The miniature, where the folder for data holds no TrueFake."""
    return None if find_root(home) else "truefake-mini"
