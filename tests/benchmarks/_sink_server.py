"""A server that takes and gives bytes as fast as it can, so that the client is what is measured.

It speaks just enough of the API: files (one request, or in parts) are counted and dropped, the
content of every file is the one file it was started with, and jobs are fixed bytes. Run as a module
with a path, it prints its port.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.benchmarks.answers import FINISHED_JOB, QUEUED_JOB, page
from tests.benchmarks.comparing import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["JOB", "JOBS", "JOBS_QUEUED", "serving"]

BLOCK = 1024 * 1024
JOBS = "/fine_tuning/jobs"
JOB = f"{JOBS}/{FINISHED_JOB['id']}"
JOBS_QUEUED = 99
"""The limit of a list that is answered with queued jobs; both lists have 100 jobs."""


def _rendered(data: Any) -> bytes:
    """Write an answer as the API does, headers and all."""
    body = json.dumps(data, indent=2).encode()
    head = (
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nx-request-id: req_123\r\n"
        "openai-version: 2020-10-01\r\nopenai-processing-ms: 12\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


_FIXED = {
    f"GET /v1{JOB}": _rendered(FINISHED_JOB),
    f"GET /v1{JOBS}?limit=100": _rendered(page(FINISHED_JOB)),
    f"GET /v1{JOBS}?limit={JOBS_QUEUED}": _rendered(page(QUEUED_JOB)),
    f"POST /v1{JOBS}": _rendered(QUEUED_JOB),
}
"""What is asked for -> the answer."""


@contextmanager
def serving(content: Path) -> Iterator[str]:
    """Run a server in a process of its own, and give the base URL.

    Args:
        content: What every file contains.
    """
    command = [sys.executable, "-m", "tests.benchmarks._sink_server", str(content)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
        finally:
            process.kill()


class Connection:
    """One accepted connection, served until the peer leaves."""

    def __init__(self, sock: socket.socket, content: Path) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sock = sock
        self._content = content
        self._block = bytearray(BLOCK)

    def serve(self) -> None:
        with self._sock:
            buffer = b""
            while True:
                while b"\r\n\r\n" not in buffer:
                    got = self._sock.recv(65536)
                    if not got:
                        return
                    buffer += got
                head, _, rest = buffer.partition(b"\r\n\r\n")
                self._answer(head.decode("latin-1"), rest)
                buffer = b""

    def _answer(self, head: str, start: bytes) -> None:
        method, path, _ = head.split(" ", 2)
        lengths = re.findall(r"(?im)^content-length: *(\d+)", head)
        size = int(lengths[0]) if lengths else 0
        if re.search(r"(?im)^expect: *100-continue", head):
            self._sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        first = self._drop(size, start)
        fixed = _FIXED.get(f"{method} {path}")
        if fixed:
            self._sock.sendall(fixed)
        elif method == "GET" and path.endswith("/content"):
            self._give()
        else:
            self._say(self._result(path, size, first, head))

    def _drop(self, size: int, start: bytes) -> bytes:
        """Read a body and keep only its first bytes."""
        first, left = start, size - len(start)
        while left > 0:
            count = self._sock.recv_into(self._block, min(left, BLOCK))
            if not count:
                raise ConnectionError("the client went away")
            if len(first) < 4096:
                first += bytes(self._block[: min(count, 4096)])
            left -= count
        return first

    def _result(self, path: str, size: int, first: bytes, head: str) -> dict[str, Any]:
        if path.endswith("/parts"):
            return {"id": f"part_{os.urandom(8).hex()}", "object": "upload.part"}
        if "/uploads" in path:
            done = path.endswith("/complete")
            return {
                "id": "upload_1",
                "object": "upload",
                "status": "completed" if done else "pending",
                "file": self._file(self._content.stat().st_size) if done else None,
            }
        return self._file(self._inside(size, first, head))

    def _inside(self, size: int, first: bytes, head: str) -> int:
        """Count the file's bytes in a multipart body: all but what stands around it."""
        found = re.search(r"(?i)boundary=([^\r\n;]+)", head)
        if not found:
            return self._content.stat().st_size
        start = first.index(b"\r\n\r\n", first.index(b"filename=")) + 4
        boundary = found[1].strip('"')
        return size - start - len(f"\r\n--{boundary}--\r\n")

    def _file(self, size: int) -> dict[str, Any]:
        return {
            "id": "file-1",
            "object": "file",
            "bytes": size,
            "created_at": 1,
            "filename": self._content.name,
            "purpose": "fine-tune",
        }

    def _say(self, data: dict[str, Any]) -> None:
        body = json.dumps(data).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        self._sock.sendall(head.encode() + b"\r\n\r\n" + body)

    def _give(self) -> None:
        with self._content.open("rb") as file:
            size = self._content.stat().st_size
            head = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {size}"
            self._sock.sendall(head.encode() + b"\r\n\r\n")
            self._sock.sendfile(file)


def _quietly(connection: Connection) -> None:
    try:
        connection.serve()
    except ConnectionError:
        return


def main() -> None:
    content = Path(sys.argv[1])
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        sys.stdout.write(f"{server.getsockname()[1]}\n")
        sys.stdout.flush()
        while True:
            sock, _ = server.accept()
            connection = Connection(sock, content)
            threading.Thread(target=_quietly, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    main()
