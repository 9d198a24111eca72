from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from finetune_client.models import (
    CheckpointPermission,
    FileObject,
    FineTuningJob,
    FineTuningJobCheckpoint,
    FineTuningJobEvent,
    Upload,
    UploadPart,
)
from finetune_client.models.times import moment

THEN = datetime(2024, 7, 23, 20, 0, 0, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    "sent",
    [
        1721764800,
        1721764800.0,
        "1721764800",
        " 1721764800 ",
        "1721764800.0",
        "1.7217648e9",
        "2024-07-23T20:00:00Z",
        "2024-07-23T20:00:00z",
        "2024-07-23t20:00:00Z",
        "2024-07-23 20:00:00",
        "2024-07-23T20:00:00",
        "2024-07-23T20:00",
        "2024-07-23T20:00:00.0",
        "2024-07-23T20:00:00.000Z",
        "2024-07-23T20:00:00,000000000Z",
        "2024-07-23T20:00:00+00:00",
        "2024-07-23T20:00:00 +0000",
        "2024-07-23T22:00:00+02:00",
        "2024-07-23T22:00:00+02",
        "2024-07-23T16:30:00-0330",
        "20240723T200000Z",
    ],
)
def test_moment__reads_each_form(sent: Any) -> None:
    assert moment(sent) == THEN
    job = FineTuningJob.from_dict({"id": "a", "created_at": sent, "finished_at": sent})
    assert job.created == job.finished == THEN
    assert job.to_dict() == {"id": "a", "created_at": sent, "finished_at": sent}


@pytest.mark.parametrize(
    ("sent", "micros"),
    [
        ("2024-07-23T20:00:00.5", 500_000),
        ("2024-07-23T20:00:00.123456", 123_456),
        ("2024-07-23T20:00:00.123456789Z", 123_456),
        ("2024-07-23T20:00:00.1234567890123456789Z", 123_456),
        (1721764800.25, 250_000),
        ("1721764800.25", 250_000),
    ],
)
def test_moment__keeps_fractions(sent: Any, micros: int) -> None:
    assert moment(sent) == THEN + timedelta(microseconds=micros)


def test_moment__keeps_the_zone_that_is_said() -> None:
    found = moment("2024-07-23T16:30:00-03:30")
    assert found is not None
    assert found.utcoffset() == -timedelta(hours=3, minutes=30)


@pytest.mark.parametrize("sent", ["2024-07-23", "1969-12-31", -86400, 0])
def test_moment__knows_days_and_the_time_before_1970(sent: Any) -> None:
    found = moment(sent)
    assert found is not None
    assert found.tzinfo is timezone.utc


@pytest.mark.parametrize(
    "sent",
    [
        None,
        True,
        False,
        float("nan"),
        float("inf"),
        float("-inf"),
        10**400,
        -(10**400),
        10**12 * 3600,
        "1e400",
        "9" * 5000,
        "",
        "yesterday",
        "nan",
        "inf",
        "0x10",
        "1_000",
        "٣",
        "2024-13-01",
        "2024-02-30T00:00:00Z",
        "2024-07-23T24:00:00Z",
        "2024-07-23T20:00:60Z",
        "2024-07-23T20:00:00+24:00",
        "2024-07-23T20:00:00+02:00 ",
        "2024-07-23T20:00:00Zulu",
        "0000-01-01",
        [],
        {},
    ],
)
def test_moment__gives_none_for_what_is_no_time(sent: Any) -> None:
    expected = THEN - timedelta(hours=2) if sent == "2024-07-23T20:00:00+02:00 " else None
    assert moment(sent) == expected
    assert FineTuningJob.from_dict({"id": "a", "created_at": sent}).created == expected


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=40) | st.integers() | st.floats() | st.from_regex(r"[0-9:T.+-]{1,30}"))
def test_moment__never_raises(sent: Any) -> None:
    found = moment(sent)
    assert found is None or found.tzinfo is not None


@settings(max_examples=100, deadline=None)
@given(
    st.datetimes(
        min_value=datetime(1900, 1, 1),  # noqa: DTZ001 - hypothesis wants it so
        timezones=st.just(timezone.utc),
    )
)
def test_moment__reads_what_python_writes(when: datetime) -> None:
    assert moment(when.isoformat()) == when
    assert moment(when.strftime("%Y-%m-%dT%H:%M:%SZ")) == when.replace(microsecond=0)


@pytest.mark.parametrize(
    "what",
    [
        CheckpointPermission,
        FileObject,
        FineTuningJob,
        FineTuningJobCheckpoint,
        FineTuningJobEvent,
        Upload,
        UploadPart,
    ],
)
def test_created__is_on_every_thing_that_has_it(what: Any) -> None:
    assert what.from_dict({"id": "a", "created_at": 1721764800}).created == THEN
    assert what.from_dict({"id": "a", "created_at": "1721764800"}).created == THEN
    assert what.from_dict({"id": "a"}).created is None


@pytest.mark.parametrize("what", [FileObject, Upload])
def test_expires__is_on_files_and_uploads(what: Any) -> None:
    assert what.from_dict({"id": "a", "expires_at": 1721764800}).expires == THEN
    assert what.from_dict({"id": "a", "expires_at": "2024-07-23 20:00"}).expires == THEN
    assert what.from_dict({"id": "a"}).expires is None
