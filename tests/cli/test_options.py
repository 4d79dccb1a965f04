"""The options of ``bench run`` are the keys of the configuration."""

from __future__ import annotations

import re

import pytest
import typer

from bench.cli.app import main
from bench.cli.options import given_options, with_settings
from bench.config.load import load_config
from bench.config.schema import Config


@pytest.fixture(scope="module")
def run():
    """Run a command with these options as ``bench run`` has them; returns its configuration."""
    configs, app = [], typer.Typer()

    @app.command()
    @with_settings
    def command(config: str | None = None, **options: object) -> None:
        configs.append(load_config(given_options(options), config))

    def run_with(*arguments: str) -> Config:
        app(list(arguments), standalone_mode=False)
        return configs[-1]

    return run_with


def test_the_help_of_run_names_every_key_with_its_description_and_default(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["run", "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    for key, field in Config.model_fields.items():
        if key != "train":
            option = "--plugin" if key == "plugins" else f"--{key.replace('_', '-')}"
            assert re.search(rf"{option} ", shown), key
            assert field.description in shown, key
    assert "--models N Number of models in each population. [20]" in shown
    assert "-m, --methods NAMES" in shown
    assert "--originals each|one" in shown
    assert "[0]" in shown  # a default that is zero is one, too


def test_options_set_the_keys_of_the_configuration(run):
    config = run(
        *["--dataset", "mnist", "-m", "pgu,ssd[alpha=5,lam=2]", "--models", "7", "-j", "3"],
        *["--validation", "0.3", "--retain-sample", "10", "--timed", "0", "--data-dir", "there"],
        *["--download", "-p", "a.py", "--plugin", "b.py", "--backend", "dask", "--subset", "none"],
    )
    assert config.dataset == "mnist"
    assert config.methods == ["pgu", "ssd[alpha=5,lam=2]"]
    assert (config.models, config.jobs, config.timed, config.retain_sample) == (7, 3, 0, 10)
    assert (config.validation, config.subset, config.data_dir) == (0.3, None, "there")
    assert (config.download, config.plugins, config.backend) == (True, ["a.py", "b.py"], "dask")


def test_what_is_not_given_is_left_to_the_recipe(run, tmp_path):
    recipe = tmp_path / "mine.toml"
    recipe.write_text('download = true\nplugins = ["a.py"]\nmodels = 4\n')
    assert run("--config", str(recipe)) == load_config({}, str(recipe))
    assert run() == load_config({})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--models", "0"], "error: models = 0: must be at least 1"),
        (["--originals", "two"], "error: originals = two: must be 'each' or 'one'"),
        (["--attacks", ""], "error: attacks = : name at least one"),
        (["--validation", "1"], "error: validation = 1: must be below 1"),
    ],
)
def test_a_wrong_value_is_explained_like_that_of_any_key(capsys, arguments, message):
    assert main(["run", *arguments]) == 1
    assert capsys.readouterr().err.startswith(message)
