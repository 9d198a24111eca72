"""The directory through which the server and the processes of one run talk.

Lines of JSON in a file survive the server and reach it from every rank behind any launcher, which
pipes do not; requests are files too, so that they work on Windows and on other machines.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["EventReader", "RunDirectory", "RunLog"]

_LOG_LINES = 20
_LOG_BYTES = 16_384


class RunDirectory:
    """The directory of one run: from the start of its processes to their end.

    Attributes:
        path: Where it is.
        owner: A lock that the server holds while it wants the run.
        checkpoints: ``checkpoint-N`` after step N, each a model and what resuming needs.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.owner = path / "owner.lock"
        self.checkpoints = path / "checkpoints"
        self._task = path / "task.json"
        self._events = path / "events.jsonl"
        self._pause = path / "pause"
        self._cancel = path / "cancel"

    def checkpoint(self, step: int) -> Path:
        """Return the directory of the checkpoint after a step."""
        return self.checkpoints / f"checkpoint-{step}"

    def write_task(self, task: Mapping[str, Any]) -> None:
        """Write what to do."""
        self._task.write_text(json.dumps(task), encoding="utf-8")

    def read_task(self) -> dict[str, Any]:
        """Read what to do."""
        task: dict[str, Any] = json.loads(self._task.read_text(encoding="utf-8"))
        return task

    def add_event(self, event: str, **data: Any) -> None:
        """Append an event; one write, so that the lines of several processes do not mix."""
        line = json.dumps({"event": event, **data}) + "\n"
        handle = os.open(self._events, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(handle, line.encode())
        finally:
            os.close(handle)

    def events(self) -> EventReader:
        """Return a reader that begins with the first event."""
        return EventReader(self._events)

    def request_pause(self) -> None:
        """Ask the processes to save a checkpoint after the step that is under way, and to end."""
        self._pause.touch()

    def is_pause_requested(self) -> bool:
        """Tell whether `request_pause` has been called."""
        return self._pause.exists()

    def request_cancel(self) -> None:
        """Ask the processes to end at once; a directory that is gone has none any more."""
        with suppress(FileNotFoundError):
            self._cancel.touch()

    def is_cancel_requested(self) -> bool:
        """Tell whether `request_cancel` has been called."""
        return self._cancel.exists()


class RunLog:
    """What the processes of one run print: the end of the job's log, which earlier runs have begun.

    Args:
        path: The log, to which nothing of this run has been written yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._start = path.stat().st_size
        except FileNotFoundError:
            self._start = 0

    def last_lines(self) -> str:
        """Return the end of it."""
        try:
            with self.path.open("rb") as log:
                log.seek(max(self._start, log.seek(0, os.SEEK_END) - _LOG_BYTES))
                text = log.read().decode(errors="replace")
        except FileNotFoundError:
            return ""
        return "\n".join(text.splitlines()[-_LOG_LINES:])


class EventReader:
    """Reads events as they are appended."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def read(self) -> Iterator[dict[str, Any]]:
        """Yield the events that are new; a line that is not whole yet is left for later."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            return
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        for line in whole.splitlines():
            yield json.loads(line)
