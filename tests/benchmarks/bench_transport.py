"""What a call costs beside plain requests, plain httpx and the official SDK.

    python -m tests.benchmarks.bench_transport [--rounds N]

A server on loopback, in a process of its own, answers with fixed bytes; the rivals that are installed
take turns against it in one process, whose processor time is measured: the network is the same for
all. Everything is measured twice, with msgspec and as if it was not installed. A create opens a
connection of its own each time, so that none that the server has just closed can lose it, and checks
the job before it is sent; hence its higher limit.
"""

from __future__ import annotations

import argparse
import json
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.benchmarks._sink_server import JOB, JOBS, JOBS_QUEUED, serving
from tests.benchmarks.answers import FINISHED_JOB
from tests.benchmarks.comparing import (
    Comparison,
    Rounds,
    alternate,
    in_child,
    is_installed,
    print_ratios,
    timed,
    work,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    Calls = dict[str, Callable[[], Any]]

__all__ = ["COMPARISONS", "measured"]

ROUNDS = 15
KEY = "sk-benchmark"
REQUEST: dict[str, Any] = {
    "model": "gpt-4o-mini-2024-07-18",
    "training_file": "file-abc123",
    "method": {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 4}}},
    "suffix": "weather-bot",
    "seed": 7,
}
_TIMES = {"retrieve": 60, "create": 60, "list": 10, "list queued": 10}
"""Calls in a round."""

_WHATS = {
    "retrieve": "retrieve a job",
    "list": "list 100 finished jobs",
    "list queued": "list 100 queued jobs",
    "create": "create a job",
}
_WITH, _WITHOUT = ", with msgspec", ", without msgspec"


def _against_requests(call: str, limits: dict[str, float]) -> list[Comparison]:
    return [
        Comparison(
            what=_WHATS[call] + title,
            against="plain requests and `json`",
            ours=call + title,
            theirs=f"requests {call}{title}",
            most=most,
            needs="msgspec" if title == _WITH else "",
        )
        for title, most in limits.items()
    ]


def _against(package: str, name: str, call: str, most: float | None) -> Comparison:
    return Comparison(
        what=_WHATS[call] + _WITHOUT,
        against=name,
        ours=call + _WITHOUT,
        theirs=f"{package} {call}{_WITHOUT}",
        most=most,
        needs=package,
    )


COMPARISONS = tuple(
    line
    for call, limits in (
        ("retrieve", {_WITHOUT: 1.8, _WITH: 1.3}),
        ("list", {_WITHOUT: 1.8, _WITH: 1.3}),
        ("list queued", {_WITHOUT: 1.8, _WITH: 1.3}),
        ("create", {_WITHOUT: 2.0}),
    )
    for line in (
        *_against_requests(call, limits),
        *(
            (
                _against("httpx", "plain httpx and `json`", call, None),
                _against("openai", "the official SDK", call, 1.0),
            )
            if call != "list queued"
            else ()
        ),
    )
)


def measured(rounds: int = ROUNDS) -> Rounds:
    """Let all compete, with msgspec where it is installed and without it."""
    taken: Rounds = {}
    with serving(Path(__file__)) as url:
        for title in (_WITHOUT, *([_WITH] if is_installed("msgspec") else [])):
            flags = ["--without-msgspec"] if title == _WITHOUT else []
            one = in_child("bench_transport", "--url", url, "--rounds", str(rounds), *flags)
            taken |= {name + title: times for name, times in one.items()}
    return taken


def _ours(url: str) -> Calls:
    from finetune_client import Client

    client = Client(KEY, base_url=url)
    return {
        "retrieve": lambda: client.jobs.retrieve(FINISHED_JOB["id"]),
        "list": lambda: client.jobs.list(limit=100).data,
        "list queued": lambda: client.jobs.list(limit=JOBS_QUEUED).data,
        "create": lambda: client.jobs.create(**REQUEST),
    }


def _plain(session: Any, url: str) -> Calls:
    """What is written with plain requests or httpx for the same."""
    headers = {"Authorization": f"Bearer {KEY}"}

    def get(path: str) -> Any:
        answer = session.get(url + path, headers=headers, timeout=60)
        answer.raise_for_status()
        return answer.json()

    def create() -> Any:
        answer = session.post(url + JOBS, json=REQUEST, headers=headers, timeout=60)
        answer.raise_for_status()
        return answer.json()

    return {
        "retrieve": lambda: get(JOB),
        "list": lambda: get(f"{JOBS}?limit=100")["data"],
        "list queued": lambda: get(f"{JOBS}?limit={JOBS_QUEUED}")["data"],
        "create": create,
    }


def _sdk(url: str) -> Calls:
    from openai import OpenAI

    jobs = OpenAI(api_key=KEY, base_url=url).fine_tuning.jobs
    return {
        "retrieve": lambda: jobs.retrieve(FINISHED_JOB["id"]),
        "list": lambda: jobs.list(limit=100).data,
        "list queued": lambda: jobs.list(limit=JOBS_QUEUED).data,
        "create": lambda: jobs.create(**REQUEST),
    }


def _compete(url: str, rounds: int) -> Rounds:
    """Measure, in this process, all that are installed."""
    import requests

    rivals = {"": _ours(url), "requests ": _plain(requests.Session(), url)}
    if is_installed("httpx"):
        import httpx

        rivals["httpx "] = _plain(httpx.Client(), url)
    if is_installed("openai"):
        rivals["openai "] = _sdk(url)
    taken: Rounds = {}
    for call, times in _TIMES.items():
        calls = {name + call: rival[call] for name, rival in rivals.items()}
        for once in calls.values():
            once()  # connects, and loads what the first call needs
        taken |= alternate(
            {name: partial(timed, one, times, clock=work) for name, one in calls.items()}, rounds
        )
    return taken


def main() -> None:
    """Start the server, let all compete, print."""
    parser = argparse.ArgumentParser(description="Measure calls.")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--without-msgspec", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.without_msgspec:
        sys.modules["msgspec.json"] = None  # type: ignore[assignment]  # it cannot be imported
    if options.url:
        print(json.dumps(_compete(options.url, options.rounds)))
        return
    print_ratios(COMPARISONS, measured(options.rounds))


if __name__ == "__main__":
    main()
