"""The pytest plugin: fixtures for tests of programs that use the fine-tuning API.

pytest imports this module at each start, in every project where the package is installed; so it
imports nothing else until a fixture is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from finetune_client.client import Client
    from finetune_client.testing.api import FakeAPI

__all__ = ["finetune_api", "finetune_client", "finetune_server"]


@pytest.fixture
def finetune_api() -> Iterator[FakeAPI]:
    """The fine-tuning API in this process, for one test: a `finetune_client.testing.FakeAPI`."""
    try:
        from finetune_client.testing.api import FakeAPI
    except ModuleNotFoundError as error:
        raise pytest.UsageError(
            f"The fixtures of finetune_client need the package {error.name}, which is not "
            "installed. Install it with: pip install 'finetune-client[local]'"
        ) from None

    with FakeAPI() as api:
        yield api


@pytest.fixture
def finetune_client(finetune_api: FakeAPI) -> Client:
    """A client of `finetune_api`: no socket, no key, and its waits take no time."""
    return finetune_api.client


@pytest.fixture
def finetune_server(finetune_api: FakeAPI, monkeypatch: pytest.MonkeyPatch) -> FakeAPI:
    """`finetune_api` on a real port of this machine, at ``.url``.

    ``OPENAI_BASE_URL`` and ``OPENAI_API_KEY`` are set for the test, so that other clients find it.
    """
    monkeypatch.setenv("OPENAI_BASE_URL", finetune_api.url)
    monkeypatch.setenv("OPENAI_API_KEY", finetune_api.api_key)
    return finetune_api
