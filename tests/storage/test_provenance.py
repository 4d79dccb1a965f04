"""Where a number comes from."""

from __future__ import annotations

import shlex
import sys

import pytest

from bench.storage.provenance import provenance


@pytest.mark.parametrize(
    ("program", "typed"),
    [("/x/bin/bench", True), ("/x/bench/__main__.py", True), ("/my/bench/train.py", False)],
)
def test_the_command_can_be_pasted_into_a_shell(monkeypatch, program, typed):
    arguments = ["run", "--scenario", "poison[rate=0.5]"]
    monkeypatch.setattr(sys, "argv", [program, *arguments])
    command = provenance("cpu")["command"]
    assert command == ("bench run --scenario 'poison[rate=0.5]'" if typed else "python")
    assert not typed or shlex.split(command)[1:] == arguments
