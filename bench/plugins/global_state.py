"""What a plugin may read but not change: settings of the process, and functions of others.

Torch, numpy and Python keep settings that belong to the whole process, and any code may replace a
function of any library. Either would change the numbers of other rows. ``unchanged`` compares this
state before and after a plugin ran, puts it back, and names the plugin. What it cannot see, such as
the inside of a compiled library, stays in the process that a plugin of the user's has for itself.
"""

from __future__ import annotations

import decimal
import locale
import os
import random
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.nn.modules import module as module_hooks
from torch.optim import optimizer as optimizer_hooks

from bench.errors import UserError
from bench.plugins.patches import Functions

MOST_NAMED = 3  # changes that a message lists
# Libraries that plugins may import set these once, when they are imported.
SET_BY_LIBRARIES = ("KMP_", "OMP_", "MKL_", "TORCHINDUCTOR_", "TRITON_", "CUDA_MODULE_LOADING")


class Setting(NamedTuple):
    """A setting of the process; ``write`` is None where it cannot be put back."""

    name: str
    read: Callable[[], Any]
    write: Callable[[Any], object] | None


def _attribute(owner: Any, name: str, label: str) -> Setting:
    return Setting(label, lambda: getattr(owner, name), lambda value: setattr(owner, name, value))


def _of_dict(target: dict[Any, Any], label: str) -> Setting:
    """A dictionary that must keep its entries, such as the hooks of all networks."""

    def write(value: dict[Any, Any]) -> None:
        target.clear()
        target.update(value)

    return Setting(label, lambda: dict(target), write)


def _environment() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith(SET_BY_LIBRARIES)}


def _restore_environment(before: dict[str, str]) -> None:
    for name in _environment().keys() - before.keys():
        del os.environ[name]
    os.environ.update(before)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _working_directory() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:
        return "a folder that was deleted"


def _signal_handlers() -> dict[int, Any]:
    return {number: signal.getsignal(number) for number in signal.valid_signals()}


def _restore_signal_handlers(before: dict[int, Any]) -> None:
    if threading.current_thread() is not threading.main_thread():
        return
    for number, handler in before.items():
        if handler is not None and signal.getsignal(number) is not handler:
            signal.signal(number, handler)


def _filters() -> list[tuple[Any, ...]]:
    """The filters that hold for warnings of all modules; libraries add some for their own."""
    return [
        each
        for each in warnings.filters
        if not each[1] and not each[3] and each[2].__module__ == "builtins"
    ]


def _restore_filters(before: list[tuple[Any, ...]]) -> None:
    kept = [each for each in warnings.filters if each in before or each not in _filters()]
    missing = [each for each in before if each not in kept]
    warnings.resetwarnings()
    warnings.filters[:] = [*kept, *missing]  # type: ignore[index]


def _numpy_generator() -> tuple[Any, ...]:
    state: dict[str, Any] = dict(np.random.get_state(legacy=False))
    twister = state.pop("state")
    return twister["key"].tobytes(), twister["pos"], tuple(state.items())


def _restore_numpy_generator(before: tuple[Any, ...]) -> None:
    key, pos, rest = before
    state = {"key": np.frombuffer(key, np.uint32), "pos": pos}
    np.random.set_state({**dict(rest), "state": state})


def _torch_generator() -> bytes:
    return torch.get_rng_state().numpy().tobytes()


def _restore_torch_generator(before: bytes) -> None:
    torch.set_rng_state(torch.frombuffer(bytearray(before), dtype=torch.uint8))


def _keeps_denormals() -> bool:
    smallest = sys.float_info.min
    return smallest / 2 > 0


def _default_device() -> torch.device | None:
    context = getattr(torch._GLOBAL_DEVICE_CONTEXT, "device_context", None)
    return None if context is None else context.device


def _autocast() -> tuple[Any, ...]:
    depth = torch.autocast_increment_nesting()  # nothing else tells it
    torch.autocast_decrement_nesting()
    kinds = ("cpu", "cuda")
    return depth, *((torch.is_autocast_enabled(k), torch.get_autocast_dtype(k)) for k in kinds)


def _set_autocast(before: tuple[Any, ...]) -> None:
    depth, *kinds = before
    for kind, (enabled, dtype) in zip(("cpu", "cuda"), kinds, strict=True):
        torch.set_autocast_enabled(kind, enabled)
        torch.set_autocast_dtype(kind, dtype)
    # Within a block that was never left, torch would go on using its copies of old weights.
    while torch.autocast_increment_nesting() > depth:
        torch.autocast_decrement_nesting()
        torch.autocast_decrement_nesting()
    torch.autocast_decrement_nesting()
    torch.clear_autocast_cache()


def _deterministic() -> tuple[bool, bool]:
    return (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )


def _set_deterministic(before: tuple[bool, bool]) -> None:
    torch.use_deterministic_algorithms(before[0], warn_only=before[1])


def _decimal() -> tuple[Any, ...]:
    context = decimal.getcontext()
    return context.prec, context.rounding, context.Emin, context.Emax


def _set_decimal(before: tuple[Any, ...]) -> None:
    context = decimal.getcontext()
    context.prec, context.rounding, context.Emin, context.Emax = before


def _hooks() -> Iterator[Setting]:
    for owner, what in ((module_hooks, "networks"), (optimizer_hooks, "optimizers")):
        for name, value in vars(owner).items():
            if name.startswith("_global_") and isinstance(value, dict):
                yield _of_dict(value, f"the hooks of all {what}")


def _function_modes() -> int:
    return int(torch._C._len_torch_function_stack())


def _leave_function_modes(before: int) -> None:
    while _function_modes() > before:
        torch._C._pop_torch_function_stack()


def _torch_settings() -> Iterator[Setting]:
    backends = torch.backends
    yield Setting("torch's default device", _default_device, torch.set_default_device)
    yield Setting("torch's function modes", _function_modes, _leave_function_modes)
    yield Setting("torch's dispatch modes", torch._C._len_torch_dispatch_stack, None)
    yield Setting("torch's inference mode", torch.is_inference_mode_enabled, None)
    yield Setting("torch's default dtype", torch.get_default_dtype, torch.set_default_dtype)
    yield Setting("torch's gradient mode", torch.is_grad_enabled, torch._C._set_grad_enabled)
    yield Setting("torch's autocast", _autocast, _set_autocast)
    yield Setting("torch's deterministic algorithms", _deterministic, _set_deterministic)
    detect = torch.autograd.set_detect_anomaly
    yield Setting("torch's anomaly detection", torch.is_anomaly_enabled, detect)
    precision = torch.get_float32_matmul_precision, torch.set_float32_matmul_precision
    yield Setting("torch's precision of matrix products", *precision)
    yield Setting("torch's number of threads", torch.get_num_threads, torch.set_num_threads)
    yield Setting("torch's number of interop threads", torch.get_num_interop_threads, None)
    denormals = _keeps_denormals, lambda keeps: torch.set_flush_denormal(not keeps)
    yield Setting("torch's treatment of denormal numbers", *denormals)
    for name in ("enabled", "benchmark", "deterministic", "allow_tf32"):
        yield _attribute(backends.cudnn, name, f"torch.backends.cudnn.{name}")
    yield _attribute(backends.cuda.matmul, "allow_tf32", "torch.backends.cuda.matmul.allow_tf32")
    yield _attribute(backends.mkldnn, "enabled", "torch.backends.mkldnn.enabled")
    yield from _hooks()


def _other_settings() -> Iterator[Setting]:
    yield Setting("numpy's error handling", np.geterr, lambda before: np.seterr(**before))
    yield Setting("the context of decimal", _decimal, _set_decimal)
    yield Setting("the working directory", _working_directory, os.chdir)
    yield Setting("environment variables", _environment, _restore_environment)
    yield Setting("the umask", _umask, os.umask)
    yield Setting("signal handlers", _signal_handlers, _restore_signal_handlers)
    yield Setting("the recursion limit", sys.getrecursionlimit, sys.setrecursionlimit)
    set_locale = locale.setlocale
    every = locale.LC_ALL
    yield Setting("the locale", lambda: set_locale(every), lambda before: set_locale(every, before))
    set_path = partial(sys.path.__setitem__, slice(None))
    yield Setting("sys.path", lambda: list(sys.path), set_path)
    yield Setting("filters of warnings", _filters, _restore_filters)


# Some libraries draw from it when they are imported: then it is put back without a word.
PYTHONS_GENERATOR = Setting("Python's random state", random.getstate, random.setstate)


def _random_states() -> Iterator[Setting]:
    yield PYTHONS_GENERATOR
    yield Setting("numpy's random state", _numpy_generator, _restore_numpy_generator)
    yield Setting("torch's random state", _torch_generator, _restore_torch_generator)


SETTINGS = (*_torch_settings(), *_other_settings())
RANDOM_STATES = tuple(_random_states())


@contextmanager
def unchanged(
    who: str, may_draw: bool = False, others: Iterable[ModuleType] = ()
) -> Iterator[None]:
    """Run a plugin's code, put back what it changed of the process, and say so.

    Parameters
    ----------
    who
        The plugin, for the message.
    may_draw
        Whether the code may draw from the global generators, as networks do for their weights.
    others
        Modules of plugins, whose classes nobody may change either.

    Raises
    ------
    UserError
        If the body ends normally but left a setting or somebody else's function changed. Whatever
        the body raises itself goes on after everything was put back.
    """
    functions, modules = Functions.now(others), len(sys.modules)
    settings = SETTINGS if may_draw else (*SETTINGS, *RANDOM_STATES)
    before = list(zip(settings, read(settings), strict=True))
    try:
        yield
    except BaseException:
        restore(functions, before)
        raise
    changed = restore(functions, before)
    if len(sys.modules) > modules:
        changed = [name for name in changed if name != PYTHONS_GENERATOR.name]
    if changed:
        more = f" and {len(changed) - MOST_NAMED} more" if len(changed) > MOST_NAMED else ""
        raise UserError(
            f"{who} changed {', '.join(changed[:MOST_NAMED])}{more}, which other rows depend on: "
            "put it back before your code ends"
        )


def restore(functions: Functions, before: list[tuple[Setting, Any]]) -> list[str]:
    """Put everything back as far as that is possible; returns the names of what had changed."""
    names = functions.restore()  # first: what puts settings back may have been replaced
    now = read([setting for setting, _value in before])
    changed = [old for old, new in zip(before, now, strict=True) if old[1] != new]
    with torch._C.DisableTorchFunction():
        for setting, value in changed:
            if setting.write:
                setting.write(value)
    return list(dict.fromkeys([*names, *(setting.name for setting, _value in changed)]))


def read(settings: Sequence[Setting]) -> list[Any]:
    """The value of every setting, whatever mode of torch's somebody left on."""
    with torch._C.DisableTorchFunction():
        return [setting.read() for setting in settings]
