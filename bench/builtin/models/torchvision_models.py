"""Any classifier of torchvision by its name there, such as torchvision:mobilenet_v3_small.

Source: https://docs.pytorch.org/vision/stable/models.html, where each network names its paper. The
last layer has one output for each class. ``weights`` is ``none``, ``imagenet`` (the first that
torchvision published, downloaded once) or the path of a file, .safetensors or .pth, of the same
network; the last layer stays new. ``frozen``: only the last layer learns; batch norm keeps its
statistics too. ``image``: the side in pixels to which images are scaled first (bilinear), for
networks that were made for larger ones: 224 for vit_* and maxvit_t, 75 at least for inception_v3.
Grey images count as colour; pixels are normalised to ImageNet's mean and deviation. Inception and
GoogLeNet come without auxiliary classifiers.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from bench.builtin.pretrained import Normalise, build, freeze, head_name, load_backbone
from bench.config.limits import Count
from bench.config.spelling import unknown
from bench.errors import UserError
from bench.training.prediction import evaluating

VERSION = 1
NAME = "torchvision"


class Scale(nn.Module):
    """Images scaled to ``side`` x ``side`` pixels."""

    def __init__(self, side: int):
        super().__init__()
        self.side = side

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        size = (self.side, self.side)
        return functional.interpolate(images, size, mode="bilinear", antialias=True)


def torchvision_models(
    name: str,
    num_classes: int,
    in_channels: int,
    image_size: tuple[int, int],
    *,
    weights: str = "none",
    frozen: bool = False,
    image: Count | None = None,
) -> nn.Module:
    from torchvision import models

    known = models.list_models(module=models)
    if name not in known:
        raise unknown("classifier of torchvision", name, known)
    if in_channels not in (1, 3) or tuple(image_size) == (1, 1):
        raise UserError(f"torchvision:{name} takes grey or colour images: choose mlp for a table")
    model = build(name, num_classes=num_classes)
    if not head_name(model):
        raise UserError(
            f"torchvision:{name} ends in a convolution, and methods need a linear last layer: "
            "choose another network"
        )
    load_backbone(model, name, weights)
    if frozen:
        freeze(model)
    height, width = (image, image) if image else image_size
    _check_size(model, name, height, width)
    return nn.Sequential(*([Scale(image)] if image else []), Normalise(), model)


def _check_size(model: nn.Module, name: str, height: int, width: int) -> None:
    """Raise UserError if images are too small for the network; computes shapes only."""
    images = torch.zeros(2, 3, height, width, device="meta")
    state = {key: tensor.to("meta") for key, tensor in model.state_dict().items()}
    try:
        with evaluating(model), torch.no_grad():
            torch.func.functional_call(model, state, (images,))
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0]
        raise UserError(
            f"torchvision:{name} cannot take images of {height} x {width} ({reason}): scale them "
            f"up, such as torchvision:{name}[image=224]"
        ) from error
