"""Methods against hand-computed or independently derived values; SSD and PGU: see their files."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional

from bench.methods.bad_teacher import divergence
from bench.methods.bad_teacher_sim import nearest, weighted_divergence
from bench.methods.contrastive import contrast, uniform_divergence
from bench.methods.gisa import GISA
from bench.methods.neggrad import NegGrad
from bench.methods.neggrad_plus import NegGradPlus
from bench.methods.retrain import Retrain
from bench.methods.shared.descent import anchor, endless, pairs
from bench.methods.shared.features import penultimate
from bench.methods.shared.importance import importance
from bench.training.prediction import accuracy, predict
from tests.helpers.toys import REGISTRY, generator, retained, toy_task

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

    monkeypatch.setattr("bench.methods.neggrad_plus.pairs", noted)
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


def training_inputs(model):
    """A list that receives each batch that the model, or a copy of it, is trained on."""
    seen = []

    def watch(module, inputs):
        if module.training:
            seen.append(inputs[0].clone())

    model.register_forward_pre_hook(watch)
    return seen


def split_seen(images, task):
    """Which examples these images are: positions in the forget set, and in the retain set."""
    positions = []
    for part in (task.forget, task.retain):
        same = (images[:, None] == part.images[None]).flatten(2).all(2)
        positions.append(same.nonzero()[:, 1])
    assert sum(map(len, positions)) == len(images)
    return positions


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
    toy, task, method = toy_task(text)
    seen = training_inputs(toy.model)
    method.unlearn(toy.model, task)
    forgotten, others = split_seen(torch.cat(seen), task)
    assert len(forgotten.unique()) == len(task.forget)
    assert len(others.unique()) == kept


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
    toy, task, method = toy_task("bad-teacher-sim[batch_size=5,epochs=1,neighbours=2]")
    seen = training_inputs(toy.model)
    method.unlearn(toy.model, task)
    near = nearest(
        penultimate(toy.model, task.forget.image_batches(50)),
        penultimate(toy.model, task.retain.image_batches(50)),
        2,
    ).unique()
    turns = [split_seen(images, task) for images in seen]
    assert [len(forgotten) for forgotten, _ in turns[::2]] == [5, 5, 3]
    assert [len(others) for _, others in turns[::2]] == [0] * 3
    assert [len(forgotten) for forgotten, _ in turns[1::2]] == [0] * 3
    forgotten, others = (torch.cat(side).sort().values for side in zip(*turns, strict=True))
    assert torch.equal(forgotten, torch.arange(13))
    assert torch.equal(others, near)


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


def test_one_retain_round_has_a_rate_that_grows_with_the_batch_size():
    """All of Dr is one batch of up to 128: one step at twice retain_lr, with weight decay."""
    toy, task, method = toy_task(
        "contrastive[epochs=1,batch_size=128,uniform_lr=1e-12,forget_lr=1e-12,final_lr=0,"
        "retain_lr=0.01]",
        "no batch norm",
    )
    result = method.unlearn(toy.model, task)
    model = copy.deepcopy(toy.model)
    functional.cross_entropy(model(task.retain.images), task.retain.labels).backward()
    for after, before in zip(result.parameters(), model.parameters(), strict=True):
        expected = before - 0.02 * (before.grad + 0.01 * before)
        assert torch.allclose(after, expected, atol=1e-6)


def test_bad_teacher_sim_takes_a_step_from_the_bad_teacher_and_one_back():
    toy, task, method = toy_task(
        "bad-teacher-sim[optimizer=sgd,lr=0.1,epochs=1,batch_size=1000,weight_decay=0,mode=eval,"
        "teacher_epochs=2]"
    )
    result = method.unlearn(toy.model, task)
    retain, rng = retained(toy), toy_task("bad-teacher-sim")[1].rng
    recipe = replace(task.recipe, settings=task.recipe.settings.model_copy(update={"epochs": 2}))
    bad = recipe.train(recipe.fresh_model(rng), retain, rng)
    features = [penultimate(toy.model, [part.images]) for part in (task.forget, retain)]
    near = nearest(*features, 3).flatten()
    weight = torch.bincount(near, minlength=len(retain)).float()
    kept = weight.nonzero()[:, 0]
    student = copy.deepcopy(toy.model)
    for images, teacher, of_each in (
        (task.forget.images, bad, torch.ones(len(task.forget))),
        (retain.take(kept).images, toy.model, weight[kept] / weight[kept].mean()),
    ):
        with torch.no_grad():
            target = teacher(images)
        student.zero_grad()
        weighted_divergence(student(images), target, of_each, 1.0).backward()
        for parameter in student.parameters():
            parameter.data -= 0.1 * parameter.grad
    for after, expected in zip(result.parameters(), student.parameters(), strict=True):
        assert torch.allclose(after, expected, atol=1e-5)


def test_gisa_clips_the_gradient_and_takes_importances_in_the_mode_it_says():
    def moved(text):
        spelling = f"gisa[optimizer=sgd,epochs=1,weight_decay=0,{text}]"
        toy, task, method = toy_task(spelling, "poisoned")
        return method.unlearn(toy.model, task).state_dict(), toy.model.state_dict()

    clipped, before = moved("clip=0.001,lr=0.1,batch_size=1000,mode=eval")
    names = [name for name in before if name.endswith(("weight", "bias"))]
    norm = sum(((clipped[n] - before[n]) ** 2).sum() for n in names).sqrt()
    assert 0 < norm < 0.1 * 0.001 * 20  # no factor of equation 11 is near 20 here
    evaluated, _ = moved("lr=0.1")
    trained, _ = moved("lr=0.1,importance_mode=train")
    assert any(not torch.equal(evaluated[name], trained[name]) for name in names)


def test_methods_that_could_not_take_a_step_say_so():
    toy, task, method = toy_task("neggrad+[unequal=skip,batch_size=50]")  # pairs of 50, 27 and 13
    method.unlearn(toy.model, task)
    assert "no step was taken" in task.notes[0]


PUBLISHED = {
    "finetune": {"epochs": 10, "batch_size": 256, "lr": 0.01, "momentum": 0.9},
    "neggrad": {"epochs": 5, "batch_size": 256, "lr": 1e-4, "weight_decay": 5e-4},
    "neggrad+": {"epochs": 1, "optimizer": "adam", "lr": 1e-4, "weight_decay": 5e-3, "lam": 0.1},
    "ssd": {"alpha": 10, "lam": 1, "batch_size": 64},
    "bad-teacher": {"epochs": 1, "batch_size": 256, "lr": 1e-4, "retain_fraction": 0.3},
    "bad-teacher-sim": {"epochs": 5, "lr": 1e-4, "weight_decay": 5e-3, "neighbours": 3},
    "gisa": {"epochs": 3, "batch_size": 64, "lr": 1e-5, "weight_decay": 5e-3, "clip": 1},
    "contrastive": {"epochs": 8, "batch_size": 256, "temperature": 1.15, "uniform_lr": 5e-3},
    "pgu": {"gamma": 0.95, "lam": 0.2, "eps": 0.05, "epochs": 100, "lr": 0.05, "final_lr": 0.01},
    "pgu-head": {"share": 0.95, "offset": 0.1, "lam": 0.2, "batch_size": 16, "lr": 1e-3},
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_defaults_are_the_published_ones(name):
    method = REGISTRY.resolve("methods", name)()
    assert {key: getattr(method, key) for key in PUBLISHED[name]} == PUBLISHED[name]
