"""Connections that keep to the time of an attempt, and that no interim answer can confuse.

urllib3 bounds each single read by the read timeout, so that a server which sends a byte now and
then holds a call for ever, and it sends bodies under the *connect* timeout. `http.client` skips
only ``100 Continue`` among the interim answers and takes any other for the answer. The classes
here cure these three; everything else is urllib3's. They hang on names that urllib3 keeps for
subclasses: ``pool_classes_by_scheme``, ``ConnectionCls``, ``QueueCls``, ``response_class``, ``_new_conn``.
"""

from __future__ import annotations

import http.client
import io
import queue
from collections import deque
from typing import TYPE_CHECKING, Any, Final

# From where recorders leave them alone: vcrpy replaces those of `urllib3.connection` while a cassette
# is open, and this module may be loaded at such a moment.
from urllib3.connectionpool import (  # type: ignore[attr-defined]
    HTTPConnection,
    HTTPConnectionPool,
    HTTPSConnection,
    HTTPSConnectionPool,
)
from urllib3.util import Timeout

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from _typeshed import WriteableBuffer

__all__ = ["POOL_CLASSES", "Attempt", "AttemptTimeout"]

_BLOCK: Final = 64 * 1024
_LONGEST_LINE: Final = 64 * 1024
_MOST_LINES: Final = 200
_MOST_INTERIM: Final = 20
_UNBOUNDED: Final = 2_000_000.0
"""Seconds that stand for no limit in `_AttemptSeconds`, which must be a number to know its attempt: longer than
any system tries to connect, and in milliseconds below the 2**31 that poll() takes. All that follows
on connecting is really unbounded: its socket gets None from `Attempt.allow`."""


class Attempt:
    """One attempt at a request: what time it has, and how far it came.

    Attributes:
        connect: Seconds to connect; None for no limit.
        read: Seconds that may pass between two bytes, sent or received; None for no limit.
        deadline: When the whole call must be over, on the monotonic clock.
        proxy: The host and port of the proxy that it goes through, without a password; None for none.
        used: A connection of this module took the attempt on, so `sent` can be trusted.
        sent: Some of the request was given to the network. The type of an exception does not say
            so: urllib3 reports a TLS handshake that takes too long as a read timeout.
    """

    __slots__ = ("_monotonic", "connect", "deadline", "proxy", "read", "sent", "used")

    def __init__(
        self,
        *,
        connect: float | None,
        read: float | None,
        deadline: float | None,
        monotonic: Callable[[], float],
    ) -> None:
        self.connect = connect
        self.read = read
        self.deadline = deadline
        self.proxy: str | None = None
        self.used = False
        self.sent = False
        self._monotonic = monotonic

    @property
    def expired(self) -> bool:
        """Whether the deadline is over."""
        return self.deadline is not None and self._monotonic() >= self.deadline

    def end_within(self, seconds: float) -> None:
        """Move the deadline to so many seconds from now, unless it is sooner."""
        limit = self._monotonic() + seconds
        self.deadline = limit if self.deadline is None else min(self.deadline, limit)

    def allow(self, seconds: float | None) -> float | None:
        """Return ``seconds``, or what is left until the deadline if that is less; None for no limit.

        Raises:
            TimeoutError: Nothing is left.
        """
        if self.deadline is None:
            return seconds
        left = self.deadline - self._monotonic()
        if left <= 0:
            raise TimeoutError("The total timeout is over.")
        return left if seconds is None else min(seconds, left)


class _AttemptSeconds(float):
    """Seconds that know their attempt: urllib3 hands them to the connection as its timeout."""

    attempt: Attempt


class AttemptTimeout(Timeout):
    """The limits of one attempt, in the form that requests and urllib3 pass on."""

    def __init__(self, attempt: Attempt) -> None:
        super().__init__(connect=attempt.connect, read=attempt.read)
        self.attempt = attempt

    # urllib3 clones a timeout for each request and starts a stopwatch in the copy; here the deadline
    # is on the attempt's own clock, and the connection finds the attempt by this very object.
    def clone(self) -> AttemptTimeout:
        return self

    def start_connect(self) -> float:
        return 0.0

    @property
    def connect_timeout(self) -> float:
        return self._limit(self.attempt.connect)

    @property
    def read_timeout(self) -> float:
        return self._limit(self.attempt.read)

    def _limit(self, seconds: float | None) -> float:
        allowed = self.attempt.allow(seconds)
        limit = _AttemptSeconds(_UNBOUNDED if allowed is None else allowed)
        limit.attempt = self.attempt
        return limit


class _TimedInput(io.RawIOBase):
    """The receiving end of a socket; every single read gets only the time that is left.

    A thread that shuts the socket down at the deadline would be one thread a call, and a race at
    its end. `ended` says that the other side has closed it.
    """

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, attempt: Attempt) -> None:
        super().__init__()
        self._raw = raw
        self._sock = sock
        self._attempt = attempt
        self.ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        attempt = self._attempt
        self._sock.settimeout(attempt.allow(attempt.read))
        count = self._raw.readinto(buffer)
        self.ended = count == 0
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    """An answer that is read in time, after all interim answers (103 and the like)."""

    fp: Any = None  # so that one that an interrupt left half made can be closed

    def __init__(
        self, sock: socket.socket, *args: Any, attempt: Attempt | None, **kwargs: Any
    ) -> None:
        super().__init__(sock, *args, **kwargs)
        self._input: _TimedInput | None = None
        if attempt is not None:
            given, self.fp = self.fp, None
            self._input = _TimedInput(given.detach(), sock, attempt)
            self.fp = io.BufferedReader(self._input)

    def begin(self) -> None:
        super().begin()
        # `http.client` takes the end of the stream for the end of the headers: a download without
        # a Content-Length would then be complete, and empty.
        if self._input is not None and self._input.ended:
            self.close()
            raise http.client.HTTPException("the headers broke off")

    def _read_status(self) -> tuple[str, int, str]:
        for _ in range(_MOST_INTERIM):
            version, status, reason = super()._read_status()  # type: ignore[misc]  # typeshed leaves it out
            if status >= 200 or status < 100 or status == http.HTTPStatus.SWITCHING_PROTOCOLS:
                return version, status, reason
            # `http.client` skips 100 only, and takes a 103 for the response: the real one would
            # then go to the next request on this connection.
            self._skip_headers()
        raise http.client.HTTPException(f"got more than {_MOST_INTERIM} interim answers")

    def _skip_headers(self) -> None:
        for _ in range(_MOST_LINES):
            line = self.fp.readline(_LONGEST_LINE + 1)
            if len(line) > _LONGEST_LINE:
                raise http.client.LineTooLong("header line")
            if line in {b"\r\n", b"\n", b""}:
                return
        raise http.client.HTTPException(f"got more than {_MOST_LINES} headers")


class _TimedConnection(HTTPConnection):
    """What plain and TLS connections have in common."""

    _opening = False
    _plain: socket.socket | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.blocksize = _BLOCK  # bytes of a body read at a time; `http.client` takes 16 KiB

    @property
    def _attempt(self) -> Attempt | None:
        return getattr(self.timeout, "attempt", None)

    def _new_conn(self) -> socket.socket:
        attempt = self._attempt
        self._plain = sock = super()._new_conn()
        if attempt is not None:
            sock.settimeout(attempt.allow(attempt.connect))
        return sock

    def connect(self) -> None:
        attempt = self._attempt
        if attempt is not None:
            attempt.used = True
        self._opening = True
        try:
            super().connect()
        except BaseException:
            if self._plain is not None:  # nothing else may know it yet
                self._plain.close()
            raise
        finally:
            self._opening, self._plain = False, None

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        attempt = self._attempt
        if attempt is None or self._opening:
            super().send(data)
            return
        attempt.used = attempt.sent = True
        whole = memoryview(
            data
        )  # in blocks: urllib3 would send all of it under the connect timeout
        for start in range(0, len(whole), _BLOCK):
            self.sock.settimeout(attempt.allow(attempt.read))
            super().send(whole[start : start + _BLOCK])

    def response_class(  # type: ignore[override]  # `http.client` only ever calls it
        self, sock: socket.socket, *args: Any, **kwargs: Any
    ) -> _Response:
        """Make the answer's reader."""
        return _Response(sock, *args, attempt=self._attempt, **kwargs)


class _PlainConnection(_TimedConnection):
    pass


class _TLSConnection(_TimedConnection, HTTPSConnection):
    pass


class _IdleConnections(queue.LifoQueue[Any]):
    """The connections of a pool that wait for a request.

    It has no lock, since an interrupt or a fork may come while one is held: every later call
    would wait for it (3 of 7 runs that sent thousands of signals stood still in `queue.LifoQueue`).
    What a deque does takes effect as a whole.
    """

    def __init__(self, maxsize: int = 0) -> None:  # not the base's, which makes the locks
        self.maxsize = maxsize
        self._waiting: deque[Any] = deque()

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:  # noqa: ARG002
        if len(self._waiting) >= self.maxsize:
            raise queue.Full
        self._waiting.append(item)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:  # noqa: ARG002
        try:
            return self._waiting.pop()
        except IndexError:
            raise queue.Empty from None

    def qsize(self) -> int:
        return len(self._waiting)

    def empty(self) -> bool:
        return not self._waiting


class _PlainPool(HTTPConnectionPool):
    QueueCls = _IdleConnections

    @property
    def ConnectionCls(self) -> Any:  # type: ignore[override]  # noqa: N802  # urllib3's name
        """Our connections, unless a recorder has put its own in the place of urllib3's."""
        theirs = HTTPConnectionPool.ConnectionCls
        return _PlainConnection if theirs is HTTPConnection else theirs


class _TLSPool(HTTPSConnectionPool):
    QueueCls = _IdleConnections

    @property
    def ConnectionCls(self) -> Any:  # type: ignore[override]  # noqa: N802  # urllib3's name
        """Our connections, unless a recorder has put its own in the place of urllib3's."""
        theirs = HTTPSConnectionPool.ConnectionCls
        return _TLSConnection if theirs is HTTPSConnection else theirs


POOL_CLASSES: Final = {"http": _PlainPool, "https": _TLSPool}
"""What an urllib3 pool manager makes its pools from, by scheme."""
