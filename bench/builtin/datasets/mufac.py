"""MUFAC: faces of Korean families; models predict the age group and forget identities.

Citation: D. Choi, D. Na, Towards Machine Unlearning Benchmarks: Forgetting the Personal Identities
in Facial Recognition Systems, 2023 (ndb796/MachineUnlearning). Expected in the data folder as
mufac/custom_{train,val,test}_dataset.csv with family_id, person_id, age_class and image_path, and
{train,val,test}_images/ beside them; 10,025 + 1,539 + 1,504 images of 128 x 128, eight age groups.
``subject``: what a request names, a person or a family. ``side``: images are resized so that their
shorter side has so many pixels.
Their notebooks test on val and keep test unseen; here val is for choosing and test for reporting.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from bench.config.folders import data_home, scratch
from bench.config.limits import Count
from bench.data.decoding import load_centres
from bench.data.faults import drop_unreadable
from bench.errors import UserError
from bench.outside import read_text, reading, shown
from bench.plugins.dataset import Data

if TYPE_CHECKING:
    import pandas as pd

VERSION = 2
PARTS = ("train", "val", "test")
LONGEST_TABLE = 2**27  # bytes
COLUMNS = {"family_id", "person_id", "age_class", "image_path"}


def mufac(
    *,
    subject: Literal["person", "family"] = "person",
    side: Count = 128,
    broken: Literal["stop", "skip"] = "stop",
) -> Data:
    root = data_home() / "mufac"
    tables = {part: _table(root, part) for part in PARTS}
    paths, ages, people, of_part = [], [], [], []
    for part, table in tables.items():
        paths += [str(root / f"{part}_images" / name) for name in table["image_path"]]
        ages += table["age_class"].tolist()
        family = table["family_id"].astype(str)
        people += (family if subject == "family" else family + "/" + table["person_id"]).tolist()
        of_part += [part] * len(table)
    classes, labels = np.unique(ages, return_inverse=True)
    pixels, faults = load_centres(paths, side, scratch(), scale=True)
    kept, note = drop_unreadable(paths, faults, broken)
    of_part = np.array(of_part)[kept]
    return Data(
        name="mufac",
        images=pixels[kept],
        labels=labels[kept],
        classes=tuple(str(name) for name in classes),
        subjects=np.unique(people, return_inverse=True)[1][kept],
        validation=np.flatnonzero(of_part == "val"),
        test=np.flatnonzero(of_part == "test"),
        note=note,
    )


def _table(root: Path, part: str) -> pd.DataFrame:
    import pandas as pd

    path = root / f"custom_{part}_dataset.csv"
    if not os.path.exists(path):
        raise UserError(
            f"mufac: no {shown(path)}: put the unpacked archive of its authors there, or name the "
            "data folder with --data-dir"
        )
    with reading(path, "a CSV table"):
        # Only an empty cell is missing: NA, none and null are words, such as the name of a family.
        table = pd.read_csv(
            io.StringIO(read_text(path, "a CSV table", LONGEST_TABLE)),
            dtype=str,
            keep_default_na=False,
            index_col=False,
        )
    missing = COLUMNS - set(table.columns)
    if missing:
        raise UserError(f"mufac: {shown(path)} lacks {', '.join(sorted(missing))}")
    for column in sorted(COLUMNS):
        empty = np.flatnonzero(table[column].fillna("").str.strip() == "")
        if len(empty):
            raise UserError(
                f"mufac: {shown(path)} lacks values in some rows: {column} is empty in "
                f"{len(empty)} (the first: line {empty[0] + 2})"
            )
    return table
