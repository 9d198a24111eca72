"""What is asked of a check, and what has been seen of a file so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from finetune_client.training_data.checking.distribution import Spread
from finetune_client.training_data.checking.endings import Endings
from finetune_client.training_data.checking.items import Items
from finetune_client.training_data.checking.line_hashes import Digests
from finetune_client.training_data.problems import Found

if TYPE_CHECKING:
    from finetune_client.providers.training_rules import TrainingRules
    from finetune_client.training_data.formats import FormatName
    from finetune_client.training_data.tokens import Counter

__all__ = ["Plan", "Tally"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """How a file is checked; it can be pickled, for worker processes.

    Attributes:
        format: The format that every line should have.
        told: The method that was asked for; None if the file itself told the format.
        rules: How much the provider takes.
        counter: What counts tokens.
        context_length: The most tokens of one example, if that is known.
        variables: What the grader asks of every line.
        secrets: Look for secrets.
        max_line_bytes: Bytes of the longest line that is read.
        quick: Pass lines that are plainly good by the short way.
    """

    format: FormatName
    told: str | None
    rules: TrainingRules
    counter: Counter
    context_length: int | None = None
    variables: tuple[str, ...] = ()
    secrets: bool = True
    max_line_bytes: int
    quick: bool = True


@dataclass(kw_only=True, slots=True)
class Tally:
    """What has been seen of a file, or of a part of it that begins with a line."""

    lines: int = 0
    examples: int = 0
    size: int = 0
    image_examples: int = 0
    found: Found = field(default_factory=Found)
    digests: Digests = field(default_factory=Digests)
    messages: Spread = field(default_factory=Spread)
    tokens: Spread = field(default_factory=Spread)
    endings: Endings = field(default_factory=Endings)
    items: Items = field(default_factory=lambda: Items(()))

    def absorb(self, later: Tally) -> None:
        """Add what was seen of the part of the file that follows."""
        self.found.absorb(later.found, self.lines)
        self.digests.absorb(later.digests, self.lines)
        self.messages.absorb(later.messages)
        self.tokens.absorb(later.tokens)
        self.endings.absorb(later.endings)
        self.items.absorb(later.items)
        self.lines += later.lines
        self.examples += later.examples
        self.size += later.size
        self.image_examples += later.image_examples
