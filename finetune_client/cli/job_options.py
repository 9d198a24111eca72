"""The options that say how to train, for every command that creates a job."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from finetune_client import (
    AUTO,
    DpoHyperparameters,
    FineTuningJobRequest,
    FineTuningMethod,
    Hyperparameters,
    ReinforcementHyperparameters,
    SupervisedMethod,
)
from finetune_client.cli.connect import ledger_option
from finetune_client.job_files import JobFile, file_argument
from finetune_client.models import MethodType
from finetune_client.models.codec import to_plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from finetune_client.cli.connect import Command
    from finetune_client.providers import Provider

__all__ = ["DATA_FILE", "expires_after_option", "job_options", "new_job", "override"]

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

_SETTINGS: dict[str, frozenset[str]] = {
    MethodType.SUPERVISED: frozenset(field.name for field in fields(Hyperparameters)),
    MethodType.DPO: frozenset(field.name for field in fields(DpoHyperparameters)),
    MethodType.REINFORCEMENT: frozenset(
        field.name for field in fields(ReinforcementHyperparameters)
    ),
}
"""Method -> the names of its hyperparameters, and ``extra``, which no option is called."""

_JOB_OPTIONS = (
    click.option(
        "--method",
        type=click.Choice(list(_SETTINGS)),
        help="How to train. Default: what the job file says, else supervised.",
    ),
    click.option("--suffix", help="Goes into the tuned model's name."),
    click.option("--epochs", "n_epochs", type=AUTO_INT, help="Passes over the training file."),
    click.option("--batch-size", type=AUTO_INT, help="Examples in one step."),
    click.option("--learning-rate-multiplier", type=AUTO_NUMBER, help="Scales the learning rate."),
    click.option(
        "--beta", type=AUTO_NUMBER, help="dpo: how strictly to stay close to the base model."
    ),
    click.option(
        "--compute-multiplier", type=AUTO_NUMBER, help="reinforcement: how much to explore."
    ),
    click.option("--eval-interval", type=AUTO_INT, help="reinforcement: steps to an evaluation."),
    click.option("--eval-samples", type=AUTO_INT, help="reinforcement: answers for each example."),
    click.option(
        "--reasoning-effort",
        metavar="LEVEL",
        help="reinforcement: default, low, medium or high.",
    ),
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


def new_job(provider: Provider, **request: Any) -> JobFile:
    """Return the job of a request that says nothing of the method: the provider's usual one."""
    settings = Hyperparameters()
    if "method" in provider.lacks:
        request["hyperparameters"] = settings
    else:
        request["method"] = FineTuningMethod.of(SupervisedMethod(hyperparameters=settings))
    return JobFile(request=FineTuningJobRequest(**request))


def override(
    job: JobFile,
    provider: Provider,
    *,
    model: str | None = None,
    training_file: str | None = None,
    validation_file: str | None = None,
    method: str | None = None,
    grader: Mapping[str, Any] | None = None,
    suffix: str | None,
    seed: int | None,
    idempotency_key: str | None,
    **settings: Any,
) -> None:
    """Put what was given on the command line in place of what a job says.

    Args:
        job: The job.
        provider: Who is to create it.
        model: The base model.
        training_file: An id or a path, as `validation_file`.
        validation_file: Likewise.
        method: How to train; settings that the new method has too are kept.
        grader: The grader of a reinforcement job.
        suffix: Goes into the name of the new model.
        seed: Makes training repeatable.
        idempotency_key: Names the job for later runs.
        **settings: Hyperparameters, `None` for those that were not given.

    Raises:
        click.UsageError: The method has no such setting.
    """
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
    if method is not None:
        _set_method(body, method, provider)
    wanted = {name: to_plain(value) for name, value in settings.items() if value is not None}
    _refuse_settings_of_other_methods(body, wanted, has_grader=grader is not None)
    _set_hyperparameters(body, wanted, provider)
    if grader is not None:
        body["method"][MethodType.REINFORCEMENT]["grader"] = dict(grader)
    job.request = FineTuningJobRequest.from_dict(body)
    job.idempotency_key = idempotency_key or job.idempotency_key


def _set_method(body: dict[str, Any], kind: str, provider: Provider) -> None:
    """Let the job be trained by another method, with the settings that both methods have."""
    old = body.get("method")
    if isinstance(old, dict) and old.get("type") == kind:
        if not isinstance(old.get(kind), dict):
            old[kind] = {}
        return
    if "method" not in body and kind == MethodType.SUPERVISED and "method" in provider.lacks:
        return
    own = old.get(str(old.get("type"))) if isinstance(old, dict) else None
    known = own.get("hyperparameters") if isinstance(own, dict) else body.get("hyperparameters")
    kept = {k: v for k, v in (known or {}).items() if k in _SETTINGS[kind]}
    body.pop("hyperparameters", None)
    body["method"] = {"type": kind, kind: {"hyperparameters": kept} if kept else {}}


def _refuse_settings_of_other_methods(
    body: Mapping[str, Any], settings: Mapping[str, Any], *, has_grader: bool
) -> None:
    method = body.get("method")
    kind = method.get("type") if isinstance(method, dict) else MethodType.SUPERVISED
    for name in settings:
        takers = [one for one, names in _SETTINGS.items() if name in names]
        if kind in _SETTINGS and kind not in takers:
            option = f"--{name.replace('_', '-')}"
            raise click.UsageError(f"{option} goes with --method {' or '.join(takers)} only.")
    if has_grader and kind != MethodType.REINFORCEMENT:
        raise click.UsageError("--grader goes with --method reinforcement only.")


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
