from __future__ import annotations

import gc
import os
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from finetune_client.local.training.bigram.examples import ExampleFiles, read_examples, to_example

if TYPE_CHECKING:
    from pathlib import Path

CALL = {"name": "look_up", "arguments": '{"word": "é"}'}


def said(*messages: dict[str, Any]) -> tuple[str, ...]:
    return to_example(
        {"messages": [{"role": "user", "content": "?"}, *messages]}, "supervised"
    ).texts


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"content": "yes"}, "yes"),
        ({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}, "ab"),
        ({"content": [{"type": "refusal", "refusal": "no"}]}, "no"),
        ({"content": None, "refusal": "never"}, "never"),
        (
            {"tool_calls": [{"id": "1", "type": "function", "function": CALL}]},
            '{"name": "look_up", "arguments": "{\\"word\\": \\"é\\"}"}',
        ),
        (
            {"content": None, "function_call": {"name": "f", "arguments": "{}"}},
            '{"name": "f", "arguments": "{}"}',
        ),
    ],
)
def test_example__learns_all_that_the_assistant_says(message: dict[str, Any], text: str) -> None:
    assert said({"role": "assistant", **message}) == (text,)


def test_example__leaves_out_what_has_no_weight() -> None:
    first = {"role": "assistant", "content": "not this", "weight": 0}
    second = {"role": "assistant", "content": "this", "weight": 1}
    assert said(first, second) == ("this",)


def test_example__of_a_completion() -> None:
    line = {"prompt": "a ->", "completion": " b"}
    assert to_example(line, "supervised").texts == (" b",)


@pytest.mark.parametrize("ending", ["output", "completion"])
def test_example__of_a_preference_under_either_name(ending: str) -> None:
    line = {
        "input": {"messages": [{"role": "user", "content": "?"}]},
        f"preferred_{ending}": [{"role": "assistant", "content": "good"}],
        f"non_preferred_{ending}": [{"role": "assistant", "content": "bad"}],
    }
    prepared = to_example(line, "dpo")
    assert (prepared.texts, prepared.rejected) == (("good",), ("bad",))


def test_example__of_reinforcement_is_its_line() -> None:
    line = {"messages": [{"role": "user", "content": "?"}], "answer": 3}
    assert to_example(line, "reinforcement").line == line


def test_read_examples__skips_a_mark_and_blank_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"completion": "x"}\r\n\r\n{"completion": "y"}')
    assert [one.texts for one in read_examples(path, "supervised")] == [("x",), ("y",)]


def test_read_examples__takes_a_carriage_return_for_the_space_it_is_in_json(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"prompt": "a",\r"completion": "b"}\n')
    assert [one.texts for one in read_examples(path, "supervised")] == [("b",)]


def test_example_files__are_held_once_and_no_longer_than_they_are_used(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"completion": "b"}\n')
    other = tmp_path / "b.jsonl"
    os.link(path, other)
    files = ExampleFiles()
    first = files.read(path, "supervised")
    assert files.read(other, "supervised") is first
    assert files.read(path, "reinforcement") is not first
    let_go = weakref.ref(first)
    del first
    gc.collect()
    assert let_go() is None
