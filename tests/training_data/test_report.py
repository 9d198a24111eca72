from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from finetune_client.errors import RequestError
from finetune_client.training_data import CODES, Problem, check
from tests.support.code_table import code_table
from tests.support.example_lines import BAD_LINES, good_lines

GOOD = b"\n".join(good_lines("chat"))
BAD = GOOD + b'\n{"messages": [{"role": "<b>\\u001b[1m", "content": "a"}]}\n' + b"{\n" * 5
BAD += good_lines("chat")[0] + b"\n"
BAD += BAD.splitlines(keepends=True)[-1] * 3


def test_str__of_a_good_file() -> None:
    assert str(check(GOOD)) == (
        "998 bytes is fit to train on (0 errors, 0 warnings).\n"
        "chat (supervised), 10 examples, about 140 tokens (estimate: one token for every 4 bytes "
        "of UTF-8), of one example 14 to 14, in the median 14."
    ).replace("998", str(len(GOOD)))


def test_str__of_a_bad_file() -> None:
    report = check(BAD, count_tokens=len)
    assert str(report).splitlines()[2:] == [
        "error unknown_role: 1",
        (
            '  line 11, messages[0].role: messages[0].role is "<b>\\u001b[1m", which is not a role '
            "of a chat example. Use one of system, developer, user, assistant, tool, function."
        ),
        "error invalid_json: 5",
        *(
            f"  line {line}: The line is not JSON: expecting property name enclosed in double "
            "quotes at column 2. Write each example as one whole JSON object on a line of its "
            "own, with json.dumps."
            for line in (12, 13, 14)
        ),
        "warning duplicate_example: 4",
        *(
            f"  line {line}: The line is the same as line 1. Remove it, or keep it if it should "
            "count more; training_data.dedupe (finetune dedupe) removes all of them."
            for line in (17, 18, 19)
        ),
    ]


def test_repr__is_a_line() -> None:
    assert repr(check(b"{}\n" * 500)) == "<Report of 1500 bytes: 500 errors, 499 warnings>"
    assert repr(check(b"")) == "<Report of 0 bytes: 1 error, 0 warnings>"


def test_repr__shows_what_a_terminal_would_act_on_as_an_escape() -> None:
    report = replace(check(GOOD), path="a\x1b[31m\n.jsonl")
    assert repr(report) == "<Report of a\\x1b[31m\\n.jsonl: 0 errors, 0 warnings>"


def test_repr_html__is_escaped() -> None:
    html = check(BAD)._repr_html_()
    assert "<b>\\u001b" not in html
    assert "&lt;b&gt;" in html
    assert "<table>" not in check(GOOD)._repr_html_()


def test_to_dict__is_plain_json() -> None:
    report = check(BAD)
    plain = json.loads(json.dumps(report.to_dict()))
    assert plain == report.to_dict()
    assert (plain["ok"], plain["errors"], plain["warnings"]) == (False, 6, 4)
    assert plain["problems"][0] == {
        "line": 11,
        "path": "messages[0].role",
        "code": "unknown_role",
        "severity": "error",
        "message": report.problems[0].message,
    }


def test_report__can_be_pickled() -> None:
    report = check(BAD)
    assert pickle.loads(pickle.dumps(report)) == report


def test_cost__of_a_pass_and_of_the_default_epochs() -> None:
    report = check(GOOD)
    assert report.statistics["tokens"]["total"] == 140
    assert report.cost(price_per_million=2.0, n_epochs=3) == pytest.approx(140 * 3 * 2e-6)
    assert report.cost(price_per_million=2.0) == pytest.approx(140 * 10 * 2e-6)
    with pytest.raises(RequestError, match="n_epochs must be AUTO or a whole number"):
        report.cost(price_per_million=2.0, n_epochs=0)


def test_cost__is_what_is_billed_for_a_pass() -> None:
    lines = [
        {"role": "user", "content": "hello world"},
        {"role": "assistant", "content": "tiktoken is great!"},
    ]
    content = b"\n".join([json.dumps({"messages": lines}).encode()] * 20)
    report = check(content, count_tokens="gpt-3.5-turbo")
    spent = report.cost(price_per_million=1_000_000, n_epochs=1)
    assert spent == pytest.approx(20 * (2 + 6 + 4 * 2 + 1))


def test_cost__examples_are_cut_to_what_the_model_takes() -> None:
    assert check(GOOD, context_length=10).billed_tokens == 100


def test_problems__messages_are_whole_sentences_and_hold_no_secret() -> None:
    for case in BAD_LINES:
        lines = [*good_lines(case.format), case.line]
        (problem,) = check(b"\n".join(lines) + b"\n", **case.options).problems
        assert isinstance(problem, Problem)
        assert problem.message.endswith(".")
        if case.code == "secret":
            assert case.line.split(b'"content": "')[1][:12].decode() not in problem.message


def test_codes__have_a_sentence_a_remedy_and_evidence() -> None:
    for name, code in CODES.items():
        assert name == code.name
        assert code.severity in {"error", "warning"}
        assert code.sentence.endswith(".")
        assert code.remedy.endswith(".")
        assert code.evidence.endswith((".", '."'))


def test_codes__are_all_in_the_documentation() -> None:
    page = (Path(__file__).parents[2] / "docs" / "training-data.md").read_text(encoding="utf-8")
    assert f"### Errors\n\n{code_table('error')}\n### Warnings\n" in page
    assert page.endswith(f"### Warnings\n\n{code_table('warning')}")


def test_report__of_an_empty_file_gives_no_figures() -> None:
    assert str(check(b"")).splitlines()[1:] == [
        "No example was found in it.",
        "error empty_file: 1",
        "  the file: The file holds no example. Write one JSON object on each line.",
    ]
