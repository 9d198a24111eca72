"""``finetune models``: what the server offers, and what was tuned."""

from __future__ import annotations

import contextlib
import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from finetune_client.cli.connect import connect, is_interactive, server_options
from finetune_client.cli.local import default_directory, needs_extra, show_size
from finetune_client.cli.output import is_for_subcommand, json_option, show_rows
from finetune_client.cli.reporting import json_line, printable
from finetune_client.display import counted

if TYPE_CHECKING:
    from finetune_client import Client
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
@click.option(
    "--merge",
    is_flag=True,
    help="Of an adapter: write it merged into its base model, for what takes no adapters. Needs the "
    "extra llm.",
)
@click.option(
    "--base-model",
    metavar="MODEL",
    help="With --merge: where the base model is, a directory, a GGUF file or an id of the Hugging "
    "Face hub. Default: the one that the adapter names.",
)
@server_options
@json_option
def download(
    model: str,
    directory: Path,
    checkpoint: str | None,
    base_model: str | None,
    *,
    merge: bool,
    as_json: bool,
    server: ServerOptions,
) -> None:
    """Download the weights of a model, where the server gives them.

    MODEL is a job's id or a tuned model's name; DIRECTORY a new or an empty one. What --merge writes is one model in safetensors, which
    vLLM, Ollama and the converter of llama.cpp take; the merging is done on this machine.
    """
    if base_model is not None and not merge:
        raise click.UsageError("--base-model goes with --merge.")
    step = int(checkpoint) if checkpoint is not None and checkpoint.isdecimal() else checkpoint
    progress = (not as_json and sys.stderr is not None and sys.stderr.isatty()) or None
    with connect(**server) as client, contextlib.ExitStack() as stack:
        is_adapter = merge and _is_adapter(client, model, step)
        target = directory
        if is_adapter:
            with needs_extra():
                from finetune_client.local.merge import check_can_merge
            check_can_merge(directory)
            place = stack.enter_context(tempfile.TemporaryDirectory(prefix="finetune-"))
            target = Path(place) / "adapter"
        client.models.download(model, target, checkpoint=step, progress=progress)
        if is_adapter:
            _merge(target, directory, base_model, server=server, as_json=as_json)
    names = sorted(path.name for path in directory.iterdir() if not path.name.startswith("."))
    if as_json:
        facts = {"model": model, "directory": str(directory), "files": names, "merged": is_adapter}
        click.echo(json_line({"kind": "weights", **facts}))
        return
    click.echo(printable(f"{model}: {counted(len(names), 'file')} written to {directory}."))
    if merge and not is_adapter:
        click.echo("It is no adapter, so there was nothing to merge.", err=True)


def _is_adapter(client: Client, model: str, checkpoint: str | int | None) -> bool:
    """Return whether what would be downloaded is an adapter, by the names of its files."""
    from finetune_client.local.training.llm.sources import ADAPTER_CONFIG
    from finetune_client.resources.weights import find_checkpoint

    if "weights" in client.provider.lacks:
        return False  # the download says so, before anything is sent
    found = find_checkpoint(client.jobs, model, checkpoint, {})
    names = (client.files.retrieve(name).filename or "" for name in found.result_files or ())
    return any(re.split(r"[/\\]", name)[-1] == ADAPTER_CONFIG for name in names)


def _merge(
    adapter: Path,
    directory: Path,
    base_model: str | None,
    *,
    server: ServerOptions,
    as_json: bool,
) -> None:
    from finetune_client.local import merge_adapter

    if not as_json:
        click.echo("Merging the adapter into its base model ...", err=True)
    merge_adapter(
        adapter,
        directory,
        base_model=base_model,
        server_directory=server["local_directory"] or default_directory(),
    )


COMMANDS = [models]
