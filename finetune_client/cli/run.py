"""``finetune run``: from a training file to a fine-tuned model."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from finetune_client import AUTO, Client, FineTuningMethod, Hyperparameters, SupervisedMethod
from finetune_client.cli.connect import connect, ledger_option, named_server, server_options
from finetune_client.cli.output import json_option, metrics_option, reporter
from finetune_client.cli.watching import watch
from finetune_client.errors import TrainingDataError

if TYPE_CHECKING:
    from typing_extensions import Self

    from finetune_client import AutoOr, FineTuningJob
    from finetune_client.cli.connect import Command
    from finetune_client.cli.reporting import Reporter
    from finetune_client.resources import CreateStep
    from finetune_client.resources.files.progress import OnProgress

__all__ = [
    "DATA_FILE",
    "Steps",
    "create_with_steps",
    "expires_after_option",
    "job_options",
    "run",
    "training",
]

DATA_FILE = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)


class AutoOrNumber(click.ParamType):  # type: ignore[type-arg]  # generic in newer click only
    """``auto`` or a number."""

    def __init__(self, kind: type[int | float], name: str) -> None:
        self._kind = kind
        self.name = name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "auto":
            return AUTO
        try:
            return self._kind(value)
        except ValueError:
            wanted = "a number" if self._kind is float else "an integer"
            self.fail(f"{value!r} is neither auto nor {wanted}.", param, ctx)


AUTO_INT = AutoOrNumber(int, "auto|integer")
AUTO_NUMBER = AutoOrNumber(float, "auto|number")

_JOB_OPTIONS = (
    click.option("--suffix", help="Goes into the tuned model's name."),
    click.option("--epochs", type=AUTO_INT, help="Passes over the training file."),
    click.option("--batch-size", type=AUTO_INT, help="Examples in one step."),
    click.option("--learning-rate-multiplier", type=AUTO_NUMBER, help="Scales the learning rate."),
    click.option("--seed", type=int, help="The same seed and data give the same run."),
    click.option("--idempotency-key", metavar="KEY", help="Run twice with one key: one job."),
    ledger_option(required=False),
)


def job_options(command: Command) -> Command:
    """Add the options of every command that creates a job."""
    for option in reversed(_JOB_OPTIONS):
        command = option(command)
    return command


expires_after_option = click.option(
    "--expires-after",
    type=click.IntRange(1),
    metavar="SECONDS",
    help="Let the server delete the file after so long.",
)


@click.command()
@click.argument("file", type=DATA_FILE)
@click.option("--model", "-m", required=True, help="The base model, such as gpt-4o-mini or tiny.")
@click.option("--validation", type=DATA_FILE, metavar="FILE", help="Examples to validate on.")
@job_options
@expires_after_option
@metrics_option
@click.option(
    "--local",
    is_flag=True,
    help="Use the embedded server: the same API, a tiny model, no account, no key.",
)
@server_options
@json_option
def run(
    file: Path,
    model: str,
    validation: Path | None,
    suffix: str | None,
    epochs: AutoOr[int] | None,
    batch_size: AutoOr[int] | None,
    learning_rate_multiplier: AutoOr[float] | None,
    seed: int | None,
    idempotency_key: str | None,
    ledger_path: Path | None,
    expires_after: int | None,
    metrics: Path | None,
    local: bool,
    as_json: bool,
    **server: Any,
) -> None:
    """Check FILE, upload it, fine-tune MODEL on it and watch until the model is there.

    Exit status: 0 when the job succeeded, 1 when it failed or the server refused, 2 on wrong usage
    or a file that is not fit to train on. Ctrl-C leaves a remote job running.

    With --local there is no need for a ledger, and none is used.
    """
    if local and (server["base_url"] or server["provider"]):
        raise click.UsageError("--local goes with neither --base-url nor --provider.")
    out = reporter(as_json=as_json)
    settings = Hyperparameters(
        n_epochs=epochs, batch_size=batch_size, learning_rate_multiplier=learning_rate_multiplier
    )
    named = None if local else named_server(**server)
    with Client.local() if local else connect(**server, ledger_path=ledger_path) as client:
        job = create_with_steps(
            client,
            Steps(out, server=named),
            model=model,
            training_file=file,
            validation_file=validation,
            expires_after=expires_after,
            suffix=suffix,
            seed=seed,
            idempotency_key=idempotency_key,
            **training(client, settings),
        )
        again = None if named is None else f"{job.id}{named}"
        watch(client, out, job.id, again=again, save_to=metrics)


def training(client: Client, settings: Hyperparameters) -> dict[str, Any]:
    """Return the arguments that say how to train, as the provider takes them."""
    if "method" in client.provider.lacks:
        return {"hyperparameters": settings}
    return {"method": FineTuningMethod.of(SupervisedMethod(hyperparameters=settings))}


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
