"""The program that runs the source of a python grader: ``python -I python_process.py``.

It is started by its path and imports nothing of the package, so that a grader sees an ordinary
Python. It reads lines of JSON: first its setup, then a request for each call; it answers each with a
line of JSON. `PythonGraders` is the other side.
"""

from __future__ import annotations

import contextlib
import json
import math
import numbers
import os
import queue
import shutil
import sys
import threading
import time
import types
from typing import IO, TYPE_CHECKING, Any

if sys.platform != "win32":
    import resource

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["main"]

_SOURCE = "<grader>"
_LONGEST_ERROR = 2000
"""Characters; so that an answer stays far below what `PythonGraders` reads of one."""

_WATCH_SECONDS = 0.5


def main() -> None:
    """Answer requests until the process that sends them has ended."""
    requests, answers = _take_pipes()
    setup = json.loads(requests.readline())
    directory = setup["directory"]
    _limit_memory(setup["memory_bytes"])
    waiting: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(requests, waiting, directory), daemon=True).start()
    threading.Thread(target=_watch_parent, args=(directory,), daemon=True).start()
    _write(answers, {})
    own = os.getpid()
    grader = _Grader(setup["source"])
    while True:
        request = waiting.get()
        os.chdir(directory)
        _limit_processor(setup["cpu_seconds"])
        answer = grader.answer(request)
        if os.getpid() != own:
            os._exit(1)  # a fork that the grader made and let return
        _write(answers, answer)


class _Grader:
    """A source, whose code is run once, and its function ``grade``."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._module: types.ModuleType | None = None

    def answer(self, line: bytes) -> dict[str, Any]:
        """Return the answer to a request."""
        try:
            request = json.loads(line)
            grade = self._grade()
            if "sample" not in request:
                return {}
            return {"reward": _number(grade(request["sample"], request["item"]))}
        except BaseException as error:  # noqa: BLE001 - such as SystemExit: it is the grader's
            answer: dict[str, Any] = {"error": _text(error)}
            if isinstance(error, MemoryError):  # what filled the memory may still be there
                answer["is_last"] = True
            return answer

    def _grade(self) -> Any:
        if self._module is None:
            module = types.ModuleType("grader")
            sys.modules["grader"] = module  # dataclasses and pickle look a class's module up
            code = compile(self._source, _SOURCE, "exec", dont_inherit=True)
            exec(code, module.__dict__)  # noqa: S102 - it is what the process is for
            self._module = module
        grade = getattr(self._module, "grade", None)
        if not callable(grade):
            raise _WrongGraderError("The source defines no function 'grade(sample, item)'.")
        return grade


class _WrongGraderError(Exception):
    """The source, or what it returned, is not what the API asks for; the message says it all."""


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise _WrongGraderError(f"grade returned a {type(value).__name__}, not a number.")
    number = float(value)
    if not math.isfinite(number):
        raise _WrongGraderError(f"grade returned {number}, not a finite number.")
    return number


def _text(error: BaseException) -> str:
    """Return what went wrong, and in which line of the source."""
    try:
        message = str(error)
    except BaseException:  # noqa: BLE001 - a grader's own exception may do anything
        message = ""
    if isinstance(error, _WrongGraderError):
        return message[:_LONGEST_ERROR]
    name = type(error).__name__
    reason = f"{name}: {message}" if message else name
    if len(reason) > _LONGEST_ERROR:
        reason = f"{reason[:_LONGEST_ERROR]} ..."
    line, place = None, error.__traceback__
    while place is not None:
        if place.tb_frame.f_code.co_filename == _SOURCE:
            line = place.tb_lineno
        place = place.tb_next
    return reason if line is None else f"{reason} (line {line} of the source)"


def _take_pipes() -> tuple[IO[bytes], IO[bytes]]:
    """Return the standard input and output under numbers of their own.

    The grader gets empty ones: what it prints goes nowhere, and cannot be taken for an answer.
    """
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb", buffering=0)
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    os.close(nothing)
    return requests, answers


def _write(answers: IO[bytes], answer: Mapping[str, Any]) -> None:
    answers.write(json.dumps(answer).encode() + b"\n")


def _limit_memory(size: int) -> None:
    if sys.platform != "win32":
        _limit(resource.RLIMIT_AS, size, is_final=True)
        _limit(resource.RLIMIT_CORE, 0, is_final=True)


def _limit_processor(seconds: float) -> None:
    """Let the system end the process when a call, or what it left running, has used so much.

    It does so even if the process that asks has died, and while C code keeps all threads waiting.
    """
    if sys.platform != "win32":
        _limit(resource.RLIMIT_CPU, math.ceil(time.process_time() + seconds), is_final=False)


def _limit(kind: int, value: int, *, is_final: bool) -> None:
    if sys.platform != "win32":
        _, highest = resource.getrlimit(kind)
        if highest != resource.RLIM_INFINITY:
            value = min(value, highest)
        with contextlib.suppress(ValueError, OSError):  # macOS does not take each of them
            resource.setrlimit(kind, (value, value if is_final else highest))


def _read(requests: IO[bytes], waiting: queue.SimpleQueue[bytes], directory: str) -> None:
    for line in requests:
        waiting.put(line)
    _end(directory)


def _watch_parent(directory: str) -> None:
    """End with the parent: a fork of it may keep the other end of the pipe open."""
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(_WATCH_SECONDS)
    _end(directory)


def _end(directory: str) -> None:
    """End at once. The parent has gone, so nobody else removes the directory."""
    if os.name != "posix":
        os.chdir(os.path.dirname(directory))  # noqa: PTH120 - one that is in use cannot be removed
    shutil.rmtree(directory, ignore_errors=True)
    os._exit(0)


if __name__ == "__main__":
    main()
