from __future__ import annotations

from pathlib import Path

import pytest

from finetune_client.archive import ArchiveReport, Missing
from finetune_client.archive.report import reason_of
from finetune_client.errors import (
    APIConnectionError,
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


def test_missing__as_text() -> None:
    assert str(Missing(what="job_file", id="ftjob-1", message="No.")) == "job file ftjob-1: No."
    assert str(Missing(what="models", message="No.")) == "models: No."


def test_report__is_complete_where_only_refusals_are_left() -> None:
    counts = dict.fromkeys(("jobs", "events", "checkpoints", "models", "files", "bytes"), 0)
    gone = Missing(what="file", id="a", message="No.", is_final=True)
    late = Missing(what="file", id="b", message="Later.")
    report = ArchiveReport(directory=Path("a"), missing=[gone], **counts)
    assert report.is_complete
    assert not ArchiveReport(directory=Path("a"), missing=[gone, late], **counts).is_complete
    written = report.to_dict()
    assert (written["directory"], written["missing"]) == ("a", [gone.to_dict()])
