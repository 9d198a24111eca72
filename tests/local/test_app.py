from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from finetune_client import Client
from finetune_client.local import running
from tests.support.local_api import chat_lines, jsonl

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


@pytest.mark.parametrize("prefix", ["/openai/v1", "/openai"])
def test_azure__its_paths_are_answered_too(api: LocalApi, prefix: str) -> None:
    url, version = api.base.removesuffix("/v1"), {"api-version": "2024-10-21"}
    for path in ("/models", "/files", JOBS):
        found = api.session.get(f"{url}{prefix}{path}", params=version)
        assert found.json() == api.ok("GET", path)
    body: Any = {
        "messages": [{"role": "user", "content": "Hi"}],
        "max_tokens": 3,
        "model": "ignored",
    }
    found = api.session.post(
        f"{url}{prefix}/deployments/tiny/chat/completions", params=version, json=body
    )
    assert (found.status_code, found.json()["model"]) == (200, "tiny")


def test_azure__the_classic_api_needs_a_version(api: LocalApi) -> None:
    url = api.base.removesuffix("/v1")
    for path in ("/files", JOBS, "/deployments/tiny/chat/completions"):
        method = "POST" if path.endswith("completions") else "GET"
        found = api.session.request(method, f"{url}/openai{path}", json={})
        assert found.status_code == 404
        assert found.json()["error"] == {
            "message": "Resource not found. Azure's classic API needs ?api-version=, such as "
            "2024-10-21.",
            "type": "invalid_request_error",
            "param": "api-version",
            "code": "404",
        }
    assert api.session.get(f"{url}/openai/v1/files").status_code == 200
    assert api.session.get(f"{url}/openai/nothing").json()["error"]["code"] == "unknown_url"


@pytest.mark.parametrize("api_version", [None, "2024-10-21"])
def test_azure__our_own_client_of_it(local_server: LocalServer, api_version: str | None) -> None:
    with (
        local_server,
        running(local_server) as base,
        Client.azure(base.removesuffix("/v1"), api_key="any", api_version=api_version) as client,
    ):
        file = client.files.create(file=("train.jsonl", jsonl(chat_lines(10)).encode()))
        job = client.jobs.wait(client.jobs.create(model="tiny", training_file=file.id).id)
        assert job.status == "succeeded"
        assert [event.message for event in client.jobs.follow(job.id)]
        completion = client.chat.completions.create(
            model=str(job.fine_tuned_model),
            messages=[{"role": "user", "content": "Hi"}],
            max_tokens=3,
        )
        assert completion.model == job.fine_tuned_model


def test_failure_within_the_server__is_json_too(
    connect: Callable[[LocalServer], LocalApi],
    local_server: LocalServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken() -> str:
        raise RuntimeError("a bug")

    app: Any = local_server.app
    app.view_functions["GET /v1/models"] = broken
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
