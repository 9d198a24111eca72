"""``/fine_tuning/jobs``: creating, listing, cancelling, pausing and watching jobs.

https://developers.openai.com/api/reference
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
import weakref
from typing import TYPE_CHECKING, Any

import flask

from finetune_client.file_digest import file_digest
from finetune_client.grading import GraderError, check_runnable
from finetune_client.local.api.job_request import read_job_request
from finetune_client.local.api.models import TUNED_PREFIX
from finetune_client.local.http.access import current_project
from finetune_client.local.http.errors import (
    RequestRefusedError,
    invalid_value,
    no_such_job,
    no_such_model,
)
from finetune_client.local.http.lists import Listing, json_response, list_page
from finetune_client.local.http.request_fields import json_body
from finetune_client.local.training.hyperparameters import COMMON
from finetune_client.local.training.job import JobStatusError, TrainingJob
from finetune_client.local.training.trainer import Notice

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from finetune_client.local.api.files import Files
    from finetune_client.local.api.models import Models
    from finetune_client.local.state import State
    from finetune_client.local.training.runner import Runner

__all__ = ["Jobs"]

_FILE_PARAMS = ("training_file", "validation_file")
_KEY_PAIR = "idempotency_key"
"""The metadata pair in which a client may say the key of a create again."""


class Jobs:
    """The jobs of one server.

    Args:
        state: What the server's parts share.
        files: Where the jobs' files are looked up.
        models: Where the models that jobs start from are looked up.
        runner: What trains the jobs.
    """

    def __init__(self, state: State, files: Files, models: Models, runner: Runner) -> None:
        self._state = state
        self._files = files
        self._models = models
        self._runner = runner
        self._live: weakref.WeakValueDictionary[str, TrainingJob] = weakref.WeakValueDictionary()
        """Those that the runner, or a request, has at hand."""

    def live(self) -> list[TrainingJob]:
        """Return the jobs that are being checked or trained or wait for it."""
        with self._state.lock:
            return list(self._live.values())

    def resume_all(self) -> None:
        """Resume the jobs that an earlier run of the server has not finished."""
        unfinished = self._state.database.rows(
            "SELECT id FROM jobs"
            " WHERE status NOT IN ('succeeded', 'failed', 'cancelled')"
            " ORDER BY place IS NULL, place, number"
        )
        for (job_id,) in unfinished:
            job = self.find(job_id)
            job.restore()
            if self._models.trained_as(job.base) is None and job.status != "paused":
                job.add_event(
                    f"The job waits for a server that can train '{job.base}'; this one can train "
                    f"{', '.join(self._models.bases)}.",
                    level="warn",
                )
                continue
            try:
                self._check_grader(job)
            except GraderError as error:
                if job.status != "paused":
                    message = f"The job waits for a server that runs it. {error}"
                    job.add_notice(Notice(message=message, level="warn"))
                continue
            if job.status == "validating_files":
                self._runner.submit(job)
            elif job.status == "queued":
                self._runner.resume(job)

    def find(self, job_id: str) -> TrainingJob:
        """Return a job, whosever it is, or raise the 404 for one that does not exist."""
        with self._state.lock:
            job = self._live.get(job_id)
            if job is None:
                row = self._state.database.row("SELECT base FROM jobs WHERE id = ?", (job_id,))
                if row is None:
                    raise no_such_job(job_id)
                job = self._live[job_id] = TrainingJob(self._state, job_id, row[0])
            return job

    def create(self) -> flask.Response:
        """``POST /fine_tuning/jobs``; a known ``Idempotency-Key`` returns the job that it made."""
        body = json_body()
        key = flask.request.headers.get("Idempotency-Key")
        project = current_project()
        digests = () if key is None else self._digests(body, key)
        with self._state.database.write() as rows:
            known = self._made_with(key, digests)
            if known is not None:
                return self.retrieve(known)
            request = read_job_request(body, allow_python=self._state.allow_python_graders)
            wire, base = self._object(request), self._base_of(request["model"])
            job, text = TrainingJob(self._state, wire["id"], base), json.dumps(wire)
            made = rows.execute(
                "INSERT INTO jobs (id, wire, status, base, has_metadata, project)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (job.id, text, wire["status"], base, wire["metadata"] is not None, project),
            )
            rows.executemany(
                "INSERT INTO job_metadata (key, value, job) VALUES (?, ?, ?)",
                [(*pair, made.lastrowid) for pair in (wire["metadata"] or {}).items()],
            )
            if key is not None:
                rows.execute(
                    "INSERT INTO idempotency_keys (project, key, digest, job) VALUES (?, ?, ?, ?)",
                    (project, key, " ".join(digests), job.id),
                )
            job.add_event(self._created_message(job))
            job.add_event(_validating_message(wire))
        with self._state.lock:
            self._live[job.id] = job
        self._runner.submit(job)
        return json_response(text)

    def _created_message(self, job: TrainingJob) -> str:
        message, trained = f"Created fine-tuning job: {job.id}", self._models.trained_as(job.base)
        if trained == job.base:
            return message
        return f"{message}; the model '{trained}' is trained in place of '{job.base}'"

    def _digests(self, body: Mapping[str, Any], key: str) -> tuple[str, str]:
        """Return what a repeated create is known by: its body, and what the body asks for.

        The second has what is in the files instead of their ids, as each upload of a file gives it
        another, and no metadata that says the key again: some clients put it there as well.
        """
        asked = dict(body)
        for param in _FILE_PARAMS:
            file_id = body.get(param)
            if isinstance(file_id, str):
                with contextlib.suppress(RequestRefusedError, FileNotFoundError):
                    self._files.find(file_id, param)  # of this project, so that no other is read
                    asked[param] = f"sha256:{file_digest(self._files.path(file_id))}"
        if isinstance(given := body.get("metadata"), dict):
            asked["metadata"] = {
                name: value for name, value in given.items() if (name, value) != (_KEY_PAIR, key)
            }
        asked["metadata"] = asked.get("metadata") or None
        written = (json.dumps(one, sort_keys=True).encode() for one in (body, asked))
        first, second = (hashlib.sha256(one).hexdigest() for one in written)
        return first, second

    def _made_with(self, key: str | None, digests: Collection[str]) -> str | None:
        """Return the id of the job that a create with this key made."""
        if key is None:
            return None
        row = self._state.database.row(
            "SELECT digest, job FROM idempotency_keys WHERE project = ? AND key = ?",
            (current_project(), key),
        )
        if row is None:
            return None
        if set(digests).isdisjoint(row[0].split()):
            raise RequestRefusedError(
                400,
                "This Idempotency-Key was used with another body. Use a new key for a new job.",
                code="idempotency_key_reused",
                type="idempotency_error",
            )
        return str(row[1])

    def _object(self, request: Mapping[str, Any]) -> dict[str, Any]:
        for param in _FILE_PARAMS:
            if request[param] is not None:
                self._check_purpose(request[param], param)
        seed = secrets.randbelow(2**31) if request["seed"] is None else request["seed"]
        method = request["method"]
        return {
            "object": "fine_tuning.job",
            "id": self._state.new_id("ftjob-"),
            "model": request["model"],
            "created_at": self._state.now(),
            "finished_at": None,
            "fine_tuned_model": None,
            "organization_id": "org-local",
            "result_files": [],
            "status": "validating_files",
            "validation_file": request["validation_file"],
            "training_file": request["training_file"],
            "hyperparameters": _common(method[method["type"]]["hyperparameters"]),
            "trained_tokens": None,
            "error": None,
            "user_provided_suffix": request["suffix"],
            "seed": seed,
            "estimated_finish": None,
            "integrations": request["integrations"],
            "metadata": request["metadata"],
            "method": method,
        }

    def _check_purpose(self, file_id: str, param: str) -> None:
        purpose = self._files.find(file_id, param).purpose
        if purpose != "fine-tune":
            raise RequestRefusedError(
                400,
                f"The file {file_id} has the purpose '{purpose}'; a job needs one that was "
                "uploaded with the purpose 'fine-tune'.",
                code="invalid_file_purpose",
                param=param,
            )

    def _base_of(self, name: str) -> str:
        tuned = self._models.find(name)
        if tuned is not None:
            self._check_base(tuned.base)
            return tuned.base
        if name.startswith(TUNED_PREFIX):
            raise no_such_model(name, status=400)
        self._check_base(name)
        return name

    def _check_base(self, name: str) -> None:
        if self._models.trained_as(name) is None:
            hint = f"Base models that can be trained here: {', '.join(self._models.bases)}."
            raise no_such_model(name, status=400, hint=hint)

    def _check_grader(self, job: TrainingJob) -> None:
        """Raise a `GraderError` if this server does not run the grader that the job has."""
        method = job.to_dict()["method"]
        grader = method[method["type"]].get("grader")
        if grader is not None:
            check_runnable(
                grader,
                f"method.{method['type']}.grader",
                allow_python=self._state.allow_python_graders,
            )

    def list(self) -> flask.Response:
        """``GET /fine_tuning/jobs``: newest first, filtered by metadata."""
        where, values = _metadata_filter()
        listing = Listing("jobs", ["project = ?", *where], [current_project(), *values])
        return list_page(self._state.database, listing, ends=False)

    def retrieve(self, job_id: str) -> flask.Response:
        """``GET /fine_tuning/jobs/{id}``."""
        return json_response(self.wire(job_id))

    def wire(self, job_id: str) -> str:
        """Return the object of a job of the request's project, or raise the 404 for another one."""
        row = self._state.database.row(
            "SELECT wire FROM jobs WHERE id = ? AND project = ?", (job_id, current_project())
        )
        if row is None:
            raise no_such_job(job_id)
        return str(row[0])

    def cancel(self, job_id: str) -> dict[str, Any]:
        """``POST /fine_tuning/jobs/{id}/cancel``."""
        return self._change(job_id, TrainingJob.cancel)

    def pause(self, job_id: str) -> dict[str, Any]:
        """``POST /fine_tuning/jobs/{id}/pause``."""
        return self._change(job_id, TrainingJob.pause)

    def resume(self, job_id: str) -> dict[str, Any]:
        """``POST /fine_tuning/jobs/{id}/resume``."""
        self.wire(job_id)
        job = self.find(job_id)
        self._check_base(job.base)
        self._check_grader(job)
        resumed = self._change(job_id, TrainingJob.resume)
        self._runner.enqueue(job)
        return resumed

    def _change(
        self, job_id: str, change: Callable[[TrainingJob], dict[str, Any]]
    ) -> dict[str, Any]:
        self.wire(job_id)
        try:
            return change(self.find(job_id))
        except JobStatusError as error:
            raise RequestRefusedError(
                400, str(error), code="invalid_job_status", param="fine_tuning_job_id"
            ) from None

    def events(self, job_id: str) -> flask.Response:
        """``GET /fine_tuning/jobs/{id}/events``, newest first."""
        self.wire(job_id)
        listing = Listing("events", ("job = ?",), (job_id,))
        return list_page(self._state.database, listing, ends=False)

    def checkpoints(self, job_id: str) -> flask.Response:
        """``GET /fine_tuning/jobs/{id}/checkpoints``, newest first."""
        self.wire(job_id)
        listing = Listing("checkpoints", ("job = ?",), (job_id,), default=10)
        return list_page(self._state.database, listing)


def _validating_message(wire: Mapping[str, Any]) -> str:
    message = f"Validating training file: {wire['training_file']}"
    if wire["validation_file"] is None:
        return message
    return f"{message} and validation file: {wire['validation_file']}"


def _common(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: given.get(name, "auto") for name in COMMON}


def _metadata_filter() -> tuple[list[str], list[str]]:
    """Return the conditions that the query sets, in SQL, and their values."""
    query = flask.request.args
    wanted = {
        name[len("metadata[") : -1]: value
        for name, value in query.items()
        if name.startswith("metadata[") and name.endswith("]")
    }
    plain = query.get("metadata")
    if plain not in {None, "null", ""} or (plain == "null" and wanted):
        raise invalid_value(
            "Filter by metadata[key]=value, or by metadata=null alone for jobs without any.",
            "metadata",
        )
    if plain == "null":
        return ["has_metadata = 0"], []
    condition = "number IN (SELECT job FROM job_metadata WHERE key = ? AND value = ?)"
    return [condition] * len(wanted), [text for pair in wanted.items() for text in pair]
