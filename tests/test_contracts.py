"""Every registered plugin keeps its contract: adding a file adds its tests."""

from __future__ import annotations

import pytest

from bench.contract import checks_for
from bench.registry import PACKAGES, Registry

REGISTRY = Registry()
NEEDS_A_PATH = {"npz"}  # covered by test_data.py, on files made there
CASES = [
    pytest.param(check, id=f"{kind}-{entry.name}-{name}".replace(" ", "-"))
    for kind in PACKAGES
    for entry in REGISTRY.entries(kind)
    if entry.name not in NEEDS_A_PATH
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
