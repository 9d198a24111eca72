"""``finetune run``: from a training file to a fine-tuned model."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from finetune_client import (
    AUTO,
    Client,
    FineTuningJobRequest,
    FineTuningMethod,
    Hyperparameters,
    SupervisedMethod,
)
from finetune_client.cli.connect import connect, named_server, provider_of, server_options
from finetune_client.cli.output import json_option, metrics_option, reporter
from finetune_client.cli.watching import watch
from finetune_client.errors import RequestError, TrainingDataError
from finetune_client.providers import LOCAL
from finetune_client.resources.jobs.jobs import BEING_PROCESSED
from finetune_client.training_data import check

if TYPE_CHECKING:
    from finetune_client import AutoOr, FineTuningJob
    from finetune_client.cli.connect import Command
    from finetune_client.cli.reporting import Reporter
    from finetune_client.providers import Provider

__all__ = ["DATA_FILE", "expires_after_option", "job_options", "run", "training"]

METHOD = "supervised"
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
    help="Let the server delete the file after so long; Azure wants it.",
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
    expires_after: int | None,
    metrics: Path | None,
    local: bool,
    as_json: bool,
    **server: Any,
) -> None:
    """Check FILE, upload it, fine-tune MODEL on it and watch until the model is there.

    Exit status: 0 when the job succeeded, 1 when it failed or the server refused, 2 on wrong usage
    or a file that is not fit to train on. Ctrl-C leaves a remote job running.
    """
    if local and (server["base_url"] or server["provider"]):
        raise click.UsageError("--local goes with neither --base-url nor --provider.")
    out = reporter(as_json=as_json)
    provider = LOCAL if local else provider_of(**server)
    _check_files(out, file, validation, model=model, provider=provider)
    settings = Hyperparameters(
        n_epochs=epochs, batch_size=batch_size, learning_rate_multiplier=learning_rate_multiplier
    )
    named = None if local else named_server(**server)
    with Client.local() if local else connect(**server) as client:
        job = _create(
            client,
            out,
            file,
            validation,
            expires_after,
            server=named,
            model=model,
            suffix=suffix,
            seed=seed,
            idempotency_key=idempotency_key,
            **training(client, settings),
        )
        again = None if named is None else f"{job.id}{named}"
        watch(client, out, job.id, again=again, save_to=metrics)


def training(client: Client, settings: Hyperparameters) -> dict[str, Any]:
    """Give the arguments that say how to train, as the provider takes them."""
    if "method" in client.provider.lacks:
        return {"hyperparameters": settings}
    return {"method": FineTuningMethod.of(SupervisedMethod(hyperparameters=settings))}


def _check_files(
    out: Reporter, file: Path, validation: Path | None, *, model: str, provider: Provider
) -> None:
    """Check both files and tell what is wrong with them.

    Raises:
        TrainingDataError: One of them is not fit to train on.
    """
    judge = partial(check, method=METHOD, provider=provider, model=model)
    reports = {file: judge(file, validation=validation)}
    if validation and validation != file:
        reports[validation] = judge(validation, least_examples=1)
    for path, report in reports.items():
        out.checked(path, report)
    for path, report in reports.items():
        if not report.ok:
            raise TrainingDataError(
                f"{path} is not fit to train on; nothing was uploaded.", report=report
            )


def _create(
    client: Client,
    out: Reporter,
    file: Path,
    validation: Path | None,
    expires_after: int | None,
    *,
    server: str | None,
    idempotency_key: str | None,
    **wanted: Any,
) -> FineTuningJob:
    """Create the job, or take the one that bears the key; files go up only if there is need."""
    _check_request(client, wanted)
    if idempotency_key is not None and "metadata" not in client.provider.lacks:
        found = client.jobs.find(idempotency_key)
        if found is not None:
            out.created(found)
            return found
    doing = "Stopped; no job was created."
    try:
        training_file = _upload(client, out, file, expires_after)
        validation_file = validation and _upload(client, out, validation, expires_after)
        if server is not None:
            doing = (
                "Stopped while the job was being created: it may exist. "
                f"Look with: finetune list{server}"
            )
        job = client.jobs.create(
            training_file=training_file,
            validation_file=validation_file,
            idempotency_key=idempotency_key,
            **wanted,
        )
    except KeyboardInterrupt:
        raise KeyboardInterrupt(doing) from None
    out.created(job)
    return job


def _check_request(client: Client, wanted: dict[str, Any]) -> None:
    """Check the settings before a file goes up and gets the id that stands in the request.

    Raises:
        RequestError: The API would not take them.
    """
    request = FineTuningJobRequest(training_file="file", **wanted)
    found = request.problems(limits=client.provider.limits)
    if found:
        listed = "".join(f"\n- {problem}" for problem in found)
        raise RequestError(
            f"The job cannot be created so, and nothing was sent:{listed}", problems=found
        )


def _upload(client: Client, out: Reporter, path: Path, expires_after: int | None) -> str:
    with out.uploading(path) as progress:
        file = client.files.upload(path, expires_after=expires_after, progress=progress)
    out.uploaded(path, file)
    if file.status in BEING_PROCESSED:
        client.files.wait_for_processing(file.id)
    return file.id
