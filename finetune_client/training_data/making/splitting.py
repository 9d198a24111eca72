"""A file into one to train on and one to validate on."""

from __future__ import annotations

import os
from array import array
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from finetune_client.atomic_file import refuse_existing, replacing
from finetune_client.display import counted
from finetune_client.errors import RequestError, TrainingDataError
from finetune_client.training_data.file_kinds import refuse_other_kinds
from finetune_client.training_data.jsonl import read_lines, sameness, short_digest
from finetune_client.training_data.sources import refuse_irregular

__all__ = ["Split", "split"]


@dataclass(frozen=True, slots=True)
class Split:
    """The two files that `split` made.

    Attributes:
        training, validation: Where they are.
        n_training, n_validation: How many examples they have.
    """

    training: Path
    validation: Path
    n_training: int
    n_validation: int

    def __str__(self) -> str:
        return (
            f"{self.training}: {counted(self.n_training, 'example')} to train on; "
            f"{self.validation}: {self.n_validation:,} to validate on."
        )


def split(
    path: str | os.PathLike[str],
    validation: float = 0.1,
    seed: int = 0,
    *,
    training_path: str | os.PathLike[str] | None = None,
    validation_path: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
) -> Split:
    """Share the lines of a JSONL file out to two new files, each in the order it had.

    Chance decides, by the seed and by what the example is, so that the same examples and the same
    seed give the same files, and examples that are the same go to the same side. Lines are copied
    byte for byte, without blank lines, byte order marks and carriage returns. Memory: 8 bytes a
    line.

    Args:
        path: The file; it is only read.
        validation: The share to validate on, above 0 and below 1, or a whole number of examples.
            Where examples are the same, there can be more or fewer, so that they stay together.
        seed: Another number gives another choice.
        training_path: By default ``data.train.jsonl`` beside ``data.jsonl``.
        validation_path: By default ``data.valid.jsonl`` beside it.
        overwrite: Replace files of these names.

    Raises:
        RequestError: ``validation`` is neither a share nor a number of examples, or both new
            files have one name.
        TrainingDataError: The file cannot be read, is plainly not JSONL, has fewer than two different examples, or too
            few for so many to validate on.
        FileExistsError: One of the files is there, and ``overwrite`` is not set.
    """
    source = Path(path)
    training_path = _beside(source, "train", training_path)
    validation_path = _beside(source, "valid", validation_path)
    if os.path.realpath(training_path) == os.path.realpath(validation_path):
        raise RequestError(f"The two parts of {source} cannot both be written to {training_path}.")
    for target in (training_path, validation_path):
        refuse_existing(target, overwrite=overwrite)
    refuse_irregular(source)
    refuse_other_kinds(source)
    digests = _digests(source, seed)
    last = _last_of_validation(digests, _wanted(validation, len(digests), source), source)
    targets = (training_path, validation_path)
    n_training, n_validation = _share_out(source, digests, last, targets, overwrite=overwrite)
    return Split(training_path, validation_path, n_training, n_validation)


def _share_out(
    source: Path, digests: array[int], last: int, targets: tuple[Path, Path], *, overwrite: bool
) -> tuple[int, int]:
    counts = [0, 0]
    lines = (line.raw for line in read_lines(source) if line.raw)
    with ExitStack() as stack:
        files = [stack.enter_context(replacing(path, overwrite=overwrite)) for path in targets]
        for raw, digest in zip(lines, digests, strict=True):
            side = int(digest <= last)
            files[side].write(raw + b"\n")
            counts[side] += 1
    return counts[0], counts[1]


def _beside(source: Path, part: str, given: str | os.PathLike[str] | None) -> Path:
    return source.with_suffix(f".{part}{source.suffix}") if given is None else Path(given)


def _digests(source: Path, seed: int) -> array[int]:
    key = blake2b(str(seed).encode(), digest_size=16).digest()
    lines = (line.raw for line in read_lines(source) if line.raw)
    return array("Q", (short_digest(sameness(raw), key) for raw in lines))


def _wanted(validation: object, total: int, source: Path) -> int:
    if isinstance(validation, int) and not isinstance(validation, bool) and validation > 0:
        wanted = validation
    elif isinstance(validation, float) and 0 < validation < 1:
        wanted = min(max(1, round(total * validation)), total - 1)
    else:
        raise RequestError(
            "validation must be a share above 0 and below 1, or a whole number of examples above "
            f"0, got {validation!r}."
        )
    if not 0 < wanted < total:
        raise TrainingDataError(
            f"{source} has {counted(total, 'example')}, too few to validate on {max(wanted, 1):,} "
            "and train on the rest."
        )
    return wanted


def _last_of_validation(digests: array[int], wanted: int, source: Path) -> int:
    """Return the digest up to which a line goes to validation."""
    last = _smallest(digests, wanted)
    if last == max(digests):
        last = max((digest for digest in digests if digest < last), default=-1)
    if last < 0:
        raise TrainingDataError(
            f"All examples of {source} are the same, so that none can be held back to validate on."
        )
    return last


def _smallest(digests: array[int], rank: int) -> int:
    """Return the `rank`-th smallest, counted from 1, without sorting them all."""
    sizes = Counter(digest >> 56 for digest in digests)
    bucket = before = 0
    while before + sizes[bucket] < rank:
        before += sizes[bucket]
        bucket += 1
    within = sorted(digest for digest in digests if digest >> 56 == bucket)
    return within[rank - before - 1]
