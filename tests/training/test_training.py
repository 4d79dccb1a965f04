"""Training: pairs share their seeds, settings take effect, and costs are measured."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from bench import seeds
from bench.builtin.models.small_cnn import small_cnn
from bench.builtin.models.smallvgg import smallvgg
from bench.checks.toys import Toy
from bench.config.schema import TrainSettings
from bench.engine.graph import open_context
from bench.errors import UserError
from bench.plugins.method_rules import fingerprint
from bench.stages.cell import Cell
from bench.stages.networks import Networks
from bench.training.cost import measured
from bench.training.memory import keep_freed
from bench.training.prediction import accuracy, predict
from bench.training.trainer import Trainer, TwoClassLogits, trainable, training_mode
from tests.helpers.tiny_run import tiny

CPU = torch.device("cpu")


def trainer(classes=3, **settings):
    return Trainer(
        TrainSettings(**settings), lambda: small_cnn(classes, 1, (8, 8), width=4), classes, CPU
    )


def test_fresh_models_follow_from_the_generator_alone():
    made = [fingerprint(trainer().fresh_model(seeds.torch_rng(name))) for name in "aab"]
    assert made[0] == made[1] != made[2]


def test_original_and_retrained_of_a_pair_start_from_the_same_weights(tmp_path, monkeypatch):
    started = []
    monkeypatch.setattr(
        Trainer,
        "train",
        lambda self, model, examples, rng: started.append(copy.deepcopy(model)) or model,
    )
    context = open_context(tiny(tmp_path))
    for row in ("original", "retrained"):
        for member in (0, 1):
            context.stages["train"].make(context, Cell("train", row, member), alone=False)
    prints = [fingerprint(model) for model in started]
    assert prints[0] == prints[2] != prints[1] == prints[3]


def test_retraining_never_sees_the_forget_set(tmp_path):
    context = open_context(tiny(tmp_path))
    networks, split = context.once(Networks), context.split
    forgotten = networks.part("forget").images.flatten(1)
    retained = networks.part("retain").images.flatten(1)
    assert len(retained) + len(forgotten) == len(networks.part("train"))
    labels = torch.from_numpy(split.true_labels[split.retain])
    assert torch.equal(networks.part("retain").labels, labels)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"optimizer": "adam", "lr": 0.01},
        {"schedule": "exponential", "final_lr": 0.001},
        {"schedule": "constant", "momentum": 0.0},
        {"precision": "bf16"},
    ],
)
def test_all_settings_learn_the_toy_problem(settings):
    toy = Toy("softmax")
    rng = seeds.torch_rng("learn")
    how = trainer(**{"epochs": 8, "batch_size": 16, "lr": 0.05, **settings})
    model = how.train(how.fresh_model(rng), toy.training, rng)
    assert accuracy(model, toy.validation) > 0.9
    assert not model.training
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_exponential_without_an_end_is_a_user_error():
    toy = Toy("softmax")
    how = trainer(schedule="exponential")
    with pytest.raises(UserError, match="final_lr"):
        how.train(how.fresh_model(seeds.torch_rng("x")), toy.training, seeds.torch_rng("x"))


def test_diverged_training_is_a_user_error(tmp_path):
    context = open_context(tiny(tmp_path, train={"lr": 1e30, "epochs": 2}))
    with pytest.raises(UserError, match=r"lower train.lr"):
        context.stages["train"].make(context, Cell("train", "original", 0), alone=False)


def test_one_output_is_read_as_two_class_logits():
    how = Trainer(TrainSettings(), lambda: small_cnn(2, 1, (8, 8), head="binary"), 2, CPU)
    model = how.fresh_model(seeds.torch_rng("x")).eval()
    logits = model(torch.zeros(5, 1, 8, 8))
    assert isinstance(model, TwoClassLogits)
    assert logits.shape == (5, 2)
    assert torch.equal(logits[:, 0], torch.zeros(5))
    loss = nn.functional.cross_entropy(logits, torch.ones(5, dtype=torch.long))
    same = nn.functional.binary_cross_entropy_with_logits(logits[:, 1], torch.ones(5))
    assert torch.isclose(loss, same)


def test_a_model_with_the_wrong_number_of_outputs_is_a_user_error():
    how = Trainer(TrainSettings(), lambda: nn.Linear(4, 7), 3, CPU)
    with pytest.raises(UserError, match="7 outputs for 3 classes"):
        how.blank_model()


def test_predictions_are_made_in_eval_mode_and_leave_the_mode_alone():
    toy = Toy("softmax")
    toy.model.train()
    toy.model[1].eval()
    before = fingerprint(toy.model)
    first, second = predict(toy.model, toy.validation), predict(toy.model, toy.validation)
    assert torch.equal(first, second)
    assert fingerprint(toy.model) == before


def test_passes_are_counted_in_examples():
    model, teacher = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)), nn.Linear(3, 2)
    with measured(CPU, alone=True) as cost:
        for _ in range(3):
            nn.CrossEntropyLoss()(model(torch.zeros(5, 3)), torch.zeros(5).long()).backward()
        copy.deepcopy(model)(torch.zeros(7, 3))
        with torch.no_grad():
            teacher(torch.zeros(2, 3))
    assert (cost.forward_examples, cost.backward_examples) == (3 * 5 + 7 + 2, 15)
    assert cost.time_s > 0
    model(torch.zeros(5, 3))
    assert cost.forward_examples == 24


def test_time_is_only_taken_alone():
    with measured(CPU, alone=False) as cost:
        pass
    assert cost.time_s is None


def test_peak_memory_sees_what_the_work_needed():
    """Even if the process keeps freed memory, the same work needs the same amount again."""
    for kept in (False, True, True):
        if kept:
            keep_freed()
        with measured(CPU, alone=False) as cost:
            torch.ones(2**25).sum()
        if cost.peak_memory_mb is not None:  # only Linux measures it
            assert 100 < cost.peak_memory_mb < 400


def test_a_frozen_backbone_keeps_its_weights_and_its_batch_norm_statistics():
    model = small_cnn(3, 1, (8, 8), width=4, hidden=8)
    for weight in model[:2].parameters():
        weight.requires_grad_(False)
    assert not training_mode(model)[1].training
    assert model[4].training
    assert len(trainable(model)) == len(list(model.parameters())) - 3


@pytest.mark.parametrize(
    "layers",
    [
        [nn.Conv2d(1, 4, 8), nn.BatchNorm2d(4), nn.Flatten()],
        [nn.Flatten(), nn.Linear(64, 4), nn.BatchNorm1d(4)],
        [nn.Unflatten(2, (2, 4)), nn.Conv3d(1, 4, (2, 4, 8)), nn.BatchNorm3d(4), nn.Flatten()],
    ],
    ids=["1x1 maps", "vectors", "1x1x1 volumes"],
)
def test_one_value_in_a_channel_has_no_variance_and_is_normed_as_in_evaluation(layers):
    model = nn.Sequential(*layers, nn.Linear(4, 3))
    image = torch.randn(1, 1, 8, 8)
    expected = model.eval()(image)
    assert torch.equal(training_mode(model)(image), expected)
    assert all(module.training for module in model.modules())
    assert not torch.allclose(model(torch.randn(2, 1, 8, 8)), model.eval()(image))


def test_a_model_that_is_all_frozen_is_a_user_error():
    model = small_cnn(3, 1, (8, 8), width=4, hidden=8).requires_grad_(False)
    with pytest.raises(UserError, match="all are frozen"):
        trainable(model)


def test_smallvgg_is_the_network_of_the_paper():
    model = smallvgg(10, 3, (32, 32))
    assert sum(weight.numel() for weight in model.parameters()) == 5_681_674
    with pytest.raises(UserError, match="8 x 8"):
        smallvgg(10, 3, (7, 7))
