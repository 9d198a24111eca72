from __future__ import annotations

from typing import Any

import pytest

from finetune_client.grading import (
    GRADER_TYPES,
    Grade,
    GraderError,
    check_grader,
    check_runnable,
    run_grader,
)

CHECK: dict[str, Any] = {
    "type": "string_check",
    "name": "check",
    "input": "{{sample.output_text}}",
    "reference": "{{item.answer}}",
    "operation": "eq",
}
PYTHON = {"type": "python", "source": "def grade(sample, item):\n    return 1.0"}
MULTI: dict[str, Any] = {
    "type": "multi",
    "graders": {"exact": CHECK},
    "calculate_output": "2 * exact",
}


def refused(grader: Any) -> tuple[str, str]:
    with pytest.raises(GraderError) as caught:
        check_grader(grader, "method.grader")
    assert str(caught.value) == caught.value.message
    return caught.value.code, caught.value.param


def test_types__are_those_that_a_request_may_hold() -> None:
    assert GRADER_TYPES == ("string_check", "text_similarity", "python", "score_model", "multi")


@pytest.mark.parametrize("grader", [CHECK, PYTHON, MULTI])
def test_check__returns_the_grader(grader: dict[str, Any]) -> None:
    assert check_grader(grader) is grader


@pytest.mark.parametrize(
    ("grader", "code", "param"),
    [
        (None, "invalid_grader", "method.grader"),
        ({}, "missing_required_parameter", "method.grader.type"),
        ({**CHECK, "type": []}, "invalid_value", "method.grader.type"),
        ({**CHECK, "name": ""}, "invalid_value", "method.grader.name"),
        ({**CHECK, "input": None}, "invalid_grader", "method.grader.input"),
        (
            {**MULTI, "graders": {"exact": {**CHECK, "operation": 1}}},
            "invalid_value",
            "method.grader.graders.exact.operation",
        ),
        ({**MULTI, "calculate_output": "("}, "invalid_grader", "method.grader.calculate_output"),
    ],
)
def test_check__names_the_place(grader: Any, code: str, param: str) -> None:
    assert refused(grader) == (code, param)


@pytest.mark.parametrize("grader", [PYTHON, {**MULTI, "graders": {"exact": PYTHON}}])
def test_runnable__refuses_what_would_run_code(grader: dict[str, Any]) -> None:
    with pytest.raises(GraderError) as caught:
        check_runnable(check_grader(grader), "method.grader")
    assert (caught.value.code, caught.value.param) == ("unsupported_grader", "method.grader")


@pytest.mark.parametrize(
    ("grader", "grade"),
    [
        (CHECK, Grade(1.0)),
        (MULTI, Grade(2.0, {"exact": 1.0})),
        ({**CHECK, "reference": "{{item.x}}"}, Grade(0.0, errors={"invalid_variable_error"})),
        (
            {**MULTI, "calculate_output": "1 / (exact - 1)"},
            Grade(0.0, {"exact": 1.0}, {"formula_parse_error"}),
        ),
    ],
)
def test_run__returns_the_grade(grader: dict[str, Any], grade: Grade) -> None:
    check_runnable(check_grader(grader))
    assert run_grader(grader, "yes", {"answer": "yes"}) == grade
