"""Run the tests of one module against its changes, in a copy of the tree.

It is started by `tests.mutation.run`, in the copy: it reads a JSON object from its standard input,
and writes a JSON array for the unchanged module and then for each change: how it went, the seconds
of processor time, and of the unchanged module how many tests passed.

What the tests import from elsewhere is imported once, and each change is tried in a fork, so that it
costs its tests and little more. A fork that calculates or waits for too long, or wants too much
memory, has noticed the change: it did not pass.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import resource
import shutil
import signal
import sys
import time
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

__all__ = ["Passed", "main"]

_OFTEN_IMPORTED = ("hypothesis", "numpy", "requests", "responses", "flask", "transformers")
_PYTEST = (
    "-x",
    "-q",
    "--tb=short",
    "-pno:cacheprovider",
    "-Wignore::pytest.PytestAssertRewriteWarning",
)
_MEMORY = 6 << 30
"""Bytes that a fork may have."""

_FIRST_SECONDS = 300.0
"""Processor time in which the tests of the unchanged module must have passed."""


class Passed:
    """A plugin of pytest that counts the tests that passed."""

    def __init__(self) -> None:
        self.count = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.count += report.when == "call" and report.passed


def _import_what_is_often_imported() -> None:
    """Import what is not changed: pytest's plugins, but our own, and what the tests import."""
    for plugin in entry_points(group="pytest11"):
        if not plugin.value.startswith("finetune_client"):
            plugin.load()
    for name in _OFTEN_IMPORTED:
        if find_spec(name) is not None:
            importlib.import_module(name)


def _run_tests(module: str, tests: list[str], seconds: float, scratch: Path) -> None:
    """Run the tests in this process, which ends with them."""
    os.setsid()
    with contextlib.suppress(ValueError):  # there is a lower limit already
        resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 2))
    output = os.open(scratch / "output", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    passed = Passed()
    code = int(pytest.main([*_PYTEST, f"--basetemp={scratch / 'tmp'}", *tests], [passed]))
    tested = sys.modules.get(module.replace("/", ".").removesuffix(".py"))
    if code == 0 and Path(getattr(tested, "__file__", "")) != Path.cwd() / module:
        code, passed.count = 1, 0
        sys.stderr.write(f"The tests did not import {Path.cwd() / module}.\n")
    (scratch / "passed").write_text(str(passed.count), encoding="ascii")
    sys.stdout.flush()
    os._exit(min(code, 1))


def _try(module: str, tests: list[str], seconds: float, scratch: Path) -> tuple[str, float]:
    """Return how the tests went, and their processor time."""
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    child = os.fork()
    if child == 0:
        try:
            _run_tests(module, tests, seconds, scratch)
        finally:
            os._exit(1)
    end = time.monotonic() + 20 * seconds + 60
    done, status, usage = os.wait4(child, os.WNOHANG)
    while not done and time.monotonic() < end:
        time.sleep(0.02)
        done, status, usage = os.wait4(child, os.WNOHANG)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # also what the tests have started
    if not done:
        _, status, usage = os.wait4(child, 0)
    used = usage.ru_utime + usage.ru_stime
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) in {signal.SIGXCPU, signal.SIGKILL}:
        return "time", used
    return ("failed" if status else "passed"), used


def main() -> None:
    """See above."""
    given: dict[str, Any] = json.load(sys.stdin)
    module, tests = given["module"], given["tests"]
    scratch = Path.cwd().parent / "scratch"
    _import_what_is_often_imported()

    def tell(*what: object) -> None:
        sys.stdout.write(f"{json.dumps(what)}\n")
        sys.stdout.flush()

    verdict, used = _try(module, tests, _FIRST_SECONDS, scratch)
    passed = int((scratch / "passed").read_text(encoding="ascii")) if verdict == "passed" else 0
    tell(verdict, used, passed, (scratch / "output").read_text(encoding="utf-8", errors="replace"))
    if not passed:
        return
    limit = 3 * used + 2
    path = Path(module)
    true = path.read_bytes()
    for start, end, text in given["mutants"]:
        path.write_bytes(true[:start] + text.encode() + true[end:])
        tell(*_try(module, tests, limit, scratch))
    path.write_bytes(true)


if __name__ == "__main__":
    main()
