"""Commands about training files and models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from finetune_client.cli.connect import PROVIDER, connect, server_options
from finetune_client.cli.job_options import DATA_FILE, expires_after_option
from finetune_client.cli.output import json_option, reporter, show_rows
from finetune_client.errors import TrainingDataError
from finetune_client.training_data import check as check_data
from finetune_client.training_data.formats import METHODS

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["COMMANDS"]

_FILE_COLUMNS = ("id", "bytes", "purpose", "status", "filename")


@click.command()
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
    """Check whether FILE is fit to train on, and what is wrong with it; sends nothing.

    Exit status: 0 when it is fit, 2 when it is not.
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


@click.command()
@click.argument("file", type=DATA_FILE)
@click.option("--purpose", default="fine-tune", show_default=True)
@expires_after_option
@server_options
@json_option
def upload(
    file: Path, purpose: str, expires_after: int | None, as_json: bool, **server: Any
) -> None:
    """Upload FILE and print its id."""
    out = reporter(as_json=as_json)
    with connect(**server) as client:
        with out.uploading(file) as progress:
            uploaded = client.files.upload(
                file, purpose=purpose, expires_after=expires_after, progress=progress
            )
        out.uploaded(file, uploaded)


@click.command()
@click.option("--purpose", help="Only files of this purpose.")
@server_options
@json_option
def files(purpose: str | None, as_json: bool, **server: Any) -> None:
    """List files, newest first: id, bytes, purpose, status, name."""
    with connect(**server) as client:
        show_rows(client.files.list(purpose=purpose), _FILE_COLUMNS, as_json=as_json)


@click.command()
@server_options
@json_option
def models(as_json: bool, **server: Any) -> None:
    """List models: id, owner."""
    with connect(**server) as client:
        show_rows(client.models.list(), ("id", "owned_by"), as_json=as_json)


COMMANDS = [check, upload, files, models]
