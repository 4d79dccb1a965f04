"""The commands that only look things up: ``bench list``, ``show``, ``check``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.options import plugin_option
from bench.messages import say
from bench.outside import user_path

if TYPE_CHECKING:
    from bench.plugins.source import Source

Plugins = Annotated[list[str] | None, plugin_option("File with a plugin of your own.")]
KINDS = ("methods", "attacks", "datasets", "models", "scenarios", "configs", "keys")


def list_names(
    kind: Annotated[str, typer.Argument(metavar="|".join(KINDS), help="What to list.")],
    plugin: Plugins = None,
) -> None:
    """List plugins of one kind, recipes (configs), or the keys that recipes and --set take."""
    lines = _lines(kind, tuple(plugin or ()))
    width = max(map(len, lines), default=0)
    for name, text in lines.items():
        say(f"{name:<{width}}  " + text.replace("\n", "\n" + " " * (width + 2)))


def _lines(kind: str, files: tuple[str, ...]) -> dict[str, str]:
    """The names to list, in order, each with its description."""
    from bench.config.describe import describe_keys
    from bench.config.load import recipes
    from bench.config.spelling import unknown
    from bench.plugins.registry import Registry

    if kind == "configs":
        return recipes()
    if kind == "keys":
        return describe_keys()
    if kind not in KINDS:
        raise typer.BadParameter(str(unknown("kind", kind, list(KINDS))))
    entries = Registry(files).entries(kind)
    return {entry.name: _describe(entry.source) for entry in sorted(entries, key=lambda e: e.name)}


def _describe(source: Source) -> str:
    """The plugin's summary, what a method needs, who published it, and its parameters."""
    from bench.plugins.source import needs_in_words

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
        str,
        typer.Argument(help="Name of a method, attack, data set, model, scenario or recipe."),
    ],
    plugin: Plugins = None,
) -> None:
    """Print the card of a plugin (source, equation, deviations, parameters), or a recipe."""
    from bench.plugins.card import cards

    say("\n\n".join(cards(name, tuple(plugin or ()))))


def check(
    file: Annotated[str, typer.Argument(help="File with a plugin.")],
) -> None:
    """Run the contract tests on a plugin file: the same that run over every built-in."""
    from bench.checks.run import check_file
    from bench.plugins.registry import Source

    path, failed = user_path(file), False
    source = Source.read(path) if path.exists() else None
    if source:
        say(f"{source.name} ({source.kind}): {source.summary}")
    for name, problem in check_file(path):
        say(f"FAIL  {name}: {problem}" if problem else f"ok    {name}")
        failed |= bool(problem)
    if failed and source and source.kind == "methods":
        say("After a failed test, the other tests on the same network were skipped.")
    if failed:
        raise typer.Exit(1)
