"""A plugin's code leaves the process as it found it, or is named; then everything is put back."""

from __future__ import annotations

import decimal
import os
import random
import signal
import sys
import warnings

import numpy as np
import pytest
import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

import bench.training.prediction
import bench.training.trainer
from bench.errors import UserError
from bench.plugins.global_state import unchanged
from bench.seeds import global_state


def other(*_arguments: object, **_named: object) -> int:
    """What a trick puts in the place of something else."""
    return 0


class Mode(TorchFunctionMode):
    """A mode that changes what torch's functions do, and is never left."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        return func(*args, **(kwargs or {}))


TRICKS = {
    "torch.nn.functional.cross_entropy": lambda: setattr(functional, "cross_entropy", other),
    "torch.nn.functional.nll_loss": lambda: setattr(
        functional.nll_loss, "__code__", other.__code__
    ),
    "torch.nn.functional.dropout": lambda: setattr(functional.dropout, "__defaults__", (0.9,)),
    "torch.nn.functional.relu": lambda: delattr(functional, "relu"),
    "torch.relu": lambda: setattr(torch, "relu", other),
    "torch.nn.modules.module.Module.train": lambda: setattr(torch.nn.Module, "train", other),
    "torch.nn.modules.conv.Conv2d.__call__": lambda: setattr(torch.nn.Conv2d, "__call__", other),
    "torch.optim.sgd.SGD.step": lambda: setattr(torch.optim.SGD, "step", other),
    "torch.Tensor.backward": lambda: setattr(torch.Tensor, "backward", other),
    "numpy.median": lambda: setattr(np, "median", np.mean),
    "builtins.sorted": lambda: setattr(sys.modules["builtins"], "sorted", other),
    "bench.training.prediction.PREDICT_BATCH": lambda: setattr(
        bench.training.prediction, "PREDICT_BATCH", 1
    ),
    "bench.training.trainer.len": lambda: setattr(bench.training.trainer, "len", other),
    "bench.training.trainer.Trainer.train": lambda: setattr(
        bench.training.trainer.Trainer, "train", other
    ),
    "torch's default dtype": lambda: torch.set_default_dtype(torch.float64),
    "torch's default device": lambda: torch.set_default_device("meta"),
    "torch's function modes": lambda: Mode().__enter__(),
    "torch's gradient mode": lambda: torch.set_grad_enabled(False),
    "torch's autocast": lambda: torch.autocast("cpu").__enter__(),
    "torch's deterministic algorithms": lambda: torch.use_deterministic_algorithms(True),
    "torch's anomaly detection": lambda: torch.autograd.set_detect_anomaly(True),
    "torch's number of threads": lambda: torch.set_num_threads(torch.get_num_threads() + 1),
    "torch's treatment of denormal numbers": lambda: torch.set_flush_denormal(True),
    "torch's precision of matrix products": lambda: torch.set_float32_matmul_precision("medium"),
    "torch.backends.cudnn.benchmark": lambda: setattr(torch.backends.cudnn, "benchmark", True),
    "the hooks of all networks": lambda: torch.nn.modules.module.register_module_forward_hook(
        lambda *_: None
    ),
    "torch's random state": lambda: torch.manual_seed(7),
    "numpy's random state": lambda: np.random.seed(7),
    "Python's random state": lambda: random.seed(7),
    "numpy's error handling": lambda: np.seterr(divide="ignore"),
    "the context of decimal": lambda: setattr(decimal.getcontext(), "prec", 3),
    "the working directory": lambda: os.chdir("/"),
    "environment variables": lambda: os.environ.update(MY_SETTING="1"),
    "the umask": lambda: os.umask(0o007),
    "signal handlers": lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    "the recursion limit": lambda: sys.setrecursionlimit(12_345),
    "sys.path": lambda: sys.path.insert(0, "/somewhere"),
    "filters of warnings": lambda: warnings.simplefilter("ignore"),
}


@pytest.mark.parametrize("name", TRICKS)
def test_what_a_plugin_changes_is_named_and_put_back(name):
    with pytest.raises(UserError) as caught, unchanged("method mine (mine.py)"):
        TRICKS[name]()
    assert str(caught.value).startswith("method mine (mine.py) changed ")
    assert name in str(caught.value)
    with unchanged("nobody"):
        assert torch.relu(torch.ones(2)).sum().item() == 2
    assert np.median([1.0, 1.0, 4.0]) == 1.0


def test_a_plugin_that_fails_changes_nothing_either():
    before = functional.cross_entropy, os.getcwd(), global_state()

    def work():
        functional.cross_entropy = other
        os.chdir("/")
        random.seed(1)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), unchanged("mine"):
        work()
    assert (functional.cross_entropy, os.getcwd(), global_state()) == before


def test_weights_of_a_block_of_autocast_that_was_never_left_are_not_used_again():
    with pytest.raises(UserError, match="torch's autocast"), unchanged("mine"):
        torch.autocast("cpu").__enter__()
    layer = torch.nn.Linear(2, 1, bias=False)
    for value in (1.0, 3.0):
        with torch.no_grad():
            layer.weight.fill_(value)
        with torch.autocast("cpu", torch.bfloat16):
            assert layer(torch.ones(1, 2)).item() == 2 * value


def test_networks_may_draw_their_weights():
    with unchanged("model mine", may_draw=True):
        torch.nn.Linear(2, 2)
    with pytest.raises(UserError, match="changed torch's random state"), unchanged("mine"):
        torch.nn.Linear(2, 2)


def test_many_changes_are_counted():
    names = ("relu", "gelu", "elu", "silu", "mish")
    with pytest.raises(UserError, match=r"changed .*, .*, .* and 2 more, which"), unchanged("mine"):
        _ = [setattr(functional, name, other) for name in names]


def test_what_plugins_usually_do_is_no_change():
    with unchanged("mine"):
        with torch.no_grad(), np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = torch.nn.Sequential(torch.nn.ReLU())
            model.register_forward_hook(lambda *_: None)
            model(torch.zeros(2, 2))
        import colorsys

        assert colorsys.rgb_to_hsv(0, 0, 0) == (0, 0, 0)
