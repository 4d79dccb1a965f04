"""The command line: ``bench run``, ``score``, ``report``, ``list``, ``show``, ``check``.

Results go to stdout, progress and messages to stderr. Exit codes: 0 all there; 1 a cell failed, or
the user's mistake (one line); 2 usage; 130 interrupted; 141 whoever read the output had enough
(``| head``). Nothing heavy is imported here.
"""

from __future__ import annotations

import enum
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.cli import inspect as lookup
from bench.errors import UserError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Benchmark machine unlearning: same checkpoints, same forget set, same attacks.",
    context_settings={"help_option_names": ["-h", "--help"]},
)


PIPE_CLOSED, INTERRUPTED = 141, 130  # what a shell says of any tool that ended so
Out = Annotated[str, typer.Option(metavar="FOLDER", help="Folder that holds the results.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")]


class Stop(enum.StrEnum):
    """Stages after which a run may stop."""

    train = "train"
    unlearn = "unlearn"
    predict = "predict"


def _show_version(wanted: bool) -> None:
    if wanted:
        from bench.storage.provenance import package_version

        typer.echo(f"bench {package_version()}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show it.")
    ] = False,
) -> None:
    """Options of the program itself."""


@app.command()
def run(
    config: Annotated[
        str | None,
        typer.Option(
            "--config",
            "-c",
            metavar="NAME",
            help="Recipe: a name of 'bench list configs', or a file.",
        ),
    ] = None,
    methods: Annotated[
        str | None,
        typer.Option(
            "--methods", "-m", metavar="NAMES", help="For example pgu,ssd[alpha=5], or all."
        ),
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(metavar="NAME", help="For example cifar10, npz:PATH [digits].")
    ] = None,
    scenario: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="For example class, poison[rate=0.2,flip=any] [poison]."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="For example resnet18, small-cnn[width=32] [small-cnn]."),
    ] = None,
    attacks: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES", help="For example errors,membership, or all [see list attacks]."
        ),
    ] = None,
    models: Annotated[
        str | None, typer.Option(metavar="N", help="Models in each population [20].")
    ] = None,
    originals: Annotated[
        str | None,
        typer.Option(metavar="WHICH", help="each: N originals; one: one original N times [each]."),
    ] = None,
    subset: Annotated[
        str | None, typer.Option(metavar="N", help="Use only so many training images.")
    ] = None,
    seed: Annotated[
        str | None, typer.Option(metavar="N", help="Everything random follows from it [0].")
    ] = None,
    jobs: Annotated[
        str | None,
        typer.Option(
            "--jobs", "-j", metavar="N", help="Processes side by side [one a core, or a GPU]."
        ),
    ] = None,
    backend: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="local: this machine's processes; dask: a cluster's."),
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Of dask, for example tcp://host:8786.")
    ] = None,
    device: Annotated[
        str | None, typer.Option(metavar="NAME", help="auto, cpu, cuda: all GPUs, or one: cuda:1.")
    ] = None,
    out: Annotated[
        str | None, typer.Option(metavar="FOLDER", help="Folder for results [bench-results].")
    ] = None,
    data_dir: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER", help="Folder that holds data sets [BENCH_DATA_DIR, bench-data]."
        ),
    ] = None,
    download: Annotated[
        bool,
        typer.Option(
            "--download", help="Fetch what is missing of CIFAR, MNIST, Fashion-MNIST or covertype."
        ),
    ] = False,
    plugin: Annotated[
        list[str] | None,
        typer.Option(
            "--plugin",
            "-p",
            metavar="FILE",
            help="A method (or other plugin) file; may be repeated.",
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            "-s",
            metavar="KEY=VALUE",
            help="Any key of 'bench list keys', e.g. train.epochs=10; may be repeated.",
        ),
    ] = None,
    until: Annotated[
        Stop | None,
        typer.Option(help="Stop after this stage; after predict, bench score goes on anywhere."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done.")] = False,
    quiet: Quiet = False,
) -> None:
    """Train, unlearn, predict, score and report; whatever is already there is not done again."""
    from bench.config.schema import CONFIG, load_config

    flags = {
        "methods": methods,
        "dataset": dataset,
        "scenario": scenario,
        "model": model,
        "attacks": attacks,
        "models": models,
        "originals": originals,
        "subset": subset,
        "seed": seed,
        "jobs": jobs,
        "backend": backend,
        "scheduler": scheduler,
        "device": device,
        "out": out,
        "data_dir": data_dir,
        "download": download or None,
        "plugins": plugin or None,
    }
    resolved = load_config(flags, config, tuple(settings or ()))
    if dry_run:
        from bench.engine.dry_run import describe_plan

        typer.echo(describe_plan(resolved))
        return
    from bench.engine.local import release_workers
    from bench.engine.run import run as run_config
    from bench.engine.run import run_until

    with _interruptible():
        if until:
            folder = run_until(resolved, until.value, quiet)
            go_on = f"bench run --config {folder / CONFIG}"
            if until is Stop.predict:
                go_on = f"bench score {folder}"
            typer.echo(
                f"stopped after {until.value}; go on, here or with a copy of {resolved.out}, with: "
                + go_on
            )
            return
        finished = run_config(resolved, quiet)
        release_workers()
        _show_finished(finished)


@app.command()
def score(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN]", help="Folder of a run, or how a name in OUT/runs begins [the newest]."
        ),
    ] = None,
    out: Out = "bench-results",
    plugin: Annotated[
        list[str] | None,
        typer.Option(
            "--plugin",
            "-p",
            metavar="FILE",
            help="Where a plugin of the run is now; may be repeated.",
        ),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Score and report a run whose models were made elsewhere; needs no data set."""
    from bench.engine.run import score_stored
    from bench.results.find import find_run, newest_run

    with _interruptible():
        folder = newest_run(Path(out)) if run is None else find_run(run, Path(out))
        _show_finished(score_stored(folder, quiet, tuple(plugin or ())))


@contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C, or the end of a batch job, is one line: nothing that was finished is lost by it."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        typer.echo("interrupted; repeat the command to go on from here", err=True)
        raise typer.Exit(INTERRUPTED) from None
    finally:
        signal.signal(signal.SIGTERM, before)


def _show_finished(run: Any) -> None:
    """Report a run that was just scored; exits with 1 where a cell failed."""
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
            help="Folders of runs, or how names in OUT/runs begin [the newest]; several: "
            "side by side.",
        ),
    ] = None,
    out: Out = "bench-results",
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
    """Print tables, write them with figures and an offline page; computes no score."""
    from bench.reports.console import show_run, show_several
    from bench.results.find import find_run, newest_finished, refuse_unfinished
    from bench.results.run import Run

    chosen = _formats(formats)
    if show_page and "html" not in chosen:
        raise UserError("--open needs the page: add --format html")
    named = [find_run(name, Path(out)) for name in runs or ()] or [newest_finished(Path(out))]
    folders = list({folder.resolve(): folder for folder in named}.values())
    there = refuse_unfinished(folders)
    loaded = [Run.load(folder) for folder in there]
    if len(loaded) > 1:
        page = show_several(loaded, Path(out), to, chosen)
    else:
        page = show_run(loaded[0], to, chosen)
    if show_page and not _open(page):
        typer.echo(f"no browser to open here: open {page} in one", err=True)
    if len(there) < len(folders):
        raise typer.Exit(1)


def _formats(given: Sequence[str] | None) -> tuple[str, ...]:
    """The formats that are named, one by one or as lists; all where none is."""
    from bench.config.spelling import split_list, unknown
    from bench.reports.write import FORMATS

    named = tuple(name for text in given or () for name in split_list(text) or [""])
    for name in named:
        if name not in FORMATS:
            raise unknown("format", name, list(FORMATS))
    return named or FORMATS


app.command("list")(lookup.list_plugins)
app.command()(lookup.show)
app.command()(lookup.check)


def _open(page: Path) -> bool:
    """Show the page in the user's browser, if there is one."""
    import webbrowser

    return webbrowser.open(page.resolve().as_uri())


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code. Bugs keep their traceback."""
    try:
        app(arguments, prog_name="bench")
    except UserError as error:
        typer.echo(f"error: {error}", err=True)
        return 1
    except SystemExit as stop:
        if isinstance(stop.__context__, BrokenPipeError):
            return PIPE_CLOSED
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    return 0
