"""A tiny proxy on loopback that writes down what it was asked."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from typing import TYPE_CHECKING

from tests.support.faults.answers import Answer, render
from tests.support.faults.wire import Seen, Wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

__all__ = ["Proxy"]


class Proxy:
    """Passes CONNECT and plain requests on to `upstream`, whatever host they name.

    With `refusal` it answers each with that status instead.
    """

    def __init__(self, upstream: int, *, refusal: int | None = None) -> None:
        self.seen: list[Seen] = []
        self._upstream = upstream
        self._refusal = refusal
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._run(self._accept)

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    def url(self, userinfo: str = "") -> str:
        return f"http://{userinfo}127.0.0.1:{self.port}"

    def close(self) -> None:
        for sock in [self._socket, *self._sockets]:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for thread in self._threads:
            thread.join(5)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _run(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._socket.accept()
            except OSError:
                return
            self._sockets.append(sock)
            self._run(self._serve, sock)

    def _serve(self, sock: socket.socket) -> None:
        with sock, contextlib.suppress(OSError):
            wire = Wire(sock, 0)
            seen = wire.read_head()
            if seen is None:
                return
            wire.read_body(seen)
            self.seen.append(seen)
            if self._refusal is not None:
                wire.send(render(Answer(status=self._refusal, body=b"no")))
            else:
                self._pass_on(wire, seen)

    def _pass_on(self, wire: Wire, seen: Seen) -> None:
        with socket.create_connection(("127.0.0.1", self._upstream), timeout=5) as there:
            self._sockets.append(there)
            if seen.method == "CONNECT":
                wire.send(b"HTTP/1.1 200 Connected\r\n\r\n")
            else:
                there.sendall(_as_origin_form(seen))
            _pump(wire.sock, there)


def _as_origin_form(seen: Seen) -> bytes:
    path = "/" + seen.target.split("/", 3)[3]
    lines = [f"{seen.method} {path} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in seen.headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + seen.body


def _pump(one: socket.socket, other: socket.socket) -> None:
    """Pass bytes both ways until either side closes."""
    peers = {one: other, other: one}
    while True:
        for sock in select.select([one, other], [], [])[0]:
            block = sock.recv(65536)
            if not block:
                return
            peers[sock].sendall(block)
