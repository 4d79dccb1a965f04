"""ResNet-50 without the first down-sampling: the detector of real and fake images.

Citation: D. Gragnaniello, D. Cozzolino, F. Marra, G. Poggi, L. Verdoliva, Are GAN Generated Images
Easy to Detect?, ICME 2021; as TrueFake (Dell'Anna et al., IJCNN 2025) and the University of
Trento's slides on unlearning it use it: torchvision's ResNet-50 with stride 1 in place of 2 in the
first convolution, and one output for two classes.
``weights``: none, imagenet (torchvision's first weights, downloaded once by torchvision) or a file,
.safetensors or .pth of a ResNet-50 (read without executing anything); a last layer of another width
is left new. ``frozen``: only the last layer learns; batch norm keeps its statistics too, which the
slides' code lets drift. Images in [-1, 1] are normalised to ImageNet's mean and deviation.
"""

from __future__ import annotations

import pickle
from pathlib import Path

import torch
from torch import nn

from bench.errors import UserError

VERSION = 1
NAME = "resnet50-nodown"
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Normalise(nn.Module):
    """From pixels in [-1, 1], grey or colour, to ImageNet's scale."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        mean, deviation = (images.new_tensor(v)[:, None, None] for v in (MEAN, DEVIATION))
        return ((images + 1) / 2 - mean) / deviation


def resnet50_nodown(
    num_classes: int,
    in_channels: int,
    image_size: tuple[int, int],
    *,
    weights: str = "none",
    frozen: bool = False,
) -> nn.Module:
    from torchvision.models import resnet50

    if in_channels not in (1, 3):
        raise UserError(f"resnet50-nodown takes grey or colour images, not {in_channels} channels")
    model = resnet50(weights=None)
    if weights != "none":
        model.load_state_dict(_backbone(weights), strict=False)
    model.conv1.stride = (1, 1)
    model.fc = nn.Linear(2048, 1 if num_classes == 2 else num_classes)
    if frozen:
        for name, parameter in model.named_parameters():
            parameter.requires_grad = name.startswith("fc.")
    return nn.Sequential(Normalise(), model)


def _backbone(weights: str) -> dict[str, torch.Tensor]:
    """All but the last layer of what ``weights`` names; raises UserError in one line."""
    found = _imagenet() if weights == "imagenet" else _file(Path(weights).expanduser())
    expected = {name for name in found if not name.startswith("fc.")}
    if "layer4.2.conv3.weight" not in expected:
        raise UserError(f"{weights} holds no weights of a ResNet-50")
    return {name: found[name] for name in expected}


def _imagenet() -> dict[str, torch.Tensor]:
    from torchvision.models import ResNet50_Weights

    try:
        return ResNet50_Weights.IMAGENET1K_V1.get_state_dict(progress=True, check_hash=True)
    except OSError as error:
        raise UserError(
            f"weights=imagenet: cannot download them ({error}); name a file, or weights=none"
        ) from error


def _file(path: Path) -> dict[str, torch.Tensor]:
    if not path.is_file():
        raise UserError(f"weights={path}: no such file; allowed: none, imagenet, or a file")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, KeyError, EOFError, pickle.UnpicklingError) as error:
        reason = str(error).partition("\n")[0]
        raise UserError(f"weights={path}: not weights that can be read safely: {reason}") from error
    except Exception as error:
        if type(error).__name__ != "SafetensorError":
            raise
        raise UserError(f"weights={path}: damaged ({error})") from error
