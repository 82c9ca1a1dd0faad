"""A rule's pattern searches a limited part of a text, which bounds its worst case."""

from __future__ import annotations

import pytest

from headgate.errors import WrongPlan
from headgate.worker.patterns import LONGEST_HEAD, compile_pattern


def test_plain_words_see_the_longest_head():
    pattern = compile_pattern("limit reached")

    assert pattern.head == LONGEST_HEAD
    assert pattern.found_in("your limit reached its end")
    assert not pattern.found_in("x" * LONGEST_HEAD + "limit reached")


def test_the_more_freely_it_repeats_the_less_it_sees():
    heads = [compile_pattern(x).head for x in ("a", "a.*b", "a.*b.*c")]

    assert heads == sorted(heads, reverse=True) and heads[-1] < heads[0]


@pytest.mark.parametrize("source", ["(a+)+b", "(a|aa)*b", r"(a)\1", ".*a.*b.*c.*d.*e"])
def test_a_pattern_that_could_explode_is_refused_with_a_hint(source):
    with pytest.raises(WrongPlan) as caught:
        compile_pattern(source)

    assert caught.value.hint and "bound its repeats" in caught.value.hint


def test_an_invalid_pattern_is_the_plans_fault():
    with pytest.raises(WrongPlan, match="is not a regular expression"):
        compile_pattern("(")
