"""Creating a job, and reporting each step of it."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from finetune_client.cli.interrupts import NOTHING_CREATED, while_creating
from finetune_client.errors import TrainingDataError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from typing_extensions import Self

    from finetune_client import Client, FineTuningJob
    from finetune_client.cli.reporting import Reporter
    from finetune_client.resources import CreateStep
    from finetune_client.resources.files.progress import OnProgress
    from finetune_client.training_data import Report

__all__ = ["Steps", "create_with_steps"]


class Steps:
    """Reports the steps of `jobs.create`, and knows how far it has come.

    Args:
        out: Where to report; `None` for nowhere.
        server: The options that name the server in another command; `None` for the embedded one.
        files: How many files are checked and uploaded.
        ask: Called once, before anything is uploaded, with the report of the training file if it
            is one of those files; what it raises ends the create.

    Attributes:
        unfit: The first file that is not fit to train on.
        interrupted: What Ctrl-C has left behind at this point.
    """

    def __init__(
        self,
        out: Reporter | None,
        *,
        server: str | None,
        files: int = 0,
        ask: Callable[[Report | None], None] | None = None,
    ) -> None:
        self._out = out
        self._server = server
        self._unchecked = files
        self._ask = ask
        self._training_report: Report | None = None
        self._upload = ExitStack()
        self._progress: OnProgress | None = None
        self.unfit: Path | None = None
        self.interrupted = NOTHING_CREATED

    def __call__(self, step: CreateStep) -> None:
        """Report a step."""
        if step.kind == "checked" and step.path and step.report:
            self._checked(step.path, step.report)
        elif step.kind == "creating":
            self._ask_once()
            if self._server is not None:
                self.interrupted = while_creating(self._server)
        elif self._out is not None:
            self._report(self._out, step)

    def _checked(self, path: Path, report: Report) -> None:
        if self._out is not None:
            self._out.checked(path, report)
        if not report.ok:
            self.unfit = self.unfit or path
        self._training_report = self._training_report or report  # it is checked first
        self._unchecked -= 1
        if self._unchecked == 0 and self.unfit is None:
            self._ask_once()

    def _ask_once(self) -> None:
        ask, self._ask = self._ask, None
        if ask is not None:
            ask(self._training_report)

    def _report(self, out: Reporter, step: CreateStep) -> None:
        if step.kind == "uploading" and step.path:
            if self._progress is None:
                self._progress = self._upload.enter_context(out.uploading(step.path))
            self._progress(step.sent, step.total)
        elif step.kind == "uploaded" and step.path and step.file:
            self.close()
            out.uploaded(step.path, step.file)
        elif step.job:
            out.created(step.job)

    def close(self) -> None:
        """End the bar of the upload that is running, if there is one."""
        self._progress = None
        self._upload.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def create_with_steps(client: Client, steps: Steps, **arguments: Any) -> FineTuningJob:
    """Create the job, or take the one with the idempotency key, and report each step.

    Raises:
        TrainingDataError: A file is not fit to train on.
    """
    try:
        with steps:
            return client.jobs.create(on_step=steps, **arguments)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(steps.interrupted) from None
    except TrainingDataError as error:
        if steps.unfit is None:  # the server found the file unfit, after it was uploaded
            raise
        raise TrainingDataError(
            f"{steps.unfit} is not fit to train on; nothing was uploaded.", report=error.report
        ) from None
