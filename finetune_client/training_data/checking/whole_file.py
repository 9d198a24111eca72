"""From what was seen of the lines to the report on the whole file."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

from finetune_client.training_data.formats import FORMATS
from finetune_client.training_data.problems import KEPT
from finetune_client.training_data.report import Report, Statistics

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from finetune_client.training_data.checking.counts import Plan, Tally
    from finetune_client.training_data.checking.line_hashes import Digests
    from finetune_client.training_data.problems import Found

__all__ = ["conclude"]


def conclude(path: str, plan: Plan, tally: Tally, other: Digests | None) -> Report:
    """Add what concerns more than one line and make the report.

    Args:
        path: What the report calls the file.
        plan: How it was checked.
        tally: What was seen of all of it; problems are added.
        other: The lines of the validation file, if there is one.
    """
    repeated = _pairs("duplicate_example", "first", tally.digests.repeated(), tally.found)
    leaks = tally.digests.shared(other) if other else ()
    leaked = _pairs("leaked_example", "other", leaks, tally.found)
    tally.found.line = None
    if not tally.found.counts["utf16"]:
        _number(plan, tally)
    kind, held_back = FORMATS[plan.format], len(other) if other else 0
    code = "too_many_validation_examples"
    _at_most(kind.most_validation, held_back, code, tally.found, method=kind.method)
    tally.endings.report(tally.found)
    tally.items.report(tally.found)
    return Report(
        path=path,
        format=plan.format,
        method=kind.method,
        problems=list(tally.found),
        counts=dict(sorted(tally.found.counts.items())),
        statistics=_statistics(plan, tally, repeated, leaked),
        billed_tokens=tally.tokens.capped(plan.context_length),
    )


def _pairs(code: str, fact: str, pairs: Iterable[tuple[int, int]], found: Found) -> int:
    """Report lines that are also elsewhere, and count them; only the first ones are held."""
    number = 0

    def counted() -> Iterator[tuple[int, int]]:
        nonlocal number
        for pair in pairs:
            number += 1
            yield pair

    for line, elsewhere in (first := heapq.nsmallest(KEPT, counted())):
        found.line = line
        found(code, **{fact: elsewhere})
    found.count(code, number - len(first))
    return number


def _number(plan: Plan, tally: Tally) -> None:
    """Judge how many examples there are."""
    examples, least = tally.examples, plan.rules.examples
    kind = FORMATS[plan.format]
    if not examples:
        tally.found("empty_file")
    elif examples < least:
        tally.found("too_few_examples", found=examples, least=least, missing=least - examples)
    _at_most(kind.most, examples, "too_many_examples", tally.found, method=kind.method)
    images = tally.image_examples
    _at_most(plan.rules.image_examples, images, "too_many_image_examples", tally.found)


def _at_most(most: int | None, number: int, code: str, found: Found, **facts: str) -> None:
    """Report a number that is larger than it may be, where it is known how large that is."""
    if most is not None and number > most:
        found(code, found=number, most=most, surplus=number - most, **facts)


def _statistics(plan: Plan, tally: Tally, duplicates: int, leaks: int) -> Statistics:
    return Statistics(
        lines=tally.lines,
        examples=tally.examples,
        bytes=tally.size,
        examples_with_images=tally.image_examples,
        duplicates=duplicates,
        leaks=leaks,
        messages=tally.messages.summary(),
        tokens=tally.tokens.summary(),
        tokens_counted_by=plan.counter.label,
        tokens_exact=plan.counter.exact,
    )
