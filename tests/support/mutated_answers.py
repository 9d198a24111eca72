"""Every call of the client against answers that are broken in one place or another.

`Fuzz(seed).run(count)` makes that many calls, each answered by a true answer of the API that was
changed at random, and uses what comes back; it returns what the calls ended in. Documented errors
are an end like any other. Anything else is kept in `Fuzz.failures`, with what reproduces it.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import logging
import random
import tempfile
import warnings
from collections import Counter
from copy import deepcopy
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from requests import PreparedRequest, Response, Session
from requests.adapters import BaseAdapter
from urllib3 import HTTPResponse

from finetune_client import Client
from finetune_client.errors import (
    ConfigurationError,
    FineTuneError,
    RequestError,
    ShutdownWarning,
)
from finetune_client.models import FileObject, Page
from finetune_client.providers import NEBIUS
from tests.support.fake_time import FakeTime

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Fuzz", "calls"]

REFUSES_WHAT_IT_FINDS = {"models.download"}
"""Calls whose `RequestError` may depend on an answer: a job may have no checkpoint to download.
From the others it says that nothing was sent, and here everything is sent."""

HYPERPARAMETERS = {"n_epochs": "auto", "batch_size": 4, "learning_rate_multiplier": 0.5}
JOB: dict[str, Any] = {
    "id": "ftjob-1",
    "object": "fine_tuning.job",
    "created_at": 1721764800,
    "error": {"code": "invalid_file", "message": "bad", "param": "training_file"},
    "fine_tuned_model": "ft:m",
    "finished_at": 1721768400,
    "hyperparameters": HYPERPARAMETERS,
    "model": "gpt-4o-mini",
    "organization_id": "org-1",
    "result_files": ["file-1"],
    "seed": 7,
    "status": "succeeded",
    "trained_tokens": 5768,
    "training_file": "file-1",
    "validation_file": None,
    "integrations": [{"type": "wandb", "wandb": {"project": "p", "tags": ["t"]}}],
    "metadata": {"idempotency_key": "key-1", "team": "A"},
    "method": {"type": "dpo", "dpo": {"hyperparameters": {"beta": 0.1, **HYPERPARAMETERS}}},
}
EVENT = {
    "id": "ftevent-1",
    "object": "fine_tuning.job.event",
    "created_at": 1721764800,
    "level": "info",
    "message": "Step 1/10: training loss=0.5",
    "data": {"step": 1, "train_loss": 0.5},
    "type": "metrics",
}
CHECKPOINT = {
    "id": "ftckpt-1",
    "object": "fine_tuning.job.checkpoint",
    "created_at": 1721764800,
    "fine_tuned_model_checkpoint": "ft:m:ckpt-step-10",
    "fine_tuning_job_id": "ftjob-1",
    "metrics": {"step": 10, "train_loss": 0.5, "full_valid_loss": 0.25},
    "step_number": 10,
    "result_files": ["file-1"],
}
FILE = {
    "id": "file-1",
    "object": "file",
    "bytes": 2,
    "created_at": 1721764800,
    "filename": "a.jsonl",
    "purpose": "fine-tune",
    "status": "processed",
    "expires_at": 1721768400,
}
UPLOAD = {
    "id": "upload_1",
    "object": "upload",
    "bytes": 2,
    "created_at": 1721764800,
    "expires_at": 1721768400,
    "filename": "a.jsonl",
    "purpose": "fine-tune",
    "status": "completed",
    "file": FILE,
}
PART = {"id": "part_1", "object": "upload.part", "created_at": 1, "upload_id": "upload_1"}
PERMISSION = {"id": "cp_1", "object": "checkpoint.permission", "created_at": 1, "project_id": "p"}
MODEL = {"id": "ft:m", "object": "model", "created": 1721764800, "owned_by": "openai"}
GRADER = {
    "type": "string_check",
    "name": "same",
    "input": "{{sample.output_text}}",
    "reference": "x",
    "operation": "eq",
}
GRADED = {
    "reward": 0.5,
    "sub_rewards": {"a": 1},
    "model_grader_token_usage_per_model": {"m": 1},
    "metadata": {
        "name": "same",
        "type": "string_check",
        "errors": {"formula_parse_error": False, "model_grader_server_error_details": "x"},
        "execution_time": 0.1,
        "scores": {"a": 1},
        "token_usage": 1,
        "sampled_model_name": "m",
    },
}
COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1721764800,
    "model": "m",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": "b", "tool_calls": []},
            "logprobs": None,
        }
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}
ERROR = {"error": {"message": "no", "type": "invalid_request_error", "param": "a", "code": "c"}}
RESULTS = "step,train_loss,valid_loss\n1,0.5,\n2,0.25,0.5\n"


def page(row: dict[str, Any]) -> dict[str, Any]:
    """Return a list of one row, after which there is nothing."""
    ids = {"first_id": row["id"], "last_id": row["id"]}
    return {
        "object": "list",
        "data": [row, {**row, "id": f"{row['id']}b"}],
        "has_more": False,
        **ids,
    }


def deleted(id: str) -> dict[str, Any]:
    """Return the answer to a delete."""
    return {"id": id, "object": "x", "deleted": True}


def answers() -> list[tuple[str, str, Any]]:
    """Return the true answers, by method and what the path ends in; the first that fits counts."""
    return [
        ("GET", "/content", RESULTS),
        ("GET", "/events", page(EVENT)),
        ("GET", "/jobs/ftjob-1/checkpoints", page(CHECKPOINT)),
        ("GET", "/fine_tuning/jobs", page(JOB)),
        ("GET", "/permissions", page(PERMISSION)),
        ("POST", "/permissions", page(PERMISSION)),
        ("DELETE", "/permissions/cp_1", deleted("cp_1")),
        ("POST", "/graders/run", GRADED),
        ("POST", "/graders/validate", {"grader": GRADER}),
        ("GET", "/files", page(FILE)),
        ("GET", "/files/file-1", FILE),
        ("POST", "/files", FILE),
        ("DELETE", "/files/file-1", deleted("file-1")),
        ("POST", "/parts", PART),
        ("POST", "/uploads/upload_1/cancel", {**UPLOAD, "status": "cancelled"}),
        ("POST", "/uploads/upload_1/complete", UPLOAD),
        ("POST", "/uploads", {**UPLOAD, "status": "pending", "file": None}),
        ("GET", "/models", page(MODEL)),
        ("GET", "/models/ft:m", MODEL),
        ("DELETE", "/models/ft:m", deleted("ft:m")),
        ("POST", "/chat/completions", COMPLETION),
        ("POST", "", JOB),
        ("GET", "", JOB),
    ]


def calls(client: Client, hosts_weights: Client, folder: Path) -> dict[str, Callable[[], Any]]:
    """Return every call of a client, by its name; the second one's provider gives weights."""
    jobs, files, uploads = client.jobs, client.files, client.uploads
    directories = (folder / f"weights-{number}" for number in itertools.count())
    local = folder / "a.jsonl"
    local.write_bytes(b"{}")
    permissions, graders = client.checkpoints.permissions, client.graders
    messages = [{"role": "user", "content": "a"}]
    options: dict[str, Any] = {
        "bytes": 2,
        "filename": "a.jsonl",
        "mime_type": "text/jsonl",
        "purpose": "fine-tune",
    }
    return {
        "jobs.create": lambda: jobs.create(
            model="m", training_file="file-1", check=False, idempotency_key="key-1"
        ),
        "jobs.find": lambda: jobs.find("key-1"),
        "jobs.retrieve": lambda: jobs.retrieve("ftjob-1"),
        "jobs.list": lambda: jobs.list(metadata={"team": "A"}),
        "jobs.cancel": lambda: jobs.cancel("ftjob-1"),
        "jobs.pause": lambda: jobs.pause("ftjob-1"),
        "jobs.resume": lambda: jobs.resume("ftjob-1"),
        "jobs.list_events": lambda: jobs.list_events("ftjob-1"),
        "jobs.checkpoints.list": lambda: jobs.checkpoints.list("ftjob-1"),
        "jobs.wait": lambda: jobs.wait("ftjob-1", timeout=60),
        "jobs.wait_all": lambda: jobs.wait_all(
            ["ftjob-1", "ftjob-2"], timeout=60, on_event=_ignore, raise_on_failure=True
        ),
        "jobs.watch": lambda: _unseen(lambda: jobs.watch("ftjob-1", timeout=60)),
        "jobs.sweep": lambda: jobs.sweep(
            {"model": "m", "training_file": "file-1"}, {"seed": [1, 2]}, check=False, timeout=60
        ),
        "jobs.follow": lambda: list(islice(jobs.follow("ftjob-1", timeout=60), 100)),
        "jobs.metrics": lambda: jobs.metrics("ftjob-1"),
        "checkpoints.permissions.create": lambda: permissions.create("ft:m", project_ids=["p"]),
        "checkpoints.permissions.list": lambda: permissions.list("ft:m"),
        "checkpoints.permissions.retrieve": lambda: permissions.retrieve("ft:m"),
        "checkpoints.permissions.delete": lambda: permissions.delete(
            "cp_1", fine_tuned_model_checkpoint="ft:m"
        ),
        "graders.run": lambda: graders.run(grader=GRADER, model_sample="a"),
        "graders.validate": lambda: graders.validate(grader=GRADER),
        "files.create": lambda: files.create(file=b"{}", purpose="fine-tune"),
        "files.upload": lambda: files.upload(local),
        "files.find": lambda: files.find(local),
        "files.list": files.list,
        "files.retrieve": lambda: files.retrieve("file-1"),
        "files.wait_for_processing": lambda: files.wait_for_processing("file-1"),
        "files.content": lambda: files.content("file-1"),
        "files.retrieve_content": lambda: files.retrieve_content("file-1"),
        "files.write_content": lambda: files.write_content(
            FileObject.from_dict(FILE), io.BytesIO(), on_progress=_ignore, deadline=None
        ),
        "files.stream": lambda: b"".join(files.stream("file-1")),
        "files.download": lambda: files.download("file-1", folder / "a"),
        "files.delete": lambda: files.delete("file-1"),
        "uploads.create": lambda: uploads.create(**options),
        "uploads.parts.create": lambda: uploads.parts.create("upload_1", data=b"{}"),
        "uploads.complete": lambda: uploads.complete("upload_1", part_ids=["part_1"]),
        "uploads.cancel": lambda: uploads.cancel("upload_1"),
        "uploads.upload_file": lambda: uploads.upload_file(
            b"{}", purpose="fine-tune", filename="a.jsonl"
        ),
        "models.list": client.models.list,
        "models.retrieve": lambda: client.models.retrieve("ft:m"),
        "uploads.upload_file_chunked": lambda: uploads.upload_file_chunked(
            file=local, mime_type="text/jsonl", purpose="fine-tune"
        ),
        "models.delete": lambda: client.models.delete("ft:m"),
        "models.download": lambda: hosts_weights.models.download("ftjob-1", next(directories)),
        "chat.completions.create": lambda: client.chat.completions.create(
            model="ft:m", messages=messages
        ),
        "request": lambda: client.request("GET", "/fine_tuning/jobs/ftjob-1"),
        "raw": lambda: jobs.with_raw_response.retrieve("ftjob-1").parse(),
    }


def _ignore(*_: Any) -> None:
    """Do nothing with what is told on the way."""


def _unseen(call: Callable[[], Any]) -> Any:
    """Call what writes to the terminal."""
    with contextlib.redirect_stdout(io.StringIO()):
        return call()


def use(result: Any) -> None:
    """Do with a result what a program does; none of it may fail but by a further request."""
    repr(result)
    if hasattr(result, "pages"):
        for row in islice(result, 20):
            use(row)
        return
    if hasattr(result, "to_dict"):
        json.dumps(result.to_dict())
        if isinstance(result, Page):
            for row in result:
                use(row)
        elif hasattr(result, "model_dump_json"):
            result.model_dump_json()
            dict(result)
        _ = result == result  # noqa: PLR0124 - comparing must not fail either
        for name in dir(type(result)):
            if isinstance(getattr(type(result), name), property):
                getattr(result, name)


WEIRD: list[Any] = [
    *(None, True, False, 0, -1, 1.5, 1e308, 10**30, -(10**30), "", "x", "auto", "null", "0"),
    *([], {}, [None], [[]], [{}], {"a": None}, {"id": None}, [1, "a"], "\ud800", "\x00", "é" * 500),
    *(float("nan"), float("inf"), "a" * 10_000, [{"id": 1}], {"type": "multi", "graders": {}}),
]
CONTENT_TYPES = [
    *("text/html", "text/plain; charset=utf-16", "application/json; charset=latin-1", "", "x"),
    *("application/json;charset", "application/octet-stream", "multipart/form-data", "text/event"),
]
HEADERS = [
    *(("Retry-After", "x"), ("Retry-After", "-1"), ("Retry-After", "1e999"), ("Retry-After", "0")),
    *(("Content-Length", "0"), ("Content-Length", "x"), ("Content-Length", "999999")),
    *(("Content-Encoding", "gzip"), ("Content-Encoding", "deflate"), ("Content-Encoding", "x")),
    *(("Location", "http://x.invalid/"), ("Location", "//"), ("Location", "::"), ("Location", "/")),
    *(("x-request-id", "é\x7f"), ("x-should-retry", "true"), ("x-should-retry", "false")),
    *(("Content-Range", "bytes 1-2/3"), ("ETag", '"a"'), ("Retry-After-Ms", "nan")),
]
STATUSES = [
    *(201, 202, 204, 205, 206, 299, 300, 301, 302, 304, 307, 308, 400, 401, 403, 404, 405, 408),
    *(
        409,
        411,
        413,
        415,
        416,
        422,
        425,
        429,
        451,
        499,
        500,
        501,
        502,
        503,
        504,
        520,
        529,
        599,
        999,
    ),
]


@dataclass(kw_only=True)
class Answer:
    """What is sent back."""

    status: int
    headers: dict[str, str]
    body: bytes


class Mutator:
    """Change true answers at random."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    def change(self, true: Any) -> Answer:
        """Return an answer that is true but for one to three things."""
        kind = "application/octet-stream" if isinstance(true, str) else "application/json"
        answer = Answer(status=200, headers={"Content-Type": kind}, body=b"")
        value = true if isinstance(true, str) else deepcopy(true)
        for _ in range(self._chance.choice([0, 1, 1, 1, 2, 3])):
            value = self._change_value(value)
        answer.body = value.encode() if isinstance(value, str) else json.dumps(value).encode()
        how = self._chance.random()
        if how < 0.15:
            answer.body = self._change_bytes(answer.body)
        elif how < 0.3:
            answer.status = self._chance.choice(STATUSES)
            if self._chance.random() < 0.5:
                answer.body = json.dumps(self._change_value(deepcopy(ERROR))).encode()
        elif how < 0.4:
            answer.headers["Content-Type"] = self._chance.choice(CONTENT_TYPES)
        if self._chance.random() < 0.15:
            answer.headers.update([self._chance.choice(HEADERS)])
        return answer

    def _change_value(self, value: Any) -> Any:
        """Replace, remove, add or move one thing anywhere in a JSON value."""
        chance = self._chance
        if isinstance(value, str):
            cut = chance.randrange(len(value) + 1)
            return (
                value[:cut]
                + str(chance.choice(["", ",", "\n", "nan", "é", '"']))
                + value[cut + 1 :]
            )
        places = [*_places(value)]
        if not places or chance.random() < 0.03:
            return deepcopy(chance.choice([one for one in WEIRD if not isinstance(one, str)]))
        holder, key = chance.choice(places)
        what = chance.randrange(6)
        if what == 0:
            del holder[key]
        elif what == 1:
            holder[key] = [holder[key]]
        elif what == 2:
            holder[key] = {"a": holder[key]}
        elif what == 3 and isinstance(holder, dict):
            holder[chance.choice(["extra", "new", "id", "object", "", "data"])] = holder.pop(key)
        else:
            holder[key] = deepcopy(chance.choice(WEIRD))
        return value

    def _change_bytes(self, body: bytes) -> bytes:
        chance = self._chance
        cut = chance.randrange(len(body) + 1)
        return chance.choice(
            [
                *(
                    body[:cut],
                    b"",
                    b"null",
                    b"[]",
                    b'"',
                    b"\xef\xbb\xbf" + body,
                    b"\xff\xfe" + body,
                ),
                *(b"[" * 100_000, b'{"a":' * 50_000, body + body, body + b"\n\n", b"\x00" * 50),
                *(body[:cut] + b"\xff" + body[cut:], b"<html>busy</html>", b"9" * 5000, b"NaN"),
                *(b'{"id": "x", ' + body[1:], body.decode("utf-8", "ignore").encode("utf-16")),
                chance.randbytes(cut),
            ]
        )


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield where something stands in a JSON value: in what, and under which key."""
    if isinstance(value, (dict, list)):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from _places(value[key])


class Broken(BaseAdapter):
    """Answer every request with a changed answer."""

    def __init__(self, mutator: Mutator, true: list[tuple[str, str, Any]]) -> None:
        super().__init__()
        self._mutator = mutator
        self._true = true
        self.sent: list[Answer] = []

    def send(self, request: PreparedRequest, *_: Any, **__: Any) -> Response:
        path = str(request.path_url).partition("?")[0]
        true = next(
            one for verb, end, one in self._true if verb == request.method and path.endswith(end)
        )
        answer = self._mutator.change(true)
        self.sent.append(answer)
        response = Response()
        response.status_code, response.request = answer.status, request
        response.url = str(request.url)
        response.headers.update(answer.headers)
        response.raw = HTTPResponse(
            io.BytesIO(answer.body),
            headers=answer.headers,
            status=answer.status,
            preload_content=False,
        )
        return response

    def close(self) -> None:
        """Close nothing."""


@contextlib.contextmanager
def _silenced(logger: logging.Logger) -> Iterator[None]:
    """Log nothing of what broken answers give cause for."""
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


class Fuzz:
    """A run of calls, which a seed determines."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.failures: list[str] = []

    def run(self, count: int) -> Counter[str]:
        """Make so many calls; return how often they ended in what."""
        chance = random.Random(self.seed)
        ends: Counter[str] = Counter()
        session = Session()
        broken = Broken(Mutator(chance), answers())
        session.mount("https://", broken)
        with (
            _silenced(logging.getLogger("finetune_client")),
            warnings.catch_warnings(),
            tempfile.TemporaryDirectory() as folder,
            Client("sk-1", base_url="https://api.openai.com/v1", session=session) as client,
            Client("sk-1", provider=NEBIUS, session=session) as hosts_weights,
        ):
            warnings.simplefilter("ignore", ShutdownWarning)
            warnings.simplefilter("ignore", DeprecationWarning)  # of the official SDK's own names
            client._session.clock = hosts_weights._session.clock = FakeTime().clock
            made = calls(client, hosts_weights, Path(folder))
            for number in range(count):
                name = chance.choice(list(made))
                broken.sent.clear()
                ends[self._make(number, name, made[name], broken)] += 1
        return ends

    def _make(self, number: int, name: str, call: Callable[[], Any], broken: Broken) -> str:
        try:
            use(call())
        except FineTuneError as error:
            unsent = isinstance(error, (RequestError, ConfigurationError))
            if not unsent or (name in REFUSES_WHAT_IT_FINDS and broken.sent):
                str(error), repr(error)
                return type(error).__name__
            failure: Exception = error
        except Exception as error:  # noqa: BLE001 - this is what is looked for
            failure = error
        else:
            return "a result"
        last: list[Any] = [*broken.sent[-1:], "nothing was sent"]
        self.failures.append(
            f"{name} (call {number} of seed {self.seed}): {failure!r:.300}\n  after {last[0]!r:.600}"
        )
        return "a failure"
