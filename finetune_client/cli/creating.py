"""Creating a job, and reporting each step of it."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from finetune_client.errors import TrainingDataError

if TYPE_CHECKING:
    from pathlib import Path

    from typing_extensions import Self

    from finetune_client import Client, FineTuningJob
    from finetune_client.cli.reporting import Reporter
    from finetune_client.resources import CreateStep
    from finetune_client.resources.files.progress import OnProgress

__all__ = ["Steps", "create_with_steps"]


class Steps:
    """Reports the steps of `jobs.create`, and knows how far it has come.

    Attributes:
        unfit: The first file that is not fit to train on.
        interrupted: What Ctrl-C has left behind at this point.
    """

    def __init__(self, out: Reporter, *, server: str | None) -> None:
        self._out = out
        self._server = server
        self._upload = ExitStack()
        self._progress: OnProgress | None = None
        self.unfit: Path | None = None
        self.interrupted = "Stopped; no job was created."

    def __call__(self, step: CreateStep) -> None:
        """Report a step."""
        if step.kind == "checked" and step.path and step.report:
            self._out.checked(step.path, step.report)
            if not step.report.ok:
                self.unfit = self.unfit or step.path
        elif step.kind == "uploading" and step.path:
            if self._progress is None:
                self._progress = self._upload.enter_context(self._out.uploading(step.path))
            self._progress(step.sent, step.total)
        elif step.kind == "uploaded" and step.path and step.file:
            self.close()
            self._out.uploaded(step.path, step.file)
        elif step.kind == "creating" and self._server is not None:
            self.interrupted = (
                "Stopped while the job was being created: it may exist. "
                f"Look with: finetune list{self._server}"
            )
        elif step.job:
            self._out.created(step.job)

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
