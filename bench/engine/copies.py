"""Copies between the parts of a run: examples that are equal byte for byte, counted and listed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from bench.data.split import Split
from bench.plugins.dataset import Data

MOST_LISTED = 100  # copies in a record


def find_copies(split: Split, data: Data) -> list[dict[str, Any]]:
    """How many examples of each part equal one of another part byte for byte, and which."""
    members = {part: getattr(split, part) for part in ("train", "validation", "test")}
    members |= {part: split.train[getattr(split, part)] for part in ("forget", "retain")}
    pairs = [("validation", "train"), ("test", "train"), ("test", "validation")]
    pairs += [("forget", "retain"), ("retain", "forget")]
    found = {
        pair: members[pair[0]][np.isin(*(data.copies[members[part]] for part in pair))]
        for pair in pairs
    }
    train = members["train"]
    first = np.unique(data.copies[train], return_index=True)[1]
    found["train", "train"] = np.delete(train, first)
    return [
        {
            "part": part,
            "of": other,
            "count": len(examples),
            "size": len(members[part]),
            "examples": examples[:MOST_LISTED].tolist(),
        }
        for (part, other), examples in found.items()
    ]


def describe_copies(copies: Sequence[dict[str, Any]], data: Data) -> Iterator[str]:
    """One line about all copies; none where there are none."""
    share = {(c["part"], c["of"]): f"{c['count']} of {c['size']}" for c in copies if c["count"]}
    kind, texts = "rows" if data.is_table else "images", []
    unseen = [part for part in ("validation", "test") if (part, "train") in share]
    if unseen:
        counts = " and ".join(f"{share[part, 'train']} {part}" for part in unseen)
        texts.append(f"{counts} {kind} are byte-equal to training {kind}")
    if pair := share.get(("test", "validation")):
        texts.append(f"{pair} test {kind} are byte-equal to validation {kind}")
    if pair := share.get(("train", "train")):
        texts.append(f"{pair} training {kind} are byte-equal to others before them")
    if pair := share.get(("forget", "retain")):
        texts.append(
            f"{pair} forgotten {kind} have a byte-equal twin in the retain set, which retrained "
            "models see (copies = with forgets twins, too)"
        )
    if texts:
        yield f"copies: {'; '.join(texts)}"
