"""The lines of a file, one after the other: the plainly good ones fast, all others completely."""

from __future__ import annotations

from codecs import BOM_UTF8
from dataclasses import dataclass
from functools import lru_cache
from itertools import compress, count
from typing import TYPE_CHECKING, Any, NamedTuple

from finetune_client.training_data.checking.counts import FileCounts
from finetune_client.training_data.checking.decoding import (
    LONGEST_REMEMBERED,
    MOST_REMEMBERED,
    LineDecoder,
)
from finetune_client.training_data.checking.examples import ExampleCheck
from finetune_client.training_data.checking.fast_path import chat_measurer
from finetune_client.training_data.checking.good_examples import GoodChat
from finetune_client.training_data.checking.unwanted_text import (
    LONGEST_NULL_TEXT,
    TextCheck,
    holds_secret,
    holds_special_text,
    is_null_text,
)
from finetune_client.training_data.formats import FORMATS, format_of
from finetune_client.training_data.line_hashes import LineHashes
from finetune_client.training_data.null_keys import NullKeys, may_have_null_keys
from finetune_client.training_data.problems import ProblemCollector, quoted
from finetune_client.training_data.tokens import count_messages

if TYPE_CHECKING:
    from collections.abc import Iterable

    from finetune_client.providers.training_rules import TrainingRules
    from finetune_client.training_data.checking.blocks import Block
    from finetune_client.training_data.checking.examples import Measure
    from finetune_client.training_data.formats import FormatName
    from finetune_client.training_data.tokens import Counter

__all__ = ["CheckSettings", "LineChecker", "hash_lines"]

_BLANKS = b" \t\r\n"


class _Measured(NamedTuple):
    """What is counted of the lines of a block.

    Hashes and numbers are of the lines that are not blank, lengths (messages) and sizes (tokens)
    of those that can be read.
    """

    hashes: list[int]
    numbers: list[int]
    lengths: list[int]
    sizes: list[int]

    def sort(self) -> None:
        """Put the hashes in the order of their lines, by which the first of equal ones is told."""
        ordered = sorted(zip(self.numbers, self.hashes, strict=True))
        self.numbers[:] = [number for number, _ in ordered]
        self.hashes[:] = [hash_ for _, hash_ in ordered]


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckSettings:
    """How each line is checked; it can be pickled, for worker processes.

    Attributes:
        format: The format that every line should have.
        given_method: The method that was asked for; None if the file itself told the format.
        rules: How much the provider takes.
        counter: What counts tokens.
        context_length: The most tokens of one example, if that is known.
        variables: What the grader asks of every line.
        secrets: Look for secrets.
        max_line_bytes: Bytes of the longest line that is read.
    """

    format: FormatName
    given_method: str | None
    rules: TrainingRules
    counter: Counter
    context_length: int | None = None
    variables: tuple[str, ...] = ()
    secrets: bool = True
    max_line_bytes: int


class LineChecker:
    """Checks a part of a file, which begins with a line, block by block into its `counts`."""

    def __init__(self, settings: CheckSettings, *, begins_file: bool = True) -> None:
        self._settings = settings
        self._may_have_mark = begins_file and settings.rules.byte_order_mark
        self.counts = FileCounts(problems=ProblemCollector(settings.rules.accepts))
        self._report_problem = self.counts.problems
        self._texts = TextCheck(self._report_problem, secrets=settings.secrets)
        self._examples = ExampleCheck(
            self._report_problem, settings.format, settings.rules, settings.variables
        )
        self.counts.endings = self._examples.endings
        self.counts.variables = self._examples.variables
        self._decoder = LineDecoder(self._report_problem)
        self._remembered_count = lru_cache(maxsize=MOST_REMEMBERED)(settings.counter.count)
        self._fast = self._good = None
        if settings.format == "chat":
            counter, most = settings.counter, settings.context_length
            self._fast = chat_measurer(counter, most)
            self._good = GoodChat(counter.count, self._count_definitions, most)

    def check(self, block: Block) -> None:
        """Check the lines of a block, and count what is in them.

        The lines that are plainly good are counted in calls that go over all of them, since a
        step for each line takes longer than to read its JSON.
        """
        counts, lines = self.counts, block.lines
        if b"\r" in block.data:
            lines = self._without_returns(lines)
        unread = [0] * len(lines)
        lengths, sizes = self._fast.measure(lines) if self._fast else (unread, unread)
        secretive = self._settings.secrets and holds_secret(block.data)
        if secretive:
            for index, line in enumerate(lines):
                if sizes[index] and line is not None and holds_secret(line):
                    sizes[index] = 0
        measured = _Measured(
            hashes=list(map(hash, compress(lines, sizes))),
            numbers=list(compress(count(counts.lines + 1), sizes)),
            lengths=list(compress(lengths, sizes)),
            sizes=list(filter(None, sizes)),
        )
        if 0 in sizes:
            for number, (line, size) in enumerate(zip(lines, sizes, strict=True), counts.lines + 1):
                if not size:
                    suspicious = secretive and line is not None and holds_secret(line)
                    self._check_line(line, number, measured, suspicious=suspicious)
            measured.sort()
        counts.lines += len(lines)
        counts.size += block.size
        counts.examples += len(measured.hashes)
        counts.hashes.add(measured.hashes, measured.numbers)
        counts.messages.add(measured.lengths)
        counts.tokens.add(measured.sizes)

    def _without_returns(self, lines: list[bytes | None]) -> list[bytes | None]:
        """Report the lines that end with CRLF and return all of them as if they did not.

        A file that was written on Windows is as good as any other, and is checked as fast.
        """
        report_problem = self._report_problem
        rest = list(lines)
        number = 0
        for index, line in enumerate(lines):
            if line is not None and line[-2:] == b"\r\n" and line.strip():
                rest[index] = line[:-2] + b"\n"
                if report_problem.remaining("crlf"):
                    report_problem.line = self.counts.lines + 1 + index
                    report_problem("crlf")
                else:
                    number += 1
        report_problem.count("crlf", number)
        return rest

    def _check_line(
        self, line: bytes | None, number: int, measured: _Measured, *, suspicious: bool
    ) -> None:
        """Check a line completely, its texts too if it is `suspicious`."""
        report_problem = self._report_problem
        report_problem.line = number
        if line is None:
            self.counts.examples += 1
            report_problem("line_too_long", most=self._settings.max_line_bytes)
            return
        if line.startswith(BOM_UTF8):
            if number > 1 or not self._may_have_mark:
                report_problem("byte_order_mark")
            line = line[len(BOM_UTF8) :]
        line = line.strip(_BLANKS)
        if not line.strip():
            report_problem("blank_line")
            return
        example = self._decoder.read(line)
        if example is None:
            self.counts.examples += 1  # lines that are no examples are no duplicates either
            return
        measured.hashes.append(hash(line + b"\n"))
        measured.numbers.append(number)
        try:
            found = self._check_example(example, line, number, suspicious=suspicious)
        except RecursionError:
            report_problem("too_deep")
            return
        if found is not None:
            length, size = found
            measured.lengths.append(length)
            measured.sizes.append(size)

    def _check_example(
        self, example: dict[str, Any], line: bytes, number: int, *, suspicious: bool
    ) -> tuple[int, int] | None:
        """Check an example; return its messages and tokens, or None if it is of another format."""
        if suspicious or self._decoder.has_odd_values or holds_special_text(line):
            self._texts.check(example)
        has_nulls = may_have_null_keys(line)
        if self._good and not has_nulls:
            known_tools = self._examples.known_tools(example.get("tools"))
            if size := self._good.tokens(example, known_tools):
                return len(example["messages"]), size
        if not self._has_right_format(example):
            return None
        if has_nulls:
            nulls = NullKeys()
            example = nulls.removed(example, self._settings.format)
            if nulls.found:
                self.counts.null_keys.add(number, nulls.found)
        measure = self._examples.check(example)
        if null_texts := self._null_texts(measure):
            self.counts.null_texts.add(number, null_texts)
        self.counts.image_examples += measure.images > 0
        return len(measure.messages), self._count_tokens(measure)

    def _has_right_format(self, example: dict[str, Any]) -> bool:
        """Report an example of another format than the file's."""
        settings = self._settings
        found = format_of(example)
        if found is None or found == _without_grader(settings.format):
            return True
        given = settings.given_method
        mismatch = given is not None and FORMATS[found].method != given
        self._report_problem(
            "wrong_format" if mismatch else "mixed_formats",
            found=FORMATS[found].example,
            expected=FORMATS[settings.format].example,
            method=given,
        )
        return False

    def _null_texts(self, measure: Measure) -> list[str]:
        """Return the texts that are no more than a null; what a tool answers may be that."""
        texts = measure.texts if not measure.messages else []
        for message in measure.messages:
            text = message.get("content")
            if type(text) is str and len(text) <= LONGEST_NULL_TEXT and is_null_text(text):
                refused = self._settings.rules.refuses_null_text and message.get("tool_calls")
                if message.get("role") not in ("tool", "function") and not (
                    refused and text == "null"
                ):
                    texts.append(text)
        return [quoted(text.strip()) for text in texts if is_null_text(text)]

    def _count_tokens(self, measure: Measure) -> int:
        settings = self._settings
        count = settings.counter.count
        if measure.messages:  # its other texts define tools
            tokens = count_messages(settings.counter, measure.messages)
            tokens += sum(map(self._count_definitions, measure.texts))
        else:
            tokens = sum(map(count, measure.texts))
        most = settings.context_length
        if most is not None and tokens > most:
            code = "too_long" if settings.counter.exact else "maybe_too_long"
            self._report_problem(code, tokens=tokens, most=most)
        return tokens

    def _count_definitions(self, text: str) -> int:
        """Count the tokens of tools, which are the same in most lines."""
        if len(text) <= LONGEST_REMEMBERED:
            return self._remembered_count(text)
        return self._settings.counter.count(text)


def _without_grader(format: FormatName) -> FormatName:
    """Return the format of the same keys without those for a grader."""
    return "chat" if format == "reinforcement" else format


def hash_lines(blocks: Iterable[Block]) -> LineHashes:
    """Return the hashes of the lines of a file as `LineChecker` takes them."""
    hashes = LineHashes()
    number = 0
    for block in blocks:
        for raw in block.lines:
            number += 1
            line = (raw or b"").removeprefix(BOM_UTF8).strip(_BLANKS)
            if line:
                hashes.add([hash(line + b"\n")], [number])
    return hashes
