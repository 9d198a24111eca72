"""Reading training files as tokens, and telling what does not fit before anything is trained."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from finetune_client.display import counted
from finetune_client.local.training.llm.conversations import LineError
from finetune_client.local.training.llm.rendering import Pair, Row
from finetune_client.local.training.trainer import TrainingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from finetune_client.local.training.llm.rendering import Renderer

__all__ = ["ExampleFile", "Prompt"]

_MAX_SHOWN = 10
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt as text, and its line, which graders see."""

    text: str
    line: Mapping[str, Any]


class ExampleFile:
    """A training or validation file that has been checked, read for one model.

    Args:
        path: JSON Lines.
        param: What the job calls it: ``training_file`` or ``validation_file``.
        renderer: Renders its lines.
        max_length: The most tokens of a sequence; what is longer is cut at its end.

    Attributes:
        notices: What a user should know, as sentences; the methods add to it.
    """

    def __init__(self, path: Path, param: str, renderer: Renderer, max_length: int) -> None:
        self._path = path
        self._param = param
        self._renderer = renderer
        self._max_length = max_length
        self.notices: list[str] = []

    def rows(self) -> list[list[Row]]:
        """Return the rows of each supervised example.

        Raises:
            TrainingError: A line cannot be rendered, or no token is left to train on.
        """
        cut = _Cut()
        examples = []
        for number, rows in self._read(self._renderer.rows):
            kept = [short for row in rows if (short := self._cut_row(row, number, cut)).trained]
            if kept:
                examples.append(kept)
            elif any(row.trained for row in rows):
                cut.lost.append(number)
        self._add_notices(cut, left=len(examples))
        return examples

    def _cut_row(self, row: Row, number: int, cut: _Cut) -> Row:
        if len(row.tokens) <= self._max_length:
            return row
        cut.add(number, len(row.tokens))
        return Row(row.tokens[: self._max_length], row.labels[: self._max_length])

    def pairs(self) -> list[Pair]:
        """Return the prompt and both answers of each line for ``dpo``.

        Raises:
            TrainingError: A line cannot be rendered, or no pair is left to train on.
        """
        cut = _Cut()
        pairs = []
        for number, pair in self._read(self._renderer.pair):
            length = len(pair.prompt) + max(len(pair.chosen), len(pair.rejected))
            room = self._max_length - len(pair.prompt)
            if length > self._max_length:
                cut.add(number, length)
            if room > 0:
                pairs.append(Pair(pair.prompt, pair.chosen[:room], pair.rejected[:room]))
            else:
                cut.lost.append(number)
        self._add_notices(cut, left=len(pairs))
        return pairs

    def prompts(self, answer: int) -> list[Prompt]:
        """Return the prompt of each line for ``reinforcement``.

        Args:
            answer: How many tokens an answer may have, which must fit after the prompt.

        Raises:
            TrainingError: A line cannot be rendered, or its prompt leaves no room for an answer.
        """
        prompts = []
        long = []
        for number, prompt in self._read(lambda line: Prompt(self._renderer.prompt(line), line)):
            if len(self._renderer.encode(prompt.text)) + answer > self._max_length:
                long.append(number)
            prompts.append(prompt)
        if long:
            raise self._error(
                f"There is no room for an answer of {answer} tokens after the prompt in "
                f"{_lines(long)} of the {self._param}: prompt and answer may have "
                f"{self._max_length} tokens. Shorten the prompts, or allow longer sequences."
            )
        return prompts

    def _read(self, render: Callable[[Mapping[str, Any]], _T]) -> Iterator[tuple[int, _T]]:
        with self._path.open(encoding="utf-8-sig", newline="\n") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                try:
                    rendered = render(json.loads(line))
                except LineError as error:
                    message = f"Line {number} of the {self._param} cannot be used. {error}"
                    raise self._error(message) from error
                yield number, rendered

    def _error(self, message: str) -> TrainingError:
        return TrainingError(message, code=f"invalid_{self._param}")

    def _add_notices(self, cut: _Cut, *, left: int) -> None:
        if cut.lengths:
            notice = (
                f"Longer than {counted(self._max_length, 'token')}: {_lines(list(cut.lengths))} of the "
                f"{self._param}, at most {counted(max(cut.lengths.values()), 'token')}. "
                f"Cut off at the ends: {counted(cut.tokens(self._max_length), 'token')}."
            )
            if cut.lost:
                notice += f" Nothing is left to train on in {_lines(cut.lost)}."
            self.notices.append(notice)
        if not left:
            reason = self.notices[-1] if cut.lengths else "Every message has a weight of 0."
            raise self._error(f"There is nothing to train on in the {self._param}. {reason}")


@dataclass(slots=True)
class _Cut:
    """The lines that are too long with their lengths, and those that nothing is left of."""

    lengths: dict[int, int] = field(default_factory=dict)
    lost: list[int] = field(default_factory=list)

    def add(self, number: int, length: int) -> None:
        """Add a line that is too long, by its longest sequence."""
        self.lengths[number] = max(length, self.lengths.get(number, 0))

    def tokens(self, max_length: int) -> int:
        """Return how many tokens are cut off."""
        return sum(length - max_length for length in self.lengths.values())


def _lines(numbers: Sequence[int]) -> str:
    """Return how many lines there are and which: ``3 lines (4, 7, 9)``."""
    shown = ", ".join(map(str, numbers[:_MAX_SHOWN]))
    more = ", ..." if len(numbers) > _MAX_SHOWN else ""
    return f"{counted(len(numbers), 'line')} ({shown}{more})"
