"""Every option of PGU and of its head-only form does what it says."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from bench import seeds
from bench.errors import UserError
from bench.methods.shared.projection import weight_layers
from bench.training.prediction import accuracy
from tests.helpers.toys import toy_task


def unlearned(text, network="softmax", seed=7):
    toy, task, method = toy_task(text, network)
    with seeds.isolated(seed):
        return method.unlearn(toy.model, task).state_dict(), task.notes


def differs(first, second):
    return any(not torch.equal(first[name], second[name]) for name in first)


def test_removal_stops_when_df_is_no_longer_predicted_better_than_validation_data():
    toy, task, method = toy_task("pgu[goal=removal,gamma=0.5]", "poisoned")
    assert accuracy(toy.model, task.forget) > accuracy(toy.model, toy.validation)
    result = method.unlearn(toy.model, task)
    assert task.notes == []
    assert differs(result.state_dict(), toy.model.state_dict())


@pytest.mark.parametrize(("tolerance", "note"), [(0.02, "stopped early"), (1, "never fired")])
def test_tolerance_is_how_far_validation_accuracy_may_fall(tolerance, note):
    _state, notes = unlearned(f"pgu[stop=fall,gamma=0,lr=1,final_lr=1,tolerance={tolerance}]")
    assert note in notes[0]


def test_the_trust_region_moves_the_last_layer_when_depoisoning():
    free, _ = unlearned("pgu[trust_rank=0,stop=never,epochs=4]", "poisoned")
    trusted, _ = unlearned("pgu[stop=never,epochs=4]", "poisoned")
    last = [name for name in free if name.endswith("weight")][-1]
    assert not torch.equal(free[last], trusted[last])


def test_shuffling_changes_the_batches():
    in_order, _ = unlearned("pgu[batch_size=4,stop=never,epochs=3,gamma=0.5]")
    shuffled, _ = unlearned("pgu[batch_size=4,stop=never,epochs=3,gamma=0.5,shuffle=true]")
    assert differs(in_order, shuffled)


def test_dropout_is_active_and_batch_norm_is_not():
    toy, task, method = toy_task("pgu[stop=never,epochs=3,gamma=0.5]", "one example")
    model = nn.Sequential(*toy.model[:4], nn.Dropout(0.5), toy.model[4])
    task.statistics = method.prepare(model, toy.training)
    results = []
    for seed in (1, 2):
        with seeds.isolated(seed):
            results.append(method.unlearn(model, task).state_dict())
    assert differs(*results)
    assert torch.equal(results[0]["3.running_mean"], model[3].running_mean)


def test_an_unknown_layer_is_a_user_error():
    with pytest.raises(UserError, match="unknown layer of the model 'nosuch'"):
        unlearned("pgu[gamma={nosuch=0.5}]")


@pytest.mark.parametrize("gamma", ["1", "{default=1.0}"])
def test_all_layers_frozen_is_the_original_and_says_so(gamma):
    state, notes = unlearned(f"pgu[gamma={gamma}]")
    assert not differs(state, toy_task("pgu")[0].model.state_dict())
    assert "every layer is frozen" in notes[0]


def test_a_frozen_head_is_the_original_and_says_so():
    toy, task, method = toy_task("pgu-head")
    toy.model[-1].requires_grad_(False)
    assert not differs(method.unlearn(toy.model, task).state_dict(), toy.model.state_dict())
    assert "head is frozen" in task.notes[0]


def test_the_heads_subspace_is_that_of_a_sample():
    few, _ = unlearned("pgu-head[sample=4,lr=0.5]")
    all_of_it, _ = unlearned("pgu-head[lr=0.5]")
    assert differs(few, all_of_it)


def test_no_statistics_of_frozen_layers_are_taken():
    """A detector with a frozen backbone would pay for fifty layers that cannot change."""
    toy, _task, method = toy_task("pgu", "frozen")
    found = method.prepare(toy.model, toy.training)
    frozen = [n for n, m in weight_layers(toy.model).items() if not m.weight.requires_grad]
    assert frozen
    assert not set(frozen) & set(found)
    assert found
