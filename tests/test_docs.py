"""What docs/architecture.md shows is how the code is."""

from __future__ import annotations

import re

from tests.helpers.diagram import PAGE, ROOT, with_diagrams


def test_the_diagrams_are_those_of_the_code():
    text = PAGE.read_text()
    assert with_diagrams(text) == text, "run: python -m tests.helpers.diagram"


def test_every_room_is_described_and_every_file_that_is_named_exists():
    text = PAGE.read_text()
    package = ROOT / "bench"
    rooms = [path.name for path in package.iterdir() if (path / "__init__.py").is_file()]
    table = text[text.index("| room |") : text.index("`errors.py`")]
    assert set(rooms) - set(re.findall(r"`(\w+)/`", table)) == set()
    for line in filter(None, table.splitlines()[2:]):
        (room, *_others) = re.findall(r"`(\w+)/`", line)
        for name in re.findall(r"`(\w+\.py)`", line):
            assert (package / room / name).is_file(), f"{room}/{name}"
    for name in re.findall(r"`((?:bench|tests|reports|methods|attacks)/[\w./]*)`", text):
        assert (ROOT / name).exists(), name


def test_what_the_page_says_is_defined_in_a_file_is_defined_there():
    for name, file in re.findall(r"`(\w+)` (?:in|of) `([\w./]+\.py)`", PAGE.read_text()):
        defined = rf"^\s*(?:def|class) {name}\b|^{name}\b.* = "
        assert re.search(defined, (ROOT / file).read_text(), re.MULTILINE), (name, file)
