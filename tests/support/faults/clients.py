"""Clients for a fault server, and a clock whose sleeps take no time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from finetune_client import Client
from finetune_client.clock import Clock
from finetune_client.errors import FineTuneError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.fault_server import FaultServer

__all__ = ["KEY", "connect", "failure", "sleepless"]

E = TypeVar("E", bound=FineTuneError)

KEY = "sk-test-4f1c9d2e7ab85360"
"""A key that can be found wherever it is not hidden."""


def connect(server: FaultServer, **options: Any) -> Client:
    """A client that keeps its jobs' marks and ids as OpenAI does, unless told otherwise."""
    settings = {"base_url": server.url, "provider": "openai", "timeout": (10, 30), **options}
    return Client(settings.pop("api_key", KEY), **settings)


def sleepless(client: Client, on_sleep: Callable[[], None] | None = None) -> list[float]:
    """Make the client's sleeps take no time, on its own clock too; give the list of them."""
    naps: list[float] = []

    def sleep(seconds: float) -> None:
        naps.append(seconds)
        if on_sleep is not None and len(naps) == 1:
            on_sleep()

    client._session.clock = Clock(
        sleep=sleep,
        random=lambda: 0.5,
        monotonic=lambda: time.monotonic() + sum(naps),
        now=lambda: time.time() + sum(naps),
    )
    return naps


def failure(call: Callable[[], Any], kind: type[E]) -> E:
    """Call, and give the error that it ended in."""
    with pytest.raises(kind) as caught:
        call()
    return caught.value
