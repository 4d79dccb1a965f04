"""Augmentation of training images: random changes that each epoch draws for each example.

``crop-flip``: random crops of the image padded by 4, and horizontal flips, as is usual for CIFAR.
It works on whole batches.

``detector``: the augmentation of the fake-image detector in the University of Trento's slides, by
torchvision and Pillow, image by image: a resized crop, blur and JPEG compression (one image in five
each), both flips, and a crop. Citation: the code of the slides (NicoNRG2/MachineUnlearning,
Resnet_base/launcher.py and dataset.py), after that of TrueFake's authors: scale 0.2 to 1, ratio 3/4
to 4/3, kernel 15 with deviation up to 3, quality 30 to 100. That code neither blurs nor compresses
images of social networks; here all images are treated alike.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from torch.nn import functional

Augment = Literal["none", "crop-flip", "detector"]
Transform = Callable[[torch.Tensor], torch.Tensor]
CROP_PADDING = 4
SHARE = 0.2  # of the images, for each of resized crop, blur and JPEG
BLUR_KERNEL = 15
JPEG_QUALITY = 30, 100


def crop_flip(
    pool: torch.Tensor, rng: torch.Generator
) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """A function of (images, pool indices) for one epoch, whose changes are all drawn here."""
    count, (height, width) = len(pool), pool.shape[2:]
    steps = 2 * CROP_PADDING + 1
    shift = torch.randint(0, steps, (count, 2), generator=rng, device=rng.device).to(pool.device)
    flip = (torch.rand(count, generator=rng, device=rng.device) < 0.5).to(pool.device)
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


def example_seeds(count: int, rng: torch.Generator) -> torch.Tensor:
    """A seed for each example of a pool, for one epoch: int64 [count] on the CPU."""
    return torch.randint(2**62, (count,), generator=rng, device=rng.device).cpu()


def detector(image: torch.Tensor, side: int, crop: int, seed: int) -> torch.Tensor:
    """Augment one image as the detector's training does.

    Parameters
    ----------
    image
        uint8 [channels, height, width].
    side
        Height and width of the centre from which the crop is taken, in pixels.
    crop
        Height and width of the result, at most ``side``.
    seed
        Decides every random change.

    Returns
    -------
    torch.Tensor
        uint8 [channels, crop, crop].
    """
    state = torch.get_rng_state()
    try:  # torchvision draws from the global generator; nothing else is seeded, for speed
        torch.default_generator.manual_seed(seed)
        return _detector(side, min(crop, side))(image)
    finally:
        torch.set_rng_state(state)


@lru_cache(maxsize=4)
def _detector(side: int, crop: int) -> Transform:
    from torchvision.transforms import v2

    kernel = min(BLUR_KERNEL, 2 * side - 1)  # the border is mirrored, once
    return v2.Compose(
        [
            v2.RandomApply([v2.RandomResizedCrop(side, (0.2, 1.0), (3 / 4, 4 / 3))], SHARE),
            v2.CenterCrop(side),
            v2.RandomApply([v2.GaussianBlur(kernel, (1e-6, 3.0))], SHARE),
            v2.RandomApply([compress], SHARE),
            v2.RandomHorizontalFlip(),
            v2.RandomVerticalFlip(),
            v2.RandomCrop(crop),
        ]
    )


def compress(image: torch.Tensor) -> torch.Tensor:
    """Compress an image as JPEG of a random quality, and decode it again.

    By Pillow, since torchvision's own transform is deprecated with its encoders.
    """
    from PIL import Image

    quality = int(torch.randint(JPEG_QUALITY[0], JPEG_QUALITY[1] + 1, ()))
    file = io.BytesIO()
    Image.fromarray(image.permute(1, 2, 0).squeeze(2).numpy()).save(file, "JPEG", quality=quality)
    pixels = torch.from_numpy(np.array(Image.open(file)))
    return pixels.reshape(*pixels.shape[:2], -1).permute(2, 0, 1)
