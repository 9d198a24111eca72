"""``/fine_tuning/jobs``: creating, listing, cancelling, pausing and watching jobs.

https://developers.openai.com/api/reference
"""

from __future__ import annotations

import copy
import hashlib
import json
import secrets
from typing import TYPE_CHECKING, Any

import flask

from finetune_client.local.api.job_request import read_job_request
from finetune_client.local.http.errors import (
    RequestRefusedError,
    invalid_value,
    no_such_job,
    no_such_model,
)
from finetune_client.local.http.request_fields import json_body, list_with_ends, page
from finetune_client.local.training.hyperparameters import COMMON
from finetune_client.local.training.job import FINAL_STATUSES, JobStatusError, TrainingJob

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from finetune_client.local.api.files import Files
    from finetune_client.local.api.models import Models
    from finetune_client.local.state import State
    from finetune_client.local.training.runner import Runner

__all__ = ["Jobs"]


class Jobs:
    """The jobs of one server, oldest first.

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
        self._rows: dict[str, TrainingJob] = {}
        self._by_key: dict[str, TrainingJob] = {}
        for record in state.store.load("jobs"):
            self._insert(TrainingJob.restore(state, record))

    def _insert(self, job: TrainingJob) -> None:
        self._rows[job.id] = job
        if job.idempotency is not None:
            self._by_key[job.idempotency[0]] = job

    def all(self) -> list[TrainingJob]:
        """Return the jobs, oldest first."""
        with self._state.lock:
            return list(self._rows.values())

    def resume_all(self) -> None:
        """Resume the jobs that an earlier run of the server has not finished."""
        for job in self.all():
            if job.status == "validating_files":
                self._runner.submit(job)
            elif job.status == "queued":
                self._runner.resume(job)
            elif job.status not in FINAL_STATUSES | {"paused"}:
                job.fail("server_stopped", "The server ended while this job was running.")

    def find(self, job_id: str) -> TrainingJob:
        """Return a job, or raise the 404 for one that does not exist."""
        with self._state.lock:
            job = self._rows.get(job_id)
        if job is None:
            raise no_such_job(job_id)
        return job

    def create(self) -> dict[str, Any]:
        """``POST /fine_tuning/jobs``; a known ``Idempotency-Key`` returns the job that it made."""
        body = json_body()
        key = flask.request.headers.get("Idempotency-Key")
        digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
        with self._state.lock:
            known = None if key is None else self._by_key.get(key)
            if known is not None:
                return _same_job(known, digest)
            job = self._make(read_job_request(body))
            job.idempotency = None if key is None else [key, digest]
            self._insert(job)
            job.add_event(f"Created fine-tuning job: {job.id}")
            job.save()
            created = job.to_dict()
        self._runner.submit(job)
        return created

    def _make(self, request: Mapping[str, Any]) -> TrainingJob:
        for param in ("training_file", "validation_file"):
            if request[param] is not None:
                self._check_purpose(request[param], param)
        seed = secrets.randbelow(2**31) if request["seed"] is None else request["seed"]
        method = request["method"]
        wire = {
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
        return TrainingJob(self._state, wire, self._base_of(request["model"]))

    def _check_purpose(self, file_id: str, param: str) -> None:
        purpose = self._files.find(file_id, param).wire["purpose"]
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
            return tuned.base
        if name.startswith("ft:"):
            raise no_such_model(name, status=400)
        return name

    def list(self) -> dict[str, Any]:
        """``GET /fine_tuning/jobs``: newest first, filtered by metadata."""
        is_wanted = _metadata_filter()
        with self._state.lock:
            rows = [job.wire for job in reversed(self._rows.values()) if is_wanted(job.wire)]
            return _list_object(*page(rows, 20))

    def retrieve(self, job_id: str) -> dict[str, Any]:
        """``GET /fine_tuning/jobs/{id}``."""
        return self.find(job_id).to_dict()

    def cancel(self, job_id: str) -> dict[str, Any]:
        """``POST /fine_tuning/jobs/{id}/cancel``."""
        return self._change(job_id, TrainingJob.cancel)

    def pause(self, job_id: str) -> dict[str, Any]:
        """``POST /fine_tuning/jobs/{id}/pause``."""
        return self._change(job_id, TrainingJob.pause)

    def resume(self, job_id: str) -> dict[str, Any]:
        """``POST /fine_tuning/jobs/{id}/resume``."""
        resumed = self._change(job_id, TrainingJob.resume)
        self._runner.resume(self.find(job_id))
        return resumed

    def _change(
        self, job_id: str, change: Callable[[TrainingJob], dict[str, Any]]
    ) -> dict[str, Any]:
        try:
            return change(self.find(job_id))
        except JobStatusError as error:
            raise RequestRefusedError(
                400, str(error), code="invalid_job_status", param="fine_tuning_job_id"
            ) from None

    def events(self, job_id: str) -> dict[str, Any]:
        """``GET /fine_tuning/jobs/{id}/events``, newest first."""
        job = self.find(job_id)
        with self._state.lock:
            return _list_object(*page(job.events[::-1], 20))

    def checkpoints(self, job_id: str) -> dict[str, Any]:
        """``GET /fine_tuning/jobs/{id}/checkpoints``, newest first."""
        job = self.find(job_id)
        with self._state.lock:
            return list_with_ends(*page(copy.deepcopy(job.checkpoints[::-1]), 10))


def _same_job(job: TrainingJob, digest: str) -> dict[str, Any]:
    if job.idempotency is None or job.idempotency[1] != digest:
        raise RequestRefusedError(
            400,
            "This Idempotency-Key was used with another body. Use a new key for a new job.",
            code="idempotency_key_reused",
            type="idempotency_error",
        )
    return job.to_dict()


def _common(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: given.get(name, "auto") for name in COMMON}


def _list_object(data: list[Mapping[str, Any]], more: bool) -> dict[str, Any]:
    return {"object": "list", "data": copy.deepcopy(data), "has_more": more}


def _metadata_filter() -> Callable[[Mapping[str, Any]], bool]:
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
        return lambda wire: wire["metadata"] is None
    return lambda wire: wanted.items() <= (wire["metadata"] or {}).items()
