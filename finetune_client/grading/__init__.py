"""The API's graders over plain dicts: checking them, and running those that need no model."""

from finetune_client.grading.graders import (
    GRADER_TYPES,
    Grade,
    GraderError,
    check_grader,
    check_runnable,
    load_grader,
    run_grader,
)
from finetune_client.grading.python_graders import PythonGraders, PythonLimits

__all__ = [
    "GRADER_TYPES",
    "Grade",
    "GraderError",
    "PythonGraders",
    "PythonLimits",
    "check_grader",
    "check_runnable",
    "load_grader",
    "run_grader",
]
