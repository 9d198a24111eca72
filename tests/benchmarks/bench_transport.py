"""What the client costs on top of the network: ratios against plain requests and the official SDK.

Run it as a script. A server on loopback, in a process of its own, answers with fixed bytes; the
rivals take turns against it, and each figure is the best of several runs. Our client is measured
with msgspec and without it. With ``--sdk PYTHON`` (an interpreter that has the package `openai`)
the official SDK takes part.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

RUNS = 15
KEY = "sk-benchmark"
JOB: dict[str, Any] = {
    "object": "fine_tuning.job",
    "id": "ftjob-abc123",
    "model": "gpt-4o-mini-2024-07-18",
    "created_at": 1721764800,
    "finished_at": 1721768400,
    "fine_tuned_model": "ft:gpt-4o-mini-2024-07-18:my-org:custom_suffix:7q8mpxmy",
    "organization_id": "org-123",
    "result_files": ["file-abc123"],
    "status": "succeeded",
    "validation_file": None,
    "training_file": "file-abc123",
    "hyperparameters": {"n_epochs": 4, "batch_size": 1, "learning_rate_multiplier": 1.0},
    "trained_tokens": 5768,
    "error": None,
    "seed": 950189191,
    "estimated_finish": None,
    "integrations": [],
    "method": {
        "type": "supervised",
        "supervised": {
            "hyperparameters": {"n_epochs": 4, "batch_size": 1, "learning_rate_multiplier": 1.0}
        },
    },
    "metadata": {"key": "value"},
}
_AUTO = {"n_epochs": "auto", "batch_size": "auto", "learning_rate_multiplier": "auto"}
QUEUED_JOB: dict[str, Any] = {
    **JOB,
    "finished_at": None,
    "fine_tuned_model": None,
    "result_files": [],
    "status": "queued",
    "hyperparameters": _AUTO,
    "trained_tokens": None,
    "error": {},
    "user_provided_suffix": None,
    "method": {"type": "supervised", "supervised": {"hyperparameters": _AUTO}},
    "usage_metrics": None,
    "shared_with_openai": False,
}
ONE_PATH = "/fine_tuning/jobs/ftjob-abc123"
LIST_PATH = "/fine_tuning/jobs?limit=100"
QUEUED_PATH = "/fine_tuning/jobs?limit=99"
"""The limit tells the server which list is wanted; both have 100 jobs."""

SDK = """
import sys
from openai import OpenAI
sys.path.insert(0, {here!r})
import bench_transport as bench
client = OpenAI(api_key=bench.KEY, base_url=sys.argv[1])
bench.compete({{
    "retrieve": lambda: client.fine_tuning.jobs.retrieve("ftjob-abc123"),
    "list": lambda: client.fine_tuning.jobs.list(limit=100).data,
    "list queued": lambda: client.fine_tuning.jobs.list(limit=99).data,
}})
"""


def page_of(job: dict[str, Any]) -> dict[str, Any]:
    """Return a page of 100 jobs."""
    data = [{**job, "id": f"ftjob-{number}"} for number in range(100)]
    return {"object": "list", "data": data, "has_more": False}


def answer(sock: socket.socket, answers: dict[bytes, bytes]) -> None:
    """Serve one connection."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with sock:
        got = b""
        while data := sock.recv(65536):
            got += data
            if got.endswith(b"\r\n\r\n"):
                sock.sendall(answers[got.partition(b" HTTP")[0].partition(b"?limit=")[2]])
                got = b""


def rendered(data: Any) -> bytes:
    """Write an answer as the API does, headers and all."""
    body = json.dumps(data, indent=2).encode()
    head = (
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nx-request-id: req_123\r\n"
        "openai-version: 2020-10-01\r\nopenai-processing-ms: 12\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def serve(pipe: Connection) -> None:
    """Accept for ever."""
    answers = {
        b"": rendered(JOB),
        b"100": rendered(page_of(JOB)),
        b"99": rendered(page_of(QUEUED_JOB)),
    }
    with socket.create_server(("127.0.0.1", 0)) as server:
        pipe.send(server.getsockname()[1])
        while True:
            sock, _ = server.accept()
            threading.Thread(target=answer, args=(sock, answers), daemon=True).start()


def plain(url: str) -> dict[str, Callable[[], Any]]:
    """What plain requests does for the same."""
    import requests

    session = requests.Session()
    headers = {"Authorization": f"Bearer {KEY}"}

    def get(path: str) -> Any:
        return session.get(url + path, headers=headers, timeout=60).json()

    return {
        "plain retrieve": lambda: get(ONE_PATH),
        "plain list": lambda: get(LIST_PATH),
        "plain list queued": lambda: get(QUEUED_PATH),
    }


def seconds(call: Callable[[], Any], times: int) -> float:
    """Time one call, as the mean of several."""
    began = time.perf_counter()
    for _ in range(times):
        call()
    return (time.perf_counter() - began) / times


def compete(calls: dict[str, Callable[[], Any]]) -> None:
    """Measure calls in turn, and print the seconds each takes at best, as JSON."""
    best = dict.fromkeys(calls, float("inf"))
    for _ in range(RUNS):
        for name, call in calls.items():
            best[name] = min(best[name], seconds(call, 15 if "list" in name else 100))
    sys.stdout.write(json.dumps(best) + "\n")


def of_sdk(python: str, url: str) -> dict[str, float]:
    """Let the official SDK compete, in its own interpreter."""
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120  # goes into a text
    done = subprocess.run(
        [python, "-c", SDK.format(here=here), url], check=True, stdout=subprocess.PIPE, text=True
    )
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def of_client(url: str, *flags: str) -> dict[str, float]:
    """Let this package compete, in an interpreter of its own as well."""
    command = [sys.executable, __file__, "--url", url, *flags]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def show(name: str, best: dict[str, float], sdk: dict[str, float] | None) -> None:
    """Print the ratios of one call."""
    mine, base = best[name], best[f"plain {name}"]
    line = f"{name:12}{mine * 1e6:9.0f} us {mine / base:6.2f} x plain requests"
    if sdk is not None:
        line += f"; the official SDK takes {sdk[name] / mine:.1f} times as long"
    sys.stdout.write(line + "\n")


def main() -> None:
    """Start the server, let all compete, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sdk", help="an interpreter that has the package openai")
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--without-msgspec", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.url:
        if options.without_msgspec:
            sys.modules["msgspec.json"] = None  # type: ignore[assignment]  # it cannot be imported

        from finetune_client import Client

        client = Client(KEY, base_url=options.url)
        compete(
            {
                "retrieve": lambda: client.jobs.retrieve("ftjob-abc123"),
                "list": lambda: client.jobs.list(limit=100).data,
                "list queued": lambda: client.jobs.list(limit=99).data,
                **plain(options.url),
            }
        )
        return
    here, there = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(there,), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{here.recv()}/v1"
    sdk = of_sdk(options.sdk, url) if options.sdk else None
    for title, flags in (("without msgspec", ["--without-msgspec"]), ("with msgspec", [])):
        sys.stdout.write(f"{title}\n")
        best = of_client(url, *flags)
        for name in ("retrieve", "list", "list queued"):
            show(name, best, sdk)
    server.terminate()


if __name__ == "__main__":
    main()
