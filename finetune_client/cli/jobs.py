"""Commands about jobs that exist already, and ``finetune create`` for files on the server."""

from __future__ import annotations

import importlib.util
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from finetune_client.atomic_file import replacing
from finetune_client.cli.connect import (
    connect,
    grading_server_options,
    named_grading,
    named_server,
    server_options,
)
from finetune_client.cli.costs import cost_options, cost_question
from finetune_client.cli.graders import grader_option
from finetune_client.cli.job_file import (
    create_job,
    dry_run_option,
    job_file_option,
    show_what_is_sent,
)
from finetune_client.cli.job_options import job_options, new_job, override
from finetune_client.cli.live_table import job_table
from finetune_client.cli.local import has_log
from finetune_client.cli.output import json_option, metrics_option, reporter, show_rows, writable
from finetune_client.cli.reporting import printable
from finetune_client.cli.watching import watch, watch_several
from finetune_client.errors import WaitTimeoutError
from finetune_client.resources.pager import LARGEST_PAGE

if TYPE_CHECKING:
    from collections.abc import Callable

    from finetune_client import FineTuningJob, FineTuningJobCheckpoint
    from finetune_client.cli.connect import ServerOptions
    from finetune_client.job_files import JobFile
    from finetune_client.metrics import Metrics

__all__ = ["COMMANDS"]

_JOB_COLUMNS = ("id", "status", "model", "fine_tuned_model", "created")
_CHECKPOINT_COLUMNS = ("id", "step_number", "fine_tuned_model_checkpoint")


def _show(job: FineTuningJob, *, as_json: bool) -> None:
    show_rows([job], _JOB_COLUMNS, as_json=as_json)


@click.command("list", epilog="Example: finetune list --limit 5 --metadata team=search")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True)
@click.option("--metadata", multiple=True, metavar="KEY=VALUE", help="Only jobs that have it.")
@server_options
@json_option
def list_jobs(limit: int, metadata: tuple[str, ...], as_json: bool, server: ServerOptions) -> None:
    """List jobs, newest first.

    Of each: id, status, base model, tuned model, creation.
    """
    wanted = dict(_pair(text) for text in metadata)
    with connect(**server) as client:
        jobs = client.jobs.list(limit=min(limit, LARGEST_PAGE), metadata=wanted or None)
        show_rows(
            (job for job, _ in zip(jobs, range(limit), strict=False)), _JOB_COLUMNS, as_json=as_json
        )


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise click.BadParameter(
            f"{text!r} is not of the form KEY=VALUE.", param_hint="'--metadata'"
        )
    return key, value


@click.command(epilog="Example: finetune create file-123 -m gpt-4.1-mini-2025-04-14 --epochs 3")
@click.argument("training_file", required=False)
@click.option("--model", "-m", help="The base model; needed without --file.")
@click.option("--validation-file", help="The id of an uploaded file.")
@job_file_option
@job_options
@grader_option
@dry_run_option
@cost_options
@grading_server_options
@json_option
def create(
    training_file: str | None,
    model: str | None,
    validation_file: str | None,
    job_file: JobFile | None,
    dry_run: bool,
    ledger_path: Path | None,
    price: float | None,
    yes: bool,
    as_json: bool,
    server: ServerOptions,
    **wanted: Any,
) -> None:
    """Create a job from an uploaded file, or from a job file.

    TRAINING_FILE is the id of an uploaded file. Without it the job is as JOB_FILE describes it. What is given on the command line wins over what JOB_FILE says. The files that it names are
    checked and uploaded first.
    """
    if job_file is None:
        if training_file is None or model is None:
            raise click.UsageError("Give TRAINING_FILE and --model, or --file JOB_FILE.")
        for file in (training_file, validation_file):
            if file and not file.startswith("file-") and os.path.isfile(file):  # noqa: PTH113 - any id
                raise click.UsageError(
                    f"{file!r} is a file here, not the id of an uploaded one. "
                    f"Upload it first, with: finetune upload {shlex.quote(file)}"
                )
    with connect(**server, ledger_path=ledger_path, dry_run=dry_run) as client:
        if job_file is None:
            job_file = new_job(
                client.provider, training_file=training_file, validation_file=validation_file
            )
            training_file = validation_file = None
        override(
            job_file,
            client.provider,
            model=model,
            training_file=training_file,
            validation_file=validation_file,
            **wanted,
        )
        if dry_run:
            show_what_is_sent(client, job_file, as_json=as_json)
            return
        ask = cost_question(
            client, [job_file.request.to_dict()], price=price, yes=yes, as_json=as_json
        )
        named = named_server(server)
        job = create_job(client, job_file, named=named, as_json=as_json, ask=ask)
        if as_json or not job_file.paths:
            _show(job, as_json=as_json)


@click.command(epilog="Example: finetune follow ftjob-123; finetune follow ftjob-123 ftjob-456")
@click.argument("job_ids", nargs=-1, required=True, metavar="JOB_ID...")
@click.option("--after", metavar="EVENT", help="Continue after this event, of a single job.")
@metrics_option
@grading_server_options
@json_option
def follow(
    job_ids: tuple[str, ...],
    after: str | None,
    metrics: Path | None,
    as_json: bool,
    server: ServerOptions,
) -> None:
    """Show a job's events as they come, then its loss curve.

    The last lines name its model. Several jobs become one table on a terminal. Exit status: 0 when
    all succeeded, 1 when one failed or was cancelled.
    """
    job_ids = tuple(dict.fromkeys(job_ids))
    if len(job_ids) > 1 and (after or metrics):
        raise click.UsageError("--after and --metrics are for a single job.")
    with connect(**server) as client:
        named, grading = f"{' '.join(job_ids)}{named_server(server)}", named_grading(server)
        if len(job_ids) > 1:
            table = job_table(as_json=as_json)
            watch_several(client, table, job_ids, named=f"{named}{grading}")
            return
        [job_id] = job_ids
        client.jobs.retrieve(job_id)  # or an unreachable server would be waited for, without a word
        out = reporter(as_json=as_json)
        watch(client, out, job_id, named=named, grading=grading, after=after, save_to=metrics)


@click.command(epilog="Example: finetune wait ftjob-123 --timeout 3600")
@click.argument("job_id")
@click.option("--timeout", type=float, metavar="SECONDS", help="Stop waiting after so long.")
@grading_server_options
@json_option
def wait(job_id: str, timeout: float | None, as_json: bool, server: ServerOptions) -> None:
    """Wait until a job is done. Exit status 1 when it failed or the time is over."""
    named = f"{named_server(server)}{named_grading(server)}"
    hint = f"continues. Wait again with: finetune wait {job_id}{named}"
    with connect(**server) as client:
        client.jobs.retrieve(job_id)  # or an unreachable server would be waited for, without a word
        try:
            job = client.jobs.wait(job_id, timeout=timeout)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"Stopped waiting; job {job_id} {hint}") from None
        except WaitTimeoutError as error:
            message = f"The time to wait is over; job {job_id} {hint}"
            raise WaitTimeoutError(message, job=error.job, jobs=error.jobs) from None
        _show(job, as_json=as_json)


def _verb(name: str, text: str) -> click.Command:
    @click.command(name, help=text, epilog=f"Example: finetune {name} ftjob-123")
    @click.argument("job_id")
    @(grading_server_options if name == "resume" else server_options)
    @json_option
    def command(job_id: str, as_json: bool, server: ServerOptions) -> None:
        with connect(**server) as client:
            act: Callable[[str], FineTuningJob] = getattr(client.jobs, _VERBS[name][0])
            job = act(job_id)
        _show(job, as_json=as_json)
        if job.error is not None and not as_json:
            _show_error(job, server)

    return command


def _show_error(job: FineTuningJob, server: ServerOptions) -> None:
    """Say on the standard error why a job failed, and how to see its log if that is here."""
    said = (job.error and job.error.message) or "The server does not say why it failed."
    for line in said.split("\n"):
        click.echo(printable(line), err=True)
    command = f"finetune logs {job.id}{named_server(server)}"
    if server["local"] and command not in said and has_log(job.id, server["local_directory"]):
        click.echo(f"Its log: {command}", err=True)


_VERBS = {
    "show": ("retrieve", "Show a job: id, status, base model, tuned model, creation."),
    "cancel": ("cancel", "Cancel a job; what it has trained so far may be billed."),
    "pause": ("pause", "Pause a job; resume it with: finetune resume JOB_ID"),
    "resume": ("resume", "Resume a paused job."),
}


@click.command(epilog="Example: finetune events ftjob-123 --limit 100")
@click.argument("job_id")
@click.option(
    "--limit", type=click.IntRange(1), default=20, show_default=True, help="How many of the newest."
)
@click.option("--before", metavar="EVENT", help="Only events older than this one.")
@server_options
@json_option
def events(
    job_id: str, limit: int, before: str | None, as_json: bool, server: ServerOptions
) -> None:
    """Show a job's newest events, the last one at the end.

    Of each: time, level, message. follow shows them as they come.
    """
    with connect(**server) as client:
        found = client.jobs.list_events(job_id, after=before, limit=min(limit, LARGEST_PAGE))
        newest = [event for event, _ in zip(found, range(limit), strict=False)]
    show_rows(reversed(newest), ("created", "level", "message"), as_json=as_json)


@click.command(epilog="Example: finetune checkpoints ftjob-123")
@click.argument("job_id")
@server_options
@json_option
def checkpoints(job_id: str, as_json: bool, server: ServerOptions) -> None:
    """List a job's checkpoints, newest first: id, step, model."""
    with connect(**server) as client:
        show_rows(client.jobs.checkpoints.list(job_id), _CHECKPOINT_COLUMNS, as_json=as_json)


def _picture_path(ctx: click.Context, param: click.Parameter, path: Path | None) -> Path | None:
    """Refuse another kind of picture before anything is asked for."""
    writable(ctx, param, path)
    if path is None or path.suffix.lower() == ".svg":
        return path
    if path.suffix.lower() != ".png":
        raise click.BadParameter(f"{str(path)!r} must end in .png or .svg.")
    if importlib.util.find_spec("matplotlib") is None:
        raise click.BadParameter(
            "a PNG needs matplotlib: pip install 'finetune-client[plot]', or name a file .svg."
        )
    return path


def _draw_into(
    path: Path, job: FineTuningJob, metrics: Metrics, checkpoints: list[FineTuningJobCheckpoint]
) -> None:
    settings = job.hyperparameters
    epochs = settings.n_epochs if settings else None
    n_epochs = epochs if isinstance(epochs, int | float) else None
    with replacing(path) as file:
        if path.suffix.lower() == ".svg":
            picture = metrics.to_svg(title=job.id, checkpoints=checkpoints, n_epochs=n_epochs)
            file.write(picture.encode())
        else:
            axes = metrics.plot(checkpoints=checkpoints, n_epochs=n_epochs)
            axes.set_title(job.id)
            axes.figure.savefig(file, format="png", dpi=150)


@click.command()
@click.argument("job_id")
@click.option(
    "--plot",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=_picture_path,
    help="Draw the losses into this file, PNG or SVG by its ending (PNG needs the extra plot).",
)
@click.option(
    "--csv",
    "table",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=writable,
    help="Write all curves here.",
)
@server_options
@json_option
def metrics(
    job_id: str, plot: Path | None, table: Path | None, as_json: bool, server: ServerOptions
) -> None:
    """Show a job's measurements and draw its loss curve.

    Example: finetune metrics ftjob-123 --plot curve.svg --csv curves.csv
    """
    with connect(**server) as client:
        job = client.jobs.retrieve(job_id)
        found = client.jobs.metrics(job)
        if plot and found:
            has_checkpoints = "checkpoints" not in client.provider.lacks
            checkpoints = [*client.jobs.checkpoints.list(job_id)] if has_checkpoints else []
            _draw_into(plot, job, found, checkpoints)
    if table and found:
        with replacing(table) as file:
            file.write(found.to_csv().encode())
    reporter(as_json=as_json).curve(found)
    if not found and not as_json:
        click.echo(f"Job {job_id} has no metrics, or none yet.", err=True)


COMMANDS = [
    list_jobs,
    create,
    follow,
    wait,
    events,
    checkpoints,
    metrics,
    *(_verb(name, text) for name, (_, text) in _VERBS.items()),
]
