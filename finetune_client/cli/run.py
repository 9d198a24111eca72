"""``finetune run``: from a training file to a fine-tuned model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from finetune_client import Client
from finetune_client.cli.connect import connect, named_server, server_options
from finetune_client.cli.costs import cost_options, cost_question
from finetune_client.cli.creating import Steps, create_with_steps
from finetune_client.cli.graders import grader_option
from finetune_client.cli.job_options import (
    DATA_FILE,
    expires_after_option,
    job_options,
    new_job,
    override,
)
from finetune_client.cli.output import json_option, metrics_option, reporter
from finetune_client.cli.watching import watch

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["COMMANDS"]


@click.command(epilog="Example: finetune run train.jsonl -m gpt-4.1-mini-2025-04-14 --epochs 3")
@click.argument("file", type=DATA_FILE)
@click.option("--model", "-m", required=True, help="The base model, such as gpt-4o-mini or tiny.")
@click.option("--validation", type=DATA_FILE, metavar="FILE", help="Examples to validate on.")
@job_options
@grader_option
@expires_after_option
@metrics_option
@cost_options
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
    ledger_path: Path | None,
    expires_after: int | None,
    metrics: Path | None,
    local: bool,
    price: float | None,
    yes: bool,
    as_json: bool,
    base_url: str | None,
    provider: str | None,
    allow_http: bool,
    **wanted: Any,
) -> None:
    """Check a file, upload it, train on it and watch the job.

    The last line names the tuned model. Exit status: 0 when the job succeeded, 1 when it failed or the server refused, 2 on wrong usage
    or a file that is not fit to train on. Ctrl-C leaves a remote job running.

    With --local there is no need for a ledger, and none is used.
    """
    server: dict[str, Any] = {
        "base_url": base_url,
        "provider": provider,
        "allow_http": allow_http,
    }
    if local and (base_url or provider):
        raise click.UsageError("--local goes with neither --base-url nor --provider.")
    out = reporter(as_json=as_json)
    named = None if local else named_server(**server)
    with Client.local() if local else connect(**server, ledger_path=ledger_path) as client:
        described = new_job(client.provider, model=model)
        described.paths["training_file"] = file
        if validation is not None:
            described.paths["validation_file"] = validation
        override(described, client.provider, **wanted)
        job = create_with_steps(
            client,
            Steps(
                out,
                server=named,
                files=len(described.paths),
                ask=cost_question(
                    client, [described.request.to_dict()], price=price, yes=yes, as_json=as_json
                ),
            ),
            expires_after=expires_after,
            **described.arguments(),
        )
        again = None if named is None else f"{job.id}{named}"
        watch(client, out, job.id, again=again, save_to=metrics)


COMMANDS = [run]
