"""The one pass over a training file, in this process or in several."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from finetune_client.training_data.checking import workers
from finetune_client.training_data.checking.blocks import blocks
from finetune_client.training_data.checking.counts import FileCounts
from finetune_client.training_data.checking.lines import CheckSettings, LineChecker, hash_lines
from finetune_client.training_data.checking.workers import Job, WorkersFailedError
from finetune_client.training_data.line_hashes import LineHashes
from finetune_client.training_data.sources import opened, size_of

if TYPE_CHECKING:
    from finetune_client.training_data.checking.blocks import Block
    from finetune_client.training_data.sources import Source

__all__ = ["FilePass", "Progress"]

Progress: TypeAlias = Callable[[int, int], None]
"""Is called with the bytes read and the bytes in all."""

_Result: TypeAlias = "tuple[FileCounts, LineHashes | None]"
"""What was seen of the training file, and the lines of the validation file if there is one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FilePass:
    """How to go over a file.

    Attributes:
        source: The training file.
        size: Its bytes, None if that cannot be known.
        validation: The validation file, if there is one.
        settings: How each line is checked.
        workers: The processes asked for; None leaves it to the size.
        progress: Is called with the bytes read and the bytes in all.
    """

    source: Source
    size: int | None
    validation: Source | None
    settings: CheckSettings
    workers: int | None
    progress: Progress | None

    def run(self, read: Iterable[Block]) -> _Result:
        """Look at all lines; `read` is the file where one process does it.

        Where the processes fail (they cannot be started here, or ``count_tokens`` cannot be
        sent to them), this one does all of it, and meets what is wrong itself.
        """
        with suppress(WorkersFailedError):
            if jobs := self._jobs():
                return self._together(jobs)
        return self._alone(read)

    def _alone(self, read: Iterable[Block]) -> _Result:
        checker = LineChecker(self.settings)
        for block in read:
            checker.check(block)
            self._report_progress(checker.counts.size)
        if self.validation is None:
            return checker.counts, None
        with opened(self.validation) as file:
            read = blocks(file, self.settings.max_line_bytes, size_of(file) or None)
            return checker.counts, hash_lines(read)

    def _report_progress(self, done: int) -> None:
        if self.progress is not None:
            self.progress(done, done if self.size is None else self.size)

    def _jobs(self) -> list[Job]:
        """Return the parts of the work, none if one process does it."""
        if not self.size or not isinstance(self.source, (str, os.PathLike)):
            return []
        exact = self.settings.counter.exact
        number = self.workers or workers.number_of_workers(self.size, exact=exact)
        if number < 2:
            return []
        jobs = workers.jobs_for(os.fspath(self.source), self.size, self.settings, number)
        if self.validation is None:
            return jobs
        other = self._validation_job(self.validation)
        return [*jobs, other] if other else []

    def _validation_job(self, validation: Source) -> Job | None:
        with opened(validation) as file:
            size = size_of(file)
        if size is None or not isinstance(validation, (str, os.PathLike)):
            return None
        path, most = os.fspath(validation), self.settings.max_line_bytes
        return Job(path=path, start=0, stop=size, settings=None, max_line_bytes=most)

    def _together(self, jobs: list[Job]) -> _Result:
        results = workers.run(jobs, self._report_progress)
        parts = [result for result in results if isinstance(result, FileCounts)]
        for part in parts[1:]:
            parts[0].add_part(part)
        self._report_progress(parts[0].size)
        others = [result for result in results if isinstance(result, LineHashes)]
        return parts[0], others[0] if others else None
