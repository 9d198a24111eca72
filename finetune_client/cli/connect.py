"""Options that say which server a command talks to, and the client they make."""

from __future__ import annotations

import functools
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, TypeVar
from urllib.parse import urlsplit

import click
from click.core import ParameterSource

from finetune_client import Client
from finetune_client.loopback import is_loopback
from finetune_client.providers import PROVIDERS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = [
    "PROVIDER",
    "Command",
    "ServerOptions",
    "confirm_cost",
    "connect",
    "grading_server_options",
    "is_billed",
    "is_interactive",
    "ledger_option",
    "named_grading",
    "named_server",
    "server_options",
    "yes_option",
]

Command = TypeVar("Command", bound="Callable[..., Any]")

PROVIDER = click.Choice(sorted(set(PROVIDERS) - {"local"}))

_PYTHON_GRADERS = click.option(
    "--allow-python-graders",
    is_flag=True,
    help="With --local: run the code of python graders, with your rights.",
)
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
    click.option(
        "--local",
        is_flag=True,
        help="Use the embedded server: the same API on this machine, no account, no key.",
    ),
    click.option(
        "--directory",
        "local_directory",
        type=click.Path(file_okay=False, path_type=Path),
        envvar="FINETUNE_DIRECTORY",
        show_envvar=True,
        help="With --local: where files, jobs and models stay. Default: a folder of your own.",
    ),
)


class ServerOptions(TypedDict):
    """What the options of `server_options` say, as the arguments of `connect`.

    Attributes:
        allow_python_graders: False for a command that does not have the option.
    """

    base_url: str | None
    provider: str | None
    allow_http: bool
    local: bool
    local_directory: Path | None
    allow_python_graders: bool


def server_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say where the server is; the command gets them as one ``server``.

    The key comes from the environment.
    """
    return _with_server(command, _OPTIONS)


def grading_server_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the same, and one about python graders: for what grades, or has a job trained on."""
    return _with_server(command, (*_OPTIONS, _PYTHON_GRADERS))


def _with_server(
    command: Callable[..., Any], options: Sequence[Callable[..., Any]]
) -> Callable[..., Any]:
    @functools.wraps(command)
    def with_server(*args: Any, **given: Any) -> Any:
        server = {name: given.pop(name, False) for name in ServerOptions.__annotations__}
        if server["local"] and (server["base_url"] or server["provider"]):
            raise click.UsageError("--local goes with neither --base-url nor --provider.")
        context = click.get_current_context()
        is_given = context.get_parameter_source("local_directory") == ParameterSource.COMMANDLINE
        # FINETUNE_DIRECTORY may be set for other commands, and --merge looks there for the base model.
        if is_given and not (server["local"] or given.get("merge")):
            raise click.UsageError("--directory goes with --local.")
        if server["allow_python_graders"] and not server["local"]:
            raise click.UsageError("--allow-python-graders goes with --local alone.")
        return command(*args, server=server, **given)

    for option in reversed(options):
        with_server = option(with_server)
    return with_server


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


def named_server(server: ServerOptions) -> str:
    """Write the options of `server_options` that name the same server in another command."""
    if server["local"]:
        directory = server["local_directory"]
        chosen = "" if directory is None else f" --directory {shlex.quote(str(directory))}"
        return f" --local{chosen}"
    given = {"--base-url": server["base_url"], "--provider": server["provider"]}
    named = "".join(f" {name} {shlex.quote(value)}" for name, value in given.items() if value)
    return f"{named} --allow-http" if server["allow_http"] else named


def named_grading(server: ServerOptions) -> str:
    """Write what `grading_server_options` has beside these, for another command that has them."""
    return " --allow-python-graders" if server["allow_python_graders"] else ""


def connect(
    *,
    base_url: str | None,
    provider: str | None,
    allow_http: bool,
    local: bool = False,
    local_directory: Path | None = None,
    allow_python_graders: bool = False,
    ledger_path: Path | None = None,
    dry_run: bool = False,
) -> Client:
    """Make the client that the options ask for; one that sends nothing needs no key."""
    if local:
        from finetune_client.cli.local import connect_locally

        return connect_locally(local_directory, allow_python_graders=allow_python_graders)
    key: Literal[False] | None = False if dry_run else None
    if provider in {"azure", "azure-classic"}:
        return Client.azure(base_url, api_key=key, allow_http=allow_http, ledger=ledger_path)
    return Client(
        key, base_url=base_url, provider=provider, allow_http=allow_http, ledger=ledger_path
    )


yes_option = click.option(
    "--yes", "-y", is_flag=True, help="Do not ask before something that costs money."
)


def is_billed(client: Client) -> bool:
    """Return whether what a server does may cost money; a server on this machine is free."""
    return client.provider.bills and not is_loopback(urlsplit(client.base_url).hostname or "")


def confirm_cost(client: Client, cost: str, *, yes: bool, quiet: bool = False) -> None:
    """Say what will be paid for, and ask once, on a terminal and against a server that bills.

    A server on this machine does not, nor does a provider that is known not to.

    Args:
        client: The client.
        cost: A sentence.
        yes: Do not ask.
        quiet: Do not say it either, where nothing is asked.

    Raises:
        click.Abort: The answer was no.
    """
    if is_billed(client) and not yes and is_interactive():
        click.confirm(f"{cost} Continue?", abort=True, err=True)
    elif not quiet:
        click.echo(cost, err=True)


def is_interactive() -> bool:
    """Return whether somebody can be asked."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()
