from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from finetune_client.grading import PythonLimits
from finetune_client.local.training.sample_grader import SampleGrader
from finetune_client.local.training.trainer import TrainingError

CHECK = {
    "type": "string_check",
    "name": "check",
    "input": "{{sample.output_json.n}}",
    "reference": "{{item.answer}}",
    "operation": "eq",
}
SOURCE = """
import time
def grade(sample, item):
    while sample['output_text'] == 'hang': time.sleep(0.01)
    return 1 / len(sample['output_text'])
"""
CODE = {"type": "python", "name": "code", "source": SOURCE}
MULTI = {
    "type": "multi",
    "name": "both",
    "graders": {"check": CHECK, "code": CODE},
    "calculate_output": "check + 2 * code",
}


def test_reward__errors_are_told_once_of_each_kind() -> None:
    told: list[str] = []
    grader = SampleGrader(MULTI, PythonLimits(), told.append)
    asked: list[tuple[str, Any]] = [
        *[('{"n": 1}', "1"), ("1234", "1"), ("", "1"), ("", "1"), ("1", None)],
        *[("four", "1"), ("four", "1")],
    ]
    rewards = [grader.reward(text, {"answer": answer}) for text, answer in asked]
    assert rewards == [1.25, 0.5, 0.0, 0.0, 2.0, 0.5, 0.5]
    grader.close()
    python = "code: ZeroDivisionError: division by zero (line 5 of the source)"
    assert told == [
        f"The grader had an error with a sample, whose reward is {reward} ({what}). Further errors of "
        "this kind are not reported."
        for reward, what in (
            ("0.5", "invalid_variable_error"),
            ("0", f"python_grader_runtime_error: {python}"),
            ("0", "sample_parse_error"),
        )
    ]


def test_reward__of_a_run_that_is_closed_is_no_reward() -> None:
    grader = SampleGrader(CODE, PythonLimits(), print)
    assert grader.reward("1234", {}) == 0.25
    timer = threading.Timer(0.2, grader.close)
    timer.start()
    start = time.monotonic()
    for text in ("hang", "1234"):
        with pytest.raises(TrainingError, match="The run was ended while its samples were graded"):
            grader.reward(text, {})
    timer.join()
    assert time.monotonic() - start < 20
