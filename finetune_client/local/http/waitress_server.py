"""How waitress takes requests here: strangers and what is too large are refused at the headers.

waitress reads a body whole before it calls the app. So what an app would say about the headers
alone is said by the parser, before the body is on its way; and the connection is then closed so
that the answer arrives although the client is still sending: the sending side is shut down, what
still comes is thrown away, for a while.

Rests on what waitress leaves to subclasses: `HTTPChannel.parser_class`, `.error_task_class`,
`BaseWSGIServer.channel_class` (https://docs.pylonsproject.org/projects/waitress).
"""

from __future__ import annotations

import contextlib
import json
import socket
import time
from http.client import responses
from typing import TYPE_CHECKING, Any

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.server import TcpWSGIServer
from waitress.task import ErrorTask
from waitress.utilities import Error, RequestEntityTooLarge

from finetune_client.local.http.access import admit
from finetune_client.local.http.errors import WireError
from finetune_client.local.http.request_fields import JSON_BYTES, too_large

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["GatedServer"]

_LINGER_SECONDS = 10.0
_LINGER_BYTES = 1024**3


class _RefusalError(Error):
    """An error that waitress answers with, as the wire has it."""

    def __init__(self, error: WireError, reason: str) -> None:
        super().__init__(json.dumps(error.body()))
        self.code = error.status
        self.reason = reason


class _Parser(HTTPRequestParser):
    """Looks at the headers as soon as they are there."""

    allowed: Collection[str] = ()

    def received(self, data: bytes) -> int:
        """Take what came; see `HTTPRequestParser`."""
        known = self.headers_finished
        taken = super().received(data)
        fit = self.error is None or isinstance(self.error, RequestEntityTooLarge)
        if self.headers_finished and not known and fit and not self.empty:
            self._admit()
        if self.error:
            self.expect_continue = False
        return taken

    def parse_header(self, header_plus: bytes) -> None:
        """Read the headers; a Content-Length of thousands of digits is a slip too."""
        try:
            super().parse_header(header_plus)
        except ValueError:
            raise ParsingError("Content-Length is invalid") from None

    def _admit(self) -> None:
        environ = {f"HTTP_{name}": value for name, value in self.headers.items()}
        try:
            admit(environ, self.allowed)
            self._check_size()
        except WireError as error:
            self.error = _RefusalError(error, responses.get(error.status, ""))
            self.completed = True

    def _check_size(self) -> None:
        form = self.headers.get("CONTENT_TYPE", "").lower().startswith("multipart/")
        most = self.adj.max_request_body_size - 1 if form else JSON_BYTES
        if self.content_length > most:
            raise too_large(self.content_length, most)


class _ErrorTask(ErrorTask):
    """Answers what never reached the app, in JSON like everything else."""

    def execute(self) -> None:
        """Write the answer."""
        request: Any = self.request
        channel: Any = self.channel
        error = request.error
        if not isinstance(error, _RefusalError):
            error = _RefusalError(
                WireError(error.code, f"{error.reason}: {error.body.rstrip('.')}."), error.reason
            )
        body = error.body.encode()
        self.status = f"{error.code} {error.reason}"
        self.response_headers = [("Content-Type", "application/json")]
        self.set_close_on_finish()
        self.content_length = len(body)
        channel.lingers = True
        self.write(body)


class _Channel(HTTPChannel):
    """A connection that, after a refusal, is shut down before it is closed."""

    error_task_class = _ErrorTask
    lingers = False
    _until: float | None = None
    _dropped = 0

    def handle_close(self) -> None:
        """Close, or begin to linger."""
        if not self.lingers or not self.connected or self._until is not None:
            super().handle_close()
            return
        connection: Any = self.socket
        try:
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            super().handle_close()
        else:
            self._until = time.monotonic() + _LINGER_SECONDS

    def readable(self) -> bool:
        """Say whether to wait for data."""
        return self._until is not None or super().readable()

    def writable(self) -> bool:
        """Say whether there is something to write, or a lingering connection to give up."""
        if self._until is None:
            return super().writable()
        return time.monotonic() > self._until

    def handle_write(self) -> None:
        """Write, or give up lingering."""
        if self._until is None:
            super().handle_write()
        else:
            self.handle_close()

    def handle_read(self) -> None:
        """Read, or throw away what still comes while the connection lingers."""
        if self._until is None:
            super().handle_read()
            return
        try:
            data = self.recv(self.adj.recv_bytes)
        except OSError:
            data = b""
        self._dropped += len(data)
        if not data or self._dropped > _LINGER_BYTES:
            self.handle_close()


class GatedServer(TcpWSGIServer):
    """A waitress server with the gate in front.

    Args:
        allowed: Host names taken beside those of this machine.
    """

    def __init__(self, *args: Any, allowed: Collection[str], **settings: Any) -> None:
        parser = type("_AllowingParser", (_Parser,), {"allowed": allowed})
        self.channel_class = type("_GatedChannel", (_Channel,), {"parser_class": parser})
        super().__init__(*args, **settings)

    def pull_trigger(self) -> None:
        """Wake the loop after an answer; where it has just ended there is nothing to wake."""
        with contextlib.suppress(OSError):
            super().pull_trigger()

    def set_reuse_addr(self) -> None:
        """Take a port that was closed a moment ago; on Windows that option shares it instead."""
        exclusive = getattr(socket, "SO_EXCLUSIVEADDRUSE", None)
        listening: Any = self.socket
        if exclusive is None:
            super().set_reuse_addr()
        else:
            listening.setsockopt(socket.SOL_SOCKET, exclusive, 1)
