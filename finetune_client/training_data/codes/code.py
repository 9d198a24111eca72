"""What a code of a problem is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = [
    "GUIDE",
    "SCHEMA",
    "TOO_FEW",
    "TRAINS_BADLY",
    "UNRECORDED",
    "WITHOUT_KEY",
    "Code",
    "Severity",
    "error",
    "warning",
]

Severity = Literal["error", "warning"]

# What the severity of more than one code rests on.
SCHEMA = "OpenAI's schema of a training line allows nothing else."
WITHOUT_KEY = (
    "OpenAI's answer is recorded: \"Example 1 is missing key 'input'\", and the same of 'messages'."
)
TOO_FEW = (
    "OpenAI's answer is recorded: \"Training file has 3 example(s), but must have at least 10 "
    'examples" (invalid_n_examples).'
)
GUIDE = "A figure of the provider's guide; no service is recorded to refuse more."
UNRECORDED = "No service is recorded to refuse it."
TRAINS_BADLY = "It trains, but is likely to train badly."


@dataclass(frozen=True, slots=True)
class Code:
    """One kind of problem.

    Attributes:
        name: What `Problem.code` holds; it does not change between releases.
        severity: ``error`` is what a service is recorded to refuse or the format cannot hold,
            ``warning`` what is likely to train badly, or is only advised against.
        sentence: What is wrong and where, with places for the facts in braces.
        remedy: What to do about it, in the same way.
        evidence: What the severity rests on, as a sentence.
    """

    name: str
    severity: Severity
    sentence: str
    remedy: str
    evidence: str


def error(name: str, sentence: str, remedy: str, evidence: str) -> Code:
    return Code(name, "error", sentence, remedy, evidence)


def warning(name: str, sentence: str, remedy: str, evidence: str) -> Code:
    return Code(name, "warning", sentence, remedy, evidence)
