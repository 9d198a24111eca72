"""A Flask app that is told when a job has ended.

    export OPENAI_WEBHOOK_SECRET=whsec_...     # the server signs with the same
    flask --app flask_webhooks run             # receives
    flask --app flask_webhooks handle          # does the work; one process

Whoever sends a webhook wants its answer within seconds, and sends it again otherwise. So the view verifies,
writes the event into a table and answers; what takes longer is done by `handle`, in its own time.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from typing import TYPE_CHECKING

import click
from flask import Flask, request

from finetune_client import Client, DecodeError, FineTuneError, InvalidWebhookSignatureError

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA = """
CREATE TABLE IF NOT EXISTS events (id TEXT PRIMARY KEY, job TEXT, status TEXT, is_handled INTEGER);
CREATE TABLE IF NOT EXISTS tuned_models (job TEXT PRIMARY KEY, name TEXT, finished_at INTEGER);
"""

app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = 64 * 1024  # of a request: an event has some hundred bytes
client = Client()  # OPENAI_API_KEY, OPENAI_BASE_URL and OPENAI_WEBHOOK_SECRET


@contextlib.contextmanager
def database() -> Iterator[sqlite3.Connection]:
    """Open the database; what the block writes is written when it ends, all of it or nothing."""
    path = os.environ.get("EVENTS_DATABASE", "events.sqlite3")
    with contextlib.closing(sqlite3.connect(path, timeout=10)) as connection:
        connection.executescript(SCHEMA)
        with connection:
            yield connection


@app.post("/webhooks/finetune")
def receive() -> tuple[str, int]:
    """Take an event, once: an event that comes again has the same id."""
    try:
        event = client.webhooks.unwrap(request.get_data(), request.headers)
    except (InvalidWebhookSignatureError, DecodeError):
        return "", 400
    if event.id and event.job_id:
        with database() as rows:
            rows.execute(
                "INSERT OR IGNORE INTO events VALUES (?, ?, ?, 0)",
                (event.id, event.job_id, event.job_status),
            )
    return "", 204


@app.cli.command()
@click.option("--once", is_flag=True, help="End when nothing is left to do.")
def handle(*, once: bool) -> None:
    """Keep the models of the jobs that have ended."""
    while True:
        with database() as rows:
            events = rows.execute("SELECT id, job FROM events WHERE NOT is_handled").fetchall()
        for event_id, job_id in events:
            try:
                job = client.jobs.retrieve(job_id)
            except FineTuneError as error:
                click.echo(f"{job_id} is looked at again: {error}", err=True)
                continue
            with database() as rows:  # both or neither, also if the process is killed here
                if job.fine_tuned_model:
                    rows.execute(
                        "INSERT OR REPLACE INTO tuned_models VALUES (?, ?, ?)",
                        (job.id, job.fine_tuned_model, job.finished_at),
                    )
                rows.execute("UPDATE events SET is_handled = 1 WHERE id = ?", (event_id,))
            click.echo(f"{job.id} {job.status}: {job.fine_tuned_model or 'no model'}")
        if once:
            return
        time.sleep(5)
