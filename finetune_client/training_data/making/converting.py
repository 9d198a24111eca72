"""Rows of other shapes as chat examples. No text is lost: a key that has no place is an error."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal, TypeAlias

from finetune_client.errors import RequestError, TrainingDataError
from finetune_client.models.examples.lines import ChatExample, CompletionExample
from finetune_client.models.examples.messages import ChatMessage

__all__ = ["Shape", "convert", "from_alpaca", "from_prompt_completion", "from_sharegpt"]

Shape: TypeAlias = Literal["alpaca", "prompt_completion", "sharegpt"]

_ROLES = {
    "system": "system",
    "developer": "developer",
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bard": "assistant",
    "bing": "assistant",
    "assistant": "assistant",
    "model": "assistant",
}


def convert(
    rows: Iterable[Mapping[str, Any] | CompletionExample],
    shape: Shape | None = None,
    *,
    system: str | None = None,
    ignore: Collection[str] = ("id",),
) -> Iterator[ChatExample]:
    """Make chat examples of rows, one at a time.

    Args:
        rows: Such as `read_rows` gives.
        shape: What they are; by default each row's keys tell: ``conversations`` (ShareGPT),
            ``instruction`` (Alpaca) or ``prompt`` and ``completion``.
        system: The system message of rows that have none.
        ignore: Keys that may be left out of the examples.

    Raises:
        RequestError: There is no such shape.
        TrainingDataError: A row is not of its shape; the message says which.
    """
    if shape is not None and shape not in _SHAPES:
        raise RequestError(f"shape must be one of {', '.join(_SHAPES)}, got {shape!r}.")
    return _converted(rows, shape, system, ignore)


def _converted(
    rows: Iterable[Mapping[str, Any] | CompletionExample],
    shape: Shape | None,
    system: str | None,
    ignore: Collection[str],
) -> Iterator[ChatExample]:
    for number, given in enumerate(rows, 1):
        row = given.to_dict() if isinstance(given, CompletionExample) else given
        with _numbered(number):
            example = _SHAPES[shape or _shape(row)](row, system=system, ignore=ignore)
        yield example


@contextmanager
def _numbered(number: int) -> Iterator[None]:
    try:
        yield
    except TrainingDataError as error:
        message = f"Row {number}: {error.message}"
        raise TrainingDataError(message, problems=error.problems) from error


def _shape(row: Mapping[str, Any]) -> Shape:
    if "conversations" in row or "conversation" in row:
        return "sharegpt"
    if "instruction" in row:
        return "alpaca"
    if "prompt" in row:
        return "prompt_completion"
    raise TrainingDataError(
        "The row is none of the shapes that are known: it has neither conversations, nor "
        f"instruction, nor prompt, but {_listed(row)}."
    )


def from_prompt_completion(
    row: Mapping[str, Any] | CompletionExample,
    *,
    system: str | None = None,
    ignore: Collection[str] = ("id",),
    separator: str = "",
    ending: str = "",
) -> ChatExample:
    r"""Make a chat of ``prompt`` and ``completion``.

    Args:
        row: The two texts.
        system: A system message to begin with.
        ignore: Keys of the row that may be left out.
        separator: What stands at the end of prompts to mark it, such as ``"\n\n###\n\n"``:
            it is taken away, as is the space before a completion then.
        ending: What stands at the end of completions to mark it: it is taken away.

    Raises:
        TrainingDataError: A key is missing, is not text or has no place in a chat.
    """
    values = _Values(row.to_dict() if isinstance(row, CompletionExample) else row, ignore)
    prompt, completion = values.text("prompt"), values.text("completion")
    values.finish()
    if separator and prompt.endswith(separator):
        completion = completion.removeprefix(" ")
    return _chat(
        [
            *_system(system),
            ("user", prompt.removesuffix(separator)),
            ("assistant", completion.removesuffix(ending)),
        ]
    )


def from_alpaca(
    row: Mapping[str, Any], *, system: str | None = None, ignore: Collection[str] = ("id",)
) -> ChatExample:
    """Make a chat of ``instruction``, ``input``, ``output``, ``system`` and ``history``.

    The user's message is the instruction and, after a blank line, the input if there is one;
    ``history`` is a list of earlier pairs of question and answer. Only the instruction and the
    output must be there.

    Raises:
        TrainingDataError: A key is missing, is of the wrong kind or has no place in a chat.
    """
    values = _Values(row, ignore)
    own = values.text("system", default="") or system
    instruction, material = values.text("instruction"), values.text("input", default="")
    output, history = values.text("output"), values.take("history")
    values.finish()
    question = (
        f"{instruction}\n\n{material}" if instruction and material else instruction or material
    )
    turns = [*_system(own), *_turns(history), ("user", question), ("assistant", output)]
    return _chat(turns)


def _turns(history: Any) -> Iterator[tuple[str, str]]:
    if history and not isinstance(history, (list, tuple)):
        raise TrainingDataError(f"'history' must be a list, not {history!r}.")
    for pair in history or []:
        if not isinstance(pair, (list, tuple)) or [type(text) for text in pair] != [str, str]:
            raise TrainingDataError(f"history must be pairs of question and answer, not {pair!r}.")
        yield "user", pair[0]
        yield "assistant", pair[1]


def from_sharegpt(
    row: Mapping[str, Any], *, system: str | None = None, ignore: Collection[str] = ("id",)
) -> ChatExample:
    """Make a chat of ``conversations``: a list of ``from`` and ``value``, or ``role`` and ``content``.

    ``human`` is the user, ``gpt`` the assistant. The system message may stand beside the
    conversations, as ``system``, or at their head.

    Raises:
        TrainingDataError: A key is missing, is of the wrong kind or has no place in a chat, or a
            role is not known (turns of tools are not: their shapes differ too much).
    """
    values = _Values(row, ignore)
    own = values.text("system", default="")
    key = "conversation" if "conversation" in row else "conversations"
    turns = [_turn(turn) for turn in values.list(key)]
    values.finish()
    begun = any(role == "system" for role, _ in turns)
    return _chat([*_system(own or (None if begun else system)), *turns])


def _turn(turn: Any) -> tuple[str, str]:
    if not isinstance(turn, dict):
        raise TrainingDataError(f"A turn must be an object, not {turn!r}.")
    values = _Values(turn, ())
    role = values.text("from" if "from" in turn else "role")
    text = values.text("value" if "value" in turn else "content")
    values.finish()
    if role not in _ROLES:
        raise TrainingDataError(
            f"The role {role!r} of a turn is not known, only {', '.join(_ROLES)}."
        )
    return _ROLES[role], text


def _system(text: str | None) -> list[tuple[str, str]]:
    return [("system", text)] if text else []


def _chat(turns: list[tuple[str, str]]) -> ChatExample:
    return ChatExample(messages=[ChatMessage(role=role, content=text) for role, text in turns])


def _listed(keys: Iterable[Any]) -> str:
    return ", ".join(repr(key) for key in keys) or "nothing"


class _Values:
    """The values of a row, taken out one by one, so that what is left over is known."""

    def __init__(self, row: Mapping[str, Any], ignore: Collection[str]) -> None:
        self._row = row
        self._left = {key: value for key, value in row.items() if key not in ignore}

    def take(self, key: str) -> Any:
        return self._left.pop(key, None)

    def text(self, key: str, default: str | None = None) -> str:
        value = self.take(key)
        if value is None:
            value = default
        if not isinstance(value, str):
            raise TrainingDataError(self._unlike(key, "text", value))
        return value

    def list(self, key: str) -> list[Any]:
        value = self.take(key)
        if not isinstance(value, list):
            raise TrainingDataError(self._unlike(key, "a list", value))
        return value

    def finish(self) -> None:
        left = [key for key, value in self._left.items() if value not in (None, "", [])]
        if left:
            raise TrainingDataError(
                f"{_listed(left)} has no place in a chat example: pass ignore= with the keys that "
                "may be left out."
            )

    def _unlike(self, key: str, wanted: str, value: Any) -> str:
        if key in self._row and value is not None:
            return f"{key!r} must be {wanted}, not {value!r}."
        return f"{key!r} is missing or null, there is only {_listed(self._row)}."


_SHAPES: dict[Shape, Callable[..., ChatExample]] = {
    "alpaca": from_alpaca,
    "prompt_completion": from_prompt_completion,
    "sharegpt": from_sharegpt,
}
