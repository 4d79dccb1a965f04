"""An experiment: a configuration made concrete, and the content key of everything it needs."""

from __future__ import annotations

import json
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import seeds
from bench.config.folders import places
from bench.config.schema import Config, TrainSettings, cores
from bench.plugins.attack import refuse_overlaps, stage_of
from bench.plugins.dataset import Data
from bench.plugins.registry import Plugin, Registry
from bench.stages.split import Split, make_split
from bench.storage.provenance import provenance
from bench.storage.store import Store, content_key
from bench.training.devices import find_device, gpu_count, process_count

if TYPE_CHECKING:
    import torch

    from bench.data.examples import Examples
    from bench.data.sources import Pool
    from bench.training.frozen import Frozen
    from bench.training.trainer import Trainer as Recipe

ORIGINAL, RETRAINED, RETRAIN, UNTRAINED = "original", "retrained", "retrain", "untrained"
TRAIN_VERSION = UNLEARN_VERSION = PREDICT_VERSION = RELEARN_VERSION = FEATURES_VERSION = 1


@dataclass(frozen=True)
class Cell:
    """One unit of work: one stage for one member of one row's population."""

    stage: str  # features | train | prepare | unlearn | predict | untrained | relearn
    row: str  # original, retrained, untrained, a method's label; of features a part
    member: int
    attack: str = ""  # whose settings a relearn cell follows


class Experiment:
    """What a configuration means: data, split, plugins, and where each artefact lies.

    Where the scenario has several requests, one after another, ``requests`` are the experiments of
    each: who is forgotten, the retrained models and everything after training are their own; the
    originals, and what was prepared when they were trained, belong to all.
    """

    def __init__(self, config: Config):
        self.config = config
        self.request: int | None = None  # which one, where there are several
        self._whole, self._steps = self, {}
        self._raw: dict[str, Pool] = {}  # the latest alone: pixels take memory
        self.registry = Registry(tuple(config.plugins))
        self.store = Store(Path(config.out) / "store")
        self.scenario = self.registry.resolve("scenarios", config.scenario)
        self.model = self.registry.resolve("models", config.model)
        self.methods = self._distinct("methods", [RETRAIN, *config.methods])
        self.methods.pop(ORIGINAL, None)  # the originals are a row whether asked for or not
        self.attacks = self._distinct("attacks", config.attacks)
        refuse_overlaps(self.attacks.values())

    def _distinct(self, kind: str, texts: list[str]) -> dict[str, Plugin]:
        usual = Config.model_fields[kind].default  # first among all, as tables have them
        names = [e.name for e in self.registry.entries(kind)]
        names.sort(key=lambda name: usual.index(name) if name in usual else len(usual))
        spelled = [name for text in texts for name in (names if text == "all" else [text])]
        plugins = [self.registry.resolve(kind, text) for text in spelled]
        return {plugin.label: plugin for plugin in plugins}

    @property
    def decoded(self) -> Path:
        """The folder for what can be computed again from data, and is kept for speed."""
        return Path(self.config.out) / "decoded"

    @cached_property
    def data(self) -> Data:
        config = self.config
        with places(config.data_dir, self.decoded, config.download):
            return self.registry.resolve("datasets", self.config.dataset)()

    @cached_property
    def split(self) -> Split:
        if self.request is not None:
            return self._whole.split.after(self.request)
        return make_split(self.config, self.data, self.scenario, self.store)

    def check(self) -> None:
        """Find a user's mistakes before any work is done or written."""
        from bench.plugins.method import check_needs

        for label, plugin in self.methods.items():
            check_needs(label, plugin().requirements())
        self.raw_pool("validation").check(self.config.train.augment)
        with seeds.isolated(0):
            self.recipe.blank_model()
        _ = self.split

    def at(self, request: int | None) -> Experiment:
        """This experiment at one of its requests; the whole where there is but one (None)."""
        if request is None:
            return self._whole
        if request not in self._steps:
            _ = self._whole.split  # and the data, which all share
            step = copy(self._whole)
            del step.__dict__["split"]
            step.request = request
            self._steps[request] = step
        return self._steps[request]

    @property
    def requests(self) -> list[Experiment]:
        """The experiments of all requests, in their order; of one, this experiment."""
        count = self._whole.split.requests
        return [self.at(number) for number in range(1, count + 1)] or [self]

    @property
    def history(self) -> list[Experiment]:
        """The experiments of the requests up to this one, which is the last."""
        return [self] if self.request is None else self.requests[: self.request]

    @property
    def before(self) -> Experiment | None:
        """The experiment of the request before, whose unlearned models are gone on with."""
        return self.history[-2] if len(self.history) > 1 else None

    @property
    def turn(self) -> dict[str, int]:
        """What a content key or a seed must say of the request: nothing where there is but one."""
        return {} if self.request is None else {"request": self.request}

    def start(self, member: int) -> int:
        """Which original an unlearned model starts from: its own, or one for all."""
        return 0 if self.config.originals == "one" else member

    def attacks_with(self, stage: str) -> list[str]:
        """The attacks that read what a further stage makes."""
        return [label for label, plugin in self.attacks.items() if stage_of(plugin) == stage]

    @property
    def rows(self) -> list[str]:
        """Rows whose models are stored: the two trained populations, then each method."""
        return [ORIGINAL, RETRAINED, *self.methods]

    @property
    def token(self) -> str:
        """A hash of all code and data behind this experiment."""
        plugins = [self.scenario, self.model, *self.methods.values(), *self.attacks.values()]
        return content_key(split=self.split.key, plugins=[plugin.identity for plugin in plugins])

    def seed_name(self, *name: str | int) -> tuple[str | int, ...]:
        """The full name of a random decision of this experiment."""
        return (self.config.seed, self.data.fingerprint, self.scenario.label, *name)

    # Content keys -----------------------------------------------------------------------------

    def key(self, cell: Cell) -> str:
        """The content key of what ``cell`` makes."""
        if cell.stage == "relearn":
            return self._relearn_key(cell.row, cell.member, cell.attack)
        return getattr(self, f"_{cell.stage}_key")(cell.row, cell.member)

    def _train_key(self, row: str, member: int) -> str:
        return content_key(
            stage="train",
            version=TRAIN_VERSION,
            split=self.split.key,
            model=self.model.identity,
            recipe=self.settings.identity(),
            role=row,
            member=member,
            **(self.turn if row == RETRAINED else {}),
            **({"features": FEATURES_VERSION} if self.frozen else {}),
        )

    def _features_key(self, part: str, piece: int) -> str:
        from bench.stages.features import key

        return key(self, part, piece)

    def _prepare_key(self, row: str, member: int) -> str:
        identity = self.methods[row].identity
        fields = self.methods[row].target.prepare_fields
        used = {name: value for name, value in identity["params"].items() if name in fields}
        return content_key(
            stage="prepare",
            original=self._train_key(ORIGINAL, member),
            method=identity | {"params": used},
        )

    def _unlearn_key(self, row: str, member: int) -> str:
        return content_key(
            stage="unlearn",
            version=UNLEARN_VERSION,
            original=self._train_key(ORIGINAL, self.start(member)),
            method=self.methods[row].identity,
            seed=self.config.seed,
            **({"member": member} if self.start(member) != member else {}),
            **({"after": self.before._unlearn_key(row, member)} if self.before else {}),
        )

    def _model_key(self, row: str, member: int) -> str:
        trained = row in (ORIGINAL, RETRAINED)
        return self._train_key(row, member) if trained else self._unlearn_key(row, member)

    def _predict_key(self, row: str, member: int) -> str:
        source = self._model_key(row, member)
        return content_key(stage="predict", version=PREDICT_VERSION, of=source, **self.turn)

    def _untrained_key(self, _row: str, member: int) -> str:
        trained = self._train_key(ORIGINAL, member)
        return content_key(stage="untrained", version=PREDICT_VERSION, of=trained, **self.turn)

    def _relearn_key(self, row: str, member: int, attack: str) -> str:
        return content_key(
            stage="relearn",
            version=RELEARN_VERSION,
            of=self._model_key(row, member),
            original=self._train_key(ORIGINAL, self.start(member)),
            attack=self.attacks[attack].identity,
            **self.turn,
        )

    def has(self, cell: Cell) -> bool:
        return self.store.has(cell.stage, self.key(cell))

    def failure(self, row: str, member: int) -> dict[str, Any] | None:
        """Why a method's cell is not there, if it failed, and the file that holds the traceback.

        Where an earlier request failed, that is why.
        """
        for step in self.history:
            key = step._unlearn_key(row, member)
            failure = self.store.failure("unlearn", key)
            if failure:
                if step is not self:
                    failure["reason"] = f"request {step.request} failed: {failure['reason']}"
                return failure | {"file": str(self.store.failure_path("unlearn", key))}
        return None

    # Tensors ----------------------------------------------------------------------------------

    @cached_property
    def device(self) -> torch.device:
        return find_device(self.config.device)

    @property
    def provenance(self) -> dict[str, Any]:
        """Versions and machine, for the records."""
        return provenance(str(self.device))

    @cached_property
    def jobs(self) -> int:
        """How many processes make models side by side on this machine."""
        return process_count(self.config.jobs, self.config.device, gpu_count())

    @property
    def told(self) -> Config:
        """The configuration for a process that works for this one: nothing is left to measure.

        On another GPU or machine, bf16 may pay where it does not here: keys would differ.
        """
        return self.config.model_copy(update={"train": self.settings})

    @property
    def settings(self) -> TrainSettings:
        """How models are trained, with the precision that was settled on."""
        given = self.config.train
        return self.recipe.settings if given.precision == "auto" else given

    @cached_property
    def recipe(self) -> Recipe:
        """How models are trained and made."""
        if self.request is not None:
            return self._whole.recipe
        from bench.training.precision import resolve_precision as settled
        from bench.training.trainer import Trainer as Recipe

        build = self.frozen.head if self.frozen else self.build
        recipe = Recipe(self.config.train, build, len(self.data.classes), self.device)
        if self.config.train.precision != "auto":
            return recipe
        shape = (self.data.channels, *self.data.image_size)
        if self.frozen:
            shape = (self.frozen.width,)
        settings = settled(recipe, shape, self.model.identity, self.decoded)
        return replace(recipe, settings=settings)

    def build(self) -> torch.nn.Module:
        """The network that the configuration names, whole; draws from the global generator."""
        data = self.data
        return self.model(len(data.classes), data.channels, data.image_size)

    @cached_property
    def frozen(self) -> Frozen | None:
        """The network's parts, where all but its last layer is frozen and features are kept.

        A frozen backbone without weights of its own is drawn once, for all models.
        """
        if self.request is not None:
            return self._whole.frozen
        import torch

        from bench.training.frozen import frozen_part

        if self.config.train.augment != "none" and not self.config.train.views:
            return None
        with seeds.isolated(0):
            model = self.build()
        if all(weight.requires_grad for weight in model.parameters()):
            return None
        images = self.raw_pool("validation").inputs(
            torch.zeros(1, dtype=torch.long, device=self.device)
        )
        return frozen_part(model.to(self.device), images)

    def raw_pool(self, part: str) -> Pool:
        """The images of train, validation or test, in memory or to be decoded."""
        from bench.data.sources import pool_of

        whole = self._whole
        if part not in whole._raw:
            images = self.data.images[getattr(self.split, part)]
            decoders = cores() // self.jobs - 1  # beside each process that trains
            given = self.data.scale, self.config.train.crop, self.device, decoders
            whole._raw = {part: pool_of(images, *given)}
        return whole._raw[part]

    @cached_property
    def pools(self) -> dict[str, Examples]:
        """Training (with the labels that were trained on), validation and test examples."""
        if self.request is not None:
            return self._whole.pools
        import torch

        from bench.data.examples import Examples

        labels = {
            "train": self.split.train_labels,
            "validation": self.data.labels[self.split.validation],
            "test": self.data.labels[self.split.test],
        }
        return {
            part: Examples(self._pool(part), torch.from_numpy(part_labels).to(self.device))
            for part, part_labels in labels.items()
        }

    def _pool(self, part: str) -> Pool:
        if not self.frozen:
            return self.raw_pool(part)
        from bench.data.sources import Features
        from bench.stages.features import load

        return Features(load(self, part).to(self.device), self.config.train.augment)

    def part(self, name: str) -> Examples:
        """Examples by the names of the split: train, forget, retain, retain_sample, ..."""
        import torch

        if name in self.pools:
            return self.pools[name]
        return self.pools["train"].take(torch.from_numpy(getattr(self.split, name)))

    def load_model(self, row: str, member: int) -> torch.nn.Module:
        """A stored model of a row, on the device, in eval mode."""
        stage = "train" if row in (ORIGINAL, RETRAINED) else "unlearn"
        weights = self.store.tensors(stage, self.key(Cell(stage, row, member)))
        with seeds.isolated(0):
            model = self.recipe.blank_model()
        model.load_state_dict(weights)
        return model.eval()

    def starting_model(self, row: str, member: int) -> torch.nn.Module:
        """What a method is given: an original, or its own model of the request before."""
        if self.before:
            return self.before.load_model(row, member)
        return self.load_model(ORIGINAL, self.start(member))


@lru_cache(maxsize=2)
def _remembered(config_json: str, _token: str) -> Experiment:
    return Experiment(Config.model_validate(json.loads(config_json)))


def remembered(config: Config, token: str, request: int | None = None) -> Experiment:
    """The experiment of a configuration, made once in a process that does many of its cells.

    ``request``: at which of several requests. ``token`` is the ``token`` of the experiment that
    asks: where code or data changed since, the experiment is made anew.
    """
    return _remembered(config.model_dump_json(), token).at(request)
