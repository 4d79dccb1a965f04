"""The configuration: same keys everywhere, and errors that name key, value and what is allowed."""

from __future__ import annotations

import os
import re
import tomllib

import pytest

from bench.config.describe import describe_keys
from bench.config.load import dump_toml, load_config, recipes
from bench.config.schema import known_keys
from bench.engine.begin import warn_of_differences
from bench.engine.graph import open_context
from bench.errors import UserError
from tests.helpers.tiny_run import tiny


def test_flags_win_over_recipes_and_set_wins_over_flags(tmp_path):
    recipe = tmp_path / "mine.toml"
    recipe.write_text("models = 5\nseed = 1\n[train]\nepochs = 7\nlr = 0.5\n")
    config = load_config({"models": 6}, str(recipe), ("train.epochs=8", "models=9"))
    assert (config.models, config.seed, config.train.epochs, config.train.lr) == (9, 1, 8, 0.5)


def test_dotted_and_nested_keys_are_the_same_in_python():
    dotted = load_config({"train.epochs": 5})
    assert dotted == load_config({"train": {"epochs": 5}})
    assert dotted.train.lr == load_config({}).train.lr


def test_a_recipe_called_like_the_data_set_is_its_default():
    assert "digits" in recipes()
    assert load_config({"dataset": "digits"}).models == load_config({}, "digits").models


def test_the_stored_configuration_reads_back(tmp_path):
    config = load_config({"methods": "pgu,ssd[alpha=5]"}, None, ("train.lr=0.25",))
    path = tmp_path / "config.toml"
    path.write_text(dump_toml(config.model_dump(mode="json")))
    assert load_config({}, str(path)) == config
    assert tomllib.loads(path.read_text())["methods"] == ["pgu", "ssd[alpha=5]"]


def check_methods(config):
    return open_context(config).methods


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("epocs=3", ["unknown key 'epocs'", "did you mean train.epochs"]),
        ("train.epocs=3", ["unknown key 'train.epocs'", "train.epochs"]),
        ("models=many", ["models = many: must be a whole number"]),
        ("models=0", ["models = 0: must be at least 1"]),
        ("models=2.5", ["models = 2.5: must be a whole number"]),
        ("train.lr=-1", ["train.lr = -1: must be above 0"]),
        ("train.schedule=linear", ["train.schedule = linear: must be 'constant', 'cosine' or"]),
        ("validation=1.0", ["validation = 1: must be below 1"]),
        ("train.lr=fast", ["train.lr = fast: must be a number"]),
        ("train.lr=inf", ["train.lr = inf: must be a finite number"]),
        ("train.nesterov=maybe", ["train.nesterov = maybe: must be true or false"]),
        ("methods=3", ["methods = 3: must be a list"]),
        ("dataset=3", ["dataset = 3: must be text"]),
        ("train=3", ["train is a table"]),
        ("models=true", ["models = true: must be a whole number"]),
        ("train.lr=true", ["train.lr = true: must be a number"]),
        ("seed=9223372036854775808", ["seed = 9223372036854775808: must lie between"]),
        ("models=" + "9" * 5000, ["models = 999", "(5,000 characters)", "must be a whole number"]),
        ("methods=" + "[" * 10_000, ["10,000 characters"]),
        ("a.b.c=1", ["unknown key 'a.b.c'"]),
        ("." * 10_000 + "=1", ["unknown key", "10,000 characters"]),
        ("x" * 300 + "=1", ["unknown key", "300 characters"]),
        ("out=a\0b", ["is no path"]),
        ("model=a\ud800b", ["model = a\\ud800b: must be text in UTF-8"]),
        ("out=" + "x" * 300, ["is no path: File name too long"]),
        ("seed", ["write key=value"]),
        ("seed.x=1", ["seed = {x = 1}: must be a whole number"]),
    ],
)
def test_mistakes_name_the_key_the_value_and_what_is_allowed(setting, words):
    with pytest.raises(UserError) as caught:
        check_methods(load_config({}, None, (setting,)))
    assert str(caught.value).isprintable()
    for word in words:
        assert word in str(caught.value)


def test_unreadable_recipes_are_user_errors(tmp_path):
    broken = tmp_path / "broken.toml"
    broken.write_text("models = = 3")
    dotted, long = tmp_path / "dotted.toml", tmp_path / "long.toml"
    dotted.write_text(".".join(["a"] * 10_000) + " = 1")
    long.write_text("# " + "x" * 100_000)
    for name, words in (
        (str(broken), "cannot be read as a recipe"),
        (str(dotted), "no key of a recipe has more than 200 dots"),
        (str(long), "is too long for a recipe"),
        ("nope", "recipes: "),
    ):
        with pytest.raises(UserError, match=words):
            load_config({}, name)


def test_what_does_not_change_numbers_is_not_part_of_the_identity():
    same = [load_config({"jobs": jobs, "out": out}) for jobs, out in ((1, "a"), (2, "b"))]
    assert same[0].identity() == same[1].identity()
    assert load_config({"seed": 1}).identity() != load_config({"seed": 2}).identity()


def test_what_is_named_twice_is_told_once(tmp_path, capsys):
    context = open_context(tiny(tmp_path, methods="ssd,neggrad,ssd[alpha=10]"))  # 10: its default
    warn_of_differences(context)
    assert list(context.methods) == ["retrain", "ssd", "neggrad"]
    assert capsys.readouterr().err == "methods: ssd is named 2 times, taken once\n"
    warn_of_differences(open_context(tiny(tmp_path, methods="all,retrain,ssd")))
    assert capsys.readouterr().err == ""


def test_none_may_be_written_where_a_value_is_optional():
    assert load_config({"subset": 100, "out": "none"}, None, ("subset=none",)).subset is None
    assert load_config({"out": "none"}).out == "none"


def test_the_recipe_of_a_copied_run_goes_on_where_the_copy_is(tmp_path):
    folder = tmp_path / "copy" / "runs" / "digits"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text('out = "original"')
    recipe = str(folder / "config.toml")
    assert load_config({}, recipe).out == str(tmp_path / "copy")
    assert load_config({"out": "elsewhere"}, recipe).out == "elsewhere"


def test_a_plugin_that_was_moved_is_still_the_same_run():
    here, there = (load_config({"plugins": file}).identity() for file in ("a.py", "x/y/a.py"))
    assert here == there != load_config({"plugins": "b.py"}).identity()


def test_every_key_has_a_description_its_limits_and_its_default():
    described = describe_keys()
    assert described.keys() == known_keys().keys()
    assert described["models"] == (
        "Number of models in each population.\nwhole number, at least 1 [20]"
    )
    for key, text in described.items():
        assert re.match(r"\S.+\.\n.+ \[.*\]$", text), key
        assert "None" not in text, key
        assert "anything" not in text, key


@pytest.mark.parametrize(
    ("overrides", "settings"),
    [({"dataset": "truefake"}, ()), ({}, ("dataset=truefake",))],
)
def test_the_configuration_holds_what_was_typed(overrides, settings):
    assert load_config(overrides, None, settings).dataset == "truefake"


RECIPE = 'dataset = "digits"\nmodels = 2\n[train]\nepochs = 3\n'


def test_a_recipe_with_a_byte_order_mark_and_windows_newlines_is_read(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_bytes(b"\xef\xbb\xbf" + RECIPE.replace("\n", "\r\n").encode())
    assert load_config({}, str(path)).train.epochs == 3


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (RECIPE.encode("utf-16"), "is encoded in UTF-16: save it as UTF-8"),
        ((RECIPE + "# ü").encode("cp1252"), "is not UTF-8 .byte 0xfc in line 5"),
        (b"seed = " + b"9" * 5000, "cannot be read as a recipe"),
        (b"methods = " + b"[" * 10_000, "cannot be read as a recipe"),
        (b"a.b = 1\n" * 2, "cannot be read as a recipe"),
        (b"models = 2\0", "cannot be read as a recipe"),
        (b"seed = " + b"{a=" * 90 + b"1" + b"}" * 90, "seed = {a = .* must be a whole number"),
        (b"models = 2024-01-01", "models = .*must be a whole number"),
        (b"models = true", "models = true: must be a whole number"),
        (b"x" * 2**23, "too long for a recipe"),
        (b"[train.epochs]\nx = 1", "train.epochs = .* must be a whole number"),
    ],
)
def test_an_odd_recipe_is_one_line_with_its_name_or_its_key(tmp_path, content, words):
    path = tmp_path / "mine.toml"
    path.write_bytes(content)
    with pytest.raises(UserError, match=words) as caught:
        load_config({}, str(path))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1000


def test_a_pipe_or_a_folder_is_no_recipe(tmp_path):
    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "folder.toml").mkdir()
    for name, words in (("pipe.toml", "is a pipe"), ("folder.toml", "is a folder")):
        with pytest.raises(UserError, match=words):
            load_config({}, str(tmp_path / name))


def test_every_text_reads_back_from_the_stored_recipe(tmp_path):
    name = 'folder:\x7f \x1b "ä" \U0001f600 \u2028'
    path = tmp_path / "config.toml"
    path.write_text(dump_toml(load_config({"dataset": name}).model_dump(mode="json")))
    assert load_config({}, str(path)).dataset == name
