"""A command in a real pseudo-terminal."""

from __future__ import annotations

import os
import select
import struct
import subprocess
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["in_terminal"]


def in_terminal(
    *arguments: object,
    env: dict[str, str],
    answer: str = "",
    columns: int = 80,
    seconds: float = 30,
    on_output: Callable[[bytes], object] = lambda _: None,
) -> tuple[int, str]:
    """Run ``finetune`` in a terminal; return its exit status and what the terminal showed.

    Args:
        *arguments: The command line.
        env: Added to the environment.
        answer: Typed when the command asks something.
        columns: The terminal's width.
        seconds: The longest that it may take.
        on_output: Called with what the terminal gets, block by block.
    """
    import fcntl  # POSIX has them, Windows does not
    import pty
    import termios

    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    child = subprocess.Popen(
        [sys.executable, "-m", "finetune_client.cli", *map(str, arguments)],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**os.environ, "TERM": "xterm-256color", **env},
        start_new_session=True,
    )
    os.close(slave)
    shown = b""
    deadline = time.monotonic() + seconds
    try:
        while time.monotonic() < deadline:
            if not select.select([master], [], [], 0.1)[0]:
                continue
            try:
                block = os.read(master, 65536)
            except OSError:  # Linux says so when the other end is closed
                break
            if not block:
                break
            shown += block
            on_output(block)
            if answer and shown.endswith(b": "):
                os.write(master, f"{answer}\n".encode())
                answer = ""
        status = child.wait(timeout=max(1.0, deadline - time.monotonic()))
    finally:
        child.kill()
        child.wait()
        os.close(master)
    return status, shown.decode()
