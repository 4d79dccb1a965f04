"""Changing code that changes numbers must change a version, and with it the content keys."""

from __future__ import annotations

import copy

import pytest

from tests.helpers import code_pins
from tests.helpers.code_pins import changes, code_hash, current_pins, module_names, stated_versions

CODE = """
def half(x):
    return x / 2
"""


@pytest.fixture(scope="module")
def current():
    return current_pins()


def test_no_code_changed_under_an_unchanged_version(current):
    found = [f"{name} {what}" for name, what in changes(code_pins.recorded_pins(), current).items()]
    assert not found, "\n".join([*found, f"-> {code_pins.REMEDY}"])


def test_every_plugin_and_stage_states_a_version(current):
    for name, pin in current["pins"].items():
        assert None not in pin["version"].values(), f"{name}: state a literal version"


def test_every_plugin_and_every_file_of_a_stage_is_pinned(current):
    plugins = {name for pattern in code_pins.PLUGINS for name in module_names(pattern)}
    assert {"bench.methods.pgu", "bench.attacks.entropy", "bench.builtin.models.mlp"} <= plugins
    assert plugins <= current["pins"].keys()
    stages = set(module_names(code_pins.STAGES))
    assert "bench.stages.split" in current["pins"]
    unknown = stages - current["files"].keys()
    assert not unknown, f"{unknown}: state a version, or let a stage import them"


def test_what_a_plugin_imports_counts(current):
    files = current["pins"]["bench.methods.pgu"]["files"]
    assert "bench.methods.shared.projection" in files
    assert "bench.data.examples" in files  # which what it imports imports
    assert "bench.errors" not in files


@pytest.mark.parametrize(
    "same",
    [
        CODE + "# a comment\n",
        CODE.replace("\n    return", '\n    """A docstring."""\n    return'),
        '"""A docstring."""\n' + CODE,
        CODE.replace("x / 2", "(x\n            / 2)"),
        "if TYPE_CHECKING:\n    import torch\n" + CODE,
    ],
)
def test_prose_and_layout_do_not_count(same):
    assert code_hash(same) == code_hash(CODE)


@pytest.mark.parametrize(
    "other",
    [
        CODE.replace("2", "2.0"),
        CODE.replace("2", "'2'"),
        CODE.replace("/", "//"),
        CODE.replace("(x)", "(x=1)"),
        CODE.replace("return x", "x = -x; return x"),
        CODE + "half = half(half)\n",
        "import numpy\n" + CODE,
    ],
)
def test_everything_else_counts(other):
    assert code_hash(other) != code_hash(CODE)


def test_words_of_an_error_do_not_count_but_its_condition_does():
    def code(least, words):
        return f"def check(x):\n    if x < {least}:\n        raise ValueError({words})\n"

    assert code_hash(code(1, "'too small'")) == code_hash(code(1, "f'{x} is too small'"))
    assert code_hash(code(1, "'too small'")) != code_hash(code(2, "'too small'"))


def test_versions_are_read_without_running_a_file():
    source = """
VERSION = 3
LOGITS_VERSION = HEAD_VERSION = 1
INVERSION = 5

class Predict(Stage):
    name, version = "predict", 1

class Untrained(stages.Stage):
    name: str = "untrained"
    version: ClassVar[int] = VERSION

class Cell:
    name: str
"""
    constants = {"VERSION": 3, "LOGITS_VERSION": 1, "HEAD_VERSION": 1}
    assert stated_versions(source) == constants | {"Predict": 1, "Untrained": 3}
    assert stated_versions("class Train(Stage):\n    name = 'train'\n") == {"Train": None}
    assert stated_versions("class Stage:\n    name: str\n    version: int\n") == {}


def test_a_change_names_the_plugins_it_reaches_and_the_files_behind_it(current):
    changed, module = copy.deepcopy(current), "bench.methods.shared.projection"
    changed["files"][module] = "other"
    reached = [name for name, pin in current["pins"].items() if module in pin["files"]]
    for name in reached:
        changed["pins"][name]["code"] = "other"
    found = changes(current, changed)
    assert list(found) == reached
    version = current["pins"]["bench.methods.pgu"]["version"]["VERSION"]
    expected = f"changed under VERSION = {version} because of {module}"
    assert found["bench.methods.pgu"] == expected


def test_imports_that_come_or_go_new_files_and_versions_are_named(current):
    changed, name = copy.deepcopy(current), "bench.methods.pgu"
    pin = changed["pins"][name]
    gone, *others = pin["files"]
    pin |= {"files": [*others, "bench.new"], "code": "other"}
    what = changes(current, changed)[name]
    assert f"{gone} (no longer imported)" in what
    assert "bench.new (newly imported)" in what
    version = pin["version"]["VERSION"]
    pin["version"] = {"VERSION": version + 1}
    what = changes(current, changed)[name]
    assert what == f"states VERSION = {version + 1}, pinned is VERSION = {version}"
    del changed["pins"][name]
    assert changes(current, changed) == {name: "is pinned but no longer there"}
    assert changes(changed, current) == {name: "has no pin yet"}
