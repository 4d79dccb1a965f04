"""Which settings differ between runs: found by comparing what their records say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.config.schema import NEUTRAL
from bench.config.spelling import spell_value
from bench.results.finished import Finished

LISTS = {"methods", "attacks", "plugins"}  # what is compared, and how: rows and columns, no setting
NAMED = ("dataset", "scenario", "model")
DATA = "data"  # the beginning of a hash of their content


def differing_settings(runs: Sequence[Finished]) -> dict[str, list[Any]]:
    """The settings in which the runs differ: name -> value in each run, None where it has none.

    Parameters of a scenario, network or data set count one by one (``scenario.rate``) where all
    runs have the same one, else its spelling as a whole. Runs that do not differ are told apart by
    their folders' names (``run``). Different ``data`` under one name are such a setting, too.
    """
    flat = [settings_of(run) for run in runs]
    names = dict.fromkeys(name for settings in flat for name in settings)
    values = {name: [settings.get(name) for settings in flat] for name in names}
    for kind in NAMED:
        whole = len({_plain_name(run, kind) for run in runs}) > 1
        for name in list(values):
            if (name == kind and not whole) or (name.startswith(f"{kind}.") and whole):
                del values[name]
    different = {
        name: each for name, each in values.items() if len(set(map(spell_value, each))) > 1
    }
    if any(name.partition(".")[0] == "dataset" for name in different):
        different.pop(DATA, None)  # other data are meant
    return different or {"run": [run.folder.resolve().name for run in runs]}


def _spelled(record: Mapping[str, Any], kind: str) -> str:
    """The choice of one kind with what was set in brackets."""
    return str(record["data"]["name"] if kind == "dataset" else record[kind])


def _plain_name(run: Finished, kind: str) -> str:
    return _spelled(run.record, kind).partition("[")[0]


def settings_of(run: Finished) -> dict[str, Any]:
    """Every setting of a run that decides its numbers, by its full name."""
    record = run.record
    data = record["data"]
    settings: dict[str, Any] = {"dataset": data["name"], DATA: data["fingerprint"][:8]}
    for key, value in record["config"].items():
        if key in NEUTRAL or key in LISTS or key in NAMED:
            continue
        if isinstance(value, dict):
            settings |= {f"{key}.{name}": inner for name, inner in value.items()}
        else:
            settings[key] = value
    settings |= {kind: _spelled(record, kind) for kind in ("scenario", "model")}
    for kind in NAMED:
        params = record["settings"][kind]
        settings |= {f"{kind}.{name}": value for name, value in params.items()}
    if "request" in record:
        settings["request"] = record["request"]
    return settings


def numeric(values: Sequence[Any]) -> bool:
    """Whether the values can stand on an axis."""
    return all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)


def sort_by_settings(runs: Sequence[Finished]) -> list[Finished]:
    """The runs by their numeric settings; in the given order where there are none."""
    keys = [values for values in differing_settings(runs).values() if numeric(values)]
    order = sorted(range(len(runs)), key=lambda index: [values[index] for values in keys])
    return [runs[index] for index in order]
