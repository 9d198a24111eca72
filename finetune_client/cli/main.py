"""The entry point ``finetune``: missing packages, signals, and output that cannot be written."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["main"]

_NEEDED = {"click", "rich", "plotille"}
_INTERRUPTED = 130
_ENDING_SIGNALS = ("SIGTERM", "SIGHUP")


def main() -> None:
    """Run the command line; the entry point ``finetune``."""
    try:
        _replace_handlers(
            signal.SIG_DFL, _interrupt, *_ENDING_SIGNALS
        )  # so that temporary files are removed
        from finetune_client.cli.commands import cli

        _escape_what_cannot_be_encoded()
        cli()
    except ModuleNotFoundError as error:
        if error.name not in _NEEDED:
            raise
        sys.exit(
            f"The command finetune needs the package {error.name}, which is not installed. "
            "Install it with: pip install 'finetune-client[cli]'"
        )
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    finally:
        _replace_handlers(_interrupt, signal.SIG_DFL, *_ENDING_SIGNALS)
        _replace_handlers(
            signal.default_int_handler, signal.SIG_DFL, "SIGINT"
        )  # a second Ctrl-C ends what is still running
        _discard_unwritable_output()


def _replace_handlers(
    before: Callable[..., object] | int, after: Callable[..., object] | int, *names: str
) -> None:
    """Replace the handler ``before`` of these signals by ``after``; other handlers stay."""
    if threading.current_thread() is not threading.main_thread():
        return  # Python lets only the main thread set signal handlers
    for name in names:
        number = getattr(signal, name, None)  # Windows lacks SIGHUP
        if number is not None and signal.getsignal(number) is before:
            signal.signal(number, after)


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _escape_what_cannot_be_encoded() -> None:
    """Write characters that the output's encoding lacks as escapes instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _discard_unwritable_output() -> None:
    """Discard output that cannot be written, such as to a full disk.

    Python flushes its streams as it exits; a flush that fails again would print a traceback and
    replace the command's exit status.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            try:
                stream.flush()
            except OSError:
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
