"""The problems of a training file: how they are collected, and the words for them."""

from __future__ import annotations

import difflib
import json
import re
from collections import Counter
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from finetune_client.training_data.codes.table import CODES, Severity

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

__all__ = ["KEPT", "Problem", "ProblemCollector", "json_reason", "kind", "quoted", "under"]

KEPT = 100
"""How many problems of each code are kept; all are counted."""

_LONGEST = 40
"""Characters of a value that a sentence shows."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a training file.

    Attributes:
        line: The line, counted from 1; None for what concerns the file as a whole.
        path: The place in the line, such as ``messages[2].tool_calls[0].function.arguments``;
            empty for the whole line.
        code: What kind of problem it is: a key of `CODES`.
        severity: ``error`` or ``warning``: that of the code, or a warning where it is accepted.
        message: What is wrong and what to do about it, in whole sentences.
    """

    line: int | None
    path: str
    code: str
    severity: Severity
    message: str

    def __str__(self) -> str:
        place = "The file" if self.line is None else f"Line {self.line}"
        return f"{place}: {self.message} ({self.code})"

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class ProblemCollector:
    """Is called to report a problem; all are counted, the first `KEPT` of each code are kept.

    `line` is the line that is being checked, None for the file as a whole. Problems of the codes
    `accepted` are warnings.
    """

    def __init__(self, accepted: Collection[str] = ()) -> None:
        self.line: int | None = None
        self._accepted = accepted
        self.counts: Counter[str] = Counter()
        self._kept: dict[str, list[Problem]] = {}

    def __call__(self, code: str, path: str = "", /, **facts: Any) -> None:
        """Report a problem of a code at a path of the line; `facts` fill its sentences."""
        self.counts[code] += 1
        kept = self._kept.setdefault(code, [])
        if len(kept) >= KEPT:
            return
        about = CODES[code]
        facts["where"] = path or "The example"
        message = f"{about.sentence} {about.remedy}".format_map(facts)
        severity = "warning" if code in self._accepted else about.severity
        kept.append(Problem(self.line, path, code, severity, message))

    def count(self, code: str, number: int) -> None:
        """Count problems of a code of which enough are kept."""
        if number:
            self.counts[code] += number

    def remaining(self, code: str) -> int:
        """Return how many more problems of a code will be kept."""
        return KEPT - len(self._kept.get(code, ()))

    def unknown_keys(self, keys: Collection[str], known: Collection[str], path: str) -> None:
        """Report the keys of the object at `path` that are not `known`, in their order."""
        for key in keys:
            if key in known:
                continue
            if not self.remaining("unknown_key"):  # looking for a hint takes long
                self.count("unknown_key", 1)
                continue
            close = difflib.get_close_matches(key, known, n=1)
            hint = f"; did you mean {close[0]}" if close else ""
            facts = {"hint": hint, "known": ", ".join(sorted(known))}
            self("unknown_key", under(path, key), **facts)

    def add_part(self, later: ProblemCollector, offset: int) -> None:
        """Add the problems of a later part of the file, which begins after line `offset`."""
        self.counts.update(later.counts)
        for code, problems in later._kept.items():
            kept = self._kept.setdefault(code, [])
            for problem in problems[: KEPT - len(kept)]:
                kept.append(replace(problem, line=(problem.line or 0) + offset))

    def __iter__(self) -> Iterator[Problem]:
        """Go by line, what concerns the whole file last."""
        problems = [problem for kept in self._kept.values() for problem in kept]
        return iter(sorted(problems, key=_place))


def _place(problem: Problem) -> tuple[bool, int]:
    return problem.line is None, problem.line or 0


def kind(value: object) -> str:
    """Return what a JSON value is, as words of a sentence."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    for types, name in ((str, "text"), ((int, float), "a number"), (list, "a list")):
        if isinstance(value, types):
            return name
    return "an object"


def quoted(value: object) -> str:
    """Return a JSON value as a sentence shows it, cut short if it is long."""
    if isinstance(value, (dict, list)):
        return kind(value)
    text = json.dumps(value[: _LONGEST + 1] if isinstance(value, str) else value)
    return text if len(text) <= _LONGEST + 2 else text[:_LONGEST] + '..."'


def json_reason(wrong: json.JSONDecodeError) -> str:
    """Return why a text is not JSON, as a part of a sentence."""
    return wrong.msg[:1].lower() + wrong.msg[1:]


_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{,99}")
"""A key that a path shows as it is; others are quoted, and cut if they are long."""


def under(path: str, key: str | int) -> str:
    """Return the path of a key, or of an index, in what is at `path`."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    if not _PLAIN_KEY.fullmatch(key):
        return f"{path}[{quoted(key)}]"
    return f"{path}.{key}" if path else key
