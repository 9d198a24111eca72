"""``finetune serve``: the embedded server on a port of this machine."""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path
from typing import Any

import click

from finetune_client.cli.llm_options import llm_options, named_base_models
from finetune_client.cli.local import announced, needs_extra
from finetune_client.errors import ConfigurationError
from finetune_client.loopback import LOCAL_PORT

__all__ = ["COMMANDS"]


@click.command(epilog="Example: finetune serve --directory server --port 8080")
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
    "--base-model",
    "base_models",
    multiple=True,
    metavar="[NAME=]MODEL",
    help="A real model to train and to ask: an id of the Hugging Face hub, a directory, a GGUF file.",
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
@llm_options
def serve(
    port: int,
    directory: Path | None,
    faults: str | None,
    workers: int,
    base_models: tuple[str, ...],
    *,
    any_model: bool,
    webhook: str | None,
    webhook_secret: str | None,
    **llm: Any,
) -> None:
    """Serve the fine-tuning API on this machine, to try things out.

    It is on 127.0.0.1 alone, and its tiny model is really trained. For trying scripts out with curl or any other client. Ctrl-C ends it.
    """
    with needs_extra():
        from finetune_client.local import LocalServer, serve as serve_until_interrupted
    logging.getLogger("waitress").setLevel(logging.ERROR)  # it warns when two requests overlap
    try:
        opened = LocalServer(
            directory,
            workers=workers,
            any_model=any_model,
            faults=faults,
            base_models=named_base_models(base_models),
            llm_options={name: value for name, value in llm.items() if value is not None},
            webhook=webhook,
            webhook_secret=webhook_secret,
        )
    except ConfigurationError:
        raise
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    with opened as server, contextlib.ExitStack() as stack:

        def ready(base_url: str) -> None:
            stack.enter_context(announced(directory, base_url))
            _print_url(base_url)

        try:
            serve_until_interrupted(server, port=port, ready=ready)
        except OSError as error:
            raise ConfigurationError(
                f"Cannot listen on port {port}: {error.strerror}. "
                "Choose another with --port, or any free one with --port 0."
            ) from None


def _print_url(base_url: str) -> None:
    click.echo(f"Serving {base_url} until Ctrl-C; any key will do.")
    click.echo(f"Jobs and curves in a browser: {base_url.removesuffix('v1')}")
    click.echo(f"export OPENAI_BASE_URL={base_url} OPENAI_API_KEY=local")


COMMANDS = [serve]
