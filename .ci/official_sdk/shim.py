"""A pytest plugin that lets the official SDK's own API tests run on our client.

The tests are its own, unchanged, and so is every call in them. What is replaced around them:

- ``openai.OpenAI``, with which their conftest makes the client, makes ours;
- ``assert_matches_type`` takes our models: each must have the official model's attributes, and
  what it dumps must be valid for that model;
- the mock of httpx gives its answers to ``recording_api.py``, since our client does not use httpx;
- the mock server that they expect is ``recording_api.py``, with one answer for each operation.

With ``SHIM_CLIENT=openai`` the client stays the official one. ``SHIM_REQUESTS`` and
``SHIM_OUTCOMES`` name files that the requests and the outcome of each test are written to, so that
those of both clients can be compared.
"""

from __future__ import annotations

import json
import os
import sys
from types import ModuleType
from typing import Any

import openai
import pytest
from openai import _legacy_response
from openai._models import BaseModel
from openai.pagination import SyncConversationCursorPage, SyncCursorPage, SyncPage
from recording_api import canned, current, requests, serve

from tests import utils as official

LISTS = {SyncConversationCursorPage, SyncCursorPage, SyncPage}

outcomes: dict[str, str] = {}
"""How each test function ended."""


class Router:
    """The mock of httpx, as far as these tests use it: an answer for a path."""

    def get(self, path: str) -> Router:
        self._key = ("GET", path)
        return self

    def mock(self, *, return_value: Any) -> None:
        canned[self._key] = return_value


@pytest.fixture
def respx2_mock() -> Any:
    yield Router()
    canned.clear()


def mock_plugin() -> ModuleType:
    module = ModuleType("tests.respx2.plugin")
    module.respx2_mock = respx2_mock
    return module


check_official = official.assert_matches_type


def assert_matches_type(
    type_: Any, value: Any, *, path: list[str], allow_none: bool = False
) -> None:
    origin = getattr(type_, "__pydantic_generic_metadata__", {}).get("origin")
    if isinstance(value, BaseModel):  # the official function, which calls itself by this name
        check_official(type_, value, path=path, allow_none=allow_none)
    elif origin in LISTS:
        [row] = type_.__pydantic_generic_metadata__["args"]
        for name in ("data", "object", "has_more"):
            assert hasattr(value, name)
        assert value.data
        assert [one.id for one in value] == [one.id for one in value.data]
        for one in value.data:
            check_model(row, one)
    elif isinstance(type_, type) and issubclass(type_, BaseModel):
        check_model(type_, value)
    elif type_ is _legacy_response.HttpxBinaryResponseContent:
        assert isinstance(value, type_)
    else:
        check_official(type_, value, path=path, allow_none=allow_none)


def check_model(model: Any, value: Any) -> None:
    dumped = value.model_dump()
    check_official(model, model.model_validate(dumped), path=["dumped"])
    for name, field in model.model_fields.items():
        assert hasattr(value, field.alias or name), f"{type(value).__name__} has no {name}"


def make_ours(*, base_url: str, api_key: str, admin_api_key: str, **_: Any) -> Any:
    from finetune_client import Client

    return Client(
        api_key,
        base_url=base_url,
        admin_key=admin_api_key,
        headers={"X-Stainless-Lang": "python"},  # the tests look for it among what was sent
    )


os.environ["TEST_API_BASE_URL"] = serve()
sys.modules["tests.respx2.plugin"] = mock_plugin()
if os.environ.get("SHIM_CLIENT") != "openai":
    from typing import get_type_hints

    from finetune_client.resources import Files

    _legacy_response.HttpxBinaryResponseContent = get_type_hints(Files.content)["return"]
    openai.OpenAI = make_ours
    official.assert_matches_type = assert_matches_type


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "respx2: the mock of httpx")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Any:
    current["test"] = item.nodeid
    return (yield)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note the outcome of a test function: the worst one of its runs."""
    name = "::".join(report.nodeid.partition("[")[0].split("::")[1:])
    if report.failed or report.skipped:
        outcomes[name] = report.outcome
    elif report.when == "call":
        outcomes.setdefault(name, "passed")


def pytest_sessionfinish() -> None:
    """Write down what was sent, but for the headers, and how the tests ended."""
    sent = {
        test: [{**request, "headers": None} for request in made] for test, made in requests.items()
    }
    for variable, found in (("SHIM_REQUESTS", sent), ("SHIM_OUTCOMES", outcomes)):
        if name := os.environ.get(variable):
            with open(name, "w", encoding="utf-8") as file:
                json.dump(found, file)
