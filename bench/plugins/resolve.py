"""Resolves a run's configuration where this depends on which data sets are on this machine."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from bench.config.folders import VARIABLE, data_home, named_home, places
from bench.config.load import load_config, merge_typed
from bench.config.schema import Config
from bench.plugins.registry import Registry

log = logging.getLogger(__name__)


def resolve_config(
    overrides: Mapping[str, Any], recipe: str | None = None, settings: Sequence[str] = ()
) -> Config:
    """The configuration of a run, as ``load_config`` reads it, for the data of this machine.

    Where the user types a data set that is not here and names no folder for data, the data set may
    name another one that stands in for it, with its own recipe; a message says so.
    """
    config = load_config(overrides, recipe, settings)
    if "dataset" not in merge_typed(overrides, settings):
        return config
    stand_in = find_stand_in(config)
    if stand_in is None:
        return config
    return load_config(overrides, recipe, (*settings, f"dataset={stand_in}"))


def find_stand_in(config: Config) -> str | None:
    """The data set to use instead of a configuration's own, which is missing; None for none.

    A data set's file may define ``stand_in(home)``, which looks into the folder for data and
    returns a name where it does not find its files.
    """
    entry, choice = Registry(tuple(config.plugins)).find("datasets", config.dataset)
    stand_in = entry.load_hook("stand_in")
    with places(config.data_dir):
        home, is_named = data_home(), named_home() is not None
    if stand_in is None or is_named:
        return None
    with entry.guarded():
        name: str | None = stand_in(home)
    if name is not None:
        log.warning(
            "%s: no copy in ./%s (name its folder with --data-dir or %s); using the built-in %s",
            choice.name,
            home,
            VARIABLE,
            name,
        )
    return name
