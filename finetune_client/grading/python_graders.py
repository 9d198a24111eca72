"""Running python graders: each source in a process of its own, with limits.

This is no sandbox. The process has the rights of whoever runs this one: it can read their files, use
the network and start programs. The limits are for graders that go wrong, not for hostile ones.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finetune_client.backports import Self
from finetune_client.grading.templates import sample_values

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PythonGraderError", "PythonGraders", "PythonLimits"]

_PROGRAM = Path(__file__).with_name("python_process.py")
_START_SECONDS = 60.0
"""How long an interpreter may take to start on a busy machine; no grader's code runs yet."""

_END_SECONDS = 1.0
_LONGEST_ANSWER = 64 * 1024
_NO_ANSWER = "Its process wrote what is not an answer."
_KEPT_VARIABLES = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT")
"""Without these some interpreters do not start. None of them holds a secret."""


class PythonGraderError(Exception):
    """A python grader gave no reward.

    Attributes:
        server_error_type: ``process_not_started`` or ``closed`` if the grader's code was not run;
            `None` if what went wrong is the grader's own.
    """

    def __init__(self, message: str, *, server_error_type: str | None = None) -> None:
        super().__init__(message)
        self.server_error_type = server_error_type


@dataclass(frozen=True, kw_only=True, slots=True)
class PythonLimits:
    """What one call of a python grader may use. Windows has the first limit alone.

    Attributes:
        seconds: How long it may take.
        cpu_seconds: How long it may compute, its threads together; whole seconds, rounded up.
        memory_bytes: The address space of its process, the interpreter's included.
    """

    seconds: float = 30.0
    cpu_seconds: float = 30.0
    memory_bytes: int = 2 * 1024**3

    def to_dict(self) -> dict[str, Any]:
        """Return the limits as JSON has them."""
        return asdict(self)


class PythonGraders:
    """Runs python graders, each source in a process that serves many calls.

    One thread calls; `close` may come from another, and ends the call that is under way. A process
    that does not answer in time is killed; the next call starts another.

    Args:
        limits: Of each call.
    """

    def __init__(self, limits: PythonLimits) -> None:
        self._limits = limits
        self._processes: dict[str, _Process] = {}
        self._lock = threading.Lock()
        self._closed = False

    def load(self, source: str) -> None:
        """Run a source, and check that it defines ``grade``.

        Raises:
            PythonGraderError: It does not, or it cannot be run.
        """
        self._ask(source, {})

    def grade(self, source: str, sample: str, item: Mapping[str, Any]) -> float:
        """Return the reward of a sample, a finite number.

        Args:
            source: Defines ``grade(sample, item)``.
            sample: What the model answered; ``grade`` gets it as the object of `sample_values`.
            item: The row of the training file.

        Raises:
            PythonGraderError: There is none.
        """
        answer = self._ask(source, {"sample": sample_values(sample), "item": item})
        reward = answer.get("reward")
        if not isinstance(reward, float) or not math.isfinite(reward):
            raise PythonGraderError(_NO_ANSWER)
        return reward

    @property
    def is_closed(self) -> bool:
        """Whether `close` has been called."""
        return self._closed

    def _ask(self, source: str, request: Mapping[str, Any]) -> dict[str, Any]:
        try:
            line = json.dumps(request).encode() + b"\n"
        except RecursionError:
            message = "The sample or the item is nested too deep."
            raise PythonGraderError(message) from None
        answer = self._process_of(source).ask(line)
        if self._closed:
            raise _closed()
        if "error" in answer:
            raise PythonGraderError(answer["error"])
        return answer

    def _process_of(self, source: str) -> _Process:
        with self._lock:
            process = self._processes.get(source)
            if process is not None and process.is_alive():
                return process
            if process is not None:
                process.close()
            if self._closed:
                raise _closed()
            process = self._processes[source] = _Process(source, self._limits)
        process.start()
        return process

    def close(self) -> None:
        """End all processes; it can be called again."""
        with self._lock:
            self._closed = True
            processes = list(self._processes.values())
        for process in processes:
            process.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _closed() -> PythonGraderError:
    return PythonGraderError("The grading was ended.", server_error_type="closed")


class _Process:
    """The process of one source, in a session and in a directory of its own.

    Args:
        source: Its source.
        limits: Of each call.

    Raises:
        PythonGraderError: It cannot be started.
    """

    def __init__(self, source: str, limits: PythonLimits) -> None:
        self._limits = limits
        self._requests: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._close_lock = threading.Lock()
        self._is_closed = False
        with contextlib.ExitStack() as undo:
            try:
                # What was forked from the grader may write into it for ever.
                self._directory = tempfile.TemporaryDirectory(
                    prefix="finetune-grader-", ignore_cleanup_errors=True
                )
                undo.callback(self._directory.cleanup)
                self._process = subprocess.Popen(  # noqa: S603 - our own program
                    [sys.executable, "-I", str(_PROGRAM)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    cwd=self._directory.name,
                    env=_environment(self._directory.name),
                    start_new_session=True,
                )
            except OSError as error:
                raise _not_started(str(error)) from error
            undo.pop_all()
        # A fork that the grader has made may hold the pipes for ever. So this thread, which nobody
        # waits for, uses them, and not the one that wants an answer in time.
        self._thread = threading.Thread(target=self._exchange, name="finetune-grade", daemon=True)
        self._thread.start()
        setup = {"source": source, "directory": self._directory.name, **limits.to_dict()}
        self._requests.put(json.dumps(setup).encode() + b"\n")

    def start(self) -> None:
        """Wait until it has started."""
        try:
            line = self._answers.get(timeout=_START_SECONDS)
        except queue.Empty:
            line = b""
        if not line:
            self.close()
            raise _not_started("the interpreter did not answer")

    def is_alive(self) -> bool:
        """Tell whether it can be asked."""
        return not self._is_closed and self._process.poll() is None

    def ask(self, request: bytes) -> dict[str, Any]:
        """Return the answer to a request; its ``error`` says why there is none."""
        self._requests.put(request)
        try:
            line = self._answers.get(timeout=self._limits.seconds)
        except queue.Empty:
            self.close()
            return {"error": f"It took longer than {self._limits.seconds:g} seconds."}
        answer = _read(line)
        if answer is None:
            answer = {"error": _NO_ANSWER if line else self._ending(), "is_last": True}
        if "is_last" in answer:
            self.close()
        return answer

    def _exchange(self) -> None:
        while (request := self._requests.get()) is not None:
            self._answers.put(self._send(request))
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):  # what was not sent cannot be sent any more
                    pipe.close()

    def _send(self, request: bytes) -> bytes:
        """Send a request, and return the line that answers it; empty if it has ended."""
        sent, got = self._process.stdin, self._process.stdout
        if sent is None or got is None:
            return b""
        try:
            sent.write(request)
            sent.flush()
            return got.readline(_LONGEST_ANSWER)
        except OSError:
            return b""

    def _ending(self) -> str:
        """Return how it ended, in a sentence."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_SECONDS)
        status = self._process.returncode
        if status is None:
            return "Its process no longer answers."
        if status >= 0:
            return f"It ended its process (exit status {status})."
        if status == -getattr(signal, "SIGXCPU", 0):
            return f"It computed for longer than {self._limits.cpu_seconds:g} seconds."
        reason = "; the system does so when memory is short" if status == -9 else ""
        return f"Its process was killed by signal {-status}{reason}."

    def close(self) -> None:
        """Kill it and what it has started, and remove its directory."""
        with self._close_lock:
            if self._is_closed:
                return
            self._is_closed = True
            self._kill()
            self._process.wait()
            self._requests.put(None)
            self._thread.join(_END_SECONDS)
            self._directory.cleanup()

    def _kill(self) -> None:
        if sys.platform != "win32":
            # Its process group too, which may outlive it.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()


def _not_started(reason: str) -> PythonGraderError:
    return PythonGraderError(
        f"The process for the grader could not be started: {reason}.",
        server_error_type="process_not_started",
    )


def _read(line: bytes) -> dict[str, Any] | None:
    """Return an answer, or `None`: a grader can find the pipe and write into it."""
    try:
        answer = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def _environment(directory: str) -> dict[str, str]:
    """Return the environment of a process: nothing of this one's, which may hold keys."""
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    own = dict.fromkeys(("HOME", "USERPROFILE", "TMPDIR", "TEMP", "TMP"), directory)
    # One thread for numpy: its pool would reserve address space and take cores from the training.
    return {**kept, **own, "PATH": os.defpath, "OMP_NUM_THREADS": "1"}
