"""`check`: every problem of a training file in one pass, before anything is uploaded."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

from finetune_client.errors import RequestError
from finetune_client.models.methods import (
    DpoMethod,
    FineTuningMethod,
    ReinforcementMethod,
    SupervisedMethod,
)
from finetune_client.providers import Provider, find_provider
from finetune_client.providers.training_rules import TrainingRules
from finetune_client.training_data.checking.blocks import Block, blocks, read_block
from finetune_client.training_data.checking.counts import FileCounts, grader_variables
from finetune_client.training_data.checking.lines import CheckSettings
from finetune_client.training_data.checking.passes import FilePass, Progress
from finetune_client.training_data.checking.whole_file import check_whole_file
from finetune_client.training_data.codes.table import CODES
from finetune_client.training_data.file_kinds import HEAD, command_path, file_kind
from finetune_client.training_data.formats import FORMATS, METHODS, FormatName, detect_format
from finetune_client.training_data.jsonl import encoding_by
from finetune_client.training_data.problems import ProblemCollector
from finetune_client.training_data.report import Report
from finetune_client.training_data.sources import Source, name_of, opened, size_of
from finetune_client.training_data.tokens import Counter, resolve_counter

__all__ = ["LONGEST_LINE", "check"]

LONGEST_LINE = 32 * 1024 * 1024
"""Bytes of the longest line that is read unless a larger number is given."""


def check(
    path: Source,
    method: object = None,
    provider: str | Provider = "openai",
    model: str | None = None,
    *,
    validation: Source | None = None,
    grader: object = None,
    count_tokens: Callable[[str], int] | str | Counter | None = None,
    context_length: int | None = None,
    least_examples: int | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
    secrets: bool = True,
    max_line_bytes: int = LONGEST_LINE,
    accept: Collection[str] = (),
) -> Report:
    """Find every problem of a training file, in one pass and without a network.

    The formats are those of https://platform.openai.com/docs/guides/fine-tuning. Memory does not
    grow with the file but for 16 bytes a line.

    Args:
        path: The file: a path, its bytes, or a file that is open in binary mode.
        method: ``supervised``, ``dpo`` or ``reinforcement``, or a whole method as a job takes it
            (its grader counts then); by default the first lines of the file show
            it.
        provider: Whose rules hold: the name of a provider, or a `Provider`.
        model: The model to be trained; its context length is looked up where it is published.
        validation: The validation file, to find lines that are in both.
        grader: The grader of a reinforcement job, to find ``{{item...}}`` that no line has.
        count_tokens: A callable from text to a number of tokens, or the name of an encoding (with
            the extra ``tokens``); by default tokens are estimated.
        context_length: The most tokens of one example, instead of the model's.
        least_examples: How many examples the file must hold, by default as many as a job needs to
            train on; 1 for a validation file.
        workers: How many processes read a file given by its path; by default one, and several
            for a large file. Files given otherwise are read by one.
        progress: Is called with the bytes read so far and the bytes in all.
        secrets: Look for API keys and private keys.
        max_line_bytes: The longest line that is read; longer ones are an error.
        accept: Codes whose problems are only warnings in this report, as ``accepts`` of the
            provider's `TrainingRules` are in every one.

    Raises:
        TrainingDataError: The file cannot be read.
        ConfigurationError: There is no provider of this name.
        RequestError: Another argument is not valid.
    """
    given_method, grader = _read_method(method, grader)
    rules = find_provider(provider).training_rules
    least = _whole("least_examples", least_examples) or rules.examples
    counter = resolve_counter(count_tokens)
    most = _whole("max_line_bytes", max_line_bytes) or LONGEST_LINE
    _whole("workers", workers)
    length = _whole("context_length", context_length) or rules.context_length(model)
    with opened(path) as file:
        size = size_of(file)
        head = read_block(file, HEAD)
        read = blocks(file, most, size or None, head)
        first = list(itertools.islice(read, 1))
        settings = CheckSettings(
            format=_format(first, given_method),
            given_method=given_method,
            rules=replace(rules, examples=least, accepts=rules.accepts | _known_codes(accept)),
            counter=counter,
            context_length=length,
            variables=grader_variables(grader),
            secrets=secrets,
            max_line_bytes=most,
        )
        kind = file_kind(head, whole=len(head) < HEAD)
        if kind is not None or encoding_by(head[:4]) != "utf-8":
            counts = _unread(itertools.chain(first, read), settings.rules)
            if kind is None:
                counts.problems("utf16")
            else:
                remedy = kind.remedy.format(path=command_path(path))
                counts.problems("not_jsonl", found=kind.found, remedy=remedy)
            return check_whole_file(name_of(path), settings, counts, None)
        file_pass = FilePass(
            source=path,
            size=size,
            validation=validation,
            settings=settings,
            workers=workers,
            progress=progress,
        )
        counts, other = file_pass.run(itertools.chain(first, read))
    return check_whole_file(name_of(path), settings, counts, other)


def _read_method(method: object, grader: object) -> tuple[str | None, object]:
    """Return the name of the method, and its grader where no other one is given."""
    if isinstance(method, (SupervisedMethod, DpoMethod, ReinforcementMethod)):
        method = FineTuningMethod.of(method)
    plain: Any = method.to_dict() if isinstance(method, FineTuningMethod) else method
    name: Any = plain
    if isinstance(plain, Mapping):
        settings = plain.get("reinforcement")
        its_grader = settings.get("grader") if isinstance(settings, Mapping) else None
        name, grader = plain.get("type"), grader if grader is not None else its_grader
    if plain is not None and not (isinstance(name, str) and name in METHODS):
        raise RequestError(f"method must be one of {', '.join(METHODS)}, or None, got {name!r}.")
    return name, grader


def _known_codes(accept: Collection[str]) -> frozenset[str]:
    codes = frozenset([accept] if isinstance(accept, str) else accept)
    for code in codes - CODES.keys():
        close = difflib.get_close_matches(str(code), CODES, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else "."
        raise RequestError(f"accept must hold codes of problems, got {code!r}{hint}")
    return codes


def _format(first: list[Block], given_method: str | None) -> FormatName:
    among = tuple(FORMATS) if given_method is None else METHODS[given_method]
    lines = first[0].lines if first else []
    return among[0] if len(among) == 1 else detect_format(lines, among)


def _unread(read: Iterable[Block], rules: TrainingRules) -> FileCounts:
    """Count the lines of a file, without looking at them."""
    counts = FileCounts(problems=ProblemCollector(rules.accepts))
    for block in read:
        counts.lines += len(block.lines) - (block.data == b"\0\n")  # half of a line feed in UTF-16
        counts.size += block.size
    return counts


def _whole(name: str, value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    raise RequestError(f"{name} must be a whole number above 0, got {value!r}.")
