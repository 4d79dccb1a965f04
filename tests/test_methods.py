"""Methods against hand-computed or independently derived values; SSD and PGU: see their files."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

from bench.recipe import accuracy, predict
from methods.bad_teacher import divergence
from methods.bad_teacher_sim import nearest, weighted_divergence
from methods.contrastive import contrast, uniform_divergence
from methods.gisa import GISA
from methods.neggrad import NegGrad
from methods.neggrad_plus import NegGradPlus
from methods.retrain import Retrain
from methods.shared.descent import anchor, endless, pairs
from methods.shared.importance import importance
from tests.toys import REGISTRY, generator, toy_task

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


@pytest.mark.parametrize("text", [entry.name for entry in REGISTRY.entries("methods")])
def test_unlearned_models_are_handed_back_in_eval_mode(text):
    toy, task, method = toy_task(text)
    result = method.unlearn(toy.model, task)
    assert not any(module.training for module in result.modules())
    assert predict(result, toy.validation).isfinite().all()


def test_the_original_comes_back_as_it_was():
    toy, task, method = toy_task("original")
    result = method.unlearn(toy.model, task)
    for name, tensor in result.state_dict().items():
        assert torch.equal(tensor, toy.model.state_dict()[name])


# Pairs of retain and forget batches ---------------------------------------------------------------


def sizes(unequal="use", size=10):
    _toy, task, _ = toy_task("neggrad+")  # 77 to keep, 13 to forget
    rng = generator()
    found = pairs(task.retain.batches(10, rng), endless(task.forget, size, rng), unequal)
    return [(len(retained), len(forgotten)) for retained, _, forgotten, _ in found]


def test_forget_batches_start_anew_when_they_end():
    assert sizes() == [(10, 10), (10, 3)] * 3 + [(10, 10), (7, 3)]


def test_pairs_of_unequal_size_are_left_out_where_published_code_does_so():
    assert sizes(unequal="skip") == [(10, 10)] * 4
    assert sizes(unequal="skip", size=13) == []


def test_nothing_to_forget_makes_no_pairs():
    _toy, task, _ = toy_task("neggrad+", forgotten=0)
    assert list(endless(task.forget, 10, generator())) == []


@pytest.mark.parametrize("reshuffle", [True, False])
def test_forget_batches_are_repeated_or_drawn_again(reshuffle):
    _toy, task, _ = toy_task("neggrad+")
    found = endless(task.forget, 10, generator(), reshuffle)
    forgotten = [next(found)[0] for _batch in range(4)]
    assert torch.equal(forgotten[0], forgotten[2]) == (not reshuffle)


def test_forget_batches_go_on_from_epoch_to_epoch(monkeypatch):
    """Seven pairs an epoch and two forget batches: the second epoch starts with the second."""
    seen = []

    def noted(retain, forget, unequal):
        for pair in pairs(retain, forget, unequal):
            seen.append(len(pair[2]))
            yield pair

    monkeypatch.setattr("methods.neggrad_plus.pairs", noted)
    text = "neggrad+[epochs=2,batch_size=11,forget_batch_size=10]"  # seven retain batches
    toy, task, method = toy_task(text)
    method.unlearn(toy.model, task)
    assert seen == [10, 3] * 7


def test_the_pull_to_the_original_is_half_the_squared_distance():
    origin, model = nn.Linear(2, 1), nn.Linear(2, 1)
    origin.weight.data, model.weight.data = torch.tensor([[1.0, 1]]), torch.tensor([[4.0, 1]])
    origin.bias.data, model.bias.data = torch.zeros(1), torch.ones(1)
    assert anchor(model, origin, 0.1).item() == pytest.approx(0.05 * (9 + 1))
    model.bias.requires_grad_(False)
    assert anchor(model, origin, 0.1).item() == pytest.approx(0.05 * 9)


def test_neggrad_plus_joins_the_losses_as_report_and_paper_do():
    retain, forget = torch.tensor(2.0), torch.tensor(3.0)
    assert NegGradPlus(lam=0.1).joint(retain, forget).item() == pytest.approx(1.7)
    scrub = NegGradPlus(loss="scrub", alpha=0.95)
    assert scrub.joint(retain, forget, 0.5).item() == pytest.approx(0.95 * 2.5 - 0.05 * 3)


# Bad teachers -------------------------------------------------------------------------------------


def test_divergence_by_hand_in_both_reductions():
    """KL of (3/4, 1/4) from (1/2, 1/2): 3/4 log 3/2 + 1/4 log 1/2; softened by 2 it is smaller."""
    teacher, student = torch.tensor([[3.0, 1.0]]).log().repeat(2, 1), torch.zeros(2, 2)
    expected = 0.75 * torch.tensor(1.5).log() + 0.25 * torch.tensor(0.5).log()
    assert torch.isclose(divergence(student, teacher, 1.0, "batchmean"), expected)
    assert torch.isclose(divergence(student, teacher, 1.0, "mean"), expected / 2)
    root = torch.tensor(3.0).sqrt()
    p = root / (1 + root)
    softened = p * (2 * p).log() + (1 - p) * (2 * (1 - p)).log()
    assert torch.isclose(divergence(student, teacher, 2.0, "batchmean"), softened)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("bad-teacher", 23),  # 30 % of 77
        ("bad-teacher[retain_fraction=1]", 77),
        ("bad-teacher[retain_scale=3]", 39),  # three times 13
    ],
)
def test_bad_teacher_keeps_a_part_of_the_retain_set(text, kept):
    _toy, task, method = toy_task(text)
    part = method._kept(task)
    assert len(part) == kept
    assert set(part._index.tolist()) <= set(task.retain._index.tolist())


def test_one_step_of_bad_teacher_imitates_the_right_teacher_on_each_example():
    toy, task, method = toy_task(
        "bad-teacher[optimizer=sgd,lr=0.1,batch_size=1000,mode=eval,retain_fraction=1,"
        "reduction=batchmean]"
    )
    result = method.unlearn(toy.model, task)
    bad = task.recipe.fresh_model(toy_task("bad-teacher")[1].rng).eval()
    student = copy.deepcopy(toy.model)
    images = torch.cat([task.forget.images, task.retain.images])
    with torch.no_grad():
        targets = torch.cat([bad(task.forget.images), toy.model(task.retain.images)])
    p, q = targets.softmax(1), student(images).softmax(1)
    (p * (p / q).log()).sum(1).mean().backward()
    for after, before in zip(result.parameters(), student.parameters(), strict=True):
        assert torch.allclose(after, before - 0.1 * before.grad, atol=1e-5)


def test_nearest_is_by_angle():
    queries = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    candidates = torch.tensor([[0.0, 1.0], [9.0, 1.0], [1.0, 1.0], [-1.0, 0.0]])
    assert nearest(queries, candidates, 2).tolist() == [[1, 2], [0, 2]]
    assert nearest(queries, candidates, 9).shape == (2, 4)
    assert nearest(queries[:0], candidates, 2).shape == (0, 2)


def test_weighted_divergence_is_a_weighted_mean_over_examples():
    teacher = torch.tensor([[3.0, 1.0], [1.0, 1.0]]).log()
    each = divergence(torch.zeros(1, 2), teacher[:1], 1.0, "batchmean")
    found = weighted_divergence(torch.zeros(2, 2), teacher, torch.tensor([1.5, 0.5]), 1.0)
    assert torch.isclose(found, 0.75 * each)


def test_forget_and_retain_batches_alternate_and_each_kept_image_comes_once():
    _toy, task, method = toy_task("bad-teacher-sim[batch_size=5]")
    kept = task.retain.take(torch.arange(21))
    turns = list(method._alternate(task, kept))
    assert [forgotten for forgotten, _ in turns] == [True, False] * 3
    assert sorted(torch.cat([chunk for f, chunk in turns if not f]).tolist()) == list(range(21))
    assert sorted(torch.cat([chunk for f, chunk in turns if f]).tolist()) == list(range(13))


# GISA ---------------------------------------------------------------------------------------------


def test_gisa_raises_the_rate_of_what_matters_to_the_forget_set():
    """Log ratios 2, 0 and below 0, which counts as 0: 1 + 2 / 3."""
    forget = torch.tensor([torch.e**2, 1.0, 0.1])
    assert GISA().factor(forget, torch.ones(3)) == pytest.approx(1 + 2 / 3)
    assert GISA().factor(torch.zeros(3), torch.ones(3)) == 1
    assert GISA(eps=1.0).factor(torch.ones(1), torch.zeros(1)) == 1


def test_gisa_loss_by_hand():
    assert GISA(loss_eps=0.0).joint(torch.tensor(2.0), torch.tensor(4.0)).item() == 1
    assert GISA(loss_eps=1.0).joint(torch.tensor(2.0), torch.tensor(3.0)).item() == 1


def test_one_step_of_gisa_has_a_rate_for_each_tensor():
    toy, task, method = toy_task(
        "gisa[optimizer=sgd,lr=0.01,epochs=1,batch_size=1000,weight_decay=0,clip=0,mode=eval]"
    )
    result = method.unlearn(toy.model, task)
    forget = importance(toy.model, task.forget, 1000)
    retain = importance(toy.model, task.retain, 1000)
    student = copy.deepcopy(toy.model)
    on = {
        part: functional.cross_entropy(student(examples.images), examples.labels)
        for part, examples in (("retain", task.retain), ("forget", task.forget))
    }
    (on["retain"] ** 2 / (on["forget"] + 1e-8)).backward()
    for name, before in student.named_parameters():
        ratio = (forget[name] / (retain[name] + 1e-8)).log().clamp(min=0).mean()
        expected = before - 0.01 * (1 + ratio) * before.grad
        assert torch.allclose(result.get_parameter(name), expected, rtol=1e-4, atol=1e-6)


# Contrastive forgetting ---------------------------------------------------------------------------


def test_contrast_of_two_by_three_examples():
    """Products 1, 0, 0 in each row: log(e + 2) - 1/3; at temperature 2 log(sqrt(e) + 2) - 1/6."""
    forget, retain = torch.eye(2), torch.tensor([[1.0, 0], [0, 1], [0, 0]])
    assert contrast(forget, retain, 1.0).item() == pytest.approx(1.218112, abs=1e-6)
    assert contrast(forget, retain, 2.0).item() == pytest.approx(1.127710, abs=1e-6)


def test_divergence_from_uniform_by_hand():
    """KL of (1/2, 1/2) from (3/4, 1/4): 1/2 log 2/3 + 1/2 log 2."""
    logits = torch.tensor([[3.0, 1.0], [1.0, 1.0]]).log()
    assert uniform_divergence(logits).item() == pytest.approx(0.5 * 0.143841, abs=1e-6)
