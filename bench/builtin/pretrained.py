"""Networks of torchvision with pre-trained weights, from ImageNet or from a file.

``weights`` is ``none``, ``imagenet`` (torchvision downloads them once) or the path of a file of the
same network, .safetensors or .pth, which is read without executing anything. A checkpoint may keep
the weights under ``state_dict`` or the like, and DataParallel's ``module.`` may stand before their
names. The last layer stays new. After ``freeze``, only the last layer learns, and batch norm keeps
its statistics (bench.training.trainer.training_mode).
"""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from bench import seeds
from bench.errors import UserError
from bench.outside import reading, shown, shown_list, user_path
from bench.storage.archives import refuse_bomb
from bench.training.trainer import head_of

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
State = dict[str, torch.Tensor]
WRAPPERS = ("state_dict", "model_state_dict", "model", "network", "net")  # keys of checkpoints
PREFIXES = ("module.", "_orig_mod.", "model.", "network.", "net.")  # of DataParallel and the like
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
    state = _imagenet(name) if weights == "imagenet" else _file(user_path(weights))
    head = head_name(model) + "."
    expected = {k: v for k, v in model.state_dict().items() if not k.startswith(head)}
    for key, tensor in expected.items():
        counter = key.endswith("num_batches_tracked")  # old files have none
        if not counter and (key not in state or state[key].shape != tensor.shape):
            what = "missing" if key not in state else f"of shape {tuple(state[key].shape)}"
            raise UserError(
                f"weights={shown(weights)} are none of a {name}: {key} is {what}, expected "
                f"{tuple(tensor.shape)}; the file holds {shown_list(state) or 'no tensors'}"
            )
    parts = {key.partition(".")[0] for key in expected}
    others = [key for key in state if key not in expected and not key.startswith(head)]
    more = [key for key in others if key.partition(".")[0] in parts]
    if more:
        raise UserError(
            f"weights={shown(weights)} are none of a {name}, which has no {shown_list(more)}"
        )
    known = {key: state[key] for key in expected if key in state}
    wrong = [key for key, tensor in known.items() if not torch.isfinite(tensor).all()]
    if wrong:
        raise UserError(f"weights={shown(weights)}: {shown_list(wrong)} hold NaN or infinity")
    model.load_state_dict(known, strict=False)


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
    """The tensors of a file by name, without the wrappers that training scripts put around them."""
    if not path.exists():
        raise UserError(f"weights={shown(path)}: no such file; allowed: none, imagenet, or a file")
    with reading(path, "weights (the file is read without executing anything)"):
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return _unwrap(load_file(path))
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                unpacked = sum(info.file_size for info in archive.infolist())
            refuse_bomb(path, path.stat().st_size, unpacked)
        content = _load(path)
        state = _unwrap(content)
        if not state:
            holds = shown_list(content) if isinstance(content, dict) else type(content).__name__
            raise UserError(
                f"weights={shown(path)} holds no weights by name but {holds or 'nothing'}: save "
                "model.state_dict()"
            )
        return state


def _load(path: Path) -> Any:
    """What torch.save wrote, as far as it is tensors and plain values."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UserError(
            f"weights={shown(path)} cannot be read as weights: it holds other objects, such as a "
            "whole model, which are never loaded; save model.state_dict()"
        ) from error


def _unwrap(content: Any) -> State:
    """The tensors of a checkpoint by the names that they have in the network itself."""
    while isinstance(content, Mapping):
        inner = [content[name] for name in WRAPPERS if isinstance(content.get(name), Mapping)]
        if not inner:
            break
        content = inner[0]
    items = content.items() if isinstance(content, Mapping) else ()
    state = {str(name): value for name, value in items if _is_plain(value)}
    while prefix := next((p for p in PREFIXES if any(k.startswith(p) for k in state)), None):
        state = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
    return state


def _is_plain(value: Any) -> bool:
    """Whether a value is a tensor of numbers as networks have them."""
    is_dense = isinstance(value, torch.Tensor) and value.layout is torch.strided
    return is_dense and not value.is_quantized and not value.is_complex()
