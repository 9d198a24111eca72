from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import responses

from finetune_client import Client
from tests.support.fake_time import FakeTime

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def server() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mock:
        yield mock


@pytest.fixture
def client() -> Iterator[Client]:
    with Client("sk-test", base_url="https://api.openai.com/v1", max_retries=0) as made:
        yield made


@pytest.fixture
def time(client: Client) -> FakeTime:
    """Turn the client's clock by hand."""
    fake = FakeTime()
    client._session.clock = fake.clock
    return fake
