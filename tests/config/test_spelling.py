"""One spelling: what is printed can be typed again."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bench.config.spelling import Choice, parse, parse_value, spell_value, split_list, unknown
from bench.errors import UserError

plain = st.one_of(
    st.integers(-(10**9), 10**9),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.text(st.characters(codec="utf-8"), max_size=8),
)
values = st.one_of(
    plain,
    st.lists(plain, max_size=3),
    st.dictionaries(st.from_regex(r"[a-z0-9._-]{1,6}", fullmatch=True), plain, max_size=3),
)
names = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)


@given(values)
def test_a_value_reads_back_as_it_was_spelled(value):
    assert parse_value(spell_value(value)) == value


@example("a", {"b": '"', "a": 0})  # an escaped quote once ended the text
@example("a", {"b": "it's, or not", "a": 0})
@given(names, st.dictionaries(names, values, max_size=3))
def test_a_choice_reads_back_as_it_was_spelled(name, params):
    choice = Choice(name, None, params)
    assert parse(str(choice)) == choice


def test_examples():
    assert str(parse("ssd[ alpha = 10.0 , lam=1 ]")) == "ssd[alpha=10,lam=1]"
    assert parse("npz:data/a,b.npz").argument == "data/a,b.npz"
    assert parse("poison[flip=pairs]").params == {"flip": "pairs"}
    assert parse("pgu[gamma={conv = 1.0, default = 0.9}]").params["gamma"]["default"] == 0.9
    assert split_list("pgu, ssd[alpha=1,lam=2],x[a=[1,2]]") == [
        "pgu",
        "ssd[alpha=1,lam=2]",
        "x[a=[1,2]]",
    ]


@pytest.mark.parametrize("text", ["", "ssd[alpha", "ssd]", "[a=1]", "ssd[alpha]", "ssd[a=1,a=2]"])
def test_what_cannot_be_read_is_a_user_error(text):
    with pytest.raises(UserError):
        parse(text)


@pytest.mark.parametrize("text", ["9" * 5000, "[" * 10_000, "1\nx = 2", "{a=" * 5000, "\0"])
def test_what_is_no_value_is_text(text):
    assert parse_value(text) == text


@given(st.text(st.characters(codec=None), max_size=80))
def test_any_text_is_read_or_is_one_printable_line(text):
    with suppress(UserError):
        parse(text)
    with pytest.raises(UserError) as caught:
        parse(text + "[")
    assert str(caught.value).isprintable()


def test_unknown_names_list_near_matches_first():
    message = str(unknown("method", "pgv", ["ssd", "pgu"]))
    assert message == "unknown method 'pgv': did you mean pgu? known: ssd, pgu"
