"""What a code of a problem is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Code", "Severity", "error", "warning"]

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Code:
    """One kind of problem.

    Attributes:
        name: What `Problem.code` holds; it does not change between releases.
        severity: ``error`` is what the API refuses, ``warning`` what is likely to train badly.
        sentence: What is wrong and where, with places for the facts in braces.
        remedy: What to do about it, in the same way.
    """

    name: str
    severity: Severity
    sentence: str
    remedy: str


def error(name: str, sentence: str, remedy: str) -> Code:
    return Code(name, "error", sentence, remedy)


def warning(name: str, sentence: str, remedy: str) -> Code:
    return Code(name, "warning", sentence, remedy)
