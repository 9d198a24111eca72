"""Large files up and down, against plain requests and httpx, ``curl`` and the official SDK.

    python -m tests.benchmarks.bench_files [--mib 256] [--rounds N] [--only WORD] [--dir DIR]

Every transfer is a process of its own, so that its peak memory (``ru_maxrss``) is its own; the time
is that on the clock. The server on loopback only counts bytes. The file lies in memory
(``/dev/shm``) where the system has it: the disk is not what is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks._sink_server import serving
from tests.benchmarks.comparing import (
    Comparison,
    Rounds,
    alternate,
    is_installed,
    print_ratios,
)

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["COMPARISONS", "measured"]

ROUNDS = 5
MEBIBYTES = 256
MIB = 1024 * 1024

PREAMBLE = """
import json, resource, sys, time
url, path, target = sys.argv[1:]
"""
EPILOGUE = """
seconds = time.perf_counter() - start
print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]))
"""
START = "start = time.perf_counter()\n"
OURS = """
import dataclasses
from finetune_client import Client
from finetune_client.providers import COMPATIBLE
provider = dataclasses.replace(COMPATIBLE, max_file_bytes=2**40)
client = Client("sk-test", base_url=url, provider=provider)
client.files, client.uploads
"""
SDK = """
from openai import OpenAI
client = OpenAI(api_key="sk-test", base_url=url, max_retries=0)
client.files, client.uploads
"""
REQUESTS = "import requests\nsession = requests.Session()\n"
HTTPX = "import httpx\nsession = httpx.Client(timeout=600)\n"

PLAIN_UP = """
with open(path, "rb") as file:
    answer = session.post(
        url + "/files",
        headers={"Authorization": "Bearer sk-test"},
        data={"purpose": "fine-tune"},
        files={"file": file},
    )
answer.raise_for_status()
answer.json()
"""
REQUESTS_DOWN = """
headers = {"Authorization": "Bearer sk-test"}
with session.get(url + "/files/file-1/content", headers=headers, stream=True) as answer:
    answer.raise_for_status()
    with open(target, "wb") as file:
        for block in answer.iter_content(256 * 1024):
            file.write(block)
"""
HTTPX_DOWN = """
headers = {"Authorization": "Bearer sk-test"}
with session.stream("GET", url + "/files/file-1/content", headers=headers) as answer:
    answer.raise_for_status()
    with open(target, "wb") as file:
        for block in answer.iter_bytes(256 * 1024):
            file.write(block)
"""
SDK_PARTS = """
from pathlib import Path
client.uploads.upload_file_chunked(
    file=Path(path), mime_type="text/jsonl", purpose="fine-tune"
)
"""
SDK_STREAM = """
with client.files.with_streaming_response.content("file-1") as answer:
    answer.stream_to_file(target)
"""

_UP, _PARTS, _PARTS_MD5, _DOWN = (
    "upload a large file",
    "the same in parts, without MD5",
    "the same in parts, with MD5",
    "download a large file",
)
_PACKAGES = {
    "plain requests": "requests",
    "plain httpx": "httpx",
    "`curl": "curl",
    "the official SDK": "openai",
}


def _against(what: str, ours: str, name: str, theirs: str, most: float | None) -> Comparison:
    package = next(package for start, package in _PACKAGES.items() if name.startswith(start))
    return Comparison(
        what=what,
        against=name,
        ours=ours,
        theirs=theirs,
        most=most,
        needs="" if package == "requests" else package,
    )


COMPARISONS = (
    _against(_UP, "create", "plain requests", "requests up", 1.3),
    _against(_UP, "create", "plain httpx", "httpx up", None),
    _against(_UP, "create", "`curl -T`", "curl up", 1.3),
    _against(_UP, "create", "the official SDK", "SDK create", 1.0),
    _against(f"memory to {_UP}", "memory: create", "plain requests", "memory: requests up", 1.0),
    _against(f"memory to {_UP}", "memory: create", "the official SDK", "memory: SDK create", 1.0),
    _against(_PARTS, "upload_file, no md5", "the official SDK, which has none", "SDK parts", 1.0),
    _against(_PARTS_MD5, "upload_file", "the official SDK, which has none", "SDK parts", None),
    _against(_DOWN, "download", "plain requests", "requests down", 1.3),
    _against(_DOWN, "download", "plain httpx", "httpx down", None),
    _against(_DOWN, "download", "`curl -o`", "curl down", 1.3),
    _against(_DOWN, "download", "the official SDK's `content`", "SDK content", 1.0),
    _against(_DOWN, "download", "the official SDK, streamed", "SDK stream", 1.3),
    _against(
        f"memory to {_DOWN}",
        "memory: download",
        "the official SDK's `content`",
        "memory: SDK content",
        1.0,
    ),
)


def measured(
    rounds: int = ROUNDS,
    *,
    mebibytes: int = MEBIBYTES,
    only: str = "",
    directory: Path | None = None,
) -> Rounds:
    """Send and fetch in turn.

    Returns:
        The seconds of each transfer, and under ``memory: NAME`` its peak in bytes.
    """
    memory = Path("/dev/shm")
    base = directory or (memory if memory.is_dir() else None)
    with tempfile.TemporaryDirectory(dir=base) as folder:
        path, target = Path(folder) / "train.jsonl", Path(folder) / "target"
        _fill(path, mebibytes)
        with serving(path) as url:
            cases = {name: run for name, run in _cases(url, path, target).items() if only in name}
            peaks: Rounds = {f"memory: {name}": [] for name in cases}

            def seconds(name: str) -> float:
                target.unlink(missing_ok=True)
                took, peak = cases[name]()
                peaks[f"memory: {name}"].append(peak)
                return took

            return {**alternate({name: partial(seconds, name) for name in cases}, rounds), **peaks}


def _fill(path: Path, mebibytes: int) -> None:
    block = os.urandom(MIB)
    with path.open("wb") as file:
        for _ in range(mebibytes):
            file.write(block)


def _cases(url: str, path: Path, target: Path) -> dict[str, Callable[[], tuple[float, float]]]:
    def python(setup: str, what: str) -> Callable[[], tuple[float, float]]:
        program = PREAMBLE + setup + START + what + EPILOGUE
        return lambda: _python([sys.executable, "-c", program, url, str(path), str(target)])

    cases = {
        "idle": python(OURS, "pass"),
        "create": python(OURS, "client.files.create(file=path, purpose='fine-tune')"),
        "requests up": python(REQUESTS, PLAIN_UP),
        "upload_file": python(OURS, "client.uploads.upload_file(path, workers=4)"),
        "upload_file, no md5": python(
            OURS, "client.uploads.upload_file(path, workers=4, md5=False)"
        ),
        "download": python(OURS, "client.files.download('file-1', target)"),
        "requests down": python(REQUESTS, REQUESTS_DOWN),
    }
    if is_installed("httpx"):
        cases["httpx up"] = python(HTTPX, PLAIN_UP)
        cases["httpx down"] = python(HTTPX, HTTPX_DOWN)
    if is_installed("openai"):
        create = "client.files.create(file=open(path, 'rb'), purpose='fine-tune')"
        cases["SDK create"] = python(SDK, create)
        cases["SDK parts"] = python(SDK, SDK_PARTS)
        cases["SDK content"] = python(SDK, "client.files.content('file-1').write_to_file(target)")
        cases["SDK stream"] = python(SDK, SDK_STREAM)
    if shutil.which("curl"):
        down = ["-o", str(target), f"{url}/files/file-1/content"]
        cases["curl up"] = lambda: _curl(["-T", str(path), f"{url}/raw"])
        cases["curl down"] = lambda: _curl(down, then_sync=target)
    return cases


def _python(command: list[str]) -> tuple[float, float]:
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=300)
    seconds, peak = json.loads(done.stdout)
    return seconds, peak * (1 if sys.platform == "darwin" else 1024)


def _curl(arguments: list[str], then_sync: Path | None = None) -> tuple[float, float]:
    command = ["curl", "-sS", "-w", "%{stderr}%{time_total}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    return float(done.stderr) + _sync(then_sync), float("nan")


def _sync(path: Path | None) -> float:
    """Put a file on the disk, as our download does, and give the seconds it took."""
    if path is None:
        return 0.0
    start = time.perf_counter()
    with path.open("rb+") as file:
        os.fsync(file.fileno())
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure uploads and downloads.")
    parser.add_argument("--mib", type=int, default=MEBIBYTES)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", default="", help="take cases with this in their name")
    parser.add_argument("--dir", type=Path, help="where the files lie")
    options = parser.parse_args()
    rounds = measured(
        options.rounds, mebibytes=options.mib, only=options.only, directory=options.dir
    )
    print(f"{options.mib} MiB; median speed in GiB/s, highest peak of memory in MiB")
    for name in (name for name in rounds if not name.startswith("memory: ")):
        speed = options.mib / 1024 / statistics.median(rounds[name])
        shown = f"{speed:6.2f}" if name != "idle" else "      "
        print(f"{name:22} {shown} {max(rounds[f'memory: {name}']) / MIB:8.1f}")
    print_ratios(COMPARISONS, rounds)


if __name__ == "__main__":
    main()
