"""The entry point ``finetune``: missing packages, and output that cannot be written."""

from __future__ import annotations

import io
import os
import sys

from finetune_client.cli.interrupts import INTERRUPTED, end_as_ctrl_c_does, end_at_the_next_one

__all__ = ["main"]

_NEEDED = {"click", "rich", "plotille"}


def main() -> None:
    """Run the command line; the entry point ``finetune``."""
    try:
        end_as_ctrl_c_does()
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
        sys.exit(INTERRUPTED)
    finally:
        end_at_the_next_one()
        _discard_unwritable_output()


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
