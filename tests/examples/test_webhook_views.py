"""The Flask and the Django example, each behind a real socket, and the server's own sender."""

from __future__ import annotations

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import requests

from finetune_client import Client, webhooks
from finetune_client.local import LocalServer, running
from tests.support.processes import end_with
from tests.support.unmeasured import unmeasured
from tests.support.webhook_receiver import receiving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PATH = "/webhooks/finetune"
SETTINGS = """
SECRET_KEY = "only for tests"
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = ["django_webhooks"]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
]
ROOT_URLCONF = "urls"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": "events.sqlite3",
        "OPTIONS": {"timeout": 20},
    }
}
"""
URLS = f"""
import django_webhooks.views
from django.urls import path

urlpatterns = [path({PATH[1:]!r}, django_webhooks.views.receive)]
"""


@dataclass
class Site:
    """A user's site with an example in it."""

    folder: Path
    app: list[str]
    """What waitress serves."""
    tables: list[str]
    """The command that makes the tables."""
    handler: list[str]
    """The command that handles the events."""
    events: str
    models: str
    """How the tables are queried."""

    @contextmanager
    def serving(self, port: int = 0) -> Iterator[str]:
        """Serve it from a process of its own; the value is the URL of the view."""
        command = [sys.executable, "-u", "-m", "waitress", f"--listen=127.0.0.1:{port}"]
        child = subprocess.Popen(
            [*command, *self.app], cwd=self.folder, stderr=subprocess.PIPE, text=True
        )
        assert child.stderr is not None
        try:
            said = child.stderr.readline()
            [address] = re.findall(r"Serving on (http://127\.0\.0\.1:\d+)", said)
            yield f"{address}{PATH}"
        finally:
            child.terminate()
            child.communicate(timeout=20)

    def run(self, *command: str) -> str:
        done = subprocess.run(
            [sys.executable, *command],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    def rows(self, query: str) -> list[Any]:
        with closing(sqlite3.connect(self.folder / "events.sqlite3")) as rows:
            return rows.execute(query).fetchall()


def flask_site(folder: Path) -> Site:
    return Site(
        folder,
        app=["flask_webhooks:app"],
        tables=["-m", "flask", "--app", "flask_webhooks", "handle", "--once"],
        handler=["-m", "flask", "--app", "flask_webhooks", "handle", "--once"],
        events="SELECT id, job, status, is_handled FROM events",
        models="SELECT job, name FROM tuned_models",
    )


def django_site(folder: Path) -> Site:
    (folder / "settings.py").write_text(SETTINGS, encoding="utf-8")
    (folder / "urls.py").write_text(URLS, encoding="utf-8")
    return Site(
        folder,
        app=["--call", "django.core.wsgi:get_wsgi_application"],
        tables=["-m", "django", "migrate", "--verbosity", "0"],
        handler=["-m", "django", "handle_job_events", "--once"],
        events="SELECT id, job_id, status, handled_at NOT NULL FROM django_webhooks_jobevent",
        models="SELECT job_id, name FROM django_webhooks_tunedmodel",
    )


@pytest.fixture(params=[flask_site, django_site], ids=["flask", "django"])
def site(folder: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-made-up")
    monkeypatch.setenv("OPENAI_WEBHOOK_SECRET", SECRET)
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "settings")
    monkeypatch.setenv("PYTHONPATH", f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    made: Site = request.param(folder)
    made.run(*made.tables)
    return made


def post(url: str, body: bytes, *, age: int = 0, secret: str = SECRET) -> requests.Response:
    """Post a webhook as a server does."""
    headers = webhooks.sign(body, id="wh_1", timestamp=int(time.time()) - age, secret=secret)
    return requests.post(url, data=body, headers=headers, timeout=20)


BODY = b'{"id": "evt_1", "type": "fine_tuning.job.succeeded", "data": {"id": "ftjob-1"}}'


def test_view__refuses_what_is_not_signed_and_other_methods(site: Site) -> None:
    with site.serving() as url:
        refused = [
            requests.post(url, data=BODY, timeout=20),
            post(url, BODY, secret="whsec_AAAA"),
            post(url, BODY, age=400),
            post(url, b"[]"),
        ]
        wrong = [requests.request(m, url, timeout=20) for m in ("GET", "PUT", "DELETE")]
        other = post(url, b'{"id": "evt_2", "type": "batch.completed", "data": {"id": "b-1"}}')
    assert [answer.status_code for answer in refused] == [400] * 4
    assert [answer.status_code for answer in wrong] == [405] * 3
    assert other.status_code == 204
    assert site.rows(site.events) == []


def test_view__takes_an_event_once_though_it_comes_often_at_the_same_time(site: Site) -> None:
    with site.serving() as url, ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: post(url, BODY).status_code, range(24)))
    assert answers == [204] * 24
    assert site.rows(site.events) == [("evt_1", "ftjob-1", "succeeded", 0)]


def test_view__answers_before_anybody_is_asked(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving() as api:
        api.gate.clear()  # an API that never answers
        monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{api.port}/v1")
        with site.serving() as url:
            assert post(url, BODY).status_code == 204
        assert api.is_quiet()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 40
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.timeout(180)
def test_site__handles_once_what_the_server_sends_twice(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    port, data = free_port(), site.folder / "python_short_train.jsonl"
    server = LocalServer(
        webhook=f"http://127.0.0.1:{port}{PATH}",
        webhook_secret=SECRET,
        wait=lambda event, seconds: event.wait(min(seconds, 0.1)),
    )
    with server, running(server) as base_url, Client("sk-1", base_url=base_url) as client:
        monkeypatch.setenv("OPENAI_BASE_URL", base_url)
        with server._store.database.write() as rows:
            rows.execute(
                "CREATE TRIGGER full BEFORE DELETE ON webhooks BEGIN SELECT RAISE(ABORT, 'full'); END"
            )
        with site.serving(port):
            job = client.jobs.wait(client.jobs.create(model="tiny", training_file=data).id)
            # It was taken, which cannot be noted; so it is sent again.
            sent = "webhooks cannot be noted as sent, and will be sent again"
            wait_for(lambda: caplog.messages.count(sent) >= 3)
        [(event_id, *rest)] = site.rows(site.events)
        assert event_id.startswith("evt_")
        assert rest == [job.id, "succeeded", 0]
        said = f"{job.id} succeeded: {job.fine_tuned_model}\n"
        assert [site.run(*site.handler), site.run(*site.handler)] == [said, ""]
    assert site.rows(site.events) == [(event_id, job.id, "succeeded", 1)]
    assert site.rows(site.models) == [(job.id, job.fine_tuned_model)]


@pytest.mark.timeout(180)
@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_site__is_told_by_finetune_serve(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINETUNE_SERVE_WEBHOOK_SECRET", SECRET)
    port, data = free_port(), site.folder / "python_short_train.jsonl"
    command = [sys.executable, "-u", "-m", "finetune_client.cli", "serve", "--temporary"]
    options = ["--port", "0", "--webhook", f"http://127.0.0.1:{port}{PATH}"]
    child = subprocess.Popen(
        [*command, *options], env=unmeasured(), stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    try:
        [base_url] = re.findall(r"http://127\.0\.0\.1:\d+/v1", child.stdout.readline())
        monkeypatch.setenv("OPENAI_BASE_URL", base_url)
        with site.serving(port), Client("sk-1", base_url=base_url) as client:
            good = client.jobs.wait(client.jobs.create(model="tiny", training_file=data).id)
            file = client.files.create(file=("bad.jsonl", b"{}\n" * 10))
            bad = client.jobs.create(model="tiny", training_file=file.id)
            wait_for(lambda: len(site.rows(site.events)) == 2)
            told = site.run(*site.handler)
    finally:
        end_with(signal.SIGINT, child)
    assert [row[1:] for row in site.rows(site.events)] == [
        (good.id, "succeeded", 1),
        (bad.id, "failed", 1),
    ]
    assert told == f"{good.id} succeeded: {good.fine_tuned_model}\n{bad.id} failed: no model\n"
    assert site.rows(site.models) == [(good.id, good.fine_tuned_model)]


def test_handler__bears_an_api_that_is_away(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    with site.serving() as url:
        assert post(url, BODY).status_code == 204
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{free_port()}/v1")
    done = subprocess.run(
        [sys.executable, *site.handler],
        cwd=site.folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert "ftjob-1 is looked at again: Could not connect to 127.0.0.1" in done.stderr
    assert site.rows(site.events) == [("evt_1", "ftjob-1", "succeeded", 0)]


def test_django__its_migration_is_that_of_its_models(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "settings")
    monkeypatch.setenv("PYTHONPATH", f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-made-up")
    said = django_site(folder).run("-m", "django", "makemigrations", "--check", "--dry-run")
    assert said == "No changes detected\n"
