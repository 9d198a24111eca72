"""The fast way through lines that are plainly good chat examples, with msgspec.

Whatever is not plainly good, and every line where msgspec is not installed, is read the plain way
of `finetune_client.training_data.checking.lines` instead, which alone reports problems. So this
way must be sure of what it passes; it need not know why it refuses the rest.
"""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Annotated, Any

from finetune_client.training_data.checking.good_examples import (
    NOT_GOOD,
    TEXT_ROLES,
    RoleSequences,
    is_good_text,
)
from finetune_client.training_data.checking.unwanted_text import LONGEST_NULL_TEXT
from finetune_client.training_data.tokens import BYTES_PER_TOKEN, EstimateCounter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from finetune_client.training_data.tokens import Counter

__all__ = ["ChatMeasurer", "chat_measurer"]

_OPEN, _CLOSE = b"{}"
_PART = BYTES_PER_TOKEN - 1


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
    # A list without a message is refused even where another one, which msgspec keeps, follows.
    messages: Any = Annotated[list[message], msgspec.Meta(min_length=1)]  # type: ignore[valid-type]
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
    fifth of `json.loads`.)
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
        self._most = NOT_GOOD - 1 if context_length is None else context_length
        self._sequences = RoleSequences(TEXT_ROLES)

    def measure(self, lines: Iterable[bytes | None]) -> tuple[list[int], list[int]]:
        """Return the numbers of messages and of tokens of each line.

        A line that is not plainly good has 0 tokens, whatever its number of messages says.

        All lines of a block are decoded first and their texts looked at together afterwards, in
        calls that each go over all of them: a call for each line takes a fifth more time.
        """
        numbers = self._numbers(lines)
        roles = self._values[::2]
        sums = list(accumulate(self._sizes(self._values[1::2]), initial=0))
        sequences, most = self._sequences, self._most
        tokens: list[int] = []
        start = 0
        for number in numbers:
            stop = start + number
            try:
                total = sequences[tuple(roles[start:stop])] + sums[stop] - sums[start]
            except TypeError:  # a role may be a list, which has no hash
                total = NOT_GOOD
            tokens.append(total if total <= most else 0)
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
            except unreadable:
                messages = ()
            number = len(messages)
            if (
                not number
                or (len(values) != seen + 2 * number and not self._drop_weights(messages, seen))
                or line[0] != _OPEN  # type: ignore[index]
                or line[-2] != _CLOSE  # type: ignore[index]
            ):
                del values[seen:]
                number = 0
            seen += 2 * number
            numbers.append(number)
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

    def _sizes(self, texts: list[Any]) -> list[int]:
        try:
            # A special token may be written with escapes, so it is looked for here, not before.
            odd = [
                text
                for text in texts
                if "|" in text or len(text) <= LONGEST_NULL_TEXT or text.isspace()
            ]
            if all(map(_is_plain, odd)):
                if not self._estimated:
                    return list(map(self._count, texts))
                return [
                    (len(text if text.isascii() else text.encode()) + _PART) // BYTES_PER_TOKEN
                    for text in texts
                ]
        except (TypeError, AttributeError):  # not text
            pass
        return [self._count(text) if _is_plain(text) else NOT_GOOD for text in texts]


def _is_plain(text: object) -> bool:
    return is_good_text(text) and "<|" not in text
