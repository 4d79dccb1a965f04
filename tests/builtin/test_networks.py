"""The networks that come along, and torchvision's: shapes, counts, weights, one-line errors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision.models import mobilenet_v3_small, resnet50

from bench.builtin.pretrained import load_backbone
from bench.checks.others import check_model
from bench.data.examples import Examples
from bench.errors import UserError
from bench.methods.shared.projection import input_covariances
from bench.plugins.card import cards
from bench.plugins.registry import Registry
from bench.training.trainer import training_mode

REGISTRY = Registry()


def network(text, classes, channels, side):
    return REGISTRY.resolve("models", text)(classes, channels, (side, side))


def parameters(model):
    return sum(weight.numel() for weight in model.parameters())


def test_parameter_counts_are_those_of_the_papers():
    assert parameters(network("allcnn", 10, 3, 32)) == 1_620_010
    assert parameters(network("smallvgg", 10, 3, 32)) == 5_681_674
    assert parameters(network("resnet18", 200, 3, 64)) == 11_279_112
    assert parameters(network("mlp[width=100,depth=2]", 10, 1, 28)) == 89_610


def test_resnet18_has_the_stem_for_the_size():
    assert network("resnet18", 10, 3, 32).conv1.kernel_size == (3, 3)
    assert network("resnet18", 10, 3, 64).conv1.kernel_size == (7, 7)
    assert network("resnet18[stem=small]", 10, 1, 64).conv1.kernel_size == (3, 3)


def test_the_detector_has_one_output_for_two_classes_and_no_first_down_sampling():
    model = network("resnet50-nodown", 2, 3, 32).eval()
    assert model[1].conv1.stride == (1, 1)
    assert model(torch.zeros(1, 3, 32, 32)).shape == (1, 1)


def test_a_frozen_detector_learns_its_last_layer_only(tmp_path):
    torch.manual_seed(0)
    file = tmp_path / "backbone.safetensors"
    save_file(resnet50().state_dict(), file)
    model = network(f"resnet50-nodown[weights={file},frozen=true]", 2, 3, 16)
    learning = [name for name, weight in model.named_parameters() if weight.requires_grad]
    assert learning == ["1.fc.weight", "1.fc.bias"]
    before = model[1].bn1.running_mean.clone()
    training_mode(model)(torch.randn(4, 3, 16, 16))
    assert torch.equal(model[1].bn1.running_mean, before)


def test_weights_that_are_none_are_one_line(tmp_path):
    (tmp_path / "bad.pth").write_bytes(b"\x80\x02cos\nsystem\n(S'echo'\ntR.")
    (tmp_path / "bad.safetensors").write_bytes(b"nothing")
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    for name, words in (
        ("absent.pth", "no such file"),
        ("bad.pth", "bad.pth cannot be read as weights: it holds other objects"),
        ("bad.safetensors", "bad.safetensors cannot be read as weights"),
        ("other.safetensors", "are none of a resnet50: conv1.weight is missing"),
    ):
        with pytest.raises(UserError, match=words):
            network(f"resnet50-nodown[weights={tmp_path / name}]", 2, 3, 16)


# torchvision by name ------------------------------------------------------------------------------


def test_a_classifier_of_torchvision_is_named_after_a_colon():
    plugin = REGISTRY.resolve("models", "torchvision:resnet18")
    assert plugin.label == plugin.identity["name"] == "torchvision:resnet18"
    check_model(plugin)
    assert cards("torchvision")[0].startswith("torchvision:NAME (model)")


def test_small_images_are_scaled_up_and_grey_ones_are_colour():
    model = network("torchvision:mobilenet_v3_small[image=40]", 3, 1, 8).eval()
    seen = []
    model[2].register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0].shape))
    assert model(torch.zeros(2, 1, 8, 8)).shape == (2, 3)
    assert seen == [(2, 3, 40, 40)]


def test_a_network_with_auxiliary_outputs_has_one_in_training():
    model = network("torchvision:googlenet", 4, 3, 32).train()
    assert model(torch.zeros(2, 3, 32, 32)).shape == (2, 4)


def test_a_file_gives_all_but_the_last_layer(tmp_path):
    torch.manual_seed(0)
    file, other = tmp_path / "backbone.pth", tmp_path / "other.safetensors"
    given = mobilenet_v3_small().state_dict()
    torch.save(given, file)
    save_file({"a": torch.zeros(1)}, other)
    text = "torchvision:mobilenet_v3_small[frozen=true,weights={}]"
    model = network(text.format(file), 3, 3, 32)[1]
    assert torch.equal(model.features[0][0].weight, given["features.0.0.weight"])
    assert model.classifier[3].out_features == 3
    learning = [name for name, weight in model.named_parameters() if weight.requires_grad]
    assert learning == ["classifier.3.weight", "classifier.3.bias"]
    with pytest.raises(UserError, match="are none of a mobilenet_v3_small"):
        network(text.format(other), 3, 3, 32)


@pytest.mark.parametrize(
    ("text", "channels", "words"),
    [
        ("torchvision", 3, "needs a name: write torchvision:NAME"),
        ("torchvision:reznet18", 3, "did you mean resnet18"),
        ("torchvision:vgg11", 3, r"cannot take images of 8 x 8 .*vgg11\[image=224\]"),
        ("torchvision:squeezenet1_1", 3, "ends in a convolution"),
        ("torchvision:resnet18", 5, "grey or colour"),
        ("mlp:resnet18", 3, "mlp takes no ':resnet18'"),
    ],
)
def test_what_torchvision_cannot_give_is_one_line(text, channels, words):
    with pytest.raises(UserError, match=words) as caught:
        network(text, 2, channels, 8)
    assert "\n" not in str(caught.value)


def test_pgu_refuses_a_layer_whose_inputs_it_cannot_see():
    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.MultiheadAttention(4, 2, batch_first=True)

        def forward(self, images):
            tokens = images.flatten(2).mT
            return self.inner(tokens, tokens, tokens)[0].mean(1)

    images = torch.from_numpy(np.zeros((3, 4, 2, 2), np.uint8))
    examples = Examples(images, torch.zeros(3, dtype=torch.long), 255.0)
    with pytest.raises(UserError, match=r"inner\.out_proj cannot be seen"):
        input_covariances(Attention(), examples.image_batches(3))


# Checkpoints as training scripts save them --------------------------------------------------------


class Small(nn.Sequential):
    """A convolution and the last layer, which weights are not loaded into."""

    def __init__(self):
        super().__init__(nn.Conv2d(1, 2, 1), nn.Flatten(), nn.Linear(2, 2))


def wrapped(state, *wrappers, prefix=""):
    content = {prefix + name: tensor for name, tensor in state.items()}
    for wrapper in wrappers:
        content = {"epoch": 3, wrapper: content}
    return content


@pytest.mark.parametrize(
    ("wrappers", "prefix"),
    [
        ((), ""),
        (("state_dict",), ""),
        (("model",), "module."),
        (("model_state_dict",), ""),
        (("state_dict", "model"), "_orig_mod.module."),
        (("state_dict",), "model."),  # Lightning
    ],
)
def test_wrappers_and_prefixes_of_checkpoints_are_taken_off(tmp_path, wrappers, prefix):
    state = Small().state_dict()
    torch.save(wrapped(state, *wrappers, prefix=prefix), tmp_path / "saved.pth")
    model = Small()
    load_backbone(model, "small", str(tmp_path / "saved.pth"))
    assert torch.equal(model[0].weight, state["0.weight"])
    save_file(wrapped(state, prefix=prefix), tmp_path / "saved.safetensors")
    load_backbone(model, "small", str(tmp_path / "saved.safetensors"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"epoch": 3, "lr": 0.1}, "holds no weights by name but epoch, lr: save model.state_dict"),
        ([torch.zeros(1)], "holds no weights by name but list"),
        ({}, "but nothing"),
        (Small(), "such as a whole model, which are never loaded"),
        ({"0.weight": torch.zeros(2, 1, 1, 1)}, "0.bias is missing, .* the file holds 0.weight"),
        (Small().state_dict() | {"0.bias": torch.zeros(3)}, r"0.bias is of shape \(3,\), expected"),
        (Small().state_dict() | {"0.bias": torch.full((2,), torch.nan)}, "0.bias hold NaN"),
        (Small().state_dict() | {"0.more": torch.zeros(2)}, "none of a small, which has no 0.more"),
    ],
)
def test_a_file_without_the_networks_weights_says_what_it_holds(tmp_path, content, words):
    torch.save(content, tmp_path / "saved.pth")
    with pytest.raises(UserError, match=words) as caught:
        load_backbone(Small(), "small", str(tmp_path / "saved.pth"))
    assert "\n" not in str(caught.value)
