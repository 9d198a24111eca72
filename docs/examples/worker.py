"""A queue of training tasks, and a worker that may be killed at any moment.

    python worker.py add support-7 train.jsonl --model tiny
    python worker.py work
    python worker.py list

The queue is a table in SQLite. A task's id is the idempotency key of its job: a worker that is started
again finds the job that an earlier one has created, so there is one job for each task. What is
known of a task is written down after each step, and each step may be done again.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import sqlite3
import sys
import time
from pathlib import Path

from finetune_client import (
    BadRequestError,
    Client,
    FineTuneError,
    NotFoundError,
    RequestError,
    TrainingDataError,
    UnprocessableEntityError,
    training_data,
)

log = logging.getLogger("worker")

REFUSED = (
    BadRequestError,
    NotFoundError,
    OSError,
    RequestError,
    TrainingDataError,
    UnprocessableEntityError,
)
"""What would go wrong again: such a task is given up. After all other errors it is tried again."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS tasks (
    id TEXT PRIMARY KEY,
    path TEXT NOT NULL,
    base_model TEXT NOT NULL,
    file TEXT,    -- the id of the training file, once it is uploaded
    job TEXT,     -- the id of the job, once it is created
    model TEXT,   -- the tuned model's name: the result
    error TEXT    -- or why there is none
)
"""


def connect() -> Client:
    """Return a client of `finetune serve` on this machine; for OpenAI, return Client()."""
    url = os.environ.get("OPENAI_BASE_URL", "http://127.0.0.1:8000/v1")
    return Client("local", base_url=url, provider="local")


def open_queue(path: Path) -> sqlite3.Connection:
    """Open the queue; each statement is a transaction of its own."""
    queue = sqlite3.connect(path, timeout=30, isolation_level=None)
    queue.row_factory = sqlite3.Row
    queue.execute(SCHEMA)
    return queue


def add(queue: sqlite3.Connection, task_id: str, path: Path, base_model: str) -> None:
    """Add a task; one that is there already stays as it is."""
    queue.execute(
        "INSERT OR IGNORE INTO tasks (id, path, base_model) VALUES (?, ?, ?)",
        (task_id, str(path.resolve()), base_model),
    )


def work(queue: sqlite3.Connection, client: Client, *, pause: float, until_empty: bool) -> None:
    """Do the next step of each task that has not ended, again and again."""
    while True:
        tasks = queue.execute(
            "SELECT * FROM tasks WHERE model IS NULL AND error IS NULL ORDER BY rowid"
        ).fetchall()
        if until_empty and not tasks:
            return
        for task in tasks:
            note(queue, task["id"], **next_step(client, task))
        time.sleep(pause)


def next_step(client: Client, task: sqlite3.Row) -> dict[str, str | None]:
    """Do a task's next step, and return what is known after it."""
    try:
        return upload_create_or_look(client, task)
    except REFUSED as error:
        return {"error": str(error)}
    except FineTuneError as error:  # the server cannot be reached, or is busy
        log.warning("%s is tried again: %s", task["id"], error)
        return {}


def upload_create_or_look(client: Client, task: sqlite3.Row) -> dict[str, str | None]:
    """Upload the file, or create the job, or look at the job: what the task needs next."""
    if task["file"] is None:
        report = training_data.check(task["path"])
        if not report.ok:
            return {"error": str(report)}
        return {"file": client.files.create(file=task["path"], purpose="fine-tune").id}
    if task["job"] is None:
        job = client.jobs.create(
            model=task["base_model"], training_file=task["file"], idempotency_key=task["id"]
        )
        return {"job": job.id}
    job = client.jobs.retrieve(task["job"])
    if job.is_succeeded:
        return {"model": job.fine_tuned_model}
    if job.is_terminal:
        return {"error": f"{job.id} {job.status}: {job.error.message if job.error else ''}"}
    return {}


def note(queue: sqlite3.Connection, task_id: str, **facts: str | None) -> None:
    """Write down what is known of a task; what is not given stays."""
    queue.execute(
        "UPDATE tasks SET file = coalesce(:file, file), job = coalesce(:job, job), "
        "model = coalesce(:model, model), error = coalesce(:error, error) WHERE id = :id",
        {"file": None, "job": None, "model": None, "error": None, **facts, "id": task_id},
    )


def only_worker(queue_path: Path) -> sqlite3.Connection:
    """Take a lock that the system takes back however this process ends: one worker at a time."""
    path = queue_path.with_name(f"{queue_path.name}.lock")
    lock = sqlite3.connect(path, timeout=0, isolation_level=None)
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError:
        sys.exit(f"Another worker is at work on {queue_path}.")
    return lock


def main() -> None:
    """Add a task, work, or list the tasks."""
    parser = argparse.ArgumentParser(description="Training tasks in a queue.")
    parser.add_argument("--queue", type=Path, default=Path("tasks.sqlite3"))
    commands = parser.add_subparsers(dest="command", required=True)
    adding = commands.add_parser("add", help="add a task")
    adding.add_argument("id", help="the task's name, and the idempotency key of its job")
    adding.add_argument("file", type=Path)
    adding.add_argument("--model", required=True)
    working = commands.add_parser("work", help="work until Ctrl-C")
    working.add_argument("--pause", type=float, default=10, help="seconds between two looks")
    working.add_argument("--until-empty", action="store_true", help="end with the last task")
    commands.add_parser("list", help="list the tasks")
    chosen = parser.parse_args()
    with contextlib.closing(open_queue(chosen.queue)) as queue:
        if chosen.command == "add":
            add(queue, chosen.id, chosen.file, chosen.model)
        elif chosen.command == "list":
            for task in queue.execute("SELECT * FROM tasks ORDER BY rowid"):
                job = task["job"] or "no job yet"
                result, _, _ = (task["model"] or task["error"] or "").partition("\n")
                print(f"{task['id']}  {job}  {result}")
        else:
            logging.basicConfig(format="%(asctime)s %(message)s")
            with (
                contextlib.suppress(KeyboardInterrupt),
                contextlib.closing(only_worker(chosen.queue)),
                connect() as client,
            ):
                work(queue, client, pause=chosen.pause, until_empty=chosen.until_empty)


if __name__ == "__main__":
    main()
