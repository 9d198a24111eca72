from __future__ import annotations

from finetune_client.transport import Request, ResponseInfo
from finetune_client.transport.hooks import report_response


def test_report__hands_the_rate_limits_to_the_hook() -> None:
    headers = {"X-RateLimit-Remaining-Requests": "9", "x-request-id": "r", "Age": "1"}
    seen: list[ResponseInfo] = []
    report_response(
        Request(method="GET", path="/models"),
        200,
        "r",
        headers=headers,
        duration=0.5,
        number=2,
        hook=seen.append,
    )
    assert seen == [
        ResponseInfo(
            method="GET",
            path="/models",
            status=200,
            request_id="r",
            duration=0.5,
            attempt=2,
            rate_limits={"x-ratelimit-remaining-requests": "9"},
        )
    ]
