"""``finetune run``: from a training file to a fine-tuned model."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import click

from finetune_client.cli.connect import (
    connect,
    grading_server_options,
    named_grading,
    named_server,
)
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
from finetune_client.cli.local import open_locally, show_result, threads_option, with_base_model
from finetune_client.cli.output import json_option, metrics_option, reporter
from finetune_client.cli.watching import watch

if TYPE_CHECKING:
    from pathlib import Path

    from finetune_client.cli.connect import ServerOptions
    from finetune_client.local import LocalServer

__all__ = ["COMMANDS"]


@click.command(epilog="Example: finetune run train.jsonl -m gpt-4.1-mini-2025-04-14 --epochs 3")
@click.argument("file", type=DATA_FILE)
@click.option("--model", "-m", required=True, help="The base model, such as gpt-4o-mini or tiny.")
@click.option("--validation", type=DATA_FILE, metavar="FILE", help="Examples to validate on.")
@job_options
@threads_option
@grader_option
@expires_after_option
@metrics_option
@cost_options
@grading_server_options
@json_option
def run(
    file: Path,
    model: str,
    validation: Path | None,
    ledger_path: Path | None,
    expires_after: int | None,
    threads: int | None,
    metrics: Path | None,
    price: float | None,
    yes: bool,
    as_json: bool,
    server: ServerOptions,
    **wanted: Any,
) -> None:
    """Check a file, upload it, train on it and watch the job.

    The last line names the tuned model. Exit status: 0 when the job succeeded, 1 when it failed or the server refused, 2 on wrong usage
    or a file that is not fit to train on. Ctrl-C leaves a remote job running.

    With --local it trains on this machine: tiny, or a real model by its id on the Hugging Face hub or
    a path (extra llm). What was made stays, and the last lines say how to use it. No ledger is used.
    """
    out = reporter(as_json=as_json)
    named, directory = named_server(server), server["local_directory"]
    with contextlib.ExitStack() as stack:
        here: LocalServer | None = None
        if server["local"]:
            model, base_models = with_base_model(model, directory)
            client, here = stack.enter_context(
                open_locally(
                    directory,
                    base_models,
                    allow_python_graders=server["allow_python_graders"],
                    threads=threads,
                )
            )
        elif threads is not None:
            raise click.UsageError("--threads goes with --local alone.")
        else:
            client = stack.enter_context(connect(**server, ledger_path=ledger_path))
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
        ended = watch(
            client,
            out,
            job.id,
            named=f"{job.id}{named}",
            grading=named_grading(server),
            save_to=metrics,
        )
        if server["local"] and not as_json:
            show_result(client, ended, server=here, questions=validation or file, named=named)


COMMANDS = [run]
