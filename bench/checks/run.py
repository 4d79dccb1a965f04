"""The contract tests: the rules that every plugin must keep, checked on a toy problem in seconds.

``bench check FILE`` runs them on a user's file. The test suite runs the same ones over everything
registered.
"""

from __future__ import annotations

import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from bench.checks import attacks, methods, others
from bench.checks.toys import TOYS, Toy
from bench.errors import ContractError, UserError, one_line
from bench.outside import shown
from bench.plugins.chosen import Plugin
from bench.plugins.interrupts import is_interrupt
from bench.plugins.registry import Registry, Source
from bench.training.devices import one_thread

LIBRARIES = (sys.prefix, sysconfig.get_path("purelib"), str(Path(__file__).parent.parent))
NamedCheck = tuple[str, Callable[[], None]]


def check_file(path: Path) -> Iterator[tuple[str, str | None]]:
    """Run every contract test that applies to a plugin file.

    Yields
    ------
    tuple
        The name of a test, and what is wrong, or None if it passed. After a fault on one toy
        network, the other tests on that network are left out: they would only repeat it.
    """
    if not path.exists():
        raise UserError(f"{shown(path)}: no such file")
    source = Source.read(path)
    plugin = Registry((str(path),)).resolve(source.kind, source.name)
    broken: set[str] = set()
    for name, check in checks_for(plugin):
        network = name.partition(" (")[2]
        if network in broken:
            continue
        # Toy networks are small: threads would wait for one another.
        with one_thread(), plugin.importable():
            problem = problem_with(check)
        if problem and network:
            broken.add(network)
        yield name, problem


def problem_with(check: Callable[[], None]) -> str | None:
    """What a check finds wrong, in one line; None if it passes."""
    try:
        check()
    except (ContractError, UserError) as error:
        return one_line(error)
    except BaseException as error:
        if is_interrupt(error):
            raise
        frames = traceback.extract_tb(error.__traceback__)
        users = [frame for frame in frames if not frame.filename.startswith(LIBRARIES)]
        where = (users or frames)[-1]
        line = f"{Path(where.filename).name}, line {where.lineno}"
        return f"raised {one_line(error)} ({line})"
    return None


def checks_for(plugin: Plugin) -> list[NamedCheck]:
    """The contract tests of a plugin by name, ready to run."""
    if plugin.kind == "methods":
        return [
            (f"{_name(check)} ({network})", partial(_check_on_toy, check, plugin, network))
            for network in TOYS
            for check in methods.checks_on(network)
        ]
    checks = attacks.CHECKS if plugin.kind == "attacks" else [others.CHECKS[plugin.kind]]
    return [(_name(check), partial(check, plugin)) for check in checks]


def _check_on_toy(check: methods.MethodCheck, plugin: Plugin, network: str) -> None:
    check(plugin, Toy(network))


def _name(check: Callable[..., None]) -> str:
    return check.__name__.removeprefix("check_").replace("_", " ")
