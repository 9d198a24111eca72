"""The API's graders over plain dicts: checking them, and running those that need only the texts."""

from finetune_client.grading.graders import (
    GRADER_TYPES,
    Grade,
    GraderError,
    check_grader,
    check_runnable,
    run_grader,
)

__all__ = ["GRADER_TYPES", "Grade", "GraderError", "check_grader", "check_runnable", "run_grader"]
