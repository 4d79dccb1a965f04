"""The context of a run, which every stage is given, and what a stage is.

A stage is one object in one file of this folder. It says which cells a run has, what each cell
reads, what else changes its result, how it is made, and how much work that is. Everything else
(order, keys, locks, retries, progress, forecasts) the engine derives from these answers.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

import numpy as np

from bench.config.folders import places
from bench.config.schema import Config
from bench.data.split import Split
from bench.outside import reading
from bench.plugins.attack import stage_of
from bench.plugins.chosen import Plugin
from bench.plugins.dataset import Data
from bench.plugins.registry import Registry
from bench.plugins.rows import ORIGINAL, RETRAIN, RETRAINED
from bench.stages.cell import Artefact, Cell, Size
from bench.storage.store import Store, content_key

if TYPE_CHECKING:
    import torch

Phase = Literal["train", "unlearn", "predict", "score"]
PHASES: tuple[Phase, ...] = ("train", "unlearn", "predict", "score")
T = TypeVar("T")


class Stage(ABC):
    """One step of a run. Stages hold no state; what they need stands in the context.

    ``version`` is part of every key: raise it when the same settings give another result.
    ``phase`` is when the stage runs, and what ``--until`` counts in. The first members of a
    ``timed`` stage run alone on the machine. What a ``shared`` stage makes is needed by many cells,
    so that workers elsewhere keep it. A stage that ``reads_outputs_only`` needs neither a network
    nor the data set: its cells are made in threads of the main process, from those of their inputs
    that exist, and whatever failed is left out. ``cost_name`` is where a run's record lists the
    costs of a timed stage.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    phase: ClassVar[Phase]
    timed: ClassVar[bool] = False
    shared: ClassVar[bool] = False
    reads_outputs_only: ClassVar[bool] = False
    cost_name: ClassVar[str] = ""

    @abstractmethod
    def cells(self, context: Context) -> list[Cell]:
        """All cells that a run has of this stage, over all requests."""

    @abstractmethod
    def inputs(self, context: Context, cell: Cell) -> list[Cell]:
        """The cells whose artefacts ``make`` reads."""

    @abstractmethod
    def settings(self, context: Context, cell: Cell) -> dict[str, Any]:
        """What changes the result besides the inputs, as plain values for JSON."""

    @abstractmethod
    def make(self, context: Context, cell: Cell, alone: bool) -> Artefact:
        """Do the work of one cell; raises CellFailedError where only this cell is lost.

        ``alone``: nothing else runs on the machine, so that wall time may be taken.
        """

    @abstractmethod
    def size(self, context: Context, cell: Cell) -> Size:
        """How much work ``make`` is."""


class Context:
    """A configuration made concrete: plugins, data, split, and the key of every cell.

    Data and plugins are read on first use. Where scores are computed from stored outputs alone,
    neither the data set nor a method's code is needed: ``keys`` are then those that the run wrote
    down, and ``methods`` the labels of its methods.
    """

    def __init__(
        self,
        config: Config,
        stages: Mapping[str, Stage],
        keys: Mapping[Cell, str] | None = None,
        methods: Sequence[str] | None = None,
    ):
        self.config, self.stages = config, stages
        self.registry = Registry(tuple(config.plugins))
        self.store = Store(Path(config.out) / "store")
        self._keys = dict(keys or {})
        self._is_stored = keys is not None
        self._stored_methods = methods
        self._settled: dict[Cell, list[Cell]] = {}
        self._splits: dict[int | None, Split] = {}
        self._made: dict[Callable[[Context], Any], Any] = {}
        self._lock = threading.RLock()  # scores are computed in several threads

    def once(self, make: Callable[[Context], T]) -> T:
        """What ``make`` gives for this context: computed by the first call, then kept."""
        with self._lock:
            if make not in self._made:
                self._made[make] = make(self)
            return self._made[make]

    # Plugins ----------------------------------------------------------------------------------

    @cached_property
    def scenario(self) -> Plugin:
        return self.registry.resolve("scenarios", self.config.scenario)

    @cached_property
    def model(self) -> Plugin:
        return self.registry.resolve("models", self.config.model)

    @cached_property
    def dataset(self) -> Plugin:
        return self.registry.resolve("datasets", self.config.dataset)

    @cached_property
    def methods(self) -> dict[str, Plugin]:
        """Methods by label, retraining first; the originals are a row whether named or not."""
        methods = self._resolve_all("methods", [RETRAIN, *self.config.methods])
        methods.pop(ORIGINAL, None)
        return methods

    @cached_property
    def attacks(self) -> dict[str, Plugin]:
        """Attacks by label."""
        return self._resolve_all("attacks", self.config.attacks)

    def _resolve_all(self, kind: str, texts: Sequence[str]) -> dict[str, Plugin]:
        """Plugins by label, each once; ``all`` stands for every one, the default ones first."""
        usual = Config.model_fields[kind].default
        names = [entry.name for entry in self.registry.entries(kind)]
        names.sort(key=lambda name: usual.index(name) if name in usual else len(usual))
        spelled = [name for text in texts for name in (names if text == "all" else [text])]
        plugins = [self.registry.resolve(kind, text) for text in spelled]
        return {plugin.label: plugin for plugin in plugins}

    @property
    def method_labels(self) -> list[str]:
        """The rows that methods make, in the order of the tables."""
        return list(self.methods if self._stored_methods is None else self._stored_methods)

    def attacks_reading(self, stage: str) -> list[str]:
        """Labels of the attacks that read what a further stage makes."""
        return [label for label, plugin in self.attacks.items() if stage_of(plugin) == stage]

    # Data and split ---------------------------------------------------------------------------

    @property
    def decoded(self) -> Path:
        """The cache of decoded data, features and measurements; it is safe to delete."""
        return Path(self.config.out) / "decoded"

    @cached_property
    def data(self) -> Data:
        with places(self.config.data_dir, self.decoded, self.config.download):
            return self.dataset()

    @cached_property
    def split(self) -> Split:
        """Who is trained on, tested and forgotten: as stored, or drawn now, writing nothing."""
        cell = Cell("split")
        if self.has(cell):
            with reading(self.store.folder, "a store with the split of a run"):
                return Split.restored(self.record(cell), self.arrays(cell))
        artefact = self.stages[cell.stage].make(self, cell, alone=False)
        return Split.restored(artefact.record, artefact.arrays)

    def split_at(self, request: int | None) -> Split:
        """The split when requests 1 to ``request`` have been made; None: that of the whole run."""
        if request not in self._splits:
            whole = self.split
            self._splits[request] = whole if request is None else whole.after(request)
        return self._splits[request]

    @property
    def requests(self) -> list[int | None]:
        """The numbers of all requests in their order; [None] where there is a single one."""
        return list(range(1, self.split.requests + 1)) or [None]

    def earlier(self, request: int | None) -> list[int]:
        """The requests before this one, in their order."""
        return list(range(1, request or 1))

    # Cells ------------------------------------------------------------------------------------

    @property
    def members(self) -> range:
        """The numbers of the models in each population."""
        return range(self.config.models)

    def start(self, member: int) -> int:
        """Which original an unlearned model starts from: its own, or one for all."""
        return 0 if self.config.originals == "one" else member

    @property
    def rows(self) -> list[str]:
        """Rows whose models are stored: the two trained populations, then each method."""
        return [ORIGINAL, RETRAINED, *self.method_labels]

    def cells_at(
        self, request: int | None, stage: str, rows: Iterable[str], attack: str = ""
    ) -> list[Cell]:
        """The cells of a stage for every model of ``rows`` at one request."""
        return [Cell(stage, row, i, request, attack) for row in rows for i in self.members]

    def model_cell(self, row: str, member: int, request: int | None) -> Cell:
        """The cell that makes a model of a row; all requests share the originals."""
        stage = "train" if row in (ORIGINAL, RETRAINED) else "unlearn"
        return Cell(stage, row, member, None if row == ORIGINAL else request)

    def inputs(self, cell: Cell) -> list[Cell]:
        """The cells that a cell reads; only those that exist, once it is settled."""
        if cell in self._settled:
            return self._settled[cell]
        return self.stages[cell.stage].inputs(self, cell)

    def settle(self, cells: Iterable[Cell]) -> None:
        """Leave out from now on those of the cells' inputs that do not exist."""
        exists = cache(self.has)
        for cell in cells:
            sources = self.stages[cell.stage].inputs(self, cell)
            self._settled[cell] = [source for source in sources if exists(source)]
            self._keys.pop(cell, None)

    def key(self, cell: Cell) -> str:
        """The content key of what a cell makes: a hash of everything that decides it."""
        if cell not in self._keys:
            stage = self.stages[cell.stage]
            self._keys[cell] = content_key(
                stage=stage.name,
                version=stage.version,
                settings=stage.settings(self, cell),
                inputs=[self.key(source) for source in self.inputs(cell)],
            )
        return self._keys[cell]

    def has(self, cell: Cell) -> bool:
        """Whether what a cell makes is stored; never true for a cell that a stored run lacks."""
        stage = self.stages.get(cell.stage)
        if self._is_stored and cell not in self._keys and not (stage and stage.reads_outputs_only):
            return False
        return self.store.has(cell.stage, self.key(cell))

    def record(self, cell: Cell) -> dict[str, Any]:
        """The record of what a cell made."""
        return self.store.record(cell.stage, self.key(cell))

    def arrays(self, cell: Cell) -> dict[str, np.ndarray]:
        """The arrays that a cell made."""
        return self.store.arrays(cell.stage, self.key(cell))

    def tensors(self, cell: Cell) -> dict[str, torch.Tensor]:
        """The tensors that a cell made, on the CPU."""
        return self.store.tensors(cell.stage, self.key(cell))

    def has_record(self, cell: Cell) -> bool:
        """Whether the record of what a cell makes is stored, if perhaps without its weights."""
        return self.store.has_record(cell.stage, self.key(cell))

    def failure(self, cell: Cell) -> dict[str, Any] | None:
        """Why a cell could not be made, if it failed and was not made since."""
        return self.store.failure(cell.stage, self.key(cell))

    def seed_name(self, *name: str | int) -> tuple[str | int, ...]:
        """The full name of a random decision of this run."""
        return (self.config.seed, self.data.fingerprint, self.scenario.label, *name)

    @property
    def token(self) -> str:
        """A hash of all code and data behind this context: equal where two mean the same run."""
        plugins = [self.scenario, self.model, *self.methods.values(), *self.attacks.values()]
        split = self.key(Cell("split"))
        return content_key(split=split, plugins=[plugin.identity for plugin in plugins])
