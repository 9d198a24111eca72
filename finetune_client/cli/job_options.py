"""The options that say how to train, for every command that creates a job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from finetune_client import AUTO, FineTuningJobRequest, FineTuningMethod, SupervisedMethod
from finetune_client.cli.connect import ledger_option
from finetune_client.job_files import file_argument
from finetune_client.models import MethodType
from finetune_client.models.codec import to_plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from finetune_client import AutoOr, Client, Hyperparameters
    from finetune_client.cli.connect import Command
    from finetune_client.job_files import JobFile
    from finetune_client.providers import Provider

__all__ = ["DATA_FILE", "expires_after_option", "job_options", "override", "training"]

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


def training(client: Client, settings: Hyperparameters) -> dict[str, Any]:
    """Return the arguments that say how to train, as the provider takes them."""
    if "method" in client.provider.lacks:
        return {"hyperparameters": settings}
    return {"method": FineTuningMethod.of(SupervisedMethod(hyperparameters=settings))}


def override(
    job: JobFile,
    provider: Provider,
    *,
    model: str | None,
    training_file: str | None = None,
    validation_file: str | None = None,
    suffix: str | None,
    seed: int | None,
    idempotency_key: str | None,
    epochs: AutoOr[int] | None,
    batch_size: AutoOr[int] | None,
    learning_rate_multiplier: AutoOr[float] | None,
) -> None:
    """Put what was given on the command line in place of what a job file says."""
    body = job.request.to_dict()
    given = {"model": model, "suffix": suffix, "seed": seed}
    body.update({name: value for name, value in given.items() if value is not None})
    files = {"training_file": training_file, "validation_file": validation_file}
    for name, text in files.items():
        if text is not None:
            body.pop(name, None)
            job.paths.pop(name, None)
            named = file_argument(text, Path())
            if isinstance(named, Path):
                job.paths[name] = named
            else:
                body[name] = named
    settings = {
        "n_epochs": epochs,
        "batch_size": batch_size,
        "learning_rate_multiplier": learning_rate_multiplier,
    }
    _set_hyperparameters(
        body, {k: to_plain(v) for k, v in settings.items() if v is not None}, provider
    )
    job.request = FineTuningJobRequest.from_dict(body)
    job.idempotency_key = idempotency_key or job.idempotency_key


def _set_hyperparameters(
    body: dict[str, Any], settings: Mapping[str, Any], provider: Provider
) -> None:
    """Set hyperparameters where the job has its own, or else where the provider takes them."""
    if not settings:
        return
    if "method" not in body and ("hyperparameters" in body or "method" in provider.lacks):
        place = body
    else:
        method = body.setdefault("method", {"type": MethodType.SUPERVISED})
        if not isinstance(method, dict) or not isinstance(method.get("type"), str):
            return  # it is reported with all other problems
        place = method.setdefault(method["type"], {})
    if isinstance(place, dict):
        own = place.get("hyperparameters")
        place["hyperparameters"] = {**(own if isinstance(own, dict) else {}), **settings}
