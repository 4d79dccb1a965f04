"""Seeds follow from names alone."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from bench import seeds
from bench.seeds import global_state


def test_a_seed_is_a_function_of_its_name():
    assert seeds.derive(0, "digits", 3) == seeds.derive(0, "digits", 3) == 3377286354362284686
    names = [(0, "a"), (1, "a"), (0, "b"), (0, "a", 0), ("0", "a")]
    assert len({seeds.derive(*name) for name in names}) == len(names)
    assert 0 <= seeds.derive("x") < 2**63


def test_generators_repeat():
    assert seeds.numpy_rng("x").random() == seeds.numpy_rng("x").random()
    draws = [torch.rand(3, generator=seeds.torch_rng("x")) for _ in range(2)]
    assert torch.equal(*draws)


def test_isolation_seeds_the_global_generators_and_puts_them_back():
    before = global_state()
    drawn = []
    for _ in range(2):
        with seeds.isolated(5):
            drawn.append((random.random(), np.random.rand(), torch.rand(1).item()))
    assert drawn[0] == drawn[1]
    with pytest.raises(ZeroDivisionError):
        _draw_and_fail()
    assert global_state() == before


def _draw_and_fail():
    with seeds.isolated(6):
        torch.rand(1)
        raise ZeroDivisionError
