"""How prompts and completions end, over a whole file of legacy pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from finetune_client.training_data.problems import Found

__all__ = ["Endings"]

LONGEST = 40
"""Characters of an ending that are compared."""


class Endings:
    """The endings that all prompts and all completions have in common."""

    def __init__(self) -> None:
        self.pairs = 0
        self.prompted = 0
        self.prompt: str | None = None
        self.completion: str | None = None

    def add(self, prompt: str, completion: str) -> None:
        self.pairs += 1
        self.completion = _common(self.completion, completion[-LONGEST:])
        if prompt:
            self.prompted += 1
            self.prompt = _common(self.prompt, prompt[-LONGEST:])

    def absorb(self, later: Endings) -> None:
        self.pairs += later.pairs
        self.prompted += later.prompted
        self.prompt = _common(self.prompt, later.prompt)
        self.completion = _common(self.completion, later.completion)

    def report(self, found: Found) -> None:
        """Warn of prompts or completions that share no ending."""
        if self.prompted > 1 and not self.prompt:
            found("no_common_separator")
        if self.pairs > 1 and not self.completion:
            found("no_common_ending")


def _common(one: str | None, other: str | None) -> str | None:
    if one is None or other is None:
        return other if one is None else one
    alike = 0
    for left, right in zip(reversed(one), reversed(other), strict=False):
        if left != right:
            break
        alike += 1
    return one[len(one) - alike :]
