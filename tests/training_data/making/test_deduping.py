from __future__ import annotations

import json
from itertools import count, islice
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from finetune_client.errors import TrainingDataError
from finetune_client.models.examples.lines import CompletionExample
from finetune_client.training_data.making.deduping import dedupe

ROWS = st.lists(
    st.dictionaries(
        st.sampled_from("abc"), st.sampled_from([1, 1.0, True, "1", None, [1], {"x": 1}])
    )
)


def key(row: Any) -> str:
    return json.dumps(row, sort_keys=True)


def test_dedupe__keeps_the_first_whatever_the_order_of_keys() -> None:
    rows: list[dict[str, Any]] = [
        {"a": 1, "b": 2},
        {"b": 2, "a": 1},
        {"a": 1.0, "b": 2},
        {"a": 1, "b": 2},
    ]
    assert [key(row) for row in dedupe(rows)] == [key(rows[0]), key(rows[2])]


def test_dedupe__models_and_dicts_of_the_same_json_are_the_same() -> None:
    model = CompletionExample(prompt="a", completion="b")
    given_: list[Any] = [model, {"completion": "b", "prompt": "a"}, CompletionExample(prompt="a")]
    assert list(dedupe(given_)) == [model, CompletionExample(prompt="a")]


def test_dedupe__goes_along_with_what_it_is_given() -> None:
    endless = ({"n": number // 2} for number in count())
    assert list(islice(dedupe(endless), 3)) == [{"n": 0}, {"n": 1}, {"n": 2}]


def test_dedupe__names_the_example_that_is_no_json() -> None:
    rows: list[dict[str, Any]] = [{"a": 1}, {"a": {1, 2}}]
    with pytest.raises(TrainingDataError) as caught:
        list(dedupe(rows))
    assert caught.value.message == (
        "Example 2 cannot be written as JSON: a: a set, which JSON does not have."
    )


@settings(max_examples=60, deadline=None)
@given(ROWS)
def test_dedupe__each_once_in_order(rows: list[dict[str, Any]]) -> None:
    assert [key(row) for row in dedupe(rows)] == list(dict.fromkeys(map(key, rows)))
