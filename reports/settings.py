"""Which settings differ between runs: found by comparing what their records say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bench.config.schema import NEUTRAL
from bench.config.spelling import parse, spell_value

if TYPE_CHECKING:
    from bench.results.run import Run

LISTS = {"methods", "attacks", "plugins"}  # what is compared, and how: rows and columns, no setting
NAMED = {"dataset", "scenario", "model"}


def varied(runs: Sequence[Run]) -> dict[str, list[Any]]:
    """The settings in which the runs differ: name -> value in each run, None where it has none.

    Parameters of a scenario, network or data set count one by one (``scenario.rate``) where all
    runs have the same one, else its spelling as a whole. Runs that do not differ are told apart by
    their folders' names (``run``).
    """
    flat = [flattened(run) for run in runs]
    names = dict.fromkeys(name for one in flat for name in one)
    found = {name: [one.get(name) for one in flat] for name in names}
    for kind in NAMED:
        whole = len({_name(run, kind) for run in runs}) > 1
        for name in list(found):
            if (name == kind and not whole) or (name.startswith(f"{kind}.") and whole):
                del found[name]
    different = {n: of for n, of in found.items() if len({spell_value(v) for v in of}) > 1}
    return different or {"run": [run.folder.resolve().name for run in runs]}


def _name(run: Run, kind: str) -> str:
    spelled = run.record["data"]["name"] if kind == "dataset" else run.record[kind]
    return spelled.partition("[")[0]


def flattened(run: Run) -> dict[str, Any]:
    """Every setting of a run that decides its numbers, by its full name."""
    record = run.record
    found: dict[str, Any] = {"dataset": record["data"]["name"]}
    for key, value in record["config"].items():
        if key in NEUTRAL | LISTS | NAMED:
            continue
        if isinstance(value, dict):
            found |= {f"{key}.{name}": inner for name, inner in value.items()}
        else:
            found[key] = value
    found |= {kind: record[kind] for kind in ("scenario", "model")}
    for kind in NAMED:
        if "settings" in record:
            params = record["settings"][kind]
        else:  # of an older version: what was spelled out
            params = {} if kind == "dataset" else parse(record[kind]).params
        found |= {f"{kind}.{name}": value for name, value in params.items()}
    if "request" in record:
        found["request"] = record["request"]
    return found


def numeric(values: Sequence[Any]) -> bool:
    """Can the values stand on an axis?"""
    return all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)


def ordered(runs: Sequence[Run]) -> list[Run]:
    """The runs by their numeric settings; in the given order where there are none."""
    settings = varied(runs)
    keys = [values for values in settings.values() if numeric(values)]
    order = sorted(range(len(runs)), key=lambda index: [values[index] for values in keys])
    return [runs[index] for index in order]
