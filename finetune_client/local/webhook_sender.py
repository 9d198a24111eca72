"""Webhooks that the server sends: an event is posted when a job has ended, until it is taken.

The events are those of https://developers.openai.com/api/reference (``fine_tuning.job.succeeded``,
``.failed`` and ``.cancelled``), and they are sent as the API did: signed, and for up to three days.
"""

from __future__ import annotations

import json
import logging
import secrets
import sqlite3
import threading
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase, HTTPBasicAuth
from requests.utils import get_auth_from_url

from finetune_client._version import __version__
from finetune_client.errors import ConfigurationError
from finetune_client.local.storage.database import StoreClosedError
from finetune_client.local.training.job import FINAL_STATUSES
from finetune_client.loopback import is_loopback
from finetune_client.webhook_signature import sign

if TYPE_CHECKING:
    from collections.abc import Callable

    from finetune_client.local.state import State

__all__ = ["WebhookSender"]

_log = logging.getLogger("finetune_client.local")
_TIMEOUT = (5.0, 15.0)
"""Seconds to connect, and between two bytes of the response."""
_FIRST_PAUSE, _LONGEST_PAUSE = 5.0, 3600.0
"""Seconds before the second try; they double with each further one up to the latter."""
_GIVE_UP_AFTER = 72 * 3600
_CLOSE_SECONDS = 2.0


class WebhookSender:
    """Posts an event for each job that ends, in a thread of its own.

    Every event stands in the database until the receiver has answered 2xx. So it is sent again
    after a restart, and may come twice, with the same id, if the server is killed between the
    answer and the note of it.

    Args:
        state: What the server's parts share.
        url: The only address that is posted to: redirects are not followed.
        secret: The signing secret, ``whsec_...``.
        wait: Waits so many seconds, or until the event is set, and returns whether it is.

    Raises:
        ConfigurationError: The URL is not one of http or https, or the secret cannot be used.
    """

    def __init__(
        self,
        state: State,
        url: str,
        secret: str | None,
        *,
        wait: Callable[[threading.Event, float], bool],
    ) -> None:
        self._host = _host_of(url)
        if not secret:
            raise ConfigurationError(
                "Webhooks are signed: give their secret too, as webhook_secret=, --webhook-secret "
                "or FINETUNE_SERVE_WEBHOOK_SECRET. Any long random text will do; the receiver "
                "verifies with the same."
            )
        sign(b"", id="", timestamp=0, secret=secret)  # so that one that cannot be used is refused
        self._state = state
        self._url = url
        self._secret = secret
        self._wait = wait
        self._wake = threading.Event()
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="finetune-webhooks", daemon=True)

    def start(self) -> None:
        """Begin to send, with what an earlier run of the server has left."""
        self._thread.start()

    def send_if_ended(self, job_id: str, status: str) -> None:
        """Send an event if a job's new status is final, once the change of it is written."""
        if status not in FINAL_STATUSES:
            return
        now = self._state.now()
        event = {
            "object": "event",
            "id": self._state.new_id("evt_"),
            "type": f"fine_tuning.job.{status}",
            "created_at": now,
            "data": {"id": job_id},
        }
        with self._state.database.write() as rows:
            rows.execute(
                "INSERT INTO webhooks (id, body, created_at, next_at) VALUES (?, ?, ?, ?)",
                (f"wh_{secrets.token_hex(16)}", json.dumps(event), now, now),
            )
            self._state.database.after_commit(self._wake.set)

    def close(self) -> None:
        """Send once what is due, but do not wait longer than a moment for the receiver."""
        self._is_closing = True
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join(_CLOSE_SECONDS)

    def _run(self) -> None:
        while True:
            self._wake.clear()
            try:
                pause = self._send_due()
            except StoreClosedError:
                return  # the receiver took longer than `close` waits
            except sqlite3.Error:
                _log.exception("webhooks cannot be noted as sent, and will be sent again")
                pause = _LONGEST_PAUSE
            if self._is_closing:
                return
            if pause is None:
                self._wake.wait()
            else:
                self._wait(self._wake, pause)

    def _send_due(self) -> float | None:
        """Send what is due, and return how many seconds later more will be, if anything is left."""
        now = self._state.clock()
        due = self._state.database.rows(
            "SELECT number, id, body, created_at, tries FROM webhooks"
            # The clock may have been put back.
            " WHERE next_at <= ? OR next_at > ? ORDER BY next_at, number",
            (now, now + _LONGEST_PAUSE),
        )
        for number, webhook_id, body, created_at, tries in due:
            failure = self._post(webhook_id, body)
            if failure is None:
                self._forget(number)
            else:
                self._put_off(number, webhook_id, created_at, tries, failure)
        next_at: float | None = self._state.database.row("SELECT min(next_at) FROM webhooks")[0]
        if next_at is None:
            return None
        return min(max(next_at - self._state.clock(), 0.0), _LONGEST_PAUSE)

    def _forget(self, number: int) -> None:
        with self._state.database.write() as rows:
            rows.execute("DELETE FROM webhooks WHERE number = ?", (number,))

    def _put_off(
        self, number: int, webhook_id: str, created_at: int, tries: int, failure: str
    ) -> None:
        now = self._state.clock()
        pause = min(_FIRST_PAUSE * 2.0 ** min(tries, 20), _LONGEST_PAUSE)
        if now + pause > created_at + _GIVE_UP_AFTER:
            _log.error("webhook %s was not taken for 72 hours (%s): given up", webhook_id, failure)
            self._forget(number)
            return
        _log.warning("webhook %s: %s; it is sent again in %.0f s", webhook_id, failure, pause)
        with self._state.database.write() as rows:
            rows.execute(
                "UPDATE webhooks SET tries = tries + 1, next_at = ? WHERE number = ?",
                (now + pause, number),
            )

    def _post(self, webhook_id: str, body: str) -> str | None:
        """Post an event, and return why it was not taken, if it was not."""
        raw = body.encode()
        timestamp = int(self._state.clock())
        signature = sign(raw, id=webhook_id, timestamp=timestamp, secret=self._secret)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"finetune-client/{__version__}",
            **signature,
        }
        try:
            with requests.Session() as session:
                session.trust_env = not is_loopback(self._host)  # a proxy is not for this machine
                with session.post(
                    self._url,
                    data=raw,
                    headers=headers,
                    auth=_Credentials(self._url),
                    timeout=_TIMEOUT,
                    allow_redirects=False,
                    stream=True,  # the response's body is never read
                ) as answer:
                    status = answer.status_code
        except (OSError, ValueError) as error:  # its text may show a part of the URL that is secret
            return f"{self._host} cannot be reached ({type(error).__name__})"
        return None if 200 <= status < 300 else f"{self._host} answered {status}"


class _Credentials(AuthBase):
    """What the URL itself says, and nothing from a ``.netrc``."""

    def __init__(self, url: str) -> None:
        self._pair = get_auth_from_url(url)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if any(self._pair):
            return HTTPBasicAuth(*self._pair)(request)
        return request


def _host_of(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in {"http", "https"}:
        raise ConfigurationError(
            "The address of webhooks must be a URL such as https://example.org/webhooks."
        )
    return host
