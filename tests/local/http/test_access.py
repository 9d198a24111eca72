from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.local_api import LocalApi


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "finetune.localhost.evil.example"}, 421),
        ({"Host": "127.0.0.1.evil.example"}, 421),
        ({"Host": "127.0.0.1,evil.example"}, 421),
        ({"Host": "192.0.2.7:8000"}, 421),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://[oops"}, 403),
        ({"Origin": "http://localhost:3000"}, 403),
        ({"Host": "localhost:8000", "Origin": "http://localhost:3000"}, 403),
        ({"Host": "localhost:8000", "Origin": "http://localhost"}, 403),
        ({"Host": "localhost:8000", "Origin": "ftp://localhost:8000"}, 403),
        ({"Host": "localhost:8000", "Origin": "http://127.0.0.1:8000"}, 403),
    ],
)
def test_access__refuses_what_a_web_page_could_send(
    api: LocalApi, headers: dict[str, str], status: int
) -> None:
    assert api.refused("GET", "/models", headers=headers)[0] == status


def test_access__says_how_a_name_is_allowed(api: LocalApi) -> None:
    _, error = api.refused("GET", "/models", headers={"Host": "box:8000"})
    assert error["message"] == (
        "The Host header must name this machine: 127.0.0.1, localhost or [::1], or a name that is "
        "allowed with --allowed-host NAME (allowed_hosts=) when the server is started."
    )


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8000", "localhost", "[::1]:80", "a.localhost", "127.1.2.3"]
)
def test_access__allows_this_machine(api: LocalApi, host: str) -> None:
    headers = {"Host": host}
    assert api.ok("GET", "/models", headers=headers)["object"] == "list"
    for scheme in ("http", "https"):  # the latter from a proxy in front
        headers["Origin"] = f"{scheme}://{host}"
        assert api.ok("GET", "/models", headers=headers)["object"] == "list"
