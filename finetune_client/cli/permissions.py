"""``finetune permissions``: which projects may use a checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from finetune_client.cli.connect import connect, server_options
from finetune_client.cli.output import json_option, show_rows
from finetune_client.cli.reporting import json_line, printable

if TYPE_CHECKING:
    from finetune_client.cli.connect import ServerOptions

__all__ = ["COMMANDS"]

_COLUMNS = ("id", "project_id", "created")


@click.group(epilog="Example: finetune permissions list ft:gpt-4o-mini:acme::abc")
def permissions() -> None:
    """Say which projects may use a tuned model.

    CHECKPOINT is its name as a model, such as ft:gpt-4o-mini:acme::abc. An admin key is needed, from
    OPENAI_ADMIN_KEY.
    """


@permissions.command("list", epilog="Example: finetune permissions list ft:gpt-4o-mini:acme::abc")
@click.argument("checkpoint")
@click.option("--project", metavar="ID", help="Only the permissions of this project.")
@server_options
@json_option
def list_permissions(
    checkpoint: str, project: str | None, as_json: bool, server: ServerOptions
) -> None:
    """List permissions, newest first: id, project, creation."""
    with connect(**server) as client:
        rows = client.checkpoints.permissions.list(checkpoint, project_id=project)
        show_rows(rows, _COLUMNS, as_json=as_json)


@permissions.command(
    epilog="Example: finetune permissions create ft:gpt-4o-mini:acme::abc --project proj_1"
)
@click.argument("checkpoint")
@click.option(
    "--project",
    "projects",
    multiple=True,
    required=True,
    metavar="ID",
    help="Give it twice or more.",
)
@server_options
@json_option
def create(
    checkpoint: str, projects: tuple[str, ...], as_json: bool, server: ServerOptions
) -> None:
    """Let projects use a checkpoint, and show their permissions."""
    with connect(**server) as client:
        rows = client.checkpoints.permissions.create(checkpoint, project_ids=projects)
        show_rows(rows, _COLUMNS, as_json=as_json)


@permissions.command(epilog="Example: finetune permissions delete ft:gpt-4o-mini:acme::abc cp_123")
@click.argument("checkpoint")
@click.argument("permission_id")
@server_options
@json_option
def delete(checkpoint: str, permission_id: str, as_json: bool, server: ServerOptions) -> None:
    """Take a permission away."""
    with connect(**server) as client:
        deleted = client.checkpoints.permissions.delete(
            permission_id, fine_tuned_model_checkpoint=checkpoint
        )
    if as_json:
        click.echo(json_line(deleted.to_dict()))
    else:
        click.echo(printable(f"{permission_id}: deleted."))


COMMANDS = [permissions]
