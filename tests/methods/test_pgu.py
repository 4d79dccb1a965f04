"""PGU: its loss, its projections and the whole method."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from bench.methods.pgu import PGU
from bench.methods.pgu_head import PGUHead
from bench.methods.shared import stopping
from bench.methods.shared.features import last_linear, penultimate
from bench.methods.shared.projection import (
    core_bases,
    core_size,
    input_covariances,
    input_vectors,
    project_out,
    weight_layers,
)
from bench.methods.shared.trust_region import TrustRegion
from bench.training.prediction import accuracy
from tests.helpers.toys import REGISTRY, generator, retained, toy_task

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
    removal = [core_size(sigma, gamma, "removal") for gamma in (0.4, 0.5, 0.79, 0.8, 0.95, 1.0)]
    assert removal == [0, 1, 1, 2, 3, 4]
    classes = [core_size(sigma, gamma, "class") for gamma in (0.4, 0.5, 0.79, 0.8, 0.95, 1.0)]
    assert classes == [1, 2, 2, 3, 4, 4]
    depoison = [core_size(sigma, gamma, "depoison") for gamma in (0.4, 0.5, 0.79, 0.8, 0.95, 1.0)]
    assert depoison == [0, 0, 1, 1, 3, 3]


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
    with torch.random.fork_rng():
        torch.manual_seed(0)
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
    direct = input_covariances(toy.model, retained(toy).image_batches(50))
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
    (both,) = core_bases(covariance, 0.99)
    assert torch.allclose(both.abs(), torch.eye(3, 2, dtype=torch.float64))
    (first,) = core_bases(covariance, 0.6)
    assert torch.allclose(first.abs(), torch.eye(3, 1, dtype=torch.float64))


def test_nothing_to_keep_leaves_the_gradient_free():
    assert core_bases(torch.eye(3, dtype=torch.float64)[None], 0.0)[0].shape == (3, 0)
    assert core_bases(torch.zeros(1, 3, 3, dtype=torch.float64), 0.9)[0].shape == (3, 0)


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
    toy, task, method = toy_task("pgu[stop=never,epochs=3,gamma=0.5]")
    before, after = toy.model.state_dict(), method.unlearn(toy.model, task).state_dict()
    layers = {f"{name}.weight" for name in weight_layers(toy.model)}
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == layers


def test_a_layer_with_gamma_one_is_frozen():
    toy, task, method = toy_task("pgu[stop=never,epochs=3,gamma={'0' = 1.0, default = 0.5}]")
    before, after = toy.model.state_dict(), method.unlearn(toy.model, task).state_dict()
    assert torch.equal(before["0.weight"], after["0.weight"])
    assert not torch.equal(before["3.weight"], after["3.weight"])


def test_frozen_parameters_stay_frozen():
    toy, task, method = toy_task("pgu[stop=never,epochs=3,gamma=0.5]")
    toy.model[0].weight.requires_grad_(False)
    before, after = toy.model.state_dict(), method.unlearn(toy.model, task).state_dict()
    assert torch.equal(before["0.weight"], after["0.weight"])
    assert not torch.equal(before["3.weight"], after["3.weight"])


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
    notes = []
    states = [({"w": i}, 0.5, 0.5 + gap) for i, gap in enumerate(gaps)]
    assert stopping.at_gap(iter(states), notes.append)["w"] == chosen
    assert [note in text for text in notes] == ([True] if note else [])


def test_depoisoning_returns_the_state_before_validation_accuracy_fell():
    notes = []
    states = [({"w": i}, v) for i, v in enumerate([0.8, 0.9, 0.76, 0.74, 0.9])]
    assert stopping.at_fall(iter(states), 0.05, notes.append)["w"] == 2
    assert "validation accuracy had fallen" in notes[0]


def test_depoisoning_that_never_stops_says_so():
    notes = []
    assert stopping.at_fall([({"w": i}, 0.8) for i in range(3)], 0.05, notes.append)["w"] == 2
    assert "never fired" in notes[0]


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


# What the parameters change -----------------------------------------------------------------------


def test_negative_eigenvalues_may_count_by_their_size():
    covariance = torch.diag(torch.tensor([4.0, 1.0, -9.0], dtype=torch.float64))[None]
    (first,) = core_bases(covariance, 0.4, negative="size")
    assert torch.allclose(first.abs(), torch.tensor([[0.0], [0], [1]], dtype=torch.float64))


def test_the_retain_space_is_the_same_by_subtraction_and_directly():
    results = []
    for space in ("subtract", "retain"):
        toy, task, method = toy_task(f"pgu[space={space},epochs=4,gamma=0.6]")
        results.append(method.unlearn(toy.model, task).state_dict())
    for name, tensor in results[0].items():
        assert torch.allclose(tensor, results[1][name], atol=1e-5), name


def test_pgu_asks_for_what_its_parameters_make_it_read():
    assert not toy_task("pgu[space=retain]")[2].prepares()
    assert "retain" in toy_task("pgu[space=retain]")[2].requirements()
    assert toy_task("pgu[stop=never]")[2].requirements() == ("forget", "forget-labels")


def test_augmented_statistics_are_of_other_images_and_repeatable():
    toy, plain, _ = toy_task("pgu")
    _, augmented, method = toy_task("pgu[augmented=true]")
    again = method.prepare(toy.model, toy.training)
    for name, covariance in augmented.statistics.items():
        assert torch.equal(covariance, again[name])
        assert not torch.allclose(covariance, plain.statistics[name], rtol=1e-3)


def test_never_stopping_returns_the_last_epochs_state():
    """As a rule does that never fires; but that says so."""
    toy, task, method = toy_task("pgu[stop=never,epochs=3,gamma=0.5]")
    result = method.unlearn(toy.model, task)
    _, watched, watching = toy_task("pgu[stop=fall,tolerance=1,epochs=3,gamma=0.5]")
    last = watching.unlearn(toy.model, watched).state_dict()
    assert all(torch.equal(result.state_dict()[name], tensor) for name, tensor in last.items())
    assert "never fired" in watched.notes[0]
    assert task.notes == []


def test_requests_one_after_another_carry_the_retain_space_on():
    """The second request starts from the first one's model, with what D without it left."""
    toy, first, method = toy_task("pgu[epochs=4,gamma=0.6]")
    carried = method.carried(toy.model, first)
    expected = input_covariances(toy.model, retained(toy).image_batches(50))
    for name, covariance in carried.items():
        scale = covariance.abs().max().item()
        assert torch.allclose(covariance, expected[name], atol=1e-6 * scale)
    unlearned = method.unlearn(toy.model, first)
    second = toy.task(REGISTRY.resolve("methods", "pgu[epochs=4,gamma=0.6]"))
    second.forget, second.statistics = retained(toy).take(torch.arange(10)), carried
    again = method.unlearn(unlearned, second)
    features = input_covariances(unlearned, second.forget.image_batches(50))
    for name, covariance in method.carried(unlearned, second).items():
        assert torch.equal(covariance, carried[name] - features[name])
    assert not torch.equal(again[0].weight, unlearned[0].weight)


def test_a_projected_step_hardly_moves_the_outputs_on_the_retain_set():
    """To first order: the change of the outputs on Dr against that of the plain gradient step."""
    toy, task, method = toy_task("pgu[gamma=0.99]", "no batch norm")
    covariances = method.carried(toy.model, task)
    bases = {n: [m.float() for m in core_bases(c, 0.99)] for n, c in covariances.items()}
    weights = {name: layer.weight for name, layer in weight_layers(toy.model).items()}
    loss = method.loss(toy.model(task.forget.images), task.forget.labels, 0.2)
    gradients = dict(zip(weights, torch.autograd.grad(loss, list(weights.values())), strict=True))
    before = toy.model(retained(toy).images).detach()

    def change(step):
        for name, weight in weights.items():
            weight.data.sub_(step[name], alpha=1e-3)
        moved = (toy.model(retained(toy).images).detach() - before).norm().item()
        for name, weight in weights.items():
            weight.data.add_(step[name], alpha=1e-3)
        return moved

    projected = {name: project_out(g, bases[name]) for name, g in gradients.items()}
    assert change(projected) < 0.1 * change(gradients)


# The head alone -----------------------------------------------------------------------------------


def test_head_loss_by_hand_and_the_sign_of_the_offset():
    """p = 1/2, H = log 2; with the slides' sign the gradient points to the label for p > 0.9."""
    even, labels = torch.zeros(1, 2), torch.tensor([1])
    for sign, left in (("pgu", 0.6), ("slides", 0.4)):
        found = PGUHead(sign=sign, lam=0.5).loss(even, labels)
        expected = -torch.log(torch.tensor(left)) - 0.5 * torch.log(torch.tensor(2.0))
        assert torch.isclose(found, expected)
    for sign, downhill in (("pgu", True), ("slides", False)):
        logits = torch.tensor([[0.0, 4.0]], requires_grad=True)
        loss = PGUHead(sign=sign, lam=0.0).loss(logits, labels)
        (gradient,) = torch.autograd.grad(loss, logits)
        assert gradient.isfinite().all()
        assert (gradient[0, 1] > 0) == downhill
        assert loss.isnan() != downhill


def test_head_subspace_counts_variance_strictly_below_the_share():
    """Singular values 3, 2, 1: variances 9, 4, 1 of 14, shares .64, .93, 1."""
    features = torch.diag(torch.tensor([2.0, 3.0, 1.0]))
    widths = [PGUHead(share=share).subspace(features).shape[1] for share in (0.3, 0.65, 0.95, 1.0)]
    assert widths == [1, 1, 2, 3]
    first = PGUHead(share=0.3).subspace(features)
    assert torch.allclose(first.abs(), torch.tensor([[0.0], [1.0], [0.0]]))


@pytest.mark.parametrize("network", ["softmax", "one logit"])
@pytest.mark.parametrize("project", ["complement", "subspace"])
def test_head_moves_in_its_directions_and_nothing_else_moves(network, project):
    toy, task, method = toy_task(f"pgu-head[project={project},lr=0.5,keep=last]", network)
    result = method.unlearn(toy.model, task)
    head, before = last_linear(result), last_linear(toy.model)
    kept = penultimate(toy.model, task.retain.image_batches(50))
    basis = method.subspace(kept)
    step = head.weight.detach() - before.weight.detach()
    inside = (step @ basis) @ basis.T
    other = inside if project == "complement" else step - inside
    assert step.norm() > 0
    assert other.norm() < 1e-3 * step.norm()
    names = {id(weight): name for name, weight in result.named_parameters()}
    changed = {
        name
        for name, tensor in result.state_dict().items()
        if not torch.equal(tensor, toy.model.state_dict()[name])
    }
    assert changed == {names[id(head.weight)], names[id(head.bias)]}


def test_head_returns_the_best_state_on_the_retain_set_the_latest_of_equal_ones():
    """With a constant rate, fewer epochs give the states that more epochs pass through."""

    def unlearned(epochs, keep):
        text = f"pgu-head[epochs={epochs},lr=0.5,final_lr=0.5,keep={keep}]"
        toy, task, method = toy_task(text, "poisoned")
        model = method.unlearn(toy.model, task)
        return last_linear(model).weight, accuracy(model, retained(toy)), task.notes

    passed = {epochs: unlearned(epochs, "last") for epochs in (4, 5, 6)}
    assert [accuracy for _, accuracy, _ in passed.values()] == [1, 1, pytest.approx(0.91, abs=0.01)]
    for epochs, best, notes in ((4, 4, []), (8, 5, ["stopped early: accuracy on Dr had fallen"])):
        weight, _, told = unlearned(epochs, "best")
        assert [torch.equal(weight, passed[k][0]) for k in (4, 5, 6)] == [
            best == k for k in (4, 5, 6)
        ]
        assert told == notes
