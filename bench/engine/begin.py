"""Begin a run: find a user's mistakes before any work, and write down what the run consists of."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench.config.load import CONFIG, RUNS, dump_toml
from bench.config.schema import Config
from bench.engine.audit import audit
from bench.errors import UserError
from bench.plugins.attack import refuse_overlaps, refuse_unknown_classes
from bench.plugins.card import about_of
from bench.plugins.chosen import Plugin
from bench.plugins.method import check_needs
from bench.results.manifest import Manifest, digest, write_manifest
from bench.stages.cell import Cell
from bench.stages.context import Context
from bench.stages.networks import Networks
from bench.storage.files import write_atomic
from bench.storage.provenance import provenance

log = logging.getLogger(__name__)
LONGEST_NAME = 150  # characters of a folder's name before its digest; 255 are what disks allow


def check(context: Context) -> None:
    """Raise UserError for a mistake that can be known before any work is done or written."""
    refuse_overlaps(context.attacks.values())
    refuse_unknown_classes(context.attacks.values(), context.data.classes)
    for label, plugin in context.methods.items():
        check_needs(label, plugin.traits.requirements)
    context.once(audit)
    networks = context.once(Networks)
    networks.images("validation").check(context.config.train.augment)
    with context.model.guarded(), context.model.watched():
        networks.blank_model()
        _ = networks.frozen


def check_backend(config: Config) -> None:
    """Raise UserError where what the configuration says of a cluster cannot be meant."""
    if config.backend == "local":
        if config.scheduler is not None:
            raise UserError("scheduler is for backend = dask: add --backend dask")
        return
    if config.scheduler is None:
        raise UserError("backend = dask needs --scheduler ADDRESS, for example tcp://host:8786")
    if find_spec("distributed") is None:
        raise UserError("backend = dask needs dask: pip install distributed")


def warn_of_differences(context: Context) -> None:
    """Warn about settings that are not followed exactly, in a line each."""
    config, jobs = context.config, context.once(Networks).jobs
    if config.jobs and jobs < config.jobs:
        log.warning(f"jobs = {config.jobs}: {jobs} processes are used here")
    for kind in ("methods", "attacks"):
        texts = [text for text in getattr(config, kind) if text != "all"]
        labels = Counter(context.registry.resolve(kind, text).label for text in texts)
        for label, times in labels.items():
            if times > 1:
                log.warning(f"{kind}: {label} is named {times} times, taken once")


def run_folder(context: Context) -> Path:
    """Where a run's records go: readable, and another one for any other configuration."""
    config, data = context.config, context.data
    name = f"{data.name}-{context.scenario.label}-{config.models}"
    readable = re.sub(r"[^A-Za-z0-9.]+", "-", name)[:LONGEST_NAME]
    return Path(config.out) / RUNS / f"{readable}-{digest(config, data.fingerprint)}"


def write_beginning(context: Context, cells: Sequence[Cell]) -> tuple[Path, Manifest]:
    """Write the configuration and the manifest of a run; returns its folder and the manifest."""
    context.store.open()
    folder, manifest = run_folder(context), describe(context, cells)
    write_atomic(folder / CONFIG, dump_toml(context.config.model_dump(mode="json")).encode())
    write_manifest(manifest, folder)
    return folder, manifest


def describe(context: Context, cells: Sequence[Cell]) -> Manifest:
    """The manifest of a run that consists of ``cells``."""
    networks = context.once(Networks)
    single = {"dataset": context.dataset, "scenario": context.scenario, "model": context.model}
    plugins = {"attacks": context.attacks, "methods": context.methods}
    plugins |= {kind: {plugin.label: plugin} for kind, plugin in single.items()}
    scored = {cell for cell in cells if context.stages[cell.stage].reads_outputs_only}
    outputs = {source.stage for cell in scored for source in context.inputs(cell)}
    return Manifest(
        outputs=sorted(outputs),
        keys={cell: context.key(cell) for cell in cells if cell not in scored},
        methods={label: _describe_method(plugin) for label, plugin in context.methods.items()},
        settings={kind: plugin.params for kind, plugin in single.items()},
        about={
            kind: {label: about_of(plugin.target) for label, plugin in of_kind.items()}
            for kind, of_kind in plugins.items()
        },
        labels={kind: plugin.label for kind, plugin in single.items()},
        precision=networks.settings.precision,
        provenance=provenance(str(networks.device)),
        audit=asdict(context.once(audit)),
    )


def _describe_method(plugin: Plugin) -> dict[str, Any]:
    return {
        "params": plugin.params,
        "code": plugin.version,
        "needs": list(plugin.traits.requirements),
        "prepares": plugin.traits.prepares,
    }
