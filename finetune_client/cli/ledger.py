"""The command ``finetune ledger``: what a ledger holds, and entries settled by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from finetune_client.cli.connect import ledger_option
from finetune_client.cli.output import json_option, show_rows
from finetune_client.cli.reporting import printable

if TYPE_CHECKING:
    from pathlib import Path

    from finetune_client.cli.connect import Command
    from finetune_client.ledger import Ledger

__all__ = ["COMMANDS"]

ENTRY_COLUMNS = ("key", "state", "job_id", "begun", "server")


@click.group(epilog="Example: finetune ledger list --ledger jobs.db")
def ledger() -> None:
    """Show and settle which idempotency key created which job.

    An entry in the state "begun" without a running create is one whose outcome is unknown: look for
    its job on the server, then use "set" if it is there and "forget" if it is not.
    """


def _server_option(command: Command) -> Command:
    option = click.option(
        "--base-url",
        metavar="URL",
        help="Which server's entry, if the ledger holds KEY for several.",
    )
    return option(command)


def _open(path: Path) -> Ledger:
    from finetune_client.ledger import Ledger  # loads sqlite3, which no other command needs

    return Ledger(path)


@ledger.command("list", epilog="Example: finetune ledger list --ledger jobs.db --json")
@ledger_option(required=True)
@json_option
def list_entries(ledger_path: Path, as_json: bool) -> None:
    """List entries, oldest first.

    Of each: key, state, job, start of the create, server.
    """
    show_rows(_open(ledger_path).entries(), ENTRY_COLUMNS, as_json=as_json)


@ledger.command("set", epilog="Example: finetune ledger set nightly-1 ftjob-123 --ledger jobs.db")
@click.argument("key")
@click.argument("job")
@_server_option
@ledger_option(required=True)
def set_job(key: str, job: str, base_url: str | None, ledger_path: Path) -> None:
    """Record that KEY created JOB.

    A create with KEY returns it from then on.
    """
    _open(ledger_path).set(key, job, base_url)
    click.echo(printable(f"{key} created {job}."))


@ledger.command(epilog="Example: finetune ledger forget nightly-1 --ledger jobs.db")
@click.argument("key")
@_server_option
@ledger_option(required=True)
def forget(key: str, base_url: str | None, ledger_path: Path) -> None:
    """Free KEY, so that the next create with it creates a job."""
    entry = _open(ledger_path).forget(key, base_url)
    click.echo(printable(f"{key} is free; it had created {entry.job_id or 'no known job'}."))


COMMANDS = [ledger]
