"""What is scored is what a method returned: its weights in the original's network must say it."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from bench.data.examples import Examples
from bench.errors import ContractError
from bench.plugins.method import Task
from bench.plugins.method_rules import check_answers, check_result, fingerprint


class Wrapped(nn.Module):
    """Passes for the network inside, but answers otherwise."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def state_dict(self, *arguments, **named):
        return self.network.state_dict(*arguments, **named)

    def forward(self, images):
        return self.network(images).flip(1)


class Network(nn.Module):
    """A network whose forward uses an attribute."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.factor = 1.0
        self.layers = nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3)
        )

    def forward(self, images):
        return self.factor * self.layers(images)


def replace_layer(model, place, layer):
    model.layers[place] = layer
    return model


def changed(model, name, value):
    setattr(model, name, value)
    return model


def hooked_inside(model):
    model.layers[0].register_forward_hook(lambda _m, _i, output: output * 0)
    return model


def hooked(model, register, hook):
    getattr(model, register)(hook)
    return model


def parametrised(model):
    class Double(nn.Module):
        def forward(self, weight):
            return 2 * weight

    nn.utils.parametrize.register_parametrization(model.layers[4], "weight", Double())
    return model


def returning(model, name, function):
    """The same class with another method."""
    model.__class__ = type("Other", (type(model),), {name: function})
    return model


def zeros(model):
    """Other weights than those in use."""
    return {name: torch.zeros_like(each) for name, each in nn.Module.state_dict(model).items()}


TRICKS = {
    "wrapper": Wrapped,
    "forward hook": lambda m: hooked(m, "register_forward_hook", lambda _m, _i, o: -o),
    "forward pre-hook": lambda m: hooked(m, "register_forward_pre_hook", lambda _m, i: -i[0]),
    "hook inside": lambda m: (
        hooked(m.layers[0], "register_forward_hook", lambda *a: a[2] * 0) and m
    ),
    "attribute": lambda m: changed(m, "factor", 0.5),
    "eps of batch norm": lambda m: changed(m.layers[1], "eps", 1e-3) and m,
    "statistics off": lambda m: changed(m.layers[1], "running_mean", None) and m,
    "own forward": lambda m: changed(m, "forward", lambda x: torch.zeros(len(x), 3)),
    "subclass": lambda m: returning(m, "forward", lambda self, x: self.layers(x) + 1),
    "activation": lambda m: replace_layer(m, 2, nn.Tanh()),
    "train mode": lambda m: changed(m, "eval", lambda: m.train()),
    "own weights": lambda m: returning(m, "state_dict", zeros),
    "parametrization": parametrised,
    "momentum": lambda m: changed(m.layers[1], "momentum", 0.5) and m,
    "double precision": lambda m: m.double(),
    "random answers": lambda m: returning(
        m, "forward", lambda s, x: nn.functional.dropout(s.layers(x), 0.5)
    ),
}


@pytest.fixture
def examples():
    rng = torch.Generator().manual_seed(1)
    pixels = torch.randint(256, (40, 1, 8, 8), generator=rng).to(torch.uint8)
    return Examples(pixels, torch.arange(40) % 3)


def judge(model, result, examples):
    """What the harness does with the model that a method returned."""
    task = Task(examples, examples, examples, None, torch.Generator())
    scored = Network().eval()
    scored.load_state_dict(check_result(model, fingerprint(model), result, task))
    check_answers(result, scored, examples, "forget")


@pytest.mark.parametrize("name", TRICKS)
def test_a_model_that_is_more_than_its_weights_is_refused(examples, name):
    model = Network().eval()
    model(examples.images)
    with pytest.raises(ContractError, match=r"returned a model (whose|with)"):
        judge(model, TRICKS[name](copy.deepcopy(model)), examples)


def test_the_reason_says_what_is_scored_and_what_to_do(examples):
    model = Network().eval()
    with pytest.raises(ContractError) as caught:
        judge(model, Wrapped(copy.deepcopy(model)), examples)
    assert "only weights are stored and scored; express the change in them" in str(caught.value)


@pytest.mark.parametrize(
    "harmless",
    [
        lambda m: m.train(),
        lambda m: m.to(memory_format=torch.channels_last),
        lambda m: hooked(m, "register_forward_hook", lambda *_: None),
        lambda m: m.requires_grad_(False),
        lambda m: replace_layer(m, 2, nn.ReLU(inplace=True)),
        lambda m: replace_layer(m, 3, nn.Flatten(1)),
    ],
)
def test_what_changes_no_answer_is_accepted(examples, harmless):
    model = Network().eval()
    judge(model, harmless(copy.deepcopy(model)), examples)


def test_what_is_handed_out_is_a_copy(examples):
    before = examples.images.clone(), examples.labels.clone()
    task = Task(
        examples, examples, examples, None, torch.Generator(),
        needs=("forget", "forget-labels", "retain", "retain-labels"),
    )  # fmt: skip
    task.forget.images.zero_()
    task.forget.labels.zero_()
    for images, labels in task.retain.batches(8):
        images.fill_(9)
        labels.fill_(9)
    assert torch.equal(examples.images, before[0])
    assert torch.equal(examples.labels, before[1])
