from __future__ import annotations

from typing import Any

import pytest

from finetune_client.grading import (
    GRADER_TYPES,
    Grade,
    GraderError,
    PythonGraders,
    PythonLimits,
    check_grader,
    check_runnable,
    load_grader,
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
    check_runnable(grader, allow_python=True)


def test_runnable__a_model_is_not_here_even_if_code_may_be_run() -> None:
    judge = {"type": "score_model", "name": "judge", "model": "m", "input": []}
    grader = {**MULTI, "graders": {"exact": PYTHON, "judge": judge}}
    with pytest.raises(GraderError, match="'score_model' is not run by the local server"):
        check_runnable(check_grader(grader), allow_python=True)


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


FAILS = {"type": "python", "source": "def grade(sample, item):\n    return item['x']"}


def test_run__python() -> None:
    with PythonGraders(PythonLimits()) as python:
        assert run_grader(PYTHON, "yes", {}, python) == Grade(1.0)
        grade = run_grader(FAILS, "yes", {}, python)
    assert grade == Grade(
        0.0,
        errors={"python_grader_runtime_error"},
        details={"python_grader_runtime_error_details": "KeyError: 'x' (line 2 of the source)"},
    )
    with pytest.raises(ValueError, match="needs what runs it"):
        run_grader(PYTHON, "yes", {})


def test_run__python_that_cannot_be_started() -> None:
    python = PythonGraders(PythonLimits())
    python.close()
    assert run_grader(PYTHON, "yes", {}, python) == Grade(
        0.0,
        errors={"python_grader_server_error"},
        details={"python_grader_server_error_type": "closed"},
    )


def test_run__multi_names_the_child_of_each_error() -> None:
    graders = {"exact": CHECK, "a": FAILS, "b": FAILS, "good": PYTHON}
    multi = {**MULTI, "graders": graders, "calculate_output": "exact + a + b + 0.5 * good"}
    with PythonGraders(PythonLimits()) as python:
        grade = run_grader(multi, "yes", {"answer": "yes"}, python)
    assert grade == Grade(
        1.5,
        {"exact": 1.0, "a": 0.0, "b": 0.0, "good": 1.0},
        {"python_grader_runtime_error"},
        {
            "python_grader_runtime_error_details": "a: KeyError: 'x' (line 2 of the source); "
            "b: KeyError: 'x' (line 2 of the source)"
        },
    )


@pytest.mark.parametrize("grader", [CHECK, PYTHON, {**MULTI, "graders": {"exact": PYTHON}}])
def test_load__what_can_be_run(grader: dict[str, Any]) -> None:
    with PythonGraders(PythonLimits()) as python:
        load_grader(grader, "grader", python)


def test_load__names_the_source_that_cannot_be_run() -> None:
    bad = {**MULTI, "graders": {"exact": PYTHON, "bad": {**PYTHON, "source": "1 / 0"}}}
    with PythonGraders(PythonLimits()) as python, pytest.raises(GraderError) as caught:
        load_grader(bad, "grader", python)
    assert (caught.value.code, caught.value.param) == (
        "invalid_grader",
        "grader.graders.bad.source",
    )
    assert str(caught.value) == (
        "'grader.graders.bad.source' cannot be run: ZeroDivisionError: division by zero (line 1 of the "
        "source)"
    )
    with pytest.raises(GraderError) as caught:
        load_grader(bad, "grader", None)
    assert (caught.value.code, caught.value.param) == ("unsupported_grader", "grader.graders.exact")
