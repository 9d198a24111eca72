"""A report for the terminal and for a notebook."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from finetune_client.training_data.codes.table import CODES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from finetune_client.training_data.problems import Problem
    from finetune_client.training_data.report import Report

__all__ = ["as_html", "as_text", "printable"]

SHOWN = 3
"""Problems of each code that are shown; `Report.problems` has more."""


def as_text(report: Report) -> str:
    lines = [_verdict(report), _figures(report)]
    for code, number, problems in _by_code(report):
        lines.append(f"{CODES[code].severity} {code}: {number}")
        lines += [f"  {_place(problem)}: {printable(problem.message)}" for problem in problems]
    return "\n".join(lines)


def as_html(report: Report) -> str:
    rows = [
        f"<tr><td>{CODES[code].severity}</td><td><code>{escape(code)}</code></td>"
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
    found = f"{_number(report.errors, 'error')}, {_number(report.warnings, 'warning')}"
    return f"{printable(report.path)} {verdict} ({found})."


def _figures(report: Report) -> str:
    figures = report.statistics
    if not figures["examples"]:
        return "No example was found in it."
    tokens = figures["tokens"]
    about = "" if figures["tokens_exact"] else "about "
    return (
        f"{report.format} ({report.method}), {_number(figures['examples'], 'example')}, "
        f"{about}{tokens['total']} tokens ({figures['tokens_counted_by']}), "
        f"of one example {tokens['min']} to {tokens['max']}, in the median {tokens['p50']}."
    )


def _by_code(report: Report) -> Iterator[tuple[str, int, list[Problem]]]:
    """Go by severity, errors first, then in the order of the first line."""
    codes = dict.fromkeys(problem.code for problem in report.problems)
    for code in sorted(codes, key=lambda code: CODES[code].severity):
        problems = [problem for problem in report.problems if problem.code == code]
        yield code, report.counts[code], problems[:SHOWN]


def _place(problem: Problem) -> str:
    place = "the file" if problem.line is None else f"line {problem.line}"
    return f"{place}, {printable(problem.path)}" if problem.path else place


def _number(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def printable(text: str) -> str:
    """Show what a terminal would act on, or cannot show, as an escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
