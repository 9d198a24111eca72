"""Kill a server under load at random moments, and check that it keeps what it answered::

    python -m tests.local.kill_server [--kills 100] [--clients 8] [--jobs 0] [--seed 0]

Clients upload files, whole and in parts, create jobs, read their events and cancel some of them,
while the server is killed (``kill -9``) and started again in the same directory. A create whose
answer was lost is sent again with the same Idempotency-Key. In the end each answered file, job, event
and cancellation must be there, nothing twice, and each job that was not cancelled must have succeeded
with the numbers of a job that nobody interrupted. With ``--jobs`` the clients continue until so many are made.
"""

from __future__ import annotations

import argparse
import json
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

from tests.support.local_api import chat_lines, jsonl

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["TRAIN", "Server", "Trial"]

TRAIN = jsonl(chat_lines(10))
PATIENCE = 60.0
"""Seconds in which a request must have been answered, over all restarts."""

SERVER = """
import json, random, sys, time
from finetune_client.local import LocalServer, parse_faults, running
directory, port, seed, faults, per_second, api_keys = json.loads(sys.argv[1])
options = {"step_seconds": 0.01, "workers": 2, "api_keys": api_keys}
with LocalServer(directory, faults="" if faults else None, **options) as server:
    with running(server, port=port):
        print("ready", flush=True)
        chance = random.Random(seed)
        while True:
            time.sleep(chance.expovariate(per_second) if faults else 3600)
            if not server.faults.waiting():
                server.faults.add(*parse_faults(chance.choice(faults)))
"""


class Server:
    """The server, in a process of its own.

    Args:
        directory: What it keeps is here.
        seed: Decides which faults come when.
        faults: What goes wrong at random moments, as `parse_faults` reads it.
        per_second: How often, in the mean; one waits for a request before the next one comes.
        api_keys: As those of `LocalServer`.
    """

    def __init__(
        self,
        directory: Path,
        *,
        seed: int = 0,
        faults: Sequence[str] = (),
        per_second: float = 0.0,
        api_keys: Mapping[str, str] | None = None,
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/v1"
        self._options: list[Any] = [str(directory), self.port, seed, faults, per_second, api_keys]
        self._child: subprocess.Popen[str] | None = None

    def start(self) -> None:
        command = [sys.executable, "-c", SERVER, json.dumps(self._options)]
        self._options[2] += 1  # other faults, after each start
        self._child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._child.stdout is not None
        assert self._child.stdout.readline() == "ready\n"

    def kill(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.communicate()


class Client(threading.Thread):
    """One client, and what it was answered."""

    def __init__(self, url: str, seed: int, stop: threading.Event, *, cancels: float = 0.3) -> None:
        super().__init__(daemon=True)
        self._url = url
        self._cancels = cancels
        self._random = random.Random(seed)
        self._stop_event = stop
        self._session = requests.Session()
        self._session.headers["Authorization"] = "Bearer any"
        self.name = f"client-{seed}"
        self.files: dict[str, bytes] = {}
        self.jobs: dict[str, str] = {}
        self.events: dict[str, list[str]] = {}
        self.cancelled: set[str] = set()
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            number = 0
            while not self._stop_event.is_set():
                number += 1
                self._journey(f"{self.name}-{number}")
        except BaseException as error:  # noqa: BLE001 - told by the main thread
            self.failure = error
        finally:
            self._session.close()

    def close(self) -> None:
        self._session.close()

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        """Send a request until it is answered, while the server is killed and started again."""
        deadline = time.monotonic() + PATIENCE
        while (answer := self._try(method, path, **options)) is None:
            assert time.monotonic() < deadline, f"no answer to {method} {path}"
            time.sleep(0.05)
        return answer

    def _try(self, method: str, path: str, **options: Any) -> requests.Response | None:
        try:
            answer = self._session.request(method, self._url + path, timeout=10, **options)
        except requests.RequestException:
            self._session.close()
            return None
        # urllib3 1.26 does not compare the length of a body that was cut off with its header.
        length = answer.headers.get("Content-Length", len(answer.content))
        return answer if int(length) == len(answer.content) else None

    def ok(self, method: str, path: str, **options: Any) -> Any:
        answer = self.call(method, path, **options)
        assert answer.status_code == 200, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def _journey(self, key: str) -> None:
        file_id = self._upload(TRAIN.encode())
        if self._random.random() < 0.5:
            self._upload_in_parts(key.encode() * 1000)
        body = {
            "model": "tiny",
            "training_file": file_id,
            "seed": 1,
            "metadata": {"key": key},
            "hyperparameters": {"n_epochs": 5, "batch_size": 4},
        }
        # The same body and key again, until it is answered: there must be one job.
        made = self.ok("POST", "/fine_tuning/jobs", json=body, headers={"Idempotency-Key": key})
        self.jobs[key] = made["id"]
        is_cancelled = self._random.random() < self._cancels
        while not self._stop_event.is_set():
            self._read_events(made["id"])
            if is_cancelled and self._random.random() < 0.2:
                self._cancel(made["id"])
                return
            job = self.ok("GET", f"/fine_tuning/jobs/{made['id']}")
            if job["status"] in {"succeeded", "failed", "cancelled"}:
                return
            time.sleep(self._random.random() * 0.05)

    def _upload(self, content: bytes) -> str:
        form = {"data": {"purpose": "fine-tune"}, "files": {"file": ("train.jsonl", content)}}
        file_id: str = self.ok("POST", "/files", **form)["id"]
        self.files[file_id] = content
        return file_id

    def _upload_in_parts(self, content: bytes) -> None:
        body = {
            "filename": "f",
            "purpose": "user_data",
            "mime_type": "text/plain",
            "bytes": len(content),
        }
        path = f"/uploads/{self.ok('POST', '/uploads', json=body)['id']}"
        half = len(content) // 2
        parts = [
            self.ok("POST", f"{path}/parts", files={"data": piece})["id"]
            for piece in (content[:half], content[half:])
        ]
        answer = self.call("POST", f"{path}/complete", json={"part_ids": parts})
        # Completed already: the answer was lost, and with it the id of the file.
        if not (answer.status_code == 400 and "is completed" in answer.text):
            assert answer.status_code == 200, answer.text
            self.files[answer.json()["file"]["id"]] = content

    def _read_events(self, job_id: str) -> None:
        rows = self.ok("GET", f"/fine_tuning/jobs/{job_id}/events?limit=1000")["data"]
        read = [row["id"] for row in reversed(rows)]
        known = self.events.get(job_id, [])
        assert read[: len(known)] == known, f"events of {job_id} were lost or have moved"
        self.events[job_id] = read

    def _cancel(self, job_id: str) -> None:
        answer = self.call("POST", f"/fine_tuning/jobs/{job_id}/cancel")
        # Ended already: it had succeeded, or the answer of a first cancel was lost.
        assert answer.status_code in {200, 400}, answer.text
        if answer.status_code == 200:
            self.cancelled.add(job_id)

    def check(self, numbers: str) -> None:
        """Check that all that was answered is there; all jobs have had the time to end."""
        for file_id, content in self.files.items():
            assert self.call("GET", f"/files/{file_id}/content").content == content, file_id
        for key, job_id in self.jobs.items():
            self._read_events(job_id)
            job = self._ended(job_id)
            assert job["metadata"] == {"key": key}
            assert job["status"] in {"cancelled", "succeeded"}, job
            if job_id in self.cancelled:
                assert job["status"] == "cancelled", job
            if job["status"] == "succeeded":
                result = self.call("GET", f"/files/{job['result_files'][0]}/content").text
                assert result == numbers, f"the numbers of {job_id} are not those of others"
                assert self.call("GET", f"/models/{job['fine_tuned_model']}").ok
            self._check_steps(job_id)

    def _ended(self, job_id: str) -> Any:
        deadline = time.monotonic() + PATIENCE
        while True:
            job = self.ok("GET", f"/fine_tuning/jobs/{job_id}")
            if job["status"] in {"succeeded", "failed", "cancelled"}:
                return job
            assert time.monotonic() < deadline, job
            time.sleep(0.02)

    def _check_steps(self, job_id: str) -> None:
        rows = self.ok("GET", f"/fine_tuning/jobs/{job_id}/events?limit=1000")["data"]
        steps = [row["data"]["step"] for row in reversed(rows) if row["type"] == "metrics"]
        assert steps == list(range(1, len(steps) + 1)), f"{job_id} told the steps {steps}"
        messages = [row["message"] for row in rows if row["message"].startswith("Checkpoint")]
        assert len(messages) == len(set(messages)), messages


class Trial:
    """Some clients of one server that is killed again and again."""

    def __init__(self, directory: Path, *, clients: int, seed: int) -> None:
        self.server = Server(directory)
        self._stop = threading.Event()
        self._random = random.Random(seed)
        self._seed = seed
        self._clients = clients

    def run(
        self, kills: int, jobs: int = 0, say: Callable[[str], object] = lambda _: None
    ) -> dict[str, int]:
        """Kill the server so often, continue until there are so many jobs; return what was answered.

        Raises:
            AssertionError: Something that was answered is lost, or is there twice.
        """
        clients: list[Client] = []
        self.server.start()
        try:
            numbers = self._numbers()
            first = 1000 * self._seed
            clients += [
                Client(self.server.url, first + number, self._stop)
                for number in range(1, self._clients + 1)
            ]
            for client in clients:
                client.start()
            for number in range(1, kills + 1):
                time.sleep(self._random.uniform(0.1, 1.0))
                self.server.kill()
                self.server.start()
                say(f"killed {number} times, {sum(len(one.jobs) for one in clients)} jobs")
                self._raise_failures(clients)
            while sum(len(one.jobs) for one in clients) < jobs:
                self._raise_failures(clients)
                time.sleep(0.05)
            self._stop.set()
            for client in clients:
                client.join(PATIENCE)
            self._raise_failures(clients)
            for client in clients:
                client.check(numbers)
            self._check_no_job_is_twice(clients)
        finally:
            self._stop.set()
            self.server.kill()
            for client in clients:
                client.close()
        return {
            "files": sum(len(one.files) for one in clients),
            "jobs": sum(len(one.jobs) for one in clients),
            "events": sum(len(read) for one in clients for read in one.events.values()),
            "cancelled": sum(len(one.cancelled) for one in clients),
        }

    def _numbers(self) -> str:
        """The result file of a job that nobody interrupts."""
        client = Client(self.server.url, 1000 * self._seed, threading.Event(), cancels=0)
        client._journey("first")
        job = client._ended(client.jobs["first"])
        text = client.call("GET", f"/files/{job['result_files'][0]}/content").text
        client.close()
        return text

    def _check_no_job_is_twice(self, clients: list[Client]) -> None:
        listed = clients[0].ok("GET", "/fine_tuning/jobs?limit=10000")["data"]
        keys = [job["metadata"]["key"] for job in listed]
        assert len(keys) == len(set(keys)), "a key has two jobs"
        ids = {job["metadata"]["key"]: job["id"] for job in listed}
        for client in clients:
            assert client.jobs.items() <= ids.items()

    @staticmethod
    def _raise_failures(clients: list[Client]) -> None:
        for client in clients:
            if client.failure is not None:
                raise client.failure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--jobs", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        trial = Trial(Path(directory), clients=chosen.clients, seed=chosen.seed)
        answered = trial.run(
            chosen.kills, chosen.jobs, say=lambda text: sys.stdout.write(f"{text}\n")
        )
    sys.stdout.write(f"{json.dumps(answered)}\n")


if __name__ == "__main__":
    main()
