from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings, strategies as st

from finetune_client.errors import ConfigurationError, RequestError
from finetune_client.models import (
    DpoMethod,
    FineTuningMethod,
    PythonGrader,
    ReinforcementMethod,
    SupervisedMethod,
)
from finetune_client.providers import PROVIDERS, Provider, TrainingRules
from finetune_client.training_data import CODES, check
from finetune_client.training_data.formats import FORMATS, METHODS
from tests.support.example_lines import (
    BAD_FILES,
    BAD_LINES,
    GOOD_LINES,
    BadFile,
    Line,
    good_lines,
)

if TYPE_CHECKING:
    from pathlib import Path

OF_LARGE_FILES = {"too_many_examples", "too_many_image_examples"}
"""Codes of files of more than 50,000 lines, see test_whole_file.py."""


@pytest.mark.parametrize("case", BAD_LINES, ids=str)
def test_check__finds_what_is_wrong_with_a_line_and_nothing_else(case: Line) -> None:
    lines = [*good_lines(case.format), case.line]
    report = check(b"\n".join(lines) + b"\n", **case.options)
    assert [(p.line, p.path, p.code) for p in report.problems] == [(11, case.path, case.code)]
    assert report.counts == {case.code: 1}
    assert report.ok == (CODES[case.code].severity == "warning")


@pytest.mark.parametrize("case", BAD_FILES, ids=str)
def test_check__finds_what_is_wrong_with_a_file_and_nothing_else(case: BadFile) -> None:
    report = check(b"\n".join(case.lines), **case.options)
    assert [(p.line, p.path, p.code) for p in report.problems] == [(None, "", case.code)]


@pytest.mark.parametrize("case", GOOD_LINES, ids=str)
def test_check__raises_no_false_alarm(case: Line) -> None:
    lines = [*good_lines(case.format), case.line]
    report = check(b"\n".join(lines), **case.options)
    assert [str(problem) for problem in report.problems] == []
    assert (report.ok, report.format, report.statistics["examples"]) == (True, case.format, 11)


def test_codes__each_has_a_bad_line_or_file() -> None:
    shown = {case.code for case in BAD_LINES} | {case.code for case in BAD_FILES}
    assert shown | OF_LARGE_FILES == set(CODES)


@settings(max_examples=100, deadline=None)
@given(st.one_of(st.binary(), st.lists(st.binary(max_size=40)).map(b"\n".join)))
@example(b"\xff\xfe{\x00}\x00")
@example(b"[" * 100_000 + b"\n" + b'{"messages":' * 5_000)
@example(b'{"messages": %s}' % (b"9" * 5_000))
@example(b'{"messages": [{"role": "user", "content": %s}]}' % (b"[" * 700 + b"]" * 700))
@example(b'{"input": {"messages": %s}}' % (b"[" * 900 + b"]" * 900))
@example(b'{"prompt": {"a": [true, 1e999, -Infinity]}}')
def test_check__whatever_a_file_holds_there_is_a_report(content: bytes) -> None:
    for method in (None, *METHODS):
        report = check(content, method)
        assert not report.ok
        assert json.loads(json.dumps(report.to_dict()))["counts"] == report.counts
        assert str(report).isprintable() or "\n" in str(report)
        assert report.statistics["lines"] == len(content.removesuffix(b"\n").split(b"\n")) or not (
            content
        )


JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.just("user")
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                [
                    "messages",
                    "role",
                    "content",
                    "tools",
                    "functions",
                    "function",
                    "name",
                    "weight",
                    "tool_calls",
                    "function_call",
                    "arguments",
                    "parameters",
                    "required",
                    "properties",
                    "type",
                    "input",
                    "prompt",
                    "preferred_output",
                    "non_preferred_output",
                    "completion",
                    "image_url",
                    "url",
                    "text",
                    "tool_call_id",
                    "parallel_tool_calls",
                ]
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=25,
)


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(st.sampled_from(["messages", "tools", "input", "prompt"]), JSON),
    st.lists(JSON, max_size=3),
)
def test_check__whatever_json_a_line_holds_there_is_a_report(
    line: dict[str, Any], messages: list[Any]
) -> None:
    lines = [line, {**line, "messages": messages}, {"input": {"messages": messages}, **line}]
    content = "\n".join(map(json.dumps, lines)).encode("utf-8", "surrogatepass")
    for method in (None, *METHODS):
        assert not check(content, method, grader={"input": "{{item.messages.a}}"}).ok


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"method": "sft"},
            "method must be one of supervised, dpo, reinforcement, or None, got 'sft'.",
        ),
        ({"workers": 0}, "workers must be a whole number above 0, got 0."),
        ({"workers": True}, "workers must be a whole number above 0, got True."),
        ({"context_length": -1}, "context_length must be a whole number above 0, got -1."),
        ({"max_line_bytes": 1.5}, "max_line_bytes must be a whole number above 0, got 1.5."),
    ],
)
def test_check__arguments_that_are_not_valid(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError) as refused:
        check(b"", **arguments)
    assert refused.value.message == message


def test_check__provider_that_is_not_known() -> None:
    with pytest.raises(ConfigurationError) as refused:
        check(b"", provider="acme")
    names = ", ".join(repr(name) for name in PROVIDERS)
    message = f"provider must be one of {names}, or a Provider, got 'acme'."
    assert refused.value.message == message


@pytest.mark.parametrize("provider", [*PROVIDERS, *PROVIDERS.values()])
def test_check__takes_every_provider(provider: Any) -> None:
    assert check(b"\n".join(good_lines("chat")), provider=provider, least_examples=1).ok


def test_check__takes_a_provider_of_ones_own_with_its_rules() -> None:
    own = Provider(name="acme", training_rules=TrainingRules(images=64))
    images = next(case for case in GOOD_LINES if "Azure" in case.about)
    assert check(b"\n".join([*good_lines("chat"), images.line]), provider=own).ok


@pytest.mark.parametrize("workers", [1, 2])
def test_check__takes_the_byte_order_mark_that_azure_asks_for(workers: int, tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_bytes(b"\n".join(b"\xef\xbb\xbf" + line for line in good_lines("chat")))
    counts = [check(path, provider=name, workers=workers).counts for name in ("azure", "openai")]
    assert counts == [{"byte_order_mark": 9}, {"byte_order_mark": 10}]


@pytest.mark.parametrize("format", FORMATS)
def test_check__recognises_the_format(format: str) -> None:
    content = b"\n".join(good_lines(format))
    report = check(content)
    assert (report.format, report.ok) == (format, True)
    assert check(content, report.method).to_dict() == report.to_dict()


def test_check__takes_a_whole_method_and_its_grader() -> None:
    method = {"type": "reinforcement", "reinforcement": {"grader": {"input": "{{item.year}}"}}}
    content = b"\n".join(good_lines("reinforcement"))
    assert check(content, method).counts == {"unknown_item_variable": 1}
    assert check(content, FineTuningMethod.from_dict(method)).counts == {"unknown_item_variable": 1}


def test_check__takes_the_settings_of_a_method_alone() -> None:
    content = b"\n".join(good_lines("reinforcement"))
    grader = PythonGrader(name="year", source="{{item.year}}")
    report = check(content, ReinforcementMethod(grader=grader))
    assert report.counts == {"unknown_item_variable": 1}
    assert set(check(content, DpoMethod()).counts) == {"wrong_format"}
    assert check(b"\n".join(good_lines("chat")), SupervisedMethod()).counts == {}


def test_check__lists_ten_of_the_tools_that_a_line_defines() -> None:
    functions = [{"name": f"f{number}"} for number in range(12)]
    call = {"role": "assistant", "function_call": {"name": "g", "arguments": "{}"}}
    line = {"messages": [{"role": "user", "content": "Hi"}, call], "functions": functions}
    problem = check(json.dumps(line).encode()).problems[0]
    assert problem.message == (
        'messages[1].function_call.name calls "g", and the line defines "f0", "f1", "f2", "f3", '
        '"f4", "f5", "f6", "f7", "f8", "f9" and 2 more. '
        "Define the function under the key functions of the line, or correct the name."
    )


def test_check__an_empty_file_is_a_report() -> None:
    report = check(b"")
    assert [str(problem) for problem in report.problems] == [
        "The file: The file holds no example. Write one JSON object on each line. (empty_file)"
    ]
    assert report.statistics["lines"] == 0


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_check__a_file_in_utf16_is_one_problem(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    for workers, end in ((1, ""), (2, ""), (1, "\r\n")):
        path.write_bytes(f"{{}}\r\n{{\r\n[]{end}".encode(encoding))
        report = check(path, workers=workers)
        assert [str(problem) for problem in report.problems] == [
            (
                "The file: The file is UTF-16 and not UTF-8, so none of its lines was checked. "
                "Save it as UTF-8, or repair it with training_data.fix (finetune fix). (utf16)"
            )
        ]
        figures = report.statistics
        assert (figures["lines"], figures["bytes"]) == (3, path.stat().st_size)


def test_check__looks_into_arguments_that_are_encoded_twice() -> None:
    function = {
        "name": "f",
        "parameters": {"required": ["a"], "properties": {"b": {"type": "null"}}},
    }
    given = {"name": "f", "arguments": json.dumps(json.dumps({"b": 1}))}
    call = {"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "function": given}]}
    line = {
        "messages": [{"role": "user", "content": "Go"}, call],
        "tools": [{"type": "function", "function": function}],
    }
    report = check(b"\n".join([*good_lines("chat"), json.dumps(line).encode()]))
    assert list(report.counts) == [
        "doubly_encoded_arguments",
        "missing_argument",
        "wrong_argument_type",
    ]


def test_check__takes_a_thousand_examples_to_validate_reinforcement_on() -> None:
    content = b"\n".join(good_lines("reinforcement"))
    assert check(content, validation=b"{}\n" * 1000).ok
    assert check(b"\n".join(good_lines("chat")), validation=b"{}\n" * 1001).ok
    report = check(content, validation=b"{}\n" * 1001)
    assert [str(problem) for problem in report.problems] == [
        (
            "The file: The validation file holds 1001 examples, and the guide allows 1000 for "
            "reinforcement. Leave out 1 of them. (too_many_validation_examples)"
        )
    ]


def test_check__all_are_counted_and_the_first_hundred_kept() -> None:
    report = check(b"\n".join([b"{"] * 250 + [b"["] * 3))
    assert report.counts == {"invalid_json": 253}
    kept = [problem.line for problem in report.problems if problem.code == "invalid_json"]
    assert kept == list(range(1, 101))


def test_check__lines_that_are_no_examples_are_no_duplicates() -> None:
    good = good_lines("chat")
    for bad in (b"{'messages': []}", b"[]", b'{"messages": [', b"\xff", b"[" * 200_000):
        report = check(b"\n".join([*good, bad, bad, bad]), validation=bad)
        assert list(report.counts.values()) == [3]
        figures = report.statistics
        assert (figures["examples"], figures["duplicates"], figures["leaks"]) == (13, 0, 0)
    report = check(b"\n".join([*good, good[2], b"{}", b"{}"]))
    assert report.counts["duplicate_example"] == 2


def test_check__ten_thousand_unknown_keys_are_counted_and_the_first_hundred_kept() -> None:
    line = json.loads(good_lines("chat")[0]) | {f"key{number}": 0 for number in range(10_000)}
    report = check(b"\n".join([*good_lines("chat"), json.dumps(line).encode()]))
    assert report.counts == {"unknown_key": 10_000}
    assert [problem.path for problem in report.problems] == [f"key{n}" for n in range(100)]


def test_check__thousands_of_calls_that_each_lack_thousands_of_arguments_are_counted() -> None:
    names = [f"p{number}" for number in range(3000)]
    function = {"name": "f", "parameters": {"required": [*names, *names, 7]}}
    given = {"name": "f", "arguments": '{"p1": 0}'}
    calls = [{"id": f"c{number}", "type": "function", "function": given} for number in range(3000)]
    line = {
        "messages": [
            {"role": "user", "content": "Go"},
            {"role": "assistant", "tool_calls": calls},
        ],
        "tools": [{"type": "function", "function": function}],
    }
    report = check(b"\n".join([*good_lines("chat"), json.dumps(line).encode()]))
    assert report.counts == {"missing_argument": 3000 * 2999}
    assert len(report.problems) == 100
    assert '"p0"' in report.problems[0].message
    assert '"p2"' in report.problems[1].message


def test_check__shows_a_long_key_cut_short() -> None:
    line = good_lines("chat")[0].replace(b"{", b'{"%s": "<|endoftext|>", ' % (b"k" * 5000), 1)
    paths = [problem.path for problem in check(line).problems if problem.line]
    assert paths == ['["' + "k" * 39 + '..."]'] * 2


def test_check__every_key_that_is_there_twice_is_told_once() -> None:
    keys = ", ".join(f'"k{number % 5000}": 0' for number in range(10_000))
    line = f'{{"answer": {{{keys}}}, "messages": [{{"role": "user", "content": "Hi"}}]}}'
    report = check(line.encode(), method="reinforcement")
    assert report.counts == {"duplicate_key": 5000, "too_few_examples": 1}


def test_check__knows_the_context_of_a_model() -> None:
    lines = [*good_lines("chat"), good_lines("chat")[0].replace(b"What", b"What" * 5000)]
    content = b"\n".join(lines)
    for model in ("gpt-3.5-turbo-0613", "ft:gpt-3.5-turbo-0613:acme::7p4lURel"):
        report = check(content, model=model)
        assert report.counts == {"maybe_too_long": 1}
    assert check(content, model="gpt-4o-mini-2024-07-18").counts == {}
    assert check(content, model="gpt-3.5-turbo-0613", context_length=10_000).counts == {}
    assert check(content, model="ft:").counts == {}


def test_check__how_many_examples_there_must_be_can_be_said() -> None:
    turns = [{"role": "user", "content": "1+1?"}, {"role": "assistant", "content": "2"}]
    line = json.dumps({"messages": turns}).encode() + b"\n"
    assert list(check(line).counts) == ["too_few_examples"]
    assert check(line, least_examples=1).counts == {}
    assert list(check(b"", least_examples=1).counts) == ["empty_file"]
    with pytest.raises(RequestError) as caught:
        check(line, least_examples=0)
    assert caught.value.message == "least_examples must be a whole number above 0, got 0."


def test_check__a_file_written_on_windows_is_fit_to_train_on(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + b"\r\n".join([*good_lines("chat"), b"", b""]))
    report = check(path)
    assert (report.ok, report.errors) == (True, 0)
    assert report.counts == {"blank_line": 1, "byte_order_mark": 1, "crlf": 10}
    assert report.statistics["examples"] == 10


@pytest.mark.parametrize(
    ("before", "after", "counts"),
    [
        (b"", b"\n", {}),
        (b"", b"\r\n", {"crlf": 1}),
        (b"", b"\r", {"crlf": 1}),
        (b"", b"\r\r\n", {"crlf": 1}),
        (b"", b"\n\r\n", {"blank_line": 1}),
        (b"\r\n", b"\n", {"blank_line": 1}),
        (b"\xef\xbb\xbf", b"\n", {"byte_order_mark": 1}),
        (b"\xef\xbb\xbf\xef\xbb\xbf", b"\n", {"byte_order_mark": 1, "invalid_json": 1}),
    ],
)
def test_check__what_may_stand_around_a_line_in_the_middle(
    before: bytes, after: bytes, counts: dict[str, int]
) -> None:
    first, line = good_lines("chat", 2)
    content = first + b"\n" + before + line + after
    assert check(content, least_examples=1).counts == counts


def test_check__a_carriage_return_alone_ends_no_line() -> None:
    report = check(b"\r".join(good_lines("chat")), least_examples=1)
    assert report.counts == {"invalid_json": 1}


def test_check__a_code_can_be_accepted_in_a_call() -> None:
    content = b"\n".join(good_lines("chat", 3))
    report = check(content, accept={"too_few_examples"})
    assert (report.ok, report.warnings) == (True, 1)
    assert [problem.severity for problem in report.problems] == ["warning"]
    assert "warning too_few_examples: 1" in str(report)
    assert not check(content, accept=["unknown_role"]).ok


def test_check__a_provider_can_accept_a_code(tmp_path: Path) -> None:
    rules = TrainingRules(accepts=frozenset({"special_token"}))
    lines = [*good_lines("chat"), good_lines("chat")[0].replace(b"What", b"<|endoftext|>")]
    path = tmp_path / "train.jsonl"
    path.write_bytes(b"\n".join([*lines, b"{"]))
    provider = Provider(name="acme", training_rules=rules)
    for workers in (1, 2):
        report = check(path, provider=provider, workers=workers)
        severities = [(problem.code, problem.severity) for problem in report.problems]
        assert severities == [("special_token", "warning"), ("invalid_json", "error")]
        assert (report.errors, report.warnings) == (1, 1)


def test_check__a_file_in_utf16_can_be_accepted() -> None:
    assert check("{}".encode("utf-16"), accept={"utf16"}).ok


@pytest.mark.parametrize(
    ("accept", "message"),
    [
        ({"unknown_roles"}, "got 'unknown_roles'; did you mean 'unknown_role'?"),
        ("crfl", "got 'crfl'; did you mean 'crlf'?"),
        ([7], "got 7."),
    ],
)
def test_check__only_codes_can_be_accepted(accept: Any, message: str) -> None:
    with pytest.raises(RequestError) as refused:
        check(b"", accept=accept)
    assert refused.value.message == f"accept must hold codes of problems, {message}"


def call_of(call_id: object) -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": "f", "arguments": "{}"}}


def turns(*order: str, answer: str = "It is 3.") -> bytes:
    """Write an example: ``p,q`` calls two tools, ``=p`` answers one, ``u`` and ``a`` are words."""
    messages: list[dict[str, Any]] = []
    for turn in order:
        if turn in {"u", "a"}:
            role = "user" if turn == "u" else "assistant"
            messages.append({"role": role, "content": answer})
        elif turn.startswith("="):
            messages.append({"role": "tool", "tool_call_id": turn[1:], "content": "3"})
        else:
            calls = [call_of(call_id) for call_id in turn.split(",")]
            messages.append({"role": "assistant", "content": None, "tool_calls": calls})
    tools = [{"type": "function", "function": {"name": "f"}}]
    return json.dumps({"messages": messages, "tools": tools}).encode()


@pytest.mark.parametrize(
    ("order", "problems"),
    [
        ("u p,q =q =p a", []),
        ("u p,q =p u =q a", ["unanswered_tool_call messages[1].tool_calls[1]"]),
        ("u p,q u =q =p a", ["unanswered_tool_call messages[1].tool_calls[0]"] * 2),
        ("u p,p =p a", ["duplicate_call_id", "unanswered_tool_call"]),
        ("u p,q =p =p a", ["repeated_tool_answer", "unanswered_tool_call"]),
        ("u p,q,r =x =q a", ["orphan_tool_message", "unanswered_tool_call messages[1].tool_calls[2]"]),
        ("u p a =p =p a", ["unanswered_tool_call"]),
        ("u p =p a =p a", ["orphan_tool_message"]),
        ("u =p a", ["orphan_tool_message"]),
        ("u p q =q =p a", ["unanswered_tool_call messages[1].tool_calls[0]"]),
        ("u p,q =p", ["last_message_not_assistant", "unanswered_tool_call"]),
        ("u p =p", ["last_message_not_assistant"]),
        ("u p", []),
    ],
)  # fmt: skip
def test_check__whether_calls_are_answered_in_their_place(order: str, problems: list[str]) -> None:
    for provider in ("openai", "azure"):
        report = check(turns(*order.split()), provider=provider, least_examples=1)
        found = [problem for problem in report.problems if problem.code != "repeated_role"]
        assert sorted(problem.code for problem in found) == sorted(p.split()[0] for p in problems)
        for problem in filter(lambda each: " " in each, problems):
            assert problem.split()[1] in {each.path for each in found}


def test_check__says_that_an_answer_comes_too_late() -> None:
    (problem,) = check(turns("u", "p", "u", "=p", "a"), least_examples=1).problems
    assert problem.message == (
        "messages[1].tool_calls[0] is a call that no message of a tool right after it answers "
        '(messages[3] comes too late). Put a message of the tool with the tool_call_id "p" right '
        "after the message with the call; only the calls of the last message go without."
    )


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (b'"role": "tool"', b'"role": "tol"', "unknown_role"),
        (b'"tool_call_id": "p"', b'"call_id": "p"', "missing_tool_call_id unknown_key"),
        (b'"id": "p"', b'"id": 7', "invalid_tool_call"),
        (b'"tool_call_id": "p"', b'"tool_call_id": "P"', "orphan_tool_message"),
    ],
)
def test_check__a_fault_in_a_call_or_its_answer_is_not_told_again_as_a_call_without_one(
    old: bytes, new: bytes, code: str
) -> None:
    report = check(turns("u", "p", "=p", "a").replace(old, new), least_examples=1)
    assert " ".join(sorted(report.counts)) == code


def test_check__thousands_of_calls_and_answers_in_a_moment() -> None:
    calls = ",".join(f"c{number}" for number in range(5000))
    answers = [f"=c{number}" for number in reversed(range(5000))]
    report = check(turns("u", calls, "u", *answers, "a"), least_examples=1)
    assert report.counts == {"unanswered_tool_call": 5000}


def test_check__counts_the_tokens_of_tools_once_that_many_lines_share() -> None:
    counted: list[str] = []

    def count(text: str) -> int:
        counted.append(text)
        return len(text)

    lines = [turns("u", "p", "=p", "a", answer=f"It is {number}.") for number in range(12)]
    report = check(b"\n".join(lines), count_tokens=count)
    (tools,) = [text for text in counted if text.startswith("[")]
    assert counted.count(tools) == 1
    (one,) = {check(line, count_tokens=len, least_examples=1).billed_tokens for line in lines[:10]}
    assert report.billed_tokens == 12 * one + 2 * 2
    assert one > len(tools)


def test_check__reports_wrong_tools_in_every_line_that_has_them() -> None:
    wrong = [turns("u", "p").replace(b'"f"}}]', b'"f", "strict": 7}}]') for _ in range(3)]
    report = check(b"\n".join([*wrong, turns("u", "p"), *wrong]), least_examples=1)
    lines = [problem.line for problem in report.problems if problem.code == "invalid_tools"]
    assert lines == [1, 2, 3, 5, 6, 7]
    assert all(problem.path.startswith("tools") for problem in report.problems if problem.path)


def test_check__remembers_no_more_than_some_definitions_of_tools() -> None:
    lines = [turns("u", "p").replace(b'"f"', b'"f%d"' % number) for number in range(300)]
    assert check(b"\n".join([*lines, lines[0]])).counts == {"duplicate_example": 1}
