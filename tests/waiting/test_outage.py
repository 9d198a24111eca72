from __future__ import annotations

import pytest

from finetune_client.errors import APIError, InternalServerError, NotFoundError
from finetune_client.waiting import Outage, is_passing
from tests.support.fake_time import FakeTime

DOWN = APIError("down", outcome="not_sent")
MISSING = NotFoundError("no", status_code=404, outcome="refused")


def test_outage__lasts_from_its_first_failure_to_the_next_success() -> None:
    time = FakeTime()
    outage = Outage(time.clock, 10)
    assert (outage.remaining(), outage.allows(DOWN)) == (10, True)
    time.at = 6
    assert (outage.remaining(), outage.allows(DOWN)) == (4, True)
    outage.end()
    time.at = 12
    assert (outage.remaining(), outage.allows(DOWN)) == (10, True)
    time.at = 22
    assert (outage.remaining(), outage.allows(DOWN)) == (0, False)


def test_outage__ends_with_the_fourth_404_in_a_row() -> None:
    outage = Outage(FakeTime().clock, 10)
    allowed = [outage.allows(error) for error in (MISSING, MISSING, DOWN, *[MISSING] * 4)]
    assert allowed == [True] * 6 + [False]


@pytest.mark.parametrize(
    ("error", "passing"),
    [
        (APIError("x", outcome="not_sent"), True),
        (APIError("x", outcome="ambiguous"), True),
        (APIError("x", outcome="bad_answer"), True),
        (APIError("x", outcome="refused"), False),
        *(
            (InternalServerError("x", status_code=status, outcome="refused"), passing)
            for status, passing in {
                400: False,
                401: False,
                403: False,
                404: True,
                405: False,
                408: True,
                409: True,
                410: False,
                422: False,
                429: True,
                500: True,
                503: True,
                599: True,
            }.items()
        ),
    ],
)
def test_is_passing__by_error(error: APIError, *, passing: bool) -> None:
    assert is_passing(error) is passing
