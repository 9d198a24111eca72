"""``/fine_tuning/jobs``: creating, listing, cancelling, pausing and watching jobs.

https://platform.openai.com/docs/api-reference/fine-tuning
"""

from __future__ import annotations

import copy
import hashlib
import json
import secrets
from typing import TYPE_CHECKING, Any

import flask

from finetune_client.local.api.job_request import job_request
from finetune_client.local.http.errors import WireError, no_such_job, no_such_model
from finetune_client.local.http.request_fields import json_body, page, with_ends
from finetune_client.local.training.job import ENDED, Job

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from finetune_client.local.api.files import Files
    from finetune_client.local.api.models import Models
    from finetune_client.local.state import State

__all__ = ["Jobs"]


class Jobs:
    """The jobs of one server, oldest first.

    Attributes:
        submit: Called with each job that is to be checked and trained.
        resume_training: Called with each job that is to go on.
    """

    def __init__(self, state: State, files: Files, models: Models) -> None:
        self._state = state
        self._files = files
        self._models = models
        self.submit: Callable[[Job], None] = lambda _: None
        self.resume_training: Callable[[Job], None] = lambda _: None
        self._rows: dict[str, Job] = {}
        self._by_key: dict[str, Job] = {}
        for record in state.store.load("jobs"):
            self._insert(Job.restore(state, record))

    def _insert(self, job: Job) -> None:
        self._rows[job.id] = job
        if job.idempotency is not None:
            self._by_key[job.idempotency[0]] = job

    def all(self) -> list[Job]:
        """Give the jobs, oldest first."""
        with self._state.lock:
            return list(self._rows.values())

    def unfinished(self) -> list[Job]:
        """Give the jobs that a trainer has to go on with or has let go of."""
        return [job for job in self.all() if job.status not in ENDED | {"paused"}]

    def find(self, job_id: str) -> Job:
        """Give a job, or raise the 404 that says it is not there."""
        with self._state.lock:
            job = self._rows.get(job_id)
        if job is None:
            raise no_such_job(job_id)
        return job

    def create(self) -> dict[str, Any]:
        """``POST /fine_tuning/jobs``; with an ``Idempotency-Key`` that is known, the job it made."""
        body = json_body()
        key = flask.request.headers.get("Idempotency-Key")
        digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
        with self._state.lock:
            known = None if key is None else self._by_key.get(key)
            if known is not None:
                return _same(known, digest)
            job = self._make(job_request(body))
            job.idempotency = None if key is None else [key, digest]
            self._insert(job)
            job.event(f"Created fine-tuning job: {job.id}")
            job.save()
            shown = job.shown()
        self.submit(job)
        return shown

    def _make(self, request: Mapping[str, Any]) -> Job:
        for param in ("training_file", "validation_file"):
            if request[param] is not None:
                self._usable(request[param], param)
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
            "hyperparameters": _shown(method[method["type"]]["hyperparameters"]),
            "trained_tokens": None,
            "error": None,
            "user_provided_suffix": request["suffix"],
            "seed": seed,
            "estimated_finish": None,
            "integrations": request["integrations"],
            "metadata": request["metadata"],
            "method": method,
        }
        return Job(self._state, wire, self._base(request["model"]))

    def _usable(self, file_id: str, param: str) -> None:
        purpose = self._files.find(file_id, param).wire["purpose"]
        if purpose != "fine-tune":
            raise WireError(
                400,
                f"The file {file_id} has the purpose '{purpose}'; a job needs one that was "
                "uploaded with the purpose 'fine-tune'.",
                code="invalid_file_purpose",
                param=param,
            )

    def _base(self, name: str) -> str:
        tuned = self._models.find(name)
        if tuned is not None:
            return tuned.base
        if name.startswith("ft:"):
            raise no_such_model(name, status=400)
        return name

    def list(self) -> dict[str, Any]:
        """``GET /fine_tuning/jobs``, newest first, also by metadata."""
        wanted = _metadata_filter()
        with self._state.lock:
            rows = [job.wire for job in reversed(self._rows.values()) if wanted(job.wire)]
            return _listing(*page(rows, 20))

    def retrieve(self, job_id: str) -> dict[str, Any]:
        """``GET /fine_tuning/jobs/{id}``."""
        return self.find(job_id).shown()

    def cancel(self, job_id: str) -> dict[str, Any]:
        """``POST /fine_tuning/jobs/{id}/cancel``."""
        return self.find(job_id).cancel()

    def pause(self, job_id: str) -> dict[str, Any]:
        """``POST /fine_tuning/jobs/{id}/pause``."""
        return self.find(job_id).pause()

    def resume(self, job_id: str) -> dict[str, Any]:
        """``POST /fine_tuning/jobs/{id}/resume``."""
        job = self.find(job_id)
        shown = job.resume()
        self.resume_training(job)
        return shown

    def events(self, job_id: str) -> dict[str, Any]:
        """``GET /fine_tuning/jobs/{id}/events``, newest first."""
        job = self.find(job_id)
        with self._state.lock:
            return _listing(*page(job.events[::-1], 20))

    def checkpoints(self, job_id: str) -> dict[str, Any]:
        """``GET /fine_tuning/jobs/{id}/checkpoints``, newest first."""
        job = self.find(job_id)
        with self._state.lock:
            return with_ends(*page(copy.deepcopy(job.checkpoints[::-1]), 10))


def _same(job: Job, digest: str) -> dict[str, Any]:
    if job.idempotency is None or job.idempotency[1] != digest:
        raise WireError(
            400,
            "This Idempotency-Key was used with another body. Use a new key for a new job.",
            code="idempotency_key_reused",
            type="idempotency_error",
        )
    return job.shown()


def _shown(given: Mapping[str, Any]) -> dict[str, Any]:
    names = ("n_epochs", "batch_size", "learning_rate_multiplier")
    return {name: given.get(name, "auto") for name in names}


def _listing(data: list[Mapping[str, Any]], more: bool) -> dict[str, Any]:
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
        raise WireError(
            400,
            "Filter by metadata[key]=value, or by metadata=null alone for jobs without any.",
            code="invalid_value",
            param="metadata",
        )
    if plain == "null":
        return lambda wire: wire["metadata"] is None
    return lambda wire: wanted.items() <= (wire["metadata"] or {}).items()
