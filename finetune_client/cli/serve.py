"""``finetune serve``: the embedded server on a port of this machine."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from finetune_client.errors import ConfigurationError

__all__ = ["serve"]


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="0 takes any free one.",
)
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep files, jobs and models here. Default: a temporary directory.",
)
def serve(port: int, directory: Path | None) -> None:
    """Serve the fine-tuning API on 127.0.0.1, with a tiny model that really trains.

    For trying scripts out with curl or any other client. Ctrl-C ends it.
    """
    try:
        from finetune_client.local import LocalServer, serve as serve_forever
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"The embedded server needs the package {error.name}, which is not installed. "
            "Install it with: pip install 'finetune-client[local]'"
        ) from None
    logging.getLogger("waitress").setLevel(logging.ERROR)  # it warns when two requests overlap
    with LocalServer(directory=directory) as server:
        try:
            serve_forever(server, port=port, ready=_tell)
        except OSError as error:
            raise ConfigurationError(
                f"Port {port} cannot be listened on: {error.strerror}. "
                "Choose another with --port, or any free one with --port 0."
            ) from None


def _tell(base_url: str) -> None:
    click.echo(f"Serving {base_url} until Ctrl-C; any key will do.")
    click.echo(f"export OPENAI_BASE_URL={base_url} OPENAI_API_KEY=local")
