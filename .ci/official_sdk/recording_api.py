"""The API that both clients are run against: it notes requests, with one answer for each operation."""

from __future__ import annotations

import email
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

JOB = {
    "id": "ftjob-1",
    "object": "fine_tuning.job",
    "created_at": 1721764800,
    "error": None,
    "fine_tuned_model": None,
    "finished_at": None,
    "hyperparameters": {"n_epochs": "auto", "batch_size": 4},
    "model": "gpt-4o-mini-2024-07-18",
    "organization_id": "org-1",
    "result_files": ["file-2"],
    "seed": 683058546,
    "status": "running",
    "trained_tokens": None,
    "training_file": "file-abc123",
    "validation_file": None,
    "estimated_finish": 1721768400,
    "integrations": [{"type": "wandb", "wandb": {"project": "p", "tags": ["t"]}}],
    "metadata": {"foo": "string"},
    "method": {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": "auto"}}},
}
EVENT = {
    "id": "ftevent-1",
    "object": "fine_tuning.job.event",
    "created_at": 1721764800,
    "level": "info",
    "message": "Step 1",
    "data": {"step": 1},
    "type": "metrics",
}
CHECKPOINT = {
    "id": "ftckpt-1",
    "object": "fine_tuning.job.checkpoint",
    "created_at": 1721764800,
    "fine_tuned_model_checkpoint": "ft:m:ckpt-step-1",
    "fine_tuning_job_id": "ftjob-1",
    "metrics": {"step": 1.0, "train_loss": 0.5},
    "step_number": 1,
}
PERMISSION = {
    "id": "cp-1",
    "object": "checkpoint.permission",
    "created_at": 1721764800,
    "project_id": "proj-1",
}
FILE = {
    "id": "file-1",
    "object": "file",
    "bytes": 12,
    "created_at": 1721764800,
    "filename": "upload",
    "purpose": "assistants",
    "status": "processed",
    "expires_at": 1721768400,
}
UPLOAD = {
    "id": "upload_abc123",
    "object": "upload",
    "bytes": 0,
    "created_at": 1721764800,
    "expires_at": 1721768400,
    "filename": "filename",
    "purpose": "assistants",
    "status": "pending",
    "file": None,
}
PART = {
    "id": "part_1",
    "object": "upload.part",
    "created_at": 1721764800,
    "upload_id": "upload_abc123",
}
MODEL = {"id": "m", "object": "model", "created": 1721764800, "owned_by": "openai"}
COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1721764800,
    "model": "m",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": "b", "refusal": None},
            "logprobs": None,
        }
    ],
}
GRADER = {
    "type": "string_check",
    "name": "name",
    "input": "input",
    "reference": "reference",
    "operation": "eq",
}
ERRORS = (
    "formula_parse_error",
    "invalid_variable_error",
    "model_grader_parse_error",
    "model_grader_refusal_error",
    "model_grader_server_error",
    "other_error",
    "python_grader_runtime_error",
    "python_grader_server_error",
    "sample_parse_error",
    "truncated_observation_error",
    "unresponsive_reward_error",
)
GRADED = {
    "reward": 1.0,
    "sub_rewards": {"a": 1.0},
    "model_grader_token_usage_per_model": {},
    "metadata": {
        "name": "name",
        "type": "string_check",
        "errors": {
            **dict.fromkeys(ERRORS, False),
            "model_grader_server_error_details": None,
            "python_grader_runtime_error_details": None,
            "python_grader_server_error_type": None,
        },
        "execution_time": 0.1,
        "scores": {"a": 1.0},
        "token_usage": None,
        "sampled_model_name": None,
    },
}


def listed(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "object": "list",
        "data": [row],
        "first_id": row["id"],
        "last_id": row["id"],
        "has_more": False,
    }


def deleted(kind: str) -> dict[str, Any]:
    return {"object": kind, "deleted": True}


JOBS = r"/fine_tuning/jobs"
PERMISSIONS = r"/fine_tuning/checkpoints/[^/]+/permissions"
ANSWERS: list[tuple[str, str, Any]] = [
    ("GET", JOBS, listed(JOB)),
    ("POST", JOBS, JOB),
    ("GET", rf"{JOBS}/([^/]+)", JOB),
    ("POST", rf"{JOBS}/([^/]+)/(?:cancel|pause|resume)", JOB),
    ("GET", rf"{JOBS}/[^/]+/events", listed(EVENT)),
    ("GET", rf"{JOBS}/[^/]+/checkpoints", listed(CHECKPOINT)),
    ("GET", PERMISSIONS, listed(PERMISSION)),
    ("POST", PERMISSIONS, listed(PERMISSION)),
    ("DELETE", rf"{PERMISSIONS}/([^/]+)", deleted("checkpoint.permission")),
    ("POST", "/fine_tuning/alpha/graders/run", GRADED),
    ("POST", "/fine_tuning/alpha/graders/validate", {"grader": GRADER}),
    ("GET", "/files", listed(FILE)),
    ("POST", "/files", FILE),
    ("GET", "/files/([^/]+)", FILE),
    ("DELETE", "/files/([^/]+)", deleted("file")),
    ("GET", "/files/[^/]+/content", "the content of a file"),
    ("POST", "/uploads", UPLOAD),
    ("POST", "/uploads/([^/]+)/cancel", {**UPLOAD, "status": "cancelled"}),
    ("POST", "/uploads/([^/]+)/complete", {**UPLOAD, "status": "completed", "file": FILE}),
    ("POST", "/uploads/[^/]+/parts", PART),
    ("GET", "/models", listed(MODEL)),
    ("GET", "/models/([^/]+)", MODEL),
    ("DELETE", "/models/([^/]+)", deleted("model")),
    ("POST", "/chat/completions", COMPLETION),
]
"""The answer of each operation; a group in the path is the id that the answer has."""

canned: dict[tuple[str, str], Any] = {}
"""The answers that a test gives to the mock of httpx."""

requests: dict[str, list[dict[str, Any]]] = {}
"""What each test sent."""

current = {"test": ""}


class API(BaseHTTPRequestHandler):
    """OpenAI's API, as far as a call is answered."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(b"")

    do_DELETE = do_GET  # noqa: N815 - http.server names it so

    def do_POST(self) -> None:
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._answer(body)

    def _answer(self, body: bytes) -> None:
        parts = urlsplit(self.path)
        requests.setdefault(current["test"], []).append(
            {
                "method": self.command,
                "path": parts.path,
                "query": sorted(parse_qsl(parts.query, keep_blank_values=True)),
                "headers": dict(self.headers),
                "body": readable(body, self.headers.get("Content-Type", "")),
            }
        )
        status, content, kind = found(self.command, parts.path)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


def found(method: str, path: str) -> tuple[int, bytes, str]:
    path = re.sub(r"^/openai(/deployments/[^/]+)?", "", path)  # as Azure's classic API has it
    if response := canned.get((method, path)):
        return response.status_code, response.content, response.headers["Content-Type"]
    for verb, pattern, answer in ANSWERS:
        match = re.fullmatch(pattern, path)
        if verb == method and match:
            if isinstance(answer, str):
                return 200, answer.encode(), "application/octet-stream"
            own = {"id": unquote(match[1])} if match.groups() else {}
            return 200, json.dumps({**answer, **own}).encode(), "application/json"
    return 404, b'{"error": {"message": "no such operation"}}', "application/json"


def readable(body: bytes, kind: str) -> Any:
    """Return a JSON body, or the fields of a form in their order, without the boundary."""
    if not body:
        return None
    if kind.startswith("application/json"):
        return json.loads(body)
    if kind.startswith("multipart/form-data"):
        form = email.message_from_bytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body)
        return sorted(
            [
                part.get_param("name", header="Content-Disposition"),
                part.get_filename() or "",
                part.get_content_type() if part["Content-Type"] else "",
                part.get_payload(decode=True).decode("latin-1"),
            ]
            for part in form.get_payload()
        )
    return body.decode("latin-1")


def serve() -> str:
    """Start the API on a free port; return its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), API)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_address[1]}"
