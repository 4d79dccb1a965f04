"""Every registered plugin keeps its contract: adding a file adds its tests."""

from __future__ import annotations

import re

import pytest

from bench.checks.run import checks_for
from bench.plugins.card import card
from bench.plugins.registry import PACKAGES, Registry

REGISTRY = Registry()
# Covered on files made there (by test_data, test_datasets, test_tables, test_truefake,
# test_subjects), or under the names of networks (by test_networks).
NEEDS_FILES = {"npz", "folder", "truefake", "mnist", "fashion-mnist", "mufac"}
NEEDS_FILES |= {"cifar10", "cifar100", "tiny-imagenet", "covertype", "torchvision"}
CASES = [
    pytest.param(check, id=f"{kind}-{entry.name}-{name}".replace(" ", "-"))
    for kind in PACKAGES
    for entry in REGISTRY.entries(kind)
    if entry.name not in NEEDS_FILES
    for name, check in checks_for(REGISTRY.resolve(kind, entry.name))
]


@pytest.mark.parametrize("check", CASES)
def test_contract(check):
    check()


@pytest.mark.parametrize("kind", PACKAGES)
def test_every_plugin_says_what_it_is(kind):
    for entry in REGISTRY.entries(kind):
        assert len(entry.source.summary) > 20, entry.name
        assert entry.version(entry.load()).isdigit(), f"{entry.path} states no VERSION"


def test_every_published_setting_that_a_method_names_can_be_spelled():
    settings = [
        found.group(0)
        for entry in REGISTRY.entries("methods")
        for found in re.finditer(
            rf"(?<![\w-]){re.escape(entry.name)}\[[^\]\n]+\]", entry.source.docstring
        )
    ]
    assert len(settings) > 15
    for text in settings:
        REGISTRY.resolve("methods", text)


def test_every_method_says_where_it_comes_from_or_is_a_reference():
    for entry in REGISTRY.entries("methods"):
        assert entry.source.paper or entry.name in ("original", "retrain"), entry.name
        assert "Equation" in entry.source.docstring, entry.name


def test_the_default_needs_are_those_of_the_default_parameters():
    for entry in REGISTRY.entries("methods"):
        method = REGISTRY.resolve("methods", entry.name)()
        assert set(method.requirements()) == set(entry.source.needs), entry.name
        assert method.prepares() == entry.source.prepares, entry.name


@pytest.mark.parametrize("kind", PACKAGES)
def test_every_plugin_has_a_card(kind):
    for entry in REGISTRY.entries(kind):
        assert entry.source.summary in card(entry), entry.name
