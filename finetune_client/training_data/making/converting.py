"""Rows of other shapes as chat examples. No text is lost: a key that has no place is an error."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal, TypeAlias

from finetune_client.errors import RequestError, TrainingDataError
from finetune_client.models.examples.lines import ChatExample, CompletionExample
from finetune_client.models.examples.messages import ChatMessage
from finetune_client.training_data.formats import format_of
from finetune_client.training_data.making.tool_values import read_tools
from finetune_client.training_data.making.turns import messages_of
from finetune_client.training_data.making.values import Values, listed

__all__ = ["Shape", "convert", "from_alpaca", "from_prompt_completion", "from_sharegpt"]

Shape: TypeAlias = Literal["alpaca", "prompt_completion", "sharegpt"]

_CONVERSATIONS = ("conversations", "conversation", "messages")


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
        shape: What they are; by default each row's keys tell: ``conversations`` (ShareGPT) or
            ``messages``, ``instruction`` (Alpaca), or ``prompt`` and ``completion``.
        system: The system message of rows that have none.
        ignore: Keys of rows, and of their turns, that may be left out of the examples.

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
    if any(name in row for name in _CONVERSATIONS):
        return "sharegpt"
    if "instruction" in row:
        return "alpaca"
    if "prompt" in row:
        return "prompt_completion"
    if format_of(row) == "preference":
        raise TrainingDataError(
            "The row is a preference example, which is no chat example but can be trained on (dpo). "
            "Write such rows as they are: write_jsonl(path, read_rows(file))."
        )
    raise TrainingDataError(
        "The row is none of the shapes that are known: it has neither conversations or messages, "
        f"nor instruction, nor prompt, but {listed(row)}. Rename the columns that hold the question "
        "and the answer: read_rows(file, columns={'prompt': ..., 'completion': ...}), or --column "
        "prompt=... --column completion=... on the command line."
    )


def from_prompt_completion(
    row: Mapping[str, Any] | CompletionExample,
    *,
    system: str | None = None,
    ignore: Collection[str] = ("id",),
    separator: str = "",
    ending: str = "",
) -> ChatExample:
    r"""Make a chat of ``prompt`` and ``completion``: two texts, or two lists of messages.

    The row may have ``system``, ``tools`` and ``weight`` (of the answer) too.

    Args:
        row: The row.
        system: A system message to begin with, if the row has none.
        ignore: Keys of the row that may be left out.
        separator: What stands at the end of prompts to mark it, such as ``"\n\n###\n\n"``:
            it is taken away, as is the space before a completion then.
        ending: What stands at the end of completions to mark it: it is taken away.

    Raises:
        TrainingDataError: A key is missing, is of the wrong kind or has no place in a chat.
    """
    given = row.to_dict() if isinstance(row, CompletionExample) else row
    values = Values(given, ignore)
    system = values.optional_text("system") or system
    if isinstance(given.get("prompt"), list):
        turns = [*values.rows("prompt"), *values.rows("completion")]
    else:
        prompt, completion = values.text("prompt"), values.text("completion")
        if separator and prompt.endswith(separator):
            completion = completion.removeprefix(" ")
        turns = _asked(prompt.removesuffix(separator))
        turns += _answered(completion.removesuffix(ending), values.take("weight"))
    return _chat(values, turns, system)


def from_alpaca(
    row: Mapping[str, Any], *, system: str | None = None, ignore: Collection[str] = ("id",)
) -> ChatExample:
    """Make a chat of ``instruction``, ``input``, ``output``, ``system`` and ``history``.

    The user's message is the instruction and, after a blank line, the input if there is one;
    ``history`` is a list of earlier pairs of question and answer. Only the instruction and the
    output must be there. The row may have ``tools`` and ``weight`` (of the output) too.

    Raises:
        TrainingDataError: A key is missing, is of the wrong kind or has no place in a chat.
    """
    values = Values(row, ignore)
    own = values.optional_text("system") or system
    instruction, material = values.text("instruction"), values.optional_text("input")
    output, history = values.text("output"), values.optional_rows("history")
    question = (
        f"{instruction}\n\n{material}" if instruction and material else instruction or material
    )
    answered = _answered(output, values.take("weight"))
    return _chat(values, [*_turns(history), *_asked(question), *answered], own)


def _turns(history: list[Any]) -> Iterator[dict[str, Any]]:
    for pair in history:
        if not isinstance(pair, (list, tuple)) or [type(text) for text in pair] != [str, str]:
            raise TrainingDataError(f"history must be pairs of question and answer, not {pair!r}.")
        yield from _asked(pair[0])
        yield from _answered(pair[1])


def from_sharegpt(
    row: Mapping[str, Any], *, system: str | None = None, ignore: Collection[str] = ("id",)
) -> ChatExample:
    """Make a chat of ``conversations``: a list of ``from`` and ``value``, or ``role`` and ``content``.

    ``human`` is the user, ``gpt`` the assistant. The list may be called ``conversation`` or
    ``messages`` too; what is a chat example already stays what it is. The system message may stand
    beside the conversations, as ``system``, or at their head. ``weight`` is kept (a weight of 0 on
    others than the assistant, whom nothing is learnt from anyway, is not).

    Turns that call tools (``function_call``, ``tool_call``, or ``<tool_call>`` in a text) become
    tool calls, and those that answer (``observation``, ``tool``, ``tool_response``, ``function`` ...)
    tool messages. Ids are made where there are none. ``tools`` may be the JSON text of a list.

    Args:
        row: The row.
        system: The system message, if the row has none.
        ignore: Keys of the row and of its turns that may be left out.

    Raises:
        TrainingDataError: A key is missing, is of the wrong kind or has no place in a chat, a role
            is not known, or calls and answers of tools do not match.
    """
    values = Values(row, ignore)
    own = values.optional_text("system")
    key = next((name for name in _CONVERSATIONS if name in row), _CONVERSATIONS[0])
    return _chat(values, values.rows(key), own or system, ignore, always=bool(own))


def _asked(text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text}]


def _answered(text: str, weight: Any = None) -> list[dict[str, Any]]:
    return [{"role": "assistant", "content": text, "weight": weight}]


def _chat(
    values: Values,
    turns: list[Any],
    system: str | None,
    ignore: Collection[str] = (),
    *,
    always: bool = False,
) -> ChatExample:
    """Make the example of a row of which only the tools have not been taken.

    Args:
        values: The values of the row.
        turns: Its turns.
        system: The system message to begin with, if the turns have none.
        ignore: Keys of turns that may be left out.
        always: Begin with it in any case.
    """
    tools = read_tools(values.take("tools"))
    rest = {name: values.take(name) for name in ("parallel_tool_calls", "functions")}
    values.finish()
    messages = messages_of(turns, ignore, has_tools=tools is not None)
    begun = any(message.role in {"system", "developer"} for message in messages)
    if system and (always or not begun):
        messages.insert(0, ChatMessage(role="system", content=system))
    example = ChatExample.from_dict(
        {name: value for name, value in rest.items() if value is not None}
    )
    example.messages, example.tools = messages, tools
    return example


_SHAPES: dict[Shape, Callable[..., ChatExample]] = {
    "alpaca": from_alpaca,
    "prompt_completion": from_prompt_completion,
    "sharegpt": from_sharegpt,
}
