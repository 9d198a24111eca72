"""Commands about files: here and on the server."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from finetune_client.atomic_file import refuse_existing
from finetune_client.cli.connect import PROVIDER, connect, server_options
from finetune_client.cli.job_options import DATA_FILE, expires_after_option
from finetune_client.cli.output import (
    is_for_subcommand,
    json_option,
    refused_overwriting,
    reporter,
    show_rows,
    writable,
)
from finetune_client.cli.reporting import json_line, printable
from finetune_client.errors import TrainingDataError
from finetune_client.training_data import check as check_data
from finetune_client.training_data.formats import METHODS

if TYPE_CHECKING:
    from finetune_client import FileObject
    from finetune_client.cli.connect import ServerOptions

__all__ = ["COMMANDS"]

_FILE_COLUMNS = ("id", "bytes", "purpose", "status", "filename")


@click.command(epilog="Example: finetune check train.jsonl --validation valid.jsonl")
@click.argument("file", type=DATA_FILE)
@click.option("--method", type=click.Choice(list(METHODS)), help="Default: told from the file.")
@click.option("--validation", type=DATA_FILE, metavar="FILE", help="Look for leaks to this file.")
@click.option("--model", "-m", help="The base model; tells how long an example may be.")
@click.option("--provider", type=PROVIDER, default="openai", help="Whose rules. Default: openai.")
@click.option(
    "--least-examples",
    type=click.IntRange(1),
    metavar="N",
    help="How many examples it must hold. Default: as many as a job needs; 1 for a validation file.",
)
@json_option
def check(
    file: Path,
    method: str | None,
    validation: Path | None,
    model: str | None,
    provider: str,
    least_examples: int | None,
    as_json: bool,
) -> None:
    """Check whether FILE is fit to train on; sends nothing.

    Tells what is wrong with it, with line and remedy. Exit status: 0 when it is fit, 2 when it is not.
    """
    report = check_data(
        file,
        method,
        provider=provider,
        model=model,
        validation=validation,
        least_examples=least_examples,
    )
    if as_json:
        reporter(as_json=True).checked(file, report)
    else:
        click.echo(str(report))
    if not report.ok:
        raise TrainingDataError(f"{file} is not fit to train on.", report=report)


@click.command(epilog="Example: finetune upload train.jsonl --expires-after 604800")
@click.argument("file", type=DATA_FILE)
@click.option("--purpose", default="fine-tune", show_default=True)
@expires_after_option
@server_options
@json_option
def upload(
    file: Path, purpose: str, expires_after: int | None, as_json: bool, server: ServerOptions
) -> None:
    """Upload FILE and print its id."""
    out = reporter(as_json=as_json)
    with connect(**server) as client:
        with out.uploading(file) as progress:
            uploaded = client.files.upload(
                file, purpose=purpose, expires_after=expires_after, progress=progress
            )
        out.uploaded(file, uploaded)


@click.group(
    invoke_without_command=True,
    epilog="Example: finetune files --purpose fine-tune; finetune files download file-123",
)
@click.option("--purpose", help="Only files of this purpose.")
@server_options
@json_option
@click.pass_context
def files(ctx: click.Context, /, purpose: str | None, as_json: bool, server: ServerOptions) -> None:
    """List files, or handle one with a command below.

    The list has the newest first: id, bytes, purpose, status, name.
    """
    if is_for_subcommand(ctx):
        return
    with connect(**server) as client:
        show_rows(client.files.list(purpose=purpose), _FILE_COLUMNS, as_json=as_json)


@files.command(epilog="Example: finetune files show file-123 --json")
@click.argument("file_id")
@server_options
@json_option
def show(file_id: str, as_json: bool, server: ServerOptions) -> None:
    """Show a file: id, bytes, purpose, status, name."""
    with connect(**server) as client:
        show_rows([client.files.retrieve(file_id)], _FILE_COLUMNS, as_json=as_json)


@files.command(epilog="Example: finetune files download file-123 -o results.csv")
@click.argument("file_id")
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    callback=writable,
    metavar="PATH",
    help="Where to write. Default: under its own name, here. - is the standard output.",
)
@click.option("--overwrite", is_flag=True, help="Replace a file that is there.")
@server_options
@json_option
def download(
    file_id: str, output: Path | None, overwrite: bool, as_json: bool, server: ServerOptions
) -> None:
    """Download a file, whole or not at all."""
    with connect(**server) as client:
        if output == Path("-"):
            with click.open_file("-", "wb") as stdout:
                for block in client.files.stream(file_id):
                    stdout.write(block)
            return
        target = output or Path()
        if target.is_dir():
            target /= _own_name(client.files.retrieve(file_id))
        with refused_overwriting():
            refuse_existing(target, overwrite=overwrite)
        bar = not as_json and sys.stderr is not None and sys.stderr.isatty()
        client.files.download(file_id, target, progress=bar or None)
    if as_json:
        facts = {"file_id": file_id, "path": str(target), "bytes": target.stat().st_size}
        click.echo(json_line({"kind": "download", **facts}))
    else:
        click.echo(printable(f"{file_id}: written to {target}."))


def _own_name(file: FileObject) -> str:
    """Return the last part of the name that the server has for a file; its id if that is no name."""
    name = (file.filename or "").replace("\\", "/").rpartition("/")[2]
    return name if name.strip(". ") and name.isprintable() else file.id


@files.command(epilog="Example: finetune files delete file-123 file-456")
@click.argument("file_ids", nargs=-1, required=True, metavar="FILE_ID...")
@server_options
@json_option
def delete(file_ids: tuple[str, ...], as_json: bool, server: ServerOptions) -> None:
    """Delete files from the server, for good."""
    with connect(**server) as client:
        for file_id in file_ids:
            deleted = client.files.delete(file_id)
            if as_json:
                click.echo(json_line(deleted.to_dict()))
            else:
                click.echo(printable(f"{file_id}: deleted."))


@files.command(epilog="Example: finetune files wait file-123 --timeout 600")
@click.argument("file_id")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=1800,
    show_default=True,
    metavar="SECONDS",
    help="Stop waiting after so long.",
)
@server_options
@json_option
def wait(file_id: str, timeout: float, as_json: bool, server: ServerOptions) -> None:
    """Wait until the server has processed a file.

    Exit status: 0 when it can be used, 2 when the server found it unfit, 1 when the time is over.
    """
    with connect(**server) as client:
        file = client.files.wait_for_processing(file_id, timeout=timeout)
        show_rows([file], _FILE_COLUMNS, as_json=as_json)


COMMANDS = [check, upload, files]
