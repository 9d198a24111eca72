"""Counting tokens: with a callable, with a named encoding, or as a plain estimate."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from finetune_client.errors import RequestError
from finetune_client.training_data.encodings import ENCODINGS, encoding_for, load_encoder

if TYPE_CHECKING:
    from finetune_client.training_data.encodings import Encoder

__all__ = [
    "BYTES_PER_TOKEN",
    "TOKENS_PER_EXAMPLE",
    "TOKENS_PER_MESSAGE",
    "CallableCounter",
    "Counter",
    "EncodingCounter",
    "EstimateCounter",
    "count_messages",
    "resolve_counter",
]

BYTES_PER_TOKEN = 4
"""What the estimate rests on; its error on real text stands in docs/decisions/tokens.md."""

# What OpenAI billed in two recorded jobs, to the token; its cookbook counts prompts, not examples.
TOKENS_PER_MESSAGE = 4
TOKENS_PER_EXAMPLE = 1
_TOKENS_PER_NAME = 1

# A run of two million spaces makes tiktoken's regular expressions panic, so that longer texts
# are counted in pieces. A piece ends before a space that follows a word, where every encoding
# here begins a token; only a piece without such a space is cut anywhere, a token or two off.
_PIECES = re.compile(r"(?s).{1,100000}(?<=\w)(?= )|.{1,100000}")
_LONGEST = 100_000

_NOT_TEXT = frozenset({"type", "id", "tool_call_id", "role"})


@runtime_checkable
class Counter(Protocol):
    """What counts tokens; it can be pickled, for worker processes.

    Attributes:
        label: How the figures come about, for people: an encoding's name, a function's, or
            a phrase that begins with ``estimate``.
        exact: Whether the figures are counted, not estimated.
    """

    @property
    def label(self) -> str: ...

    @property
    def exact(self) -> bool: ...

    def count(self, text: str) -> int:
        """Return how many tokens ``text`` has, special tokens taken as ordinary text."""
        ...


@dataclass(frozen=True, slots=True)
class EstimateCounter:
    """One token for every four bytes of UTF-8, rounded up."""

    @property
    def label(self) -> str:
        return f"estimate: one token for every {BYTES_PER_TOKEN} bytes of UTF-8"

    @property
    def exact(self) -> bool:
        return False

    def count(self, text: str) -> int:
        size = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
        return -(-size // BYTES_PER_TOKEN)


@dataclass(frozen=True, slots=True)
class CallableCounter:
    """What the user gave: a callable from text to a number of tokens."""

    function: Callable[[str], int]

    @property
    def label(self) -> str:
        return getattr(self.function, "__qualname__", type(self.function).__qualname__)

    @property
    def exact(self) -> bool:
        return True

    def count(self, text: str) -> int:
        """Count with the user's function.

        Raises:
            RequestError: It gave something other than a whole number of 0 or more.
        """
        given: Any = self.function(text)
        try:
            number = operator.index(given)
        except TypeError:
            number = -1
        if number < 0 or isinstance(given, bool):
            raise RequestError(
                f"count_tokens ({self.label}) must return a whole number of tokens, got {given!r}."
            )
        return number


@dataclass(slots=True)
class EncodingCounter:
    """An encoding by name, loaded when it is first used and once in each process."""

    name: str
    _encoder: Encoder | None = field(default=None, repr=False, compare=False)

    @property
    def label(self) -> str:
        return self.name

    @property
    def exact(self) -> bool:
        return True

    def __reduce__(self) -> tuple[type[EncodingCounter], tuple[str]]:
        return type(self), (self.name,)

    def load(self) -> Encoder:
        """Load the encoding now.

        Raises:
            ConfigurationError: The extra ``tokens`` is not installed, or not in order.
        """
        if self._encoder is None:
            self._encoder = load_encoder(self.name)
        return self._encoder

    def count(self, text: str) -> int:
        encode = (self._encoder or self.load()).encode_ordinary
        if len(text) <= _LONGEST:
            return len(encode(text))
        return sum(len(encode(piece)) for piece in _PIECES.findall(text))


def resolve_counter(count_tokens: Callable[[str], int] | str | Counter | None) -> Counter:
    """Make a counter of what a user passes as ``count_tokens``.

    Args:
        count_tokens: A callable from text to a number of tokens; the name of an encoding
            (``"o200k_base"``) or of a model (``"gpt-4o-mini"``), for which the extra ``tokens``
            is needed; a counter, which is given back; or None for an estimate.

    Raises:
        RequestError: No encoding or model is known by that name, or it is of another type.
        ConfigurationError: The extra ``tokens`` is not installed, or not in order.
    """
    if count_tokens is None:
        return EstimateCounter()
    if isinstance(count_tokens, str):
        counter = EncodingCounter(encoding_for(count_tokens))
        counter.load()
        return counter
    if isinstance(count_tokens, Counter):
        return count_tokens
    if callable(count_tokens):
        return CallableCounter(count_tokens)
    raise RequestError(
        "count_tokens must be a callable from text to a number of tokens, the name of an encoding "
        f"({', '.join(ENCODINGS)}) or of a model, or None for an estimate, got {count_tokens!r}."
    )


def count_messages(counter: Counter, messages: Sequence[Mapping[str, Any]]) -> int:
    """Return what a job is billed for a conversation in each epoch.

    That is one token, four for each message (its role is among them), and those of all texts: of
    contents, their text parts, names and calls of tools. Images are not counted.
    """
    return TOKENS_PER_EXAMPLE + sum(_count_message(counter, message) for message in messages)


def _count_message(counter: Counter, message: Mapping[str, Any]) -> int:
    tokens = TOKENS_PER_MESSAGE
    for key, value in message.items():
        if key in _NOT_TEXT:
            continue
        if isinstance(value, str):  # nearly all are, so that no list is made of them
            tokens += counter.count(value) + (_TOKENS_PER_NAME if key == "name" else 0)
        elif value:
            tokens += sum(map(counter.count, _texts(value)))
    return tokens


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [text for part in value for text in _texts(part)]
    if isinstance(value, dict) and value.get("type") != "image_url":
        parts = (part for key, part in value.items() if key not in _NOT_TEXT)
        return [text for part in parts for text in _texts(part)]
    return []
