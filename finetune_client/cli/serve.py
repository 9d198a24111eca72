"""``finetune serve``: the embedded server on a port of this machine."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click
from click.core import ParameterSource

from finetune_client.cli.llm_options import llm_options, named_base_models
from finetune_client.cli.local import announced, made_directory, needs_extra
from finetune_client.errors import ConfigurationError
from finetune_client.loopback import ANY_ADDRESS, LOCAL_PORT, is_loopback

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

__all__ = ["COMMANDS"]

_KEYS_VARIABLE = "FINETUNE_SERVE_API_KEYS"


@click.command(epilog="Example: finetune serve --directory server --port 8080")
@click.option(
    "--host",
    default="localhost",
    show_default=True,
    help="The address to listen on; localhost is 127.0.0.1 and ::1.",
)
@click.option(
    "--allow-network",
    is_flag=True,
    help="Take a --host that other machines can reach. Keys are needed then; put a proxy with TLS "
    "in front.",
)
@click.option(
    "--allowed-host",
    "allowed_hosts",
    metavar="NAME",
    multiple=True,
    help="A name of this machine that clients may use, without a port; may be given several times.",
)
@click.option(
    "--api-key-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Take the keys in this file alone, one PROJECT:KEY a line, and keep the projects apart. "
    f"Its mode must be 0600. The variable {_KEYS_VARIABLE} may hold the keys instead.",
)
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
    envvar="FINETUNE_DIRECTORY",
    show_envvar=True,
    help="Where files, jobs and models stay. Default: the folder of your own that --local uses.",
)
@click.option("--temporary", is_flag=True, help="Keep nothing: use a directory that is removed.")
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
    "--allow-python-graders",
    is_flag=True,
    help="Run the code of python graders: whoever can call the server can then run code with your "
    "rights. Not with --allow-network or --allowed-host.",
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
@click.pass_context
def serve(
    ctx: click.Context,
    /,
    host: str,
    allowed_hosts: tuple[str, ...],
    api_key_file: Path | None,
    port: int,
    directory: Path | None,
    temporary: bool,
    faults: str | None,
    workers: int,
    base_models: tuple[str, ...],
    *,
    allow_network: bool,
    allow_python_graders: bool,
    any_model: bool,
    webhook: str | None,
    webhook_secret: str | None,
    **llm: Any,
) -> None:
    """Serve the API on this machine, with what was trained here.

    It is on this machine alone unless --host says otherwise, and its tiny model is really trained: for
    curl, scripts and any other client. It has what --local has made; --base-model adds real models.
    Ctrl-C ends it.
    """
    with needs_extra():
        from finetune_client.local import LocalServer, serve as serve_until_interrupted
    if temporary and ctx.get_parameter_source("directory") == ParameterSource.COMMANDLINE:
        raise click.UsageError("--temporary keeps nothing, so it does not go with --directory.")
    logging.getLogger("waitress").setLevel(logging.ERROR)  # it warns when two requests overlap
    api_keys = _api_keys(api_key_file)
    place = None if temporary else made_directory(directory)
    try:
        opened = LocalServer(
            place,
            workers=workers,
            any_model=any_model,
            faults=faults,
            base_models=named_base_models(base_models),
            llm_options={name: value for name, value in llm.items() if value is not None},
            webhook=webhook,
            webhook_secret=webhook_secret,
            allowed_hosts=allowed_hosts,
            api_keys=api_keys,
            allow_python_graders=allow_python_graders,
        )
    except ConfigurationError:
        raise
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    with opened as server, contextlib.ExitStack() as stack:

        def ready(base_url: str) -> None:
            stack.enter_context(announced(place, base_url))
            _print_url(base_url, host, server.allowed_hosts, has_keys=bool(api_keys))

        try:
            serve_until_interrupted(server, host, port, allow_network=allow_network, ready=ready)
        except ValueError as error:
            how = f"--allow-network, and --api-key-file or the variable {_KEYS_VARIABLE}"
            if allow_python_graders:
                how = "leave out --allow-python-graders, or --allow-network and --allowed-host"
            raise ConfigurationError(f"{error} On the command line: {how}.") from None
        except OSError as error:
            raise ConfigurationError(
                f"Cannot listen on port {port} of {host}: {error.strerror}. "
                "Choose another with --port, or any free one with --port 0."
            ) from None


def _api_keys(path: Path | None) -> Mapping[str, str]:
    """Return the keys of the file, or of the variable, with the project of each."""
    from finetune_client.local.http.api_keys import parse_api_keys, read_api_keys

    try:
        if path is not None:
            return read_api_keys(path)
        text = os.environ.get(_KEYS_VARIABLE)
        return {} if text is None else parse_api_keys(text)
    except (OSError, ValueError) as error:
        source = _KEYS_VARIABLE if path is None else f"The file {path}"
        raise ConfigurationError(f"{source} does not give the keys of a server. {error}") from None


def _print_url(base_url: str, host: str, allowed_hosts: Collection[str], *, has_keys: bool) -> None:
    keys = "with one of its keys" if has_keys else "any key will do"
    click.echo(f"Serving {base_url} until Ctrl-C; {keys}.")
    if not is_loopback(host):
        called = _own_address(host) if host in ANY_ADDRESS else host
        names = sorted(name for name in allowed_hosts if name not in {host.lower(), *ANY_ADDRESS})
        port = urlsplit(base_url).port
        urls = (f"http://{f'[{one}]' if ':' in one else one}:{port}/v1" for one in (called, *names))
        click.echo(
            f"Other machines use {' or '.join(urls)}; any other name of this machine must be allowed "
            "with --allowed-host NAME."
        )
    click.echo(f"Jobs and curves in a browser: {base_url.removesuffix('v1')}")
    key = "KEY" if has_keys else "local"
    click.echo(f"export OPENAI_BASE_URL={base_url} OPENAI_API_KEY={key}")


def _own_address(host: str) -> str:
    """Return the address at which other machines are likely to reach this one."""
    is_ipv6 = ":" in host
    family, anywhere = (
        (socket.AF_INET6, "2001:db8::1") if is_ipv6 else (socket.AF_INET, "192.0.2.1")
    )
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            # Sends nothing: the system chooses the address that it would send from.
            probe.connect((anywhere, 9))
        except OSError:
            return "ADDRESS"
        address: str = probe.getsockname()[0]
        return address


COMMANDS = [serve]
