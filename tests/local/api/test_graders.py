from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from finetune_client.grading import GRADER_TYPES, PythonLimits
from finetune_client.local import LocalServer, ServerLimits

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.local_api import LocalApi

    Connect = Callable[[LocalServer], LocalApi]

RUN = "/fine_tuning/alpha/graders/run"
VALIDATE = "/fine_tuning/alpha/graders/validate"
CHECK: dict[str, Any] = {
    "type": "string_check",
    "name": "check",
    "input": "{{sample.output_text}}",
    "reference": "{{item.answer}}",
    "operation": "eq",
}
ALIKE: dict[str, Any] = {
    "type": "text_similarity",
    "name": "alike",
    "input": "{{ sample.output_text }}",
    "reference": "{{ item.answer }}",
    "evaluation_metric": "fuzzy_match",
}
MULTI: dict[str, Any] = {
    "type": "multi",
    "name": "both",
    "graders": {"exact": CHECK, "close": ALIKE},
    "calculate_output": "0.5 * exact + 0.5 * close",
}
CODE: dict[str, Any] = {
    "type": "python",
    "name": "code",
    "source": "def grade(sample, item):\n    return len(sample['output_text']) / item['whole']",
    "image_tag": "2025-05-08",
}
JUDGE: dict[str, Any] = {
    "type": "score_model",
    "name": "judge",
    "model": "gpt-4o",
    "input": [{"role": "user", "content": "{{sample.output_text}}"}],
}


def run(api: LocalApi, grader: Any, sample: str, item: Any = None) -> Any:
    body = {"grader": grader, "model_sample": sample}
    return api.ok("POST", RUN, json=body if item is None else {**body, "item": item})


@pytest.mark.parametrize(
    ("operation", "sample", "reward"),
    [
        ("eq", "Yes", 1.0),
        ("eq", "yes", 0.0),
        ("ne", "yes", 1.0),
        ("like", "Oh Yes!", 1.0),
        ("like", "oh yes!", 0.0),
        ("ilike", "oh yes!", 1.0),
    ],
)
def test_run__string_check(api: LocalApi, operation: str, sample: str, reward: float) -> None:
    answer = run(api, {**CHECK, "operation": operation}, sample, {"answer": "Yes"})
    assert answer["reward"] == reward
    assert answer["metadata"]["name"] == "check"
    assert answer["metadata"]["type"] == "string_check"
    assert answer["metadata"]["scores"] == {"check": reward}
    assert not any(value for value in answer["metadata"]["errors"].values())


def test_run__multi(api: LocalApi) -> None:
    answer = run(api, MULTI, "hello", {"answer": "hallo"})
    assert answer["sub_rewards"] == {"exact": 0.0, "close": 0.8}
    assert answer["reward"] == pytest.approx(0.4)
    single = run(
        api, {**MULTI, "graders": CHECK, "calculate_output": "check"}, "a", {"answer": "a"}
    )
    assert single["reward"] == 1.0
    listed = {**MULTI, "graders": [CHECK, ALIKE], "calculate_output": "max(check, alike)"}
    assert run(api, listed, "a", {"answer": "a"})["reward"] == 1.0


@pytest.mark.parametrize(
    ("template", "item", "sample", "found"),
    [
        ("{{item.a.b}}", {"a": {"b": "x"}}, "", "x"),
        ("{{item.a.1}}", {"a": ["p", "q"]}, "", "q"),
        ("{{item.a}}", {"a": [1, "é"]}, "", '[1, "é"]'),
        ("<{{sample.output_json.n}}>", {}, '{"n": 3}', "<3>"),
        ("no template", {}, "", "no template"),
    ],
)
def test_run__templates(api: LocalApi, template: str, item: Any, sample: str, found: str) -> None:
    grader = {**CHECK, "input": template, "reference": found}
    assert run(api, grader, sample, item)["reward"] == 1.0


@pytest.mark.parametrize(
    ("template", "sample", "error"),
    [
        ("{{item.nothing}}", "", "invalid_variable_error"),
        ("{{user.name}}", "", "invalid_variable_error"),
        ("{{sample.output_text.x}}", "", "invalid_variable_error"),
        ("{{sample.output_json.x}}", "not JSON", "sample_parse_error"),
        ("{{sample.output_json.x}}", "[" * 100_000, "sample_parse_error"),
    ],
)
def test_run__template_errors(api: LocalApi, template: str, sample: str, error: str) -> None:
    answer = run(api, {**CHECK, "input": template}, sample, {"answer": "x"})
    assert answer["reward"] == 0.0
    assert [name for name, value in answer["metadata"]["errors"].items() if value] == [error]


def test_run__compares_the_beginnings_of_long_texts(api: LocalApi) -> None:
    answer = run(api, ALIKE, "a" * 50_000, {"answer": "a" * 10_000})
    assert answer["reward"] == 1.0
    assert answer["metadata"]["errors"]["truncated_observation_error"] is True


def test_run__template_of_spaces_takes_no_time(api: LocalApi) -> None:
    answer = run(api, {**CHECK, "input": "{{" + " " * 1_000_000}, "", {"answer": "x"})
    assert answer["reward"] == 0.0


def test_run__formula_without_a_value(api: LocalApi) -> None:
    answer = run(api, {**MULTI, "calculate_output": "close / exact"}, "a", {"answer": "b"})
    assert answer["reward"] == 0.0
    assert answer["metadata"]["errors"]["formula_parse_error"] is True


NO_MODEL = (
    "A grader of type 'score_model' is not run by the local server: it would need a model. Use "
    "string_check, text_similarity or a multi grader of them."
)
NO_CODE = (
    "A grader of type 'python' is not run by this server: its code would have the rights of whoever "
    "runs the server. To allow it, start the server with allow_python_graders=True, on the command "
    "line with --allow-python-graders (of finetune serve, if it is that which answers). Otherwise use "
    "string_check, text_similarity or a multi grader of them."
)


@pytest.mark.parametrize(("grader", "message"), [(CODE, NO_CODE), (JUDGE, NO_MODEL)])
def test_run__says_which_graders_are_not_run_here(
    api: LocalApi, grader: dict[str, Any], message: str
) -> None:
    status, error = api.refused("POST", RUN, json={"grader": grader, "model_sample": "x"})
    assert (status, error["code"], error["message"]) == (400, "unsupported_grader", message)
    inside = {**MULTI, "graders": {"exact": CHECK, "close": grader}}
    assert api.refused("POST", RUN, json={"grader": inside, "model_sample": "x"})[0] == 400


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"grader": CHECK}, "model_sample"),
        ({"grader": CHECK, "model_sample": 3}, "model_sample"),
        ({"grader": CHECK, "model_sample": "", "item": []}, "item"),
        ({"grader": {**ALIKE, "evaluation_metric": "cosine"}, "model_sample": ""}, "grader"),
    ],
)
def test_run__refuses(api: LocalApi, body: dict[str, Any], param: str) -> None:
    status, error = api.refused("POST", RUN, json=body)
    assert (status, error["param"]) == (400, param)


def test_validate__refuses_code_that_is_not_run_here(api: LocalApi) -> None:
    for grader in (CODE, {**MULTI, "graders": {"exact": CHECK, "close": CODE}}):
        status, error = api.refused("POST", VALIDATE, json={"grader": grader})
        assert (status, error["code"], error["message"]) == (400, "unsupported_grader", NO_CODE)


def test_python__is_run_where_it_is_allowed(connect: Connect) -> None:
    api = connect(LocalServer(allow_python_graders=True))
    assert api.ok("POST", VALIDATE, json={"grader": CODE}) == {"grader": CODE}
    answer = run(api, CODE, "abc", {"whole": 4})
    assert answer["reward"] == 0.75
    assert answer["metadata"]["type"] == "python"
    assert answer["metadata"]["scores"] == {"code": 0.75}
    assert not any(answer["metadata"]["errors"].values())
    inside = {**MULTI, "graders": {"exact": CHECK, "close": CODE}}
    answer = run(api, inside, "abc", {"answer": "abc", "whole": 3})
    assert (answer["reward"], answer["sub_rewards"]) == (1.0, {"exact": 1.0, "close": 1.0})
    judged = {**MULTI, "graders": {"exact": CODE, "close": JUDGE}}
    assert api.refused("POST", RUN, json={"grader": judged, "model_sample": ""})[0] == 400


@pytest.mark.parametrize(
    ("source", "details"),
    [
        (CODE["source"], "KeyError: 'whole' (line 2 of the source)"),
        ("def grade(sample, item):\n    return '1'", "grade returned a str, not a number."),
        ("grade = 3", "The source defines no function 'grade(sample, item)'."),
        ("import time\ndef grade(*_): time.sleep(99)", "It took longer than 2 seconds."),
    ],
)
def test_python__errors_are_those_of_the_api(connect: Connect, source: str, details: str) -> None:
    limits = ServerLimits(python_graders=PythonLimits(seconds=2.0))
    api = connect(LocalServer(allow_python_graders=True, limits=limits))
    answer = run(api, {**CODE, "source": source}, "abc")
    assert answer["reward"] == 0.0
    errors = answer["metadata"]["errors"]
    assert errors.pop("python_grader_runtime_error") is True
    assert errors.pop("python_grader_runtime_error_details") == details
    assert not any(errors.values())


def test_python__that_cannot_be_started(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    api = connect(LocalServer(allow_python_graders=True))
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    answer = run(api, CODE, "abc", {"whole": 4})
    assert answer["reward"] == 0.0
    found = {name: value for name, value in answer["metadata"]["errors"].items() if value}
    assert found == {
        "python_grader_server_error": True,
        "python_grader_server_error_type": "process_not_started",
    }


def test_python__is_validated_by_running_its_source(connect: Connect) -> None:
    api = connect(LocalServer(allow_python_graders=True))
    status, error = api.refused("POST", VALIDATE, json={"grader": {**CODE, "source": "import no"}})
    assert (status, error["code"], error["param"]) == (400, "invalid_grader", "grader.source")
    assert error["message"] == (
        "'grader.source' cannot be run: ModuleNotFoundError: No module named 'no' (line 1 of the source)"
    )


@pytest.mark.parametrize("grader", [CHECK, ALIKE, JUDGE])
def test_validate__gives_the_grader_back(api: LocalApi, grader: dict[str, Any]) -> None:
    assert api.ok("POST", VALIDATE, json={"grader": grader}) == {"grader": grader}
    assert grader["type"] in GRADER_TYPES


@pytest.mark.parametrize(
    ("grader", "message"),
    [
        (None, "Invalid type for 'grader': expected an object, but got nothing instead."),
        ("x", "Invalid type for 'grader': expected an object, but got a string instead."),
        ({}, "Missing required parameter: 'grader.type'."),
        (
            {**CHECK, "type": "label_model"},
            (
                "Invalid value for 'grader.type': expected one of string_check, text_similarity, "
                'python, score_model, multi, but got "label_model".'
            ),
        ),
        ({**CHECK, "name": None}, "Missing required parameter: 'grader.name'."),
        ({**CHECK, "input": 3}, "'grader.input' must be a string."),
        ({**CHECK, "operation": None}, "Missing required parameter: 'grader.operation'."),
        (
            {"type": "text_similarity", "name": "near", "input": "a", "reference": "b"},
            "Missing required parameter: 'grader.evaluation_metric'.",
        ),
        (
            {**CHECK, "operation": "neq"},
            (
                "Invalid value for 'grader.operation': expected one of eq, ne, like, ilike, but got "
                '"neq".'
            ),
        ),
        (
            {**CODE, "source": "x" * 256_001},
            "'grader.source' is larger than 256000 bytes.",
        ),
        (
            {**JUDGE, "input": [{"role": "user"}]},
            "'grader.input' must be a list of messages, each with a role and a content.",
        ),
        (
            {**MULTI, "graders": {}},
            "Invalid type for 'grader.graders': expected an object of named graders.",
        ),
        (
            {**MULTI, "graders": {"exact": "x"}},
            (
                "Invalid type for 'grader.graders.exact': expected an object, but got a string "
                "instead."
            ),
        ),
        (
            {**MULTI, "graders": {"exact": MULTI}},
            (
                "Invalid value for 'grader.graders.exact.type': expected one of string_check, "
                'text_similarity, python, score_model, label_model, but got "multi".'
            ),
        ),
        (
            {**MULTI, "calculate_output": "exact + near"},
            "'grader.calculate_output' names near, which is neither one of its graders nor a function.",
        ),
        (
            {**MULTI, "calculate_output": "mean(exact, close)"},
            "'grader.calculate_output' names mean, which is neither one of its graders nor a function.",
        ),
        ({**MULTI, "calculate_output": "exact +"}, "The formula 'exact +' cannot be read."),
        (
            {
                **MULTI,
                "graders": {
                    "exact": {**JUDGE, "type": "label_model", "labels": ["a"]},
                },
            },
            "'grader.graders.exact' needs the lists 'labels' and 'passing_labels'.",
        ),
        (
            {
                **MULTI,
                "graders": {
                    "exact": {
                        **JUDGE,
                        "type": "label_model",
                        "labels": ["a"],
                        "passing_labels": ["b"],
                    },
                },
            },
            "'grader.graders.exact.passing_labels' must be among 'labels'.",
        ),
        (
            {"type": "python", "source": "x", "name": 1},
            "Invalid value for 'grader.name': expected a string that is not empty, but got 1.",
        ),
    ],
)
def test_validate__says_what_is_wrong(api: LocalApi, grader: Any, message: str) -> None:
    status, error = api.refused("POST", VALIDATE, json={"grader": grader})
    assert (status, error["message"]) == (400, message)
