"""``finetune config``: what is in force, and where each setting comes from."""

from __future__ import annotations

import importlib.util
import os
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click
from click.core import ParameterSource

from finetune_client import __version__
from finetune_client.cli.connect import connect, is_billed, ledger_option, server_options
from finetune_client.cli.output import json_option
from finetune_client.cli.reporting import json_line, printable
from finetune_client.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from finetune_client import Client
    from finetune_client.cli.connect import ServerOptions

    Setting = tuple[str, object, str]

__all__ = ["COMMANDS"]

_HIDDEN = "set, not shown"
_DEFAULT = "default"
_NOTHING = "not set"

_URL_VARIABLES = ("OPENAI_BASE_URL", "AZURE_OPENAI_ENDPOINT")
_NETWORK = {
    "proxy": ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy"),
    "certificates": ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"),
}
_EXTRAS = {
    "local": ("flask", "numpy", "platformdirs", "waitress"),
    "fast": ("msgspec",),
    "plot": ("matplotlib",),
    "tokens": ("tiktoken",),
}
"""The extras, and what they install; this command itself needs ``cli``."""


@click.command(epilog="Example: finetune config --provider nebius --json")
@ledger_option(required=False)
@server_options
@json_option
def config(
    ledger_path: Path | None,
    server: ServerOptions,
    as_json: bool,
) -> None:
    """Show which settings are in force, and where they come from.

    Of each: name, value, source. Keys are never shown, and nothing is sent.
    """
    missing = ""
    try:
        client = connect(**server, ledger_path=ledger_path)
    except ConfigurationError as error:
        client = connect(
            **server, ledger_path=ledger_path, dry_run=True
        )  # raises it again, if it is not about the key
        missing = error.message
    with client:
        settings = [
            ("version", __version__, f"Python {sys.version.split()[0]}"),
            *_server_settings(client, server["base_url"], server["provider"], missing),
            *_other_settings(client),
        ]
    if as_json:
        found = {name: {"value": value, "source": source} for name, value, source in settings}
        click.echo(json_line({"kind": "config", "settings": found}))
        return
    for name, value, source in settings:
        shown = "-" if value is None else printable(str(value))
        click.echo(f"{name}\t{shown}\t{printable(source)}")


def _server_settings(
    client: Client, base_url: str | None, provider: str | None, missing: str
) -> Iterator[Setting]:
    settings = client._session.config  # noqa: SLF001  # a client shows its settings nowhere else
    kind = settings.provider
    yield "base_url", client.base_url, _source_of_url(client, base_url)
    yield "provider", kind.name, "--provider" if provider else "told from the URL"
    if missing:
        yield "api_key", None, missing
    else:
        key = settings.credential
        yield "api_key", *((_HIDDEN, key.name) if key.source else (None, "none is needed"))
    secrets = {
        "admin_key": (settings.admin_credential.source, "OPENAI_ADMIN_KEY"),
        "webhook_secret": (settings.webhook_secret, "OPENAI_WEBHOOK_SECRET"),
    }
    for name, (value, variable) in secrets.items():
        is_set = bool(value or os.environ.get(variable))
        yield name, *((_HIDDEN, variable) if is_set else (None, _NOTHING))
    for name, header, variable in (
        ("organization", "OpenAI-Organization", "OPENAI_ORG_ID"),
        ("project", "OpenAI-Project", "OPENAI_PROJECT_ID"),
    ):
        found = settings.headers.get(header)
        yield name, found, variable if found else _NOTHING
    if settings.query:
        variable = "OPENAI_API_VERSION"
        source = variable if os.environ.get(variable) else f"provider {kind.name}"
        yield "query", "&".join("=".join(pair) for pair in settings.query), source
    is_here = kind.bills and not is_billed(client)
    yield "bills", is_billed(client), "on this machine" if is_here else f"provider {kind.name}"


def _source_of_url(client: Client, base_url: str | None) -> str:
    if base_url:
        return "--base-url"
    host = urlsplit(client.base_url).hostname
    for variable in _URL_VARIABLES:
        if urlsplit(os.environ.get(variable, "").strip()).hostname == host:
            return variable
    return f"provider {client.provider.name}"


def _other_settings(client: Client) -> Iterator[Setting]:
    settings = client._session.config  # noqa: SLF001  # as above
    connecting, silence = settings.timeout
    yield "timeout", f"{connecting:g} s to connect, {silence:g} s of silence", _DEFAULT
    yield "max_retries", settings.retries.max_retries, _DEFAULT
    ledger = settings.ledger
    given = click.get_current_context().get_parameter_source("ledger_path")
    source = "FINETUNE_LEDGER" if given == ParameterSource.ENVIRONMENT else "--ledger"
    yield "ledger", None if ledger is None else str(ledger), source if ledger else _NOTHING
    for name, variables in _NETWORK.items():
        variable = next((one for one in variables if os.environ.get(one)), None)
        # a proxy's URL may hold a password
        value = _HIDDEN if name == "proxy" else os.environ.get(variable or "")
        yield name, value if variable else None, variable or _NOTHING
    installed = [
        extra
        for extra, packages in _EXTRAS.items()
        if all(importlib.util.find_spec(package) for package in packages)
    ]
    yield "extras", ", ".join(["cli", *installed]), "installed"


COMMANDS = [config]
