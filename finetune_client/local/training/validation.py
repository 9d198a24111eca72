"""Checking the files of a job, by the same check that users run before they upload a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from finetune_client.training_data import check

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from finetune_client.local.api.files import Files

__all__ = ["InterruptedCheckError", "check_files"]

_MAX_SHOWN = 3


class InterruptedCheckError(Exception):
    """The server was closed while it checked a file."""


def check_files(
    files: Files, wire: Mapping[str, Any], is_closed: Callable[[], bool]
) -> dict[str, str] | None:
    """Check a job's files, and return the job's ``error`` if something is wrong.

    Args:
        files: The server's files.
        wire: The job's object.
        is_closed: Called repeatedly while a file is read.

    Raises:
        InterruptedCheckError: The server was closed meanwhile.
    """

    def interrupt(_read: int, _size: int) -> None:
        if is_closed():
            raise InterruptedCheckError

    for param in ("training_file", "validation_file"):
        if wire[param] is not None:
            error = _check_file(files, wire, param, interrupt)
            if error is not None:
                return error
    return None


def _check_file(
    files: Files, wire: Mapping[str, Any], param: str, progress: Callable[[int, int], None]
) -> dict[str, str] | None:
    try:
        path = files.path(wire[param])
    except FileNotFoundError as error:
        return {"code": f"invalid_{param}", "message": f"{error}.", "param": param}
    # One process: forking a process that has threads can deadlock the child.
    least = 1 if param == "validation_file" else None
    report = check(
        path, wire["method"], least_examples=least, workers=1, progress=progress, secrets=False
    )
    if report.ok:
        return None
    errors = [problem for problem in report.problems if problem.severity == "error"]
    few = errors[0].code == "too_few_examples"
    message = " ".join(str(error) for error in errors[:_MAX_SHOWN])
    more = f" There are {report.errors} such problems in all." if report.errors > _MAX_SHOWN else ""
    code = "invalid_n_examples" if few else f"invalid_{param}"
    return {"code": code, "message": message + more, "param": param}
