"""The questions of a file: a validation file, or prompts written for the purpose."""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from finetune_client.errors import RequestError, TrainingDataError
from finetune_client.training_data import read_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["Question", "read_questions", "some_of"]

_MOST_NAMED = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """One thing that models are asked.

    Attributes:
        number: Its place among the questions of the file, from 1.
        messages: The conversation up to the answer, as chat completions take it.
        tools: The tools that the model may call, if any.
        reference: The answer that the file has, if any.
        item: What graders see as ``item``: the keys of the row, and ``reference``, unless the row has
            a key of that name.
    """

    number: int
    messages: Sequence[Mapping[str, Any]]
    tools: Sequence[Mapping[str, Any]] | None = None
    reference: str | None = None
    item: Mapping[str, Any] = field(default_factory=dict)


def read_questions(
    source: str | os.PathLike[str] | Iterable[Mapping[str, Any]], *, limit: int | None = None
) -> list[Question]:
    """Read questions from a file, or from rows.

    A chat row's last message is the reference if the assistant wrote it; a preference row's is its
    preferred output, a completion row's its completion. A row may also have just ``messages``, or a
    ``prompt``.

    Args:
        source: A file that `training_data.read_rows` reads, or its rows.
        limit: How many rows, from the first; all by default.

    Raises:
        RequestError: A row holds no question; the message names the first few.
        TrainingDataError: The file cannot be read, or has no rows.
    """
    rows = read_rows(source) if isinstance(source, str | os.PathLike) else source
    questions: list[Question] = []
    wrong: list[int] = []
    for number, row in enumerate(itertools.islice(rows, limit), 1):
        question = _question(number, row)
        if question is None:
            wrong.append(number)
        else:
            questions.append(question)
    if wrong:
        raise RequestError(
            f"No question could be found in {some_of(wrong)}: a row needs 'messages' that end "
            "with a question or with the assistant's answer to it, an 'input' with such messages, or a "
            "'prompt'. Nothing was sent."
        )
    if not questions:
        raise TrainingDataError(f"There are no questions in {source}: it has no rows.")
    return questions


def some_of(numbers: Sequence[int]) -> str:
    """Name the first few rows by their numbers, for a message."""
    named = ", ".join(map(str, numbers[:_MOST_NAMED])) + (", ..." if numbers[_MOST_NAMED:] else "")
    return f"{'row' if len(numbers) == 1 else 'rows'} {named}"


def _question(number: int, row: Mapping[str, Any]) -> Question | None:
    reference: str | None = None
    tools = row.get("tools")
    messages = row.get("messages")
    if isinstance(row.get("input"), dict):
        messages, tools = row["input"].get("messages"), row["input"].get("tools", tools)
        preferred = row.get("preferred_output")
        reference = _text_of(preferred[-1]) if isinstance(preferred, list) and preferred else None
    elif isinstance(row.get("prompt"), str):
        messages = [{"role": "user", "content": row["prompt"]}]
        completion = row.get("completion")
        reference = completion if isinstance(completion, str) else None
    if not isinstance(messages, list) or not all(isinstance(one, dict) for one in messages):
        return None
    asked = list(messages)
    if asked and asked[-1].get("role") == "assistant":
        reference = _text_of(asked.pop())
    if not any(one.get("role") in {"user", "tool"} for one in asked):
        return None
    return Question(
        number=number,
        # A weight is for training alone; chat completions refuse it.
        messages=[{k: v for k, v in one.items() if k != "weight"} for one in asked],
        tools=tools if isinstance(tools, list) and tools else None,
        reference=reference,
        item={**({} if reference is None else {"reference": reference}), **row},
    )


def _text_of(message: Any) -> str | None:
    content = message.get("content") if isinstance(message, dict) else None
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        content = "".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else None
