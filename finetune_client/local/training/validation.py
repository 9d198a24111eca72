"""Checking the files of a job, by the same check that users run before they upload a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from finetune_client.training_data import check

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from finetune_client.training_data import Report

__all__ = ["InterruptedCheckError", "check_files"]

_MAX_SHOWN = 3


class InterruptedCheckError(Exception):
    """The server was closed while it checked a file."""


def check_files(
    paths: Mapping[str, Path], method: Mapping[str, Any], is_closed: Callable[[], bool]
) -> tuple[int, dict[str, str] | None]:
    """Check a job's files.

    Args:
        paths: The files, by the name of their parameter.
        method: The job's method.
        is_closed: Called repeatedly while a file is read.

    Returns:
        How many examples the training file has, and the job's ``error`` if something is wrong.

    Raises:
        InterruptedCheckError: The server was closed meanwhile.
    """
    examples = 0

    def interrupt(_read: int, _size: int) -> None:
        if is_closed():
            raise InterruptedCheckError

    for param, path in paths.items():
        # One process: forking a process that has threads can deadlock the child.
        least = 1 if param == "validation_file" else None
        report = check(
            path, method, least_examples=least, workers=1, progress=interrupt, secrets=False
        )
        if not report.ok:
            return 0, _error(report, param)
        if param == "training_file":
            examples = report.statistics["examples"]
    return examples, None


def _error(report: Report, param: str) -> dict[str, str]:
    errors = [problem for problem in report.problems if problem.severity == "error"]
    few = errors[0].code == "too_few_examples"
    message = " ".join(str(error) for error in errors[:_MAX_SHOWN])
    more = f" There are {report.errors} such problems in all." if report.errors > _MAX_SHOWN else ""
    code = "invalid_n_examples" if few else f"invalid_{param}"
    return {"code": code, "message": message + more, "param": param}
