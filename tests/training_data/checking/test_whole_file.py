from __future__ import annotations

import tracemalloc

import pytest

from finetune_client.providers.training_rules import TrainingRules
from finetune_client.training_data.checking.counts import FileCounts
from finetune_client.training_data.checking.lines import CheckSettings
from finetune_client.training_data.checking.whole_file import check_whole_file
from finetune_client.training_data.line_hashes import LineHashes
from finetune_client.training_data.tokens import resolve_counter


def settings(format: str) -> CheckSettings:
    return CheckSettings(
        format=format,  # type: ignore[arg-type]  # a test's word
        given_method=None,
        rules=TrainingRules(),
        counter=resolve_counter(None),
        max_line_bytes=1,
    )


@pytest.mark.parametrize(
    ("format", "counts", "message"),
    [
        (
            "chat",
            FileCounts(examples=3),
            (
                "The file holds 3 of the 10 examples that a job needs at least. Add 7 more; 50 to 100 "
                "are a good start."
            ),
        ),
        (
            "reinforcement",
            FileCounts(examples=50_002),
            (
                "The file holds 50002 examples, and the guide allows 50000 for reinforcement. Leave "
                "out 2 of them."
            ),
        ),
        (
            "chat",
            FileCounts(examples=60_000, image_examples=50_001),
            (
                "The file holds 50001 examples with images, and the guide allows 50000. Leave out 1 of "
                "them."
            ),
        ),
    ],
    ids=["few", "many", "many with images"],
)
def test_check_whole_file__judges_how_many_examples_there_are(
    format: str, counts: FileCounts, message: str
) -> None:
    report = check_whole_file("a", settings(format), counts, None)
    assert [problem.message for problem in report.problems] == [message]
    assert report.ok == (format == "reinforcement" or counts.image_examples > 0)


def test_check_whole_file__holds_no_more_of_a_hundred_thousand_equal_lines_than_of_a_hundred() -> (
    None
):
    lines = list(range(1, 100_001))
    counts, other = FileCounts(examples=len(lines)), LineHashes()
    counts.hashes.add([7] * len(lines), lines)
    other.add([7], [1])
    tracemalloc.start()
    report = check_whole_file("a", settings("chat"), counts, other)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert report.counts == {"duplicate_example": 99_999, "leaked_example": 100_000}
    assert (report.statistics["duplicates"], report.statistics["leaks"]) == (99_999, 100_000)
    kept = [problem.line for problem in report.problems if problem.code == "leaked_example"]
    assert kept == lines[:100]
    assert peak < 1_000_000
