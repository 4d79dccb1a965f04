"""What a run trains and evaluates: its network, its trainer, and its examples on the device.

Everything here is made on first use and once in a process: pixels and features take memory.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import torch

from bench import seeds
from bench.config.schema import Config, TrainSettings, cores
from bench.data.examples import Examples
from bench.data.sources import Features, Pool, pool_of
from bench.plugins.rows import ORIGINAL
from bench.stages.cell import Cell
from bench.stages.context import Context
from bench.stages.feature_files import PARTS, load_features, pieces
from bench.training.devices import find_device, gpu_count, process_count
from bench.training.frozen import Frozen, frozen_part
from bench.training.precision import resolve_precision
from bench.training.trainer import Trainer

WARM_UP_EXAMPLES, WARM_UP_EPOCHS = 256, 2


class Networks:
    """Networks and examples of one context."""

    def __init__(self, context: Context):
        self.context = context
        self._images: tuple[str, Pool] | None = None  # of one part at a time

    @cached_property
    def device(self) -> torch.device:
        return find_device(self.context.config.device)

    @cached_property
    def jobs(self) -> int:
        """How many processes make models side by side on this machine."""
        config = self.context.config
        return process_count(config.jobs, config.device, gpu_count())

    def build(self) -> torch.nn.Module:
        """The network that the configuration names, whole; draws from the global generator."""
        data = self.context.data
        return self.context.model(len(data.classes), data.channels, data.image_size)

    @cached_property
    def trainer(self) -> Trainer:
        """How models are trained and made, with the precision that pays on this machine."""
        context, data = self.context, self.context.data
        build = self.frozen.head if self.frozen else self.build
        trainer = Trainer(context.config.train, build, len(data.classes), self.device)
        shape: tuple[int, ...] = (data.channels, *data.image_size)
        if self.frozen:
            shape = (self.frozen.width,)
        settings = resolve_precision(trainer, shape, context.model.identity, context.decoded)
        return replace(trainer, settings=settings)

    @property
    def settings(self) -> TrainSettings:
        """How models are trained, with ``precision`` resolved; measures only where it is auto."""
        typed = self.context.config.train
        return self.trainer.settings if typed.precision == "auto" else typed

    @property
    def settled_config(self) -> Config:
        """The configuration for another process, with ``precision`` resolved.

        On another GPU or machine bf16 may pay where it does not here, and keys would differ.
        """
        return self.context.config.model_copy(update={"train": self.settings})

    @cached_property
    def frozen(self) -> Frozen | None:
        """The network's parts, where all but its last layer is frozen and features are kept.

        A frozen backbone without weights of its own is drawn once, for all models.
        """
        settings = self.context.config.train
        if settings.augment != "none" and not settings.views:
            return None
        with seeds.isolated(0):
            model = self.build()
        if all(weight.requires_grad for weight in model.parameters()):
            return None
        first = torch.zeros(1, dtype=torch.long, device=self.device)
        return frozen_part(model.to(self.device), self.images("validation").inputs(first))

    def blank_model(self) -> torch.nn.Module:
        """A network on the device whose weights will be overwritten."""
        with seeds.isolated(0):
            return self.trainer.blank_model()

    @property
    def feature_cells(self) -> list[Cell]:
        """The cells that hold the features of all parts; none where no backbone is frozen."""
        parts = PARTS if self.frozen else ()
        return [cell for part in parts for cell in pieces(self.context, part)]

    @property
    def data_cells(self) -> list[Cell]:
        """The cells that hold the examples: the split, and features where a backbone is frozen."""
        return [Cell("split"), *self.feature_cells]

    def images(self, part: str) -> Pool:
        """The images of train, validation or test, in memory or to be decoded; the latest stay."""
        if self._images is None or self._images[0] != part:
            data, settings = self.context.data, self.context.config.train
            images = data.images[getattr(self.context.split, part)]
            decoders = cores() // self.jobs - 1  # besides each process that trains
            pool = pool_of(images, data.scale, settings.crop, self.device, decoders)
            self._images = part, pool
        return self._images[1]

    @cached_property
    def _parts(self) -> dict[str, Examples]:
        """Training (with the labels that were trained on), validation and test examples."""
        split = self.context.split
        labels = split.train_labels, split.validation_labels, split.test_labels
        return {
            part: Examples(self._pool(part), torch.from_numpy(of_part).to(self.device))
            for part, of_part in zip(PARTS, labels, strict=True)
        }

    def _pool(self, part: str) -> Pool:
        if not self.frozen:
            return self.images(part)
        features = load_features(self.context, part, self.frozen.width)
        return Features(features.to(self.device), self.context.config.train.augment)

    def part(self, name: str, request: int | None = None) -> Examples:
        """Examples by the split's names: train, forget, asked, retain, retain_sample, ..."""
        if name in self._parts:
            return self._parts[name]
        positions = getattr(self.context.split_at(request), name)
        return self._parts["train"].take(torch.from_numpy(positions))

    def load_model(self, cell: Cell) -> torch.nn.Module:
        """The stored model that ``cell`` made, on the device, in eval mode."""
        model = self.blank_model()
        model.load_state_dict(self.context.tensors(cell))
        return model.eval()

    @cached_property
    def weight_bytes(self) -> int:
        """What a stored model takes up, in bytes."""
        return sum(tensor.nbytes for tensor in self.blank_model().state_dict().values())

    def starting_model(self, row: str, member: int, request: int | None) -> torch.nn.Module:
        """What a method is given: an original, or its own model of the request before."""
        context = self.context
        if earlier := context.earlier(request):
            return self.load_model(context.model_cell(row, member, earlier[-1]))
        return self.load_model(context.model_cell(ORIGINAL, context.start(member), None))


def warm_up(context: Context) -> None:
    """Train a few steps: the first ones of a process pay for its start."""
    networks = context.once(Networks)
    rng, train = seeds.torch_rng("warm-up"), networks.part("train")
    few = train.take(torch.arange(min(WARM_UP_EXAMPLES, len(train))))
    settings = networks.trainer.settings.model_copy(update={"epochs": WARM_UP_EPOCHS})
    trainer = replace(networks.trainer, settings=settings)
    trainer.train(trainer.fresh_model(rng), few, rng)
