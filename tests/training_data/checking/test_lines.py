"""The short way and the long way through a line come to the same."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import Any

from hypothesis import example, given, settings, strategies as st

from finetune_client.providers.training_rules import TrainingRules
from finetune_client.training_data.checking.blocks import Block
from finetune_client.training_data.checking.counts import Plan, Tally
from finetune_client.training_data.checking.lines import Scanner
from finetune_client.training_data.tokens import resolve_counter
from tests.support.example_lines import BAD_LINES, GOOD_LINES, good_lines

PLAN = Plan(
    format="chat",
    told=None,
    rules=TrainingRules(),
    counter=resolve_counter(None),
    context_length=200,
    max_line_bytes=1 << 25,
)
COUNTED = replace(PLAN, counter=resolve_counter(len))


def scanned(lines: list[bytes | None], plan: Plan) -> Tally:
    scanner = Scanner(plan)
    data = b"\n".join(line for line in lines if line is not None)
    scanner.scan(Block(data, lines, len(data)))
    return scanner.tally


def seen(tally: Tally) -> dict[str, Any]:
    return {
        "problems": list(tally.found),
        "counts": tally.found.counts,
        "lines": (tally.lines, tally.examples, tally.size),
        "digests": sorted(tally.digests.shared(tally.digests)),
        "spreads": (tally.messages.summary(), tally.tokens.summary()),
    }


def same_both_ways(lines: list[bytes | None], plan: Plan = PLAN) -> None:
    assert seen(scanned(lines, plan)) == seen(scanned(lines, replace(plan, quick=False)))


PLAIN_TEXTS = ["", " ", "a", "é", "\U0001f642", "a" * 900, "\n", "a\\", "\\"]
ODD_TEXTS = ['say "role": "x"', "<|im_end|>", "\ud800", ": b", "\\ud83d", "\\u003c|", "sk-a1" * 9]
TEXTS = st.sampled_from([*PLAIN_TEXTS, *ODD_TEXTS])
ROLES = st.sampled_from(["system", "user", "assistant", "assistant", "tool", "bot", 7, ["user"]])
WEIGHTS = st.sampled_from([0, 1, 1, 2, True, 1.0, "1", None])
MESSAGES = st.fixed_dictionaries(
    {}, optional={"role": ROLES, "content": TEXTS, "weight": WEIGHTS, "name": TEXTS}
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
def test_scan__either_way_on_lines_like_examples(given_lines: list[bytes]) -> None:
    split = b"\n".join(given_lines).split(b"\n")
    same_both_ways([*split])
    same_both_ways([*split], COUNTED)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 9), st.integers(0, 80))
@example(b"\\ud83d\\ude00", 0, 42)
@example(b'", "content": "', 0, 42)
def test_scan__either_way_on_a_good_line_with_bytes_put_in(
    extra: bytes, which: int, place: int
) -> None:
    line = good_lines("chat")[which]
    same_both_ways([*(line[:place] + extra + line[place:]).split(b"\n")])


def test_scan__either_way_on_every_known_line() -> None:
    known = [case.line for case in (*GOOD_LINES, *BAD_LINES) if len(case.line) < 100_000]
    random.Random(1).shuffle(known)
    same_both_ways([*known])


def test_scan__the_short_way_is_taken() -> None:
    scanner = Scanner(PLAN)
    scanner._check = None  # type: ignore[assignment,method-assign]  # must not be called
    scanner._learn(("user", "assistant"))
    weighted = b'{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"\\"b\\": c","weight":1}]}'
    block: list[bytes | None] = [*good_lines("chat"), weighted]
    scanner.scan(Block(b"\n".join(good_lines("chat")), block, 0))
    assert scanner.tally.examples == 11


def test_scan__says_nothing_of_secrets_when_told_so() -> None:
    line = good_lines("chat")[0].replace(b"What is", b"AKIAIOSFODNN7EXAMPLE")
    assert scanned([line], PLAN).found.counts == {"secret": 1}
    assert scanned([line], replace(PLAN, secrets=False)).found.counts == {}


def test_scan__looks_at_the_many_beginnings_of_no_key_in_a_moment() -> None:
    line = good_lines("chat")[0].replace(b"What is", b"sk-" * 50_000)
    assert scanned([line], replace(PLAN, context_length=None)).found.counts == {}
