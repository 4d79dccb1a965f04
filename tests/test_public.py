"""What plugin authors import from ``bench`` is there, and is imported on first use only."""

from __future__ import annotations

import subprocess
import sys

import pytest

import bench
from bench.plugins.method import Method
from bench.plugins.outputs import Scores


def test_every_public_name_can_be_imported():
    for name in bench.__all__:
        value = getattr(bench, name)  # a constant knows no module
        assert getattr(value, "__module__", "bench.").startswith("bench."), name
    assert bench.Method is Method
    assert bench.Scores is Scores


def test_another_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'bench' has no attribute 'nothing'"):
        _ = bench.nothing


def test_importing_bench_loads_nothing_heavy():
    code = "import sys, bench; assert not {'torch', 'numpy', 'pydantic'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
