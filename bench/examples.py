"""Examples: a view of some training or validation data that iterates in seeded batches.

All images lie on the device once, as one uint8 tensor; a view is an index vector. The order of a
shuffled epoch and the augmentation of an example depend on the seed and the example alone: taking
examples out does not shift those of the others, so originals and retrained models stay paired.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import copy
from typing import Literal

import torch
from torch.nn import functional

from bench.errors import UserError

Augment = Literal["none", "crop-flip"]
Permit = Callable[[str], None]
CROP_PADDING = 4
AUGMENTED_TABLE = "augment = {}: shifts and mirrors images, but these are rows of a table; use none"


class Examples:
    """Some examples of a pool that all views share.

    A view may be guarded: then the ``permit`` of each of its guards is asked, by the name of the
    guarded ``part``, before images or labels are given out.
    """

    def __init__(self, pool: torch.Tensor, labels: torch.Tensor, scale: float | None):
        """All of ``pool``: uint8 [n, channels, height, width] with white at ``scale``.

        Without a ``scale``, rows of a table, float32 [n, features, 1, 1], used as they are.

        ``labels``: int64 [n], as seen by the model, poison included.
        """
        self._pool, self._labels, self._scale = pool, labels, scale
        self._index = torch.arange(len(pool), device=pool.device)
        self._guards: tuple[tuple[str, Permit], ...] = ()

    def __len__(self) -> int:
        return len(self._index)

    @property
    def device(self) -> torch.device:
        return self._pool.device

    def take(self, positions: torch.Tensor) -> Examples:
        """The view of ``positions`` (0..len-1) of this view, in that order."""
        view = copy(self)
        view._index = self._index[positions.to(self.device)]
        return view

    def joined(self, other: Examples) -> Examples:
        """This view's examples, then those of ``other``, a view of the same pool."""
        if other._pool is not self._pool:
            raise ValueError("only views of the same pool can be joined")
        view = copy(self)
        view._index = torch.cat([self._index, other._index])
        view._guards = (*self._guards, *other._guards)
        return view

    def guarded(self, part: str, permit: Permit) -> Examples:
        """The same view, giving out images and labels only if ``permit`` does not raise."""
        view = copy(self)
        view._guards = ((part, permit),)
        return view

    @property
    def images(self) -> torch.Tensor:
        """All images, float32 [n, channels, height, width], scaled to -1..1."""
        self._ask()
        return self._images(self._index)

    @property
    def labels(self) -> torch.Tensor:
        """All labels as the model saw them, int64 [n]."""
        self._ask("-labels")
        return self._labels[self._index]

    def batches(
        self, size: int, rng: torch.Generator | None = None, augment: Augment = "none"
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """One epoch of (images, labels); shuffled where there is an ``rng``, else in order."""
        self._ask()
        self._ask("-labels")
        positions = list(self.positions(size, rng))
        transform = _augmentation(augment, self._pool, rng)
        for chunk in positions:
            index = self._index[chunk]
            yield transform(self._images(index), index), self._labels[index]

    def image_batches(
        self, size: int, rng: torch.Generator | None = None
    ) -> Iterator[torch.Tensor]:
        """One epoch of images, for methods that do not need labels."""
        self._ask()
        for chunk in self.positions(size, rng):
            yield self._images(self._index[chunk])

    def positions(self, size: int, rng: torch.Generator | None = None) -> Iterator[torch.Tensor]:
        """One epoch as positions (0..len-1) in this view, for what a method knows per example.

        In batches of ``size``. A shuffled epoch is for training, where batch norm needs two: there
        a single left-over joins the batch before it. In order, the batch size means what it says.
        """
        if rng is None:
            order = torch.arange(len(self), device=self.device)
        else:
            ticket = torch.rand(len(self._pool), generator=rng, device=rng.device)
            order = ticket.to(self.device)[self._index].argsort(stable=True)
        chunks = list(order.split(size)) if len(order) else []
        if rng is not None and size > 1 and len(chunks) > 1 and len(chunks[-1]) == 1:
            chunks[-2:] = [torch.cat(chunks[-2:])]
        yield from chunks

    def _ask(self, what: str = "") -> None:
        for part, permit in self._guards:
            permit(part + what)

    def _images(self, index: torch.Tensor) -> torch.Tensor:
        # Scaled by constants: a mean taken from data would carry the forget set along.
        images = self._pool[index].float()
        return images if self._scale is None else images.mul_(2 / self._scale).sub_(1)


def _augmentation(
    augment: Augment, pool: torch.Tensor, rng: torch.Generator | None
) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """A function of (images, pool indices) that draws nothing more: all is drawn here."""
    if augment == "none":
        return lambda images, _index: images
    if rng is None:
        raise UserError(f"augment = {augment} needs a shuffled epoch")
    if pool.is_floating_point():
        raise UserError(AUGMENTED_TABLE.format(augment))
    count, (height, width) = len(pool), pool.shape[2:]
    draw = {"generator": rng, "device": rng.device}
    shift = torch.randint(0, 2 * CROP_PADDING + 1, (count, 2), **draw).to(pool.device)
    flip = (torch.rand(count, **draw) < 0.5).to(pool.device)
    rows, columns = (torch.arange(side, device=pool.device) for side in (height, width))

    def transform(images: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        padded = functional.pad(images, [CROP_PADDING] * 4, value=-1.0)
        row = rows + shift[index, 0, None]
        column = columns + shift[index, 1, None]
        column = torch.where(flip[index, None], column.flip(1), column)
        batch = torch.arange(len(index), device=pool.device)[:, None, None]
        return padded.permute(0, 2, 3, 1)[batch, row[:, :, None], column[:, None, :]].permute(
            0, 3, 1, 2
        )

    return transform
