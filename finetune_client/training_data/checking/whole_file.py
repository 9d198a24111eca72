"""The checks of a whole file, once all its lines have been checked, and the report on it."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

from finetune_client.training_data.formats import FORMATS
from finetune_client.training_data.problems import KEPT
from finetune_client.training_data.report import Report, Statistics

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from finetune_client.training_data.checking.counts import FileCounts
    from finetune_client.training_data.checking.lines import CheckSettings
    from finetune_client.training_data.line_hashes import LineHashes
    from finetune_client.training_data.problems import ProblemCollector

__all__ = ["check_whole_file"]


def check_whole_file(
    path: str, settings: CheckSettings, counts: FileCounts, other: LineHashes | None
) -> Report:
    """Check what concerns more than one line, and return the report.

    Args:
        path: What the report calls the file.
        settings: How it was checked.
        counts: What was seen of all of it; problems are added.
        other: The lines of the validation file, if there is one.
    """
    repeated = _report_pairs(
        "duplicate_example", "first", counts.hashes.repeated(), counts.problems
    )
    leaks = counts.hashes.shared(other) if other else ()
    leaked = _report_pairs("leaked_example", "other", leaks, counts.problems)
    counts.problems.line = None
    if not {"utf16", "not_jsonl"} & set(counts.problems.counts):
        _check_number(settings, counts)
    kind, held_back = FORMATS[settings.format], len(other) if other else 0
    code = "too_many_validation_examples"
    _at_most(kind.most_validation, held_back, code, counts.problems, method=kind.method)
    counts.null_keys.check(counts.problems, "null_keys")
    counts.null_texts.check(counts.problems, "null_text")
    counts.endings.check(counts.problems)
    counts.variables.check(counts.problems)
    return Report(
        path=path,
        format=settings.format,
        method=kind.method,
        problems=list(counts.problems),
        counts=dict(sorted(counts.problems.counts.items())),
        statistics=_statistics(settings, counts, repeated, leaked),
        billed_tokens=counts.tokens.capped(settings.context_length),
    )


def _report_pairs(
    code: str, fact: str, pairs: Iterable[tuple[int, int]], report_problem: ProblemCollector
) -> int:
    """Report lines that are also elsewhere, and count them; only the first ones are held."""
    number = 0

    def counted() -> Iterator[tuple[int, int]]:
        nonlocal number
        for pair in pairs:
            number += 1
            yield pair

    for line, elsewhere in (first := heapq.nsmallest(KEPT, counted())):
        report_problem.line = line
        report_problem(code, **{fact: elsewhere})
    report_problem.count(code, number - len(first))
    return number


def _check_number(settings: CheckSettings, counts: FileCounts) -> None:
    """Report too few or too many examples."""
    examples, least = counts.examples, settings.rules.examples
    kind = FORMATS[settings.format]
    if not examples:
        counts.problems("empty_file")
    elif examples < least:
        counts.problems("too_few_examples", found=examples, least=least, missing=least - examples)
    _at_most(kind.most, examples, "too_many_examples", counts.problems, method=kind.method)
    images = counts.image_examples
    _at_most(settings.rules.image_examples, images, "too_many_image_examples", counts.problems)


def _at_most(
    most: int | None, number: int, code: str, report_problem: ProblemCollector, **facts: str
) -> None:
    """Report a number that is larger than it may be, where it is known how large that is."""
    if most is not None and number > most:
        report_problem(code, found=number, most=most, surplus=number - most, **facts)


def _statistics(
    settings: CheckSettings, counts: FileCounts, duplicates: int, leaks: int
) -> Statistics:
    return Statistics(
        lines=counts.lines,
        examples=counts.examples,
        bytes=counts.size,
        examples_with_images=counts.image_examples,
        duplicates=duplicates,
        leaks=leaks,
        messages=counts.messages.summary(),
        tokens=counts.tokens.summary(),
        tokens_counted_by=settings.counter.label,
        tokens_exact=settings.counter.exact,
    )
