"""``/fine_tuning/alpha/graders``: running a grader, and checking it.

https://developers.openai.com/api/reference
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from finetune_client.grading import (
    Grade,
    PythonGraders,
    check_grader,
    check_runnable,
    load_grader,
    run_grader,
)
from finetune_client.local.http.errors import RequestRefusedError
from finetune_client.local.http.request_fields import json_body

if TYPE_CHECKING:
    from finetune_client.local.state import State

__all__ = ["Graders"]

_FLAGS = (
    "formula_parse_error",
    "sample_parse_error",
    "truncated_observation_error",
    "unresponsive_reward_error",
    "invalid_variable_error",
    "other_error",
    "python_grader_server_error",
    "python_grader_runtime_error",
    "model_grader_server_error",
    "model_grader_refusal_error",
    "model_grader_parse_error",
)
_DETAILS = (
    "python_grader_server_error_type",
    "python_grader_runtime_error_details",
    "model_grader_server_error_details",
)


class Graders:
    """Runs and checks the graders of requests.

    Args:
        state: What the server's parts share.
    """

    def __init__(self, state: State) -> None:
        self._limits = state.limits.python_graders
        self._allow_python = state.allow_python_graders

    def validate(self) -> dict[str, Any]:
        """``POST /fine_tuning/alpha/graders/validate``.

        A grader that needs a model is valid too, although `run` refuses it; one with code is so
        only if the code may be run here, and can be.
        """
        grader = check_grader(json_body().get("grader"))
        with PythonGraders(self._limits) as python:
            load_grader(grader, "grader", python if self._allow_python else None)
        return {"grader": grader}

    def run(self) -> dict[str, Any]:
        """``POST /fine_tuning/alpha/graders/run``, for graders that need no model."""
        body = json_body()
        grader = check_grader(body.get("grader"))
        check_runnable(grader, allow_python=self._allow_python)
        sample, item = body.get("model_sample"), body.get("item", {})
        if not isinstance(sample, str):
            raise RequestRefusedError(400, "'model_sample' must be a string.", param="model_sample")
        if not isinstance(item, dict):
            raise RequestRefusedError(400, "'item' must be an object.", param="item")
        start = time.perf_counter()
        with PythonGraders(self._limits) as python:
            grade = run_grader(grader, sample, item, python)
        return _run_object(grader, grade, time.perf_counter() - start)


def _run_object(grader: dict[str, Any], grade: Grade, seconds: float) -> dict[str, Any]:
    name = grader.get("name", grader["type"])
    errors: dict[str, Any] = {flag: flag in grade.errors for flag in _FLAGS}
    errors |= {name: grade.details.get(name) for name in _DETAILS}
    return {
        "reward": grade.reward,
        "metadata": {
            "name": name,
            "type": grader["type"],
            "errors": errors,
            "execution_time": seconds,
            "scores": grade.children or {name: grade.reward},
            "token_usage": None,
            "sampled_model_name": None,
        },
        "sub_rewards": grade.children,
        "model_grader_token_usage_per_model": {},
    }
