"""The turns of a conversation, as data sets write them, as the messages of a chat example."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from finetune_client.errors import TrainingDataError
from finetune_client.models.examples.messages import ChatMessage
from finetune_client.training_data.making.tool_values import (
    read_answers,
    read_calls,
    read_tagged_calls,
    split_thought,
)
from finetune_client.training_data.making.values import Values, json_text, shown

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

__all__ = ["messages_of"]

_CALLS, _ANSWER = "calls", "tool"

# Who speaks -> the role. The names for tools are those of LLaMA-Factory (function_call,
# observation), ms-swift (tool_call, tool_response), ToolBench (function), Hermes (tool) and Llama 3
# (ipython): https://llamafactory.readthedocs.io/en/latest/getting_started/data_preparation.html
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
    "function_call": _CALLS,
    "tool_call": _CALLS,
    "tool_calls": _CALLS,
    "observation": _ANSWER,
    "tool": _ANSWER,
    "tool_response": _ANSWER,
    "tool_result": _ANSWER,
    "function": _ANSWER,
    "function_response": _ANSWER,
    "function_result": _ANSWER,
    "ipython": _ANSWER,
}

_KEPT = ("name", "refusal", "tool_call_id", "function_call", "audio")
"""Keys of a message of the API that stay as they are."""

_TRAINED = ("loss", "train")
"""What ms-swift and axolotl call the weight; true or false."""


@dataclass(slots=True)
class _Turn:
    """A turn.

    Attributes:
        number: Its place, counted from 1.
        speaker: Who speaks, as the turn says it.
        only_calls: Whether the turn stands for calls alone.
        message: What it becomes; its role is `_ANSWER` if it is an answer of a tool.
    """

    number: int
    speaker: str
    only_calls: bool
    message: dict[str, Any]

    @property
    def is_answer(self) -> bool:
        return bool(self.message["role"] == _ANSWER)


def messages_of(
    turns: Sequence[Any], ignore: Collection[str], *, has_tools: bool
) -> list[ChatMessage]:
    """Make messages of turns: of ``from`` and ``value``, or of ``role`` and ``content``.

    Calls that stand in turns of their own become tool calls of one message of the assistant, and
    the turns that answer them become tool messages right after it, with ids where there are none.

    Args:
        turns: The turns, as JSON.
        ignore: Keys of turns that may be left out.
        has_tools: Whether the row has tools, so that ``<tool_call>`` in a text is a call.

    Raises:
        TrainingDataError: A turn is not one, or has what no message has; a call is not answered
            right after it, or an answer has no call.
    """
    read: list[_Turn] = []
    for number, given in enumerate(turns, 1):
        with _at(number):
            read.append(_read_turn(number, given, ignore))
    if has_tools or any(turn.is_answer for turn in read):
        for turn in read:
            _take_tagged_calls(turn.message)
    return [ChatMessage.from_dict(message) for message in _answered(_joined(read))]


@contextmanager
def _at(number: int) -> Iterator[None]:
    try:
        yield
    except TrainingDataError as error:
        raise TrainingDataError(f"Turn {number}: {error.message}") from error


def _read_turn(number: int, given: Any, ignore: Collection[str]) -> _Turn:
    if not isinstance(given, Mapping):
        raise TrainingDataError(f"A turn must be an object, not {shown(given)}.")
    values = Values(given, ignore)
    speaker = values.text("from" if "from" in given else "role")
    role = _ROLES.get(speaker.strip().lower().replace("-", "_"))
    if role is None:
        raise TrainingDataError(
            f"The role {speaker!r} of a turn is not known, only {', '.join(_ROLES)}."
        )
    key = "value" if "value" in given else "content"
    kept = {name: values.take(name) for name in _KEPT}
    message = {"role": role, **{name: value for name, value in kept.items() if value}}
    if calls := values.take("tool_calls"):
        message["tool_calls"] = read_calls(calls)
    if role == _CALLS:
        thought, called = split_thought(values.value(key))
        message |= {"role": "assistant", "content": thought, "tool_calls": read_calls(called)}
    elif role == _ANSWER:
        message["content"] = _answer(values.value(key))
    elif isinstance(given.get(key), list):
        message["content"] = values.rows(key)
    elif given.get(key) is not None or not {
        "tool_calls",
        "function_call",
        "refusal",
        "audio",
    } & set(message):
        message["content"] = values.text(key)
    _take_weight(values, given, message)
    values.finish()
    return _Turn(number, speaker, role == _CALLS, message)


def _answer(value: Any) -> Any:
    """Return the content of a tool message: text, or the parts of one, or else its JSON."""
    if isinstance(value, list) and all(
        isinstance(part, dict) and part.get("type") == "text" for part in value
    ):
        return value
    return value if isinstance(value, str) else json_text(value)


def _take_weight(values: Values, given: Mapping[str, Any], message: dict[str, Any]) -> None:
    """Keep whether a turn is trained on; of others than the assistant nothing is, which 0 says."""
    weight = values.take("weight")
    for name in _TRAINED:
        if isinstance(given.get(name), bool):
            trained = values.take(name)
            weight = trained if weight is None else weight
    if weight in (0, 1):
        weight = int(weight)  # data-set libraries give 0.0 and 1.0, where a row has no weight
    if weight is not None and (weight != 0 or message["role"] == "assistant"):
        message["weight"] = weight


def _take_tagged_calls(message: dict[str, Any]) -> None:
    text = message.get("content")
    if message["role"] == "assistant" and isinstance(text, str) and "tool_calls" not in message:
        text, calls = read_tagged_calls(text)
        if calls:
            message |= {"content": text, "tool_calls": calls}


def _joined(turns: list[_Turn]) -> list[_Turn]:
    """Put the calls of turns that stand for calls alone into the message before, if they can be."""
    joined: list[_Turn] = []
    for turn in turns:
        before = joined[-1].message if joined else {}
        if (
            turn.only_calls
            and not turn.message["content"]
            and before.get("role") == "assistant"
            and before.get("weight") == turn.message.get("weight")
        ):
            before["tool_calls"] = [*before.get("tool_calls", ()), *turn.message["tool_calls"]]
        else:
            joined.append(turn)
    return joined


def _answered(turns: list[_Turn]) -> Iterator[dict[str, Any]]:
    """Return the messages, the answers to calls with the ids of these."""
    given = {call.get("id") for turn in turns for call in turn.message.get("tool_calls", ())}
    fresh = (name for name in map("call_{}".format, itertools.count(1)) if name not in given)
    for asked, answers in _exchanges(turns):
        if asked is not None and "tool_calls" in asked.message:
            is_last = asked is turns[-1]
            yield from _matched(asked, answers, fresh, is_last=is_last)
        elif asked is not None and "function_call" in asked.message:  # the deprecated form
            yield asked.message
            called = asked.message["function_call"]
            name = {"name": called.get("name")} if isinstance(called, Mapping) else {}
            for answer in answers:
                yield {**name, **answer.message, "role": "function"}
        elif answers:
            raise TrainingDataError(
                f"Turn {answers[0].number}: This is the answer of a tool ({answers[0].speaker}), and "
                "no call stands before it. Write the call as a turn of its own (function_call) with "
                "the JSON of a name and its arguments."
            )
        elif asked is not None:
            yield asked.message


def _exchanges(turns: list[_Turn]) -> Iterator[tuple[_Turn | None, list[_Turn]]]:
    """Return each turn that is not an answer, with the answers right after it."""
    asked: _Turn | None = None
    answers: list[_Turn] = []
    for turn in turns:
        if turn.is_answer:
            answers.append(turn)
            continue
        if asked or answers:
            yield asked, answers
        asked, answers = turn, []
    yield asked, answers


def _matched(
    asked: _Turn, answers: list[_Turn], fresh: Iterator[str], *, is_last: bool
) -> Iterator[dict[str, Any]]:
    """Return calls and their answers, matched by ids, else by names, else in order."""
    given = asked.message["tool_calls"]
    calls = [call if call.get("id") else {"id": next(fresh), **call} for call in given]
    yield {**asked.message, "tool_calls": calls}
    named = {answer.message.get("tool_call_id") for answer in answers}
    left = [call for call in calls if call["id"] not in named]
    for answer in answers:
        message = answer.message
        if "tool_call_id" in message:
            yield message
            continue
        number = len(left) if len(answers) == 1 else 1
        for content in read_answers(message["content"], number):
            if not left:
                raise TrainingDataError(
                    f"Turn {answer.number}: This is one answer too many ({answer.speaker}). The "
                    f"calls of turn {asked.number} have one each already."
                )
            by_name = [call for call in left if _name(call) == message.get("name")]
            call = (by_name or left)[0]
            left.remove(call)
            yield {**message, "tool_call_id": call["id"], "content": content}
    # Where all ids were given, what is amiss is kept as it is, for `check` to find.
    if left and calls != given and (answers or not is_last):
        raise TrainingDataError(
            f"Turn {asked.number}: A call of {_name(left[0])} has no answer. What the tool returned "
            "must follow right after the calls, in a turn of its own (observation)."
        )


def _name(call: dict[str, Any]) -> Any:
    function = call.get("function")
    return function.get("name") if isinstance(function, dict) else None
