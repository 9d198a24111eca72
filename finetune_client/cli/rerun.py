"""``finetune rerun``: the same job, again or on another server."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from finetune_client.archive.layout import DATA_FILES, provider_of_account, read_job
from finetune_client.cli.connect import (
    PROVIDER,
    connect,
    grading_server_options,
    named_grading,
    named_server,
)
from finetune_client.cli.costs import cost_options, cost_question
from finetune_client.cli.graders import read_grader
from finetune_client.cli.job_file import create_job, dry_run_option, show_what_is_sent
from finetune_client.cli.job_options import DATA_FILE, job_options, override
from finetune_client.cli.local import open_locally, with_base_model
from finetune_client.cli.output import json_option, reporter, show_rows
from finetune_client.cli.reporting import printable
from finetune_client.cli.watching import watch
from finetune_client.errors import NotFoundError, RequestError
from finetune_client.job_files import JobFile
from finetune_client.providers import COMPATIBLE, Provider, find_provider
from finetune_client.rerun import adapt_request, has_images

__all__ = ["COMMANDS"]

if TYPE_CHECKING:
    from collections.abc import Mapping

    from finetune_client.cli.connect import ServerOptions


@click.command(epilog="Example: finetune rerun ftjob-123 --provider nebius -m MODEL --dry-run")
@click.argument("source")
@click.option("--model", "-m", help="The base model; needed on another server.")
@click.option(
    "--grader",
    type=DATA_FILE,
    callback=read_grader,
    metavar="JSON",
    help="The grader of a reinforcement job, in place of its own.",
)
@job_options
@click.option("--source-base-url", metavar="URL", help="Where the job is, as --base-url.")
@click.option("--source-provider", type=PROVIDER, help="What kind of server that is.")
@dry_run_option
@cost_options
@grading_server_options
@json_option
def rerun(
    source: str,
    model: str | None,
    grader: Mapping[str, Any] | None,
    source_base_url: str | None,
    source_provider: str | None,
    dry_run: bool,
    price: float | None,
    yes: bool,
    ledger_path: Path | None,
    server: ServerOptions,
    as_json: bool,
    **wanted: Any,
) -> None:
    """Create the same job again, here or on another server.

    SOURCE is the id of a job, or the folder of an archived one, or a job file. A job's id is looked
    for where OPENAI_BASE_URL says, else at OpenAI, or at --source-base-url; --base-url and --provider
    say where the new job is created. Its files are downloaded, checked by the rules of that server
    and uploaded there. What cannot be carried over is told, with what is done instead.
    """
    local, directory = server["local"], server["local_directory"]
    elsewhere = bool(local or server["base_url"] or server["provider"])
    if elsewhere and model is None:
        raise click.UsageError("On another server --model is needed: its models have other names.")
    target = server
    if not elsewhere:
        target = {**server, "base_url": source_base_url, "provider": source_provider}
    with ExitStack() as stack:
        job, origin = _read_source(
            source,
            stack,
            base_url=source_base_url,
            provider=source_provider,
            allow_http=server["allow_http"],
            keep_ids=not elsewhere,
        )
        if elsewhere:
            _leave_out_ids(job)
        if local and model is not None:
            model, base_models = with_base_model(model, directory)
            client, _ = stack.enter_context(
                open_locally(
                    directory, base_models, allow_python_graders=server["allow_python_graders"]
                )
            )
        else:
            client = stack.enter_context(
                connect(**target, ledger_path=ledger_path, dry_run=dry_run)
            )
        job.request, notes = adapt_request(
            job.request,
            origin or client.provider,
            client.provider,
            model=model,
            grader=grader,
            images=any(has_images(path) for path in job.paths.values() if path.is_file()),
        )
        override(job, client.provider, **wanted)
        for note in notes:
            click.echo(printable(f"Note: {note}"), err=True)
        if dry_run:
            show_what_is_sent(client, job, as_json=as_json, notes=notes)
            return
        named = named_server(target)
        ask = cost_question(client, [job.request.to_dict()], price=price, yes=yes, as_json=as_json)
        made = create_job(client, job, named=named, as_json=as_json, ask=ask)
        if local:
            watch(
                client,
                reporter(as_json=as_json),
                made.id,
                named=f"{made.id}{named}",
                grading=named_grading(server),
            )
        elif as_json or not job.paths:
            show_rows([made], ("id", "status", "model"), as_json=as_json)


def _leave_out_ids(job: JobFile) -> None:
    """Leave out the validation file if only its id on the old server is known.

    Raises:
        RequestError: Only the id of the training file is known.
    """
    request = job.request
    if request.training_file:
        raise RequestError(
            f"The training file is not here: {request.training_file!r} is its id on the server that "
            f"had the job. Put it beside the job file as {DATA_FILES['training_file']!r}, or use "
            "finetune create -f if it is an id on the new server."
        )
    if request.validation_file:
        click.echo(
            printable(f"Note: validation_file: {request.validation_file} is not here; left out."),
            err=True,
        )
        request.validation_file = None


def _read_source(
    source: str,
    stack: ExitStack,
    *,
    base_url: str | None,
    provider: str | None,
    allow_http: bool,
    keep_ids: bool,
) -> tuple[JobFile, Provider | None]:
    """Return the job to make again, and whose it is: `None` if it is the new server's own.

    Args:
        source: A folder, a job file or a job's id.
        stack: What removes the downloaded files in the end.
        base_url: Where a job with this id is.
        provider: Whose the job is, if it was said.
        allow_http: See `connect`.
        keep_ids: The new server is the old one, where the files are.
    """
    path = Path(source)
    if path.exists():
        folder = path if path.is_dir() else path.parent
        job = read_job(path) if path.is_dir() else JobFile.read(path)
        named = provider or provider_of_account(folder)
        return job, COMPATIBLE if named is None else find_provider(named)
    with connect(base_url=base_url, provider=provider, allow_http=allow_http) as client:
        try:
            found = client.jobs.retrieve(source)
        except NotFoundError as error:
            error.message += f" There is no folder or job file {source!r} here either."
            raise
        if keep_ids:
            return JobFile.of_job(found, client.provider), None
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="finetune-")))
        paths = {}
        for name, file in DATA_FILES.items():
            file_id = getattr(found, name)
            if file_id:
                click.echo(f"{printable(file_id)}: downloading ...", err=True)
                paths[name] = client.files.download(file_id, folder / file)
        return JobFile.of_job(found, client.provider, paths), client.provider


COMMANDS = [rerun]
