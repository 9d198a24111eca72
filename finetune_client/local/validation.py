"""The files of a job that is ``validating_files``, checked as users check them before sending."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from finetune_client import training_data

if TYPE_CHECKING:
    from collections.abc import Mapping

    from finetune_client.local.files import Files

__all__ = ["problem"]

_SHOWN = 3


def problem(files: Files, wire: Mapping[str, Any]) -> dict[str, str] | None:
    """Check a job's files; what is wrong comes back as the job's ``error``, else `None`."""
    for param in ("training_file", "validation_file"):
        if wire[param] is not None:
            found = _problem(files, wire, param)
            if found is not None:
                return found
    return None


def _problem(files: Files, wire: Mapping[str, Any], param: str) -> dict[str, str] | None:
    check = vars(training_data).get("check")
    if check is None:
        return None
    report = check(files.path(wire[param]), method=wire["method"]["type"])
    errors = [one for one in report.problems if one.severity == "error"]
    if report.ok or not errors:
        return None
    told = " ".join(_sentence(one) for one in errors[:_SHOWN])
    code = "invalid_n_examples" if errors[0].code == "too_few_examples" else f"invalid_{param}"
    return {"code": code, "message": told, "param": param}


def _sentence(one: Any) -> str:
    return str(one)
