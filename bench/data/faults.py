"""What is unusual about image files, and what a data set says or does about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from bench.data.colours import Kind, Remark
from bench.errors import UserError
from bench.outside import shown

MOST_LISTED = 20  # files in a message


Faults = dict[int, list[Remark]]  # what is unusual about a file, by its position


def drop_unreadable(
    paths: Sequence[str], faults: Faults, broken: str, strict: bool = False
) -> tuple[np.ndarray, str]:
    """The positions of readable files, and a note about what was done with the others.

    Parameters
    ----------
    paths
        The files.
    faults
        What is unusual about some of them.
    broken
        ``stop`` where an image cannot be read or its colours would change, or ``skip`` the former
        and convert the latter.
    strict
        Stop at every image that is not stored as 8-bit RGB, even if it has the same colours.

    Raises
    ------
    UserError
        With a list of the images to stop at, or if no image can be read.
    """
    worst = {place: max(kind for kind, _text in remarks) for place, remarks in faults.items()}
    mildest = Kind.SAME_COLOURS if strict else Kind.OTHER_COLOURS
    severe = sorted(place for place, kind in worst.items() if kind >= mildest)
    if severe and broken == "stop":
        raise UserError(
            f"{len(severe)} of {len(paths)} images are not 8-bit RGB that can be read; repair or "
            "remove them, or go on by [broken=skip], which leaves out those that cannot be read "
            "and converts the others:\n" + _list(paths, faults, severe)
        )
    lost = [place for place, kind in worst.items() if kind == Kind.LOST]
    if lost and len(lost) == len(paths):
        raise UserError(f"none of {len(paths)} images can be read:\n{_list(paths, faults, lost)}")
    return np.setdiff1d(np.arange(len(paths)), lost), _note(faults, len(paths))


def _list(paths: Sequence[str], faults: Faults, places: Sequence[int]) -> str:
    lines = [
        f"  {shown(paths[place])}: " + ", ".join(shown(text) for _kind, text in faults[place])
        for place in places[:MOST_LISTED]
    ]
    more = len(places) - MOST_LISTED
    return "\n".join([*lines, *([f"  and {more} more"] if more > 0 else [])])


def _note(faults: Mapping[int, Sequence[Remark]], total: int) -> str:
    count = Counter(kind for remarks in faults.values() for kind, _text in remarks)
    converted = count[Kind.SAME_COLOURS] + count[Kind.OTHER_COLOURS]
    phrases = {
        "{} of {} images could not be read and are left out": count[Kind.LOST],
        "{} images were converted to RGB": converted,
        "{} images were turned as their orientation tags say": count[Kind.TURNED],
        "of {} images with several frames the first was taken": count[Kind.FIRST_FRAME],
    }
    return ", ".join(text.format(number, total) for text, number in phrases.items() if number)
