"""Batches: seeded, complete, and stable when examples are taken out."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bench.data.examples import Examples
from bench.data.sources import Pixels
from bench.errors import ContractError, UserError

N = 23
POOL = torch.arange(N, dtype=torch.uint8)[:, None, None, None].expand(N, 1, 4, 4).contiguous()
PIXELS = Pixels(POOL)


def examples(labels=None):
    return Examples(PIXELS, torch.arange(N) if labels is None else labels)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def order(view, size, seed=0):
    return torch.cat([labels for _images, labels in view.batches(size, generator(seed))]).tolist()


@given(st.integers(1, 30), st.integers(0, 100))
def test_an_epoch_visits_every_example_once(size, seed):
    assert sorted(order(examples(), size, seed)) == list(range(N))


def test_images_go_with_their_labels():
    for images, labels in examples().batches(5, generator()):
        assert torch.equal(images[:, 0, 0, 0], labels.float() * 2 / 255 - 1)


def test_taking_examples_out_does_not_shift_the_others():
    kept = torch.tensor([i for i in range(N) if i % 3])
    whole, part = order(examples(), 4), order(examples().take(kept), 4)
    assert [i for i in whole if i % 3] == part


@pytest.mark.parametrize("augment", ["none", "crop-flip"])
def test_augmentation_of_an_example_does_not_depend_on_the_others(augment):
    pool = torch.randint(0, 256, (N, 3, 8, 8), dtype=torch.uint8, generator=generator())
    view = Examples(pool, torch.arange(N), 255.0)
    kept = torch.arange(0, N, 2)
    seen = []
    for part in (view, view.take(kept)):
        batches = part.batches(5, generator(3), augment)
        seen.append({int(y): x for xs, ys in batches for x, y in zip(xs, ys, strict=True)})
    assert all(torch.equal(seen[0][i], seen[1][i]) for i in kept.tolist())


def test_crop_flip_moves_by_at_most_four_pixels_and_mirrors():
    pool = torch.zeros(N, 1, 16, 16, dtype=torch.uint8)
    pool[:, 0, 8, 8] = 255
    places = set()
    for seed in range(20):
        for images, _labels in Examples(pool, torch.arange(N), 255.0).batches(
            N, generator(seed), "crop-flip"
        ):
            assert images.shape == (N, 1, 16, 16)
            places |= {tuple(place) for place in (images[:, 0] > 0.9).nonzero()[:, 1:].tolist()}
    rows, columns = {r for r, _c in places}, {c for _r, c in places}
    assert rows == set(range(4, 13))
    assert columns == set(range(3, 13))  # 4..12, and mirrored 3..11


def test_augmentation_without_a_seed_is_refused():
    with pytest.raises(UserError):
        next(examples().batches(4, None, "crop-flip"))


def sizes(view, size, rng=None):
    return [len(labels) for _images, labels in view.batches(size, rng)]


def test_a_last_batch_of_one_joins_the_batch_before_it_when_shuffled():
    assert sizes(examples(), 11, generator()) == [11, 12]
    assert sizes(examples(), 11) == [11, 11, 1]
    assert sizes(examples(), 1, generator()) == [1] * N
    assert sizes(examples().take(torch.tensor([3])), 4, generator()) == [1]
    assert sizes(examples().take(torch.tensor([], dtype=torch.long)), 4) == []


def test_a_guarded_view_asks_before_it_gives():
    asked = []

    def permit(need):
        asked.append(need)
        if need.endswith("labels"):
            raise ContractError(need)

    view = examples().guarded("retain", permit)
    assert len(view) == N
    assert view.images.shape == (N, 1, 4, 4)
    for forbidden in (lambda: view.labels, lambda: next(view.batches(4))):
        with pytest.raises(ContractError, match="retain-labels"):
            forbidden()
    assert len(list(view.take(torch.arange(6)).image_batches(4))) == 2
    assert asked == ["retain", "retain-labels", "retain", "retain-labels", "retain"]


def test_joined_views_come_one_after_the_other_and_keep_both_guards():
    asked = []
    first = examples().take(torch.tensor([5, 2])).guarded("forget", asked.append)
    second = examples().take(torch.tensor([9])).guarded("retain", asked.append)
    both = first.joined(second)
    assert torch.equal(both.images, examples().take(torch.tensor([5, 2, 9])).images)
    assert len(both.labels) == 3
    assert asked == ["forget", "retain", "forget-labels", "retain-labels"]
    with pytest.raises(ValueError, match="same pool"):
        first.joined(Examples(torch.zeros(3, 1, 4, 4, dtype=torch.uint8), torch.zeros(3), 255.0))


def test_positions_are_the_batches_of_an_epoch():
    view = examples().take(torch.tensor([7, 3, 11, 0, 5]))
    for rng in (None, 4):
        seed = None if rng is None else generator(rng)
        again = None if rng is None else generator(rng)
        chunks = list(view.positions(2, seed))
        images = [view.take(chunk).images for chunk in chunks]
        assert all(
            torch.equal(mine, theirs)
            for mine, theirs in zip(images, view.image_batches(2, again), strict=True)
        )
    assert [chunk.tolist() for chunk in view.positions(2)] == [[0, 1], [2, 3], [4]]
