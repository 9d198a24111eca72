"""``finetune logs``: what the processes printed that trained a job on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from finetune_client.cli.connect import server_options
from finetune_client.cli.local import default_directory, needs_extra
from finetune_client.cli.output import json_option
from finetune_client.cli.reporting import json_line, printable
from finetune_client.errors import ConfigurationError

if TYPE_CHECKING:
    from finetune_client.cli.connect import ServerOptions

__all__ = ["COMMANDS"]


@click.command(epilog="Example: finetune logs ftjob-123 --local --follow")
@click.argument("job_id")
@click.option("--follow", "-f", is_flag=True, help="Print what is added, until the job has ended.")
@click.option("--lines", "-n", type=click.IntRange(0), help="Only so many of the last lines.")
@server_options
@json_option
def logs(
    job_id: str, follow: bool, lines: int | None, as_json: bool, server: ServerOptions
) -> None:
    """Show the log of the processes that trained a job here.

    It needs --local: the log is a file in the directory that --directory names. Of a job that has ended the last 256 KiB are kept.
    What every server tells of a job is in its events: finetune events JOB_ID
    """
    if not server["local"]:
        raise ConfigurationError(
            "Logs are on the machine that trains, and no server gives them out. Of a job that was "
            f"trained on this machine: finetune logs {job_id} --local. What a server tells of a job: "
            f"finetune events {job_id}"
        )
    with needs_extra():
        from finetune_client.local import read_job_log

    def print_status(status: str) -> None:
        click.echo(printable(f"Job {job_id}: {status}."), err=True)

    directory = server["local_directory"] or default_directory()
    for line in read_job_log(directory, job_id, lines=lines, follow=follow, on_status=print_status):
        text = json_line({"kind": "log", "job": job_id, "line": line}) if as_json else None
        click.echo(text or printable(line))


COMMANDS = [logs]
