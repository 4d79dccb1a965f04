"""ResNet-50 without the first down-sampling: the detector of real and fake images.

Citation: D. Gragnaniello, D. Cozzolino, F. Marra, G. Poggi, L. Verdoliva, Are GAN Generated Images
Easy to Detect?, ICME 2021; as TrueFake (Dell'Anna et al., IJCNN 2025) and the University of
Trento's slides on unlearning it use it: torchvision's ResNet-50 with stride 1 in place of 2 in the
first convolution, and one output for two classes.
``weights`` is ``none``, ``imagenet`` (torchvision's first weights, downloaded once) or the path of
a file, .safetensors or .pth, of a ResNet-50 (read without executing anything); a last layer of
another width is left new. ``frozen``: only the last layer learns; batch norm keeps its statistics
too, which the slides' code lets drift. Images in [-1, 1] are normalised to ImageNet's mean and
deviation.
"""

from __future__ import annotations

from typing import Any

from torch import nn

from bench.builtin.pretrained import Normalise, build, freeze, load_backbone
from bench.errors import UserError

VERSION = 1
NAME = "resnet50-nodown"


def resnet50_nodown(
    num_classes: int,
    in_channels: int,
    image_size: tuple[int, int],
    *,
    weights: str = "none",
    frozen: bool = False,
) -> nn.Module:
    if in_channels not in (1, 3):
        raise UserError(f"resnet50-nodown takes grey or colour images, not {in_channels} channels")
    model: Any = build("resnet50")
    load_backbone(model, "resnet50", weights)
    first = model.get_submodule("conv1")
    assert isinstance(first, nn.Conv2d)  # torchvision's, for type checkers
    first.stride = (1, 1)
    model.fc = nn.Linear(2048, 1 if num_classes == 2 else num_classes)
    if frozen:
        freeze(model)
    return nn.Sequential(Normalise(), model)
