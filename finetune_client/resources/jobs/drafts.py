"""A job that is to be created: what is wrong with it, and the files that must go up first."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finetune_client.errors import RequestError, TrainingDataError
from finetune_client.models.unknown_keys import warn_unknown_fields

if TYPE_CHECKING:
    from collections.abc import Mapping

    from finetune_client.models import FineTuningJobRequest
    from finetune_client.providers import Feature, Provider
    from finetune_client.training_data import Report
    from finetune_client.transport import Session

__all__ = ["FileArgument", "check_draft", "check_files", "local_files", "shown"]

FileArgument = str | os.PathLike[str]
"""A file id, or a path (not text) of a file to check and upload."""

FILE_ID = re.compile(r"file-[A-Za-z0-9_-]+")

NEEDED_FEATURES: tuple[Feature, ...] = ("method", "metadata", "integrations")


def shown(value: FileArgument | None) -> Any:
    """Return what stands for a file argument before it is uploaded."""
    return value.__fspath__() if isinstance(value, os.PathLike) else value


def local_files(arguments: Mapping[str, FileArgument | None]) -> dict[str, Path]:
    """Return the arguments that are paths."""
    return {
        name: Path(value) for name, value in arguments.items() if isinstance(value, os.PathLike)
    }


def check_draft(draft: FineTuningJobRequest, session: Session, files: Mapping[str, Path]) -> None:
    """Check all that can be known before anything is sent.

    Raises:
        RequestError: Something is wrong with the values; `problems` lists it all.
        ConfigurationError: The provider lacks a feature that is asked for.
    """
    found = [*draft.problems(limits=session.provider.limits), *_named_files(draft, files)]
    if found:
        listed = "".join(f"\n- {problem}" for problem in found)
        raise RequestError(
            f"The job cannot be created so, and nothing was sent:{listed}", problems=found
        )
    warn_unknown_fields(draft)
    for feature in NEEDED_FEATURES:
        if getattr(draft, feature):
            session.require(feature, f"a job's {feature}")


def _named_files(draft: FineTuningJobRequest, files: Mapping[str, Path]) -> list[str]:
    values = {"training_file": draft.training_file, "validation_file": draft.validation_file}
    return [
        f"{name}: {value!r} is the name of a file here, not the id of one; pass "
        f"pathlib.Path({value!r}) to have it checked and uploaded"
        for name, value in values.items()
        if name not in files and isinstance(value, str) and _is_file(value)
    ]


def _is_file(value: str) -> bool:
    if FILE_ID.fullmatch(value) or "\0" in value:
        return False
    with suppress(OSError):  # longer than a name can be
        return Path(value).is_file()
    return False


def check_files(files: Mapping[str, Path], draft: FineTuningJobRequest, provider: Provider) -> None:
    """Check the files as the service would.

    Raises:
        TrainingDataError: One is not fit; `report` holds all that was found.
        OSError: One cannot be read.
    """
    from finetune_client import training_data  # many modules, for those who give a path

    method = draft.to_dict().get("method") or "supervised"
    for argument, path in files.items():
        trained_on = argument == "training_file"
        report = training_data.check(
            path,
            method=method,
            provider=provider,
            model=draft.model,
            validation=files.get("validation_file") if trained_on else None,
            least_examples=None if trained_on else 1,
        )
        _check_file(path, report)


def _check_file(path: Path, report: Report) -> None:
    if report.ok:
        return
    errors = [problem for problem in report.problems if problem.severity == "error"]
    raise TrainingDataError(
        f"{path.name} is not fit to train on, and nothing was sent. The first problem: "
        f"{errors[0]} All of them: the attribute problems.",
        report=report,
        problems=report.problems,
    )
