"""Where `jobs.wait` takes events up again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import responses

    from finetune_client import Client

JOB = "https://api.openai.com/v1/fine_tuning/jobs/ftjob-1"


def test_wait__passes_only_the_events_after_the_known_one(
    client: Client, server: responses.RequestsMock
) -> None:
    rows = [{"id": f"ev-{number}", "created_at": number} for number in (3, 2, 1)]
    server.get(JOB, json={"id": "ftjob-1", "object": "fine_tuning.job", "status": "succeeded"})
    server.get(f"{JOB}/events", json={"object": "list", "data": rows, "has_more": False})
    events: list[str | None] = []
    job = client.jobs.wait("ftjob-1", on_event=lambda event: events.append(event.id), after="ev-1")
    assert job.status == "succeeded"
    assert events == ["ev-2", "ev-3"]
    assert [call.request.url for call in server.calls].count(JOB) == 1
