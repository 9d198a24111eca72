"""``finetune run``: from a training file to a fine-tuned model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from finetune_client import Client, Hyperparameters
from finetune_client.cli.connect import connect, named_server, server_options
from finetune_client.cli.creating import Steps, create_with_steps
from finetune_client.cli.job_options import (
    DATA_FILE,
    expires_after_option,
    job_options,
    training,
)
from finetune_client.cli.output import json_option, metrics_option, reporter
from finetune_client.cli.watching import watch

if TYPE_CHECKING:
    from pathlib import Path

    from finetune_client import AutoOr

__all__ = ["run"]


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
