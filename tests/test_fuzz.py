"""A short, seeded part of what ``python -m tests.fuzz`` tries for longer."""

from __future__ import annotations

import pytest

from tests.fuzz.__main__ import KINDS
from tests.fuzz.trials import draw, try_one, workplace

COUNTS = {"texts": 600, "npz": 60, "images": 40, "store": 30, "commands": 4, "records": 3}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", COUNTS)
def test_odd_inputs_are_accepted_or_refused_in_a_line(name):
    kind, failed = KINDS[name], []
    with workplace(kind) as (home, folder):
        for number in range(COUNTS[name]):
            verdict = try_one(kind, draw(kind, 0, number), folder, home)
            if verdict.failed:
                failed.append(f"{name} {number}: {verdict.outcome}: {verdict.detail[-300:]}")
    assert not failed, "\n\n".join(failed[:5])
