"""Copies: examples that are equal byte for byte have one number, in memory and in files."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.data.copies import copy_numbers
from bench.data.image_files import ImageFiles
from bench.errors import UserError


@given(st.lists(st.integers(0, 9), max_size=30), st.sampled_from([np.uint8, np.float32]))
def test_examples_in_memory_share_a_number_if_they_are_equal(contents, dtype):
    kinds = np.random.default_rng(0).integers(0, 255, (10, 3, 5, 2)).astype(dtype)
    numbers = copy_numbers(kinds[contents])
    assert numbers.shape == (len(contents),)
    assert np.array_equal(numbers[:, None] == numbers, np.equal.outer(contents, contents))


def test_an_array_that_is_not_contiguous_is_compared_by_its_values():
    images = np.random.default_rng(0).integers(0, 255, (6, 8, 8, 3)).astype(np.uint8)
    images[4] = images[1]
    assert copy_numbers(images[:, ::2, ::-1]).tolist() == [0, 1, 2, 3, 1, 4]


def test_files_are_copies_if_all_their_bytes_are_equal(tmp_path):
    long = bytes(range(256)) * 40
    contents = [long, b"short", long[:-1] + b"x", b"x" + long[1:], long, b"", b"short", b""]
    for place, content in enumerate(contents):
        (tmp_path / str(place)).write_bytes(content)
    files = ImageFiles([str(tmp_path / str(place)) for place in range(len(contents))], 8)
    numbers = copy_numbers(files)
    assert np.array_equal(numbers[:, None] == numbers, np.equal.outer(contents, contents))


def test_a_file_that_cannot_be_read_any_more_is_one_line(tmp_path):
    for name in "ab":
        (tmp_path / name).write_bytes(b"equal in size")
    files = ImageFiles([str(tmp_path / name) for name in "ab"], 8)
    (tmp_path / "a").unlink()
    with pytest.raises(UserError, match="a cannot be read as an image file"):
        copy_numbers(files)
