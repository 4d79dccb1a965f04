"""The layout of TrueFake on disk: where each source lies, and which image belongs to which part.

    ROOT/<Share>/<Real|Fake>/<Source>[/<Sub>]/<digits>.<png|jpg|jpeg>

S. Dell'Anna, A. Montibeller, G. Boato, TrueFake: A Real World Case Dataset of Last Generation Fake
Images also Shared on Social Networks, IJCNN 2025 (MMLab-unitn/TrueFake-IJCNN25). Shares and sources
are named by the keys of its detector or by their folders. A split is one split.json with the
lists train, val and test, or three files of these names that are plain lists; an entry is
<Source>[/<Sub>]/<stem>, without share, label or extension, and so serves every share.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.config.spelling import unknown
from bench.data.image_tree import PassedOver, find_images
from bench.errors import UserError
from bench.outside import read_text, reading, shown

if TYPE_CHECKING:
    import numpy as np

SHARES = {"pre": "PreSocial", "fb": "Facebook", "tl": "Telegram", "tw": "Twitter"}
GROUPS = {"all": ["pre", "fb", "tl", "tw"], "shr": ["fb", "tl", "tw"]}
REAL = {"ffhq": "FFHQ", "forlab": "FORLAB"}
FAKE = {
    "gan1": "StyleGAN",
    "gan2": "StyleGAN2",
    "gan3": "StyleGAN3",
    "sd15": "StableDiffusion1.5",
    "sd2": "StableDiffusion2",
    "sd3": "StableDiffusion3",
    "sdxl": "StableDiffusionXL",
    "flux": "FLUX.1",
}
LONGEST_SPLIT = 2**28  # bytes; 600,000 entries have 20 million
PARTS = ("train", "val", "test")
LAYOUT = (
    "ROOT/PreSocial/Real/FFHQ/00000.png, ROOT/PreSocial/Fake/StyleGAN2/conf-f-psi-0.5/00027.png"
)


@dataclass(frozen=True)
class Image:
    """One file: its path, whether it is fake, the folder of its source, its entry in a split."""

    path: str
    fake: bool
    source: str
    entry: str


def find_root(home: Path) -> Path | None:
    """The folder that holds a share: ``home`` itself, or truefake in it, in any case of letters."""
    inside = sorted(home.iterdir()) if home.is_dir() else []
    candidates = [home, *(path for path in inside if path.name.lower() == "truefake")]
    shares = SHARES.values()
    return next((path for path in candidates if any((path / s).is_dir() for s in shares)), None)


def folder_names(kind: str, text: str, known: dict[str, str]) -> list[str]:
    """The folders that ``text`` names, by keys or folder names joined by +."""
    folders = {folder.lower(): folder for folder in known.values()} | known
    chosen = []
    for name in text.split("+"):
        for key in GROUPS.get(name.lower(), [name]) if known is SHARES else [name]:
            if key.lower() not in folders:
                raise unknown(kind, key, [*known, *known.values()])
            chosen.append(folders[key.lower()])
    return list(dict.fromkeys(chosen))


def list_images(
    root: Path, shares: list[str], real: list[str], fake: list[str], passed: PassedOver
) -> list[Image]:
    """Every image of the chosen shares and sources, in sorted order; opens no file."""
    images: list[Image] = []
    for share in shares:
        for label, sources in (("Real", real), ("Fake", fake)):
            for source in sources:
                folder = root / share / label / source
                if not folder.is_dir():
                    raise UserError(f"no folder {shown(folder)}; expected {LAYOUT}")
                above = len(str(folder.parent)) + 1
                for path in find_images(folder, passed):
                    entry = os.path.splitext(path)[0][above:].replace(os.sep, "/")
                    images.append(Image(path, label == "Fake", source, entry))
    return sorted(images, key=lambda image: image.path)


def read_split(folder: Path) -> dict[str, list[str]] | None:
    """The lists train, val and test of a folder, in either form; None if it has none."""
    whole = folder / "split.json"
    if whole.exists():
        lists = _json(whole)
        if not isinstance(lists, dict) or not set(PARTS) <= set(lists):
            raise UserError(
                f"{shown(whole)}: expected an object with the lists train, val and test"
            )
        split = {part: lists[part] for part in PARTS}
    else:
        files = {part: folder / f"{part}.json" for part in PARTS}
        missing = [path.name for path in files.values() if not path.exists()]
        if len(missing) == len(PARTS):
            return None
        if missing:
            raise UserError(
                f"{folder} lacks {', '.join(missing)}: a split is all three, or split.json"
            )
        split = {part: _json(path) for part, path in files.items()}
    for part, entries in split.items():
        if not isinstance(entries, list) or not all(isinstance(e, str) for e in entries):
            raise UserError(
                f"{shown(folder)}, {part}: expected a list of entries such as FFHQ/44564"
            )
    return split


def _json(path: Path) -> object:
    with reading(path, "JSON"):
        return json.loads(read_text(path, "JSON", LONGEST_SPLIT))


def assign_parts(
    images: list[Image], split: dict[str, list[str]]
) -> tuple[list[Image], dict[str, np.ndarray], int]:
    """The images that a split names, the positions of each part, and how many files are missing."""
    import numpy as np

    part_of = {entry: part for part in PARTS for entry in split[part]}
    twice = sum(len(split[part]) for part in PARTS) - len(part_of)
    if twice:
        raise UserError(f"the split names {twice} entries twice: each belongs to one part only")
    kept = [image for image in images if image.entry in part_of]
    parts = np.array([part_of[image.entry] for image in kept])
    positions = {part: np.flatnonzero(parts == part) for part in PARTS}
    empty = [part for part in PARTS if not len(positions[part])]
    if empty:
        raise UserError(
            f"none of the split's {empty[0]} entries is on disk: does it belong to these sources?"
        )
    sources = {image.source for image in images}
    wanted = {entry for entry in part_of if entry.partition("/")[0] in sources}
    return kept, positions, len(wanted - {image.entry for image in kept})


def draw_split(images: list[Image]) -> dict[str, list[str]]:
    """A random split: 80, 10 and 10 % of the entries of each label, the same in all shares.

    An image that was posted on several networks is in several shares. A model must not learn it
    from one and be tested on another.
    """
    import numpy as np

    split: dict[str, list[str]] = {part: [] for part in PARTS}
    for fake in (False, True):
        entries = sorted({image.entry for image in images if image.fake == fake})
        order = np.random.default_rng(0).permutation(len(entries))
        tenth = max(1, len(entries) // 10)
        places = {
            "test": order[:tenth],
            "val": order[tenth : 2 * tenth],
            "train": order[2 * tenth :],
        }
        for part, chosen in places.items():
            split[part] += [entries[place] for place in chosen]
    return split
