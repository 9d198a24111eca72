"""An account of 300 jobs archived, killed at random and continued, from a good and from a bad server.

    python tests/benchmarks/bench_archive.py [--jobs 300] [--events 20000] [--files 40] [--models 12]
        [--mb 400] [--kills 10] [--dir DIR]

The account lies in a `LocalServer` on a port of this machine. It is archived whole; then again, which
must send only lists; then into another folder by processes that are killed (SIGKILL) at random moments,
and continued; and the same from a server that refuses two files and, by chance, loses connections, cuts
answers and answers 429. Each archive is compared with what the server holds.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from finetune_client import Client  # noqa: E402  # the path comes first
from finetune_client.archive import save  # noqa: E402
from finetune_client.errors import APIError  # noqa: E402
from finetune_client.local import LocalServer, running  # noqa: E402
from tests.support.account import differences, make_account, with_random_faults  # noqa: E402

if TYPE_CHECKING:
    from finetune_client.archive import ArchiveReport

REFUSED = ("file-00000002", "file-00000017")
CHILD = """
import os, signal, sys, threading, time
from finetune_client import Client
from finetune_client.archive import save
url, folder, seconds = sys.argv[1:]
def kill():
    time.sleep(float(seconds))
    os.kill(os.getpid(), signal.SIGKILL)
client = Client("sk-made-up", base_url=url, provider="openai")
threading.Thread(target=kill, daemon=True).start()
save(client, folder)
"""


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory(dir=options.dir) as folder:
        work = Path(folder)
        make_account(
            work / "server",
            jobs=options.jobs,
            events=options.events,
            files=options.files,
            models=options.models,
            large_bytes=options.mb * 1_000_000,
        )
        with LocalServer(work / "server", faults="") as server:
            with running(server) as url:
                seconds = _whole(url, work / "whole")
                _killed(url, work / "killed", options.kills, seconds)
            end = with_random_faults(server, REFUSED)
            with running(server) as url:
                _killed(url, work / "bad", options.kills, seconds)
                end()
                _compare(url, work / "bad", "from the bad server")


def _options() -> Any:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    for name, default in (("jobs", 300), ("events", 20_000), ("files", 40), ("models", 12)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--mb", type=int, default=400, help="of the largest file")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--dir", type=Path)
    return parser.parse_args()


def _client(url: str, on_response: Any = None) -> Client:
    return Client("sk-made-up", base_url=url, provider="openai", on_response=on_response)


def _whole(url: str, folder: Path) -> float:
    sent: Counter[str] = Counter()

    def count(info: Any) -> None:
        sent[f"{info.method} {re.sub(r'(ftjob|file)-[0-9]+', r'{id}', info.path)}"] += 1

    with _client(url, count) as client:
        start = time.perf_counter()
        report = save(client, folder)
        seconds = time.perf_counter() - start
        print(f"first run: {seconds:.1f} s, {_said(report)}")
        print("  " + ", ".join(f"{number} x {what}" for what, number in sent.items()))
        sent.clear()
        start = time.perf_counter()
        report = save(client, folder)
        print(f"second run: {time.perf_counter() - start:.1f} s, {_said(report)}")
        print("  " + ", ".join(f"{number} x {what}" for what, number in sent.items()))
    _compare(url, folder, "the whole archive")
    return seconds


def _killed(url: str, folder: Path, kills: int, seconds: float) -> None:
    """Kill at random moments, short and long; who ends before that begins anew."""
    chance = random.Random(5)
    moments: list[str] = []
    while len(moments) < kills:
        moment = 0.1 * (seconds / 0.1) ** chance.random()
        done = subprocess.run(
            [sys.executable, "-c", CHILD, url, str(folder), f"{moment:.3f}"],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            check=False,
            capture_output=True,
        )
        for path in folder.rglob("*.json"):
            json.loads(path.read_bytes())
        jobs, files = (len([*folder.glob(p)]) for p in ("*/server_job.json", "files/file-*"))
        if done.returncode == -signal.SIGKILL:
            moments.append(f"{moment:.1f} s ({jobs} jobs, {files} files)")
        elif done.returncode == 0 and len(moments) < kills - 3:
            shutil.rmtree(folder)
    print(f"killed after {', '.join(moments)}")
    with _client(url) as client:
        for _ in range(10):
            start = time.perf_counter()
            try:
                report = save(client, folder)
            except APIError as error:
                print(f"  ended: {error}")
                continue
            print(f"continued: {time.perf_counter() - start:.1f} s, {_said(report)}")
            if report.is_complete:
                break
    if folder.name == "killed":
        _compare(url, folder, "the archive that was killed")


def _said(report: ArchiveReport) -> str:
    missing = ", ".join(f"{one.what} {one.id} ({one.status_code})" for one in report.missing)
    return (
        f"{report.jobs} jobs, {report.events} events, {report.files} files "
        f"({report.fetched_files} new), {report.bytes / 1e6:.0f} MB; missing: {missing or 'nothing'}"
    )


def _compare(url: str, folder: Path, name: str) -> None:
    with _client(url) as client:
        found = differences(folder, client)
    print(f"{name} differs from the server in: {', '.join(found) or 'nothing'}")
    if found:
        sys.exit(1)


if __name__ == "__main__":
    main()
