"""The embedded server with a journal, faults and a clock of its own, for users' tests."""

from __future__ import annotations

import contextlib
import io
import json
import os
import threading
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any
from unittest import mock
from urllib.parse import parse_qsl

import requests

from finetune_client.client import Client
from finetune_client.local.faults import Fault, Faults
from finetune_client.local.http.adapter import LocalAdapter
from finetune_client.local.http.port import running
from finetune_client.local.server import LocalServer
from finetune_client.loopback import IN_PROCESS_URL
from finetune_client.providers import LOCAL, OPENAI
from finetune_client.testing.clock import VirtualClock
from finetune_client.transport.credentials import hide_secret_headers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIEnvironment
    from typing_extensions import Self

__all__ = ["FakeAPI", "RecordedRequest", "fake_api"]

_MOST_KEPT = 1024**2
"""Bytes of a request's body; a longer one is not kept."""

_PROVIDER = replace(LOCAL, first_poll=OPENAI.first_poll, longest_poll=OPENAI.longest_poll)
"""Asked as seldom as a service: by this clock a job takes hours."""

_WORKERS = 2
_AT_WORK = frozenset({"validating_files", "queued", "running", "pausing"})


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordedRequest:
    """One request that the API has received.

    Attributes:
        method: ``"POST"``.
        path: Below the base URL: ``"/fine_tuning/jobs"``.
        query: The query's pairs; of a key that comes twice the last.
        headers: The headers, their names in lower case, with ``<secret>`` in the place of keys.
        body: The body, or `None` if it was longer than 1 MiB or of an unknown length.
        status: The status of the answer; `None` if the connection was dropped.
    """

    method: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = b""
    status: int | None = None

    @property
    def json(self) -> Any:
        """The body, read as JSON; `None` if it is not JSON."""
        try:
            return json.loads(self.body or b"")
        except ValueError:
            return None


class FakeAPI:
    """The fine-tuning API in this process, for tests. Threads may share it.

    Jobs are really trained, on a tiny model, whatever the model's name. Nothing leaves the machine.

    Args:
        step_seconds: How long a step of training takes by the virtual `clock`; 0 for no time at
            all, so that a job ends as soon as somebody waits for it.

    Attributes:
        clock: The time of the server and of `client`. It moves when `client` waits, and in
            `advance`.
        api_key: The key for other clients; any key is taken.
    """

    api_key = "sk-fake"

    def __init__(self, *, step_seconds: float = 0.0) -> None:
        self.clock = VirtualClock(is_settled=self._is_settled)
        self._step_seconds = step_seconds
        self._lock = threading.Lock()
        self._requests: list[RecordedRequest] = []
        self._closing = contextlib.ExitStack()
        self._server, self._faults = self._new_server()
        self._url: str | None = None

    def _new_server(self) -> tuple[LocalServer, Faults]:
        server = LocalServer(
            clock=self.clock.now,
            wait=self.clock.wait,
            step_seconds=self._step_seconds,
            workers=_WORKERS,
            any_model=True,
        )
        return server, Faults(server.app, sleep=self.clock.sleep)

    def _is_settled(self, waiting: int) -> bool:
        """Return whether all jobs at work wait by the clock, or for one that does."""
        return waiting >= _WORKERS or self._server.count_active_jobs() <= waiting

    @cached_property
    def client(self) -> Client:
        """A client of it, in process; its waits take no real time."""
        session = requests.Session()
        session.trust_env = False
        session.mount(IN_PROCESS_URL, LocalAdapter(self._answer, self._why_unavailable))
        client = Client(self.api_key, base_url=IN_PROCESS_URL, provider=_PROVIDER, session=session)
        client._session.clock = self.clock.to_clock()  # noqa: SLF001  # a client of our own
        self._closing.callback(session.close)
        return client

    @property
    def url(self) -> str:
        """The base URL on a real port of this machine, which is opened now if it is not open."""
        if self._url is None:
            with self._lock:
                if self._url is None:
                    self._server.app = self._answer
                    self._url = self._closing.enter_context(running(self._server))
        return self._url

    @property
    def requests(self) -> list[RecordedRequest]:
        """What has been received so far, in the order in which the answers began."""
        with self._lock:
            return list(self._requests)

    def fail_next(
        self, status: int = 500, *, count: int = 1, path: str = "", retry_after: float | None = None
    ) -> None:
        """Answer the next requests with an error.

        Args:
            status: From 400 to 599.
            count: How many requests.
            path: Only requests whose method and path, such as ``POST /v1/files``, contain this.
            retry_after: Seconds that the answer asks to wait.
        """
        self._faults.add(Fault(kind=str(status), value=retry_after, count=count, path=path))

    def drop_next(self, *, count: int = 1, path: str = "", answer_only: bool = False) -> None:
        """Drop the connection of the next requests.

        Args:
            count: How many requests.
            path: See `fail_next`.
            answer_only: Carry the request out first, and drop the connection before the answer.
        """
        self._faults.add(Fault(kind="lost" if answer_only else "reset", count=count, path=path))

    def delay_next(self, seconds: float, *, count: int = 1, path: str = "") -> None:
        """Let the next answers come late, by the virtual clock.

        Args:
            seconds: How late.
            count: How many requests.
            path: See `fail_next`.
        """
        self._faults.add(Fault(kind="delay", value=seconds, count=count, path=path))

    def advance(self, seconds: float = 0.0, *, minutes: float = 0.0, hours: float = 0.0) -> None:
        """Move the clock, and let training continue for so long."""
        span = timedelta(seconds=seconds, minutes=minutes, hours=hours)
        self.clock.advance(span.total_seconds())

    def reset(self) -> None:
        """Begin anew: no files, no jobs, no faults, an empty journal. Clients and port stay."""
        fresh = self._new_server()
        with self._lock:
            old = self._server
            self._server, self._faults = fresh
            self._requests = []
        old.close()

    def close(self) -> None:
        """Close the port, and remove what the server kept."""
        self._closing.close()
        self._server.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _answer(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Pass a request on to the server, and write it into the journal."""
        body = _read_body(environ)
        headers = {
            name[5:].replace("_", "-").lower(): str(value)
            for name, value in environ.items()
            if name.startswith("HTTP_")
        }
        headers |= {
            name.replace("_", "-").lower(): str(environ[name])
            for name in ("CONTENT_TYPE", "CONTENT_LENGTH")
            if environ.get(name)
        }
        facts: dict[str, Any] = {
            "method": environ["REQUEST_METHOD"],
            "path": environ["PATH_INFO"].removeprefix("/v1"),
            "query": dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True)),
            "headers": {name: str(v) for name, v in hide_secret_headers(headers).items()},
            "body": body,
        }
        with self._lock:
            app, journal, place = self._faults, self._requests, len(self._requests)
            journal.append(RecordedRequest(**facts))

        def recording(status: str, *rest: Any) -> Any:
            with self._lock:
                journal[place] = RecordedRequest(**facts, status=int(status[:3]))
            return start_response(status, *rest)

        return app(environ, recording)

    def _why_unavailable(self) -> str | None:
        return self._server.why_unavailable()


def _read_body(environ: WSGIEnvironment) -> bytes | None:
    """Return a short body, and put it back for whoever reads next."""
    length = environ.get("CONTENT_LENGTH") or "0"
    if int(length) > _MOST_KEPT or environ.get("wsgi.input_terminated"):
        return None
    body: bytes = environ["wsgi.input"].read(int(length))
    environ["wsgi.input"] = io.BytesIO(body)
    return body


@contextlib.contextmanager
def fake_api(*, step_seconds: float = 0.0, set_environment: bool = True) -> Iterator[FakeAPI]:
    """Run the API for a with-block, on a real port too, for unittest and other frameworks.

    Args:
        step_seconds: See `FakeAPI`.
        set_environment: Set ``OPENAI_BASE_URL`` and ``OPENAI_API_KEY`` for the block, so that other
            clients in this process and its children find it.
    """
    with FakeAPI(step_seconds=step_seconds) as api, contextlib.ExitStack() as undo:
        if set_environment:
            values = {"OPENAI_BASE_URL": api.url, "OPENAI_API_KEY": api.api_key}
            undo.enter_context(mock.patch.dict(os.environ, values))
        yield api
