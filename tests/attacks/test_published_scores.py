"""Our scores against recorded runs of published code.

``published_scores.npz`` holds inputs and what published code makes of them: the forgetting quality
of M. Gorinova's notebook, unlearning-challenge/starting-kit (simple membership attack),
OPTML-Group/Unlearn-Sparse (SVC attack, modified entropy before and after it was corrected),
RoyRin/data-unlearning-bench (KLoM, both codes), vikram2000b/bad-teaching-unlearning (ZRF),
kairanzhao/RUM (ToW), ayushkumartarun/zero-shot-unlearning (steps of AIN) and meghdadk/SCRUB
(relearn time), the last two with the order in which examples were drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from bench.attacks.forgetting_quality import SETTINGS, epsilons_of, example_epsilons, quality_of
from bench.attacks.gap import summaries
from bench.attacks.klom import divergences
from bench.attacks.shared.distinguish import held_out_claims, logistic_rates
from bench.attacks.shared.efficacy import efficacies, feature_of
from bench.attacks.shared.probabilities import logit_confidence
from bench.attacks.simple_mia import attack_accuracy
from bench.attacks.zrf import divergences as js_divergences
from bench.plugins.outputs import Labels, Outputs, Population
from bench.stages.relearn import epochs_to_loss, steps_to_accuracy

ALL = np.load(Path(__file__).with_name("published_scores.npz"))


def recorded(group):
    """The arrays of one record, by name."""
    return {k.partition("/")[2]: ALL[k] for k in ALL.files if k.startswith(group + "/")}


@pytest.mark.parametrize("models", [8, 10, 20])
def test_forgetting_quality_of_the_notebook(models):
    """With edge cases: constants, ties, both separations, partial ones, values of scale 1e-4."""
    run = recorded(f"notebook_{models}")
    unlearned, retrained = run["outputs_U"], run["outputs_R"]
    for name, logistic in (("both", True), ("threshold", False)):
        epsilons = epsilons_of("notebook", SETTINGS["notebook"], logistic, one_by_one=True)
        found = epsilons(unlearned, retrained)
        assert np.allclose(found, run[f"eps_{name}"], rtol=1e-12, atol=0)
        assert quality_of("notebook", found, models) == run[f"F_{name}"]
    rates = logistic_rates(unlearned, retrained, 2, one_by_one=True)
    found = example_epsilons(*rates, 0.01, notebook=True)
    assert np.allclose(found, run["eps_logistic"], rtol=1e-12, atol=0)


@pytest.mark.parametrize("case", [1, 2, 3])
def test_simple_attack_of_the_starting_kit(case):
    run = recorded(f"simple_{case}")
    members, others = run["forget_losses"][:, None], run["test_losses"][:, None]
    assert attack_accuracy(members, others, 10) == pytest.approx(run["scores"].mean())
    by_split = [
        (claims[:, 0] == truth).mean() for claims, truth in held_out_claims(members, others, 10)
    ]
    assert by_split == pytest.approx(run["scores"])


@pytest.mark.parametrize("case", [1, 3])
@pytest.mark.parametrize(
    ("feature", "published"),
    [
        ("correctness", "correctness"),
        ("confidence", "confidence"),
        ("entropy", "entropy"),
        ("uncorrected-modified-entropy", "m_entropy"),
        ("modified-entropy", "m_entropy_fixed"),
        ("probabilities", "prob"),
    ],
)
def test_efficacy_of_unlearn_sparse(case, feature, published):
    run = recorded(f"svc_{case}")
    sides = {"retain": "shadow_train", "validation": "shadow_test", "forget": "target_test"}
    logits = {part: run[f"{side}_logits"][None] for part, side in sides.items()}
    labels = {part: Labels(*[run[f"{side}_labels"]] * 2) for part, side in sides.items()}
    if feature != "probabilities":
        found = feature_of(logits["forget"], labels["forget"].train, feature)[0, :, 0]
        assert found == pytest.approx(run[published], rel=1e-4, abs=1e-5)
    population = Population(np.arange(1), logits)
    outputs = Outputs(population, population, {}, labels)
    found = efficacies(outputs, population, feature, examples=len(labels["retain"].train))
    assert found[0] == pytest.approx(run[f"acc_{published}"])


@pytest.mark.parametrize(("edges", "published"), [("published", "bench"), ("first", "paper")])
def test_klom_of_both_published_codes(edges, published):
    run = recorded("klom")
    found = divergences(run["unlearned_margins"], run["oracle_margins"], edges)
    expected = run[f"kl_{published}_float64"]
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-12, nan_ok=True)
    assert np.isnan(found).any()  # a population without counts


def test_margins_of_klom():
    run = recorded("klom")
    found = logit_confidence(run["logits"], run["labels"])
    assert found == pytest.approx(run["margins_float64"], abs=1e-6)


def test_zrf_of_the_published_code():
    run = recorded("zrf")
    forward, reverse = js_divergences(np.log(run["random64_p"]), np.log(run["random64_q"]))
    classes = run["random64_p"].shape[1]
    assert reverse.mean() / classes == pytest.approx(run["random64_jsdiv"])
    in_nats = forward.mean() * np.log(2)
    assert in_nats == pytest.approx(run["textbook_js_mean_per_sample_random64"])


def test_tow_of_rum():
    """Columns: accuracies on Dr, Df and test data in percent, on validation data, and MIA."""
    run = recorded("tow")
    apart = np.abs(run["unlearned"] - run["retrained"]).T / np.array([100] * 4 + [1])[:, None]
    retain, forget, test, _validation, mia = apart
    _average, tow, tow_mia = summaries(np.stack([forget, retain, test, mia]))
    assert tow == pytest.approx(run["tow"])
    assert tow_mia == pytest.approx(run["tow_mia"])


@dataclass
class Plain:
    """Vectors and labels as the stage that relearns reads them."""

    vectors: torch.Tensor
    labels: torch.Tensor
    size: tuple[int, ...] = ()

    def image_batches(self, _size):
        yield self.vectors


def batches(vectors, labels, order, size):
    """One epoch in the order that was recorded."""
    chunks = torch.from_numpy(order.astype(np.int64)).split(size)
    return [(vectors[chunk], labels[chunk]) for chunk in chunks]


@pytest.mark.parametrize(
    "case", ["forgetval_lr0.05", "forgetval_lr0.2", "forgetval_default_lr0.001_cap"]
)
def test_steps_of_ain(case):
    """The published code relearns the retrained model first, then the unlearned one."""
    run = recorded("ain")
    vectors, labels = torch.from_numpy(run["X_train"]), torch.from_numpy(run["y_train"])
    chosen = run["y_val"] == run["forget_class"]
    forget = Plain(torch.from_numpy(run["X_val"][chosen]), torch.from_numpy(run["y_val"][chosen]))
    order, size = run[f"{case}_train_index_order"], int(run[f"{case}_batch_size"])
    for kind in ("gold", "unlearned"):
        model = nn.Linear(6, 4)
        model.weight.data, model.bias.data = (
            torch.from_numpy(run[f"{name}_{kind}"]) for name in ("W", "b")
        )
        steps = int(run[f"{case}_steps_{kind}"])
        mine, order = order[: steps * size], order[steps * size :]
        loaders = [batches(vectors, labels, mine, size)]
        required = float(run[f"{case}_req_acc"]) / 100
        found, reached = steps_to_accuracy(
            model, required, loaders, forget, float(run[f"{case}_lr"])
        )
        assert found == steps
        assert reached == (steps < 40)  # ten epochs of four batches


class Net(nn.Module):
    """The toy network of the record: batch norm and dropout tell eval from train mode."""

    def __init__(self):
        super().__init__()
        self.a, self.bn, self.d = nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Dropout(0.5)
        self.b = nn.Linear(8, 4)

    def forward(self, x):
        return self.b(self.d(torch.relu(self.bn(self.a(x)))))


@pytest.mark.parametrize(
    "case",
    ["original", "unl_scrub", "unl_loose_thr_scrub", "unl_never_5epochs", "unl_last_epoch_hit"],
)
def test_relearn_time_of_scrub(case):
    run = recorded("relearn")
    vectors, labels = torch.from_numpy(run["X"]), torch.from_numpy(run["y"])
    forget = Plain(vectors[run["forget_mask"]], labels[run["forget_mask"]])
    model = Net()
    prefix = ("orig" if case == "original" else "unl") + "."
    weights = {k.removeprefix(prefix): v for k, v in run.items() if k.startswith(prefix)}
    model.load_state_dict({name: torch.tensor(value) for name, value in weights.items()})
    drawn = (batches(vectors, labels, order, 128) for order in run[f"{case}_index_order"])
    settings = int(run[f"{case}_epochs"]), float(run[f"{case}_lr"]), float(run["weight_decay"])
    found, reached = epochs_to_loss(model, float(run[f"{case}_thr"]), drawn, forget, *settings)
    assert found == run[f"{case}_reported_time"]
    assert reached is ("never" not in case)
