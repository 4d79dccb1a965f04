"""The command line: ``bench run``, ``score``, ``report``, ``list``, ``show``, ``check``.

Results go to standard output, progress and messages to standard error. Exit codes: 0 for success; 1
where a cell failed, the user made a mistake (one line says which) or standard output is full; 2 for
wrong usage; 130 when interrupted; 141 when the reader of the output stopped reading (``| head``).
Nothing heavy is imported here.
"""

from __future__ import annotations

import enum
import errno
import io
import logging
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.cli import inspect as lookup
from bench.cli.options import DEFAULT_OUT, Out, Quiet, given_options, plugin_option, with_settings
from bench.errors import UserError
from bench.messages import give_up, open_standard_streams, say, show_messages, tell
from bench.outside import user_path

if TYPE_CHECKING:
    from bench.config.schema import Config
    from bench.results.run import Run

log = logging.getLogger(__name__)
app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Benchmark machine unlearning: same checkpoints, same forget set, same attacks.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
USAGE: Any = typer.BadParameter.__base__  # of click, or of the copy of it in newer typers
FULL = (errno.ENOSPC, errno.EDQUOT)  # a disk, or what standard output goes to
PIPE_CLOSED, INTERRUPTED = 141, 130  # what a shell reports for any program that ended so


class Stop(enum.StrEnum):
    """Stages after which a run may stop."""

    train = "train"
    unlearn = "unlearn"
    predict = "predict"


def _show_version(wanted: bool) -> None:
    if wanted:
        from bench.storage.provenance import package_version

        say(f"bench {package_version()}")
        raise typer.Exit


@app.callback()
def _program(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Options of the program itself."""


@app.command()
@with_settings
def run(
    config: Annotated[
        str | None,
        typer.Option(
            "--config",
            "-c",
            metavar="NAME",
            help="Recipe: a file, or a name of `bench list configs`; by default the one that is "
            "named like the data set.",
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            "-s",
            metavar="KEY=VALUE",
            help="Set any key of `bench list keys`. For example train.epochs=10. May be repeated.",
        ),
    ] = None,
    until: Annotated[
        Stop | None,
        typer.Option(help="Stop after this stage; after predict, `bench score` goes on anywhere."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what the run would do, and do nothing.")
    ] = False,
    quiet: Quiet = False,
    **options: Any,
) -> None:
    """Train, unlearn, predict, score and report; finished work is never repeated."""
    with _interruptible():  # the imports, too: they take a second
        from bench.plugins.resolve import resolve_config
        from bench.storage.files import writing_nothing

        with writing_nothing() if dry_run else nullcontext():
            resolved = resolve_config(given_options(options), config, settings or ())
            if dry_run:
                from bench.engine.dry_run import describe_plan

                say(describe_plan(resolved))
                return
        if until:
            _run_until(resolved, until, quiet)
        else:
            from bench.engine.local import release_workers
            from bench.engine.run import run as run_config

            finished = run_config(resolved, quiet)
            release_workers()
            _report_finished(finished)


def _run_until(config: Config, stop: Stop, quiet: bool) -> None:
    """Make a run up to a stage, and print the command that continues it."""
    from bench.engine.run import run_until
    from bench.results.manifest import resume

    folder = run_until(config, stop.value, quiet)
    command = f"bench score {folder}" if stop is Stop.predict else resume(folder)
    say(f"stopped after {stop.value}; continue here or with a copy of {config.out}: {command}")


@app.command()
def score(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN]",
            help="Folder of a run, or the start of a name in OUT/runs [the newest run].",
        ),
    ] = None,
    out: Out = DEFAULT_OUT,
    plugin: Annotated[
        list[str] | None, plugin_option("Where a plugin file of the run is on this machine.")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Score and report a run whose models were made elsewhere; needs no data set."""
    with _interruptible():
        from bench.engine.run import score_stored
        from bench.results.find import find_run, newest_run

        folder = newest_run(user_path(out)) if run is None else find_run(run, user_path(out))
        _report_finished(score_stored(folder, quiet, tuple(plugin or ())))


@contextmanager
def _interruptible() -> Iterator[None]:
    """Turn Ctrl-C, or the end of a batch job, into one line: finished work is kept."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        log.warning("interrupted; repeat the command to go on from here")
        raise typer.Exit(INTERRUPTED) from None
    finally:
        signal.signal(signal.SIGTERM, before)


def _report_finished(run: Run) -> None:
    """Report a run that was just scored; exit with 1 where a cell failed."""
    from bench.reports.console import show_run

    show_run(run, None)
    if run.failed:
        raise typer.Exit(1)


@app.command()
def report(
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN]...",
            help="Folders of runs, or starts of names in OUT/runs [the newest finished run]; "
            "several runs are shown side by side.",
        ),
    ] = None,
    out: Out = DEFAULT_OUT,
    to: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER",
            help="Folder to write to [RUN/report; of several runs OUT/reports/NAME].",
        ),
    ] = None,
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            "-f",
            metavar="NAMES",
            help="Only these of html, csv, md, latex, json, figures [all].",
        ),
    ] = None,
    show_page: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
) -> None:
    """Print tables, and write them with figures and an offline page; computes no score."""
    from bench.config.load import CONFIG
    from bench.reports.console import show_run, show_several
    from bench.results.find import find_run, newest_finished, refuse_unfinished
    from bench.results.manifest import is_edited
    from bench.results.run import Run

    chosen = _formats(formats)
    if show_page and "html" not in chosen:
        raise UserError("--open needs the page: add --format html")
    named = [find_run(name, user_path(out)) for name in runs or ()]
    named = named or [newest_finished(user_path(out))]
    folders = list({folder.resolve(): folder for folder in named}.values())
    if len(folders) < len(named):
        log.warning("some runs are named more than once; each is taken once")
    finished = refuse_unfinished(folders)
    loaded = [Run.load(folder) for folder in finished]
    for run in loaded:
        if is_edited(run.folder, run.record["config"]):
            log.warning(
                "%s was edited after the run; this is the run as it was", run.folder / CONFIG
            )
    if len(loaded) > 1:
        page = show_several(loaded, Path(out), to, chosen)
    else:
        page = show_run(loaded[0], to, chosen)
    if show_page and page:
        _open(page)
    if len(finished) < len(folders):
        raise typer.Exit(1)


def _formats(texts: Sequence[str] | None) -> tuple[str, ...]:
    """The formats that are named, one by one or as lists; all where none is named."""
    from bench.config.spelling import split_list, unknown
    from bench.reports.write import FORMATS

    named = tuple(name for text in texts or () for name in split_list(text) or [""])
    for name in named:
        if name not in FORMATS:
            raise unknown("format", name, list(FORMATS))
    return named or FORMATS


def _open(page: Path) -> None:
    """Show the page in the user's browser, or say that there is none."""
    import webbrowser

    if not webbrowser.open(page.resolve().as_uri()):
        log.warning("no browser on this machine: open %s in one", page)


app.command("list")(lookup.list_names)
app.command()(lookup.show)
app.command()(lookup.check)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code. Bugs keep their traceback."""
    open_standard_streams()
    show_messages()
    try:
        code = app(arguments, prog_name="bench", standalone_mode=False)
    except UserError as error:
        log.error("error: %s", error)
        return 1
    except USAGE as error:
        usage = io.StringIO()
        error.show(usage)
        tell(usage.getvalue().rstrip())
        return int(error.exit_code)
    except OSError as error:
        if error.errno not in FULL:
            raise
        log.error("error: %s: make room, then repeat the command", error.strerror)
        give_up(sys.stdout)
        return 1
    except SystemExit as stop:
        if isinstance(stop.__context__, BrokenPipeError):
            return PIPE_CLOSED
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    return code if isinstance(code, int) else 0
