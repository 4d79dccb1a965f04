"""Claims: one owner at a time, none that outlives its owner."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading

import pytest

from bench.errors import UserError
from bench.storage import locks as claims_module
from bench.storage.locks import Claims

HOLD = """
import sys, time
from pathlib import Path
from bench.storage.locks import Claims
with Claims() as claims:
    print(claims.take(Path(sys.argv[1])), flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds a claim, and the claim's file."""
    path = tmp_path / "kind" / "key.claim"
    command = [sys.executable, "-c", HOLD, str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "True\n"
    yield process, path
    process.kill()
    process.communicate()


def test_a_claim_of_a_living_process_holds_and_of_a_killed_one_does_not(holder):
    process, path = holder
    with Claims() as claims:
        assert not claims.take(path)
        process.send_signal(signal.SIGKILL)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # dead, though not yet reaped
        assert claims.take(path)
        assert not Claims().take(path)
    assert list(path.parent.iterdir()) == []


def test_a_claim_from_elsewhere_holds_while_it_is_touched(holder, monkeypatch):
    _process, path = holder
    monkeypatch.setattr(claims_module, "host", lambda: "another machine")
    with Claims() as claims:
        assert not claims.take(path)
        os.utime(path, (0, 0))
        assert claims.take(path)


def test_owners_touch_their_claims(tmp_path, monkeypatch):
    monkeypatch.setattr(claims_module, "BEAT_SECONDS", 0.01)
    path = tmp_path / "key.claim"
    with Claims() as claims:
        assert claims.take(path)
        os.utime(path, (0, 0))
        waiting = threading.Event()
        while path.stat().st_mtime == 0:
            waiting.wait(0.01)


def test_a_claim_that_was_taken_over_is_not_given_back(tmp_path):
    path = tmp_path / "key.claim"
    with Claims() as late, Claims() as quick:
        assert late.take(path)
        os.utime(path, (0, 0))
        assert quick.take(path)
        late.release(path)
        assert path.exists()
        assert not late.take(path)


def test_a_claim_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    with Claims() as claims, pytest.raises(UserError, match="cannot write"):
        claims.take(tmp_path / "file" / "key.claim")


def test_a_claim_that_cannot_be_written_is_not_left_behind(tmp_path):
    """Nobody could tell whose it is: the same command would wait for a minute."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Claims() as claims:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
        try:
            with pytest.raises(UserError, match="cannot write"):
                claims.take(tmp_path / "key.claim")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert not list(tmp_path.iterdir())
        assert claims.take(tmp_path / "key.claim")
