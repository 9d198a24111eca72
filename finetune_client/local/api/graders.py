"""``/fine_tuning/alpha/graders``: running a grader, and checking it.

https://developers.openai.com/api/reference
"""

from __future__ import annotations

import time
from typing import Any

from finetune_client.grading import Grade, check_grader, check_runnable, run_grader
from finetune_client.local.http.errors import RequestRefusedError
from finetune_client.local.http.request_fields import json_body

__all__ = ["run", "validate"]

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


def validate() -> dict[str, Any]:
    """``POST /fine_tuning/alpha/graders/validate``."""
    return {"grader": check_grader(json_body().get("grader"))}


def run() -> dict[str, Any]:
    """``POST /fine_tuning/alpha/graders/run``, for graders that need no model and no code."""
    body = json_body()
    grader = check_grader(body.get("grader"))
    check_runnable(grader)
    sample, item = body.get("model_sample"), body.get("item", {})
    if not isinstance(sample, str):
        raise RequestRefusedError(400, "'model_sample' must be a string.", param="model_sample")
    if not isinstance(item, dict):
        raise RequestRefusedError(400, "'item' must be an object.", param="item")
    start = time.perf_counter()
    grade = run_grader(grader, sample, item)
    return _run_object(grader, grade, time.perf_counter() - start)


def _run_object(grader: dict[str, Any], grade: Grade, seconds: float) -> dict[str, Any]:
    name = grader.get("name", grader["type"])
    errors = {flag: flag in grade.errors for flag in _FLAGS} | dict.fromkeys(_DETAILS)
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
