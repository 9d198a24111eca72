from __future__ import annotations

import threading
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from finetune_client import Client, webhooks
from finetune_client.errors import ConfigurationError
from finetune_client.local import LocalServer
from tests.support.gated_trainer import GatedTrainer
from tests.support.local_api import LocalApi, chat_lines, jsonl
from tests.support.webhook_receiver import Receiver, receiving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Connect = Callable[[LocalServer], LocalApi]

pytestmark = pytest.mark.usefixtures("impatient")
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
LINES = jsonl(chat_lines(10))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


class Waits:
    """A wait that takes no time and a clock that it moves; what it was asked for is noted."""

    def __init__(self) -> None:
        self.now = time.time()
        self.asked: list[float] = []

    def clock(self) -> float:
        return self.now

    def wait(self, event: threading.Event, seconds: float) -> bool:
        self.asked.append(round(seconds))
        self.now += seconds
        return event.is_set()


def next_event(receiver: Receiver, clock: Callable[[], float] = time.time) -> webhooks.WebhookEvent:
    got = receiver.next()
    assert got.path == "/hooks"
    assert got.headers["content-type"] == "application/json"
    assert abs(int(got.headers["webhook-timestamp"]) - clock()) < 60
    return webhooks.unwrap(got.body, got.headers, SECRET, tolerance=1e9)


def trained(api: LocalApi) -> str:
    return str(api.trained(training_file=api.upload(LINES))["id"])


def wait_until_sent(server: LocalServer) -> None:
    deadline = time.monotonic() + 20
    while server._store.database.row("SELECT 1 FROM webhooks") is not None:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_events__tell_how_a_job_ended(connect: Connect, receiver: Receiver) -> None:
    trainer = GatedTrainer(1)
    server = LocalServer(trainer=trainer, webhook=receiver.url, webhook_secret=SECRET)
    api = connect(server)
    trainer.let(1)
    succeeded = api.trained(training_file=api.upload(LINES))["id"]
    failed = api.ended(api.create(training_file=api.upload("{}\n" * 10))["id"])["id"]
    cancelled = api.create(training_file=api.upload(LINES))["id"]
    api.job(cancelled, until=("running",))
    api.ok("POST", f"/fine_tuning/jobs/{cancelled}/cancel")
    events = [next_event(receiver) for _ in range(3)]
    assert [(event.type, event.job_id) for event in events] == [
        ("fine_tuning.job.succeeded", succeeded),
        ("fine_tuning.job.failed", failed),
        ("fine_tuning.job.cancelled", cancelled),
    ]
    assert events[0].created_at == api.job(succeeded)["finished_at"]
    assert (events[0].object, events[0].extra) == ("event", {})
    assert len({event.id for event in events}) == 3
    wait_until_sent(server)
    assert receiver.is_quiet()


def test_events__are_sent_again_with_the_same_id_and_longer_and_longer_pauses(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    waits = Waits()
    with receiving(500, 302, 404, 429) as receiver:
        server = LocalServer(
            webhook=receiver.url, webhook_secret=SECRET, clock=waits.clock, wait=waits.wait
        )
        job_id = trained(connect(server))
        got = [receiver.next() for _ in range(5)]
        wait_until_sent(server)
        assert receiver.is_quiet()
    assert {one.path for one in got} == {"/hooks"}  # the redirect was not followed
    assert len({one.headers["webhook-id"] for one in got}) == 1
    assert len({one.body for one in got}) == 1
    assert webhooks.unwrap(got[0].body, got[0].headers, SECRET, tolerance=1e9).job_id == job_id
    times = [int(one.headers["webhook-timestamp"]) for one in got]
    assert [after - before for before, after in pairwise(times)] == [
        pytest.approx(pause, abs=1) for pause in (5, 10, 20, 40)
    ]
    for one in got:
        webhooks.verify_signature(one.body, one.headers, SECRET, tolerance=1e9)
    name = got[0].headers["webhook-id"]
    assert caplog.messages[0] == f"webhook {name}: 127.0.0.1 answered 500; it is sent again in 5 s"


def test_events__are_given_up_after_three_days(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    waits = Waits()
    with receiving(*[503] * 200) as receiver:
        server = LocalServer(
            webhook=receiver.url, webhook_secret=SECRET, clock=waits.clock, wait=waits.wait
        )
        trained(connect(server))
        wait_until_sent(server)
        name = receiver.next().headers["webhook-id"]
    pauses = [pause for pause in waits.asked if pause]
    assert max(pauses) == 3600
    assert 71 * 3600 < sum(pauses) <= 72 * 3600
    assert caplog.messages[-1] == (
        f"webhook {name} was not taken for 72 hours (127.0.0.1 answered 503): given up"
    )


def test_events__survive_a_restart(connect: Connect, tmp_path: Path) -> None:
    with receiving() as gone:
        port = gone.port
    options: dict[str, Any] = {"webhook": gone.url, "webhook_secret": SECRET}
    with LocalServer(tmp_path, **options) as server:
        first = connect(server)
        job_id = trained(first)
    with LocalServer(tmp_path) as server:  # of no webhook: it is kept
        connect(server)
    waits = Waits()
    with receiving(port=port) as receiver:
        again = LocalServer(tmp_path, **options, clock=waits.clock, wait=waits.wait)
        connect(again)
        assert next_event(receiver, waits.clock).job_id == job_id
        wait_until_sent(again)
        assert receiver.is_quiet()


def test_events__of_a_server_that_is_closed_at_once_are_sent(receiver: Receiver) -> None:
    with Client.local(webhook=receiver.url, webhook_secret=SECRET) as client:
        file = client.files.create(file=("train.jsonl", LINES.encode()))
        job = client.jobs.wait(client.jobs.create(model="tiny", training_file=file.id).id)
    got = receiver.next()
    event = client.webhooks.unwrap(got.body, got.headers)
    assert (event.job_id, event.job_status) == (job.id, "succeeded")


def test_receiver__that_does_not_answer_keeps_nobody_waiting(
    connect: Connect, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("finetune_client.local.webhook_sender._CLOSE_SECONDS", 0.1)
    receiver.gate.clear()
    server = LocalServer(webhook=receiver.url, webhook_secret=SECRET)
    api = connect(server)
    trained(api)
    receiver.next()
    trained(api)
    start = time.monotonic()
    server.close()
    assert time.monotonic() - start < 10
    receiver.gate.set()
    [thread] = [one for one in threading.enumerate() if one.name == "finetune-webhooks"]
    thread.join(20)
    assert not thread.is_alive()


def test_receiver__that_is_too_slow_has_a_time_limit(
    connect: Connect, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("finetune_client.local.webhook_sender._TIMEOUT", (1.0, 0.2))
    waits = Waits()
    receiver.gate.clear()
    server = LocalServer(
        webhook=receiver.url, webhook_secret=SECRET, clock=waits.clock, wait=waits.wait
    )
    trained(connect(server))
    first, second = receiver.next(), receiver.next()
    receiver.gate.set()
    assert first.headers["webhook-id"] == second.headers["webhook-id"]


def test_request__has_the_credentials_of_the_url_alone_and_no_proxy(
    connect: Connect, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password mine\n", encoding="utf-8")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    trained(connect(LocalServer(webhook=receiver.url, webhook_secret=SECRET)))
    assert "authorization" not in receiver.next().headers
    url = receiver.url.replace("//", "//user:word@")
    trained(connect(LocalServer(webhook=url, webhook_secret="any text")))
    assert receiver.next().headers["authorization"] == "Basic dXNlcjp3b3Jk"


@pytest.mark.parametrize("url", ["", "example.org", "ftp://example.org", "http://", "http://h:x/"])
def test_url__that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        LocalServer(webhook=url, webhook_secret=SECRET)
    assert str(caught.value) == (
        "The address of webhooks must be a URL such as https://example.org/webhooks."
    )


def test_secret__must_be_given_and_usable() -> None:
    with pytest.raises(ConfigurationError) as caught:
        LocalServer(webhook="http://127.0.0.1:9/")
    assert str(caught.value) == (
        "Webhooks are signed: give their secret too, as webhook_secret=, --webhook-secret or "
        "FINETUNE_SERVE_WEBHOOK_SECRET. Any long random text will do; the receiver verifies with "
        "the same."
    )
    with pytest.raises(ConfigurationError, match="not base64 after whsec_"):
        LocalServer(webhook="http://127.0.0.1:9/", webhook_secret="whsec_?")


def test_rows__that_cannot_be_written_do_not_end_the_thread(
    connect: Connect, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    waits = Waits()
    server = LocalServer(
        webhook=receiver.url, webhook_secret=SECRET, clock=waits.clock, wait=waits.wait
    )
    api = connect(server)
    with server._store.database.write() as rows:
        rows.execute(
            "CREATE TRIGGER full BEFORE DELETE ON webhooks BEGIN SELECT RAISE(ABORT, 'full'); END"
        )
    trained(api)
    first, second = receiver.next(), receiver.next()
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    with server._store.database.write() as rows:
        rows.execute("DROP TRIGGER full")
    wait_until_sent(server)
    assert "webhooks cannot be noted as sent, and will be sent again" in caplog.messages
