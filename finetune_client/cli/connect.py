"""Options that say which server a command talks to, and the client they make."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from finetune_client import Client
from finetune_client.providers import PROVIDERS

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PROVIDER", "Command", "connect", "ledger_option", "named_server", "server_options"]

Command = TypeVar("Command", bound="Callable[..., Any]")

PROVIDER = click.Choice(sorted(set(PROVIDERS) - {"local"}))

_OPTIONS = (
    click.option(
        "--base-url",
        metavar="URL",
        help="Where the API is. Default: OPENAI_BASE_URL, else OpenAI.",
    ),
    click.option(
        "--provider",
        type=PROVIDER,
        help="What kind of server it is. Default: told from the URL.",
    ),
    click.option(
        "--allow-http",
        is_flag=True,
        help="Allow plain http to a public host, which shows the key to the network.",
    ),
)


def server_options(command: Command) -> Command:
    """Add the options that say where the server is; the key comes from the environment."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def ledger_option(*, required: bool) -> Callable[[Command], Command]:
    """Return the option that names the ledger, as ``ledger_path``."""
    return click.option(
        "--ledger",
        "ledger_path",
        envvar="FINETUNE_LEDGER",
        show_envvar=True,
        required=required,
        type=click.Path(path_type=Path),
        metavar="PATH",
        help="The file that remembers which idempotency key created which job.",
    )


def named_server(*, base_url: str | None, provider: str | None, allow_http: bool) -> str:
    """Write the options that name the same server in another command."""
    given = {"--base-url": base_url, "--provider": provider}
    named = "".join(f" {name} {shlex.quote(value)}" for name, value in given.items() if value)
    return f"{named} --allow-http" if allow_http else named


def connect(
    *,
    base_url: str | None,
    provider: str | None,
    allow_http: bool,
    ledger_path: Path | None = None,
) -> Client:
    """Make the client that the options ask for."""
    if provider in {"azure", "azure-classic"}:
        return Client.azure(base_url, allow_http=allow_http, ledger=ledger_path)
    return Client(base_url=base_url, provider=provider, allow_http=allow_http, ledger=ledger_path)
