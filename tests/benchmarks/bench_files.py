"""Large files up and down, against ``curl`` and the official SDK, over loopback in one run.

    python tests/benchmarks/bench_files.py [--mib 1024] [--runs 5] [--sdk-python PATH]
        [--only WORD] [--dir DIR]

Every transfer is a process of its own, so that its peak memory (``ru_maxrss``) is its own. The
server only counts bytes. Each figure is the best of several runs, taken in turn. The file lies
in memory (``/dev/shm``) where the system has it: the disk is not what is measured.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = Path(__file__).parent
MIB = 1024 * 1024

PREAMBLE = """
import json, resource, sys, time
url, path, target = sys.argv[1:]
"""
EPILOGUE = """
seconds = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([seconds, peak]))
"""
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
START = "start = time.perf_counter()\n"

OURS_CREATE = "client.files.create(file=path, purpose='fine-tune')"
OURS_PARTS = "client.uploads.upload_file(path, workers=4)"
OURS_PARTS_NO_MD5 = "client.uploads.upload_file(path, workers=4, md5=False)"
OURS_DOWN = "client.files.download('file-1', target)"
SDK_CREATE = "client.files.create(file=open(path, 'rb'), purpose='fine-tune')"
SDK_PARTS = (
    "client.uploads.upload_file_chunked(file=__import__('pathlib').Path(path), "
    "mime_type='text/jsonl', purpose='fine-tune')"
)
SDK_DOWN = "client.files.content('file-1').write_to_file(target)"
IDLE = "pass"


def main() -> None:
    options = _options()
    base = options.dir or (Path("/dev/shm") if Path("/dev/shm").is_dir() else None)
    with tempfile.TemporaryDirectory(dir=base) as folder:
        path = Path(folder) / "train.jsonl"
        _fill(path, options.mib)
        with _server(path) as port:
            target = Path(folder) / "target"
            cases = _cases(port, path, target, options.sdk_python)
            chosen = {name: run for name, run in cases.items() if options.only in name}
            _report(_measured(chosen, options.runs, target), options.mib)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", default="", help="take cases with this in their name")
    parser.add_argument("--dir", type=Path, help="where the files lie")
    parser.add_argument("--sdk-python", help="a Python that has the official SDK")
    return parser.parse_args()


def _fill(path: Path, mib: int) -> None:
    block = os.urandom(MIB)
    with path.open("wb") as file:
        for _ in range(mib):
            file.write(block)


@contextlib.contextmanager
def _server(path: Path) -> Iterator[int]:
    command = [sys.executable, str(HERE / "_sink_server.py"), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.kill()


def _cases(
    port: int, path: Path, target: Path, sdk: str | None
) -> dict[str, Callable[[], tuple[float, float]]]:
    url = f"http://127.0.0.1:{port}/v1"
    files = [url, str(path), str(target)]

    def python(executable: str, setup: str, what: str) -> Callable[[], tuple[float, float]]:
        program = PREAMBLE + setup + START + what + EPILOGUE
        return lambda: _python([executable, "-c", program, *files])

    down = ["-o", str(target), f"{url}/files/file-1/content"]
    cases = {
        "idle": python(sys.executable, OURS, IDLE),
        "curl up": lambda: _curl(["-T", str(path), f"{url}/raw"]),
        "create": python(sys.executable, OURS, OURS_CREATE),
        "upload_file": python(sys.executable, OURS, OURS_PARTS),
        "upload_file, no md5": python(sys.executable, OURS, OURS_PARTS_NO_MD5),
        "curl down": lambda: _curl(down, then_sync=target),
        "download": python(sys.executable, OURS, OURS_DOWN),
    }
    if sdk:
        cases["SDK create"] = python(sdk, SDK, SDK_CREATE)
        cases["SDK upload_file_chunked"] = python(sdk, SDK, SDK_PARTS)
        cases["SDK content"] = python(sdk, SDK, SDK_DOWN)
    if shutil.which("curl") is None:
        del cases["curl up"], cases["curl down"]
    return cases


def _python(command: list[str]) -> tuple[float, float]:
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=300)
    seconds, peak = json.loads(done.stdout)
    return seconds, peak


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


def _measured(
    cases: dict[str, Callable[[], tuple[float, float]]], runs: int, target: Path
) -> dict[str, tuple[float, float]]:
    """Run the cases in turn; keep the shortest time and the highest peak."""
    best: dict[str, tuple[float, float]] = {}
    for _ in range(runs):
        for name, run in cases.items():
            target.unlink(missing_ok=True)
            seconds, peak = run()
            before, highest = best.get(name, (seconds, peak))
            best[name] = (min(seconds, before), max(peak, highest))
    return best


def _report(best: dict[str, tuple[float, float]], mib: int) -> None:
    say = sys.stdout.write
    say(f"{mib} MiB, best of the runs; speed in GiB/s, peak memory in MiB\n")
    for name, (seconds, peak) in best.items():
        speed = mib / 1024 / seconds if name != "idle" else float("nan")
        say(f"{name:25} {speed:6.2f} {peak:8.1f}\n")
    pairs = [
        ("create", "curl up"),
        ("create", "SDK create"),
        ("upload_file", "curl up"),
        ("upload_file", "SDK upload_file_chunked"),
        ("upload_file, no md5", "curl up"),
        ("upload_file, no md5", "SDK upload_file_chunked"),
        ("download", "curl down"),
        ("download", "SDK content"),
    ]
    for ours, theirs in pairs:
        if ours in best and theirs in best:
            say(f"{ours} has {best[theirs][0] / best[ours][0]:.2f} times the speed of {theirs}\n")


if __name__ == "__main__":
    main()
