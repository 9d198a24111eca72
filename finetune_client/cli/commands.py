"""The group ``finetune`` and its commands."""

from __future__ import annotations

import click

from finetune_client import __version__
from finetune_client.cli import (
    config,
    costs,
    evaluate,
    files,
    graders,
    jobs,
    making,
    models,
    permissions,
)
from finetune_client.cli.group import Commands
from finetune_client.cli.ledger import ledger
from finetune_client.cli.rerun import rerun
from finetune_client.cli.run import run
from finetune_client.cli.serve import serve

__all__ = ["cli"]


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, package_name="finetune-client")
def cli() -> None:
    """Fine-tune models over OpenAI-compatible APIs.

    The key comes from OPENAI_API_KEY (for Azure: AZURE_OPENAI_API_KEY); with --local none is needed.
    """


_MODULES = (config, jobs, files, making, evaluate, graders, costs, models, permissions)

for _command in (run, rerun, serve, ledger, *(one for m in _MODULES for one in m.COMMANDS)):
    cli.add_command(_command)
