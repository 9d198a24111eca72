"""What a server may say about when to come back, and how long the client then sleeps."""

from __future__ import annotations

import email.utils
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from finetune_client.errors import RateLimitError
from tests.support.fault_server import FaultServer, fault
from tests.support.faults.clients import connect, sleepless

if TYPE_CHECKING:
    from collections.abc import Iterator

    from finetune_client import Client

AFTER, MS = "Retry-After", "retry-after-ms"
EXACT: dict[str, tuple[dict[str, str], float]] = {
    "seconds": ({AFTER: "2"}, 2),
    "a float": ({AFTER: "1.5"}, 1.5),
    "the cap": ({AFTER: "60"}, 60),
    "ms": ({MS: "1500"}, 1.5),
    "ms before seconds": ({MS: "1500", AFTER: "9"}, 1.5),
    "bad ms, then seconds": ({MS: "soon", AFTER: "3"}, 3),
    "negative ms, then seconds": ({MS: "-1", AFTER: "3"}, 3),
    "blanks around": ({AFTER: "  4  "}, 4),
}
IGNORED: dict[str, dict[str, str]] = {
    "nothing": {},
    "empty": {AFTER: ""},
    "negative": {AFTER: "-1"},
    "negative float": {AFTER: "-0.5"},
    "NaN": {AFTER: "NaN"},
    "infinity": {AFTER: "inf"},
    "minus infinity": {AFTER: "-Infinity"},
    "garbage": {AFTER: "soon"},
    "hexadecimal": {AFTER: "0x10"},
    "an exponent": {AFTER: "1e6"},
    "two values": {AFTER: "1, 2"},
    "5,000 digits": {AFTER: "9" * 5000},
    "half a date": {AFTER: "Wed, 21 Oct"},
    "an impossible date": {AFTER: "Wed, 99 Oct 2015 07:28:00 GMT"},
    "a date of letters": {AFTER: "Wed, XX YYY ZZZZ aa:bb:cc GMT"},
    "a year too large": {AFTER: "Wed, 21 Oct 99999 07:28:00 GMT"},
    "digits above": {AFTER: "\xb2"},
    "NaN ms": {MS: "nan"},
}
TOO_LONG: dict[str, tuple[dict[str, str], float]] = {
    "just above the cap": ({AFTER: "60.5"}, 60.5),
    "six hours": ({AFTER: "21600"}, 21600),
    "ms": ({MS: "3600000"}, 3600),
}


@pytest.fixture(scope="module")
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


@pytest.fixture(scope="module")
def client(server: FaultServer) -> Iterator[Client]:
    with connect(server) as client:
        yield client


def _naps(server: FaultServer, client: Client, headers: dict[str, str], status: int) -> list[float]:
    server.script(fault("answer", status=status, headers=headers))
    naps = sleepless(client)
    assert client.jobs.retrieve("ftjob-7").id == "ftjob-7"
    return naps


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("case", EXACT)
def test_wait__as_told(server: FaultServer, client: Client, case: str, status: int) -> None:
    headers, seconds = EXACT[case]
    (nap,) = _naps(server, client, headers, status)
    assert seconds <= nap <= seconds * 1.25


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("case", IGNORED)
def test_wait__of_its_own_where_told_nonsense(
    server: FaultServer, client: Client, case: str, status: int
) -> None:
    (nap,) = _naps(server, client, IGNORED[case], status)
    assert 0 < nap <= 8


@pytest.mark.parametrize("case", TOO_LONG)
def test_too_long__raises_at_once(server: FaultServer, client: Client, case: str) -> None:
    headers, seconds = TOO_LONG[case]
    naps = sleepless(client)
    server.script(fault("answer", status=429, headers=headers))
    with pytest.raises(RateLimitError) as caught:
        client.jobs.retrieve("ftjob-7")
    assert naps == []
    assert caught.value.retry_after == seconds
    assert caught.value.attempts == 1


def test_zero__is_a_short_wait(server: FaultServer, client: Client) -> None:
    (nap,) = _naps(server, client, {AFTER: "0"}, 429)
    assert 0 <= nap <= 8


def test_date__in_some_seconds(server: FaultServer, client: Client) -> None:
    date = email.utils.formatdate(time.time() + 20, usegmt=True)
    (nap,) = _naps(server, client, {AFTER: date}, 429)
    assert 17 < nap <= 20 * 1.25


def test_date__in_the_past(server: FaultServer, client: Client) -> None:
    (nap,) = _naps(server, client, {AFTER: "Wed, 21 Oct 2015 07:28:00 GMT"}, 429)
    assert 0 <= nap <= 8


def test_date__far_ahead_raises_at_once(server: FaultServer, client: Client) -> None:
    naps = sleepless(client)
    server.script(fault("answer", status=429, headers={AFTER: "Wed, 21 Oct 2099 07:28:00 GMT"}))
    with pytest.raises(RateLimitError) as caught:
        client.jobs.retrieve("ftjob-7")
    assert naps == []
    assert (caught.value.retry_after or 0) > 1e8


def test_backoff__grows_and_never_is_nothing(server: FaultServer) -> None:
    server.script(*[fault("answer", status=500)] * 6)
    with connect(server, max_retries=6) as client:
        naps = sleepless(client)
        client.jobs.retrieve("ftjob-7")
    assert len(naps) == 6
    assert naps[0] > 0
    assert naps == sorted(naps)
    assert naps[-1] <= 60


TEXT = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF), max_size=40)
NUMBERS = st.one_of(st.floats().map(str), st.integers().map(str))
DATES = st.integers(-(10**12), 10**12).map(
    lambda n: f"Wed, {n % 40} Oct {n % 100000} 07:{n % 99}:00 GMT"
)


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(after=st.one_of(TEXT, NUMBERS, DATES), ms=st.one_of(st.none(), TEXT, NUMBERS))
def test_anything__is_slept_for_or_raised(
    server: FaultServer, client: Client, after: str, ms: str | None
) -> None:
    headers = {AFTER: after} if ms is None else {AFTER: after, MS: ms}
    server.script(fault("answer", status=429, headers=headers))
    naps = sleepless(client)
    told = _end(client)
    if told is None:
        (nap,) = naps
        assert 0 <= nap <= 75
    else:
        assert told > 60
        assert naps == []


def _end(client: Client) -> float | None:
    """Give the wait that was too long, or `None` after an answer."""
    try:
        client.jobs.retrieve("ftjob-7")
    except RateLimitError as error:
        return error.retry_after or 0
    return None
