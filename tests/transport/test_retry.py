from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from finetune_client.transport.retry import (
    RetryPolicy,
    judge_status,
    parse_retry_after,
    wait_before_retry,
)

NOW = 1_800_000_000.0  # Fri, 15 Jan 2027 08:00:00 GMT
MATRIX = json.loads((Path(__file__).parents[1] / "payloads" / "retry_matrix.json").read_text())

RETRY_AFTER: list[tuple[dict[str, str], float | None]] = [
    ({}, None),
    ({"retry-after-ms": "1500"}, 1.5),
    ({"retry-after-ms": "1500", "Retry-After": "9"}, 1.5),
    ({"retry-after-ms": "soon", "Retry-After": "9"}, 9.0),
    ({"Retry-After": "7"}, 7.0),
    ({"Retry-After": " 7 "}, 7.0),
    ({"Retry-After": "0"}, 0.0),
    ({"Retry-After": "0.25"}, 0.25),
    ({"Retry-After": "86400"}, 86400.0),
    ({"Retry-After": ""}, None),
    ({"Retry-After": "-5"}, None),
    ({"Retry-After": "nan"}, None),
    ({"Retry-After": "inf"}, None),
    ({"Retry-After": "1e3"}, None),
    ({"Retry-After": "1_000"}, None),
    ({"Retry-After": "0x10"}, None),
    ({"Retry-After": "٣"}, None),
    ({"Retry-After": "9" * 5000}, None),
    ({"Retry-After": "soon"}, None),
    ({"Retry-After": "Fri, 15 Jan 2027 08:00:30 GMT"}, 30.0),
    ({"Retry-After": "Fri, 15 Jan 2027 07:00:00 GMT"}, 0.0),
    ({"Retry-After": "Fri, 99 Jan 2027 08:00:30 GMT"}, None),
]


@pytest.mark.parametrize(("headers", "seconds"), RETRY_AFTER)
def test_parse_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert parse_retry_after(headers, NOW) == seconds


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60), st.floats(0, 4e9))
def test_parse_retry_after__never_raises(text: str, now: float) -> None:
    for name in ("Retry-After", "retry-after-ms"):
        seconds = parse_retry_after({name: text}, now)
        assert seconds is None or (math.isfinite(seconds) and seconds >= 0)


@pytest.mark.parametrize("row", MATRIX["statuses"], ids=lambda row: row["name"])
def test_judge_status__is_that_of_the_matrix(row: dict[str, Any]) -> None:
    headers = row.get("headers", {})
    verdict = judge_status(
        row["status"],
        headers,
        code=row.get("code"),
        kind=None,
        retry_after=parse_retry_after(headers, NOW),
    )
    assert list(verdict) == [row["outcome"], row["retry"]]


@pytest.mark.parametrize(
    ("retry", "idempotent", "waits"),
    [
        ("yes", False, True),
        ("yes", True, True),
        ("if_idempotent", False, False),
        ("if_idempotent", True, True),
        ("no", False, False),
        ("no", True, False),
    ],
)
def test_wait__who_may(retry: Any, idempotent: bool, waits: bool) -> None:
    wait = wait_before_retry(
        RetryPolicy(),
        retry=retry,
        idempotent=idempotent,
        attempts=1,
        retry_after=None,
        random_fraction=0.5,
    )
    assert (wait is not None) == waits


def _waits(
    policy: RetryPolicy, random_fraction: float, retry_after: float | None = None
) -> list[Any]:
    return [
        wait_before_retry(
            policy,
            retry="yes",
            idempotent=False,
            attempts=tries,
            retry_after=retry_after,
            random_fraction=random_fraction,
        )
        for tries in range(1, 8)
    ]


def test_wait__doubles_up_to_the_longest_and_ends() -> None:
    policy = RetryPolicy(max_retries=6)
    assert _waits(policy, 0.0) == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0, None]
    assert _waits(policy, 0.5) == [0.25, 0.5, 1.0, 2.0, 4.0, 4.0, None]


def test_wait__is_never_zero() -> None:
    assert _waits(RetryPolicy(), math.nextafter(1.0, 0.0))[0] > 0


def test_wait__obeys_the_server_within_the_cap() -> None:
    assert _waits(RetryPolicy(), 0.5, 7.0)[:3] == [7.0, 7.0, None]
    assert _waits(RetryPolicy(), 0.5, 60.0)[0] == 60.0
    assert _waits(RetryPolicy(), 0.5, 60.1)[0] is None
    assert _waits(RetryPolicy(max_retry_wait=3600), 0.5, 60.1)[0] == 60.1
    assert _waits(RetryPolicy(), 0.5, 0.0)[0] == 0.25


def test_wait__after_very_many_tries() -> None:
    policy = RetryPolicy(max_retries=10**6)
    wait = wait_before_retry(
        policy, retry="yes", idempotent=False, attempts=10**6, retry_after=None, random_fraction=0.0
    )
    assert wait == 8.0
