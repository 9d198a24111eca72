"""Where the command starts: what is missing, what ends it, what it can write."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable

    import click

__all__ = ["main"]

NEEDED = {"click", "rich", "plotille"}
INTERRUPTED = 130
ENDING = ("SIGTERM", "SIGHUP")


def main() -> None:
    """Run the command line; the entry point ``finetune``."""
    try:
        _turn(signal.SIG_DFL, _interrupt, *ENDING)  # so that nothing temporary stays behind
        command = _load()
        _write_anything()
        command()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    finally:
        _turn(_interrupt, signal.SIG_DFL, *ENDING)
        _turn(signal.default_int_handler, signal.SIG_DFL, "SIGINT")  # one more ends what is left
        _drop_what_has_no_room()


def _load() -> click.Command:
    try:
        from finetune_client.cli.commands import cli
    except ModuleNotFoundError as error:
        if error.name not in NEEDED:
            raise
        sys.exit(
            f"The command finetune needs the package {error.name}, which is not installed. "
            "Install it with: pip install 'finetune-client[cli]'"
        )
    return cli


def _turn(
    before: Callable[..., object] | int, after: Callable[..., object] | int, *names: str
) -> None:
    """Let signals do another thing than before, except those that do something else already."""
    if threading.current_thread() is not threading.main_thread():
        return  # where Python allows it to nobody
    for name in names:
        number = getattr(signal, name, None)  # Windows lacks SIGHUP
        if number is not None and signal.getsignal(number) is before:
            signal.signal(number, after)


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _write_anything() -> None:
    """Show what the output's encoding does not have as an escape instead of failing on it."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _drop_what_has_no_room() -> None:
    """Leave Python nothing to write as it ends: it would fail again, and have the last word."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            try:
                stream.flush()
            except OSError:
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
