"""What `check` found out about a training file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

from finetune_client.models.auto import AUTO
from finetune_client.training_data import epochs
from finetune_client.training_data.codes.table import CODES
from finetune_client.training_data.show import as_html, as_text, printable

if TYPE_CHECKING:
    from finetune_client.models.auto import Auto
    from finetune_client.training_data.checking.distribution import DistributionSummary
    from finetune_client.training_data.formats import FormatName
    from finetune_client.training_data.problems import Problem

__all__ = ["Report", "Statistics"]


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
        return sum(n for code, n in self.counts.items() if CODES[code].severity == "error")

    @property
    def warnings(self) -> int:
        """How many problems are warnings."""
        return sum(self.counts.values()) - self.errors

    def cost(self, *, price_per_million: float, n_epochs: int | Auto = AUTO) -> float:
        """Tell what training on the file costs, in the currency of the price.

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
        """Give everything as plain JSON."""
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
        """Say in a line whether the file is fit; `str` and `problems` say what is wrong."""
        path = printable(self.path)
        return f"<Report of {path}: {self.errors} errors, {self.warnings} warnings>"

    def __str__(self) -> str:
        """Show it on a terminal: a line of figures, then each kind of problem with examples."""
        return as_text(self)

    def _repr_html_(self) -> str:
        """Show it in a notebook."""
        return as_html(self)
