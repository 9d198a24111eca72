"""How a command ends: every documented error becomes one sentence and an exit status."""

from __future__ import annotations

import contextlib
import errno
import json
from typing import TYPE_CHECKING, Any

import click

from finetune_client.cli.reporting import printable
from finetune_client.errors import (
    ConfigurationError,
    DecodeError,
    FineTuneError,
    RequestError,
    TrainingDataError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Commands"]

WRONG_USE = (ConfigurationError, DecodeError, RequestError, TrainingDataError)


class _Failure(click.ClickException):
    """One error, shown as a sentence on stderr, or as a JSON line on stdout."""

    exit_code = 1

    def __init__(self, message: str, told: dict[str, Any] | None) -> None:
        super().__init__(message)
        self._line = told and json.dumps({"kind": "error", **told})

    def format_message(self) -> str:
        """Give the sentence, with what a terminal would act on as an escape."""
        return "\n".join(printable(line) for line in self.message.split("\n"))

    def show(self, file: Any = None) -> None:
        if self._line is None:
            super().show(file)
            return
        try:
            click.echo(self._line)
        except OSError as error:
            if error.errno != errno.EPIPE:  # of a reader who has gone nothing is to be said
                super().show(file)


class _WrongUse(_Failure):
    """What the user can put right before anything is sent."""

    exit_code = 2


def facts(error: FineTuneError) -> dict[str, Any]:
    """Give what a script wants to know of an error, ready for JSON."""
    named = {
        name: getattr(error, name, None)
        for name in ("status_code", "code", "param", "request_id", "idempotency_key", "retry_after")
    }
    given = {name: value for name, value in named.items() if value is not None}
    return {"error": type(error).__name__, "message": error.message, **given}


def _sentence(error: OSError) -> str:
    """Say what the system said, without its number."""
    if error.strerror is None:
        return f"The command cannot go on: {error}."
    place = f": {error.filename!r}" if error.filename else ""
    return f"The command cannot go on: {error.strerror}{place}."


@contextlib.contextmanager
def _usage_errors(ctx: click.Context) -> Iterator[None]:
    """Tell of wrong usage as JSON where that was asked for."""
    try:
        yield
    except click.UsageError as error:
        if not ctx.meta["json"]:
            raise
        message = error.format_message()
        raise _WrongUse(message, {"error": "UsageError", "message": message}) from None


class Commands(click.Group):
    """A group whose commands never end in a traceback for a documented error."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Look for ``--json`` first: what is wrong with the other arguments is told so too."""
        ctx.meta["json"] = "--json" in args
        with _usage_errors(ctx):
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command and turn its errors into sentences."""
        try:
            with _usage_errors(ctx):
                return super().invoke(ctx)
        except FineTuneError as error:
            failure = _WrongUse if isinstance(error, WRONG_USE) else _Failure
            raise failure(error.message, facts(error) if ctx.meta["json"] else None) from None
        except OSError as error:
            if error.errno == errno.EPIPE:  # click ends quietly when nobody reads on
                raise
            message = _sentence(error)
            told = {"error": type(error).__name__, "message": message}
            raise _Failure(message, told if ctx.meta["json"] else None) from None
        except KeyboardInterrupt as stop:
            if str(stop):
                click.echo(f"\n{stop}", err=True)
            ctx.exit(130)
