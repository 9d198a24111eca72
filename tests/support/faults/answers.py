"""Answers as bytes, sound ones and others."""

from __future__ import annotations

import base64
import gzip
import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Answer", "bomb", "of_args", "render", "render_head"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, data: Any, status: int = 200) -> Answer:
        return cls(
            status=status,
            body=json.dumps(data).encode(),
            headers={"Content-Type": "application/json", "x-request-id": "req_fault"},
        )


def render(answer: Answer, *, length: int | None = None) -> bytes:
    """Write the whole answer; `length` is what Content-Length claims, if not the truth."""
    claimed = len(answer.body) if length is None else length
    return render_head(answer, {"Content-Length": str(claimed)}) + answer.body


def of_args(args: Mapping[str, Any]) -> Answer:
    """Read an answer from a table's words: `status`, `headers`, and `json`, `text`, or `base64`."""
    headers: dict[str, str] = dict(args.get("headers", {}))
    status = args.get("status", 200)
    if "json" in args:
        made = Answer.of(args["json"], status)
        return Answer(status=status, body=made.body, headers={**made.headers, **headers})
    return Answer(status=status, body=_raw_body(args), headers=headers)


def bomb(megabytes: int) -> bytes:
    """Squeeze so many megabytes of blanks, valid JSON white space, into a small gzip."""
    block = gzip.compress(b" " * 1024 * 1024)
    return block * megabytes


def _raw_body(args: Mapping[str, Any]) -> bytes:
    if "base64" in args:
        return base64.b64decode(args["base64"])
    body = args.get("text", "")
    return body if isinstance(body, bytes) else str(body).encode()


def render_head(answer: Answer, framing: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {answer.status} {_reason(answer.status)}"]
    if answer.status == HTTPStatus.NO_CONTENT:
        framing = {}
    lines += [f"{name}: {value}" for name, value in {**framing, **answer.headers}.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Odd"
