"""Cards say what a plugin is and takes; a recipe is shown by its name."""

from __future__ import annotations

import re

import pytest

from bench.errors import UserError
from bench.plugins.card import cards


def test_a_recipe_is_shown_by_its_name():
    (shown,) = cards("digits-tuned")
    assert shown.startswith("digits-tuned (recipe)\n# ")
    assert len(cards("digits")) == 2


def test_a_card_lists_parameters_with_defaults_and_limits():
    (shown,) = cards("ssd")
    assert shown.startswith("ssd (method)\n")
    assert re.search(r"parameters: name +default +allowed\n +alpha +10 +number, above 0", shown)
    assert "parameters: none\n" in cards("digits")[0]
    assert cards("npz")[0].startswith("npz:PATH (data set)\n")


def test_an_unknown_name_is_a_users_mistake():
    with pytest.raises(UserError, match="unknown plugin or recipe 'pgv': did you mean pgu"):
        cards("pgv")
    with pytest.raises(UserError, match='"methods" is a kind of plugin; run `bench list methods`'):
        cards("methods")
