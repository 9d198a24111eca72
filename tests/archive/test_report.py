from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from finetune_client.archive import ArchiveProgress, ArchiveReport, Missing
from finetune_client.archive.report import reason_of
from finetune_client.errors import (
    APIConnectionError,
    APIStatusError,
    FineTuneError,
    NotFoundError,
    RateLimitError,
    RequestError,
)


@pytest.mark.parametrize(
    ("error", "status", "is_final"),
    [
        (NotFoundError("No such file.", status_code=404), 404, True),
        (RateLimitError("Too many requests.", status_code=429), 429, False),
        (APIConnectionError("No answer."), None, False),
        (RequestError("This id cannot be in a path."), None, True),
    ],
)
def test_reason__is_final_where_another_try_is_of_no_use(
    error: FineTuneError, status: int | None, is_final: bool
) -> None:
    missing = reason_of("file", "file-1", error)
    assert missing == Missing(
        what="file", id="file-1", message=error.message, status_code=status, is_final=is_final
    )
    assert Missing(**missing.to_dict()) == missing


@pytest.mark.parametrize(
    ("statuses", "is_final"),
    [
        ((400, 401, 403, 404, 405, 410, 422, 451, 501), True),
        ((402, 408, 409, 423, 425, 429, 500, 502, 503, 504), False),
    ],
)
def test_reason__of_statuses_that_say_no_for_good(
    statuses: tuple[int, ...], is_final: bool
) -> None:
    for status in statuses:
        error = APIStatusError("No.", status_code=status)
        assert reason_of("events", "ftjob-1", error).is_final is is_final, status


def test_progress_and_report__count_from_0() -> None:
    assert ArchiveProgress(phase="lists") == ArchiveProgress(
        phase="lists", done=0, total=0, bytes_done=0, bytes_total=0
    )
    counts: dict[str, Any] = dict.fromkeys(
        ("jobs", "events", "checkpoints", "models", "files", "bytes"), 0
    )
    assert ArchiveReport(directory=Path("a"), **counts).to_dict() == {
        "directory": "a",
        **counts,
        "fetched_files": 0,
        "fetched_bytes": 0,
        "missing": [],
        "is_complete": True,
    }


def test_missing__as_text() -> None:
    assert str(Missing(what="job_file", id="ftjob-1", message="No.")) == "job file ftjob-1: No."
    assert str(Missing(what="models", message="No.")) == "models: No."


def test_missing__may_be_had_later_unless_that_is_said() -> None:
    assert Missing(what="job", message="Later.").to_dict() == {
        "what": "job",
        "id": None,
        "message": "Later.",
        "status_code": None,
        "is_final": False,
    }


def test_report__is_complete_where_only_refusals_are_left() -> None:
    counts = dict.fromkeys(("jobs", "events", "checkpoints", "models", "files", "bytes"), 0)
    gone = Missing(what="file", id="a", message="No.", is_final=True)
    late = Missing(what="file", id="b", message="Later.")
    report = ArchiveReport(directory=Path("a"), missing=[gone], **counts)
    assert report.is_complete
    assert not ArchiveReport(directory=Path("a"), missing=[gone, late], **counts).is_complete
    written = report.to_dict()
    assert (written["directory"], written["missing"]) == ("a", [gone.to_dict()])
