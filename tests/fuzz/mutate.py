"""Changes to texts, bytes and JSON values, from small slips to hostile ones."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from typing import Any

BRACKETS = "[]{}()\"'`,=:;#$%\\/.~*?&|<>!@^+-_ "
ODD = (
    "\x00", "\x07", "\x1b[31m", "\x1b]0;title\x07", "\r", "\n", "\t", "\x7f", "\x85", "\u2028",
    "\u202e", "\u200b", "\ufeff", "\ud800", "\udcff", "\U0010ffff", "é", "ß", "İ", "٣", "²", "漢",
    "$\\frac$", "<script>", "%s", "{0}", "&amp;", "\\x1b", "..", "../../", "~root", "NUL",
)  # fmt: skip
NUMBERS = (
    "0", "-1", "1e999", "-0.0", "nan", "inf", "-inf", "1_000", "0x10", "0o7", "0b1", "1e-400", "1.",
    ".5", "+3", "007", "9" * 30, "9" * 5000, "1979-05-27T07:32:00Z", "07:32:00", "true", "none",
    "None", "2147483648", "9223372036854775808", "1" + "0" * 400, "1e308", "5e-324", "٣", "½",
)  # fmt: skip
NESTED = ("[", "{", "{a=", "a[b=", "(", "'", '"', "[[", "a.", "-", "x=[")
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, 10**30, 0.5, -1e308, 1e308, "", "x", "original",
    "\x1b[31mred", "../../escape", "/etc/passwd", "\ud800", "$\\frac$", "<script>x</script>",
    "a" * 3000, [], {}, [[]], [None], {"": None}, [1, 2, 3], {"a": {"b": {"c": []}}}, [0] * 1000,
)  # fmt: skip


def change_text(rng: random.Random, text: str, others: tuple[str, ...] = ()) -> str:
    """A text with one to four changes; ``others`` are texts to splice in."""
    for _again in range(rng.choice((1, 1, 1, 2, 4))):
        text = rng.choice(TEXT_CHANGES)(rng, text, others)
    return text


def _insert(rng: random.Random, text: str, piece: str) -> str:
    place = rng.randint(0, len(text))
    return text[:place] + piece + text[place:]


def _cut(rng: random.Random, text: str, _others: tuple[str, ...]) -> str:
    first, last = sorted(rng.randint(0, len(text)) for _side in range(2))
    return text[:first] + text[last:]


def _repeat(rng: random.Random, text: str, _others: tuple[str, ...]) -> str:
    first, last = sorted(rng.randint(0, len(text)) for _side in range(2))
    return text[:last] + text[first:last] * rng.choice((1, 2, 50)) + text[last:]


def _swap_value(rng: random.Random, text: str, _others: tuple[str, ...]) -> str:
    places = [place for place, letter in enumerate(text) if letter == "="]
    if not places:
        return _insert(rng, text, rng.choice(NUMBERS))
    place = rng.choice(places) + 1
    end = min((text.find(stop, place) for stop in ",]\n" if stop in text[place:]), default=None)
    return text[:place] + rng.choice(NUMBERS) + ("" if end is None else text[end:])


def _splice(rng: random.Random, text: str, others: tuple[str, ...]) -> str:
    return _insert(rng, text, rng.choice(others or ODD))


TEXT_CHANGES: tuple[Callable[[random.Random, str, tuple[str, ...]], str], ...] = (
    lambda rng, text, _others: _insert(rng, text, rng.choice(BRACKETS)),
    lambda rng, text, _others: _insert(rng, text, rng.choice(ODD)),
    lambda rng, text, _others: _insert(rng, text, rng.choice(NUMBERS)),
    lambda rng, text, _others: _insert(
        rng, text, rng.choice(NESTED) * rng.choice((2, 20, 300, 10_000))
    ),
    lambda rng, text, _others: _insert(rng, text, chr(rng.randrange(0x110000))),
    lambda rng, text, _others: "".join(rng.sample(text, len(text))) if len(text) < 99 else text,
    _cut,
    _repeat,
    _swap_value,
    _splice,
)


def change_bytes(rng: random.Random, content: bytes) -> bytes:
    """Bytes with a few changes: flipped, cut off, repeated, left out, or replaced by numbers."""
    changed = bytearray(content)
    for _again in range(rng.choice((1, 1, 2, 8))):
        if not changed:
            return bytes(rng.randbytes(rng.randint(0, 64)))
        place = rng.randrange(len(changed))
        what = rng.randrange(7)
        if what == 0:
            changed[place] ^= 1 << rng.randrange(8)
        elif what == 1:
            changed[place] = rng.choice((0, 1, 127, 128, 255))
        elif what == 2:
            del changed[place:]
        elif what == 3:
            del changed[place : place + rng.randint(1, 40)]
        elif what == 4:
            changed[place:place] = changed[place : place + rng.randint(1, 400)]
        elif what == 5:
            changed[place : place + 4] = rng.choice(
                (b"\xff" * 4, b"\x00" * 4, b"\x7f" + b"\xff" * 3)
            )
        else:
            changed[place : place + 8] = rng.randbytes(8)
    return bytes(changed)


def change_value(rng: random.Random, value: Any) -> Any:
    """A copy of a JSON value in which one or two places hold something else, or are gone."""
    changed = copy.deepcopy(value)
    for _again in range(rng.choice((1, 1, 2))):
        places = list(_places(changed))
        if not places:
            return rng.choice(VALUES)
        box, key = rng.choice(places)
        what = rng.randrange(6)
        if what == 0:
            del box[key]
        elif what == 1:
            other_box, other = rng.choice(places)
            box[key] = copy.deepcopy(other_box[other])
        elif what == 2 and isinstance(box, dict):
            box[rng.choice(("", "x", "\x1b[31m", "../x", "original"))] = box.pop(key)
        elif what == 3 and isinstance(box[key], list):
            box[key] = box[key] * 2
        elif what == 4 and isinstance(box[key], int | float):
            box[key] = box[key] * rng.choice((-1, 0, 1e9)) + rng.choice((0, 1))
        else:
            box[key] = copy.deepcopy(rng.choice(VALUES))
    return changed


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a value that may be set: what holds it, and its key or index."""
    if not isinstance(value, dict | list):
        return
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in list(inside):
        yield value, key
        yield from _places(item)
