"""Which GPU a process takes, and how many processes there are; on machines that have none."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress

import pytest
from joblib import Parallel, delayed
from joblib.externals.loky import get_reusable_executor

from bench.engine.graph import open_context
from bench.stages.cell import Cell
from bench.stages.networks import Networks
from bench.training.devices import device_name, process_count
from tests.helpers.speeds import remember_speeds
from tests.helpers.tiny_run import tiny


@pytest.mark.parametrize(
    ("jobs", "device", "gpus", "expected"),
    [
        (None, "auto", 0, 5),
        (None, "cpu", 4, 5),
        (None, "auto", 1, 1),
        (None, "cuda", 4, 4),
        (None, "cuda:1", 4, 1),
        (3, "cuda:1", 4, 3),
        (4, "auto", 2, 4),
        (2, "cpu", 0, 2),
        (1000, "cpu", 0, 20),
    ],
)
def test_one_process_a_core_or_a_gpu_or_as_many_as_asked_for(
    monkeypatch, jobs, device, gpus, expected
):
    monkeypatch.setattr("bench.training.devices.cores", lambda: 5)
    assert process_count(jobs, device, gpus) == expected


@pytest.mark.parametrize(
    ("device", "gpus", "expected"),
    [
        ("auto", 0, "cpu"),
        ("auto", 2, "cuda:0"),
        ("cuda", 2, "cuda:0"),
        ("cuda", 0, "cuda"),  # which is refused when it is used
        ("cuda:1", 2, "cuda:1"),
        ("cpu", 2, "cpu"),
    ],
)
def test_the_main_process_takes_the_first_gpu(device, gpus, expected):
    assert device_name(device, gpus) == expected


@pytest.fixture
def pool_of_its_own():
    """Workers without torch would look as if they leaked memory when they load it later."""
    yield
    get_reusable_executor().shutdown(wait=True, kill_workers=True)


def workers(count, device="auto", gpus=2):
    """Process numbers of all workers, each with the device that it said, always the same one."""

    def taken(_task):  # sent by value: a worker need not import this file, and torch with it
        from bench.training.devices import device_name

        time.sleep(0.1)  # so that every worker that has started gets a task
        return os.getpid(), device_name(device, gpus)

    found, deadline = set(), time.monotonic() + 60
    while len(found) < count and time.monotonic() < deadline:  # a busy machine starts them late
        found |= set(Parallel(n_jobs=count)(delayed(taken)(task) for task in range(3 * count)))
    assert len(dict(found)) == len(found) == count
    return dict(found)


def test_workers_share_the_gpus_evenly_keep_theirs_and_are_replaced_on_the_free_one(
    pool_of_its_own,
):
    devices = workers(4)
    assert sorted(devices.values()) == ["cuda:0", "cuda:0", "cuda:1", "cuda:1"]
    assert workers(4) == devices
    assert set(workers(4, "cuda:1").values()) == {"cuda:1"}
    kept = workers(2)  # two are sent home, whichever
    assert kept.items() <= devices.items()
    again = workers(4)
    assert kept.items() <= again.items()
    assert sorted(again.values()) == sorted(devices.values())
    os.kill(next(iter(again)), signal.SIGKILL)
    with suppress(BrokenProcessPool):  # whether it is noticed now, or was before
        workers(4)
    assert sorted(workers(4).values()) == sorted(devices.values())


def test_where_models_are_made_is_not_in_their_keys(tmp_path):
    here, there = tiny(tmp_path), tiny(tmp_path, jobs=4, device="cuda:3")
    cell = Cell("train", "original", 0)
    assert open_context(here).key(cell) == open_context(there).key(cell)


def test_a_worker_uses_the_precision_that_the_main_process_resolved(tmp_path):
    """On another GPU bf16 might not pay: what it made there would have other keys."""
    config = tiny(tmp_path / "here", train={"precision": "auto"})
    remember_speeds(config, fp32=1.0, bf16=0.1)
    asking = open_context(config)
    told = asking.once(Networks).settled_config
    working = open_context(told.model_copy(update={"out": str(tmp_path / "there")}))
    cell = Cell("train", "original", 0)
    assert working.once(Networks).settings.precision == "bf16"
    assert not list((tmp_path / "there").rglob("precision-*.json"))  # nothing was measured
    assert working.key(cell) == asking.key(cell)
