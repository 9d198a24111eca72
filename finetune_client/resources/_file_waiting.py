"""Waiting until a file was processed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from finetune_client.errors import WaitTimeoutError
from finetune_client.resources._file_rules import is_ready

if TYPE_CHECKING:
    from collections.abc import Callable

    from finetune_client.clock import Clock
    from finetune_client.models import FileObject
    from finetune_client.providers import Provider

__all__ = ["wait_until_ready"]

_GROWTH = 1.5


def wait_until_ready(
    look: Callable[[], FileObject],
    *,
    clock: Clock,
    provider: Provider,
    poll_interval: float | None,
    timeout: float | None,
) -> FileObject:
    """Look again and again; the last wait is cut to the time left, then comes one more look."""
    end = None if timeout is None else clock.monotonic() + timeout
    interval = provider.first_poll if poll_interval is None else poll_interval
    while True:
        file = look()
        if is_ready(file):
            return file
        left = None if end is None else end - clock.monotonic()
        if left is not None and left <= 0:
            raise WaitTimeoutError(
                f"The file {file.id!r} was still {file.status!r} after {timeout} seconds.",
                job=file,
            )
        clock.sleep(interval if left is None else min(interval, left))
        if poll_interval is None:
            interval = min(interval * _GROWTH, provider.longest_poll)
