"""Shared fixtures: one tiny end-to-end run, made once for all tests that only read it."""

from __future__ import annotations

import os

import pytest
import torch
from hypothesis import settings

import bench
from bench.messages import show_messages
from bench.outside import shown
from tests.helpers.tiny_run import tiny

pytest.register_assert_rewrite("tests.helpers.comparing", "tests.helpers.page")
os.environ["NO_COLOR"] = "1"
show_messages()
torch.set_num_threads(1)  # toy networks: threads would wait for one another
settings.register_profile("bench", deadline=None, derandomize=True)  # equal runs, equal verdicts
settings.load_profile("bench")


def pytest_make_parametrize_id(val: object) -> str | None:
    """Names of tests are printable and short, whatever text they try."""
    return shown(val, 60) if isinstance(val, str) else None


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> bench.Run:
    """A finished tiny run; tests must not change its folder."""
    return bench.run(tiny(tmp_path_factory.mktemp("tiny")), quiet=True)
