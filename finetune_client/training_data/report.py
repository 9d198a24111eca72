"""The report of `check` on a training file, and how a terminal and a notebook show it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Any, TypedDict

from finetune_client.display import counted
from finetune_client.models.auto import AUTO, Auto
from finetune_client.training_data import epochs
from finetune_client.training_data.checking.distribution import DistributionSummary
from finetune_client.training_data.formats import FormatName
from finetune_client.training_data.problems import Problem

__all__ = ["Report", "Statistics", "printable"]

_SHOWN = 3
"""Problems of each code that are shown; `Report.problems` has more."""


class Statistics(TypedDict):
    """Figures of a training file.

    ``examples`` are the lines that are not blank. ``tokens`` are those of one pass over the
    file; ``tokens_counted_by`` says how they were counted and ``tokens_exact`` whether they were
    counted at all or estimated; images are not counted. ``messages`` and ``tokens`` are of the
    lines that could be read. ``duplicates`` are lines that stood in the file before, ``leaks``
    lines that the validation file has too.
    """

    lines: int
    examples: int
    bytes: int
    examples_with_images: int
    duplicates: int
    leaks: int
    messages: DistributionSummary
    tokens: DistributionSummary
    tokens_counted_by: str
    tokens_exact: bool


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class Report:
    """What `check` found out about a training file.

    Attributes:
        path: The file's path, or what stands for it.
        format: ``chat``, ``completions``, ``preference`` or ``reinforcement``.
        method: The method that trains on it: ``supervised``, ``dpo`` or ``reinforcement``.
        problems: The problems by line, those of the whole file last; at least the first 100 of
            each code.
        counts: Code -> how many problems of it there are.
        statistics: Figures of the file.
        billed_tokens: The tokens of one pass, each example cut to what the model takes.
    """

    path: str
    format: FormatName
    method: str
    problems: list[Problem]
    counts: dict[str, int]
    statistics: Statistics
    billed_tokens: int

    @property
    def ok(self) -> bool:
        """Whether no problem is an error."""
        return self.errors == 0

    @property
    def errors(self) -> int:
        """How many problems are errors."""
        severities = {problem.code: problem.severity for problem in self.problems}
        return sum(n for code, n in self.counts.items() if severities[code] == "error")

    @property
    def warnings(self) -> int:
        """How many problems are warnings."""
        return sum(self.counts.values()) - self.errors

    def cost(self, *, price_per_million: float, n_epochs: int | Auto = AUTO) -> float:
        """Return what training on the file costs, in the currency of the price.

        It is as exact as the tokens are (``statistics["tokens_exact"]``).

        Args:
            price_per_million: The price of a million trained tokens, from the provider's list.
            n_epochs: The job's epochs, or `AUTO` for the documented default.

        Raises:
            RequestError: One of them is not valid.
        """
        examples = self.statistics["examples"]
        return epochs.cost(
            self.billed_tokens, examples, price_per_million=price_per_million, n_epochs=n_epochs
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain JSON."""
        return {
            "path": self.path,
            "format": self.format,
            "method": self.method,
            "ok": self.ok,
            "errors": self.errors,
            "warnings": self.warnings,
            "counts": dict(self.counts),
            "problems": [problem.to_dict() for problem in self.problems],
            "statistics": dict(self.statistics),
            "billed_tokens": self.billed_tokens,
        }

    def __repr__(self) -> str:
        """Return in a line whether the file is fit; `str` and `problems` say what is wrong."""
        path = printable(self.path)
        return f"<Report of {path}: {_found(self)}>"

    def __str__(self) -> str:
        """Show it on a terminal: a line of figures, then each kind of problem with examples."""
        return _as_text(self)

    def _repr_html_(self) -> str:
        """Show it in a notebook."""
        return _as_html(self)


def _as_text(report: Report) -> str:
    lines = [_verdict(report), _figures(report)]
    for code, number, problems in _by_code(report):
        lines.append(f"{problems[0].severity} {code}: {number}")
        lines += [f"  {_place(problem)}: {printable(problem.message)}" for problem in problems]
    return "\n".join(lines)


def _as_html(report: Report) -> str:
    rows = [
        f"<tr><td>{problems[0].severity}</td><td><code>{escape(code)}</code></td>"
        f"<td>{number}</td><td>{'<br>'.join(map(_html_problem, problems))}</td></tr>"
        for code, number, problems in _by_code(report)
    ]
    head = "<tr><th>severity</th><th>code</th><th>found</th><th>first</th></tr>"
    table = f"<table>{head}{''.join(rows)}</table>" if rows else ""
    return f"<p><b>{escape(_verdict(report))}</b><br>{escape(_figures(report))}</p>{table}"


def _html_problem(problem: Problem) -> str:
    return f"{escape(_place(problem))}: {escape(printable(problem.message))}"


def _verdict(report: Report) -> str:
    verdict = "is fit to train on" if report.ok else "is not fit to train on"
    return f"{printable(report.path)} {verdict} ({_found(report)})."


def _found(report: Report) -> str:
    return f"{counted(report.errors, 'error')}, {counted(report.warnings, 'warning')}"


def _figures(report: Report) -> str:
    figures = report.statistics
    if not figures["examples"]:
        return "No example was found in it."
    tokens = figures["tokens"]
    about = "" if figures["tokens_exact"] else "about "
    return (
        f"{report.format} ({report.method}), {counted(figures['examples'], 'example')}, "
        f"{about}{counted(tokens['total'], 'token')} ({figures['tokens_counted_by']}), "
        f"of one example {tokens['min']:,} to {tokens['max']:,}, in the median {tokens['p50']:,}."
    )


def _by_code(report: Report) -> Iterator[tuple[str, int, list[Problem]]]:
    """Return the problems of each code: errors first, then in the order of their first lines."""
    codes = {problem.code: problem.severity for problem in report.problems}
    for code in sorted(codes, key=codes.__getitem__):
        problems = [problem for problem in report.problems if problem.code == code]
        yield code, report.counts[code], problems[:_SHOWN]


def _place(problem: Problem) -> str:
    place = "the file" if problem.line is None else f"line {problem.line}"
    return f"{place}, {printable(problem.path)}" if problem.path else place


def printable(text: str) -> str:
    """Return a text with what a terminal would act on, or cannot show, as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
