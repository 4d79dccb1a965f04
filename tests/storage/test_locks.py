"""Locks: one owner at a time, none that outlives its owner."""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time

import pytest

from bench.errors import UserError
from bench.storage import locks
from bench.storage.locks import Locks

LEASE, HEARTBEAT = 0.6, 0.1
HOLD = """
import sys, time
from pathlib import Path
from bench.storage.locks import Locks
with Locks() as held:
    print(held.take(Path(sys.argv[1])), flush=True)
    time.sleep(60)
"""
RACE = """
import sys, time
from pathlib import Path
from bench.storage.locks import Locks
folder = Path(sys.argv[1])
(folder / "ready" / sys.argv[2]).touch()
while not (folder / "go").exists():
    time.sleep(0.001)
with Locks() as held:
    print("".join(str(int(held.take(folder / f"{n}.lock"))) for n in range(50)), flush=True)
    sys.stdin.read()
"""
FORK = """
import os, sys, warnings
from pathlib import Path
from bench.storage.locks import Locks
warnings.simplefilter("ignore", DeprecationWarning)
path = Path(sys.argv[1])
with Locks() as held:
    held.take(path)
    child = os.fork()
    if not child:
        sys.exit()
    os.waitpid(child, 0)
    print(path.exists(), Locks().take(path))
print(path.exists())
"""


def script(code, *arguments, before=()):
    """Start a Python process that runs ``code``."""
    command = [*before, sys.executable, "-c", code, *map(str, arguments)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def quick():
    """Locks that expire sooner than usual."""
    return Locks(LEASE, HEARTBEAT)


def wait_for(held, path, seconds):
    """Try to take a lock until it works; the seconds that took, or None."""
    start = time.monotonic()
    while time.monotonic() - start < seconds:
        if held.take(path):
            return time.monotonic() - start
        time.sleep(0.02)
    return None


@pytest.fixture
def path(tmp_path):
    return tmp_path / "kind" / "key.lock"


@pytest.fixture
def holder(path):
    """Another process that holds a lock."""
    process = script(HOLD, path)
    assert process.stdout.readline() == "True\n"
    yield process
    process.kill()
    process.communicate()


@pytest.fixture
def foreign(path):
    """The lock of a run on another machine, which is not refreshed any more."""
    with quick() as held:
        assert held.take(path)
        marker = re.sub(r"(?m)^host=.*$", "host=elsewhere", path.read_text())
    path.write_text(marker)
    return path


def test_of_processes_that_race_one_gets_each_lock(tmp_path):
    (tmp_path / "ready").mkdir()
    racers = [script(RACE, tmp_path, number) for number in range(3)]
    while len(list((tmp_path / "ready").iterdir())) < len(racers):
        time.sleep(0.01)
    (tmp_path / "go").touch()
    taken = [racer.stdout.readline().strip() for racer in racers]
    for racer in racers:
        racer.communicate()
    assert [sum(map(int, column)) for column in zip(*taken, strict=True)] == [1] * 50
    assert not list(tmp_path.glob("*.lock*"))


def test_a_lock_of_a_living_process_holds_and_of_a_killed_one_does_not(holder, path):
    with Locks() as held:
        assert not held.take(path)
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        assert held.take(path)
        assert not Locks().take(path)
        assert not held.take(path)
    assert list(path.parent.iterdir()) == []


def test_a_lock_from_another_machine_expires_when_it_is_not_refreshed(foreign):
    with quick() as held:
        assert wait_for(held, foreign, 3 * LEASE) > 0.9 * LEASE


def test_a_lock_from_another_machine_holds_while_it_is_refreshed(foreign):
    with quick() as held:
        for _beat in range(10):
            os.utime(foreign)
            assert wait_for(held, foreign, LEASE / 4) is None


@pytest.fixture
def killed(path):
    """The lock of a process of this machine that is gone."""
    with quick() as held:
        assert held.take(path)
        marker = re.sub(r"(?m)^start=.*$", "start=1", path.read_text())
    path.write_text(marker)
    return path


@pytest.mark.parametrize("former_owner", ["killed", "foreign"])
def test_locks_expire_on_file_systems_that_cannot_swap_names(former_owner, request, monkeypatch):
    """As on NFS, where filelock alone waits for ever."""
    path = request.getfixturevalue(former_owner)
    for module in [module for name, module in sys.modules.items() if name.startswith("filelock")]:
        if hasattr(module, "exchange_names"):
            monkeypatch.setattr(module, "exchange_names", lambda *_names: False)
    with quick() as held:
        assert wait_for(held, path, 4 * LEASE) is not None
        assert not quick().take(path)
    assert list(path.parent.iterdir()) == []


def test_a_lock_whose_owner_was_killed_before_writing_its_name_expires(path):
    path.parent.mkdir()
    path.touch()
    with quick() as held:
        assert wait_for(held, path, 4 * LEASE) > 0.9 * LEASE


def test_an_owner_refreshes_its_lock(path):
    with quick() as held:
        assert held.take(path)
        os.utime(path, (0, 0))
        while path.stat().st_mtime == 0:
            time.sleep(0.01)


def test_a_lock_that_was_taken_over_is_not_released(path):
    with Locks() as slow, Locks() as fast:
        assert slow.take(path)
        path.unlink()
        assert fast.take(path)
        slow.release(path)
        assert path.exists()
        assert not slow.take(path)


def test_a_lock_is_readable_and_no_other_has_its_content(path):
    with Locks() as held:
        marks = set()
        for _again in range(3):
            assert held.take(path)
            marks.add(path.read_bytes())
            held.release(path)
        assert len(marks) == 3


def test_many_locks_are_held_at_once_and_then_no_more(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "MOST_HELD", 300)
    with Locks() as held:
        taken = [held.take(tmp_path / f"{number}.lock") for number in range(310)]
        assert taken == [True] * 300 + [False] * 10
        held.release(tmp_path / "0.lock")
        assert held.take(tmp_path / "309.lock")
    assert not list(tmp_path.iterdir())


def test_a_forked_child_neither_holds_nor_releases_the_lock(path):
    output, errors = script(FORK, path).communicate()
    assert output.split() == ["True", "False", "False"], errors


def test_containers_of_one_host_name_respect_each_others_locks(holder, path):
    """The owner's process number means nothing in another container."""
    contain = ["unshare", "--pid", "--fork", "--mount-proc"]
    if not shutil.which("unshare") or subprocess.run([*contain, "true"], check=False).returncode:
        pytest.skip("process namespaces need rights that this machine does not give")
    inside = "from bench.storage.locks import Locks; from pathlib import Path; print(Locks()"
    code = f"{inside}.take(Path({str(path)!r})))"
    output, errors = script(code, before=contain).communicate()
    assert output == "False\n", errors
    holder.kill()
    holder.wait()
    output, errors = script(code, before=contain).communicate()
    assert output == "False\n", errors  # it expires like one of another machine


def test_a_lock_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    with Locks() as held, pytest.raises(UserError, match="cannot write"):
        held.take(tmp_path / "file" / "key.lock")


def test_a_full_disk_is_one_line_and_leaves_no_half_written_lock(tmp_path):
    """Nobody could tell whose it is: the same command would wait for a minute."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Locks() as held:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
        try:
            with pytest.raises(UserError, match=r"cannot write [^\n]*$"):
                held.take(tmp_path / "key.lock")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert not list(tmp_path.iterdir())
        assert held.take(tmp_path / "key.lock")


def test_a_lock_whose_time_lies_in_the_future_expires_by_our_own_clock(foreign):
    years_ahead = time.time() + 10**8
    os.utime(foreign, (years_ahead, years_ahead))
    with quick() as held:
        assert wait_for(held, foreign, 4 * LEASE) > 0.9 * LEASE


def test_a_lock_of_a_version_with_another_lease_expires_by_our_own_clock(foreign):
    foreign.write_text(re.sub(r"(?m)^duration=.*$", "duration=86400.0", foreign.read_text()))
    with quick() as held:
        assert wait_for(held, foreign, 4 * LEASE) > 0.9 * LEASE


def test_who_waits_is_told_for_whom_once(foreign, monkeypatch, caplog):
    monkeypatch.setattr(locks, "TELL_SECONDS", 0.1)
    with quick() as held:
        assert wait_for(held, foreign, LEASE / 2) is None
        assert not held.take(foreign, "train of original 3")
    (line,) = caplog.messages
    assert line.startswith(f"waiting for process {os.getpid()} on elsewhere, which has been making")
    assert "expires after" in line


def test_who_waits_for_a_process_of_this_machine_is_told_its_number(
    holder, path, monkeypatch, caplog
):
    monkeypatch.setattr(locks, "TELL_SECONDS", 0.0)
    with Locks() as held:
        assert not held.take(path, "train of original 3")
    assert f"process {holder.pid} on this machine" in caplog.text
    assert "making train of original 3" in caplog.text


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/zero", path)])
def test_a_lock_that_is_no_file_is_one_line(make, path):
    path.parent.mkdir()
    make(path)
    with quick() as held, pytest.raises(UserError, match=r"is no file.*delete it"):
        held.take(path)
