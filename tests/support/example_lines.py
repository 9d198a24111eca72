"""Lines of training files: good ones of each format, and a bad one for each code of `check`."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["BAD_FILES", "BAD_LINES", "GOOD_LINES", "BadFile", "Line", "good_lines"]

PAYLOADS = Path(__file__).parents[1] / "payloads"


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line that stands eleventh, after ten good ones of its format."""

    line: bytes
    code: str = ""
    path: str = ""
    format: str = "chat"
    about: str = ""
    options: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return " ".join(filter(None, (self.code, self.path, self.about)))


@dataclass(frozen=True, kw_only=True)
class BadFile:
    """A file in which something is wrong that is no single line's."""

    code: str
    lines: list[bytes]
    options: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.code


def encoded(value: Any) -> bytes:
    """Write a line: text stands for itself (with bytes that are not UTF-8 as surrogates)."""
    text = value if isinstance(value, str) else json.dumps(value)
    return text.encode("utf-8", "surrogateescape")


def _stored(name: str) -> list[Line]:
    rows = (PAYLOADS / name).read_text(encoding="utf-8").splitlines()
    return [Line(**{**row, "line": encoded(row["line"])}) for row in map(json.loads, rows)]


def chat(question: Any, **more: Any) -> dict[str, Any]:
    answer = {"role": "assistant", "content": "Jane Austen."}
    return {"messages": [{"role": "user", "content": question}, answer], **more}


def pair(prompt: str, completion: str) -> dict[str, Any]:
    return {"prompt": prompt, "completion": completion}


def _good(format: str, number: int) -> dict[str, Any]:
    question = {"role": "user", "content": f"What is {number} and 1?"}
    answer, other = ({"role": "assistant", "content": str(number + i)} for i in (1, 2))
    return {
        "chat": {"messages": [question, answer]},
        "completions": pair(f"{number} and 1 ->", f" {number + 1}\n"),
        "preference": {
            "input": {"messages": [question]},
            "preferred_output": [answer],
            "non_preferred_output": [other],
        },
        "reinforcement": {"messages": [question], "answer": number + 1},
    }[format]


def good_lines(format: str, number: int = 10) -> list[bytes]:
    return [encoded(_good(format, n)) for n in range(number)]


def _image(size: int) -> list[dict[str, Any]]:
    return [{"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * size}}]


DEEP_CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "f", "arguments": "[" * 200_000},
}
LEAK = encoded(chat("Who wrote Emma?"))
GRADER = {
    "type": "string_check",
    "name": "right",
    "operation": "eq",
    "input": "{{ sample.output_text }}",
    "reference": "{{ item.answer }} {{item.year.first}}",
}

GOOD_LINES = _stored("good_lines.jsonl")
BAD_LINES = [
    *_stored("bad_lines.jsonl"),
    Line(code="too_deep", line=b"[" * 200_000),
    Line(code="leaked_example", line=LEAK, options={"validation": b"\n\n" + LEAK}),
    Line(
        code="too_long",
        line=encoded(chat("Who wrote Emma? " * 10)),
        options={"context_length": 99, "count_tokens": len},
    ),
    Line(
        code="image_too_large",
        path="messages[0].content[0].image_url.url",
        line=encoded(chat(_image(14_000_000))),
    ),
    Line(
        code="invalid_arguments",
        path="messages[1].tool_calls[0].function.arguments",
        about="nested deep",
        line=encoded(
            {
                "messages": [
                    {"role": "user", "content": "Go"},
                    {"role": "assistant", "tool_calls": [DEEP_CALL]},
                ],
                "tools": [{"type": "function", "function": {"name": "f"}}],
            }
        ),
    ),
]
BAD_FILES = [
    BadFile(code="empty_file", lines=[]),
    BadFile(code="too_few_examples", lines=good_lines("chat", 9)),
    BadFile(code="not_jsonl", lines=[b"[" + b",".join(good_lines("chat")) + b"]"]),
    BadFile(
        code="utf16",
        lines=["\n".join(each.decode() for each in good_lines("chat")).encode("utf-16-le")],
    ),
    BadFile(
        code="too_many_validation_examples",
        lines=good_lines("reinforcement"),
        options={"validation": b"{}\n" * 1_001},
    ),
    BadFile(
        code="null_keys",
        lines=[*good_lines("chat"), encoded(chat("Who wrote Emma?", tools=None, functions=None))],
    ),
    BadFile(code="null_text", lines=[*good_lines("chat"), encoded(chat("None"))]),
    BadFile(
        code="unknown_item_variable",
        lines=good_lines("reinforcement"),
        options={"grader": GRADER},
    ),
    BadFile(
        code="incomplete_item_variable",
        lines=[
            *good_lines("reinforcement"),
            encoded({"messages": [{"role": "user", "content": "Why?"}], "score": 1}),
        ],
        options={"grader": {"input": "{{item.answer}}"}},
    ),
    BadFile(
        code="no_common_separator",
        lines=[encoded(pair(f"What is {n}", f" {n}\n")) for n in range(10)],
    ),
    BadFile(
        code="no_common_ending",
        lines=[encoded(pair(f"What is {n} ->", f" {n}")) for n in range(10)],
    ),
]
