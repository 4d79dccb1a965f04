"""Recipes: what they name is there, without any data, and they say what they re-make."""

from __future__ import annotations

import pytest
import torch

from bench.config.load import RECIPES, load_config, recipes
from bench.engine.graph import open_context
from bench.methods.shared.projection import weight_layers

SHAPES = {"cifar10": (10, 3, (32, 32)), "tiny-imagenet": (200, 3, (64, 64))}
LAYERED = ("pgu-supplement2", "pgu-supplement2-quick", "pgu-table2")
OF_PAPERS = [name for name in recipes() if name.startswith(("pgu-", "rice-", "truefake"))]


def header(name):
    lines = (RECIPES / f"{name}.toml").read_text().splitlines()
    return "\n".join(lines[: next(i for i, line in enumerate(lines) if not line.startswith("#"))])


@pytest.mark.parametrize("name", recipes())
def test_every_recipe_names_what_there_is(name, tmp_path):
    config = load_config({"data_dir": str(tmp_path), "out": str(tmp_path)}, name)
    context = open_context(config)
    assert context.dataset.label == config.dataset
    assert len(context.methods) > 1
    assert 20 < len(recipes()[name]) < 120


@pytest.mark.parametrize("name", OF_PAPERS)
def test_recipes_of_papers_say_what_they_re_make_and_what_was_published(name):
    assert "Re-makes" in header(name)
    assert "Published" in header(name)
    if name not in ("pgu-smallvgg", "truefake-mini"):
        quick = {"truefake": "truefake-mini"}.get(name, name.removesuffix("-quick") + "-quick")
        assert quick in recipes()


@pytest.mark.parametrize("name", [name for name in OF_PAPERS if name in LAYERED])
def test_layers_that_a_recipe_holds_still_are_those_of_its_network(name):
    context = open_context(load_config({}, name))
    with torch.device("meta"):  # names only
        layers = weight_layers(context.model(*SHAPES[context.config.dataset]))
    for plugin in context.methods.values():
        gamma = plugin.params.get("gamma")
        if isinstance(gamma, dict):
            assert set(gamma) <= {*layers, "default"}
