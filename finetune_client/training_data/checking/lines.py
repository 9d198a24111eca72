"""The hot loop: line after line, the good ones by a short way and the others by the long one.

`Scanner.scan` is longer than our taste allows: a call for each line would cost a tenth of the
time that reading its JSON costs. What the short way rests on stands in
docs/decisions/training-data.md.
"""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from json.scanner import make_scanner
from typing import TYPE_CHECKING, Any, NamedTuple

from finetune_client.training_data.checking.counts import Tally
from finetune_client.training_data.checking.decoding import NOTHING, LineDecoder
from finetune_client.training_data.checking.examples import ExampleCheck
from finetune_client.training_data.checking.line_hashes import Digests
from finetune_client.training_data.checking.recognition import format_of
from finetune_client.training_data.checking.unwanted_text import StringCheck, escapes, secretive
from finetune_client.training_data.formats import FORMATS
from finetune_client.training_data.tokens import (
    BYTES_PER_TOKEN,
    TOKENS_PER_MESSAGE,
    TOKENS_PER_REPLY,
    EstimateCounter,
    count_messages,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from finetune_client.training_data.checking.blocks import Block
    from finetune_client.training_data.checking.counts import Plan
    from finetune_client.training_data.checking.examples import Measure
    from finetune_client.training_data.formats import FormatName

__all__ = ["Scanner", "digested"]

BLANKS = b" \t\r"

QUICK_ROLES = {"system", "developer", "user", "assistant"}
MOST_ROLES = 4096
"""Sequences of roles that are remembered."""


class _Seen(NamedTuple):
    """What is taken of the lines of a block.

    Hashes and numbers are of the lines that are not blank, lengths (messages) and sizes (tokens)
    of those that can be read.
    """

    hashes: list[int]
    numbers: list[int]
    lengths: list[int]
    sizes: list[int]


class Scanner:
    """Checks a part of a file, which begins with a line, block by block into its `tally`."""

    def __init__(self, plan: Plan, *, begins_file: bool = True) -> None:
        self._plan = plan
        self._marked = begins_file and plan.rules.byte_order_mark
        self._format = FORMATS[plan.format]
        self.tally = Tally()
        found = self.tally.found
        # raw_decode of the standard library, without its two calls in Python
        self._read = make_scanner(json.JSONDecoder())  # type: ignore[arg-type]  # typeshed names the wrong class
        self._decoder = LineDecoder(found)
        self._strings = StringCheck(found, secrets=plan.secrets)
        self._examples = ExampleCheck(found, plan.format, plan.rules, plan.variables)
        self.tally.endings = self._examples.endings
        self.tally.items = self._examples.items
        self._known_roles: dict[tuple[str, ...], int] = {}

    def scan(self, block: Block) -> None:
        r"""Check the lines of a block.

        A line goes the short way if it can only be ``{"messages": [{"role": ..., "content": ...},
        ...]}`` with a good sequence of roles, texts that are not blank, perhaps weights, and no
        key twice: each key and each text has two quotes and those in it (an escaped quote,
        ``\u0022``, makes a line odd), so a line with another number of them holds something else.
        All else, good or bad, goes the long way.
        """
        tally, plan = self.tally, self._plan
        read, count = self._read, plan.counter.count
        exact = not isinstance(plan.counter, EstimateCounter)
        secrets, known_roles = plan.secrets, self._known_roles
        most = plan.context_length or float("inf")
        barred, escaped = b"<|" in block.data, escapes(block.data)
        returns = b"\r" in block.data
        quick = plan.quick and plan.format == "chat"
        number = tally.lines
        seen = _Seen([], [], [], [])
        hashes, numbers, lengths, sizes = seen
        for raw in block.lines:
            number += 1
            line = self._without_return(raw, number) if returns else raw
            odd = line is None or bool(
                (secrets and secretive(line))
                or (barred and b"<|" in line)
                or (escaped and escapes(line))
            )
            if quick and not odd and line is not None:
                try:
                    text = line.decode()
                    example, end = read(text, 0)
                    messages = example["messages"]
                    roles = tuple([message["role"] for message in messages])
                    texts = [message["content"] for message in messages]
                    tokens = known_roles.get(roles)
                    if tokens is None:
                        self._learn(roles)
                    elif (
                        type(messages) is list
                        and len(example) == 1
                        and end == len(text)
                        and (
                            (keys := sum(map(len, messages))) == 2 * len(texts)
                            or _weighed(messages)
                        )
                        and all(map(str.strip, texts))
                        and line.count(b'"')
                        == 2 + 2 * keys + 4 * len(texts) + (joined := "".join(texts)).count('"')
                    ):
                        if exact:
                            tokens += sum(map(count, texts))
                        elif joined.isascii():
                            tokens -= sum([-len(each) // BYTES_PER_TOKEN for each in texts])
                        else:
                            encoded = [each.encode() for each in texts]
                            tokens -= sum([-len(each) // BYTES_PER_TOKEN for each in encoded])
                        if tokens <= most:
                            hashes.append(hash(line))
                            numbers.append(number)
                            lengths.append(len(texts))
                            sizes.append(tokens)
                            continue
                except (StopIteration, ValueError, KeyError, TypeError, RecursionError):
                    """Whatever it is, the long way says so."""
            self._check(line, number, seen, odd=odd)
        tally.lines = number
        tally.examples += len(hashes)
        tally.digests.add(hashes, numbers)
        tally.size += block.size
        tally.messages.add(lengths)
        tally.tokens.add(sizes)

    def _learn(self, roles: tuple[str, ...]) -> None:
        """Remember what a good sequence of roles adds to the tokens of its texts."""
        repeated = any(role == before for role, before in zip(roles[1:], roles, strict=False))
        if repeated or roles[-1:] != ("assistant",) or not QUICK_ROLES.issuperset(roles):
            return
        if len(self._known_roles) >= MOST_ROLES:
            self._known_roles.clear()
        count = self._plan.counter.count
        spoken = sum(TOKENS_PER_MESSAGE + count(role) for role in roles)
        self._known_roles[roles] = TOKENS_PER_REPLY + spoken

    def _without_return(self, line: bytes | None, number: int) -> bytes | None:
        if line is None or not line.endswith(b"\r"):
            return line
        if line.strip():
            self.tally.found.line = number
            self.tally.found("crlf")
        return line[:-1]

    def _check(self, line: bytes | None, number: int, seen: _Seen, *, odd: bool) -> None:
        """Go the long way with a line."""
        found = self.tally.found
        found.line = number
        if line is None:
            self.tally.examples += 1
            found("line_too_long", most=self._plan.max_line_bytes)
            return
        if line.startswith(BOM_UTF8):
            if number > 1 or not self._marked:
                found("byte_order_mark")
            line = line[len(BOM_UTF8) :]
        line = line.strip(BLANKS)
        if not line.strip():
            found("blank_line")
            return
        seen.hashes.append(hash(line))
        seen.numbers.append(number)
        try:
            measure = self._example(line, odd=odd)
            if measure is not None:
                seen.lengths.append(len(measure.messages))
                seen.sizes.append(self._tokens(measure))
        except RecursionError:
            found("too_deep")

    def _example(self, line: bytes, *, odd: bool) -> Measure | None:
        found, plan = self.tally.found, self._plan
        example = self._decoder.read(line)
        if example is NOTHING:
            return None
        if odd or self._decoder.odd:
            self._strings.walk(example)
        fits = format_of(example)
        if fits is not None and fits != _family(plan.format):
            told = plan.told is not None and FORMATS[fits].method != plan.told
            found(
                "wrong_format" if told else "mixed_formats",
                found=FORMATS[fits].example,
                expected=self._format.example,
                method=plan.told,
            )
            return None
        measure = self._examples.check(example)
        self.tally.image_examples += measure.images > 0
        return measure

    def _tokens(self, measure: Measure) -> int:
        plan = self._plan
        count = plan.counter.count
        tokens = sum(map(count, measure.texts)) + TOKENS_PER_REPLY * bool(measure.messages)
        for message in measure.messages:
            content = message.get("content")
            if (
                len(message) == 2
                and isinstance(content, str)
                and isinstance(message.get("role"), str)
            ):
                tokens += TOKENS_PER_MESSAGE + count(message["role"]) + count(content)
            else:
                tokens += count_messages(plan.counter, [message]) - TOKENS_PER_REPLY
        if plan.context_length is not None and tokens > plan.context_length:
            code = "too_long" if plan.counter.exact else "maybe_too_long"
            self.tally.found(code, tokens=tokens, most=plan.context_length)
        return tokens


def _weighed(messages: list[dict[str, Any]]) -> bool:
    """Tell whether messages hold nothing but role, content and good weights."""
    weights = [message["weight"] for message in messages if len(message) != 2]
    placed = all(
        len(message) == 2 or (len(message) == 3 and message["role"] == "assistant")
        for message in messages
    )
    spoken = sum(message["role"] == "assistant" for message in messages)
    return (
        placed
        and all(type(weight) is int and 0 <= weight <= 1 for weight in weights)
        and weights.count(0) < spoken
    )


def _family(format: FormatName) -> FormatName:
    return "chat" if format == "reinforcement" else format


def digested(read: Iterable[Block]) -> Digests:
    """Take the lines of a file as a `Scanner` does, to compare them with those of another."""
    digests = Digests()
    number = 0
    for block in read:
        for raw in block.lines:
            number += 1
            line = (raw or b"").removeprefix(BOM_UTF8).strip(BLANKS)
            if line:
                digests.add([hash(line)], [number])
    return digests
