"""The fast way through lines that are plainly good chat examples, with msgspec.

Whatever is not plainly good, and every line where msgspec is not installed, is read the plain way
of `finetune_client.training_data.checking.lines` instead, which alone reports problems. So this
way must be sure of what it passes; it need not know why it refuses the rest.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from finetune_client.training_data.checking.unwanted_text import LONGEST_NULL_TEXT, is_null_text
from finetune_client.training_data.formats import FORMATS
from finetune_client.training_data.tokens import (
    BYTES_PER_TOKEN,
    TOKENS_PER_EXAMPLE,
    TOKENS_PER_MESSAGE,
    EstimateCounter,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from finetune_client.training_data.tokens import Counter

__all__ = ["ChatMeasurer", "chat_measurer"]

_ROLES = frozenset(FORMATS["chat"].roles) - {"tool", "function"}
_MOST_SEQUENCES = 4096
"""Sequences of roles that are remembered."""

_BEGINNINGS = (b'{"messages": [{"', b'{"messages":[{"')
_NOT_PLAIN = float("nan")
"""Stands for the tokens of a text that is not plainly good; no sum with it is below a limit."""


class _Value:
    """A type that msgspec does not know, so that it calls `dec_hook` for each value of it."""


def chat_measurer(counter: Counter, context_length: int | None) -> ChatMeasurer | None:
    """Return what measures lines fast, or None where msgspec is not installed."""
    try:
        import msgspec
    except ImportError:
        return None
    values: list[Any] = []
    add, stand_in = values.append, _Value()

    def see(_: type, value: object) -> _Value:
        add(value)
        return stand_in

    message = msgspec.defstruct(
        "Message",
        [("role", _Value), ("content", _Value), ("weight", _Value, None)],
        forbid_unknown_fields=True,
        gc=False,
    )
    messages: Any = list[message]  # type: ignore[valid-type]  # made at run time
    example = msgspec.defstruct(
        "Example", [("messages", messages)], forbid_unknown_fields=True, gc=False
    )
    decode = msgspec.json.Decoder(example, dec_hook=see).decode
    # Before msgspec 0.20 its errors are no ValueErrors; one that is, is that of bad UTF-8.
    unreadable = (msgspec.MsgspecError, ValueError, TypeError, RecursionError)
    return ChatMeasurer(decode, unreadable, values, counter, context_length)


class ChatMeasurer:
    """Counts messages and tokens of lines that hold messages of a role and a text each.

    msgspec keeps the last value of a key that an object has twice, and does not tell. But it
    calls `dec_hook` for every value of an unknown type, those included that it drops. So a line
    in which more values were seen than its messages have holds a key twice. (To compare the
    numbers of quotes in the line and in its texts would show the same, and take as long as a
    fifth of `json.loads`.) The key ``messages`` cannot be there twice unseen, since a line has to
    begin with a message in it.
    """

    def __init__(
        self,
        decode: Callable[[bytes], Any],
        unreadable: tuple[type[Exception], ...],
        values: list[Any],
        counter: Counter,
        context_length: int | None,
    ) -> None:
        self._decode = decode
        self._unreadable = unreadable
        self._values = values
        self._count = counter.count
        self._estimated = isinstance(counter, EstimateCounter)
        self._most = float("inf") if context_length is None else context_length
        self._tokens_of_roles: dict[tuple[str, ...], float] = {}

    def measure(self, lines: Iterable[bytes | None]) -> tuple[list[int], list[int]]:
        """Return the numbers of messages and of tokens of each line, 0 if it is not plainly good.

        All lines of a block are decoded first and their texts looked at together afterwards, in
        calls that each go over all of them: a call for each line takes a fifth more time.
        """
        numbers = self._numbers(lines)
        roles, texts = self._values[::2], self._values[1::2]
        sizes = self._sizes(texts)
        known, most = self._tokens_of_roles, self._most
        tokens: list[int] = []
        start = 0
        for index, number in enumerate(numbers):
            stop = start + number
            sequence = tuple(roles[start:stop])
            try:
                total = known[sequence]
            except (KeyError, TypeError):  # a role may be a list, which has no hash
                total = self._learn(sequence)
            total += sum(sizes[start:stop])
            if total <= most:
                tokens.append(int(total))
            else:
                tokens.append(0)
                numbers[index] = 0
            start = stop
        return numbers, tokens

    def _numbers(self, lines: Iterable[bytes | None]) -> list[int]:
        """Decode the lines and return how many messages each has, 0 if it is to be read slowly."""
        decode, values, unreadable = self._decode, self._values, self._unreadable
        values.clear()
        numbers: list[int] = []
        seen = 0
        for line in lines:
            try:
                messages = decode(line).messages  # type: ignore[arg-type]  # None is a TypeError
                good = line.startswith(_BEGINNINGS) and line.endswith(b"}")  # type: ignore[union-attr]
            except unreadable:
                good, messages = False, []
            if good and len(values) - seen != 2 * len(messages):
                good = self._drop_weights(messages, seen)
            if good:
                numbers.append(len(messages))
            else:
                numbers.append(0)
                del values[seen:]
            seen = len(values)
        return numbers

    def _drop_weights(self, messages: list[Any], start: int) -> bool:
        """Take the weights out of the values from `start` on, which are those of one line.

        Return whether nothing but weights was there beside roles and contents, and each is 0 or 1
        and on a message of the assistant, and not all of the assistant's are 0.
        """
        values = self._values[start:]
        weighted = [message.weight is not None for message in messages]
        if len(values) != 2 * len(messages) + sum(weighted):
            return False
        rest = iter(values)
        turns = [(next(rest), next(rest), next(rest) if has else 1) for has in weighted]
        self._values[start:] = [value for turn in turns for value in turn[:2]]
        return all(
            type(weight) is int and 0 <= weight <= 1 and (role == "assistant" or not has)
            for (role, _, weight), has in zip(turns, weighted, strict=True)
        ) and any(weight and role == "assistant" for role, _, weight in turns)

    def _sizes(self, texts: list[Any]) -> list[float]:
        try:
            # A special token may be written with escapes, so it is looked for here, not before.
            plain = (
                all(map(str.strip, texts))
                and not [1 for text in texts if "|" in text and "<" in text and "<|" in text]
                and not [
                    1 for text in texts if len(text) <= LONGEST_NULL_TEXT and is_null_text(text)
                ]
            )
        except TypeError:  # not text
            plain = False
        if not plain:
            return [self._size(text) for text in texts]
        if not self._estimated:
            return list(map(self._count, texts))
        sizes = [len(text) if text.isascii() else len(text.encode()) for text in texts]
        return [-(-size // BYTES_PER_TOKEN) for size in sizes]

    def _size(self, text: Any) -> float:
        if type(text) is str and text.strip() and "<|" not in text and not is_null_text(text):
            return self._count(text)
        return _NOT_PLAIN

    def _learn(self, roles: tuple[Any, ...]) -> float:
        """Return what a sequence of roles adds to the tokens of its texts, if it is a good one."""
        try:
            good = roles[-1:] == ("assistant",) and _ROLES.issuperset(roles)
        except TypeError:  # a list or an object, which has no hash
            good = False
        if not good or any(role == following for role, following in pairwise(roles)):
            return _NOT_PLAIN
        if len(self._tokens_of_roles) >= _MOST_SEQUENCES:
            self._tokens_of_roles.clear()
        tokens = TOKENS_PER_EXAMPLE + TOKENS_PER_MESSAGE * len(roles)
        return self._tokens_of_roles.setdefault(roles, tokens)
