"""What is counted of a file, or of a part of it that begins with a line."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from finetune_client.training_data.checking.distribution import Distribution
from finetune_client.training_data.line_hashes import LineHashes
from finetune_client.training_data.problems import KEPT, ProblemCollector

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

__all__ = ["Endings", "FileCounts", "GraderVariables", "Lines", "grader_variables"]

_LINES_SHOWN = 10
"""Lines that a problem of a whole file names."""

_LONGEST_ENDING = 40
"""Characters of an ending that are compared."""

_VARIABLE = re.compile(r"\{\{\s*item\.([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)")


class Endings:
    """What all prompts and all completions of legacy pairs end with."""

    def __init__(self) -> None:
        self.pairs = 0
        self.prompted = 0
        self.prompt: str | None = None
        self.completion: str | None = None

    def add(self, prompt: str, completion: str) -> None:
        self.pairs += 1
        self.completion = _common(self.completion, completion[-_LONGEST_ENDING:])
        if prompt:
            self.prompted += 1
            self.prompt = _common(self.prompt, prompt[-_LONGEST_ENDING:])

    def add_part(self, later: Endings) -> None:
        """Add what a later part of the file has."""
        self.pairs += later.pairs
        self.prompted += later.prompted
        self.prompt = _common(self.prompt, later.prompt)
        self.completion = _common(self.completion, later.completion)

    def check(self, report_problem: ProblemCollector) -> None:
        """Report prompts or completions that share no ending."""
        if self.prompted > 1 and not self.prompt:
            report_problem("no_common_separator")
        if self.pairs > 1 and not self.completion:
            report_problem("no_common_ending")


def _common(one: str | None, other: str | None) -> str | None:
    if one is None or other is None:
        return other if one is None else one
    alike = 0
    for left, right in zip(reversed(one), reversed(other), strict=False):
        if left != right:
            break
        alike += 1
    return one[len(one) - alike :]


def grader_variables(grader: object) -> tuple[str, ...]:
    """Return what follows ``item.`` in the templates of a grader, each once, sorted.

    Args:
        grader: A grader of `finetune_client.models`, or its dict.
    """
    to_dict = getattr(grader, "to_dict", None)
    plain = to_dict() if callable(to_dict) else grader
    return tuple(sorted({name for text in _strings(plain) for name in _VARIABLE.findall(text)}))


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _strings(item)


class GraderVariables:
    """In how many lines there is what each variable of a grader names."""

    def __init__(self, variables: Sequence[str]) -> None:
        self._paths = {variable: variable.split(".") for variable in variables}
        self.present: Counter[str] = Counter()
        self.examples = 0

    def add(self, example: Mapping[str, Any]) -> None:
        self.examples += 1
        for variable, path in self._paths.items():
            if _has(example, path):
                self.present[variable] += 1

    def add_part(self, later: GraderVariables) -> None:
        """Add what a later part of the file has."""
        self.examples += later.examples
        self.present.update(later.present)

    def check(self, report_problem: ProblemCollector) -> None:
        """Report the variables that no line has, and those that some lines lack."""
        for variable in self._paths if self.examples else ():
            lacking = self.examples - self.present[variable]
            facts: dict[str, Any] = {"variable": f"{{{{item.{variable}}}}}", "key": variable}
            if lacking == self.examples:
                report_problem("unknown_item_variable", **facts)
            elif lacking:
                facts |= {"found": lacking, "examples": self.examples}
                report_problem("incomplete_item_variable", **facts)


def _has(value: object, path: list[str]) -> bool:
    for key in path:
        if not isinstance(value, dict) or key not in value:
            return False
        value = value[key]
    return True


class Lines:
    """Which lines have something, for a problem that is reported once for the whole file.

    Attributes:
        number: How many lines have it.
        what: What exactly they have, each once: words for the report.
    """

    def __init__(self) -> None:
        self.number = 0
        self.what: dict[str, None] = {}
        self._first: list[int] = []

    def add(self, line: int, what: Iterable[str] = ()) -> None:
        self.number += 1
        if len(self._first) < _LINES_SHOWN:
            self._first.append(line)
        if len(self.what) < KEPT:
            self.what.update(dict.fromkeys(what))

    def add_part(self, later: Lines, offset: int) -> None:
        """Add those of a later part of the file, which begins after line `offset`."""
        self.number += later.number
        first = [line + offset for line in later._first]
        self._first += first[: _LINES_SHOWN - len(self._first)]
        if len(self.what) < KEPT:
            self.what.update(later.what)

    def check(self, report_problem: ProblemCollector, code: str) -> None:
        """Report that there are such lines, if there are."""
        if self.number:
            what = _listed(list(self.what)[:_LINES_SHOWN], len(self.what))
            report_problem(code, lines=_on_lines(self._first, self.number), what=what)


def _on_lines(first: list[int], number: int) -> str:
    noun = "line" if number == 1 else f"{number} lines:"
    return f"{noun} {_listed(list(map(str, first)), number)}"


def _listed(first: list[str], number: int) -> str:
    more = f" and {number - len(first)} more" if number > len(first) else ""
    return ", ".join(first) + more


@dataclass(kw_only=True, slots=True)
class FileCounts:
    """What was seen of a file, or of a part of it, and the problems that were found."""

    lines: int = 0
    examples: int = 0
    size: int = 0
    image_examples: int = 0
    problems: ProblemCollector = field(default_factory=ProblemCollector)
    hashes: LineHashes = field(default_factory=LineHashes)
    messages: Distribution = field(default_factory=Distribution)
    tokens: Distribution = field(default_factory=Distribution)
    null_keys: Lines = field(default_factory=Lines)
    null_texts: Lines = field(default_factory=Lines)
    endings: Endings = field(default_factory=Endings)
    variables: GraderVariables = field(default_factory=lambda: GraderVariables(()))

    def add_part(self, later: FileCounts) -> None:
        """Add what was seen of the part of the file that follows."""
        self.problems.add_part(later.problems, self.lines)
        self.hashes.add_part(later.hashes, self.lines)
        self.messages.add_part(later.messages)
        self.tokens.add_part(later.tokens)
        self.null_keys.add_part(later.null_keys, self.lines)
        self.null_texts.add_part(later.null_texts, self.lines)
        self.endings.add_part(later.endings)
        self.variables.add_part(later.variables)
        self.lines += later.lines
        self.examples += later.examples
        self.size += later.size
        self.image_examples += later.image_examples
