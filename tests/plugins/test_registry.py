"""Plugins are found by name, wherever they come from, and their parameters are checked."""

from __future__ import annotations

import json
import sys

import pytest

from bench.errors import UserError
from bench.plugins.registry import Registry

ATTACK = '''"""An attack of the user."""
from typing import Annotated, Any, Literal
from pydantic import Field

def mine(
    outputs,
    *,
    copy: bool = False,
    model_name: str = "x",
    rates: dict[str, Annotated[float, Field(ge=0)]] | None = None,
    kind: Literal["none", "all"] = "none",
    anything: Any = 3,
):
    return outputs
'''


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(ATTACK)
    return path


def test_a_label_names_what_differs_from_the_defaults():
    resolve = Registry().resolve
    assert resolve("methods", "ssd[alpha=10]").label == "ssd"  # its default
    assert resolve("methods", "ssd[lam=2,alpha=5.0]").label == "ssd[alpha=5,lam=2]"
    assert resolve("scenarios", "random[count=none,first=2]").label == "random[first=2]"
    plugin = resolve("datasets", "npz:some/file.npz")
    assert (plugin.label, plugin.argument) == ("npz:some/file.npz", "some/file.npz")


def test_the_identity_is_name_parameters_and_version():
    identity = Registry().resolve("methods", "ssd[alpha=5]").identity
    assert identity["name"] == "ssd"
    assert identity["params"]["alpha"] == 5
    assert identity["code"].isdigit()
    json.dumps(identity)  # it goes into content keys


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        ("methods", "ssd[alpha=-1]", "ssd: alpha = -1: must be above 0, or 'adaptive'"),
        ("methods", "ssd[alpha=x]", "ssd: alpha = x: must be a number, or 'adaptive'"),
        ("methods", "ssd[alfa=1]", "unknown parameter of ssd 'alfa': did you mean alpha"),
        ("methods", "finetune[lr=inf]", "finetune: lr = inf: must be a finite number"),
        ("methods", "finetune[epochs=2.5]", "finetune: epochs = 2.5: must be a whole number"),
        ("methods", "finetune[epochs=none]", "finetune: epochs = none: must be a whole number"),
        ("scenarios", "random[draw=none]", "random: draw = none: must be a whole number"),
        ("models", "resnet19", "unknown model 'resnet19': did you mean resnet18"),
        ("datasets", "npz", "npz needs a path: write npz:PATH"),
        ("datasets", "digits:3", "digits takes no ':3'"),
    ],
)
def test_mistakes_name_the_plugin_the_value_and_what_is_allowed(kind, text, message):
    with pytest.raises(UserError) as caught:
        Registry().resolve(kind, text)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_a_parameter_may_have_any_name_and_any_type(mine):
    plugin = Registry((str(mine),)).resolve(
        "attacks", "mine[copy=true,model_name=y,rates={a=1,b=2},kind=none,anything=[1,z]]"
    )
    assert plugin.params == {
        "copy": True,
        "model_name": "y",
        "rates": {"a": 1.0, "b": 2.0},
        "kind": "none",
        "anything": "[1,z]",
    }
    assert plugin("given") == "given"
    with pytest.raises(UserError, match=r"mine: rates = \{a = -1\}: must be at least 0"):
        Registry((str(mine),)).resolve("attacks", "mine[rates={a=-1}]")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def mine(outputs, *, size: int): ...", "mine: parameter size needs a default"),
        ("def mine(outputs, *, size: Unknown = 1): ...", "mine: .*'Unknown' is not defined"),
        ("def mine(outputs, *, size: int = 'x'): ...", "mine: size = x: must be a whole number"),
        ("1 / 0\ndef mine(outputs): ...", "cannot load plugin .*mine.py: ZeroDivisionError"),
        ("def other(outputs): ...", "holds no plugin"),
        ("def mine(:", "line 1"),
    ],
)
def test_a_wrong_file_is_a_users_mistake(mine, text, message):
    mine.write_text("from __future__ import annotations\n" + text)
    with pytest.raises(UserError, match=message.replace("line 1", "line 2")):
        Registry((str(mine),)).resolve("attacks", "mine")


def test_a_loose_file_is_known_by_its_content(mine):
    before = Registry((str(mine),)).resolve("attacks", "mine").version
    mine.write_text(ATTACK + "\nVERSION = 1\n")
    after = Registry((str(mine),)).resolve("attacks", "mine").version
    assert before.startswith("file ")
    assert after.startswith("file ")
    assert before != after


def test_two_plugins_of_one_name_are_refused_but_the_same_file_may_be_named_twice(mine, tmp_path):
    assert Registry((str(mine), str(mine))).find("attacks", "mine")[0].name == "mine"
    (tmp_path / "other").mkdir()
    other = tmp_path / "other" / "mine.py"
    other.write_text(ATTACK)
    with pytest.raises(UserError, match=f"two attacks are called 'mine': rename {other}"):
        Registry((str(mine), str(other)))


def test_plugins_of_installed_packages_are_found(tmp_path, monkeypatch):
    (tmp_path / "my_package.py").write_text(ATTACK + "\nVERSION = 7\n")
    info = tmp_path / "my_package-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1\n")
    points = "[bench.attacks]\ntheirs = my_package:mine\nbroken = my_package:nothing\n"
    (info / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(tmp_path)
    registry = Registry()
    sources = {entry.name: entry.source for entry in registry.entries("attacks")}
    assert sources["theirs"].summary == "from my_package:mine"
    plugin = registry.resolve("attacks", "theirs[copy=true]")
    assert (plugin.label, plugin.version) == ("theirs[copy=true]", "7")
    with pytest.raises(UserError, match=r"cannot load plugin my_package:nothing: AttributeError"):
        registry.resolve("attacks", "broken")
    del sys.modules["my_package"]
