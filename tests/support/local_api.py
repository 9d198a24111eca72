"""The embedded server as plain requests see it; every answer is held against the API's schemas."""

from __future__ import annotations

import json
import re
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openapi_schema_validator import OAS31Validator

if TYPE_CHECKING:
    import requests

__all__ = ["BASE", "LocalApi", "chat_lines", "check_answer", "check_schema", "jsonl", "port_of"]

BASE = "http://finetune.localhost/v1"
_ENDED = ("succeeded", "failed", "cancelled")


@cache
def _spec() -> dict[str, Any]:
    path = Path(__file__).parents[1] / "payloads" / "answers.json"
    spec: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    schemas = spec["components"]["schemas"]
    # What the document lacks although its own examples or its service have it.
    schemas["FineTuningJob"]["properties"]["status"]["enum"] += ["paused", "pausing"]
    schemas["OpenAIFile"]["properties"]["purpose"]["enum"] += ["evals"]
    # There null is still written as it was before version 3.1 of the specification's language.
    chunk = schemas["CreateChatCompletionStreamResponse"]["properties"]
    chunk["choices"]["items"]["properties"]["logprobs"]["type"] = ["object", "null"]
    chunk["choices"]["items"]["properties"]["finish_reason"]["enum"] += [None]
    chunk["choices"]["items"]["properties"]["finish_reason"]["type"] = ["string", "null"]
    chunk["usage"] = {"anyOf": [chunk["usage"], {"type": "null"}]}
    return spec


@cache
def _templates() -> list[tuple[str, re.Pattern[str], str]]:
    found = []
    for operation, schema in _spec()["answers"].items():
        method, path = operation.split(" ")
        pattern = re.sub(r"\{\w+\}", "[^/]+", path)
        found.append((method, re.compile(pattern), schema))
    return found


@cache
def _validator(name: str) -> OAS31Validator:
    components = _spec()["components"]
    return OAS31Validator({"$ref": f"#/components/schemas/{name}", "components": components})


def check_answer(method: str, path: str, status: int, body: object) -> None:
    """Hold an answer against its schema."""
    names = [
        name for verb, pattern, name in _templates() if verb == method and pattern.fullmatch(path)
    ]
    check_schema(names[0] if status == 200 else "ErrorResponse", body)


def check_schema(name: str, body: object) -> None:
    """Hold an object against a schema of the API."""
    _validator(name).validate(body)


class LocalApi:
    """Calls the API; `ok` for what must succeed, `refused` for what must not."""

    def __init__(self, session: requests.Session, base: str = BASE) -> None:
        self.session = session
        self.base = base

    def call(self, method: str, path: str, **options: Any) -> tuple[int, Any]:
        """Call, check the answer's shape, and give its status and body."""
        answer = self.session.request(method, self.base + path, timeout=20, **options)
        body = answer.json()
        check_answer(method, path.partition("?")[0], answer.status_code, body)
        assert answer.headers["x-request-id"].startswith("req_")
        return answer.status_code, body

    def ok(self, method: str, path: str, **options: Any) -> Any:
        status, body = self.call(method, path, **options)
        assert status == 200, body
        return body

    def refused(self, method: str, path: str, **options: Any) -> tuple[int, dict[str, Any]]:
        status, body = self.call(method, path, **options)
        assert status != 200, body
        error: dict[str, Any] = body["error"]
        return status, error

    def upload(self, content: bytes | str, name: str = "train.jsonl", **fields: str) -> str:
        data = {"purpose": "fine-tune", **fields}
        file_id: str = self.ok("POST", "/files", data=data, files={"file": (name, content)})["id"]
        return file_id

    def create(self, **body: Any) -> Any:
        return self.ok("POST", "/fine_tuning/jobs", json={"model": "tiny", **body})

    def job(self, job_id: str, *, until: tuple[str, ...] = ()) -> Any:
        """Read a job, again and again until its status is one of ``until``."""
        deadline = time.monotonic() + 20
        while True:
            job = self.ok("GET", f"/fine_tuning/jobs/{job_id}")
            if not until or job["status"] in until:
                return job
            assert job["status"] not in _ENDED, job
            assert time.monotonic() < deadline, job
            time.sleep(0.01)

    def ended(self, job_id: str) -> Any:
        return self.job(job_id, until=_ENDED)

    def trained(self, **body: Any) -> Any:
        """Create a job and see it succeed."""
        job = self.ended(self.create(**body)["id"])
        assert job["status"] == "succeeded", job
        return job

    def events(self, job_id: str) -> list[dict[str, Any]]:
        """All events, oldest first."""
        path = f"/fine_tuning/jobs/{job_id}/events"
        rows: list[dict[str, Any]] = self.ok("GET", path, params={"limit": 5000})["data"]
        return rows[::-1]

    def metrics(self, job_id: str) -> list[dict[str, Any]]:
        """The data of all metrics events, oldest first."""
        return [row["data"] for row in self.events(job_id) if row["type"] == "metrics"]


def chat_lines(count: int, first: int = 0) -> list[dict[str, Any]]:
    """Make chat examples that all differ."""
    return [
        {
            "messages": [
                {"role": "user", "content": f"What is {number} times {number}?"},
                {"role": "assistant", "content": f"It is {number * number}, of course."},
            ]
        }
        for number in range(first, first + count)
    ]


def jsonl(lines: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(line) + "\n" for line in lines)


def port_of(base: str) -> int:
    """The port of a base URL."""
    return int(base.rsplit(":", 1)[1].removesuffix("/v1"))
