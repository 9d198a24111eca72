"""A session over `responses` that takes no time."""

from __future__ import annotations

from typing import Any

from finetune_client.transport import HTTPSession, Request, Sender, Session, with_changes
from finetune_client.transport.environment import settings
from tests.support.fake_time import FakeTime

__all__ = ["BASE", "COSTLY", "GET", "JOB", "JOB_PATH", "KEY", "URL", "make_session"]

BASE = "https://api.example.com/v1"
JOB_PATH = "/fine_tuning/jobs/ftjob-1"
KEY = "sk-test-4f1c9d2e7ab85360"

URL = BASE + JOB_PATH
JOB = {"id": "ftjob-1", "object": "fine_tuning.job"}
GET = Request(method="GET", path=JOB_PATH, expect_id="ftjob-1")
COSTLY = Request(method="POST", path="/fine_tuning/jobs", json={"model": "m"}, idempotent=False)


def make_session(
    fake: FakeTime | None = None,
    *,
    base_url: str = BASE,
    provider: Any = "openai",
    api_key: Any = KEY,
    admin_key: Any = None,
    **options: Any,
) -> Session:
    """Make a session that reads no environment and whose waits are only noted down."""
    config = settings(
        environ={"OPENAI_API_VERSION": "2024-10-21"}.get,
        api_key=api_key,
        admin_key=admin_key,
        base_url=base_url,
        provider=provider,
    )
    clock = (fake or FakeTime()).clock
    return Session(with_changes(config, **options), Sender(HTTPSession(url=base_url)), clock=clock)
