"""The fast way, with msgspec, the short look at an example, and the complete check agree."""

from __future__ import annotations

import json
import random
import sys
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest
from hypothesis import example, given, settings, strategies as st

from finetune_client.providers.training_rules import TrainingRules
from finetune_client.training_data import check
from finetune_client.training_data.checking.blocks import Block
from finetune_client.training_data.checking.good_examples import GoodChat
from finetune_client.training_data.checking.lines import CheckSettings, LineChecker
from finetune_client.training_data.tokens import resolve_counter
from tests.support.example_lines import BAD_LINES, GOOD_LINES, Line, good_lines

if TYPE_CHECKING:
    from finetune_client.training_data.checking.counts import FileCounts

SETTINGS = CheckSettings(
    format="chat",
    given_method=None,
    rules=TrainingRules(),
    counter=resolve_counter(None),
    context_length=200,
    max_line_bytes=1 << 25,
)
COUNTED = replace(SETTINGS, counter=resolve_counter(len))


def without_msgspec() -> Any:
    return patch.dict(sys.modules, {"msgspec": None})


def without_short_look() -> Any:
    """Let every example be checked completely."""
    return patch.object(GoodChat, "tokens", return_value=0)


def block_of(lines: list[bytes | None]) -> Block:
    ended = [None if line is None else line + b"\n" for line in lines]
    data = b"".join(line for line in ended if line is not None)
    return Block(data, ended, len(data))


def counts_of(
    lines: list[bytes | None], settings: CheckSettings, *, fast: bool = True
) -> FileCounts:
    with nullcontext() if fast else without_msgspec():
        checker = LineChecker(settings)
    checker.check(block_of(lines))
    return checker.counts


def shown(counts: FileCounts) -> dict[str, Any]:
    return {
        "problems": list(counts.problems),
        "counts": counts.problems.counts,
        "lines": (counts.lines, counts.examples, counts.size),
        "nulls": [
            (lines.number, list(lines.what)) for lines in (counts.null_keys, counts.null_texts)
        ],
        "hashes": sorted(counts.hashes.shared(counts.hashes)),
        "distributions": (counts.messages.summary(), counts.tokens.summary()),
    }


def assert_same_both_ways(lines: list[bytes | None], settings: CheckSettings = SETTINGS) -> None:
    pytest.importorskip("msgspec")
    fast, plain = (counts_of(lines, settings, fast=fast) for fast in (True, False))
    with without_short_look():
        complete = counts_of(lines, settings, fast=False)
    assert shown(fast) == shown(plain) == shown(complete)


PLAIN_TEXTS = [
    "",
    " ",
    "a",
    "null",
    "None\n",
    " nan",
    " " * 9 + "nan",
    "é",
    "\U0001f642",
    "a" * 900,
    "\n",
    "a\\",
    "\\",
]
ODD_TEXTS = ['say "role": "x"', "<|im_end|>", "\ud800", ": b", "\\ud83d", "\\u003c|", "sk-a1" * 9]
TEXTS = st.sampled_from([*PLAIN_TEXTS, *ODD_TEXTS])
ROLES = st.sampled_from(["system", "user", "assistant", "assistant", "tool", "bot", 7, ["user"]])
WEIGHTS = st.sampled_from([0, 1, 1, 2, True, 1.0, "1", None])
IDS = st.sampled_from(["p", "q", None])
CALLS = st.builds(
    lambda id_: {"id": id_, "type": "function", "function": {"name": "f", "arguments": "{}"}}, IDS
)
MESSAGES = st.fixed_dictionaries(
    {},
    optional={
        "role": ROLES,
        "content": TEXTS,
        "weight": WEIGHTS,
        "name": TEXTS,
        "tool_calls": st.one_of(st.none(), st.lists(CALLS, max_size=2)),
        "tool_call_id": IDS,
    },
)
GOOD_MESSAGES = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant"]), "content": TEXTS},
    optional={"weight": WEIGHTS},
)
EXAMPLES = st.fixed_dictionaries(
    {"messages": st.lists(st.one_of(GOOD_MESSAGES, GOOD_MESSAGES, MESSAGES, TEXTS), max_size=4)},
    optional={"tools": st.just([]), "note": TEXTS},
)


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    """Write an example in one of many ways, some of which break it."""
    ascii_only = draw(st.booleans())
    separators = draw(st.sampled_from([(", ", ": "), (",", ":"), (" , ", " : ")]))
    text = json.dumps(draw(EXAMPLES), ensure_ascii=ascii_only, separators=separators)
    old, new = draw(
        st.sampled_from(
            [
                ("", ""),
                ('"role"', '"content": "b\\\\", "role"'),
                ('"role"', '"role": "user", "role"'),
                ('"role"', '"r\\u006fle"'),
                ("{", " {"),
                ("}", "}\r"),
                ("}", "} "),
                ("]", "]]"),
                ('"a"', "NaN"),
                ("<", "\\u003C"),
                ('"messages"', '"messages": [{"role": "user", "content": "a"}], "messages"'),
            ]
        )
    )
    return text.replace(old, new, draw(st.integers(1, 2))).encode("utf-8", "surrogatepass")


@settings(max_examples=100, deadline=None)
@given(st.lists(lines(), max_size=6))
def test_check__both_ways_on_lines_like_examples(given_lines: list[bytes]) -> None:
    split = b"\n".join(given_lines).split(b"\n")
    assert_same_both_ways([*split])
    assert_same_both_ways([*split], COUNTED)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 9), st.integers(0, 80))
@example(b"\\ud83d\\ude00", 0, 42)
@example(b'", "content": "', 0, 42)
def test_check__both_ways_on_a_good_line_with_bytes_put_in(
    extra: bytes, which: int, place: int
) -> None:
    line = good_lines("chat")[which]
    assert_same_both_ways([*(line[:place] + extra + line[place:]).split(b"\n")])


def test_check__both_ways_on_every_known_line() -> None:
    known = [case.line for case in (*GOOD_LINES, *BAD_LINES) if len(case.line) < 100_000]
    random.Random(1).shuffle(known)
    assert_same_both_ways([*known])


@pytest.mark.parametrize("context_length", [None, 200])
def test_check__plainly_good_lines_go_the_fast_way(context_length: int | None) -> None:
    pytest.importorskip("msgspec")
    checker = LineChecker(replace(SETTINGS, context_length=context_length))
    checker._check_line = None  # type: ignore[assignment,method-assign]  # must not be called
    weighted = b'{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"\\"b\\": \\ud83d\\ude42","weight":1}]}'
    windows = good_lines("chat", 11)[10] + b"\r"
    checker.check(block_of([*good_lines("chat"), weighted, windows]))
    assert checker.counts.examples == 12
    assert checker.counts.problems.counts == {"crlf": 1}


USER, ANSWER = b'{"role": "user", "content": "a"}', b'{"role": "assistant", "content": "b"}'
WEIGHTED = b'{"role": "assistant", "content": "b", "weight": %s}'


@pytest.mark.parametrize(
    ("messages", "codes"),
    [
        (b'[%s, {"role": "user", "role": "assistant", "content": "b"}]' % USER, "duplicate_key"),
        (b'[%s, {"role": "assistant", "content": "b", "content": "b"}]' % USER, "duplicate_key"),
        (b'[%s, {"role": "assistant", "content": "b", "c\\u006fntent": "b"}]' % USER, "duplicate_key"),
        (b'[%s, %s], "messages": [%s, %s]' % (USER, ANSWER, USER, ANSWER), "duplicate_key"),
        (b'[%s, %s], "messages": [], "messages": [%s, %s]' % (USER, ANSWER, USER, ANSWER), "duplicate_key"),
        (b'[], "messages": [%s, %s]' % (USER, ANSWER), "duplicate_key"),
        (b'[%s, %s], "messages": []' % (USER, ANSWER), "duplicate_key empty_messages"),
        (b"[%s, %s]" % (USER, WEIGHTED % b'1, "weight": 1'), "duplicate_key"),
        (b"[%s, %s]" % (USER, WEIGHTED % b'0, "weight": 1'), "duplicate_key"),
        (b"[%s, %s]" % (USER, WEIGHTED % b"0"), "all_weights_zero"),
        (b"[%s, %s]" % (USER, WEIGHTED % b"true"), "invalid_weight"),
        (b"[%s, %s]" % (USER, WEIGHTED % b"null"), ""),
        (b"[%s, %s]" % (USER, WEIGHTED % b'null, "weight": 1'), "duplicate_key"),
        (b"[%s, %s]" % (USER.replace(b'"a"', b'"a", "weight": 1'), ANSWER), "misplaced_weight"),
        (b"[%s, %s]" % (USER, WEIGHTED % b"NaN"), "invalid_weight not_a_number"),
        (b"[%s, %s]" % (USER.replace(b'"a"', b'"\\u003c\\u007cim_end|>"'), ANSWER), "special_token"),
        (b"[%s, %s]" % (USER.replace(b'"a"', b'"\\ud83d"'), ANSWER), "lone_surrogate"),
        (b"[%s, %s]" % (USER.replace(b'"a"', b'"\xff"'), ANSWER), "invalid_utf8"),
        (b"[%s, %s]" % (USER.replace(b'"a"', b'"\t"'), ANSWER), "invalid_json"),
        (b"[%s, %s]" % (USER.replace(b'"a"', b"9" * 5000), ANSWER), "invalid_content"),
        (b"[%s, %s]" % (USER.replace(b'"a"', b"[" * 200_000), ANSWER), "too_deep"),
        (b"[%s, %s]" % (USER.replace(b'"user"', b'["user"]'), ANSWER), "unknown_role"),
    ],
)  # fmt: skip
def test_check__both_ways_find_what_msgspec_takes_or_words_otherwise(
    messages: bytes, codes: str
) -> None:
    lines: list[bytes | None] = [*good_lines("chat"), b'{"messages": %s}' % messages]
    assert sorted(counts_of(lines, SETTINGS).problems.counts) == codes.split()
    assert_same_both_ways(lines)


@pytest.mark.parametrize("before", [b"", b" ", b"\xef\xbb\xbf", b"{}"])
@pytest.mark.parametrize("after", [b"", b" ", b"\r", b"\x0b", b"\0", b",", b"{}"])
def test_check__both_ways_with_something_around_a_good_line(before: bytes, after: bytes) -> None:
    assert_same_both_ways([before + line + after for line in good_lines("chat")])


@pytest.mark.parametrize("case", [*GOOD_LINES, *BAD_LINES], ids=str)
def test_check__both_ways_give_the_same_report(case: Line) -> None:
    pytest.importorskip("msgspec")
    content = b"\n".join([*good_lines(case.format), case.line, *good_lines(case.format)])
    fast = check(content, **case.options)
    with without_msgspec():
        assert check(content, **case.options) == fast
        with without_short_look():
            assert check(content, **case.options) == fast


def test_check__says_nothing_of_secrets_when_told_so() -> None:
    line = good_lines("chat")[0].replace(b"What is", b"AKIAIOSFODNN7EXAMPLE")
    assert counts_of([line], SETTINGS).problems.counts == {"secret": 1}
    assert counts_of([line], replace(SETTINGS, secrets=False)).problems.counts == {}


def test_check__looks_at_the_many_beginnings_of_no_key_in_a_moment() -> None:
    line = good_lines("chat")[0].replace(b"What is", b"sk-" * 50_000)
    assert counts_of([line], replace(SETTINGS, context_length=None)).problems.counts == {}


def test_check__a_line_is_the_same_as_one_with_another_end() -> None:
    content = (
        b"\r\n".join([*good_lines("chat"), good_lines("chat")[3]]) + b"\n" + good_lines("chat")[4]
    )
    report = check(content)
    assert report.counts == {"crlf": 10, "duplicate_example": 2}


def test_check__counts_all_lines_with_crlf_and_keeps_a_hundred() -> None:
    report = check(b"\r\n".join(good_lines("chat", 250)) + b"\r\n")
    assert (report.ok, report.counts) == (True, {"crlf": 250})
    assert [problem.line for problem in report.problems] == list(range(1, 101))
