"""Examples: a view of some training or validation data that iterates in seeded batches.

The data exist once, in a pool; a view is a vector of indices. Where an example comes in a shuffled
epoch, and how it is augmented, depends on the seed and on the example alone. So removing some
examples does not change the others, and original and retrained models stay paired.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import copy

import torch

from bench.data.augmentation import Augment
from bench.data.sources import Pixels, Pool, Rows

Permit = Callable[[str], None]


class Examples:
    """Some examples of a pool that all views share.

    A guarded view calls the ``permit`` of each of its guards, with the name of the guarded
    ``part``, before it returns images or labels.
    """

    def __init__(
        self, pool: Pool | torch.Tensor, labels: torch.Tensor, scale: float | None = 255.0
    ):
        """View all examples of a pool.

        Parameters
        ----------
        pool
            A pool, or a tensor of pixels, uint8 [n, channels, height, width].
        labels
            int64 [n], as the model sees them, poison included.
        scale
            The pixel value of white; None if the tensor holds rows of a table, float32
            [n, features, 1, 1].
        """
        if isinstance(pool, torch.Tensor):
            pool = Rows(pool) if scale is None else Pixels(pool, scale)
        self._pool = pool
        self._labels = labels
        self._index = torch.arange(len(pool), device=pool.device)
        self._guards: tuple[tuple[str, Permit], ...] = ()

    def __len__(self) -> int:
        return len(self._index)

    @property
    def device(self) -> torch.device:
        return self._pool.device

    @property
    def size(self) -> tuple[int, ...]:
        """(height, width) for images, () for tables and features."""
        return self._pool.size

    def take(self, positions: torch.Tensor) -> Examples:
        """The view of ``positions`` (0..len-1) of this view, in that order."""
        view = copy(self)
        view._index = self._index[positions.to(self.device)]
        return view

    def joined(self, other: Examples) -> Examples:
        """The examples of this view, then those of ``other``, a view of the same pool."""
        if other._pool is not self._pool:
            raise ValueError("only views of the same pool can be joined")
        view = copy(self)
        view._index = torch.cat([self._index, other._index])
        view._guards = (*self._guards, *other._guards)
        return view

    def guarded(self, part: str, permit: Permit) -> Examples:
        """The same view, which returns images and labels only if ``permit`` does not raise."""
        view = copy(self)
        view._guards = ((part, permit),)
        return view

    @property
    def images(self) -> torch.Tensor:
        """All inputs, without augmentation: images are float32 [n, c, h, w] in -1..1."""
        self._ask()
        return self._pool.inputs(self._index)

    @property
    def labels(self) -> torch.Tensor:
        """All labels as the model sees them, int64 [n]."""
        self._ask("-labels")
        return self._labels[self._index]

    def batches(
        self, size: int, rng: torch.Generator | None = None, augment: Augment = "none"
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """One epoch of (images, labels), in order, or shuffled by ``rng``."""
        self._ask()
        self._ask("-labels")
        chunks = [self._index[chunk] for chunk in self.positions(size, rng)]
        for index, images in zip(chunks, self._pool.epoch(chunks, augment, rng), strict=True):
            yield images, self._labels[index]

    def image_batches(
        self, size: int, rng: torch.Generator | None = None
    ) -> Iterator[torch.Tensor]:
        """One epoch of images, for methods that do not need labels."""
        self._ask()
        chunks = [self._index[chunk] for chunk in self.positions(size, rng)]
        yield from self._pool.epoch(chunks, "none", rng)

    def positions(self, size: int, rng: torch.Generator | None = None) -> Iterator[torch.Tensor]:
        """One epoch as positions (0..len-1) in this view, in batches of ``size``.

        Methods index with them what they know about each example. A shuffled epoch is for training,
        where batch norm needs two examples: a last batch of one is joined to the batch before it.
        """
        if rng is None:
            order = torch.arange(len(self), device=self.device)
        else:
            priority = torch.rand(len(self._pool), generator=rng, device=rng.device)
            order = priority.to(self.device)[self._index].argsort(stable=True)
        chunks = list(order.split(size)) if len(order) else []
        if rng is not None and size > 1 and len(chunks) > 1 and len(chunks[-1]) == 1:
            chunks[-2:] = [torch.cat(chunks[-2:])]
        yield from chunks

    def _ask(self, what: str = "") -> None:
        for part, permit in self._guards:
            permit(part + what)
