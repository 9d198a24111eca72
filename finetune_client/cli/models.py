"""``finetune models``: what the server offers, and what was tuned."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from finetune_client.cli.connect import connect, is_interactive, server_options
from finetune_client.cli.local import show_size
from finetune_client.cli.output import is_for_subcommand, json_option, show_rows
from finetune_client.cli.reporting import json_line, printable

if TYPE_CHECKING:
    from finetune_client.cli.connect import ServerOptions

__all__ = ["COMMANDS"]


@click.group(
    invoke_without_command=True,
    epilog="Example: finetune models; finetune models show ft:gpt-4o-mini:acme::abc",
)
@server_options
@json_option
@click.pass_context
def models(ctx: click.Context, /, as_json: bool, server: ServerOptions) -> None:
    """List models, or handle one with a command below.

    The list has of each: id, owner.
    """
    if is_for_subcommand(ctx):
        return
    with connect(**server) as client:
        show_rows(client.models.list(), ("id", "owned_by"), as_json=as_json)
    if server["local"] and not as_json:
        show_size(server["local_directory"])


@models.command(epilog="Example: finetune models show gpt-4o-mini-2024-07-18")
@click.argument("model")
@server_options
@json_option
def show(model: str, as_json: bool, server: ServerOptions) -> None:
    """Show a model: id, owner, day of its shutdown if one is set."""
    with connect(**server) as client:
        found = client.models.retrieve(model)
        show_rows([found], ("id", "owned_by", "shutdown_date"), as_json=as_json)


@models.command(epilog="Example: finetune models delete ft:gpt-4o-mini:acme::abc --yes")
@click.argument("model")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@server_options
@json_option
def delete(model: str, yes: bool, as_json: bool, server: ServerOptions) -> None:
    """Delete a tuned model, for good.

    On a terminal it asks first: to have the model again, its job has to be paid for again.
    """
    with connect(**server) as client:
        if not yes and is_interactive():
            click.confirm(printable(f"Delete {model} for good?"), abort=True, err=True)
        deleted = client.models.delete(model)
    if as_json:
        click.echo(json_line(deleted.to_dict()))
    else:
        click.echo(printable(f"{model}: deleted."))


@models.command(epilog="Example: finetune models download ftjob-123 weights/ --checkpoint 24")
@click.argument("model")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--checkpoint", help="Which one of the job: its id, its name, or its step. Default: the last."
)
@server_options
@json_option
def download(
    model: str, directory: Path, checkpoint: str | None, as_json: bool, server: ServerOptions
) -> None:
    """Download the weights of a model, where the server gives them.

    MODEL is a job's id or a tuned model's name; DIRECTORY a new or an empty one.
    """
    step = int(checkpoint) if checkpoint is not None and checkpoint.isdecimal() else checkpoint
    with connect(**server) as client:
        bar = not as_json and sys.stderr is not None and sys.stderr.isatty()
        client.models.download(model, directory, checkpoint=step, progress=bar or None)
    names = sorted(path.name for path in directory.iterdir() if not path.name.startswith("."))
    if as_json:
        facts = {"model": model, "directory": str(directory), "files": names}
        click.echo(json_line({"kind": "weights", **facts}))
    else:
        click.echo(printable(f"{model}: {len(names)} files written to {directory}."))


COMMANDS = [models]
