"""``finetune sweep``: a job for each setting of a grid, compared by the validation file."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from finetune_client.cli.connect import connect, grading_server_options
from finetune_client.cli.costs import cost_options, cost_question
from finetune_client.cli.creating import Steps
from finetune_client.cli.graders import grader_option
from finetune_client.cli.job_file import job_file_option, refuse_problems
from finetune_client.cli.job_options import expires_after_option, job_options, new_job, override
from finetune_client.cli.live_table import job_table
from finetune_client.cli.output import json_option
from finetune_client.cli.reporting import json_line, printable
from finetune_client.display import counted
from finetune_client.errors import JobFailedError
from finetune_client.job_files import JobFile
from finetune_client.resources.jobs.sweeping import plan_runs

if TYPE_CHECKING:
    from finetune_client.cli.connect import ServerOptions
    from finetune_client.resources.jobs.sweeping import Sweep, SweepRun

__all__ = ["COMMANDS"]

_SHORT_NAMES = {"epochs": "n_epochs"}
"""What the options of this command line call otherwise than the API."""


def _read_grid(
    ctx: click.Context,  # noqa: ARG001  # what click calls it with
    param: click.Parameter,  # noqa: ARG001
    texts: tuple[str, ...],
) -> dict[str, list[Any]]:
    grid: dict[str, list[Any]] = {}
    for text in texts:
        name, equals, values = text.partition("=")
        if not name.strip() or not equals or not all(one.strip() for one in values.split(",")):
            raise click.BadParameter(f"{text!r} is not of the form NAME=VALUE,VALUE.")
        name = name.strip().replace("-", "_")
        name = _SHORT_NAMES.get(name, name)
        if name in grid:
            raise click.BadParameter(f"{name} is given twice.")
        grid[name] = [_value(one.strip()) for one in values.split(",")]
    return grid


def _value(text: str) -> int | float | str:
    with suppress(ValueError):
        return int(text)
    with suppress(ValueError):
        return float(text)
    return text


@click.command(
    epilog="Example: finetune sweep train.jsonl -m gpt-4.1-mini-2025-04-14 --validation valid.jsonl "
    "--grid epochs=1,2,4 --grid batch-size=4,16"
)
@click.argument("training_file", required=False)
@click.option("--model", "-m", help="The base model; needed without --file.")
@click.option(
    "--validation", metavar="FILE", help="Examples to validate on: a file here, or its id."
)
@click.option(
    "--grid",
    multiple=True,
    required=True,
    callback=_read_grid,
    metavar="NAME=V1,V2",
    help="A setting and its values; give it once a setting. A job for each combination.",
)
@click.option(
    "--concurrency",
    type=click.IntRange(1),
    default=4,
    show_default=True,
    help="Jobs under way at once, at most.",
)
@click.option("--metric", help="The curve to compare by. Default: what tells best.")
@job_file_option
@job_options
@grader_option
@expires_after_option
@cost_options
@grading_server_options
@json_option
def sweep(
    training_file: str | None,
    model: str | None,
    validation: str | None,
    grid: dict[str, list[Any]],
    concurrency: int,
    metric: str | None,
    job_file: JobFile | None,
    ledger_path: Path | None,
    expires_after: int | None,
    price: float | None,
    yes: bool,
    as_json: bool,
    server: ServerOptions,
    **wanted: Any,
) -> None:
    """Train with each setting of a grid, and compare the jobs.

    TRAINING_FILE is a file here or the id of an uploaded one. Run again, the same sweep finds its jobs
    and pays for nothing twice; --idempotency-key makes it another sweep. Exit status: 0 when all
    jobs succeeded, 1 when one failed or was cancelled. Ctrl-C leaves the jobs running.
    """
    if job_file is None and (training_file is None or model is None):
        raise click.UsageError("Give TRAINING_FILE and --model, or --file JOB_FILE.")
    twice = [name for name in grid if wanted.get(name) is not None]
    if twice:
        raise click.UsageError(f"{twice[0]} is given by --grid and by an option of its own.")
    with connect(**server, ledger_path=ledger_path) as client:
        job = job_file or new_job(client.provider)
        override(
            job,
            client.provider,
            model=model,
            training_file=training_file,
            validation_file=validation,
            **wanted,
        )
        refuse_problems(job, client.provider)
        request = {**job.request.to_dict(), **job.paths}
        _, runs, _ = plan_runs(request, grid, client.provider, job.idempotency_key)
        bodies = [run.request for run in runs]
        ask = cost_question(client, bodies, price=price, yes=yes, as_json=as_json)
        steps = Steps(None, server=None, files=len(job.paths), ask=ask)
        table = job_table(as_json=as_json)

        shown: set[str] = set()

        def report(run: SweepRun) -> None:
            """Show the job when it is there, and how it ended, once: it may be there as ended."""
            if run.job is None:
                return
            if run.job.is_terminal and run.label in shown:
                table.ended(run.label, run.job)
            else:
                found = ", found" if run.found else ""
                table.status(run.label, f"{run.job.status}{found}")
            shown.add(run.label)

        with table:
            done = client.jobs.sweep(
                request,
                grid,
                idempotency_key=job.idempotency_key,
                concurrency=concurrency,
                metric=metric,
                expires_after=expires_after,
                on_step=steps,
                on_event=lambda run, event: table.event(run.label, event),
                on_run=report,
            )
    _show(done, as_json=as_json)


def _show(done: Sweep, *, as_json: bool) -> None:
    """Print the comparison.

    Raises:
        JobFailedError: A job failed or was cancelled.
    """
    if as_json:
        click.echo(json_line({"kind": "sweep", **done.to_dict()}))
    else:
        for line in str(done).splitlines():
            click.echo(printable(line))
    if done.failed:
        names = ", ".join(f"{run.label} ({run.job and run.job.status})" for run in done.failed)
        raise JobFailedError(
            f"{len(done.failed)} of {counted(len(done.runs), 'job')} did not succeed: {names}.",
            job=done.failed[0].job,
        )


COMMANDS = [sweep]
