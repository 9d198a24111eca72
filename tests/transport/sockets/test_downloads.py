"""Downloads: the right bytes, or an error and nothing left behind; never a half file."""

from __future__ import annotations

import gzip
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from finetune_client.errors import FineTuneError
from tests.support.fault_server import FaultServer, fault
from tests.support.faults.api import CSV
from tests.support.faults.clients import connect, failure, sleepless
from tests.support.processes import end_with
from tests.support.unmeasured import unmeasured

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.fault_server import Fault

ON = "GET /files/file-7/content"
FOR_EVER: dict[str, Fault] = {
    "reset": fault("reset", on=ON),
    "closed": fault("close", on=ON),
    "silent": fault("hang", on=ON),
    "not HTTP": fault("raw", on=ON, text="SSH-2.0\r\n\r\n"),
    "500": fault("answer", on=ON, status=500),
    "404": fault("answer", on=ON, status=404),
    "HTML": fault("answer", on=ON, text="<!DOCTYPE html><title>Sign in</title>"),
    "nothing": fault("answer", on=ON, text=""),
    "too short": fault("answer", on=ON, text=CSV[:-1]),
    "too long": fault("answer", on=ON, text=CSV + b"x"),
    "compressed, cut": fault("cut gzip", on=ON),
    "compressed though not asked": fault(
        "answer", on=ON, text=gzip.compress(CSV), headers={"Content-Encoding": "gzip"}
    ),
    "another part": fault(
        "answer",
        on=ON,
        status=206,
        text=CSV[5:],
        headers={"Content-Range": f"bytes 5-{len(CSV) - 1}/{len(CSV)}"},
    ),
    "without end": fault("endless", on=ON),
}
ONCE: dict[str, Fault] = {
    "reset": fault("reset", on=ON),
    "closed": fault("close", on=ON),
    "silent": fault("hang", on=ON),
    "cut": fault("cut", on=ON),
    "cut by a reset": fault("cut", on=ON, reset=True),
    "cut, closed": fault("cut open", on=ON),
    "cut in a chunk": fault("cut chunks", on=ON),
    "500": fault("answer", on=ON, status=500),
    "503": fault("answer", on=ON, status=503),
    "429": fault("answer", on=ON, status=429, headers={"Retry-After": "1"}),
}


def _read(trouble: str) -> float:
    """The read time-out, which only a server that says nothing is to meet."""
    return 0.2 if trouble == "silent" else 30


@pytest.mark.parametrize("before", [None, b"what was there"])
@pytest.mark.parametrize("trouble", FOR_EVER)
def test_for_ever__leaves_all_as_it_was(
    server: FaultServer, tmp_path: Path, trouble: str, before: bytes | None
) -> None:
    target = tmp_path / "curve.csv"
    if before is not None:
        target.write_bytes(before)
    server.script(*[FOR_EVER[trouble]] * 100)
    with connect(server, timeout=(10, _read(trouble))) as client:
        sleepless(client)
        failure(lambda: client.files.download("file-7", target), FineTuneError)
    assert list(tmp_path.iterdir()) == ([] if before is None else [target])
    assert before is None or target.read_bytes() == before


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize("trouble", ONCE)
def test_once__ends_with_the_right_bytes(
    server: FaultServer, tmp_path: Path, trouble: str, ranges: bool
) -> None:
    server.api.ranges = ranges
    server.script(ONCE[trouble])
    with connect(server, timeout=(10, _read(trouble))) as client:
        sleepless(client)
        client.files.download("file-7", tmp_path / "curve.csv")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("curve.csv", CSV)]
    assert server.pending == []


def test_cut__goes_on_where_it_was_cut(server: FaultServer, tmp_path: Path) -> None:
    server.script(ONCE["cut"])
    with connect(server) as client:
        sleepless(client)
        client.files.download("file-7", tmp_path / "curve.csv")
    first, second = [seen for seen in server.seen if seen.line == ON]
    assert first.header("range") is None
    assert first.header("accept-encoding") == "identity"
    assert second.header("range") == f"bytes={len(CSV) - len(CSV) // 2}-"
    assert second.header("if-range") == '"1"'


def test_cut__starts_over_when_the_file_is_another(server: FaultServer, tmp_path: Path) -> None:
    old = fault(
        "raw", on=ON, text=f'HTTP/1.1 200 OK\r\nETag: "0"\r\nContent-Length: {len(CSV)}\r\n\r\nold'
    )
    server.script(old)
    with connect(server) as client:
        sleepless(client)
        client.files.download("file-7", tmp_path / "curve.csv")
    assert (tmp_path / "curve.csv").read_bytes() == CSV


def test_length__says_nothing_beside_chunks(server: FaultServer) -> None:
    head = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = f"{len(CSV):x}\r\n{CSV.decode()}\r\n0\r\n\r\n"
    server.script(fault("raw", on=ON, text=head + chunks))
    with connect(server) as client:
        sleepless(client)
        assert client.files.content("file-7") == CSV
    assert [seen.line for seen in server.seen].count(ON) == 1


@pytest.mark.parametrize("length", ["9" * 5000, "²"])
def test_length__that_is_none_is_passed_over(server: FaultServer, length: str) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    server.script(fault("raw", on=ON, text=head + CSV.decode()))
    with connect(server) as client:
        assert client.files.content("file-7") == CSV
    assert [seen.line for seen in server.seen].count(ON) == 1


CHILD = """
import sys
from finetune_client import Client

client = Client("sk-test", base_url=sys.argv[1], provider="openai", timeout=(5, 30))
client.files.download("file-7", sys.argv[2])
"""


def test_ctrl_c__leaves_no_half_file(server: FaultServer, tmp_path: Path) -> None:
    server.script(fault("drip", on=ON, every=0.1, size=1000))
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, server.url, str(tmp_path / "curve.csv")],
        env=unmeasured(),
        stderr=subprocess.PIPE,
        text=True,
    )
    ends = time.monotonic() + 20
    while not list(tmp_path.iterdir()) and time.monotonic() < ends:
        time.sleep(0.02)
    assert list(tmp_path.iterdir())
    _, trace = end_with(signal.SIGINT, child)
    assert "KeyboardInterrupt" in trace
    assert list(tmp_path.iterdir()) == []
