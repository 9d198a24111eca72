from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings, strategies as st

from finetune_client.local.grading.check import GRADER_TYPES
from finetune_client.local.grading.formulas import FormulaError, calculate, names_in
from finetune_client.local.grading.similarity import METRICS, similarity

if TYPE_CHECKING:
    from tests.support.local_api import LocalApi

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
OTHERS: list[dict[str, Any]] = [
    {"type": "python", "name": "code", "source": "def grade(sample, item):\n    return 1.0"},
    {
        "type": "score_model",
        "name": "judge",
        "model": "gpt-4o",
        "input": [{"role": "user", "content": "{{sample.output_text}}"}],
    },
]


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


@pytest.mark.parametrize("grader", OTHERS)
def test_run__says_which_graders_are_not_run_here(api: LocalApi, grader: dict[str, Any]) -> None:
    status, error = api.refused("POST", RUN, json={"grader": grader, "model_sample": "x"})
    assert status == 400
    assert error["message"] == (
        f"A grader of type '{grader['type']}' is not run by the local server: it would need a "
        "model or would run a request's code. Use string_check, text_similarity or a multi "
        "grader of them."
    )
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


@pytest.mark.parametrize("grader", [CHECK, ALIKE, *OTHERS])
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
            {**OTHERS[0], "source": "x" * 256_001},
            "'grader.source' is larger than 256000 bytes.",
        ),
        (
            {**OTHERS[1], "input": [{"role": "user"}]},
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
            "'grader.calculate_output' names near, which is none of its graders and no function.",
        ),
        (
            {**MULTI, "calculate_output": "mean(exact, close)"},
            "'grader.calculate_output' names mean, which is none of its graders and no function.",
        ),
        ({**MULTI, "calculate_output": "exact +"}, "The formula 'exact +' cannot be read."),
        (
            {
                **MULTI,
                "graders": {
                    "exact": {**OTHERS[1], "type": "label_model", "labels": ["a"]},
                },
            },
            "'grader.graders.exact' needs the lists 'labels' and 'passing_labels'.",
        ),
        (
            {
                **MULTI,
                "graders": {
                    "exact": {
                        **OTHERS[1],
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


@pytest.mark.parametrize("metric", METRICS)
def test_similarity__of_equal_and_of_different_texts(metric: str) -> None:
    text = "The quick brown fox jumps over the lazy dog"
    assert similarity(metric, text, text) == pytest.approx(1.0, abs=0.01)
    assert similarity(metric, "completely unrelated words 123", text) < 0.35
    assert similarity(metric, "", text) == 0.0
    assert similarity(metric, "", "") in {0.0, 1.0}


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("rouge_1", 5 / 6),
        ("rouge_2", 3 / 5),
        ("rouge_l", 5 / 6),
        ("gleu", (5 + 3 + 1 + 0) / 18),
        ("fuzzy_match", 2 * 20 / 44),
    ],
)
def test_similarity__by_hand(metric: str, expected: float) -> None:
    found = similarity(metric, "the cat sat on the mat", "the cat was on the mat")
    assert found == pytest.approx(expected)


def test_similarity__bleu_by_hand() -> None:
    found = similarity("bleu", "the cat sat on the mat", "the cat was on the mat")
    assert found == pytest.approx((5 / 6 * 4 / 6 * 2 / 5 * 1 / 4) ** 0.25)
    short = similarity("bleu", "the cat", "the cat sat on the mat")
    assert short == pytest.approx(math.exp(1 - 6 / 2) * (1 * 1 * 1 * 1) ** 0.25)


def test_similarity__meteor_by_hand() -> None:
    found = similarity("meteor", "on the mat sat the cat", "the cat sat on the mat")
    assert found == 0.5  # every word is there, no two in order: the largest penalty
    exact = similarity("meteor", "the cat", "the cat")
    assert exact == pytest.approx(1 - 0.5 / 8)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(METRICS), st.text(max_size=40), st.text(max_size=40))
def test_similarity__is_always_from_0_to_1(metric: str, said: str, reference: str) -> None:
    assert 0.0 <= similarity(metric, said, reference) <= 1.0 + 1e-9


@pytest.mark.parametrize(
    ("formula", "value"),
    [
        ("a + b * 2", 7.0),
        ("2 ^ b", 8.0),
        ("-a / 4", -0.25),
        ("min(a, b) + max(a, b, 9)", 10.0),
        ("floor(2.5) + ceil(2.5) + abs(-1) + sqrt(4) + exp(0) + log(1)", 9.0),
    ],
)
def test_formula(formula: str, value: float) -> None:
    assert calculate(formula, {"a": 1.0, "b": 3.0}) == value


@pytest.mark.parametrize(
    "formula",
    [
        "a.b",
        "a[0]",
        "__import__('os')",
        "lambda: 1",
        "'x' * 9",
        "c",
        "9 ^ 9 ^ 9 ^ 9",
        "1 / 0",
        "log(-1)",
        "True",
        "a if a else b",
        "(" * 500,
        "a + " * 600 + "a",
        "a+" * 999 + "a",
        "min()",
        "",
    ],
)
def test_formula__without_a_value(formula: str) -> None:
    with pytest.raises(FormulaError):
        calculate(formula, {"a": 1.0, "b": 3.0})


def test_formula__names() -> None:
    assert names_in("max(a, min(b, 2)) + a") == {"a", "b"}
    many = {f"{letter}{number}" for number in range(50) for letter in "ab"}
    formula = " + ".join(f"max(a{number}, b{number})" for number in range(50))
    for _ in range(20):
        assert names_in(formula) == many


def test_formula__has_a_finite_value() -> None:
    with pytest.raises(FormulaError, match="has no finite value"):
        calculate("a * 10", {"a": 1e308})
