"""``finetune serve``: the embedded server on a port of this machine."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from finetune_client.errors import ConfigurationError
from finetune_client.loopback import LOCAL_PORT

__all__ = ["serve"]


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=LOCAL_PORT,
    show_default=True,
    help="0 chooses a free one.",
)
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep files, jobs and models here. Default: a temporary directory.",
)
@click.option(
    "--fault",
    "faults",
    metavar="KIND[=VALUE][xCOUNT][@PATH]",
    help="What is to go wrong, such as '429x3,reset@/jobs'. A request may then ask for a fault of "
    "its own in a header X-Finetune-Fault.",
)
@click.option(
    "--workers",
    type=click.IntRange(1),
    default=2,
    show_default=True,
    help="How many jobs train at once; the others wait in order.",
)
@click.option(
    "--any-model",
    is_flag=True,
    help="Take any model's name, and train the tiny model in its place: for tests.",
)
@click.option(
    "--webhook",
    metavar="URL",
    help="Post an event there when a job has succeeded, failed or was cancelled.",
)
@click.option(
    "--webhook-secret",
    envvar="FINETUNE_SERVE_WEBHOOK_SECRET",
    show_envvar=True,
    help="What signs these events. The variable keeps it out of the list of processes.",
)
def serve(
    port: int,
    directory: Path | None,
    faults: str | None,
    workers: int,
    *,
    any_model: bool,
    webhook: str | None,
    webhook_secret: str | None,
) -> None:
    """Serve the fine-tuning API on 127.0.0.1, with a tiny model that is really trained.

    For trying scripts out with curl or any other client. Ctrl-C ends it.
    """
    try:
        from finetune_client.local import LocalServer, serve as serve_until_interrupted
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"The embedded server needs the package {error.name}, which is not installed. "
            "Install it with: pip install 'finetune-client[local]'"
        ) from None
    logging.getLogger("waitress").setLevel(logging.ERROR)  # it warns when two requests overlap
    try:
        opened = LocalServer(
            directory,
            workers=workers,
            any_model=any_model,
            faults=faults,
            webhook=webhook,
            webhook_secret=webhook_secret,
        )
    except ConfigurationError:
        raise
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--fault") from None
    with opened as server:
        try:
            serve_until_interrupted(server, port=port, ready=_print_url)
        except OSError as error:
            raise ConfigurationError(
                f"Cannot listen on port {port}: {error.strerror}. "
                "Choose another with --port, or any free one with --port 0."
            ) from None


def _print_url(base_url: str) -> None:
    click.echo(f"Serving {base_url} until Ctrl-C; any key will do.")
    click.echo(f"Jobs and curves in a browser: {base_url.removesuffix('v1')}")
    click.echo(f"export OPENAI_BASE_URL={base_url} OPENAI_API_KEY=local")
