"""SSD and its relatives against hand-computed values."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from bench.data.examples import Examples
from bench.methods.shared.importance import importance
from bench.methods.ssd import SSD
from tests.helpers.toys import toy_task


def line(weights, pixels, labels):
    """f(x) = W x for one pixel x, with black as -1 and white as 1."""
    net = nn.Linear(1, 2, bias=False)
    net.weight.data = torch.tensor(weights)[:, None]
    images = torch.tensor(pixels, dtype=torch.uint8)[:, None, None, None]
    return nn.Sequential(nn.Flatten(), net), Examples(images, torch.tensor(labels), 255.0)


def test_importance_is_the_squared_gradient_of_the_batch_mean():
    """z = [0, w x], one weight: d CE / dw = (p - y) x with p = sigmoid(w x)."""
    net = nn.Linear(1, 2, bias=False)
    net.weight.data = torch.tensor([[0.0], [0.0]])
    model = nn.Sequential(nn.Flatten(), net)
    pixels = torch.tensor([0, 255, 255, 255], dtype=torch.uint8)[:, None, None, None]
    examples = Examples(pixels, torch.tensor([1, 1, 1, 0]), 255.0)  # x = -1, 1, 1, 1
    # Per example, for output 1: (0.5 - y) x = 0.5, -0.5, -0.5, 0.5.
    whole = importance(model, examples, batch_size=4)["1.weight"]
    assert torch.allclose(whole, torch.zeros(2, 1))
    pairs = importance(model, examples, batch_size=2)["1.weight"]
    assert torch.allclose(pairs, torch.zeros(2, 1))
    singles = importance(model, examples, batch_size=1)["1.weight"]
    assert torch.allclose(singles, torch.full((2, 1), 0.25))
    three_and_one = importance(model, examples.take(torch.tensor([1, 2, 0, 3])), 2)
    # Means -0.5 and 0.5; squares 0.25 each.
    assert torch.allclose(three_and_one["1.weight"], torch.full((2, 1), 0.25))


def test_ssd_dampens_strictly_above_alpha_and_never_amplifies():
    forget = torch.tensor([0.0, 1.0, 10.0, 10.1, 40.0, 1.0])
    data = torch.tensor([0.0, 1.0, 1.0, 1.0, 1.0, 0.0])
    factors = SSD(lam=1.0).factor(forget, data, 10.0)
    expected = torch.tensor([1.0, 1.0, 1.0, 1 / 10.1, 1 / 40.0, 0.0])
    assert torch.allclose(factors, expected)
    assert torch.allclose(SSD(lam=100.0).factor(forget, data, 10.0)[4], torch.tensor(1.0))
    assert torch.allclose(SSD(lam=1.0).factor(forget, data, 50.0)[4], torch.tensor(1.0))


def test_ssd_multiplies_every_parameter_and_no_buffer():
    toy, task, method = toy_task("ssd[alpha=1]")
    result = method.unlearn(toy.model, task)
    forget = importance(toy.model, task.forget, 64)
    data = importance(toy.model, toy.training, 64)
    for name, weight in result.named_parameters():
        expected = toy.model.get_parameter(name) * method.factor(forget[name], data[name], 1.0)
        assert torch.equal(weight, expected)
    for name, buffer in result.named_buffers():
        assert torch.equal(buffer, toy.model.get_buffer(name))


def test_importance_of_single_examples_is_the_empirical_fisher_information():
    model, examples = line([0.0, 0.0], [0, 255, 255], [1, 1, 0])
    found = importance(model, examples, batch_size=3, kind="example")["1.weight"]
    assert torch.allclose(found, torch.full((2, 1), 0.25))


def test_label_free_importance_is_the_size_of_the_gradient_of_the_squared_output():
    """|f|^2 = (1 + 4) x^2 with weights 1 and -2: gradients 2 x^2 and -4 x^2."""
    model, examples = line([1.0, -2.0], [0, 255, 255], [0, 0, 0])
    asked = []
    found = importance(model, examples.guarded("data", asked.append), 2, "label-free")["1.weight"]
    assert "data-labels" not in asked
    assert torch.allclose(found, torch.tensor([[2.0], [4.0]]))


def test_importance_moves_batch_norm_in_train_mode_only():
    toy, task, _ = toy_task("retrain")
    before = {name: buffer.clone() for name, buffer in toy.model.named_buffers()}
    importance(toy.model, task.retain, 16)
    assert all(torch.equal(before[n], b) for n, b in toy.model.named_buffers())
    importance(toy.model, task.retain, 16, mode="train")
    assert not torch.equal(before["1.running_mean"], toy.model[1].running_mean)
    assert not any(module.training for module in toy.model.modules())


def test_adaptive_alpha_is_a_percentile_of_the_finite_ratios():
    """One of a hundred: q = 100 - ln 2, between the last two of 1, 2, 3, 4."""
    forget = {"a": torch.tensor([1.0, 4.0, 3.0]), "b": torch.tensor([2.0, 5.0, 0.0])}
    data = {"a": torch.ones(3), "b": torch.tensor([1.0, 0.0, 0.0])}
    found = SSD(alpha="adaptive").threshold(forget, data, forgotten=1, kept=99)
    assert found == pytest.approx(1 + 3 * (1 - math.log(2) / 100))


def test_adaptive_alpha_without_any_ratio_changes_nothing():
    zeros = {"a": torch.zeros(2)}
    assert SSD(alpha="adaptive").threshold(zeros, zeros, 1, 9) == math.inf


@pytest.mark.parametrize(
    ("text", "needs", "prepares"),
    [
        ("ssd", ("forget", "forget-labels"), True),
        ("ssd[importance=label-free]", ("forget",), True),
        (
            "ssd[over=retain]",
            ("forget", "retain", "forget-labels", "retain-labels"),
            False,
        ),
    ],
)
def test_ssd_asks_for_what_its_parameters_make_it_read(text, needs, prepares):
    _toy, task, method = toy_task(text)
    assert method.requirements() == needs
    assert method.prepares() == prepares == bool(task.statistics)


def test_importance_over_the_retain_set_is_that_of_the_retain_set():
    toy, task, method = toy_task("ssd[over=retain,alpha=1,batch_size=10,forget_batch_size=5]")
    result = method.unlearn(toy.model, task)
    forget = importance(toy.model, task.forget, 5)
    retain = importance(toy.model, task.retain, 10)
    for name, weight in result.named_parameters():
        factor = method.factor(forget[name], retain[name], 1.0)
        assert torch.equal(weight, toy.model.get_parameter(name) * factor)
