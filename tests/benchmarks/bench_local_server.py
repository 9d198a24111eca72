"""What the embedded server costs, as ratios that hold on any machine.

    python -m tests.benchmarks.bench_local_server [--rounds N] [--jobs 1750] [--events 100000]

Each ratio is taken in one run, in process, without a socket, from the time on the clock: a create
against a plain retrieve, both idle, and here the processor's time too, which has no disk in it; a list of many jobs, and a start with them, against
``json.loads`` of their objects; the newest page of many events against one of few; a retrieve while
jobs train against an idle one.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import statistics
import tempfile
import time
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

from finetune_client.local import LocalServer
from tests.benchmarks.comparing import Comparison, Rounds, alternate, print_ratios, timed, work
from tests.support.gated_trainer import GatedTrainer
from tests.support.local_api import BASE, chat_lines, jsonl

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["COMPARISONS", "measured"]

ROUNDS = 7
JOBS = 1750
EVENTS = 100_000
_PATH = f"{BASE}/fine_tuning/jobs"
_RETRIEVES = 60

COMPARISONS = (
    Comparison(
        what="local server: create a job, idle",
        against="retrieve one, idle",
        ours="create",
        theirs="retrieve beside create",
        most=4.0,
    ),
    Comparison(
        what="the same, in processor time",
        against="retrieve one, idle",
        ours="work of create",
        theirs="work of retrieve beside create",
        most=4.0,
    ),
    Comparison(
        what=f"local server: list {JOBS:,} jobs",
        against="`json.loads` of the list",
        ours="list",
        theirs="json.loads",
        most=15.0,
    ),
    Comparison(
        what=f"local server: start with {JOBS:,} jobs",
        against="`json.loads` of their list",
        ours="start",
        theirs="json.loads",
        most=50.0,
    ),
    Comparison(
        what=f"local server: the newest of {EVENTS:,} events",
        against="the newest of 100",
        ours="many events",
        theirs="few events",
        most=1.5,
    ),
    Comparison(
        what="local server: retrieve while two jobs train, in a temporary directory",
        against="retrieve, idle",
        ours="retrieve, training in a temporary directory",
        theirs="retrieve, idle in a temporary directory",
        most=3.0,
    ),
    Comparison(
        what="local server: retrieve while two jobs train, in a lasting directory",
        against="retrieve, idle",
        ours="retrieve, training in a lasting directory",
        theirs="retrieve, idle in a lasting directory",
        most=3.0,
    ),
)


def median(call: Callable[[], object], times: int, *, pause: float = 0.0) -> float:
    """Return the median time of a call, in seconds."""
    taken = []
    for _ in range(times):
        time.sleep(pause)
        taken.append(timed(call))
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
        return str(self.post(_PATH, json=body)["id"])

    def until(self, job_id: str, *statuses: str) -> None:
        while json.loads(self.get(f"{_PATH}/{job_id}"))["status"] not in statuses:
            time.sleep(0.01)


def of_creates(directory: Path, rounds: int) -> Rounds:
    """The trainer never lets a job start, and each file is checked before the next create."""
    with LocalServer(directory, GatedTrainer(), workers=1) as server:
        api = Api(server)
        file_id = api.upload()
        first = api.create(file_id)
        api.until(first, "queued", "running")

        retrieve = partial(api.get, f"{_PATH}/{first}")
        works: Rounds = {"work of create": [], "work of retrieve beside create": []}

        def creates() -> float:
            taken, worked = [], []
            for _ in range(8):
                begin = time.perf_counter(), work()
                made = api.create(file_id)
                taken.append(time.perf_counter() - begin[0])
                worked.append(work() - begin[1])
                api.until(made, "queued", "running")
            works["work of create"].append(statistics.median(worked))
            return statistics.median(taken)

        def retrieves() -> float:
            begin = work()
            taken = median(retrieve, _RETRIEVES)
            works["work of retrieve beside create"].append((work() - begin) / _RETRIEVES)
            return taken

        passed = alternate({"create": creates, "retrieve beside create": retrieves}, rounds)
        return {**passed, **works}


def of_many_jobs(directory: Path, rounds: int, jobs: int = JOBS) -> Rounds:
    """Start a server with many jobs again and again, and list them."""
    with LocalServer(directory, workers=1) as server:
        api = Api(server)
        file_id = api.upload()
        job_id = api.create(file_id, hyperparameters={"n_epochs": 1, "batch_size": 20})
        api.until(job_id, "succeeded")
        api.get(_PATH)
    with closing(sqlite3.connect(directory / "state.sqlite3")) as database, database:
        select = (
            "SELECT replace(wire, id, id || ?), status, base, 1, tokens, project FROM jobs LIMIT 1"
        )
        columns = "id, wire, status, base, has_metadata, tokens, project"
        insert = f"INSERT INTO jobs ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)"
        for number in range(jobs - 1):
            row = database.execute(select, (f"{number:06}",)).fetchone()
            database.execute(insert, (json.loads(row[0])["id"], *row))
    taken: Rounds = {"start": [], "list": [], "json.loads": []}
    for _ in range(rounds):
        begin = time.perf_counter()
        server = LocalServer(directory, workers=1)
        taken["start"].append(time.perf_counter() - begin)
        with server:
            api = Api(server)
            body = api.get(_PATH, limit=jobs)
            assert len(json.loads(body)["data"]) == jobs
            calls: dict[str, Callable[[], object]] = {
                "json.loads": partial(json.loads, body),
                "list": partial(api.get, _PATH, limit=jobs),
            }
            for name, times in alternate(
                {name: partial(median, call, 5) for name, call in calls.items()}, 1
            ).items():
                taken[name] += times
    return taken


def of_events(directory: Path, rounds: int, events: int = EVENTS) -> Rounds:
    """Ask for the newest events of a job that has many, and of one that has few."""
    with LocalServer(directory, GatedTrainer(), workers=2) as server:
        api = Api(server)
        things = {}
        for name, total in (("few events", 100), ("many events", events)):
            job_id = api.create(api.upload())
            api.until(job_id, "running")
            path = f"{_PATH}/{job_id}/events"
            event = json.loads(api.get(path))["data"][0]
            ids = [f"ftevent-{total}-{number}" for number in range(total)]
            rows = [(one, job_id, "message", json.dumps({**event, "id": one})) for one in ids]
            insert = "INSERT INTO events (id, job, type, wire) VALUES (?, ?, ?, ?)"
            with server._store.database.write() as database:
                database.executemany(insert, rows)
            things[name] = partial(median, partial(api.get, path), _RETRIEVES)
        return alternate(things, rounds)


def of_training(directory: Path | None, rounds: int) -> Rounds:
    """Retrieve a job while two others train and two wait, and while nothing does."""
    where = "a temporary" if directory is None else "a lasting"
    with LocalServer(directory, workers=2) as server:
        api = Api(server)
        file_id = api.upload()
        first = api.create(file_id, hyperparameters={"n_epochs": 1})
        api.until(first, "succeeded")
        retrieve = partial(api.get, f"{_PATH}/{first}")

        def busy() -> float:
            long = {"n_epochs": 50, "batch_size": 1}
            training = [api.create(file_id, hyperparameters=long) for _ in range(4)]
            api.until(training[0], "running")
            taken = median(retrieve, _RETRIEVES, pause=0.001)
            statuses = {json.loads(api.get(f"{_PATH}/{one}"))["status"] for one in training}
            assert statuses & {"running", "queued"}, "the jobs ended too soon"
            for one in training:
                api.session.post(f"{_PATH}/{one}/cancel")
            for one in training:
                api.until(one, "cancelled", "succeeded")
            return taken

        return alternate(
            {
                f"retrieve, training in {where} directory": busy,
                f"retrieve, idle in {where} directory": lambda: median(
                    retrieve, _RETRIEVES, pause=0.001
                ),
            },
            rounds,
        )


def measured(rounds: int = ROUNDS, jobs: int = JOBS, events: int = EVENTS) -> Rounds:
    """Measure everything, each in a directory of its own."""
    with tempfile.TemporaryDirectory() as below:
        root = Path(below)
        return {
            **of_creates(root / "create", rounds),
            **of_many_jobs(root / "jobs", rounds, jobs),
            **of_events(root / "events", rounds, events),
            **of_training(None, rounds),
            **of_training(root / "training", rounds),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the embedded server.")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--jobs", type=int, default=JOBS)
    parser.add_argument("--events", type=int, default=EVENTS)
    chosen = parser.parse_args()
    rounds = measured(chosen.rounds, chosen.jobs, chosen.events)
    print(f"{chosen.jobs} jobs, {chosen.events} events")
    for name, taken in rounds.items():
        print(f"{name:45} {statistics.median(taken) * 1e3:9.2f} ms")
    print_ratios(COMPARISONS, rounds)


if __name__ == "__main__":
    main()
