"""A raw-socket HTTP server on loopback that fails as it is told, request by request.

    with FaultServer() as server:
        server.script(fault("reset", works=True))
        client = Client("sk-test", base_url=server.url)

Each instruction is followed once, in order, by the first request it fits; requests without one
are answered as the API would. `seen` is the wire log, `pending` what was not yet followed,
`wires` the connections that are open, `api.effects` what the requests changed.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING

from tests.support.faults.actions import ACTIONS, EARLY, Exchange, Fault, fault
from tests.support.faults.answers import render
from tests.support.faults.api import Api
from tests.support.faults.wire import PREFIX, Seen, Wire

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from typing_extensions import Self

__all__ = ["Fault", "FaultServer", "fault"]


class FaultServer:
    """One listening socket, one thread for each connection; `close()` ends them all.

    With `listening=False` connections are refused until `listen()` is called.
    With `races=True` every connection is reset as soon as it is used a second time.
    """

    def __init__(
        self,
        *,
        api: Api | None = None,
        tls: ssl.SSLContext | None = None,
        listening: bool = True,
        races: bool = False,
    ) -> None:
        self.api = api or Api()
        self.seen: list[Seen] = []
        self.pending: list[Fault] = []
        self.accepted = 0
        self.deaf_handshakes = 0
        self._tls = tls
        self._races = races
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self.wires: list[Wire] = []
        self._threads: list[threading.Thread] = []
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        if listening:
            self.listen()

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    @property
    def origin(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return self.origin + PREFIX

    @property
    def lines(self) -> list[str]:
        return [seen.line for seen in self.seen]

    def script(self, *faults: Fault) -> None:
        self.pending.extend(faults)

    def listen(self) -> None:
        self._socket.listen(64)
        self._start(self._accept)

    def close(self) -> None:
        self._stopped.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for wire in list(self.wires):
            with contextlib.suppress(OSError):
                socket.socket.shutdown(wire.sock, socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
            if thread.is_alive():
                raise RuntimeError(f"the thread {thread.name} of the fault server did not end")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._socket.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.accepted += 1
            self._start(self._serve, sock, self.accepted)

    def _serve(self, sock: socket.socket, number: int) -> None:
        wire = Wire(sock, number)
        self.wires.append(wire)
        try:
            if not self._stopped.is_set() and self._shake_hands(wire):
                self._converse(wire)
        finally:
            wire.finish()
            self.wires.remove(wire)

    def _converse(self, wire: Wire) -> None:
        """Answer request after request until the client leaves or a fault ends it."""
        used = False
        with contextlib.suppress(OSError):
            while (seen := wire.read_head()) is not None:
                self.seen.append(seen)
                if used and self._races:
                    wire.reset()
                    return
                if not self._exchange(wire, seen):
                    return
                used = True

    def _shake_hands(self, wire: Wire) -> bool:
        if self._tls is None:
            return True
        if self.deaf_handshakes:
            self.deaf_handshakes -= 1
            wire.wait_gone()
            return False
        try:
            wire.sock = self._tls.wrap_socket(wire.sock, server_side=True)
        except OSError:
            return False
        return True

    def _exchange(self, wire: Wire, seen: Seen) -> bool:
        found = self._instruction(seen)
        if found is None or found.action not in EARLY:
            wire.read_body(seen)
        if found is None:
            return wire.send(render(self.api.carry_out(seen)))
        exchange = Exchange(wire=wire, seen=seen, fault=found, api=self.api, stopped=self._stopped)
        if found.works:
            exchange.sound()
        return ACTIONS[found.action](exchange)

    def _instruction(self, seen: Seen) -> Fault | None:
        with self._lock:
            for index, each in enumerate(self.pending):
                if seen.line.startswith(each.on):
                    return self.pending.pop(index)
        return None
