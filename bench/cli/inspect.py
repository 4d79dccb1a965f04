"""The commands that only look things up: ``bench list``, ``show``, ``check``."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated, Any

import typer

Plugins = Annotated[
    list[str] | None, typer.Option("--plugin", "-p", metavar="FILE", help="Also this file.")
]


class Kind(enum.StrEnum):
    """What can be listed."""

    methods = "methods"
    attacks = "attacks"
    datasets = "datasets"
    models = "models"
    scenarios = "scenarios"
    configs = "configs"
    keys = "keys"


def list_plugins(
    kind: Annotated[Kind, typer.Argument(help="What to list.")],
    plugin: Plugins = None,
) -> None:
    """List what can be named: plugins, recipes (configs), and keys of recipes and --set."""
    from bench.config.schema import recipes

    if kind is Kind.configs:
        lines = recipes()
    elif kind is Kind.keys:
        from bench.plugins.card import keys

        lines = keys()
    else:
        from bench.plugins.registry import Registry

        entries = Registry(tuple(plugin or ())).entries(kind.value)
        lines = {entry.name: _summary(entry.source) for entry in entries}
    width = max(map(len, lines), default=0)
    for name, summary in lines.items() if kind is Kind.keys else sorted(lines.items()):
        typer.echo(f"{name:<{width}}  " + summary.replace("\n", "\n" + " " * (width + 2)))


def _summary(source: Any) -> str:
    """What it is; what a method needs and who published it; what else can be set."""
    from bench.plugins.registry import needs_in_words

    lines = [source.summary]
    if source.kind == "methods":
        lines.append(f"needs: {needs_in_words(source.needs, source.prepares)}")
    if source.paper:
        lines.append(f"paper: {source.paper}")
    if source.params:
        lines.append(f"parameters: {', '.join(source.params)}")
    return "\n".join(lines)


def show(
    name: Annotated[
        str, typer.Argument(help="Of a method, attack, data set, model, scenario or recipe.")
    ],
    plugin: Plugins = None,
) -> None:
    """Print a plugin's card (source, equation, deviations, parameters), or a recipe."""
    from bench.plugins.card import cards

    typer.echo("\n\n".join(cards(name, tuple(plugin or ()))))


def check(
    file: Annotated[str, typer.Argument(help="A plugin file.")],
) -> None:
    """Run the contract tests on a plugin file: the same that run over every built-in."""
    from bench.checks.run import check_file
    from bench.plugins.registry import Source

    failed = False
    source = Source.read(Path(file)) if Path(file).is_file() else None
    if source:
        typer.echo(f"{source.name} ({source.kind}): {source.summary}")
    for name, problem in check_file(Path(file)):
        typer.echo(f"{'FAIL' if problem else 'ok  '}  {name}{': ' + problem if problem else ''}")
        failed |= bool(problem)
    if failed and source and source.kind == "methods":
        typer.echo("what would only repeat a fault on the same network was not run")
    if failed:
        raise typer.Exit(1)
