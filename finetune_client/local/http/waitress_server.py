"""waitress, changed so that requests that must not come in are refused at their headers.

waitress reads a whole body before it calls the app. So whatever can be refused by the headers alone
is refused by the parser, before the body arrives. The client may still be sending then, and a
plain close would reset the connection and lose the response: so the sending side is shut down
first, and for a while what still arrives is read and dropped.

Relies on what waitress leaves to subclasses: `HTTPChannel.parser_class`, `.error_task_class`,
`BaseWSGIServer.channel_class` (https://docs.pylonsproject.org/projects/waitress).
"""

from __future__ import annotations

import contextlib
import json
import socket
import time
from http.client import responses
from typing import TYPE_CHECKING, Any

from waitress.channel import ClientDisconnected, HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.server import TcpWSGIServer
from waitress.task import ErrorTask, WSGITask
from waitress.utilities import Error, RequestEntityTooLarge

from finetune_client.local.http.access import IS_GONE_KEY, check_access
from finetune_client.local.http.api_keys import ApiKeys
from finetune_client.local.http.errors import ConnectionDroppedError, RequestRefusedError
from finetune_client.local.http.request_fields import MAX_JSON_BYTES, too_large

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["CheckingServer"]

_MAX_REQUEST_SECONDS = 30.0
"""How long a request's headers may take, and how long its body may stand still."""

_MAX_LINGER_SECONDS = 10.0
_MAX_LINGER_BYTES = 1024**3


class _RefusalError(Error):
    """A refusal as waitress's kind of error, with a JSON body."""

    def __init__(self, error: RequestRefusedError, reason: str) -> None:
        super().__init__(json.dumps(error.body()))
        self.code = error.status
        self.reason = reason


class _Parser(HTTPRequestParser):
    """Checks the headers as soon as they have arrived."""

    allowed_hosts: Collection[str] = ()
    api_keys = ApiKeys({})

    def received(self, data: bytes) -> int:
        """Parse what has arrived; see `HTTPRequestParser`."""
        were_finished = self.headers_finished
        consumed = super().received(data)
        # What is too large for waitress is checked here too: access comes first, as in the app.
        readable = self.error is None or isinstance(self.error, RequestEntityTooLarge)
        if self.headers_finished and not were_finished and readable and not self.empty:
            self._check_headers()
        if self.error:
            self.expect_continue = False
        return consumed

    def parse_header(self, header_plus: bytes) -> None:
        """Read the headers; `int` refuses a Content-Length of thousands of digits."""
        try:
            super().parse_header(header_plus)
        except ValueError:
            raise ParsingError("Content-Length is invalid") from None

    def _check_headers(self) -> None:
        request: Any = self  # whose first line has been parsed too
        environ = {f"HTTP_{name}": value for name, value in self.headers.items()}
        environ |= {"REQUEST_METHOD": request.command, "PATH_INFO": request.path}
        try:
            check_access(environ, self.allowed_hosts, self.api_keys)
            self._check_length()
        except RequestRefusedError as error:
            self.error = _RefusalError(error, responses.get(error.status, ""))
            self.completed = True

    def _check_length(self) -> None:
        if self.chunked and "CONTENT_LENGTH" in self.headers:
            # A proxy in front may go by the other one, and see the next request elsewhere.
            raise RequestRefusedError(400, "Send Content-Length or Transfer-Encoding, not both.")
        form = self.headers.get("CONTENT_TYPE", "").lower().startswith("multipart/")
        max_bytes = self.adj.max_request_body_size - 1 if form else MAX_JSON_BYTES
        if self.content_length > max_bytes:
            raise too_large(self.content_length, max_bytes)


class _Task(WSGITask):
    """Calls the app, and closes the connection where the app wants it dropped."""

    def execute(self) -> None:
        """Write the response."""
        try:
            super().execute()
        except ConnectionDroppedError:
            raise ClientDisconnected from None

    def get_environment(self) -> dict[str, Any]:
        """Return the WSGI environment, with a way to see that nobody waits for the response."""
        channel: Any = self.channel
        environ: dict[str, Any] = super().get_environment()
        return {**environ, IS_GONE_KEY: channel.is_gone}


class _ErrorTask(ErrorTask):
    """Answers a request that never reaches the app, in JSON like all others."""

    def execute(self) -> None:
        """Write the response."""
        request: Any = self.request
        channel: Any = self.channel
        error = request.error
        if not isinstance(error, _RefusalError):
            message = f"{error.reason}: {error.body.rstrip('.')}."
            error = _RefusalError(RequestRefusedError(error.code, message), error.reason)
        body = error.body.encode()
        self.status = f"{error.code} {error.reason}"
        self.response_headers = [("Content-Type", "application/json")]
        self.set_close_on_finish()
        self.content_length = len(body)
        channel.lingers = True
        self.write(body)


class _Channel(HTTPChannel):
    """A connection that, after a refusal, is shut down before it is closed."""

    task_class = _Task
    error_task_class = _ErrorTask
    lingers = False
    _begun_at = _received_at = 0.0
    _linger_until: float | None = None
    _dropped_bytes = 0

    def received(self, data: bytes) -> bool:
        """Take what has arrived; see `HTTPChannel`."""
        before = self.request
        result: bool = super().received(data)
        if self.request is not before:
            self._begun_at = time.monotonic()
        self._received_at = time.monotonic()
        return result

    def is_stalled(self) -> bool:
        """Return whether a request has been on its way for too long."""
        request: Any = self.request
        if request is None or self.requests:
            return False
        since = self._received_at if request.headers_finished else self._begun_at
        return time.monotonic() - since > _MAX_REQUEST_SECONDS

    def is_gone(self) -> bool:
        """Return whether the client has closed the connection.

        While a request is being answered, waitress does not read; so it would not notice.
        """
        connection: Any = self.socket
        try:
            return not self.connected or not connection.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def handle_close(self) -> None:
        """Close, or begin to linger."""
        if not self.lingers or not self.connected or self._linger_until is not None:
            super().handle_close()
            return
        connection: Any = self.socket
        try:
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            super().handle_close()
        else:
            self._linger_until = time.monotonic() + _MAX_LINGER_SECONDS

    def readable(self) -> bool:
        """Return whether to wait for data."""
        return self._linger_until is not None or super().readable()

    def writable(self) -> bool:
        """Return whether there is something to write, or a lingering connection to close."""
        if self._linger_until is None:
            return super().writable()
        return time.monotonic() > self._linger_until

    def handle_write(self) -> None:
        """Write, or close a connection that has lingered long enough."""
        if self._linger_until is None:
            super().handle_write()
        else:
            self.handle_close()

    def handle_read(self) -> None:
        """Read, or drop what still arrives while the connection lingers."""
        if self._linger_until is None:
            super().handle_read()
            return
        try:
            data = self.recv(self.adj.recv_bytes)
        except OSError:
            data = b""
        self._dropped_bytes += len(data)
        if not data or self._dropped_bytes > _MAX_LINGER_BYTES:
            self.handle_close()


class CheckingServer(TcpWSGIServer):
    """A waitress server that refuses requests at their headers.

    Args:
        allowed_hosts: Host names that are allowed beside those of this machine.
        api_keys: The keys that are taken.
    """

    def __init__(
        self, *args: Any, allowed_hosts: Collection[str], api_keys: ApiKeys, **settings: Any
    ) -> None:
        # waitress makes parsers and channels itself, and passes them nothing of ours.
        checks = {"allowed_hosts": allowed_hosts, "api_keys": api_keys}
        parser = type("_ServerParser", (_Parser,), checks)
        self.channel_class = type("_ServerChannel", (_Channel,), {"parser_class": parser})
        super().__init__(*args, **settings)

    def maintenance(self, now: Any) -> None:
        """Close the connections that are idle, and those with a request that does not arrive."""
        super().maintenance(now)
        channels: Any = self.active_channels
        for channel in channels.values():
            if channel.is_stalled():
                channel.will_close = True

    def pull_trigger(self) -> None:
        """Wake the loop after a response, unless it has just ended."""
        with contextlib.suppress(OSError):
            super().pull_trigger()

    def set_reuse_addr(self) -> None:
        """Allow a port that was closed a moment ago; on Windows that option would share it."""
        exclusive = getattr(socket, "SO_EXCLUSIVEADDRUSE", None)
        listening: Any = self.socket
        if exclusive is None:
            super().set_reuse_addr()
        else:
            listening.setsockopt(socket.SOL_SOCKET, exclusive, 1)
