"""Methods against hand-computed or independently derived values."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from bench.contract_methods import Toy
from bench.examples import Examples
from bench.recipe import accuracy, predict
from bench.registry import Registry
from methods.neggrad import NegGrad
from methods.pgu import PGU
from methods.retrain import Retrain
from methods.shared.importance import squared_gradients
from methods.shared.projection import (
    core_bases,
    core_size,
    input_covariances,
    input_vectors,
    project_out,
    weight_layers,
)
from methods.shared.trust_region import TrustRegion
from methods.ssd import SSD

REGISTRY = Registry()


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def toy_task(text, network="softmax", **how):
    toy = Toy(network)
    plugin = REGISTRY.resolve("methods", text)
    return toy, toy.task(plugin, **how), plugin()


# SSD: a model small enough to do on paper ---------------------------------------------------------


def test_importance_is_the_squared_gradient_of_the_batch_mean():
    """z = [0, w x], one weight: d CE / dw = (p - y) x with p = sigmoid(w x)."""
    net = nn.Linear(1, 2, bias=False)
    net.weight.data = torch.tensor([[0.0], [0.0]])
    model = nn.Sequential(nn.Flatten(), net)
    pixels = torch.tensor([0, 255, 255, 255], dtype=torch.uint8)[:, None, None, None]
    examples = Examples(pixels, torch.tensor([1, 1, 1, 0]), 255.0)  # x = -1, 1, 1, 1
    # Per example, for output 1: (0.5 - y) x = 0.5, -0.5, -0.5, 0.5.
    whole = squared_gradients(model, examples, batch_size=4)["1.weight"]
    assert torch.allclose(whole, torch.zeros(2, 1))
    pairs = squared_gradients(model, examples, batch_size=2)["1.weight"]
    assert torch.allclose(pairs, torch.zeros(2, 1))
    singles = squared_gradients(model, examples, batch_size=1)["1.weight"]
    assert torch.allclose(singles, torch.full((2, 1), 0.25))
    three_and_one = squared_gradients(model, examples.take(torch.tensor([1, 2, 0, 3])), 2)
    # Means -0.5 and 0.5; squares 0.25 each.
    assert torch.allclose(three_and_one["1.weight"], torch.full((2, 1), 0.25))


def test_ssd_dampens_strictly_above_alpha_and_never_amplifies():
    forget = torch.tensor([0.0, 1.0, 10.0, 10.1, 40.0, 1.0])
    data = torch.tensor([0.0, 1.0, 1.0, 1.0, 1.0, 0.0])
    factors = SSD(alpha=10.0, lam=1.0).factor(forget, data)
    expected = torch.tensor([1.0, 1.0, 1.0, 1 / 10.1, 1 / 40.0, 0.0])
    assert torch.allclose(factors, expected)
    assert torch.allclose(SSD(alpha=10.0, lam=100.0).factor(forget, data)[4], torch.tensor(1.0))
    assert torch.allclose(SSD(alpha=50.0, lam=1.0).factor(forget, data)[4], torch.tensor(1.0))


def test_ssd_multiplies_every_parameter_and_no_buffer():
    toy, task, method = toy_task("ssd[alpha=1]")
    result = method.unlearn(toy.model, task)
    forget = squared_gradients(toy.model, task.forget, 64)
    data = squared_gradients(toy.model, toy.training, 64)
    for name, weight in result.named_parameters():
        expected = toy.model.get_parameter(name) * method.factor(forget[name], data[name])
        assert torch.equal(weight, expected)
    for name, buffer in result.named_buffers():
        assert torch.equal(buffer, toy.model.get_buffer(name))


# Gradient ascent ----------------------------------------------------------------------------------


def test_neggrad_takes_the_reverse_of_a_training_step():
    toy, task, _ = toy_task("neggrad")
    method = NegGrad(epochs=1, batch_size=1000, lr=0.1, momentum=0.0, weight_decay=0.0)
    result = method.unlearn(toy.model, task)
    model = copy.deepcopy(toy.model).train()
    functional.cross_entropy(model(task.forget.images), task.forget.labels).backward()
    for after, before in zip(result.parameters(), model.parameters(), strict=True):
        assert torch.allclose(after, before + 0.1 * before.grad, atol=1e-6)


# Retraining ---------------------------------------------------------------------------------------


def test_retraining_starts_from_new_weights_everywhere():
    toy, task, _ = toy_task("retrain")
    result = Retrain().unlearn(toy.model, task)
    for name, tensor in result.state_dict().items():
        if not name.endswith(("num_batches_tracked", "bias")):
            assert not torch.isclose(tensor, toy.model.state_dict()[name]).all(), name
    assert accuracy(result, toy.validation) > 0.9


# PGU: loss ----------------------------------------------------------------------------------------

LOGITS = torch.tensor([[3.0, 1.0, 0.2], [0.0, 0.0, 0.0]], requires_grad=True)
LABELS = torch.tensor([0, 2])


def test_pgu_loss_and_gradient_have_the_published_golden_values():
    method = PGU(eps=0.05)
    assert method.loss(LOGITS, LABELS, 0.0).item() == pytest.approx(0.937506, abs=1e-6)
    loss = method.loss(LOGITS, LABELS, 0.2)
    assert loss.item() == pytest.approx(0.772871, abs=1e-6)
    (gradient,) = torch.autograd.grad(loss, LOGITS)
    expected = [[0.351153, -0.239481, -0.111673], [-0.077519, -0.077519, 0.155039]]
    assert torch.allclose(gradient, torch.tensor(expected), atol=2e-6)


def test_pgu_loss_by_hand_and_the_sign_of_the_entropy():
    """p = (1/2, 1/2): -log(1 - 1/2 + eps) and entropy log 2, maximised for lam > 0."""
    method, even = PGU(eps=0.1), torch.zeros(1, 2)
    plain = -torch.log(torch.tensor(0.6))
    for lam in (0.0, 0.5, -0.5):
        expected = plain - lam * torch.log(torch.tensor(2.0))
        assert torch.isclose(method.loss(even, torch.tensor([1]), lam), expected)


def test_entropy_over_the_other_classes_leaves_the_label_out():
    method = PGU(eps=0.1, entropy="others")
    logits = torch.tensor([[50.0, 1.0, 1.0]])
    found = method.loss(logits, torch.tensor([0]), -1.0) - method.loss(logits, LABELS[:1], 0.0)
    assert torch.isclose(found, torch.log(torch.tensor(2.0)))


# PGU: core spaces ---------------------------------------------------------------------------------


def test_core_size_for_a_known_spectrum():
    sigma = torch.tensor([5.0, 3.0, 1.0, 1.0])  # shares .5 .8 .9 1
    paper = [core_size(sigma, gamma, "paper") for gamma in (0.4, 0.5, 0.79, 0.8, 0.95, 1.0)]
    assert paper == [1, 1, 2, 2, 4, 4]
    code = [core_size(sigma, gamma, "code") for gamma in (0.4, 0.5, 0.79, 0.8, 0.95, 1.0)]
    assert code == [0, 1, 1, 2, 3, 4]


CONVOLUTIONS = [
    {"stride": 2, "padding": 1},
    {"padding": 2, "dilation": 2},
    {"padding": "same"},
    {"groups": 2, "padding": 1},
    {"groups": 4, "stride": (2, 1)},
    {"padding": 1, "padding_mode": "reflect"},
]


@pytest.mark.parametrize("how", CONVOLUTIONS, ids=str)
def test_input_vectors_are_what_the_convolution_multiplies(how):
    torch.manual_seed(0)
    with torch.random.fork_rng():
        layer = nn.Conv2d(4, 8, 3, bias=False, **how).double()
    images = torch.randn(3, 4, 9, 7, generator=generator(), dtype=torch.float64)
    vectors = input_vectors(layer, images)
    weights = layer.weight.flatten(1).chunk(layer.groups)
    by_hand = torch.cat([v @ w.T for v, w in zip(vectors, weights, strict=True)], dim=1)
    outputs = layer(images).permute(0, 2, 3, 1).reshape(-1, 8)
    assert torch.allclose(by_hand, outputs)


def test_unit_stride_takes_patches_everywhere():
    layer = nn.Conv2d(1, 1, 3, stride=2, padding=1)
    images = torch.zeros(2, 1, 8, 8)
    assert input_vectors(layer, images).shape == (1, 2 * 16, 9)
    assert input_vectors(layer, images, unit_stride=True).shape == (1, 2 * 64, 9)


def test_subtraction_gives_the_covariance_of_the_retain_set():
    toy, task, _ = toy_task("pgu")
    direct = input_covariances(
        toy.model,
        [
            images
            for images, _ in Toy("softmax")
            .task(REGISTRY.resolve("methods", "retrain"))
            .retain.batches(50)
        ],
    )
    forget = input_covariances(toy.model, task.forget.image_batches(50))
    for name, full in task.statistics.items():
        scale = full.abs().max()
        assert torch.allclose(full - forget[name], direct[name], atol=1e-6 * scale.item())


@given(st.integers(1, 4), st.integers(2, 6), st.floats(0.1, 0.99), st.integers(0, 1000))
def test_projection_is_idempotent_orthogonal_and_leaves_the_rest(groups, width, gamma, seed):
    data = torch.randn(groups, 3 * width, width, generator=generator(seed), dtype=torch.float64)
    bases = core_bases(data.mT @ data, gamma)
    for m in bases:
        assert torch.allclose(m.T @ m, torch.eye(m.shape[1], dtype=m.dtype), atol=1e-9)
    gradient = torch.randn(2 * groups, width, generator=generator(seed + 1), dtype=torch.float64)
    projected = project_out(gradient, bases)
    assert torch.allclose(project_out(projected, bases), projected, atol=1e-9)
    for part, m in zip(projected.chunk(groups), bases, strict=True):
        assert torch.allclose(part @ m, torch.zeros(2, m.shape[1], dtype=m.dtype), atol=1e-9)


def test_negative_eigenvalues_count_as_zero():
    covariance = torch.diag(torch.tensor([4.0, 1.0, -9.0], dtype=torch.float64))[None]
    (basis,) = core_bases(covariance, 1.0)
    assert basis.shape == (3, 2) or torch.allclose(
        basis[:, :2].abs().sum(0), torch.ones(2).double()
    )
    (first,) = core_bases(covariance, 0.6)
    assert torch.allclose(first.abs(), torch.tensor([[1.0], [0], [0]], dtype=torch.float64))


def test_a_step_leaves_the_outputs_on_retained_inputs_as_they_are():
    """A linear layer whose retained inputs span few directions: exactly nothing changes there."""
    layer = nn.Linear(6, 3, bias=False)
    retained = torch.randn(40, 2, generator=generator()) @ torch.randn(2, 6, generator=generator(1))
    covariance = input_covariances(nn.Sequential(layer), [retained])["0"]
    bases = [m.float() for m in core_bases(covariance, 0.9999)]
    assert bases[0].shape == (6, 2)
    gradient = torch.randn(3, 6, generator=generator(2))
    step = project_out(gradient, bases)
    assert step.norm() > 0.1 * gradient.norm()
    assert (retained @ step.T).abs().max() < 1e-4


# PGU: the whole method ----------------------------------------------------------------------------


def test_pgu_updates_weights_of_convolutions_and_linear_layers_only():
    toy, task, method = toy_task("pgu[epochs=3,gamma=0.5]")
    states = list(method._epochs(toy.model, task, method._core_spaces(toy.model, task), False))
    before, after = states[0][0], states[-1][0]
    layers = {f"{name}.weight" for name in weight_layers(toy.model)}
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == layers


def test_a_layer_with_gamma_one_is_frozen():
    toy, task, method = toy_task("pgu[epochs=3,gamma={'0' = 1.0, default = 0.5}]")
    assert "0" not in method._core_spaces(toy.model, task)
    states = list(method._epochs(toy.model, task, method._core_spaces(toy.model, task), False))
    assert torch.equal(states[0][0]["0.weight"], states[-1][0]["0.weight"])
    assert not torch.equal(states[0][0]["3.weight"], states[-1][0]["3.weight"])


def test_frozen_parameters_stay_frozen():
    toy, task, method = toy_task("pgu[epochs=3,gamma=0.5]")
    toy.model[0].weight.requires_grad_(False)
    states = list(method._epochs(toy.model, task, method._core_spaces(toy.model, task), False))
    assert torch.equal(states[0][0]["0.weight"], states[-1][0]["0.weight"])
    ssd = SSD(alpha=1.0)
    task.statistics = ssd.prepare(toy.model, toy.training)
    assert torch.equal(ssd.unlearn(toy.model, task)[0].weight, toy.model[0].weight)


def test_pgu_forgets_and_keeps():
    toy, task, method = toy_task("pgu[gamma=0.8]", "poisoned")
    result = method.unlearn(toy.model, task)
    assert accuracy(toy.model, task.forget) > 0.9
    assert accuracy(result, task.forget) < 0.5
    assert accuracy(result, toy.validation) >= accuracy(toy.model, toy.validation) - 0.05


@pytest.mark.parametrize(
    ("gaps", "chosen", "note"),
    [
        ([-0.5, -0.4, 0.1], 2, None),
        ([-0.5, -0.1, 0.4], 1, None),
        ([-0.5, -0.4, -0.3], 2, "never fired"),
        ([0.2, 0.3], 0, "no step taken"),
    ],
)
def test_pgu_stops_where_df_is_predicted_no_better_than_validation(gaps, chosen, note):
    _toy, task, method = toy_task("pgu")
    states = [({"w": torch.tensor(i)}, 0.5, 0.5 + gap) for i, gap in enumerate(gaps)]
    assert int(method._stop_at_gap(iter(states), task)["w"]) == chosen
    assert [note in text for text in task.notes] == ([True] if note else [])


def test_depoisoning_returns_the_state_before_validation_accuracy_fell():
    _toy, task, method = toy_task("pgu[tolerance=0.05]")
    states = [({"w": torch.tensor(i)}, 0.9, v) for i, v in enumerate([0.8, 0.9, 0.76, 0.74, 0.9])]
    assert int(method._stop_at_fall(iter(states), task)["w"]) == 2
    assert "validation accuracy had fallen" in task.notes[0]


def test_trust_region_step_equals_the_gradient_of_its_definition():
    weight = nn.Parameter(torch.randn(3, 5, generator=generator()))
    core = torch.linalg.qr(torch.randn(5, 3, generator=generator(1)))[0]
    region = TrustRegion(weight, core, rank=2)
    region.scale += 0.1 * torch.randn(2, 2, generator=generator(2))
    plain = region.plain.clone().requires_grad_()
    scale = region.scale.clone().requires_grad_()
    basis = core[:, -2:]

    def effective(w, q):
        return w + w @ basis @ (q - torch.eye(2)) @ basis.T

    loss = (effective(plain, scale) ** 3).sum()
    by_plain, by_scale = torch.autograd.grad(loss, [plain, scale])
    with torch.no_grad():
        weight.copy_(effective(plain, scale))
    gradient = 3 * weight.detach() ** 2
    region.step(gradient, lr=0.1)
    assert torch.allclose(region.scale, scale - 0.01 * by_scale, atol=1e-6)
    projected = project_out(by_plain, [core])
    assert torch.allclose(region.plain, plain - 0.1 * projected, atol=1e-6)
    assert torch.allclose(weight, effective(region.plain, region.scale), atol=1e-6)


def test_trust_region_with_an_identity_scale_changes_nothing():
    weight = nn.Parameter(torch.randn(3, 5, generator=generator()))
    before = weight.detach().clone()
    core = torch.linalg.qr(torch.randn(5, 3, generator=generator(1)))[0]
    TrustRegion(weight, core, rank=400).step(torch.zeros(3, 5), lr=0.1)
    assert torch.allclose(weight, before, atol=1e-6)


@pytest.mark.parametrize("text", ["finetune", "neggrad", "ssd", "pgu"])
def test_unlearned_models_are_handed_back_in_eval_mode(text):
    toy, task, method = toy_task(text)
    result = method.unlearn(toy.model, task)
    assert not any(module.training for module in result.modules())
    assert predict(result, toy.validation).isfinite().all()
