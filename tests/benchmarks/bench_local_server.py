"""What the embedded server costs, as ratios that hold on any machine::

    python -m tests.benchmarks.bench_local_server [--jobs 1750] [--events 100000]

Each ratio is taken in one run, in process, without a socket: a create against a plain retrieve, both
idle; a list of many jobs, and a start with them, against ``json.loads`` of their objects; the newest
page of many events against one of few; a retrieve while jobs train against an idle one.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import statistics
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

from finetune_client.local import LocalServer
from tests.support.gated_trainer import GatedTrainer
from tests.support.local_api import BASE, chat_lines, jsonl

if TYPE_CHECKING:
    from collections.abc import Callable

JOBS = f"{BASE}/fine_tuning/jobs"


def median(call: Callable[[], object], times: int, *, pause: float = 0.0) -> float:
    """The median time of a call, in seconds."""
    taken = []
    for _ in range(times):
        time.sleep(pause)
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


class Api:
    """A session of a server, without the checks of the tests."""

    def __init__(self, server: LocalServer) -> None:
        self.session = requests.Session()
        self.session.mount(BASE, server.adapter())

    def get(self, url: str, **query: Any) -> bytes:
        answer = self.session.get(url, params=query)
        assert answer.status_code == 200, answer.text
        return answer.content

    def post(self, url: str, **options: Any) -> Any:
        answer = self.session.post(url, **options)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def upload(self) -> str:
        form = {"data": {"purpose": "fine-tune"}, "files": {"file": jsonl(chat_lines(20))}}
        return str(self.post(f"{BASE}/files", **form)["id"])

    def create(self, file_id: str, **body: Any) -> str:
        metadata = {"sweep": "a", "team": "b"}
        body = {"model": "tiny", "training_file": file_id, "metadata": metadata, **body}
        return str(self.post(JOBS, json=body)["id"])

    def until(self, job_id: str, *statuses: str) -> None:
        while json.loads(self.get(f"{JOBS}/{job_id}"))["status"] not in statuses:
            time.sleep(0.01)


def bench_create(directory: Path) -> None:
    """The trainer never lets a job start, and each file is checked before the next create."""
    with LocalServer(directory, GatedTrainer(), workers=1) as server:
        api = Api(server)
        file_id, made = api.upload(), []
        for _ in range(60):
            start = time.perf_counter()
            made.append((api.create(file_id), time.perf_counter() - start))
            api.until(made[-1][0], "queued", "running")
        create = statistics.median(taken for _, taken in made)
        retrieve = median(lambda: api.get(f"{JOBS}/{made[0][0]}"), 300)
    print(f"retrieve {retrieve * 1e3:.2f} ms, create {create * 1e3:.2f} ms")
    print(f"create / retrieve, idle: {create / retrieve:.1f} (wanted: at most 4)")


def bench_many_jobs(directory: Path, jobs: int) -> None:
    with LocalServer(directory, workers=1) as server:
        api = Api(server)
        file_id = api.upload()
        job_id = api.create(file_id, hyperparameters={"n_epochs": 1, "batch_size": 20})
        api.until(job_id, "succeeded")
        api.get(JOBS)
    with closing(sqlite3.connect(directory / "state.sqlite3")) as database, database:
        select = (
            "SELECT replace(wire, id, id || ?), status, base, 1, tokens, project FROM jobs LIMIT 1"
        )
        columns = "id, wire, status, base, has_metadata, tokens, project"
        insert = f"INSERT INTO jobs ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)"
        for number in range(jobs - 1):
            row = database.execute(select, (f"{number:06}",)).fetchone()
            database.execute(insert, (json.loads(row[0])["id"], *row))
    start = time.perf_counter()
    server = LocalServer(directory, workers=1)
    started = time.perf_counter() - start
    with server:
        api = Api(server)
        body = api.get(JOBS, limit=jobs)
        assert len(json.loads(body)["data"]) == jobs
        loads = median(lambda: json.loads(body), 15)
        listed = median(lambda: api.get(JOBS, limit=jobs), 15)
    print(f"json.loads of {jobs} jobs {loads * 1e3:.1f} ms")
    print(f"list of them / json.loads: {listed / loads:.1f} (wanted: at most 15)")
    print(f"start with them / json.loads: {started / loads:.1f} (wanted: at most 50)")


def bench_events(directory: Path, events: int) -> None:
    with LocalServer(directory, GatedTrainer(), workers=1) as server:
        api = Api(server)
        job_id = api.create(api.upload())
        api.until(job_id, "running")
        path = f"{JOBS}/{job_id}/events"
        event = json.loads(api.get(path))["data"][0]
        costs = []
        for total in (100, events):
            ids = [f"ftevent-{total}-{number}" for number in range(total)]
            rows = [(one, job_id, "message", json.dumps({**event, "id": one})) for one in ids]
            insert = "INSERT INTO events (id, job, type, wire) VALUES (?, ?, ?, ?)"
            with server._store.database.write() as database:
                database.executemany(insert, rows)
            costs.append(median(lambda: api.get(path), 100))
    print(f"newest page of {events} events / of 100: {costs[1] / costs[0]:.2f} (wanted: about 1)")


def bench_training(directory: Path | None) -> None:
    with LocalServer(directory, workers=2) as server:
        api = Api(server)
        file_id = api.upload()
        first = api.create(file_id, hyperparameters={"n_epochs": 1})
        api.until(first, "succeeded")
        idle = median(lambda: api.get(f"{JOBS}/{first}"), 300)
        long = {"n_epochs": 50, "batch_size": 1}
        training = [api.create(file_id, hyperparameters=long) for _ in range(8)]
        api.until(training[0], "running")
        busy = median(lambda: api.get(f"{JOBS}/{first}"), 300, pause=0.001)
        statuses = {json.loads(api.get(f"{JOBS}/{one}"))["status"] for one in training}
        assert statuses & {"running", "queued"}, "the jobs ended too soon"
    where = "a temporary" if directory is None else "a lasting"
    print(
        f"retrieve while two jobs train / idle, {where} directory: {busy / idle:.1f} "
        "(wanted: at most 3)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1750)
    parser.add_argument("--events", type=int, default=100_000)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as below:
        root = Path(below)
        bench_create(root / "create")
        bench_many_jobs(root / "jobs", chosen.jobs)
        bench_events(root / "events", chosen.events)
        bench_training(None)
        bench_training(root / "training")


if __name__ == "__main__":
    main()
