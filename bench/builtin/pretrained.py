"""Networks of torchvision with pre-trained weights, from ImageNet or from a file.

``weights`` is ``none``, ``imagenet`` (torchvision downloads them once) or the path of a file of the
same network, .safetensors or .pth, which is read without executing anything. The last layer stays
new. After ``freeze``, only the last layer learns, and batch norm keeps its statistics
(bench.training.trainer.training_mode).
"""

from __future__ import annotations

import pickle
from pathlib import Path

import torch
from torch import nn

from bench import seeds
from bench.errors import UserError
from bench.training.trainer import head_of

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
State = dict[str, torch.Tensor]
# Auxiliary classifiers are for training on ImageNet. The weights of these two networks expect
# another scale of pixels than all others; transform_input converts them.
INCEPTION = {"aux_logits": False, "transform_input": True, "init_weights": True}
OPTIONS = {"googlenet": INCEPTION, "inception_v3": INCEPTION}


class Normalise(nn.Module):
    """Converts pixels in [-1, 1], grey or colour, to ImageNet's mean and deviation."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        mean, deviation = (images.new_tensor(v)[:, None, None] for v in (MEAN, DEVIATION))
        return ((images + 1) / 2 - mean) / deviation


def build(name: str, **options: int) -> nn.Module:
    """torchvision's classifier ``name`` with random weights."""
    from torchvision.models import get_model

    return get_model(name, weights=None, **OPTIONS.get(name, {}), **options)


def head_name(model: nn.Module) -> str:
    """The name of the linear layer that is defined last; empty if there is none."""
    return (head_of(model) or ("", None))[0]


def load_backbone(model: nn.Module, name: str, weights: str) -> None:
    """Load all but the last layer of ``weights`` into ``model``, torchvision's network ``name``."""
    if weights == "none":
        return
    state = _imagenet(name) if weights == "imagenet" else _file(Path(weights).expanduser())
    head = head_name(model) + "."
    expected = {k: v.shape for k, v in model.state_dict().items() if not k.startswith(head)}
    for key, shape in expected.items():
        counter = key.endswith("num_batches_tracked")  # old files have none
        if not counter and (key not in state or state[key].shape != shape):
            raise UserError(
                f"weights={weights} are none of a {name}: {key} is missing or of another shape"
            )
    model.load_state_dict({k: state[k] for k in expected if k in state}, strict=False)


def freeze(model: nn.Module) -> None:
    """Leave only the last layer to be trained."""
    head = head_name(model) + "."
    for name, parameter in model.named_parameters():
        parameter.requires_grad = name.startswith(head)


def _imagenet(name: str) -> State:
    """The first weights that torchvision published for a network."""
    from torchvision.models import get_model, get_model_weights

    known = list(get_model_weights(name))
    try:
        with seeds.isolated(0):
            return get_model(name, weights=known[0]).state_dict()
    except OSError as error:
        raise UserError(
            f"weights=imagenet: cannot download them ({error}); name a file, or weights=none"
        ) from error


def _file(path: Path) -> State:
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
