"""Serving a `LocalServer` on a port, for curl and for other clients.

Why it is waitress that serves: ``docs/decisions/local-server.md``.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import select
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.task import ThreadedTaskDispatcher

from finetune_client.local.http.forms import FORM_OVERHEAD
from finetune_client.local.http.waitress_server import CheckingServer
from finetune_client.local.server import LocalServer
from finetune_client.loopback import ANY_ADDRESS, LOCAL_PORT, is_loopback

__all__ = ["Listener", "running", "serve"]

_THREADS = 8
"""Beside one for each chat completion that may wait for a model."""

_HOST = "localhost"
_LOCALHOST = ("127.0.0.1", "::1")
_MAX_TRIES = 5
_IDLE_SECONDS = 60
_CLEANUP_SECONDS = 1
_STOP_SECONDS = 1
_MAX_CONNECTIONS = 200
"""Below what Windows can wait for at once (512) and what macOS lets a process open (256)."""


class _Threads(ThreadedTaskDispatcher):
    """The threads that call the app, without a warning each time a request waits for one."""

    # A logger of its own: setting the level of waitress's would set it for the whole process.
    queue_logger = logging.Logger("waitress.queue", logging.ERROR)  # noqa: LOG001 - see above


class Listener:
    """A port on which a `LocalServer` answers.

    Args:
        server: The server.
        host: The address to listen on; ``localhost`` is both 127.0.0.1 and, if the machine has
            it, ::1.
        port: The port; 0 chooses a free one.
        allow_network: Listen on an address that other machines can reach. The server must have
            keys then, and what is sent is not encrypted: put a proxy with TLS in front. One that
            runs python graders is not allowed.

    Attributes:
        base_url: The URL for clients, such as ``http://127.0.0.1:8000/v1``.

    Raises:
        ValueError: Other machines can reach the address, and ``allow_network`` is not set or the
            server has no keys; or they may reach the server, and it runs python graders.
        OSError: The port is taken.
    """

    def __init__(
        self,
        server: LocalServer,
        host: str = _HOST,
        port: int = LOCAL_PORT,
        *,
        allow_network: bool = False,
    ) -> None:
        others = [one for one in (host, *server.allowed_hosts) if not is_loopback(one)]
        if server.allow_python_graders and (others or allow_network):
            raise ValueError(
                "A server that runs python graders lets whoever reaches it run code with your "
                "rights, so no other machine may reach it: take neither allow_network nor "
                "allowed_hosts, and listen on localhost."
            )
        if not is_loopback(host):
            if not allow_network:
                raise ValueError(
                    f"{host!r} can be reached from other machines. Listen on localhost, or allow "
                    "the network explicitly."
                )
            if not server.api_keys:
                raise ValueError(
                    f"{host!r} can be reached from other machines, so the server must check keys: "
                    "give it some."
                )
        server.allowed_hosts.add(host.lower())
        self._sockets: dict[int, Any] = {}
        self._threads = _Threads()
        self._thread_count = _THREADS + server.limits.chat_requests
        addresses = _LOCALHOST if host.lower() == "localhost" else (host,)
        self._listeners = self._open(server, addresses, port)
        self._running = False
        self._ended = threading.Event()
        bound = self._listeners[0].socket.getsockname()[1]
        called = ANY_ADDRESS.get(host, addresses[0])
        name = f"[{called}]" if ":" in called else called
        self.base_url = f"http://{name}:{bound}/v1"

    def _open(self, server: LocalServer, addresses: Sequence[str], port: int) -> list[Any]:
        """Listen on all addresses, and on the same port."""
        for tries_left in reversed(range(_MAX_TRIES)):
            opened: list[Any] = []
            try:
                for address in addresses:
                    bound = opened[0].socket.getsockname()[1] if opened else port
                    opened.append(_listen(server, address, bound, self._sockets, self._threads))
            except OSError as error:
                if opened and error.errno != errno.EADDRINUSE:  # this machine has no IPv6
                    return opened
                wasyncore.close_all(self._sockets)
                # The port that was free on one address may be taken on the other.
                if not opened or port or not tries_left:
                    raise
            else:
                return opened
        raise AssertionError("unreachable")

    def run(self) -> None:
        """Answer requests until another thread calls `stop()`, or until Ctrl-C."""
        self._running = True
        self._threads.set_thread_count(self._thread_count)
        try:
            wasyncore.loop(timeout=0.5, use_poll=hasattr(select, "poll"), map=self._sockets)
        finally:
            self._close_all()
            self._threads.shutdown(timeout=_STOP_SECONDS)
            self._ended.set()

    def _close_all(self) -> None:
        for listener in self._listeners:
            for channel in list(listener.active_channels.values()):
                channel.lingers = False
                channel.handle_close()
            if listener in self._sockets.values():
                listener.close()

    def stop(self) -> None:
        """Close the port and all connections, within two seconds."""
        if not self._running:
            self._close_all()
        elif not self._ended.is_set():
            # The loop may wake up by itself, run this and close the pipe before we write to it.
            with contextlib.suppress(OSError):
                self._listeners[0].trigger.pull_trigger(self._close_all)
            self._ended.wait(2 * _STOP_SECONDS)


def _listen(
    server: LocalServer,
    host: str,
    port: int,
    sockets: dict[int, Any],
    threads: ThreadedTaskDispatcher,
) -> Any:
    largest = max(server.limits.file_bytes, server.limits.part_bytes) + FORM_OVERHEAD
    settings = Adjustments(
        host=host,
        port=port,
        ident=None,
        recv_bytes=256 * 1024,
        channel_timeout=_IDLE_SECONDS,
        cleanup_interval=_CLEANUP_SECONDS,
        connection_limit=_MAX_CONNECTIONS,
        max_request_body_size=largest,
    )
    try:
        return CheckingServer(
            server.app,
            sockets,
            dispatcher=threads,
            adj=settings,
            allowed_hosts=server.allowed_hosts,
            api_keys=server.api_keys,
        )
    except OSError:
        wasyncore.close_all(sockets)
        raise


def serve(
    server: LocalServer,
    host: str = _HOST,
    port: int = LOCAL_PORT,
    *,
    allow_network: bool = False,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Answer on a port until Ctrl-C; the server itself stays open.

    Args:
        server: The server.
        host: The address to listen on, see `Listener`.
        port: The port; 0 chooses a free one.
        allow_network: See `Listener`.
        ready: Called with the base URL once the port is open.

    Raises:
        ValueError: See `Listener`.
        OSError: The port is taken.
    """
    listener = Listener(server, host, port, allow_network=allow_network)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            if ready is not None:
                ready(listener.base_url)
            listener.run()
    finally:
        listener.stop()


@contextlib.contextmanager
def running(
    server: LocalServer, host: str = _HOST, port: int = 0, *, allow_network: bool = False
) -> Iterator[str]:
    """Answer on a port, from a thread, while the ``with`` block runs; its value is the base URL."""
    listener = Listener(server, host, port, allow_network=allow_network)
    thread = threading.Thread(target=listener.run, name="finetune-serve", daemon=True)
    thread.start()
    try:
        yield listener.base_url
    finally:
        listener.stop()
        thread.join(2 * _STOP_SECONDS)
