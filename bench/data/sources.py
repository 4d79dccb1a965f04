"""Pools: where inputs come from, be it pixels, image files, a table, or a backbone's features.

A pool returns inputs by index, unchanged or as one epoch of training sees them. Before an epoch
returns its first input, it draws the random changes of every example of the pool. So the input of
one example does not depend on which others are asked for, in what order, or in what batches.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import torch

from bench.data.augmentation import Augment, crop_flip, detector, example_seeds
from bench.errors import UserError

WHITE = 255.0
FEW = 8  # batches: one process reads them before others have started


class OnDemand(Protocol):
    """Images that are decoded when they are needed, such as ``ImageFiles``."""

    side: int

    def __len__(self) -> int: ...

    def __getitem__(self, at: int, /) -> np.ndarray: ...

    def whole(self, place: int) -> np.ndarray: ...


class Pool(ABC):
    """The inputs of all examples of a part, returned on ``device``."""

    device: torch.device
    what: str  # the kind of inputs, for messages
    augments: tuple[Augment, ...] = ("none",)

    def check(self, augment: Augment) -> None:
        """Raise UserError if these inputs cannot be augmented in this way."""
        if augment not in self.augments:
            allowed = ", ".join(self.augments)
            raise UserError(f"augment = {augment} is not for {self.what}; allowed: {allowed}")

    @abstractmethod
    def __len__(self) -> int: ...

    @property
    @abstractmethod
    def size(self) -> tuple[int, ...]:
        """(height, width) for images, () for tables and features."""

    @abstractmethod
    def inputs(self, index: torch.Tensor) -> torch.Tensor:
        """The inputs at ``index`` as a model is evaluated on them, float32."""

    def epoch(
        self, chunks: Sequence[torch.Tensor], augment: Augment, rng: torch.Generator | None
    ) -> Iterator[torch.Tensor]:
        """The inputs of each chunk of indices, as one epoch of training sees them."""
        self.check(augment)
        if augment == "none":
            yield from self._plain(chunks)
        elif rng is None:
            raise UserError(f"augment = {augment} needs a shuffled epoch")
        else:
            yield from self._augmented(chunks, augment, rng)

    def _plain(self, chunks: Sequence[torch.Tensor]) -> Iterator[torch.Tensor]:
        yield from map(self.inputs, chunks)

    def _augmented(
        self, chunks: Sequence[torch.Tensor], augment: Augment, rng: torch.Generator
    ) -> Iterator[torch.Tensor]:
        raise NotImplementedError  # only where ``augments`` allows more than "none"


class Pixels(Pool):
    """Images in memory, returned in -1..1."""

    what = "images in memory"

    def __init__(self, pixels: torch.Tensor, scale: float = WHITE, crop: int = 96):
        """``pixels``: uint8 [n, channels, height, width]; ``scale``: the value of white.

        ``crop``: height and width of an image after the augmentation ``detector``.
        """
        self._pixels, self._scale, self._crop = pixels, scale, crop
        self.device = pixels.device
        self.augments = ("none", "crop-flip")
        if scale == WHITE:
            self.augments += ("detector",)
        else:
            self.what = f"images whose white is {scale:g}"

    def __len__(self) -> int:
        return len(self._pixels)

    @property
    def size(self) -> tuple[int, ...]:
        return tuple(self._pixels.shape[2:])

    def inputs(self, index: torch.Tensor) -> torch.Tensor:
        return scaled(self._pixels[index], self._scale)

    def _augmented(
        self, chunks: Sequence[torch.Tensor], augment: Augment, rng: torch.Generator
    ) -> Iterator[torch.Tensor]:
        if augment == "detector":
            yield from self._detector(chunks, example_seeds(len(self), rng))
            return
        transform = crop_flip(self._pixels, rng)
        for index in chunks:
            yield transform(self.inputs(index), index)

    def _detector(
        self, chunks: Sequence[torch.Tensor], seeds: torch.Tensor
    ) -> Iterator[torch.Tensor]:
        side = min(self._pixels.shape[2:])
        for index in chunks:
            images = zip(self._pixels[index].cpu(), seeds[index.cpu()].tolist(), strict=True)
            changed = [detector(image, side, self._crop, seed) for image, seed in images]
            yield scaled(torch.stack(changed).to(self.device), WHITE)


def scaled(pixels: torch.Tensor, white: float) -> torch.Tensor:
    """uint8 pixels as float32 in -1..1."""
    # By constants, since a mean of the data would leak information about the forget set.
    return pixels.float().mul_(2 / white).sub_(1)


class Files(Pool):
    """Image files that are decoded when needed, by ``workers`` processes if that is above 0.

    This takes the memory of a few batches, however many files there are.
    """

    what = "images that are decoded on demand"
    augments = ("none", "detector")

    def __init__(self, files: OnDemand, device: torch.device, crop: int = 96, workers: int = 0):
        self._files, self._crop, self._workers = files, crop, workers
        self.device = device

    def __len__(self) -> int:
        return len(self._files)

    @property
    def size(self) -> tuple[int, ...]:
        return self._files.side, self._files.side

    def inputs(self, index: torch.Tensor) -> torch.Tensor:
        return next(self._plain([index]))

    def _plain(self, chunks: Sequence[torch.Tensor]) -> Iterator[torch.Tensor]:
        yield from self._read(chunks, None)

    def _augmented(
        self, chunks: Sequence[torch.Tensor], _augment: Augment, rng: torch.Generator
    ) -> Iterator[torch.Tensor]:
        yield from self._read(chunks, example_seeds(len(self), rng))

    def _read(
        self, chunks: Sequence[torch.Tensor], seeds: torch.Tensor | None
    ) -> Iterator[torch.Tensor]:
        reading = _Reading(self._files, seeds, self._crop)
        for pixels in _batches(reading, chunks, self._workers if len(chunks) > FEW else 0):
            yield scaled(pixels.to(self.device, memory_format=torch.channels_last), WHITE)


class _Reading(torch.utils.data.Dataset[torch.Tensor]):
    """What a decoding process needs: the files, and their seeds if they are augmented."""

    def __init__(self, files: OnDemand, seeds: torch.Tensor | None, crop: int):
        self.files, self.seeds, self.crop = files, seeds, crop

    def __getitem__(self, place: int) -> torch.Tensor:
        if self.seeds is None:
            return _channels_first(self.files[place])
        whole = _channels_first(self.files.whole(place))
        return detector(whole, self.files.side, self.crop, int(self.seeds[place]))


def _channels_first(pixels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1).contiguous()


def _batches(
    reading: _Reading, chunks: Sequence[torch.Tensor], workers: int
) -> Iterator[torch.Tensor]:
    from torch.utils.data import DataLoader

    loader = DataLoader(
        reading,
        batch_sampler=[chunk.tolist() for chunk in chunks],
        collate_fn=torch.stack,
        num_workers=workers,
        generator=torch.Generator(),  # otherwise the loader draws from the global one
        # A fork of a process with threads may hang.
        multiprocessing_context="spawn" if workers else None,
    )
    try:
        yield from loader
    except UserError as error:  # torch puts the traceback of a worker process in front
        raise UserError(str(error).rpartition(f"{UserError.__name__}: ")[2].strip()) from error


class Rows(Pool):
    """Rows of a table, float32 [n, features, 1, 1], returned unchanged."""

    what = "rows of a table"

    def __init__(self, rows: torch.Tensor):
        self._rows, self.device = rows, rows.device

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def size(self) -> tuple[int, ...]:
        return ()

    def inputs(self, index: torch.Tensor) -> torch.Tensor:
        return self._rows[index]


def pool_of(
    images: np.ndarray | OnDemand,
    scale: float | None,
    crop: int,
    device: torch.device,
    workers: int,
) -> Pool:
    """The pool of one part of a data set.

    Parameters
    ----------
    images
        uint8 or float32 [n, height, width, channels], or files.
    scale
        The pixel value of white; None for the rows of a table.
    crop
        Height and width of an image after the augmentation ``detector``.
    device
        Where inputs are returned, and pixels or rows kept.
    workers
        Processes that decode files.
    """
    if not isinstance(images, np.ndarray):
        return Files(images, device, crop, workers)
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2)
    pixels = pixels.contiguous(memory_format=torch.channels_last)
    if scale is None:
        return Rows(pixels.to(device))
    return Pixels(pixels.to(device), scale, crop)


class Features(Pool):
    """A frozen backbone's features, float32 [n, 1 + views, width].

    The first of each example belongs to the unchanged image, the others to augmented views of it.
    An epoch of training takes one of the views at random, if there are any.
    """

    def __init__(self, features: torch.Tensor, augment: Augment):
        """``augment``: how the views were augmented."""
        self._features, self.device = features, features.device
        self.what = f"features taken with augment = {augment}"
        if features.shape[1] > 1:
            self.augments = ("none", augment)

    def __len__(self) -> int:
        return len(self._features)

    @property
    def size(self) -> tuple[int, ...]:
        return ()

    def inputs(self, index: torch.Tensor) -> torch.Tensor:
        return self._features[index, 0]

    def _augmented(
        self, chunks: Sequence[torch.Tensor], _augment: Augment, rng: torch.Generator
    ) -> Iterator[torch.Tensor]:
        views = self._features.shape[1] - 1
        view = torch.randint(views, (len(self),), generator=rng, device=rng.device)
        view = view.to(self.device) + 1
        for index in chunks:
            yield self._features[index, view[index]]
