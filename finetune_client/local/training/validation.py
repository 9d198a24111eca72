"""The files of a job that is ``validating_files``, checked as users check them before sending."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from finetune_client.local.http.errors import WireError
from finetune_client.training_data import check

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from finetune_client.local.api.files import Files

__all__ = ["InterruptedCheckError", "problem"]

_SHOWN = 3


class InterruptedCheckError(Exception):
    """The server was closed while a file was checked."""


def problem(
    files: Files, wire: Mapping[str, Any], closed: Callable[[], bool]
) -> dict[str, str] | None:
    """Check a job's files; what is wrong comes back as the job's ``error``, else `None`.

    Args:
        files: The server's files.
        wire: The job's object.
        closed: Asked again and again while a file is read.

    Raises:
        InterruptedCheckError: The server was closed meanwhile.
    """

    def watch(_read: int, _size: int) -> None:
        if closed():
            raise InterruptedCheckError

    for param in ("training_file", "validation_file"):
        if wire[param] is not None:
            found = _problem(files, wire, param, watch)
            if found is not None:
                return found
    return None


def _problem(
    files: Files, wire: Mapping[str, Any], param: str, watch: Callable[[int, int], None]
) -> dict[str, str] | None:
    try:
        path = files.path(wire[param], param)
    except WireError as error:
        return {"code": f"invalid_{param}", "message": f"{error.message}.", "param": param}
    # One process: a server with threads must not fork.
    least = 1 if param == "validation_file" else None
    report = check(
        path, wire["method"], least_examples=least, workers=1, progress=watch, secrets=False
    )
    if report.ok:
        return None
    errors = [one for one in report.problems if one.severity == "error"]
    few = errors[0].code == "too_few_examples"
    told = " ".join(str(one) for one in errors[:_SHOWN])
    more = f" There are {report.errors} such problems in all." if report.errors > _SHOWN else ""
    code = "invalid_n_examples" if few else f"invalid_{param}"
    return {"code": code, "message": told + more, "param": param}
