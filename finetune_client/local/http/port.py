"""Serving a `LocalServer` on a port, for curl and for other clients.

Why it is waitress that serves: ``docs/decisions/local-server.md``.
"""

from __future__ import annotations

import contextlib
import logging
import select
import threading
from collections.abc import Callable, Iterator
from typing import Any

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.task import ThreadedTaskDispatcher

from finetune_client.local.http.forms import FORM_OVERHEAD
from finetune_client.local.http.waitress_server import CheckingServer
from finetune_client.local.server import LocalServer
from finetune_client.loopback import LOCAL_PORT, is_loopback

__all__ = ["Listener", "running", "serve"]

_THREADS = 8
"""Beside one for each chat completion that may wait for a model."""

_IDLE_SECONDS = 60
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
        host: The address to listen on.
        port: The port; 0 chooses a free one.
        allow_network: Listen on an address that other machines can reach. Everyone who can reach
            it can then read and delete what the server holds.

    Attributes:
        base_url: The URL for clients, such as ``http://127.0.0.1:8000/v1``.

    Raises:
        ValueError: The address is not this machine's own and ``allow_network`` is not set.
        OSError: The port is taken.
    """

    def __init__(
        self,
        server: LocalServer,
        host: str = "127.0.0.1",
        port: int = LOCAL_PORT,
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
        self._thread_count = _THREADS + server.limits.chat_requests
        self._listener = _listen(server, host, port, self._sockets, self._threads)
        self._running = False
        self._ended = threading.Event()
        bound = self._listener.socket.getsockname()[1]
        name = f"[{host}]" if ":" in host else host
        self.base_url = f"http://{name}:{bound}/v1"

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
        for channel in list(self._listener.active_channels.values()):
            channel.lingers = False
            channel.handle_close()
        if self._listener in self._sockets.values():
            self._listener.close()

    def stop(self) -> None:
        """Close the port and all connections, within two seconds."""
        if not self._running:
            self._close_all()
        elif not self._ended.is_set():
            # The loop may wake up by itself, run this and close the pipe before we write to it.
            with contextlib.suppress(OSError):
                self._listener.trigger.pull_trigger(self._close_all)
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
        )
    except OSError:
        wasyncore.close_all(sockets)
        raise


def serve(
    server: LocalServer,
    host: str = "127.0.0.1",
    port: int = LOCAL_PORT,
    *,
    allow_network: bool = False,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Answer on a port until Ctrl-C; the server itself stays open.

    Args:
        server: The server.
        host: The address to listen on.
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
    server: LocalServer, host: str = "127.0.0.1", port: int = 0, *, allow_network: bool = False
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
