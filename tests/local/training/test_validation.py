"""A job whose files are bad fails with the wire's error, which names the line and the remedy."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import pytest

from finetune_client.local import LocalServer
from tests.support.local_api import LocalApi, chat_lines, jsonl

if TYPE_CHECKING:
    from collections.abc import Callable

GOOD = jsonl(chat_lines(12))


def failed(api: LocalApi, train: str | bytes, valid: str | bytes | None = None) -> dict[str, str]:
    body = {"training_file": api.upload(train)}
    if valid is not None:
        body["validation_file"] = api.upload(valid)
    job = api.ended(api.create(**body)["id"])
    assert job["status"] == "failed"
    assert job["fine_tuned_model"] is None
    assert job["finished_at"] is not None
    last = api.events(job["id"])[-1]
    assert (last["level"], last["message"]) == ("error", job["error"]["message"])
    error: dict[str, str] = job["error"]
    return error


def test_broken_line__is_named(api: LocalApi) -> None:
    lines = GOOD.splitlines()
    lines[6] = lines[6][:-2]
    error = failed(api, "\n".join(lines) + "\n")
    assert error["code"] == "invalid_training_file"
    assert error["param"] == "training_file"
    assert error["message"].startswith("Line 7: ")
    assert "JSON" in error["message"]


def test_few_examples__have_a_code_of_their_own(api: LocalApi) -> None:
    error = failed(api, jsonl(chat_lines(3)))
    assert error["code"] == "invalid_n_examples"
    assert error["param"] == "training_file"
    assert "3 of the 10 examples" in error["message"]


def test_many_problems__are_counted(api: LocalApi) -> None:
    lines = chat_lines(20)
    for line in lines[5:]:
        line["messages"].pop()
    error = failed(api, jsonl(lines))
    assert [part in error["message"] for part in ("Line 6:", "Line 7:", "Line 8:", "Line 9:")] == [
        True,
        True,
        True,
        False,
    ]
    assert error["message"].endswith(" such problems in all.")


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[]\n", b'{"messages": []}\n' * 10])
def test_files__that_are_no_training_files(api: LocalApi, content: bytes) -> None:
    assert failed(api, content)["param"] == "training_file"


def test_validation_file__is_checked_too(api: LocalApi) -> None:
    error = failed(api, GOOD, json.dumps({"messages": []}))
    assert (error["code"], error["param"]) == ("invalid_validation_file", "validation_file")


def test_validation_file__may_be_short(api: LocalApi) -> None:
    valid = api.upload(jsonl(chat_lines(2, first=50)))
    job = api.trained(training_file=api.upload(GOOD), validation_file=valid)
    assert "full_valid_loss" in api.metrics(job["id"])[-1]


def test_method__and_file_must_agree(api: LocalApi) -> None:
    job = api.create(training_file=api.upload(GOOD), method={"type": "dpo"})
    error = api.ended(job["id"])["error"]
    assert (error["code"], error["param"]) == ("invalid_training_file", "training_file")


def test_file__deleted_before_it_was_looked_at(api: LocalApi) -> None:
    large, file_id = api.upload(jsonl(chat_lines(20_000))), api.upload(GOOD)
    before = api.create(training_file=large)
    job = api.create(training_file=file_id)
    api.ok("DELETE", f"/files/{file_id}")
    api.ok("POST", f"/fine_tuning/jobs/{before['id']}/cancel")
    assert api.ended(job["id"])["error"] == {
        "code": "invalid_training_file",
        "message": f"No such File object: {file_id}.",
        "param": "training_file",
    }


def test_close__interrupts_a_check(connect: Callable[[LocalServer], LocalApi]) -> None:
    server = LocalServer()
    api = connect(server)
    api.create(training_file=api.upload(jsonl(chat_lines(60_000))))
    server.close()
    assert [one.name for one in threading.enumerate() if one.name.startswith("finetune-")] == []
