"""Several runs side by side, or the requests of one run, over what varies between them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from bench.config.spelling import spell_value
from bench.plugins.outputs import Readout
from bench.plugins.rows import CONSTANT, ORIGINAL, RETRAIN
from bench.reports.comparison.settings import differing_settings, numeric, sort_by_settings
from bench.results.compare import bold_rows, compare
from bench.results.costs import Share, shares_so_far, time_shares
from bench.results.finished import Finished, method_rows
from bench.results.table import NONE, TIME, main_readouts
from bench.storage.store import content_key

FORGOTTEN = "examples forgotten"
TIME_SO_FAR = "time so far / retraining at each request"
SHORT = {TIME: "time", TIME_SO_FAR: "so far"}  # headings where space is scarce


@dataclass(frozen=True)
class Several:
    """Finished runs in the order of their settings.

    ``settings``: what varies, a value for each run. ``shares``: by heading, for each run, a cost of
    each row relative to retraining. ``reading``: how to read their tables.
    """

    runs: Sequence[Finished]
    settings: dict[str, list[Any]]
    title: str
    shares: dict[str, list[dict[str, Share]]]
    reading: Sequence[str] = ()

    @cached_property
    def labels(self) -> list[str]:
        """What tells each run from the others: ``rate = 0.2, seed = 1``."""
        names = [name.partition(".")[2] or name for name in self.settings]
        return [
            ", ".join(
                f"{name} = {value}" for name, value in zip(names, self.values(place), strict=True)
            )
            for place in range(len(self.runs))
        ]

    def values(self, place: int) -> list[str]:
        """The settings of a run that vary, as printed."""
        each = [values[place] for values in self.settings.values()]
        return [NONE if value is None else spell_value(value) for value in each]

    @property
    def name(self) -> str:
        """A folder's name: readable, and another one for other runs."""
        digest = content_key(runs=[run.record["curves"]["sha256"] for run in self.runs])[:8]
        plain = re.sub(r"[^A-Za-z0-9.]+", "-", self.title.partition(":")[0])
        return f"{plain}-{len(self.runs)}-runs-{digest}"

    @cached_property
    def readouts(self) -> list[Readout]:
        """The main readouts of all runs."""
        return list({r.name: r for run in self.runs for r in main_readouts(run)}.values())

    @cached_property
    def best(self) -> list[dict[str, set[str]]]:
        """What is set in bold of each run; only its main readouts are compared, to save time."""
        return [bold_rows(compare(run, main_readouts(run))) for run in self.runs]

    @cached_property
    def rows(self) -> list[str]:
        """The rows of all runs, sanity rows around the methods."""
        methods = dict.fromkeys(row for run in self.runs for row in method_rows(run))
        return [ORIGINAL, RETRAIN, *methods, CONSTANT]

    @property
    def on_an_axis(self) -> bool:
        """Whether one number varies: its values have an order and distances, kinds have none."""
        return len(self.settings) == 1 and numeric(next(iter(self.settings.values())))


def side_by_side(runs: Sequence[Finished]) -> Several:
    """Runs that were made one by one, ordered by the settings in which they differ."""
    runs = sort_by_settings(runs)
    settings = differing_settings(runs)
    data = dict.fromkeys(run.record["data"]["name"] for run in runs)
    title = f"{', '.join(data)}: {len(runs)} runs that differ in {', '.join(settings)}"
    shares = {TIME: [time_shares(run.record) for run in runs]}
    return Several(runs, settings, title, shares)


def requests_of(run: Finished) -> Several:
    """The requests of one run, over the examples that were forgotten by then.

    Each method goes on from its own model of the request before. What is scored at a request is all
    that was forgotten by then, against models retrained without it, as the PGU paper's code does.
    """
    runs, record = run.requests, run.record
    records = [request.record for request in runs]
    shares = {
        TIME: [time_shares(one) for one in records],
        TIME_SO_FAR: shares_so_far(records),
    }
    title = (
        f"{record['data']['name']}, {record['scenario']}, {record['model']}: "
        f"N = {record['config']['models']} models, {len(runs)} requests"
    )
    reading = [
        "each method goes on from its own model of the request before; Df is all that was "
        "forgotten by then, retrain and target are retrained without it",
        "so far: time of all requests up to this one, relative to retraining at each of them",
    ]
    forgotten = [one["sizes"]["forget"] for one in records]
    return Several(runs, {FORGOTTEN: forgotten}, title, shares, reading)
