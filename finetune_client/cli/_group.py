"""How a command ends: every documented error becomes one sentence and an exit status."""

from __future__ import annotations

import errno
import json
from typing import Any

import click

from finetune_client.cli.reporting import printable
from finetune_client.errors import (
    ConfigurationError,
    DecodeError,
    FineTuneError,
    RequestError,
    TrainingDataError,
)

__all__ = ["Commands"]

WRONG_USE = (ConfigurationError, DecodeError, RequestError, TrainingDataError)


class _Failure(click.ClickException):
    """One error, shown as a sentence on stderr, or as a JSON line on stdout."""

    exit_code = 1

    def __init__(self, error: FineTuneError, *, as_json: bool) -> None:
        super().__init__(error.message)
        self._line = json.dumps({"kind": "error", **facts(error)}) if as_json else None

    def format_message(self) -> str:
        """Give the sentence, with what a terminal would act on as an escape."""
        return "\n".join(printable(line) for line in self.message.split("\n"))

    def show(self, file: Any = None) -> None:
        if self._line is None:
            super().show(file)
        else:
            click.echo(self._line)


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


class Commands(click.Group):
    """A group whose commands never end in a traceback for a documented error."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command and turn its errors into sentences."""
        try:
            return super().invoke(ctx)
        except FineTuneError as error:
            failure = _WrongUse if isinstance(error, WRONG_USE) else _Failure
            raise failure(error, as_json=bool(ctx.meta.get("json"))) from None
        except OSError as error:
            if error.errno == errno.EPIPE:  # click ends quietly when nobody reads on
                raise
            raise _Failure(FineTuneError(str(error)), as_json=bool(ctx.meta.get("json"))) from None
        except KeyboardInterrupt as stop:
            if str(stop):
                click.echo(f"\n{stop}", err=True)
            ctx.exit(130)
