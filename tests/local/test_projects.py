"""Two projects on one server: neither sees, uses or changes what the other has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from finetune_client import Client
from finetune_client.local import LocalServer
from tests.support.local_api import LocalApi, chat_lines, jsonl

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

JOBS = "/fine_tuning/jobs"
KEYS = {"sk-a": "one", "sk-b": "two", "sk-c": "one"}
TRAIN = jsonl(chat_lines(10))
CHAT = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 3}


class Projects:
    """A server with two projects, and one of their models."""

    def __init__(self, connect: Callable[[LocalServer], LocalApi]) -> None:
        self.api = connect(LocalServer(api_keys=KEYS))
        self.use("sk-a")
        self.file = self.api.upload(TRAIN)
        self.job = self.api.trained(training_file=self.file)
        self.model = self.job["fine_tuned_model"]
        path = f"{JOBS}/{self.job['id']}/checkpoints"
        self.checkpoint = self.api.ok("GET", path)["data"][0]

    def use(self, key: str) -> None:
        self.api.session.headers["Authorization"] = f"Bearer {key}"

    def seen(self) -> dict[str, int]:
        """How many of each there are in the lists."""
        paths = {"files": "/files", "models": "/models", "jobs": JOBS}
        return {name: len(self.api.ok("GET", path)["data"]) for name, path in paths.items()}


@pytest.fixture
def projects(connect: Callable[[LocalServer], LocalApi]) -> Projects:
    return Projects(connect)


def test_lists__show_what_is_the_projects_own(projects: Projects) -> None:
    mine = projects.seen()
    assert mine["jobs"] == 1
    assert mine["files"] >= 3
    projects.use("sk-c")  # another key of the same project
    assert projects.seen() == mine
    projects.use("sk-b")
    assert projects.seen() == {"files": 0, "models": 1, "jobs": 0}


def test_objects__of_others_do_not_exist(projects: Projects) -> None:
    api, job, file = projects.api, projects.job["id"], projects.file
    name, upload = projects.model, {"filename": "a", "purpose": "fine-tune", "bytes": 3}
    upload_id = api.ok("POST", "/uploads", json={**upload, "mime_type": "text/plain"})["id"]
    weights = projects.checkpoint["result_files"][0]
    checkpoint = projects.checkpoint["fine_tuned_model_checkpoint"]
    calls: list[tuple[str, str, dict[str, Any]]] = [
        ("GET", f"/files/{file}", {}),
        ("GET", f"/files/{file}/content", {}),
        ("GET", f"/files/{weights}/content", {}),
        ("DELETE", f"/files/{file}", {}),
        ("POST", f"/uploads/{upload_id}/parts", {"files": {"data": b"abc"}}),
        ("POST", f"/uploads/{upload_id}/complete", {"json": {"part_ids": ["part_1"]}}),
        ("POST", f"/uploads/{upload_id}/cancel", {}),
        ("GET", f"{JOBS}/{job}", {}),
        ("GET", f"{JOBS}/{job}/events", {}),
        ("GET", f"{JOBS}/{job}/checkpoints", {}),
        *(("POST", f"{JOBS}/{job}/{verb}", {}) for verb in ("cancel", "pause", "resume")),
        ("GET", f"/models/{name}", {}),
        ("DELETE", f"/models/{name}", {}),
        ("GET", f"/fine_tuning/checkpoints/{checkpoint}/permissions", {}),
        (
            "POST",
            f"/fine_tuning/checkpoints/{checkpoint}/permissions",
            {"json": {"project_ids": ["two"]}},
        ),
        ("DELETE", f"/fine_tuning/checkpoints/{checkpoint}/permissions/cp_1", {}),
        ("POST", JOBS, {"json": {"model": "tiny", "training_file": file}}),
        ("POST", "/chat/completions", {"json": {**CHAT, "model": name}}),
    ]
    projects.use("sk-b")
    for method, path, options in calls:
        answer = api.session.request(method, api.base + path, timeout=10, **options)
        assert answer.status_code == 404, (method, path)
    body = {"model": name, "training_file": api.upload(TRAIN)}
    assert api.refused("POST", JOBS, json=body)[1]["code"] == "model_not_found"
    projects.use("sk-a")
    assert api.ok("GET", f"{JOBS}/{job}")["status"] == "succeeded"
    assert api.ok("GET", f"/files/{file}")["id"] == file
    assert api.ok("POST", f"/uploads/{upload_id}/cancel")["status"] == "cancelled"


def test_cursors__of_others_are_unknown(projects: Projects) -> None:
    projects.use("sk-b")
    for path, cursor in ((JOBS, projects.job["id"]), ("/files", projects.file)):
        status, error = projects.api.refused("GET", path, params={"after": cursor})
        assert (status, error["param"]) == (400, "after")


def test_idempotency_keys__of_two_projects_are_two(projects: Projects) -> None:
    made = []
    for key in ("sk-a", "sk-b"):
        projects.use(key)
        body = {"model": "tiny", "training_file": projects.api.upload(TRAIN)}
        headers = {"Idempotency-Key": "same"}
        made.append(projects.api.ok("POST", JOBS, json=body, headers=headers)["id"])
    assert made[0] != made[1]


def test_permission__lets_another_project_use_a_checkpoint_but_not_delete_it(
    projects: Projects,
) -> None:
    api, name = projects.api, projects.checkpoint["fine_tuned_model_checkpoint"]
    path = f"/fine_tuning/checkpoints/{name}/permissions"
    given = api.ok("POST", path, json={"project_ids": ["two"]})["data"][0]["id"]
    projects.use("sk-b")
    assert api.ok("GET", f"/models/{name}")["id"] == name
    assert name in [row["id"] for row in api.ok("GET", "/models")["data"]]
    assert api.ok("POST", "/chat/completions", json={**CHAT, "model": name})["model"] == name
    assert api.trained(model=name, training_file=api.upload(TRAIN))["model"] == name
    assert api.refused("DELETE", f"/models/{name}")[0] == 404
    assert api.refused("GET", path)[0] == 404
    projects.use("sk-a")
    api.ok("DELETE", f"{path}/{given}")
    projects.use("sk-b")
    assert api.refused("GET", f"/models/{name}")[0] == 404


def test_key__may_come_in_either_header(projects: Projects) -> None:
    session, url = projects.api.session, f"{projects.api.base}/models"
    del session.headers["Authorization"]

    def status(**headers: str) -> int:
        return session.get(url, headers=headers).status_code

    for headers in ({"api-key": "sk-a"}, {"Authorization": "bearer  sk-a"}):
        assert status(**headers) == 200
    for headers in ({"api-key": "sk-z"}, {"Authorization": "Basic sk-a"}):
        assert status(**headers) == 401


def test_default_project__is_what_a_server_without_keys_has_and_a_client_in_process(
    tmp_path: Path,
) -> None:
    with Client.local(tmp_path) as client:
        kept = client.files.create(file=("train.jsonl", TRAIN.encode())).id
    with Client.local(tmp_path, api_keys={"sk-a": "default", "sk-b": "two"}) as client:
        assert [file.id for file in client.files.list()] == [kept]
        assert list(client.files.list(extra_headers={"api-key": "sk-b"})) == []


def test_server__refuses_keys_that_cannot_be_sent() -> None:
    with pytest.raises(ValueError, match="printable ASCII"):
        LocalServer(api_keys={"a b": "one"})
