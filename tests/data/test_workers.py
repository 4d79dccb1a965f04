"""Worker processes end with the process that started them, and leave nothing in shared memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.data import workers

BUSY = """
import os, sys, time
from joblib import delayed
from bench.data.workers import parallel

def work(number):
    print(os.getpid(), flush=True)
    time.sleep(60)

parallel(2)(delayed(work)(number) for number in range(2))
"""

pytestmark = pytest.mark.skipif(not workers.SHARED.is_dir(), reason="needs the files of Linux")


def shared(pid):
    """What a process has in shared memory."""
    return [path.name for path in workers.SHARED.iterdir() if str(pid) in path.name]


def wait_until(condition, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


def test_workers_of_a_killed_process_end_and_leave_nothing():
    process = subprocess.Popen(
        [sys.executable, "-c", BUSY], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    started = [int(process.stdout.readline()) for _worker in range(2)]
    assert shared(process.pid)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in started), 5)
    assert wait_until(lambda: not shared(process.pid), 5)


def test_leftovers_of_dead_processes_are_swept_and_those_of_living_ones_kept():
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    names = [f"sem.loky-{{}}-test{os.getpid()}", f"joblib_memmapping_folder_{{}}_test{os.getpid()}"]
    gone, kept = (
        [workers.SHARED / n.format(pid) for n in names] for pid in (dead.pid, os.getpid())
    )
    for semaphore, folder in (gone, kept):
        semaphore.touch()
        folder.mkdir()
        (folder / "array").touch()
    try:
        workers.sweep_shared_memory()
        assert not any(path.exists() for path in gone)
        assert all(path.exists() for path in kept)
    finally:
        kept[0].unlink()
        (kept[1] / "array").unlink()
        kept[1].rmdir()
