"""Where the command starts: what is missing, what ends it, what it can write."""

from __future__ import annotations

import io
import os
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    import click

__all__ = ["main"]

NEEDED = {"click", "rich", "plotille"}
INTERRUPTED = 130


def main() -> None:
    """Run the command line; the entry point ``finetune``."""
    try:
        _end_as_ctrl_c_does("SIGTERM", "SIGHUP")
        command = _load()
        _write_anything()
        command()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # one more Ctrl-C ends what is left at once
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


def _end_as_ctrl_c_does(*names: str) -> None:
    """Let these signals end what goes on in good order, so that nothing temporary stays behind."""
    for name in names:
        number = getattr(signal, name, None)  # Windows lacks SIGHUP
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _interrupt)


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
