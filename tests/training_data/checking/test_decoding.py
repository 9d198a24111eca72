from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings, strategies as st

from finetune_client.training_data.checking.decoding import (
    LONGEST_REMEMBERED,
    MOST_REMEMBERED,
    LineDecoder,
)
from finetune_client.training_data.problems import ProblemCollector

TOOLS = b', "tools": [{"type": "function", "function": {"name": "f"}}]}'


def read(lines: list[bytes]) -> list[Any]:
    """Return what a decoder makes of lines, one after the other."""
    report_problem = ProblemCollector()
    decoder = LineDecoder(report_problem)
    made: list[Any] = []
    for line in lines:
        value = decoder.read(line)
        # The order of keys, doubled ones and numbers that are none, all in one text.
        made.append((type(value).__name__, json.dumps(value), decoder.has_odd_values))
        made.append(getattr(value, "doubled", None))
    return [made, *report_problem]


def assert_read_as_alone(lines: list[bytes]) -> None:
    """Assert that what a decoder remembers changes nothing."""
    for line in lines:
        made, *problems = read([line] * 3)
        alone, *problem = read([line])
        assert made == alone * 3
        assert [str(each) for each in problems] == [str(each) for each in problem] * 3
    made, *_ = read(lines * 3)
    assert made == [each for line in lines * 3 for each in read([line])[0]]


@pytest.mark.parametrize(
    "line",
    [
        b'{"messages": []' + TOOLS,
        b'{"messages": [], "messages": 1' + TOOLS,
        b'{"messages": [], "tools": []' + TOOLS,
        b"{" + TOOLS,
        b"{}" + TOOLS,
        b"[1" + TOOLS,
        b'{"messages": [],' + TOOLS,
        b'{"messages": [NaN]' + TOOLS,
        b'{"messages": "a' + TOOLS,
        b'{"messages": "a, "tools": [1]}',
        b'{"messages": "\\", \\"tools\\": [1]}"' + TOOLS,
        b'{"messages": "\xff"' + TOOLS,
        b'{"messages": 1' + TOOLS[:-1],
        b'{"messages": 1' + TOOLS + b"}",
        b'{"messages": 1' + TOOLS[:-1] + b', "tools": [2]}',
        b'{"messages": 1' + TOOLS[:-1] + b', "messages": 2}',
        b'{"messages": 1' + TOOLS[:-1] + b', "": 2}',
        b'{"": 1' + TOOLS,
        b'{"messages": 1' + TOOLS[:-1] + b', "score": Infinity}',
        b'{"messages": 1, "tools": [{"a": 1, "a": 2}]}',
        b'{"input": {"messages": []' + TOOLS + b"}",
        b'{"messages": %s1' % (b"[" * 100_000) + TOOLS,
        b'{"messages":1,"tools":[1],"parallel_tool_calls":false}',
    ],
)  # fmt: skip
def test_line_decoder__reads_a_line_with_tools_that_it_knows_as_one_that_it_does_not(
    line: bytes,
) -> None:
    assert_read_as_alone([line])


JSON = st.recursive(
    st.one_of(
        st.none(), st.integers(0, 9), st.sampled_from(["", "tools", ', "tools": [', "}]", ","])
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.dictionaries(st.sampled_from(["messages", "tools", "a", ""]), inner, max_size=3),
    ),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.dictionaries(st.sampled_from(["messages", "tools", "a", ""]), JSON), max_size=4),
    st.binary(max_size=3),
    st.integers(0, 60),
    st.integers(0, 3),
)
@example([{"messages": 1, "tools": [1]}], b"", 0, 0)
def test_line_decoder__whatever_the_lines_hold(
    values: list[dict[str, Any]], extra: bytes, place: int, cut: int
) -> None:
    lines = [json.dumps(value).encode() for value in values]
    changed = [line[:place] + extra + line[place + cut :] for line in lines]
    assert_read_as_alone([*lines, *changed])


def test_line_decoder__gives_lines_with_the_same_tools_the_same_object() -> None:
    decoder = LineDecoder(ProblemCollector())
    made = [decoder.read(b'{"messages": [%d]' % number + TOOLS) for number in range(4)]
    assert [value["messages"] for value in made if value] == [[0], [1], [2], [3]]
    assert [value["tools"] is made[3]["tools"] for value in made if value and made[3]] == [
        False,
        True,
        True,
        True,
    ]


def test_line_decoder__remembers_some_tools_that_are_not_too_long() -> None:
    decoder = LineDecoder(ProblemCollector())
    for number in [*range(3 * MOST_REMEMBERED)] * 2:
        assert decoder.read(b'{"a": 1, "tools": [%d]}' % number) == {"a": 1, "tools": [number]}
    assert 0 < len(decoder._ends) <= MOST_REMEMBERED
    long = b'{"a": 1, "tools": ["%s"]}' % (b"b" * LONGEST_REMEMBERED)
    for _ in range(3):
        value = decoder.read(long)
        assert value is not None
    assert len(decoder._ends) <= MOST_REMEMBERED
    assert not any(len(end) > LONGEST_REMEMBERED for end in decoder._ends)
