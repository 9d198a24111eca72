"""The service behind the faults: enough of the API to answer, and a list of what it did."""

from __future__ import annotations

import re
import threading
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from tests.support.faults.answers import Answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.faults.wire import Seen

__all__ = ["Api"]

CSV = b"step,train_loss\n" + b"".join(b"%d,0.5\n" % step for step in range(20_000))
"""What every file holds: more than one block."""


class Api:
    """Plain dicts of the wire; `effects` holds every change of state as (kind, id).

    Any job, file or model that is asked for exists. `honours_keys` replays the answer to an
    Idempotency-Key seen before; `keeps_metadata` is whether a job remembers its metadata;
    `filters` is whether a list heeds `metadata[key]`; `lag` is how many lists a new job is
    missing from; `ranges` is whether a part of a file can be had.
    """

    def __init__(
        self,
        *,
        honours_keys: bool = False,
        keeps_metadata: bool = True,
        filters: bool = True,
        lag: int = 0,
        ranges: bool = True,
    ) -> None:
        self.honours_keys = honours_keys
        self.keeps_metadata = keeps_metadata
        self.filters = filters
        self.lag = lag
        self.ranges = ranges
        self.etag = '"1"'
        self.effects: list[tuple[str, str]] = []
        self.jobs: list[dict[str, Any]] = []
        self._states: dict[str, str] = {}
        self._replays: dict[str, Answer] = {}
        self._lock = threading.Lock()

    def count(self, kind: str) -> int:
        return sum(1 for each, _ in self.effects if each == kind)

    def carry_out(self, seen: Seen) -> Answer:
        """Do what was asked, once for each key where keys are honoured."""
        key = seen.header("idempotency-key")
        with self._lock:
            if self.honours_keys and key in self._replays:
                return self._replays[key]
            answer = self._route(seen)
            if key is not None:
                self._replays[key] = answer
        return answer

    def _route(self, seen: Seen) -> Answer:
        for method, pattern, handler in _ROUTES:
            match = re.fullmatch(pattern, seen.path)
            if match and method == seen.method:
                return handler(self, seen, *map(unquote, match.groups()))
        return Answer.of({"error": {"message": f"Unknown request: {seen.line}"}}, 404)

    def _new(self, kind: str, prefix: str) -> str:
        name = f"{prefix}{self.count(kind) + 1000}"
        self.effects.append((kind, name))
        return name

    def _become(self, kind: str, name: str, state: str) -> None:
        """A change of state happens once, however often it is asked for."""
        if self._states.get(name) != state:
            self._states[name] = state
            self.effects.append((kind, name))


def _job(name: str, **fields: Any) -> dict[str, Any]:
    return {
        "id": name,
        "object": "fine_tuning.job",
        "created_at": int(time.time()),
        "model": "gpt-4o-mini",
        "training_file": "file-abc",
        "status": "running",
        **fields,
    }


def _list(rows: list[dict[str, Any]]) -> Answer:
    return Answer.of({"object": "list", "data": rows, "has_more": False})


def _create_job(api: Api, seen: Seen) -> Answer:
    asked = seen.json()
    if not api.keeps_metadata:
        asked.pop("metadata", None)
    job = _job(api._new("job", "ftjob-"), status="validating_files")
    job.update({key: asked[key] for key in ("model", "training_file", "metadata") if key in asked})
    api.jobs.insert(0, job)
    return Answer.of(job)


def _list_jobs(api: Api, seen: Seen) -> Answer:
    if api.lag:
        api.lag -= 1
        return _list([])
    wanted = {key[9:-1]: value for key, value in seen.query.items() if key.startswith("metadata[")}
    rows = api.jobs
    if wanted and api.filters:
        rows = [row for row in rows if wanted.items() <= row.get("metadata", {}).items()]
    return _list(rows)


def _get_job(api: Api, seen: Seen, name: str) -> Answer:
    made = next((job for job in api.jobs if job["id"] == name), None)
    return Answer.of(made or _job(name))


def _change_job(api: Api, seen: Seen, name: str, verb: str) -> Answer:
    api._become(verb, name, verb)
    statuses = {"cancel": "cancelled", "pause": "paused", "resume": "queued"}
    return Answer.of(_job(name, status=statuses[verb]))


def _events(api: Api, seen: Seen, name: str) -> Answer:
    event = {"object": "fine_tuning.job.event", "created_at": 1, "level": "info"}
    return _list([{**event, "id": f"ftevent-{name}", "message": "Started"}])


def _checkpoints(api: Api, seen: Seen, name: str) -> Answer:
    row = {"id": "ftckpt_1", "object": "fine_tuning.job.checkpoint", "created_at": 1}
    more = {"fine_tuning_job_id": name, "step_number": 10, "metrics": {"step": 10}}
    return _list([{**row, **more, "fine_tuned_model_checkpoint": "ft:m:o::1:ckpt-step-10"}])


def _permissions(api: Api, seen: Seen, model: str) -> Answer:
    return _list([_permission("cp_1")])


def _permit(api: Api, seen: Seen, model: str) -> Answer:
    return _list([_permission(api._new("permission", "cp_"))])


def _permission(name: str) -> dict[str, Any]:
    row = {"object": "checkpoint.permission", "created_at": 1, "project_id": "proj_1"}
    return {"id": name, **row}


def _forbid(api: Api, seen: Seen, model: str, name: str) -> Answer:
    api._become("permission deleted", name, "deleted")
    return Answer.of({"id": name, "object": "checkpoint.permission", "deleted": True})


def _run(api: Api, seen: Seen) -> Answer:
    api._new("run", "run-")
    rest: dict[str, Any] = {"sub_rewards": {}, "model_grader_token_usage_per_model": {}}
    return Answer.of({"reward": 1.0, "metadata": {"name": "g", "type": "string_check"}, **rest})


def _validate(api: Api, seen: Seen) -> Answer:
    return Answer.of({"grader": seen.json()["grader"]})


def _file(name: str, size: int = len(CSV)) -> dict[str, Any]:
    row = {"object": "file", "bytes": size, "created_at": 1, "filename": "a.jsonl"}
    return {"id": name, **row, "purpose": "fine-tune", "status": "processed"}


def _store(api: Api, seen: Seen) -> Answer:
    if not seen.complete:  # the client has left, or was killed
        return Answer.of({"error": {"message": "The body is cut."}}, 400)
    return Answer.of(_file(api._new("file", "file-"), len(_part(seen, "file"))))


def _part(seen: Seen, name: str) -> bytes:
    """Take one part out of a multipart body, by the text that the format says it has."""
    boundary = (seen.header("content-type") or "").split("boundary=")[1].strip('"').encode()
    for part in seen.body.split(b"--" + boundary):
        head, _, content = part.partition(b"\r\n\r\n")
        if b'name="' + name.encode() + b'"' in head:
            return content[:-2]
    raise ValueError(f"the body has no part named {name}")


def _files(api: Api, seen: Seen) -> Answer:
    return _list([_file("file-abc")])


def _get_file(api: Api, seen: Seen, name: str) -> Answer:
    return Answer.of(_file(name))


def _delete_file(api: Api, seen: Seen, name: str) -> Answer:
    api._become("file deleted", name, "deleted")
    return Answer.of({"id": name, "object": "file", "deleted": True})


def _content(api: Api, seen: Seen, name: str) -> Answer:
    headers = {"Content-Type": "text/csv", "ETag": api.etag}
    asked = re.fullmatch(r"bytes=(\d+)-", seen.header("range") or "")
    if not (asked and api.ranges and seen.header("if-range") in {None, api.etag}):
        return Answer(body=CSV, headers=headers)
    start = int(asked[1])
    headers["Content-Range"] = f"bytes {start}-{len(CSV) - 1}/{len(CSV)}"
    return Answer(status=206, body=CSV[start:], headers=headers)


def _upload(name: str, status: str, **fields: Any) -> Answer:
    row = {"id": name, "object": "upload", "created_at": 1, "expires_at": 9_999_999_999}
    more = {"bytes": 4, "filename": "a.jsonl", "purpose": "fine-tune", "status": status}
    return Answer.of({**row, **more, **fields})


def _start_upload(api: Api, seen: Seen) -> Answer:
    return _upload(api._new("upload", "upload_"), "pending")


def _add_part(api: Api, seen: Seen, upload: str) -> Answer:
    row = {"id": api._new("part", "part_"), "object": "upload.part", "created_at": 1}
    return Answer.of({**row, "upload_id": upload})


def _complete(api: Api, seen: Seen, upload: str) -> Answer:
    return _upload(upload, "completed", file=_file(api._new("completion", "file-"), 4))


def _cancel_upload(api: Api, seen: Seen, upload: str) -> Answer:
    api._become("upload cancelled", upload, "cancelled")
    return _upload(upload, "cancelled")


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 1, "owned_by": "o"}


def _models(api: Api, seen: Seen) -> Answer:
    return Answer.of({"object": "list", "data": [_model("gpt-4o-mini")]})


def _get_model(api: Api, seen: Seen, name: str) -> Answer:
    return Answer.of(_model(name))


def _delete_model(api: Api, seen: Seen, name: str) -> Answer:
    api._become("model deleted", name, "deleted")
    return Answer.of({"id": name, "object": "model", "deleted": True})


_ONE = r"/([^/]+)"
_JOBS = "/fine_tuning/jobs"
_PERMISSIONS = rf"/fine_tuning/checkpoints{_ONE}/permissions"
_ROUTES: list[tuple[str, str, Callable[..., Answer]]] = [
    ("POST", _JOBS, _create_job),
    ("GET", _JOBS, _list_jobs),
    ("GET", _JOBS + _ONE, _get_job),
    ("POST", _JOBS + _ONE + "/(cancel|pause|resume)", _change_job),
    ("GET", _JOBS + _ONE + "/events", _events),
    ("GET", _JOBS + _ONE + "/checkpoints", _checkpoints),
    ("GET", _PERMISSIONS, _permissions),
    ("POST", _PERMISSIONS, _permit),
    ("DELETE", _PERMISSIONS + _ONE, _forbid),
    ("POST", "/fine_tuning/alpha/graders/run", _run),
    ("POST", "/fine_tuning/alpha/graders/validate", _validate),
    ("POST", "/files", _store),
    ("GET", "/files", _files),
    ("GET", "/files" + _ONE, _get_file),
    ("DELETE", "/files" + _ONE, _delete_file),
    ("GET", "/files" + _ONE + "/content", _content),
    ("POST", "/uploads", _start_upload),
    ("POST", "/uploads" + _ONE + "/parts", _add_part),
    ("POST", "/uploads" + _ONE + "/complete", _complete),
    ("POST", "/uploads" + _ONE + "/cancel", _cancel_upload),
    ("GET", "/models", _models),
    ("GET", "/models" + _ONE, _get_model),
    ("DELETE", "/models" + _ONE, _delete_model),
]
