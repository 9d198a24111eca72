from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from finetune_client.training_data import check, fix
from finetune_client.training_data.null_keys import (
    NullKeys,
    may_have_null_keys,
    without_null_keys,
)
from tests.support.example_lines import good_lines

if TYPE_CHECKING:
    from pathlib import Path

CALL = {"id": "c", "type": "function", "function": {"name": "ring", "arguments": "{}"}}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"times": {"type": "integer", "default": None}},
}


def table(number: int) -> list[dict[str, Any]]:
    """Make rows as a library for data sets writes them: each object has the keys of all."""
    empty = {"name": None, "tool_calls": None, "tool_call_id": None, "weight": None}
    function = {
        "name": "ring",
        "description": None,
        "strict": None,
        "parameters": {
            **SCHEMA,
            "required": None,
            "properties": {**SCHEMA["properties"], "at": None},
        },
    }
    return [
        {
            "messages": [
                {"role": "user", "content": f"Ring bell {n}", **empty},
                {
                    "role": "assistant",
                    "content": None,
                    **empty,
                    "tool_calls": [{**CALL, "index": None}],
                },
                {"role": "tool", "content": "None", **empty, "tool_call_id": "c"},
                {
                    "role": "assistant",
                    "content": [{"type": "text", "text": "Done.", "image_url": None}],
                    **empty,
                    "weight": 1,
                },
            ],
            "tools": [{"type": "function", "function": function}],
            "functions": None,
            "prompt": None,
            "parallel_tool_calls": None,
        }
        for n in range(number)
    ]


def written(rows: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


@pytest.mark.parametrize("workers", [1, 2])
def test_check__says_once_for_a_file_that_keys_are_null(workers: int, tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_bytes(b"\n".join(good_lines("chat")) + b"\n" + written(table(13)))
    report = check(path, workers=workers)
    assert (report.ok, report.counts) == (True, {"null_keys": 1})
    assert [str(problem) for problem in report.problems] == [
        (
            "The file: Keys are null on 13 lines: 11, 12, 13, 14, 15, 16, 17, 18, 19, 20 and 3 more "
            "(functions, prompt, parallel_tool_calls, messages[].name, messages[].tool_calls, "
            "messages[].tool_call_id, messages[].weight, messages[].tool_calls[].index, "
            "messages[].content[].image_url, tools[].function.description and 2 more), as libraries "
            "for data sets write them where other lines have the key. Leave them out, as "
            "training_data.fix (finetune fix) does. (null_keys)"
        )
    ]


def test_check__of_one_line_with_a_null_key() -> None:
    report = check(written(table(1)[:1]), least_examples=1)
    assert report.problems[0].message.startswith("Keys are null on line 1 (functions, prompt, ")


def test_fix__removes_null_keys_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_bytes(written(table(12)))
    fixed = fix(path)
    assert fixed.counts == {"null_keys": 12}
    assert check(fixed.path).counts == {}
    first = json.loads(fixed.path.read_bytes().splitlines()[0])
    function = {"name": "ring", "parameters": SCHEMA}
    assert first == {
        "messages": [
            {"role": "user", "content": "Ring bell 0"},
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "content": "None", "tool_call_id": "c"},
            {"role": "assistant", "content": [{"type": "text", "text": "Done."}], "weight": 1},
        ],
        "tools": [{"type": "function", "function": function}],
    }
    assert fix(fixed.path).counts == {}


def test_fix__finds_duplicates_among_lines_with_and_without_null_keys(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    line = good_lines("chat", 1)[0]
    path.write_bytes(line + b"\n" + line.replace(b'"role"', b'"name": null, "role"', 1) + b"\n")
    assert fix(path).counts == {"null_keys": 1, "duplicate_example": 1}


def test_fix__leaves_the_items_of_a_grader_alone(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    item = {"messages": [{"role": "user", "content": "1+1?", "name": None}], "answer": None}
    path.write_bytes(written([item | {"expected_output": [{"a": None}], "tools": None}] * 1))
    assert fix(path).counts == {"null_keys": 1}
    rest = {"messages": [{"role": "user", "content": "1+1?"}], "answer": None}
    fixed = json.loads(path.with_suffix(".fixed.jsonl").read_bytes())
    assert fixed == rest | {"expected_output": [{"a": None}]}


CHAT = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]}
PAIR = {"prompt": "a ->", "completion": " b\n"}
PREFERENCE = {
    "input": {"messages": CHAT["messages"][:1]},
    "preferred_output": [{"role": "assistant", "content": "Ho"}],
    "non_preferred_output": [{"role": "assistant", "content": "No"}],
}


@pytest.mark.parametrize(
    ("line", "rest"),
    [
        ({**CHAT, "prompt": None, "completion": None, "input": None}, CHAT),
        ({**PAIR, "messages": None, "tools": None}, PAIR),
        ({**PREFERENCE, "preferred_completion": None, "messages": None}, PREFERENCE),
        ({**PREFERENCE, "input": {**PREFERENCE["input"], "tools": None}}, PREFERENCE),  # type: ignore[dict-item]
        ({"prompt": None, "completion": " b"}, {"prompt": None, "completion": " b"}),
        ({"messages": None}, {"messages": None}),
        ({"messages": [None, 7, {"role": None}]}, {"messages": [None, 7, {"role": None}]}),
        ({"tools": [None, {"type": None, "function": None}]}, None),
        (
            {"messages": [{"role": "assistant", "content": "a", "refusal": None}], "tools": [{}]},
            None,
        ),
    ],
)
def test_null_keys__of_every_format(line: dict[str, Any], rest: dict[str, Any] | None) -> None:
    nulls = NullKeys()
    before = json.dumps(line)
    cleaned = nulls.removed(line, "chat")
    assert json.dumps(line) == before
    if rest is not None:
        assert cleaned == rest
    assert bool(nulls.found) == (rest is not None and cleaned != line)


@pytest.mark.parametrize("format", ["chat", "completions", "preference"])
def test_check__rows_of_a_table_of_several_formats_keep_their_format(format: str) -> None:
    keys = dict.fromkeys([*CHAT, *PAIR, *PREFERENCE])
    rows = [keys | json.loads(line) for line in good_lines(format)]
    report = check(written(rows))
    assert (report.format, report.ok, report.counts) == (format, True, {"null_keys": 1})


@pytest.mark.parametrize(
    ("null", "code"),
    [
        ({"role": None, "content": "a"}, "unknown_role"),
        ({"role": "user", "content": None}, "missing_content"),
        ({"role": "assistant", "tool_calls": [{**CALL, "id": None}]}, "invalid_tool_call"),
        (
            {
                "role": "assistant",
                "tool_calls": [{**CALL, "function": {"name": "ring", "arguments": None}}],
            },
            "invalid_arguments",
        ),
        ({"role": "user", "content": [{"type": "text", "text": None}]}, "invalid_part"),
    ],
)
def test_check__a_null_where_a_value_is_needed_is_an_error_of_its_own(
    null: dict[str, Any], code: str
) -> None:
    tools = [{"type": "function", "function": {"name": "ring"}}]
    line = {"messages": [{"role": "user", "content": "Hi"}, null], "tools": tools}
    assert code in check(json.dumps(line).encode(), method="supervised").counts


@pytest.mark.parametrize(
    "raw",
    [
        b'{"messages": null, "messages": [], "functions": null}',
        b'{"messages": [], "score": NaN, "functions": null}',
        b'{"messages": [], "score": 1e999, "functions": null}',
        b'{"messages": ["\\ud800 \xc3\xa9"], "functions": null}',
        b'{"messages": [], "functions": null',
        b'{"functions": %s null}' % (b"[" * 5000),
        b"null",
        b'{"messages": [{"role": "user", "content": "null"}]}',
        b"\xff null",
    ],
)
def test_without_null_keys__leaves_a_line_that_would_not_be_the_same(raw: bytes) -> None:
    assert without_null_keys(raw, "chat") == raw


@pytest.mark.parametrize(
    ("raw", "rest"),
    [
        (
            b'{"a":1.50,"messages":["\xc3\xa9"],"functions":null}',
            b'{"a":1.5,"messages":["\xc3\xa9"]}',
        ),
        (b'{"messages": ["\\u00e9"], "functions": null}', b'{"messages": ["\\u00e9"]}'),
        (
            b'{"messages": [12345678901234567890123], "tools": null}',
            b'{"messages": [12345678901234567890123]}',
        ),
    ],
)
def test_without_null_keys__keeps_how_a_line_is_written(raw: bytes, rest: bytes) -> None:
    assert without_null_keys(raw, "chat") == rest


def labelled(*labels: str) -> bytes:
    lines = [*good_lines("chat")]
    for number, label in enumerate(labels):
        turns = [
            {"role": "user", "content": f"Colour of {number}?"},
            {"role": "assistant", "content": label},
        ]
        lines.append(json.dumps({"messages": turns}).encode())
    return b"\n".join(lines)


@pytest.mark.parametrize("workers", [1, 2])
def test_check__says_once_for_a_file_which_texts_are_nothing_but_null(
    workers: int, tmp_path: Path
) -> None:
    path = tmp_path / "train.jsonl"
    path.write_bytes(labelled("None", "red", "null", " nan\n", "nano", "None.", "none", "None"))
    report = check(path, workers=workers)
    assert (report.ok, report.counts) == (True, {"null_text": 1})
    assert report.problems[0].message == (
        'A text is nothing but "None", "null", "nan" on 4 lines: 11, 13, 14, 18. '
        "Correct it if it stands for an empty value that was written as text."
    )


def test_check__looks_for_null_texts_in_pairs_and_outputs_but_not_in_answers_of_tools() -> None:
    pair = json.dumps({"prompt": "Colour? ->", "completion": " None\n"}).encode()
    content = b"\n".join([*good_lines("completions"), pair])
    assert check(content).counts == {"null_text": 1}
    output = json.dumps(
        {**PREFERENCE, "non_preferred_output": [{"role": "assistant", "content": "nan"}]}
    )
    assert check(output.encode(), least_examples=1).counts == {"null_text": 1}


def null_beside_a_call(text: str) -> bytes:
    tools = [{"type": "function", "function": {"name": "ring"}}]
    turns = [
        {"role": "user", "content": "Ring"},
        {"role": "assistant", "content": text, "tool_calls": [CALL]},
    ]
    return json.dumps({"messages": turns, "tools": tools}).encode()


def test_check__the_text_null_beside_calls_is_an_error_on_azure_alone() -> None:
    for provider, counts in (
        ("azure", {"null_text_with_calls": 1}),
        ("azure-classic", {"null_text_with_calls": 1}),
        ("openai", {"null_text": 1}),
    ):
        report = check(null_beside_a_call("null"), provider=provider, least_examples=1)
        assert (report.counts, report.ok) == (counts, provider == "openai")
    report = check(null_beside_a_call("None"), provider="azure", least_examples=1)
    assert report.counts == {"null_text": 1}
    text = null_beside_a_call("null").replace(b'"null"', b"null")
    assert check(text, provider="azure", least_examples=1).counts == {}


@pytest.mark.parametrize(
    ("message", "found"),
    [
        ('{"role": "assistant", "content": null, "tool_calls": []}', False),
        ('{"role":"assistant","content":null,"tool_calls":[]}', False),
        ('{"role": "assistant", "content": null, "name": null}', True),
        ('{"content": null, "role": "assistant"}', True),
        ('{"role": "assistant", "content": "Write null"}', True),
        ('{"role": "assistant", "content": "Write None"}', False),
    ],
)
def test_may_have_null_keys__where_a_null_is_not_the_content_of_an_answer(
    message: str, *, found: bool
) -> None:
    assert may_have_null_keys(f'{{"messages": [{message}]}}'.encode()) == found
