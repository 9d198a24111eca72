"""Many clients of a server that fails at random and is killed again and again::

    python -m tests.local.soak [--clients 16] [--jobs 200] [--seed 0]

Threads upload a file, create a job, follow its events and read its result, while the server answers
some requests with 429, 500, 503, a page of a proxy, half an answer, late, or not at all, and is killed
(``kill -9``) and started again. One half of them have a `Client` and a project each; the others
share one `Client`. In the end each job is there once, and is its creator's, with the events and
numbers of a job that nobody interrupted; and the process has no more threads and open files than
before, and hardly more memory than after the first quarter of the jobs.

`tests.local.kill_server` tries the server; this tries the client.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from finetune_client import Client
from finetune_client.errors import (
    APIConnectionError,
    APIResponseError,
    BadRequestError,
    IntegrityError,
    InternalServerError,
    JobMayExistError,
    RateLimitError,
)
from tests.local.kill_server import TRAIN, Server

if TYPE_CHECKING:
    from collections.abc import Callable

    from finetune_client.models import FineTuningJob
    from finetune_client.transport import ResponseInfo

__all__ = ["Soak"]

T = TypeVar("T")

FAULTS = ("429", "429=0.1", "500", "503=0.1", "reset", "lost", "cut", "html", "delay=0.3")
PASSING = (
    APIConnectionError,
    APIResponseError,
    IntegrityError,
    InternalServerError,
    JobMayExistError,
    RateLimitError,
)
"""What a program that is patient tries again after."""

PATIENCE = 600.0
"""Seconds in which a job must have ended, and a call been answered, over all restarts."""

SEEDS = (1, 2, 3, 4)
"""Of the jobs; each has other numbers."""

_MEGABYTE = 1 << 20
_MOST_GROWTH = 32
"""Megabytes that the process may have in the end beyond what it had after a quarter of the jobs."""


class Resources:
    """What this process holds now; what the system does not tell is 0."""

    def __init__(self) -> None:
        gc.collect()
        self.threads = threading.active_count()
        self.descriptors = 0
        self.megabytes = 0.0
        if Path("/proc/self/statm").exists():
            self.descriptors = len([*Path("/proc/self/fd").iterdir()])
            pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
            self.megabytes = pages * os.sysconf("SC_PAGE_SIZE") / _MEGABYTE


class Tickets:
    """The numbers of the jobs that are still to be made, for several threads."""

    def __init__(self, count: int) -> None:
        self._lock = threading.Lock()
        self._left = list(range(count, 0, -1))
        self.total = count
        self.done = 0

    def take(self) -> int | None:
        """Return the next number; `None` if there is none."""
        with self._lock:
            return self._left.pop() if self._left else None

    def finish(self) -> None:
        """Count a job that has ended."""
        with self._lock:
            self.done += 1


class Worker(threading.Thread):
    """One client, and what it was answered."""

    def __init__(self, client: Client, name: str, chance: random.Random, tickets: Tickets) -> None:
        super().__init__(daemon=True, name=name)
        self._client = client
        self._chance = chance
        self._tickets = tickets
        self.jobs: dict[str, FineTuningJob] = {}
        self.events: dict[str, list[str]] = {}
        self.files: dict[str, bytes] = {}
        self.tried_again: Counter[str] = Counter()
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            while (number := self._tickets.take()) is not None:
                self._journey(f"{self.name}-{number}", SEEDS[number % len(SEEDS)])
                self._tickets.finish()
        except BaseException as error:  # noqa: BLE001 - told by the main thread
            self.failure = error

    def patiently(self, call: Callable[[], T]) -> T:
        """Return what a call returns, which is made again after what passes."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return call()
            except PASSING as error:
                self.tried_again[type(error).__name__] += 1
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.05)

    def _journey(self, key: str, seed: int) -> None:
        calls = self._client
        own = f"{key}\n".encode() * 100
        note = self.patiently(lambda: calls.files.create(file=("note", own), purpose="user_data"))
        train = self.patiently(
            lambda: calls.files.create(file=("t.jsonl", TRAIN.encode()), purpose="fine-tune")
        )
        self.files.update({note.id: own, train.id: TRAIN.encode()})
        made = self.patiently(
            lambda: calls.jobs.create(
                model="tiny",
                training_file=train.id,
                seed=seed,
                metadata={"key": key},
                hyperparameters={"n_epochs": 5, "batch_size": 4},
                idempotency_key=key,
            )
        )
        assert made.training_file == train.id, f"{key} was given the job of another file"
        is_cancelled = self._chance.random() < 0.1
        seen: list[str] = []
        for event in calls.jobs.follow(
            made.id, timeout=PATIENCE, max_outage=PATIENCE, poll_interval=0.05
        ):
            assert event.id not in seen, f"{event.id} of {made.id} was given twice"
            seen.append(event.id or "")
            if is_cancelled:
                is_cancelled = False
                self._cancel(made.id)
        self.events[made.id] = seen
        self.jobs[key] = self.patiently(lambda: calls.jobs.retrieve(made.id))

    def _cancel(self, job_id: str) -> None:
        try:
            self.patiently(lambda: self._client.jobs.cancel(job_id))
        except BadRequestError as error:  # it has ended, or the answer of the first cancel was lost
            if "cannot be cancelled" not in error.message:
                raise

    def check(self, numbers: dict[int, bytes]) -> None:
        """Check that all that was answered is there, and nothing of anybody else."""
        calls = self._client
        for file_id, content in self.files.items():
            found: bytes = self.patiently(lambda file_id=file_id: calls.files.content(file_id))  # type: ignore[misc]
            assert found == content, f"{file_id} has the content of another file"
        for key, job in self.jobs.items():
            assert job.metadata is not None
            assert job.metadata["key"] == key, f"{key} was given the job of another"
            assert job.status in {"succeeded", "cancelled"}, job
            listed = self.patiently(lambda job=job: [*calls.jobs.list_events(job.id, limit=100)])  # type: ignore[misc]
            told = [event.id for event in reversed(listed)]
            assert self.events[job.id] == told, f"events of {job.id} were lost or moved"
            if job.status == "succeeded":
                assert job.result_files
                file_id = job.result_files[0]
                result = self.patiently(lambda file_id=file_id: calls.files.content(file_id))  # type: ignore[misc]
                assert result == numbers[job.seed or 0], f"the numbers of {job.id} are not its own"


class Soak:
    """A server that fails and is killed, its clients, and what this process holds for them.

    Args:
        directory: What the server keeps is here.
        clients: How many threads make calls.
        seed: Decides faults, kills and cancels.
    """

    def __init__(self, directory: Path, *, clients: int, seed: int) -> None:
        self._chance = random.Random(seed)
        alone = clients // 2
        names = [*(f"key-{number}" for number in range(alone)), *["shared"] * (clients - alone)]
        self._names = names
        self._server = Server(
            directory,
            seed=1000 * seed,
            faults=FAULTS,
            per_second=5,
            api_keys={name: f"project-{name}" for name in names},
        )
        self._answers: Counter[int] = Counter()

    def run(
        self, jobs: int, kills: float = math.inf, say: Callable[[str], object] = lambda _: None
    ) -> dict[str, Any]:
        """Make so many jobs, killing the server all the while or so often; return the figures.

        Raises:
            AssertionError: Something was lost, is there twice or is another's, or was not released.
        """
        numbers = _numbers()
        before = Resources()
        tickets = Tickets(jobs)
        connected: dict[str, Client] = {}
        self._server.start()
        try:
            for name in self._names:
                connected.setdefault(name, self._connect(name))
            workers = [
                Worker(connected[name], f"c{number}", random.Random(self._chance.random()), tickets)
                for number, name in enumerate(self._names)
            ]
            for worker in workers:
                worker.start()
            killed, early = self._kill_while(workers, tickets, kills, say)
            for worker in workers:
                worker.join(PATIENCE)
                assert not worker.is_alive(), f"{worker.name} does not end"
                worker.check(numbers)
            late = Resources()
            self._check_nothing_is_twice(workers, connected)
        finally:
            for client in connected.values():
                client.close()
            self._server.kill()
        figures: dict[str, Any] = {
            "jobs": sum(len(one.jobs) for one in workers),
            "events": sum(len(ids) for one in workers for ids in one.events.values()),
            "kills": killed,
            "answers": self._answered(),
            "errors": sum(n for status, n in self._answers.items() if status >= 400),
            "tried again": dict(sum((one.tried_again for one in workers), Counter[str]())),
            "megabytes": [round(one.megabytes, 1) for one in (before, early, late)],
        }
        assert figures["jobs"] == jobs
        assert late.megabytes - early.megabytes < _MOST_GROWTH, figures
        del workers, connected
        after = Resources()
        figures["threads"] = [one.threads for one in (before, early, after)]
        figures["descriptors"] = [one.descriptors for one in (before, early, after)]
        assert after.threads <= before.threads, figures
        assert after.descriptors <= before.descriptors, figures
        return figures

    def _connect(self, name: str) -> Client:
        def note(answer: ResponseInfo) -> None:
            self._answers[answer.status] += 1

        return Client(
            name, base_url=self._server.url, provider="local", timeout=(5, 20), on_response=note
        )

    def _answered(self) -> int:
        return sum(self._answers.copy().values())

    def _kill_while(
        self,
        workers: list[Worker],
        tickets: Tickets,
        most: float,
        say: Callable[[str], object],
    ) -> tuple[int, Resources]:
        """Kill the server until the jobs are made; return how often, and what a quarter took."""
        kills, early = 0, None
        while any(worker.is_alive() for worker in workers):
            # Counted in answers, so that a slow machine gets on between two kills, too.
            enough = self._answered() + self._chance.randint(50, 800)
            while any(one.is_alive() for one in workers) and self._answered() < enough:
                time.sleep(0.02)
            if kills < most:
                self._server.kill()
                self._server.start()
                kills += 1
            for worker in workers:
                if worker.failure is not None:
                    raise worker.failure
            if early is None and tickets.done >= tickets.total // 4:
                early = Resources()
            say(f"killed {kills} times, {tickets.done} jobs")
        return kills, early or Resources()

    @staticmethod
    def _check_nothing_is_twice(workers: list[Worker], connected: dict[str, Client]) -> None:
        """Check that each project has the jobs of its clients, each of them once."""
        made: dict[int, dict[str, str]] = {}
        for worker in workers:
            ids = {key: job.id for key, job in worker.jobs.items()}
            made.setdefault(id(worker._client), {}).update(ids)
        for client in connected.values():
            listed = workers[0].patiently(lambda client=client: [*client.jobs.list(limit=100)])  # type: ignore[misc]
            keys = [(job.metadata or {})["key"] for job in listed]
            assert len(keys) == len(set(keys)), "a key has two jobs"
            assert {(job.metadata or {})["key"]: job.id for job in listed} == made[id(client)]


def _numbers() -> dict[int, bytes]:
    """Return the result of a job that nobody interrupts, for each seed."""
    numbers = {}
    with Client.local() as client:
        for seed in SEEDS:
            file = client.files.create(file=("t.jsonl", TRAIN.encode()), purpose="fine-tune")
            made = client.jobs.create(
                model="tiny",
                training_file=file.id,
                seed=seed,
                hyperparameters={"n_epochs": 5, "batch_size": 4},
            )
            job = client.jobs.wait(made.id)
            assert job.result_files
            numbers[seed] = bytes(client.files.content(job.result_files[0]))
    return numbers


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        soak = Soak(Path(directory), clients=chosen.clients, seed=chosen.seed)
        figures = soak.run(chosen.jobs, say=lambda text: sys.stdout.write(f"{text}\n"))
    figures["seconds"] = round(time.monotonic() - begin)
    sys.stdout.write(f"{json.dumps(figures)}\n")


if __name__ == "__main__":
    main()
