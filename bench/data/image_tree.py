"""Folders of images as people have them: which files are images, and what is passed over.

Linked folders are followed, each folder once, so that a link to a folder above leads nowhere. What
is hidden, what systems leave behind, and what is no image is passed over, and counted.
"""

from __future__ import annotations

import os
import re
import stat
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from bench.data.image_files import FORMATS
from bench.outside import shown

SYSTEM = {"__macosx", "$recycle.bin", "@eadir", "lost+found", "system volume information"}
SYSTEM |= {"desktop.ini", "ehthumbs.db", "thumbs.db"}
MOST_KINDS = 8  # kinds of files in a note
HIDDEN = "hidden or system files and folders"
NOWHERE = "links that lead nowhere"
SPECIAL = "pipes, sockets or devices"
TWICE = "links to a folder above or to one that was read already"
CLOSED = "folders that cannot be opened"


class PassedOver(Counter[str]):
    """How many files and folders were passed over, by what they are."""

    @property
    def note(self) -> str:
        """A sentence of what was passed over; empty if nothing was."""
        common = (+self).most_common(MOST_KINDS)
        others = self.total() - sum(count for _what, count in common)
        common += [("others", others)] if others else []
        listed = ", ".join(f"{what} ({count:,})" for what, count in common)
        return f"passed over: {listed}" if listed else ""


@cache
def endings() -> frozenset[str]:
    """The endings of image files, in lower case: all that Pillow knows for the formats."""
    from PIL import Image

    known = Image.registered_extensions()
    return frozenset(ending for ending, kind in known.items() if kind in FORMATS)


def natural(name: str) -> str:
    """A key that sorts names with numbers by the numbers: 2 before 10, class9 before class10."""
    return re.sub("[0-9]+", lambda number: number[0].zfill(255), name)


def look(folder: str | Path, passed: PassedOver) -> tuple[list[str], list[str]]:
    """The names of the folders and the images in a folder, in natural order."""
    folders, images = [], []
    for entry in _entries(folder, passed):
        kind = _kind(entry, passed)
        if kind == "folder":
            folders.append(entry.name)
        elif kind == "image":
            images.append(entry.name)
    return sorted(folders, key=natural), sorted(images, key=natural)


def find_images(folder: str | Path, passed: PassedOver) -> list[str]:
    """The paths of all images in a folder and in those below it, sorted.

    A link or a pipe with the ending of an image is among them, whatever it leads to: who opens it
    says what is wrong.
    """
    above = {_identity(path) for path in Path(os.path.abspath(folder)).parents}
    above |= {_identity(path) for path in Path(os.path.realpath(folder)).parents}
    waiting, images = [os.fspath(folder)], []
    while waiting:
        place = waiting.pop()
        if _identity(place) in above:
            passed[TWICE] += 1
            continue
        above.add(_identity(place))
        for entry in _entries(place, passed):
            kind = _kind(entry, passed)
            if kind == "folder":
                waiting.append(entry.path)
            elif kind == "image":
                images.append(entry.path)
    return sorted(images)


def _entries(folder: str | Path, passed: PassedOver) -> Iterator[os.DirEntry[str]]:
    """What is in a folder, without what is hidden, in an order that the disk does not decide."""
    try:
        with os.scandir(folder) as entries:
            inside = sorted(entries, key=lambda entry: entry.name)
    except OSError:
        passed[CLOSED] += 1
        return
    for entry in inside:
        if entry.name.startswith(".") or entry.name.lower() in SYSTEM:
            passed[HIDDEN] += 1
        else:
            yield entry


def _kind(entry: os.DirEntry[str], passed: PassedOver) -> str:
    """Whether an entry is a ``folder`` or an ``image``; else it is counted."""
    is_link = entry.is_symlink()
    mode = _mode(entry.path) if is_link else None
    if stat.S_ISDIR(mode or 0) or (not is_link and entry.is_dir()):
        return "folder"
    ending = os.path.splitext(entry.name)[1].lower()
    if ending in endings():
        return "image"
    if is_link and mode is None:
        passed[NOWHERE] += 1
    elif not (stat.S_ISREG(mode or 0) or (not is_link and entry.is_file())):
        passed[SPECIAL] += 1
    else:
        passed[f"files ending in {shown(ending, 20)}" if ending else "files without an ending"] += 1
    return ""


def _mode(path: str) -> int | None:
    """The mode of what a link leads to; None if it leads nowhere."""
    try:
        return os.stat(path).st_mode
    except OSError:
        return None


def _identity(folder: str | Path) -> tuple[int, int] | str:
    """What is equal for two paths of one folder."""
    try:
        state = os.stat(folder)
    except OSError:
        return os.fspath(folder)
    return state.st_dev, state.st_ino
