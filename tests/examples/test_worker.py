"""The worker of the docs is killed at each of its steps, and at any moment, and started again."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from finetune_client import Client
from finetune_client.local import LocalServer, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from subprocess import CompletedProcess

    Run = Callable[..., CompletedProcess[str]]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sends SIGKILL")

TASKS = ["one", "two", "three"]


class KillingApp:
    """The server's app, which kills a process when a request comes.

    Args:
        app: The server's.
        request: What the request's method and path begin with, such as ``POST /v1/files``.
        after: Kill when the request was carried out, and before it is answered; else before.
        answer: Only if this is in the answer.
    """

    def __init__(self, app: Any, request: str, *, after: bool, answer: bytes = b"") -> None:
        self._app = app
        self._request = request
        self._after = after
        self._answer = answer
        self._victims: list[subprocess.Popen[bytes]] = []
        self._changed = threading.Condition()

    def may_kill(self, child: subprocess.Popen[bytes]) -> None:
        with self._changed:
            self._victims = [child]
            self._changed.notify_all()

    def _kill(self) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self._victims, 20)
            child = self._victims[0]
        child.kill()  # does nothing to one that is dead
        child.wait()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        named = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}".startswith(self._request)
        if named and not self._after:
            self._request = "done"
            self._kill()
        answer = b"".join(self._app(environ, start_response))
        if named and self._after and self._answer in answer:
            self._request = "done"
            self._kill()
        return [answer]


@pytest.fixture
def queue(folder: Path, url: str, run: Run) -> Iterator[sqlite3.Connection]:
    """A queue with tasks, in which each result that is written is counted."""
    add = ["python_short_train.jsonl", "--model", "tiny"]
    assert run("worker.py", "add", TASKS[0], *add).returncode == 0
    with closing(sqlite3.connect(folder / "tasks.sqlite3", isolation_level=None)) as rows:
        for task in TASKS[1:]:
            rows.execute(
                "INSERT INTO tasks SELECT ?, path, base_model, file, job, model, error FROM tasks LIMIT 1",
                (task,),
            )
        rows.execute("CREATE TABLE written (task TEXT)")
        rows.execute(
            "CREATE TRIGGER count_results AFTER UPDATE OF model ON tasks WHEN new.model NOT NULL "
            "BEGIN INSERT INTO written VALUES (new.id); END"
        )
        yield rows


def start(folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "worker.py", "work", "--until-empty", "--pause", "0.05"]
    return subprocess.Popen(command, cwd=folder)


def check_all_done(queue: sqlite3.Connection, client: Client) -> None:
    jobs = {job.idempotency_key: job for job in client.jobs.list()}
    assert sorted(jobs, key=str) == sorted(TASKS)
    assert len(list(client.jobs.list())) == len(TASKS)
    results = queue.execute("SELECT id, job, model, error FROM tasks").fetchall()
    assert sorted(results) == sorted(
        (task, jobs[task].id, jobs[task].fine_tuned_model, None) for task in TASKS
    )
    assert sorted(queue.execute("SELECT task FROM written")) == sorted((task,) for task in TASKS)


STEPS = [
    ("POST /v1/files", False, b""),
    ("POST /v1/files", True, b""),
    ("GET /v1/fine_tuning/jobs", False, b""),  # is there a job with the key?
    ("POST /v1/fine_tuning/jobs", False, b""),
    ("POST /v1/fine_tuning/jobs", True, b""),
    ("GET /v1/fine_tuning/jobs/", False, b""),
    ("GET /v1/fine_tuning/jobs/", True, b'"status": "succeeded"'),
]


@pytest.mark.timeout(180)
def test_worker__killed_at_each_step_does_each_task_once(
    folder: Path,
    server: LocalServer,
    queue: sqlite3.Connection,
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = server.app
    for request, after, answer in STEPS:
        server.app = killing = KillingApp(app, request, after=after, answer=answer)
        with running(server) as url:
            monkeypatch.setenv("OPENAI_BASE_URL", url)
            child = start(folder)
            killing.may_kill(child)
            assert child.wait(60) == -signal.SIGKILL, request
    server.app = app
    monkeypatch.setenv("OPENAI_BASE_URL", client.base_url)
    assert start(folder).wait(60) == 0
    check_all_done(queue, client)


@pytest.mark.timeout(180)
def test_worker__killed_at_any_moment_does_each_task_once(
    folder: Path, queue: sqlite3.Connection, client: Client
) -> None:
    chance = random.Random(1)
    for _ in range(8):
        child = start(folder)
        time.sleep(0.2 + chance.random() * 0.8)
        child.kill()
        child.wait()
    assert start(folder).wait(60) == 0
    check_all_done(queue, client)


def test_worker__one_at_a_time(folder: Path, queue: sqlite3.Connection, run: Run) -> None:
    with closing(sqlite3.connect(folder / "tasks.sqlite3.lock", isolation_level=None)) as lock:
        lock.execute("BEGIN EXCLUSIVE")
        second = run("worker.py", "work", "--until-empty")
    assert (second.returncode, second.stderr) == (
        1,
        "Another worker is at work on tasks.sqlite3.\n",
    )
    assert queue.execute("SELECT count(job) FROM tasks").fetchone() == (0,)


def test_worker__what_is_refused_does_not_stop_the_others(
    folder: Path, queue: sqlite3.Connection, run: Run, client: Client
) -> None:
    bad, gone = folder / "bad.jsonl", folder / "gone.jsonl"
    bad.write_text("{}\n" * 10, encoding="utf-8")
    queue.executemany(
        "INSERT INTO tasks (id, path, base_model) VALUES (?, ?, ?)",
        [
            ("bad", str(bad), "tiny"),
            ("gone", str(gone), "tiny"),
            ("other", str(folder / "python_short_train.jsonl"), "other"),
        ],
    )
    run("worker.py", "add", "one", "bad.jsonl", "--model", "tiny")  # it is there already
    done = run("worker.py", "work", "--until-empty", "--pause", "0.05")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    listed = run("worker.py", "list").stdout.splitlines()
    assert [line.split("  ")[0] for line in listed] == [*TASKS, "bad", "gone", "other"]
    assert all("  ftjob-" in line and "  ft:tiny:" in line for line in listed[:3])
    said = [line.split("  ", 2)[1:] for line in listed[3:]]
    assert said[0][1].startswith(f"{bad} is not fit to train on")
    assert said[1][1].startswith(f"The training file {gone} cannot be read")
    assert said[2][1].startswith("The model 'other' does not exist.")
    assert {job for job, _ in said} == {"no job yet"}
    assert len(list(client.jobs.list())) == 3


def test_worker__bears_a_server_that_is_away(
    folder: Path, server: LocalServer, url: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("worker.py", "add", "one", "python_short_train.jsonl", "--model", "tiny")
    with running(server) as gone:
        port = int(gone.rpartition(":")[2].partition("/")[0])
    child = subprocess.Popen(
        [sys.executable, "worker.py", "work", "--until-empty", "--pause", "0.05"],
        cwd=folder,
        env={**os.environ, "OPENAI_BASE_URL": gone},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stderr is not None
    assert " one is tried again: " in child.stderr.readline()
    with running(server, port=port):
        child.communicate(timeout=40)
    assert child.returncode == 0
