"""The embedded server on a port, for curl and for other clients.

waitress serves it (the choice: ``docs/decisions/local-server.md``), bound to 127.0.0.1.
"""

from __future__ import annotations

import contextlib
import logging
import select
import threading
from typing import TYPE_CHECKING, Any

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.task import ThreadedTaskDispatcher

from finetune_client.local.http.forms import FORM_OVERHEAD
from finetune_client.local.http.waitress_server import GatedServer
from finetune_client.loopback import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from finetune_client.local.server import LocalServer

__all__ = ["Listener", "running", "serve"]

_THREADS = 8
_IDLE_SECONDS = 60
_PATIENCE = 1
_CONNECTIONS = 200
"""Fewer than Windows can wait for at once (512), and than macOS lets a process open (256)."""


class _Threads(ThreadedTaskDispatcher):
    """The threads that call the app; that a request waits for one is nothing to warn of."""

    # One of its own: the level of waitress's logger is the whole process's.
    queue_logger = logging.Logger("waitress.queue", logging.ERROR)  # noqa: LOG001 - see above


class Listener:
    """A port that answers for a `LocalServer`.

    Args:
        server: What answers.
        host: The address to listen on.
        port: The port; 0 takes one that is free.
        allow_network: Listen on an address that other machines can reach. Everyone who can reach
            it can then read and delete what the server holds.

    Attributes:
        base_url: What clients are given, such as ``http://127.0.0.1:8000/v1``.

    Raises:
        ValueError: The address is not this machine's own and ``allow_network`` is not set.
        OSError: The port is taken.
    """

    def __init__(
        self,
        server: LocalServer,
        host: str = "127.0.0.1",
        port: int = 8000,
        *,
        allow_network: bool = False,
    ) -> None:
        if not allow_network and not is_loopback(host):
            raise ValueError(
                f"{host!r} can be reached from other machines, and whoever reaches the server "
                "may use it. Listen on 127.0.0.1, or allow the network explicitly."
            )
        server.allowed_hosts.add(host.lower())
        self._sockets: dict[int, Any] = {}
        self._threads = _Threads()
        self._listener = _listen(server, host, port, self._sockets, self._threads)
        self._running = False
        self._ended = threading.Event()
        bound = self._listener.socket.getsockname()[1]
        name = f"[{host}]" if ":" in host else host
        self.base_url = f"http://{name}:{bound}/v1"

    def run(self) -> None:
        """Answer requests until `stop()` is called from another thread, or Ctrl-C comes."""
        self._running = True
        self._threads.set_thread_count(_THREADS)
        try:
            wasyncore.loop(timeout=0.5, use_poll=hasattr(select, "poll"), map=self._sockets)
        finally:
            self._close_all()
            self._threads.shutdown(timeout=_PATIENCE)
            self._ended.set()

    def _close_all(self) -> None:
        for channel in list(self._listener.active_channels.values()):
            channel.lingers = False
            channel.handle_close()
        if self._listener in self._sockets.values():
            self._listener.close()

    def stop(self) -> None:
        """Close the port and all connections; returns within two seconds."""
        if not self._running:
            self._close_all()
        elif not self._ended.is_set():
            # Another wake-up may run it, and close the pipe, before ours is written.
            with contextlib.suppress(OSError):
                self._listener.trigger.pull_trigger(self._close_all)
            self._ended.wait(2 * _PATIENCE)


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
        threads=_THREADS,
        ident=None,
        recv_bytes=256 * 1024,
        channel_timeout=_IDLE_SECONDS,
        connection_limit=_CONNECTIONS,
        max_request_body_size=largest,
    )
    try:
        return GatedServer(
            server.app, sockets, dispatcher=threads, adj=settings, allowed=server.allowed_hosts
        )
    except OSError:
        wasyncore.close_all(sockets)
        raise


def serve(
    server: LocalServer,
    host: str = "127.0.0.1",
    port: int = 8000,
    *,
    allow_network: bool = False,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Answer on a port until Ctrl-C; the server itself is left open.

    Args:
        server: What answers.
        host: The address to listen on.
        port: The port; 0 takes one that is free.
        allow_network: See `Listener`.
        ready: Called with the base URL once requests are taken.

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
    server: LocalServer, host: str = "127.0.0.1", port: int = 0, *, allow_network: bool = False
) -> Iterator[str]:
    """Answer on a port from a thread while the ``with`` block runs; it gets the base URL."""
    listener = Listener(server, host, port, allow_network=allow_network)
    thread = threading.Thread(target=listener.run, name="finetune-serve", daemon=True)
    thread.start()
    try:
        yield listener.base_url
    finally:
        listener.stop()
        thread.join(2 * _PATIENCE)
