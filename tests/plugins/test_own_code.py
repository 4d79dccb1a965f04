"""A loose plugin is known by all of its code, and what runs is what was hashed."""

from __future__ import annotations

import os
import sys

import pytest

from bench.errors import UserError
from bench.plugins.own_code import own_code
from bench.plugins.registry import Registry

SCENARIO = """'''A scenario for a test.'''
import helper

def mine(training, *, shift: int = 0, weights: str = "none"):
    from package import late
    return helper.VALUE, late.VALUE
"""


def plant(folder, files):
    """Write a plugin with what it imports; returns its file."""
    for name, text in {"mine.py": SCENARIO, **files}.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder / "mine.py"


def files_of(value):
    return {
        "helper.py": "from package import VALUE\n",
        "package/__init__.py": "from .deep import VALUE\n",
        "package/deep.py": f"VALUE = {value}\n",
        "package/late.py": f"VALUE = {value}\n",
        "unused.py": "VALUE = 0\n",
    }


def resolve(file, text="mine"):
    return Registry((str(file),)).resolve("scenarios", text)


@pytest.mark.parametrize("name", ["helper.py", "package/__init__.py", "package/deep.py", "mine.py"])
def test_every_module_that_is_imported_counts(tmp_path, name):
    file = plant(tmp_path, files_of(1))
    before = own_code(file).version
    (tmp_path / name).write_text((tmp_path / name).read_text() + "# edited\n")
    assert own_code(file).version != before


def test_a_file_that_is_not_imported_does_not_count(tmp_path):
    file = plant(tmp_path, files_of(1))
    before = own_code(file).version
    (tmp_path / "unused.py").write_text("VALUE = 5\n")
    assert own_code(file).version == before


def test_imports_by_name_and_of_the_file_alone(tmp_path):
    by_name = (
        "import importlib\nmodule = importlib.import_module('helper')\ndef mine(training): ..."
    )
    file = plant(tmp_path, {"helper.py": "A = 1\n"})
    file.write_text(by_name)
    before = own_code(file).version
    (tmp_path / "helper.py").write_text("A = 2\n")
    assert own_code(file).version != before
    moved = tmp_path / "elsewhere" / "mine.py"
    moved.parent.mkdir()
    (moved.parent / "helper.py").write_text("A = 2\n")
    moved.write_text(by_name)
    assert own_code(moved).version == own_code(file).version


def test_an_edited_helper_runs_at_once_even_at_equal_size_and_time(tmp_path):
    file = plant(tmp_path, files_of(1))
    first = resolve(file)
    assert first(None) == (1, 1)
    for name in ("package/deep.py", "package/late.py"):
        times = (tmp_path / name).stat()
        (tmp_path / name).write_text("VALUE = 2\n")
        os.utime(tmp_path / name, ns=(times.st_atime_ns, times.st_mtime_ns))
    second = resolve(file)
    assert second.version != first.version
    assert (second(None), first(None)) == ((2, 2), (1, 1))


def test_helpers_of_two_plugins_may_have_one_name_and_are_seen_by_nobody_else(tmp_path):
    one, two = (plant(tmp_path / str(value), files_of(value)) for value in (1, 2))
    first, second = resolve(one), resolve(two)
    assert (first(None), second(None), first(None)) == ((1, 1), (2, 2), (1, 1))
    assert "helper" not in sys.modules
    assert str(one.parent) not in sys.path


def test_a_plugin_may_put_its_own_folder_on_the_path(tmp_path):
    file = plant(tmp_path, files_of(3))
    own = "import sys, os\nsys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))\n"
    file.write_text(own + SCENARIO)
    before = list(sys.path)
    assert resolve(file)(None) == (3, 3)
    assert sys.path == before


def test_a_helper_that_fails_names_the_plugin(tmp_path):
    file = plant(tmp_path, {"helper.py": "1 / 0\n"})
    with pytest.raises(UserError, match=r"cannot load plugin .*mine.py: ZeroDivisionError.*helper"):
        resolve(file)


def test_a_file_that_a_parameter_names_counts_by_its_content(tmp_path):
    file, weights = plant(tmp_path, files_of(1)), tmp_path / "weights.bin"
    weights.write_bytes(b"one")
    text = f"mine[weights={weights}]"
    before = resolve(file, text).identity
    assert resolve(file, text).identity == before
    weights.write_bytes(b"two")
    assert resolve(file, text).identity != before
    weights.unlink()
    assert "files" not in resolve(file, text).identity
    assert "files" not in resolve(file).identity


def test_files_count_for_plugins_of_ours_too(tmp_path):
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(b"one")
    text = f"torchvision:resnet18[weights={weights}]"
    before = Registry().resolve("models", text).identity
    weights.write_bytes(b"two")
    assert Registry().resolve("models", text).identity != before


def test_another_machine_is_sent_all_of_it(tmp_path):
    code = own_code(plant(tmp_path / "here", files_of(4)))
    for name, text in code.portable().items():
        file = tmp_path / "there" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    sent = tmp_path / "there" / next(iter(code.portable()))
    assert own_code(sent).version == code.version
    assert not (sent.parent / "unused.py").exists()
