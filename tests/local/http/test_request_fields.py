from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.local_api import LocalApi

JOBS = "/fine_tuning/jobs"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b"null", 400),
        (b'"text"', 400),
        (b'{"model": NaN}', 400),
        (b'{"seed": ' + b"1" * 5000 + b"}", 400),
        (b"[" * 100_000, 400),
        (b'{"a":' * 101 + b"1" + b"}" * 101, 400),
        (b"\xff\xfe{}", 400),
        (b" " * (8 * 1024 * 1024 + 1), 413),
    ],
)
def test_body__that_is_no_json_object(api: LocalApi, body: bytes, status: int) -> None:
    headers = {"Content-Type": "application/json"}
    assert api.refused("POST", JOBS, data=body, headers=headers)[0] == status


def test_body__must_say_that_it_is_json(api: LocalApi) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        status, error = api.refused("POST", JOBS, data=b"{}", headers={"Content-Type": kind})
        assert status == 415
        assert (
            error["message"] == "The body must be JSON, sent with Content-Type: application/json."
        )
