"""The services of the providers, as far as their pages in the docs need them: one class for each.

    with responses.RequestsMock() as mock:
        service = Nebius(mock)

They take what the real ones are known to take, and refuse what those refuse: `refused` has all
refusals. A job has ended by the first time that it is asked for, so that nobody waits.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from email.parser import BytesParser
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qsl, unquote, urlsplit

from finetune_client.providers import PROVIDERS

if TYPE_CHECKING:
    import requests
    import responses

__all__ = ["SERVICES", "Service"]

CREATE = frozenset(
    {
        *("model", "training_file", "validation_file", "suffix", "seed", "method"),
        *("hyperparameters", "metadata", "integrations"),
    }
)
"""The keys of a create in OpenAI's API."""


class Refusal(Exception):  # noqa: N818  # it is the service's answer, not an error of the stub
    """What a service says no to."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """A request, with its body read: `json`, or the fields of a form and the file's content."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    json: dict[str, Any] = field(default_factory=dict)
    form: dict[str, str] = field(default_factory=dict)
    filename: str = ""
    content: bytes = b""


class Service:
    """The API without a provider's differences.

    Attributes:
        provider: Its name among our providers.
        base: The base URL.
        seen: All requests.
        refused: The messages of all refusals.
        jobs, files: What was created.
    """

    provider: ClassVar[str]
    base: ClassVar[str]
    created: ClassVar[int] = 200

    def __init__(self, mock: responses.RequestsMock) -> None:
        self.seen: list[Seen] = []
        self.refused: list[str] = []
        self.jobs: dict[str, dict[str, Any]] = {}
        self.files: dict[str, tuple[dict[str, Any], bytes]] = {}
        mock.assert_all_requests_are_fired = False
        for method in ("GET", "POST", "DELETE"):
            mock.add_callback(method, re.compile(re.escape(self.base) + "/.*"), self._answer)

    @property
    def key(self) -> str:
        """What the user's environment has as the key."""
        return f"key-of-{self.provider}"

    def _answer(self, request: requests.PreparedRequest) -> tuple[int, dict[str, str], bytes]:
        seen = self._read(request)
        self.seen.append(seen)
        try:
            self.check(seen)
            status, body = self.route(seen)
        except Refusal as refusal:
            self.refused.append(refusal.message)
            status, body = refusal.status, {"error": {"message": refusal.message}}
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        kind = "application/octet-stream" if isinstance(body, bytes) else "application/json"
        return status, {"Content-Type": kind}, content

    def _read(self, request: requests.PreparedRequest) -> Seen:
        url = urlsplit(request.url or "")
        body: Any = request.body or b""
        content = body if isinstance(body, bytes) else b"".join(body)
        headers = {
            name.lower(): value.decode() if isinstance(value, bytes) else value
            for name, value in request.headers.items()
        }
        kind = headers.get("content-type", "")
        more: dict[str, Any] = {}
        if kind.startswith("multipart/"):
            head = f"Content-Type: {kind}\r\n\r\n".encode()
            more = {"form": {}}
            parts: Any = BytesParser().parsebytes(head + content).get_payload()
            for part in parts:
                name = part.get_param("name", header="content-disposition")
                text = part.get_payload(decode=True)
                if name == "file":
                    more |= {"filename": part.get_filename(), "content": text}
                else:
                    more["form"][name] = text.decode()
        elif content:
            more = {"json": json.loads(content)}
        return Seen(
            method=request.method or "",
            path=unquote(url.path).removeprefix(urlsplit(self.base).path),
            query=dict(parse_qsl(url.query)),
            headers=headers,
            **more,
        )

    def check(self, seen: Seen) -> None:
        """Refuse what the provider refuses."""
        if seen.headers.get("authorization") != f"Bearer {self.key}":
            raise Refusal(401, "The key is wrong.")

    def route(self, seen: Seen) -> tuple[int, Any]:
        """Answer a request that is not refused."""
        place = re.fullmatch(r"/fine_tuning/jobs(?:/([^/]+)(?:/([a-z]+))?)?", seen.path)
        if place and place[1]:
            return 200, self._of_job(place[1], place[2])
        if place:
            return self._jobs(seen)
        if seen.path == "/files" and seen.method == "POST":
            return self._store(seen)
        if found := re.fullmatch(r"/files/([^/]+)(/content)?", seen.path):
            row, content = self._existing(self.files, found[1])
            return 200, content if found[2] else row
        if seen.path == "/chat/completions":
            message = {"role": "assistant", "content": f"I am {seen.json['model']}."}
            return 200, {"object": "chat.completion", "choices": [{"message": message}]}
        raise Refusal(404, f"There is no {seen.method} {seen.path}.")

    def _existing(self, things: dict[str, Any], name: str) -> Any:
        if name not in things:
            raise Refusal(404, f"There is no {name}.")
        return things[name]

    def _store(self, seen: Seen) -> tuple[int, Any]:
        return self.created, self.add_file(
            seen.filename, seen.content, purpose=seen.form["purpose"], status="processed"
        )

    def add_file(self, name: str, content: bytes, **more: Any) -> dict[str, Any]:
        """Keep a file and return its object."""
        file_id = f"file-{len(self.files) + 1}"
        row = {"id": file_id, "object": "file", "created_at": 1, "filename": name, **more}
        self.files[file_id] = {**row, "bytes": len(content)}, content
        return self.files[file_id][0]

    def _jobs(self, seen: Seen) -> tuple[int, Any]:
        if seen.method == "GET":
            return 200, _list([*self.jobs.values()][::-1])
        self._existing(self.files, seen.json["training_file"])
        job_id = f"ftjob-{len(self.jobs) + 1}"
        self.jobs[job_id] = {
            **{key: value for key, value in seen.json.items() if key in CREATE},
            "id": job_id,
            "object": "fine_tuning.job",
            "created_at": 1,
            "status": "queued",
        }
        created = dict(self.jobs[job_id])
        self.jobs[job_id] |= {"status": "succeeded", "finished_at": 2, **self.result(job_id)}
        return self.created, created

    def result(self, job_id: str) -> dict[str, Any]:
        """Return what a job has when it has succeeded."""
        csv = self.add_file("results.csv", b"step,train_loss,valid_loss\n1,2.5,\n2,1.5,2\n")
        model = f"ft:{self.jobs[job_id]['model']}:org::1"
        return {"fine_tuned_model": model, "result_files": [csv["id"]], "trained_tokens": 7}

    def _of_job(self, job_id: str, part: str | None) -> Any:
        job = self._existing(self.jobs, job_id)
        if part is None:
            return job
        if part == "events":
            return _list(self.events())
        if part == "checkpoints":
            return _list(self.checkpoints(job_id))
        if part == "cancel":
            return {**job, "status": "cancelled"}
        raise Refusal(404, f"There is no {part} of a job.")

    def events(self) -> list[dict[str, Any]]:
        """Return the events of a job, newest first."""
        row = {"object": "fine_tuning.job.event", "created_at": 1, "level": "info"}
        return [
            {**row, "id": f"ftevent-{step}", "message": f"Step {step}", "data": self.measured(step)}
            for step in (2, 1)
        ]

    def measured(self, step: int) -> dict[str, Any]:
        """Return the numbers that an event has."""
        return {"step": step, "train_loss": 3.5 - step}

    def checkpoints(self, job_id: str) -> list[dict[str, Any]]:
        """Return the checkpoints of a job, newest first."""
        row = {"object": "fine_tuning.job.checkpoint", "created_at": 1, "step_number": 2}
        return [{**row, "id": "ftckpt_1", "fine_tuning_job_id": job_id}]


def _list(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"object": "list", "data": rows, "has_more": False}


def _settings(job: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of a job, wherever they stand."""
    method = job.get("method") or {}
    inner = (method.get(method.get("type")) or {}).get("hyperparameters") or {}
    return {**(job.get("hyperparameters") or {}), **inner}


class Azure(Service):
    """The v1 API: the key in ``api-key``, and a training type for open models."""

    provider = "azure"
    base = "https://resource.openai.azure.com/openai/v1"
    created = 201

    def check(self, seen: Seen) -> None:
        if seen.headers.get("api-key") != self.key or "authorization" in seen.headers:
            raise Refusal(401, "The key is wrong.")
        if seen.json.get("model", "").startswith("gpt-oss") and (
            seen.path == "/fine_tuning/jobs" and seen.json.get("trainingType") != "GlobalStandard"
        ):
            raise Refusal(400, "The specified base model does not support fine-tuning.")

    def result(self, job_id: str) -> dict[str, Any]:
        csv = self.add_file("results.csv", b"step,train_loss,valid_loss\n1,2.5,-1\n2,1.5,2\n")
        return {**super().result(job_id), "result_files": [csv["id"]]}


class AzureClassic(Azure):
    """The classic API: a dated version in every query, and no metadata."""

    provider = "azure-classic"
    base = "https://resource.openai.azure.com/openai"

    def check(self, seen: Seen) -> None:
        super().check(seen)
        if seen.query.get("api-version") != "2024-10-21":
            raise Refusal(404, "Resource not found.")
        if "metadata" in seen.json:
            raise Refusal(400, "metadata is not known.")


class Bedrock(Service):
    """Reinforcement with a Lambda function as grader; no suffix, a hundred examples."""

    provider = "bedrock"
    base = "https://bedrock-mantle.us-west-2.api.aws/v1"

    def check(self, seen: Seen) -> None:
        super().check(seen)
        if (seen.method, seen.path) != ("POST", "/fine_tuning/jobs"):
            return
        grader = seen.json.get("method", {}).get("reinforcement", {}).get("grader", {})
        if grader.get("type") != "lambda" or "function" not in grader.get("lambda", {}):
            raise Refusal(400, "The grader must be a Lambda function.")
        if "suffix" in seen.json:
            raise Refusal(400, "suffix is not known.")
        if len(self.files[seen.json["training_file"]][1].splitlines()) < 100:
            raise Refusal(400, "There must be 100 examples.")


class Nebius(Service):
    """Weights as the files of checkpoints, no name of a model, a deployment below ``/v0``."""

    provider = "nebius"
    base = "https://api.tokenfactory.nebius.com"

    def _read(self, request: requests.PreparedRequest) -> Seen:
        seen = super()._read(request)
        return replace(seen, path=seen.path.removeprefix("/v1"))

    def check(self, seen: Seen) -> None:
        super().check(seen)
        if "method" in seen.json and "hyperparameters" in seen.json:
            raise Refusal(400, "Give method or hyperparameters.")
        settings = _settings(seen.json)
        if (
            not 1 <= settings.get("n_epochs", 1) <= 20
            or not 1 <= settings.get("batch_size", 1) <= 32
        ):
            raise Refusal(422, "A setting is out of its range.")

    def route(self, seen: Seen) -> tuple[int, Any]:
        if seen.path == "/v0/models":
            job_id, _, checkpoint = seen.json["source"].partition(":")
            if job_id not in self.jobs or checkpoint != "ftckpt_1":
                raise Refusal(404, "There is no such checkpoint.")
            return 200, {"name": seen.json["name"], "status": "validating"}
        return super().route(seen)

    def result(self, job_id: str) -> dict[str, Any]:
        self.jobs[job_id].pop("metadata", None)
        self.weights = [
            self.add_file(f"{job_id}/adapter_config.json", b"{}"),
            self.add_file(f"{job_id}/adapter_model.safetensors", bytes(1000)),
        ]
        return {"fine_tuned_model": None, "trained_steps": 2, "total_steps": 2, "result_files": []}

    def checkpoints(self, job_id: str) -> list[dict[str, Any]]:
        row = super().checkpoints(job_id)[0]
        return [{**row, "result_files": [file["id"] for file in self.weights]}]


class Unsloth(Service):
    """Supervised jobs, one at a time; no content of files, no metadata, no key that it lacks."""

    provider = "unsloth"
    base = "http://127.0.0.1:8888/v1"

    def check(self, seen: Seen) -> None:
        super().check(seen)
        if seen.path.endswith("/content") or seen.method == "DELETE":
            raise Refusal(404, "Not Found")
        if seen.path.startswith("/uploads"):
            raise Refusal(404, "Not Found")
        if (seen.method, seen.path) != ("POST", "/fine_tuning/jobs"):
            return
        if unknown := sorted(seen.json.keys() - CREATE):
            raise Refusal(400, f"Unknown keys: {', '.join(unknown)}")
        if seen.json.get("method", {}).get("type", "supervised") != "supervised":
            raise Refusal(400, "Only supervised jobs can be run.")
        if any(job["status"] == "running" for job in self.jobs.values()):
            raise Refusal(409, "A run is in progress.")

    @property
    def key(self) -> str:
        return "sk-unsloth-1"

    def result(self, job_id: str) -> dict[str, Any]:
        return {"metadata": None, "result_files": [], "fine_tuned_model": "unsloth/tuned"}

    def measured(self, step: int) -> dict[str, Any]:
        more = {"total_steps": 2, "learning_rate": 2e-4, "grad_norm": 1.0, "epoch": step / 2}
        return {**super().measured(step), **more}


class LiteLLM(Service):
    """Create, list, retrieve and cancel, each with the name of who trains; some keys are dropped."""

    provider = "litellm"
    base = "https://litellm.example/v1"

    def check(self, seen: Seen) -> None:
        super().check(seen)
        creates = (seen.method, seen.path) == ("POST", "/fine_tuning/jobs")
        if creates and seen.json.get("custom_llm_provider") not in {"openai", "azure", "vertex_ai"}:
            raise Refusal(400, "No managed file and no custom_llm_provider was given.")
        if seen.method == "GET" and "custom_llm_provider" not in seen.query:
            raise Refusal(422, "The query parameter custom_llm_provider is missing.")
        if seen.path == "/files" and "custom_llm_provider" not in seen.form:
            raise Refusal(400, "The file would go to another provider.")
        if seen.path.endswith(("/events", "/checkpoints")):
            raise Refusal(404, "Not Found")
        for dropped in ("method", "metadata"):
            seen.json.pop(dropped, None)


class Portkey(Service):
    """Passes on to whom a header names."""

    provider = "portkey"
    base = "https://aigw.portkey.ai/v1"

    def check(self, seen: Seen) -> None:
        super().check(seen)
        if not seen.headers.get("x-portkey-provider", "").startswith("@"):
            raise Refusal(400, "The header x-portkey-provider is missing.")


class Compatible(Service):
    """Any server."""

    provider = "compatible"
    base = "https://finetune.example/v1"


SERVICES: dict[str, type[Service]] = {
    one.provider: one
    for one in (*(Azure, AzureClassic, Bedrock, Nebius, Unsloth, LiteLLM, Portkey, Compatible),)
}
"""By the provider's name; the local server and OpenAI need none."""
assert set(SERVICES) == set(PROVIDERS) - {"openai", "local"}
