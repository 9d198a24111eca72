"""One accepted connection: what came in is read and kept, what goes out is plain bytes."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

__all__ = ["PREFIX", "Seen", "Wire"]

PREFIX = "/v1"
_LINGER_NOT = struct.pack("ii", 1, 0)


@dataclass(kw_only=True, slots=True)
class Seen:
    """A request as it stood on the wire; `complete` once all of its body came."""

    connection: int
    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes = b""
    complete: bool = False

    @property
    def path(self) -> str:
        return urlsplit(self.target).path.removeprefix(PREFIX)

    @property
    def line(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def json(self) -> Any:
        return json.loads(self.body)

    def raw(self) -> str:
        """All that the client said, for a look whether a secret is in it."""
        lines = "\n".join(f"{key}: {value}" for key, value in self.headers)
        return f"{self.method} {self.target}\n{lines}\n{self.body!r}"


class Wire:
    """A connection; reading gives `None` once the peer has gone."""

    def __init__(self, sock: socket.socket, number: int) -> None:
        self.sock = sock
        self.number = number
        self._buffer = b""

    def read_head(self) -> Seen | None:
        while b"\r\n\r\n" not in self._buffer:
            if not self._fill():
                return None
        head, self._buffer = self._buffer.split(b"\r\n\r\n", 1)
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _version = first.split(" ", 2)
        pairs = [line.split(":", 1) for line in lines]
        headers = [(name, value.strip()) for name, value in pairs]
        return Seen(connection=self.number, method=method, target=target, headers=headers)

    def read_body(self, seen: Seen) -> None:
        if (seen.header("transfer-encoding") or "").lower() == "chunked":
            seen.body, seen.complete = self._chunks()
            return
        wanted = int(seen.header("content-length") or 0)
        seen.body = self._take(wanted)
        seen.complete = len(seen.body) == wanted

    def read_some(self, size: int) -> bytes:
        if not self._buffer:
            self._fill()
        some, self._buffer = self._buffer[:size], self._buffer[size:]
        return some

    def send(self, data: bytes) -> bool:
        """Send all of it; `False` when the peer is gone."""
        try:
            self.sock.sendall(data)
        except OSError:
            return False
        return True

    def wait_gone(self) -> None:
        """Wait until the peer has closed, or the server ends; what still comes is dropped."""
        while self._fill():
            self._buffer = b""

    def half_close(self) -> None:
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self.sock, socket.SHUT_WR)

    def finish(self) -> None:
        """Close as one should: a FIN after all that was sent."""
        self.half_close()
        self.sock.close()

    def reset(self) -> None:
        with contextlib.suppress(OSError):
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
        self.sock.close()

    def _fill(self) -> bool:
        try:
            block = self.sock.recv(65536)
        except OSError:
            return False
        self._buffer += block
        return bool(block)

    def _take(self, size: int) -> bytes:
        blocks, have = [self._buffer], len(self._buffer)
        self._buffer = b""
        while have < size and self._fill():
            blocks.append(self._buffer)
            have += len(self._buffer)
            self._buffer = b""
        whole = b"".join(blocks)
        self._buffer = whole[size:]
        return whole[:size]

    def _line(self) -> bytes:
        while b"\r\n" not in self._buffer:
            if not self._fill():
                return b""
        line, self._buffer = self._buffer.split(b"\r\n", 1)
        return line

    def _chunks(self) -> tuple[bytes, bool]:
        blocks: list[bytes] = []
        while (line := self._line()) and (size := int(line, 16)):
            blocks.append(self._take(size))
            self._line()
        whole = bool(line)
        if whole:
            self._line()
        return b"".join(blocks), whole
