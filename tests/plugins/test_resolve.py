"""A run uses what stands in for a missing data set only where the user typed that data set."""

from __future__ import annotations

import pytest

from bench.config.load import dump_toml
from bench.errors import UserError
from bench.plugins.resolve import resolve_config

PLUGIN = '''"""A data set of the user, which is large; digits stand in for it."""

def large():
    raise AssertionError("not to be loaded here")

def stand_in(home):
    return None if (home / "large").is_dir() else "digits"
'''


@pytest.fixture(autouse=True)
def nowhere(tmp_path, monkeypatch):
    """A working folder without data."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BENCH_DATA_DIR", raising=False)


@pytest.fixture
def plugin(tmp_path):
    path = tmp_path / "large.py"
    path.write_text(PLUGIN)
    return str(path)


def test_any_data_set_may_name_another_that_stands_in(plugin, tmp_path, capsys):
    typed = {"dataset": "large", "plugins": [plugin]}
    config = resolve_config(typed)
    assert config.dataset == "digits"
    assert config.methods == resolve_config({}).methods  # the recipe of digits
    assert capsys.readouterr().err.startswith("large: no copy in ./bench-data (")
    (tmp_path / "bench-data" / "large").mkdir(parents=True)
    assert resolve_config(typed).dataset == "large"
    assert capsys.readouterr().err == ""


def test_set_counts_as_typed_and_what_else_is_set_stays(plugin):
    settings = ("dataset=large", "train.epochs=7")
    config = resolve_config({"plugins": [plugin]}, None, settings)
    assert (config.dataset, config.train.epochs) == ("digits", 7)


@pytest.mark.parametrize("way", ["option", "variable"])
def test_who_names_a_folder_gets_no_stand_in(plugin, tmp_path, monkeypatch, way):
    typed = {"dataset": "large", "plugins": [plugin]}
    if way == "variable":
        monkeypatch.setenv("BENCH_DATA_DIR", str(tmp_path))
    else:
        typed["data_dir"] = str(tmp_path)
    assert resolve_config(typed).dataset == "large"


def test_the_stored_configuration_of_a_run_is_never_changed(plugin, tmp_path):
    recipe = tmp_path / "config.toml"
    recipe.write_text(dump_toml({"dataset": "large", "plugins": [plugin]}))
    assert resolve_config({}, str(recipe)).dataset == "large"


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        ("digit", "unknown data set 'digit': did you mean digits"),
        ("some/images.npz", "say how it is read: npz:some/images.npz"),
    ],
)
def test_a_wrong_name_is_a_users_mistake(dataset, message):
    with pytest.raises(UserError, match=message):
        resolve_config({"dataset": dataset})
