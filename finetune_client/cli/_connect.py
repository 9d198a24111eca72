"""Options that say which server a command talks to, and the client they make."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any, TypeVar

import click

from finetune_client import Client
from finetune_client.providers import PROVIDERS

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Command", "connect", "named_server", "server_options"]

Command = TypeVar("Command", bound="Callable[..., Any]")

_OPTIONS = (
    click.option(
        "--base-url",
        metavar="URL",
        help="Where the API is. Default: OPENAI_BASE_URL, else OpenAI.",
    ),
    click.option(
        "--provider",
        type=click.Choice(sorted(set(PROVIDERS) - {"local"})),
        help="What kind of server it is. Default: told from the URL.",
    ),
)


def server_options(command: Command) -> Command:
    """Add ``--base-url`` and ``--provider``; the key comes from the environment."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def named_server(base_url: str | None, provider: str | None) -> str:
    """Write the options that name the same server in another command."""
    given = {"--base-url": base_url, "--provider": provider}
    return "".join(f" {name} {shlex.quote(value)}" for name, value in given.items() if value)


def connect(*, base_url: str | None, provider: str | None) -> Client:
    """Make the client that the options ask for."""
    if provider in {"azure", "azure-classic"}:
        return Client.azure(base_url)
    return Client(base_url=base_url, provider=provider)
