"""An account in a folder: all of it, once, and whole whatever happens."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import responses

from finetune_client import Client
from finetune_client.archive import ArchiveProgress, ArchiveReport, Missing, layout, save
from finetune_client.atomic_file import DRAFTS
from finetune_client.errors import (
    APIConnectionError,
    APIError,
    AuthenticationError,
    RequestError,
)
from finetune_client.job_files import JobFile
from finetune_client.local import LocalServer, running
from finetune_client.local.faults import parse_faults
from finetune_client.metrics import Metrics
from finetune_client.providers import COMPATIBLE, NEBIUS, OPENAI
from tests.support.account import differences, make_account, with_random_faults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


KEY, ADMIN = "sk-made-up-key", "sk-made-up-admin"
LISTS = {("GET", "/fine_tuning/jobs"), ("GET", "/files"), ("GET", "/models")}
PAUSED = "/fine_tuning/jobs/ftjob-000011"


class Recorder:
    """The requests that were sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []

    def __call__(self, info: Any) -> None:
        self.sent.append((info.method, info.path))


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LocalServer]:
    make_account(tmp_path / "server")
    with LocalServer(tmp_path / "server", faults="") as made:
        yield made


@pytest.fixture
def fail(server: LocalServer) -> Callable[[str], None]:
    """Let requests fail, as `parse_faults` reads it; ``""`` ends it."""
    faults = server.faults
    assert faults is not None

    def fail(text: str) -> None:
        faults.clear()
        for fault in parse_faults(text):
            faults.add(fault)

    return fail


@pytest.fixture
def url(server: LocalServer) -> Iterator[str]:
    with running(server) as base_url:
        yield base_url


@pytest.fixture
def client(url: str, recorder: Recorder) -> Iterator[Client]:
    with Client(KEY, base_url=url, provider="openai", on_response=recorder, max_retries=0) as made:
        yield made


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "archive"


def test_save__is_what_the_server_holds(client: Client, root: Path) -> None:
    report = save(client, root)
    assert differences(root, client) == []
    assert (report.jobs, report.events, report.checkpoints, report.files) == (12, 240, 3, 9)
    assert (report.fetched_files, report.missing, report.is_complete) == (9, [], True)
    assert report.bytes == sum(p.stat().st_size for p in root.rglob("*") if p.is_file()) - sum(
        (root / name).stat().st_size for name in (layout.INDEX, layout.PAGE)
    )
    models = layout.read_json(root / layout.MODELS)
    assert [one["id"] for one in models] == [model.id for model in client.models.list()]


def test_save__asks_again_only_for_lists_and_what_has_not_ended(
    client: Client, recorder: Recorder, root: Path
) -> None:
    save(client, root)
    before = {path: path.stat().st_mtime_ns for path in (root / layout.FILES).iterdir()}
    recorder.sent.clear()
    report = save(client, root)
    assert {*recorder.sent} == LISTS | {
        ("GET", PAUSED),
        ("GET", f"{PAUSED}/events"),
        ("GET", f"{PAUSED}/checkpoints"),
    }
    assert len(recorder.sent) == 6
    assert report.fetched_files == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert differences(root, client) == []


def test_save__fetches_what_is_new(client: Client, recorder: Recorder, root: Path) -> None:
    save(client, root)
    client.jobs.cancel("ftjob-000011")
    file = client.files.create(file=("more.jsonl", b"{}\n"))
    recorder.sent.clear()
    report = save(client, root)
    assert (report.fetched_files, report.fetched_bytes) == (1, 3)
    assert [path for _, path in recorder.sent if "content" in path] == [f"/files/{file.id}/content"]
    assert differences(root, client) == []
    recorder.sent.clear()
    save(client, root)
    assert {*recorder.sent} == LISTS


def test_save__each_file_is_downloaded_once(client: Client, recorder: Recorder, root: Path) -> None:
    save(client, root)
    contents = [path for _, path in recorder.sent if path.endswith("/content")]
    assert len(contents) == len({*contents}) == 9


def test_save__a_job_is_a_job_file_and_its_curves(client: Client, root: Path) -> None:
    save(client, root)
    folder = root / "ftjob-000001"
    job = JobFile.read(folder / "job.json")
    assert job == layout.read_job(folder)
    assert job.problems(client.provider) == []
    body = layout.read_json(folder / "job.json")
    assert re.fullmatch(r"\.\./files/file-\d+\.jsonl", body["training_file"])
    assert re.fullmatch(r"\.\./files/file-\d+\.jsonl", body["validation_file"])
    assert (body["metadata"], body["method"]["type"]) == ({"team": "a"}, "dpo")
    # Of the result file, in base64 as OpenAI sends it; of a failed job's events.
    assert (folder / layout.METRICS).read_text().startswith("step,train_loss\n1,2.0\n2,1.0\n")
    failed = Metrics.from_csv((root / "ftjob-000004" / layout.METRICS).read_bytes())
    assert failed.series("train_loss")[0][1] == pytest.approx(2.7)


def test_save__can_be_moved(client: Client, root: Path, tmp_path: Path) -> None:
    save(client, root)
    moved = root.rename(tmp_path / "elsewhere")
    paths = layout.read_job(moved / "ftjob-000001").paths
    assert [path.is_file() for path in paths.values()] == [True, True]


def test_save__what_is_refused_is_listed_and_the_rest_continues(
    client: Client, root: Path, fail: Callable[[str], None], recorder: Recorder
) -> None:
    refused = client.jobs.retrieve("ftjob-000001").training_file
    fail(
        f"403x2@/v1/files/{refused}/content,404@/ftjob-000002/events,"
        "500x2@/ftjob-000003/checkpoints,403@/v1/models"
    )
    report = save(client, root)
    assert [(one.what, one.id, one.status_code, one.is_final) for one in report.missing] == [
        ("models", None, 403, True),
        ("checkpoints", "ftjob-000003", 500, False),
        ("events", "ftjob-000002", 404, True),
        ("file", refused, 403, True),
    ]
    assert not report.is_complete
    assert str(report.missing[3]).startswith(f"file {refused}: ")
    assert "The fault 403 was asked for." in report.missing[3].message
    assert layout.read_json(root / "ftjob-000001/job.json")["training_file"] == refused
    index = layout.read_json(root / layout.INDEX)
    assert [Missing(**one) for one in index["missing"]] == report.missing
    again = save(client, root)  # the file is refused once more
    assert [(one.what, one.id) for one in again.missing] == [("file", refused)]
    assert save(client, root).missing == []
    assert differences(root, client) == []
    assert layout.read_job(root / "ftjob-000001").paths["training_file"].is_file()


def test_save__files_that_jobs_name_are_fetched_where_their_list_is_refused(
    client: Client, root: Path, fail: Callable[[str], None]
) -> None:
    fail("403@/v1/files")
    report = save(client, root)
    assert [(one.what, one.id, one.status_code, one.is_final) for one in report.missing] == [
        ("files", None, 403, True)
    ]
    assert layout.read_json(root / layout.FILE_LIST) == []
    jobs = client.jobs.list(limit=100)
    named = {job.training_file for job in jobs} | {
        name for job in jobs for name in (job.validation_file, *(job.result_files or ())) if name
    }
    assert report.fetched_files == len(named)
    assert save(client, root).missing == []
    assert differences(root, client) == []


def test_save__a_row_that_cannot_be_read_is_told(root: Path) -> None:
    api = "https://api.openai.com/v1"
    with responses.RequestsMock() as mock:
        mock.get(f"{api}/fine_tuning/jobs", json={"data": [{"status": "odd"}], "has_more": False})
        mock.get(f"{api}/files", json={"data": []})
        mock.get(f"{api}/models", json={"data": []})
        report = save(Client(KEY), root)
    message = """A row of the list of jobs cannot be read: {"status": "odd"}"""
    assert report.missing == [Missing(what="job", message=message)]
    assert (report.jobs, report.is_complete) == (0, False)


def test_save__what_may_pass_is_tried_once_more(
    client: Client, root: Path, fail: Callable[[str], None]
) -> None:
    fail("429=0@ftjob-000002/events,503@ftjob-000003,500@/content")
    assert save(client, root).missing == []
    assert differences(root, client) == []


def test_save__a_newer_job_with_older_events_is_asked_for_again(
    client: Client, root: Path, fail: Callable[[str], None]
) -> None:
    save(client, root)
    client.jobs.cancel("ftjob-000011")
    fail("404@ftjob-000011/events")
    save(client, root)
    assert layout.read_json(root / "ftjob-000011" / layout.SERVER_JOB)["status"] == "paused"
    assert save(client, root).missing == []
    assert differences(root, client) == []


@pytest.mark.parametrize(
    "path", ["/fine_tuning/jobs", "/ftjob-000003/events", "/content", "/v1/files", "/v1/models"]
)
def test_save__a_refused_key_ends_it(
    client: Client, root: Path, fail: Callable[[str], None], path: str
) -> None:
    fail(f"401@{path}")
    with pytest.raises(AuthenticationError):
        save(client, root)
    assert not list(root.rglob(DRAFTS))
    assert save(client, root).missing == []
    assert differences(root, client) == []


def test_save__a_refused_key_ends_downloads_that_are_under_way(tmp_path: Path, root: Path) -> None:
    refused = threading.Event()

    def on_response(info: Any) -> None:
        if info.status == 401:
            refused.set()

    def slowly(progress: ArchiveProgress) -> None:
        if progress.bytes_done:
            refused.wait(30)
            time.sleep(0.1)  # at each of sixty blocks: meanwhile the refusal is heard of

    with (
        LocalServer(tmp_path / "server", faults="") as server,
        running(server) as url,
        Client(KEY, base_url=url, max_retries=0, on_response=on_response) as client,
    ):
        client.files.create(file=("large.jsonl", b"{}\n" * 5_000_000))
        small = client.files.create(file=("small.jsonl", b"{}\n"))
        assert server.faults is not None
        server.faults.add(*parse_faults(f"401@/files/{small.id}/content"))
        with pytest.raises(AuthenticationError):
            save(client, root, on_progress=slowly)
    assert not list((root / layout.FILES).iterdir())


def test_save__four_files_in_a_row_may_fail(
    client: Client, root: Path, fail: Callable[[str], None]
) -> None:
    fail("resetx4@/content")
    assert save(client, root, concurrency=1).missing == []
    assert differences(root, client) == []


@pytest.mark.parametrize("fault", ["resetx99@/fine_tuning/jobs/", "resetx5@/content"])
def test_save__ends_where_the_server_cannot_be_reached(
    client: Client, root: Path, fail: Callable[[str], None], fault: str
) -> None:
    fail(fault)
    with pytest.raises(APIConnectionError):
        save(client, root, concurrency=1)
    fail("")
    save(client, root)
    assert differences(root, client) == []


def test_save__events_that_come_late_are_waited_for(
    url: str, root: Path, recorder: Recorder
) -> None:
    provider = replace(OPENAI, late_events=600)
    with Client(KEY, base_url=url, provider=provider, on_response=recorder) as client:
        ended = client.jobs.retrieve("ftjob-000000").finished_at
        assert ended is not None
        newest = ended + 60 * 11
        asked = []
        for now in (newest + 500, newest + 700, newest + 800):
            recorder.sent.clear()
            save(client, root, now=lambda now=now: now)  # type: ignore[misc]
            asked.append(len([path for _, path in recorder.sent if path.endswith("/events")]))
        assert asked[0] == 12
        assert 1 < asked[1] < 12  # those that had ended less than ten minutes before
        assert asked[2] == 1  # the one that is paused
        assert differences(root, client) == []


def test_save__permissions_need_an_admin_key(
    client: Client, url: str, root: Path, recorder: Recorder
) -> None:
    tuned = "ft:tiny:local:n0:00000000:ckpt-step-10"
    client.checkpoints.permissions.create(tuned, project_ids=["proj-1"])
    save(client, root)
    assert not list(root.rglob(layout.PERMISSIONS))
    with Client(KEY, base_url=url, provider="openai", admin_key=ADMIN) as admin:
        save(admin, root)
        [permission] = admin.checkpoints.permissions.list(tuned)
    saved = layout.read_json(root / "ftjob-000000" / layout.PERMISSIONS)
    assert saved == {"ft:tiny:local:n0:00000000": [], tuned: [permission.to_dict()]}


def test_save__a_refused_admin_key_is_told_once(
    url: str, root: Path, fail: Callable[[str], None]
) -> None:
    fail("401x99@/permissions")
    with Client(KEY, base_url=url, provider="openai", admin_key=ADMIN) as admin:
        report = save(admin, root, concurrency=1)
        assert [(one.what, one.id, one.status_code) for one in report.missing] == [
            ("permissions", None, 401)
        ]
        assert report.is_complete
        assert differences(root, admin) == []


def test_save__permissions_that_are_refused_are_listed(
    url: str, root: Path, fail: Callable[[str], None]
) -> None:
    tuned = "ft:tiny:local:n1:00000001"
    fail(f"403@{tuned}/permissions")
    with Client(KEY, base_url=url, provider="openai", admin_key=ADMIN) as admin:
        report = save(admin, root)
    assert [(one.what, one.id, one.status_code) for one in report.missing] == [
        ("permissions", tuned, 403)
    ]
    saved = layout.read_json(root / "ftjob-000001" / layout.PERMISSIONS)
    assert saved == {f"{tuned}:ckpt-step-10": []}


def test_save__no_key_is_on_the_disk(url: str, root: Path, fail: Callable[[str], None]) -> None:
    fail("403@/content")
    with Client(KEY, base_url=url, provider="openai", admin_key=ADMIN) as client:
        save(client, root)
    for path in root.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert KEY.encode() not in content
            assert ADMIN.encode() not in content


def test_save__only_into_the_archive_of_the_same_server(
    client: Client, url: str, root: Path
) -> None:
    save(client, root)
    with (
        Client("sk-made-up", base_url="https://api.example.com/v1") as other,
        pytest.raises(RequestError) as caught,
    ):
        save(other, root)
    assert caught.value.message == (
        f"The folder {str(root)!r} is the archive of {url}, not of https://api.example.com/v1; give "
        "another folder."
    )


def test_save__concurrency_is_a_number_from_1(client: Client, root: Path) -> None:
    with pytest.raises(RequestError) as caught:
        save(client, root, concurrency=0)
    assert caught.value.message == "concurrency must be a whole number from 1, got 0."
    assert not root.exists()


def test_progress__counts_jobs_and_then_files(client: Client, root: Path) -> None:
    seen: list[ArchiveProgress] = []
    save(client, root, on_progress=seen.append)
    assert [*dict.fromkeys(one.phase for one in seen)] == ["lists", "jobs", "files", "index"]
    jobs = [one.done for one in seen if one.phase == "jobs"]
    assert jobs == [*range(1, 13)]
    last = [one for one in seen if one.phase == "files"][-1]
    assert (last.done, last.total) == (9, 9)
    assert last.bytes_done == last.bytes_total > 300_000


def test_progress__counts_the_bytes_of_a_file_as_they_come(root: Path) -> None:
    api = "https://api.openai.com/v1"
    file = {"id": "file-1", "filename": "a.jsonl", "bytes": 600_000, "purpose": "fine-tune"}
    seen: list[ArchiveProgress] = []
    with responses.RequestsMock() as mock:
        mock.get(f"{api}/fine_tuning/jobs", json={"data": [], "has_more": False})
        mock.get(f"{api}/files", json={"data": [file]})
        mock.get(f"{api}/models", json={"data": []})
        mock.get(f"{api}/files/file-1", json=file)
        mock.get(f"{api}/files/file-1/content", body=b"x" * 600_000)
        save(Client(KEY), root, on_progress=seen.append)
    of_files = [one for one in seen if one.phase == "files"]
    assert {(one.total, one.bytes_total) for one in of_files} == {(1, 600_000)}
    counts = [one.bytes_done for one in of_files]
    assert counts == sorted(counts)
    assert counts[0] == 0
    assert 0 < counts[1] < counts[-1] == 600_000


class StopError(Exception):
    """A caller has had enough."""


def stop_in(phase: str) -> Callable[[ArchiveProgress], None]:
    def stop(progress: ArchiveProgress) -> None:
        if progress.phase == phase:
            raise StopError

    return stop


def test_progress__what_it_raises_ends_the_archiving(client: Client, root: Path) -> None:
    with pytest.raises(StopError):
        save(client, root, on_progress=stop_in("files"))
    assert not list(root.rglob(DRAFTS))
    save(client, root)
    assert differences(root, client) == []


def test_save__what_ends_it_ends_it_before_the_jobs_that_are_left(
    client: Client, root: Path
) -> None:
    with pytest.raises(StopError):
        save(client, root, concurrency=1, on_progress=stop_in("jobs"))
    assert 1 <= len([*root.glob("ftjob-*")]) < 12


def test_save__leaves_out_what_a_provider_does_not_have(
    url: str, recorder: Recorder, root: Path
) -> None:
    lacks: Any = {"events": "no", "checkpoints": "never had them", "file_content": "too large"}
    provider = replace(COMPATIBLE, lacks=lacks)
    with Client(KEY, base_url=url, provider=provider, on_response=recorder) as client:
        report = save(client, root)
    assert [str(one) for one in report.missing] == [
        "events: The provider 'compatible' does not have them: no.",
        "checkpoints: The provider 'compatible' does not have them: never had them.",
        "files: The provider 'compatible' does not have them: too large.",
    ]
    assert report.is_complete
    assert not [path for _, path in recorder.sent if "/events" in path or "/content" in path]
    assert not (root / "ftjob-000000" / layout.METRICS).exists()


def test_save__weights_of_checkpoints_are_files_and_not_curves(root: Path) -> None:
    api = "https://api.tokenfactory.nebius.com/v1"
    job = {"id": "ftjob-1", "status": "succeeded", "model": "m", "result_files": ["file-w"]}
    checkpoint = {
        "id": "c",
        "step_number": 1,
        "metrics": {"train_loss": 2.0},
        "result_files": ["w/2"],
    }
    with responses.RequestsMock() as mock:
        mock.get(f"{api}/fine_tuning/jobs", json={"data": [job], "has_more": False})
        mock.get(f"{api}/fine_tuning/jobs/ftjob-1", json={**job, "trained_steps": None})
        mock.get(f"{api}/fine_tuning/jobs/ftjob-1/events", json={"data": [], "has_more": False})
        mock.get(
            f"{api}/fine_tuning/jobs/ftjob-1/checkpoints",
            json={"data": [checkpoint], "has_more": False},
        )
        mock.get(f"{api}/files", json={"data": []})
        mock.get(f"{api}/models", status=404)
        for quoted, name in (("file-w", "adapter.safetensors"), ("w%2F2", "page.html")):
            file = {"id": quoted.replace("%2F", "/"), "filename": name, "bytes": 4}
            mock.get(f"{api}/files/{quoted}", json=file)
            mock.get(f"{api}/files/{quoted}/content", body=b"1,2\n")
        report = save(Client(KEY, provider=NEBIUS), root)
    assert [(one.what, one.status_code) for one in report.missing] == [("models", 404)]
    names = sorted(path.name for path in (root / layout.FILES).iterdir())
    assert names[0] == "file-w"
    assert re.fullmatch(r"id-[0-9a-f]{40}", names[1])
    assert (root / "ftjob-1" / layout.METRICS).read_text() == "step,train_loss\n1,2.0\n"
    saved = layout.read_json(root / "ftjob-1" / layout.SERVER_JOB)
    assert saved == {**job, "trained_steps": None}


def _save_one(
    root: Path,
    listed: Any,
    answer: Any,
    *,
    events: Sequence[Any] = (),
    admin_key: str | None = None,
) -> ArchiveReport:
    """Save an account that lists one job, with these events, and answers a retrieve of it so."""
    api = "https://api.openai.com/v1"
    with responses.RequestsMock() as mock:
        mock.get(f"{api}/fine_tuning/jobs", json={"data": [listed], "has_more": False})
        mock.get(f"{api}/fine_tuning/jobs/ftjob-1", json=answer)
        mock.get(f"{api}/fine_tuning/jobs/ftjob-1/events", json={"data": [*events]})
        mock.get(f"{api}/fine_tuning/jobs/ftjob-1/checkpoints", json={"data": []})
        mock.get(f"{api}/files", json={"data": []})
        mock.get(f"{api}/models", json={"data": []})
        return save(Client(KEY, admin_key=admin_key), root)


@pytest.mark.parametrize("answer", [{"id": "ftjob-2"}, []])
def test_save__a_job_whose_answer_is_of_another_is_as_it_was_listed(
    root: Path, answer: Any
) -> None:
    job = {"id": "ftjob-1", "status": "failed", "model": "m"}
    _save_one(root, job, answer)
    assert layout.read_json(root / "ftjob-1" / layout.SERVER_JOB) == job


@pytest.mark.parametrize(
    ("times", "order"), [((1, 2, 3), "abc"), ((2, 1, 3), "bac"), ((None, None, 1), "cba")]
)
def test_save__events_are_oldest_first_whatever_the_order_of_the_server(
    root: Path, times: tuple[int | None, ...], order: str
) -> None:
    job = {"id": "ftjob-1", "status": "failed", "model": "m"}
    events = [
        {"id": name, "message": "m", "created_at": time}
        for name, time in zip("abc", times, strict=True)
    ]
    _save_one(root, job, job, events=events)
    lines = (root / "ftjob-1" / layout.EVENTS).read_bytes().splitlines()
    assert "".join(json.loads(line)["id"] for line in lines) == order


def test_save__a_model_without_a_name_has_no_permissions(root: Path) -> None:
    job = {"id": "ftjob-1", "status": "failed", "model": "m", "fine_tuned_model": ""}
    assert _save_one(root, job, job, admin_key=ADMIN).missing == []


def test_save__writes_what_has_changed_and_is_as_long_as_before(root: Path) -> None:
    for status in ("queued", "failed"):
        job = {"id": "ftjob-1", "status": status, "model": "m"}
        _save_one(root, job, job)
        assert layout.read_json(root / "ftjob-1" / layout.SERVER_JOB) == job


def test_save__in_process_and_of_an_empty_account(root: Path) -> None:
    with Client.local() as client:
        report = save(client, root, now=lambda: 0)
    assert (report.jobs, report.files, report.missing) == (0, 0, [])
    index = layout.read_json(root / layout.INDEX)
    assert (index["provider"], index["archived_at"]) == ("local", "1970-01-01T00:00:00+00:00")


CHILD = """
import os, random, signal, sys, threading, time
from finetune_client import Client
from finetune_client.archive import save
url, root, seconds = sys.argv[1:]
client = Client("sk-made-up", base_url=url, provider="openai")
def kill():
    time.sleep(float(seconds))
    os.kill(os.getpid(), signal.SIGKILL)
threading.Thread(target=kill, daemon=True).start()
save(client, root)
"""


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX's")
def test_save__killed_at_any_moment_it_is_continued(
    server: LocalServer, url: str, root: Path, client: Client
) -> None:
    refused = client.jobs.retrieve("ftjob-000002").training_file
    chance = random.Random(12)
    killed = 0
    for _ in range(5):
        done = subprocess.run(
            [sys.executable, "-c", CHILD, url, str(root), str(chance.uniform(0.02, 0.3))],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            check=False,
            capture_output=True,
        )
        killed += done.returncode == -signal.SIGKILL
        for path in root.rglob("*.json"):
            json.loads(path.read_bytes())  # nothing is half written
    assert killed
    save(client, root)
    assert refused
    assert differences(root, client) == []


def test_save__from_a_server_that_fails_by_chance(server: LocalServer, root: Path) -> None:
    refused = ("file-00000002", "file-00000006")
    end = with_random_faults(server, refused, kinds=("429", "cut"))
    with running(server) as url, Client(KEY, base_url=url, provider="openai") as client:
        report = None
        for _ in range(4):
            try:
                report = save(client, root)
            except APIError:  # a list failed three times: run it again
                continue
            if report.is_complete:
                break
        end()
        assert report is not None
        assert report.is_complete
        assert sorted(str(one.id) for one in report.missing) == [*refused]
        assert differences(root, client) == []
