from __future__ import annotations

import pytest

from finetune_client.grading.templates import UnknownVariableError, fill, sample_values


def test_fill__replaces_every_variable() -> None:
    item = {"name": "Ada", "scores": [1, {"é": 2}]}
    template = (
        "{{item.name}}: {{ item.scores.1 }}, {{sample.output_text}}, {{sample.output_json.0}}"
    )
    assert fill(template, '["x"]', item) == 'Ada: {"é": 2}, ["x"], x'


def test_fill__reads_the_sample_as_json_only_where_that_is_asked_for() -> None:
    assert fill("{{sample.output_text}}", "not JSON", {}) == "not JSON"
    with pytest.raises(ValueError, match="Expecting value"):
        fill("{{sample.output_json}}", "not JSON", {})


@pytest.mark.parametrize("path", ["item.", "item.a.b", "item.list.9", "item.list.-1", "x"])
def test_fill__refuses_a_variable_without_a_value(path: str) -> None:
    with pytest.raises(UnknownVariableError):
        fill("{{" + path + "}}", "", {"a": "text", "list": [1]})


@pytest.mark.parametrize(
    ("text", "value"),
    [('{"a": [1]}', {"a": [1]}), ("4", 4), ("null", None), ("four", None), ("[" * 100_000, None)],
)
def test_sample_values__of_a_text(text: str, value: object) -> None:
    assert sample_values(text) == {
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}}],
        "output_text": text,
        "output_json": value,
        "output_tools": [],
        "output_audio": None,
    }
