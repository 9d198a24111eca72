from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from finetune_client.local import LocalServer
    from tests.support.local_api import LocalApi

JOBS = "/fine_tuning/jobs"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("GET", "/nothing"),
        ("PUT", "/files"),
        ("OPTIONS", "/files"),
        ("DELETE", JOBS),
        ("GET", "//files"),
        ("GET", "/files/a/b/content"),
        ("GET", "/files/..%2f..%2fetc%2fpasswd/content"),
    ],
)
def test_url__that_is_none(api: LocalApi, method: str, path: str) -> None:
    status, error = api.refused(method, path)
    assert status in {404, 405}
    assert error["code"] == "unknown_url"


def test_failure_within_the_server__is_json_too(
    connect: Callable[[LocalServer], LocalApi],
    local_server: LocalServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken() -> str:
        raise RuntimeError("a bug")

    app: Any = local_server.app
    app.view_functions["GET /models"] = broken
    api = connect(local_server)
    status, error = api.refused("GET", "/models")
    assert status == 500
    assert error == {
        "message": "The server had an error while processing your request.",
        "type": "server_error",
        "param": None,
        "code": None,
    }
    assert "a bug" in caplog.text
