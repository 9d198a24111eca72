from __future__ import annotations

import errno
import pickle
import socket
import ssl
import traceback
from typing import Any

import pytest
import requests
from urllib3.exceptions import (
    MaxRetryError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)

from finetune_client.errors import APIConnectionError, APITimeoutError
from finetune_client.transport.connections.connection import Attempt
from finetune_client.transport.exchange.failures import network_failure, scrub

HOST = "api.example.com"
NEW: Any = None  # where urllib3 wants a pool or a connection, which its messages name

REFUSED = ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
RESET = ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")
CERTIFICATE = ssl.SSLCertVerificationError("certificate verify failed")
CERTIFICATE.verify_message = "self-signed certificate"


def _caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


def _wrapped(reason: Exception) -> MaxRetryError:
    return MaxRetryError(NEW, "/v1/secret?sig=1", reason)


def _attempt(*, used: bool, sent: bool = False, at: float = 0.0) -> Attempt:
    attempt = Attempt(connect=10, read=60, deadline=5.0, monotonic=lambda: at)
    attempt.used, attempt.sent = used, sent
    return attempt


def test_timeout__without_a_limit_of_ours_is_the_systems() -> None:
    attempt = Attempt(connect=None, read=None, deadline=None, monotonic=lambda: 0.0)
    attempt.used = True
    given_up = TimeoutError(errno.ETIMEDOUT, "Connection timed out")
    error = network_failure(given_up, attempt, HOST).error
    assert error.message == "Could not connect to api.example.com in time; nothing was sent."
    attempt.sent = True
    error = network_failure(given_up, attempt, HOST).error
    assert error.message == "api.example.com was silent for too long; the answer is not known."


CASES: list[tuple[str, Exception, Attempt, tuple[Any, ...]]] = [
    (
        "refused",
        requests.ConnectionError(
            _wrapped(_caused(NewConnectionError(NEW, "failed to connect"), REFUSED))
        ),
        _attempt(used=True),
        (
            APIConnectionError,
            "not_sent",
            "yes",
            "Could not connect to api.example.com: Connection refused. Nothing was sent.",
        ),
    ),
    (
        "name not found",
        requests.ConnectionError(
            _wrapped(_caused(NewConnectionError(NEW, "x"), socket.gaierror(-2, "unknown")))
        ),
        _attempt(used=True),
        (
            APIConnectionError,
            "not_sent",
            "yes",
            "Could not connect to api.example.com: its name was not found. Nothing was sent.",
        ),
    ),
    (
        "time to connect",
        requests.ConnectTimeout(),
        _attempt(used=True),
        (
            APITimeoutError,
            "not_sent",
            "yes",
            "Could not connect to api.example.com within 10 seconds; nothing was sent.",
        ),
    ),
    (
        "time to connect, over somebody's adapter",
        requests.ConnectTimeout(),
        _attempt(used=False),
        (
            APITimeoutError,
            "not_sent",
            "yes",
            "Could not connect to api.example.com within 10 seconds; nothing was sent.",
        ),
    ),
    (
        "time of a handshake, which urllib3 calls a read",
        requests.ReadTimeout(ReadTimeoutError(NEW, "/", "timed out")),
        _attempt(used=True),
        (
            APITimeoutError,
            "not_sent",
            "yes",
            "Could not connect to api.example.com within 10 seconds; nothing was sent.",
        ),
    ),
    (
        "time to answer",
        requests.ReadTimeout(ReadTimeoutError(NEW, "/", "timed out")),
        _attempt(used=True, sent=True),
        (
            APITimeoutError,
            "ambiguous",
            "if_idempotent",
            "api.example.com was silent for 60 seconds; the answer is not known.",
        ),
    ),
    (
        "time to send",
        requests.ConnectionError(ProtocolError("aborted", TimeoutError("timed out"))),
        _attempt(used=True, sent=True),
        (
            APITimeoutError,
            "ambiguous",
            "if_idempotent",
            "api.example.com was silent for 60 seconds; the answer is not known.",
        ),
    ),
    (
        "reset",
        requests.ConnectionError(ProtocolError("aborted", RESET)),
        _attempt(used=True, sent=True),
        (
            APIConnectionError,
            "ambiguous",
            "if_idempotent",
            (
                "The connection to api.example.com was lost before the answer was there: "
                "Connection reset by peer."
            ),
        ),
    ),
    (
        "something unknown, over somebody's adapter",
        requests.ConnectionError("who knows"),
        _attempt(used=False),
        (
            APIConnectionError,
            "ambiguous",
            "if_idempotent",
            (
                "The connection to api.example.com was lost before the answer was there: "
                "ConnectionError."
            ),
        ),
    ),
    (
        "certificate",
        requests.exceptions.SSLError(_wrapped(SSLError(CERTIFICATE))),
        _attempt(used=True),
        (
            APIConnectionError,
            "not_sent",
            "no",
            (
                "Could not connect to api.example.com: its TLS certificate was not accepted "
                "(self-signed certificate). Nothing was sent."
            ),
        ),
    ),
    (
        "handshake cut off",
        requests.exceptions.SSLError(_wrapped(SSLError(ssl.SSLEOFError(8, "EOF")))),
        _attempt(used=True),
        (
            APIConnectionError,
            "not_sent",
            "yes",
            "Could not connect to api.example.com: TLS failed (SSLEOFError). Nothing was sent.",
        ),
    ),
    (
        "proxy",
        requests.exceptions.ProxyError(_wrapped(ProxyError("cannot connect", REFUSED))),
        _attempt(used=True),
        (
            APIConnectionError,
            "not_sent",
            "yes",
            "Could not connect to api.example.com: Connection refused. Nothing was sent.",
        ),
    ),
    (
        "an address that is none",
        requests.exceptions.InvalidProxyURL("http://user:pw@host:bad"),
        _attempt(used=False),
        (
            APIConnectionError,
            "not_sent",
            "no",
            (
                "Could not connect to api.example.com: the address, or that of a proxy, is not "
                "valid. Nothing was sent."
            ),
        ),
    ),
    (
        "the total timeout",
        requests.ReadTimeout(),
        _attempt(used=True, sent=True, at=5.0),
        (
            APITimeoutError,
            "ambiguous",
            "no",
            "The total timeout was over before api.example.com had answered in full.",
        ),
    ),
]


@pytest.mark.parametrize(
    ("error", "attempt", "expected"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_network_failure(error: Exception, attempt: Attempt, expected: tuple[Any, ...]) -> None:
    failure = network_failure(error, attempt, HOST, method="GET", path="/x")
    found = failure.error
    assert (type(found), found.outcome, failure.retry, found.message) == expected
    assert (found.method, found.path, found.status_code) == ("GET", "/x", None)
    copy = pickle.loads(pickle.dumps(found))
    assert copy.__dict__ == found.__dict__


def test_scrub__takes_the_request_and_the_locals_out() -> None:
    def inside() -> None:
        key = "sk-" + "secret-1234"
        raise OSError(len(key))

    def outside() -> None:
        request = requests.Request("GET", "https://a.example", headers={"k": "sk-secret"})
        try:
            inside()
        except OSError as error:
            raise requests.ConnectionError("x", request=request.prepare()) from error

    with pytest.raises(requests.ConnectionError) as caught:
        outside()
    scrub(caught.value)
    assert caught.value.request is None
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert "sk-secret-1234" not in "".join(shown.format())


def test_scrub__ends_for_a_chain_that_bites_its_tail() -> None:
    error = OSError("x")
    other = OSError("y")
    error.__cause__, other.__cause__ = other, error
    scrub(error)


def test_failure__is_the_error_that_is_being_handled_when_that_is_raised_again() -> None:
    again = requests.ConnectionError("x")
    failure = network_failure(again, _attempt(used=True), "api.example.com", handled=again)
    assert failure.error.message == (
        "Could not connect to api.example.com: ConnectionError. Nothing was sent."
    )


def test_attempt__keeps_to_its_deadline() -> None:
    now = [0.0]
    attempt = Attempt(connect=10, read=60, deadline=None, monotonic=lambda: now[0])
    assert attempt.allow(60) == 60
    attempt.end_within(30)
    attempt.end_within(90)
    assert attempt.allow(60) == 30
    now[0] = 29
    assert (attempt.allow(60), attempt.expired) == (1, False)
    now[0] = 30
    assert attempt.expired
    with pytest.raises(TimeoutError, match=r"^The total timeout is over\.$"):
        attempt.allow(60)
