"""How a command ends: every documented error becomes a sentence and an exit status."""

from __future__ import annotations

import contextlib
import difflib
import errno
import importlib
import json
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from finetune_client.cli.interrupts import INTERRUPTED
from finetune_client.errors import (
    ConfigurationError,
    DecodeError,
    FineTuneError,
    RequestError,
    TrainingDataError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Commands"]

_OF_JOBS = ("list", "show", "create", "follow", "wait", "cancel")
"""What is meant by ``finetune jobs``: other things have a group of that kind, jobs have commands."""

_USAGE_ERRORS = (ConfigurationError, DecodeError, RequestError, TrainingDataError)


class _Failure(click.ClickException):
    """One error, shown as a sentence on stderr, or as a JSON line on stdout."""

    exit_code = 1

    def __init__(self, message: str, facts: dict[str, Any] | None) -> None:
        super().__init__(message)
        self._line = facts and json.dumps({"kind": "error", **facts})

    def format_message(self) -> str:
        """Return the sentence, with control characters as escapes."""
        from finetune_client.training_data.report import printable

        return "\n".join(printable(line) for line in self.message.split("\n"))

    def show(self, file: Any = None) -> None:
        if self._line is None:
            super().show(file)
            return
        try:
            click.echo(self._line)
        except OSError as error:
            if error.errno != errno.EPIPE:  # nobody reads the output any more
                super().show(file)


class _UsageFailure(_Failure):
    """An error that the user can correct; nothing was sent."""

    exit_code = 2


def _facts_of(error: FineTuneError) -> dict[str, Any]:
    """Return what a script wants to know about an error, ready for JSON."""
    named = {
        name: getattr(error, name, None)
        for name in ("status_code", "code", "param", "request_id", "idempotency_key", "retry_after")
    }
    given = {name: value for name, value in named.items() if value is not None}
    return {"error": type(error).__name__, "message": error.message, **given}


def _sentence(error: OSError) -> str:
    """Return what the system said, without its number."""
    if error.strerror is None:
        return f"The command cannot continue: {error}."
    place = f": {error.filename!r}" if error.filename else ""
    return f"The command cannot continue: {error.strerror}{place}."


@contextlib.contextmanager
def _usage_errors(ctx: click.Context) -> Iterator[None]:
    """Report wrong usage as JSON where that was asked for."""
    try:
        yield
    except click.UsageError as error:
        if not ctx.meta["json"]:
            raise
        message = error.format_message()
        raise _UsageFailure(message, {"error": "UsageError", "message": message}) from None


class Commands(click.Group):
    """A group whose commands never end in a traceback for a documented error.

    Its commands are loaded when they are used: the list of them, and completing their names, would
    otherwise load every library that one of them needs.

    Args:
        table: Command -> the module of this package whose ``COMMANDS`` has it, and its line in the
            list.
        *args: As for `click.Group`, also the other keywords.
    """

    def __init__(
        self, *args: Any, table: Mapping[str, tuple[str, str]] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._table = table or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        return sorted({*super().list_commands(ctx), *self._table})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, and load its module first."""
        if cmd_name in self._table and cmd_name not in self.commands:
            module = importlib.import_module(f"{__package__}.{self._table[cmd_name][0]}")
            for command in module.COMMANDS:
                self.add_command(command)
        return super().get_command(ctx, cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is called; name those that may be meant if there is none."""
        name = args[0]
        is_unknown = name[:1].isalpha() and self.get_command(ctx, name) is None
        if is_unknown and not ctx.resilient_parsing:
            meant = difflib.get_close_matches(name, self.list_commands(ctx))
            if name in {"job", "jobs"}:
                meant = [*_OF_JOBS]
            one_of = "one of: " if len(meant) > 1 else ""
            hint = f" Did you mean {one_of}{', '.join(meant)}?" if meant else ""
            ctx.fail(f"No such command {name!r}.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the list of commands into the help."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in sorted(self._table.items())])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the commands and options that begin so."""
        names = [
            CompletionItem(name, help=text)
            for name, (_, text) in sorted(self._table.items())
            if name.startswith(incomplete)
        ]
        return [*names, *click.Command.shell_complete(self, ctx, incomplete)]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Look for ``--json`` first: it holds for errors in the other arguments too."""
        ctx.meta["json"] = "--json" in args
        with _usage_errors(ctx):
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command and turn its errors into sentences."""
        try:
            with _usage_errors(ctx):
                return super().invoke(ctx)
        except FineTuneError as error:
            failure = _UsageFailure if isinstance(error, _USAGE_ERRORS) else _Failure
            raise failure(error.message, _facts_of(error) if ctx.meta["json"] else None) from None
        except OSError as error:
            if error.errno == errno.EPIPE:  # click ends quietly when the reader has closed the pipe
                raise
            message = _sentence(error)
            facts = {"error": type(error).__name__, "message": message}
            raise _Failure(message, facts if ctx.meta["json"] else None) from None
        except KeyboardInterrupt as stop:
            if str(stop):
                click.echo(f"\n{stop}", err=True)
            ctx.exit(INTERRUPTED)
