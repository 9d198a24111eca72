"""A Hugging Face hub on loopback, which huggingface_hub downloads models from.

    with ModelHub() as hub:
        hub.models["acme/tiny"] = Repository.of(directory)
        monkeypatch.setenv("HF_ENDPOINT", hub.url)

It answers what huggingface_hub asks for a model: what is in it, and a file's facts and bytes.
`downloads` are the files whose bytes were asked for; with `fails` all is answered with the status 503.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import socket
import threading
from dataclasses import KW_ONLY, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from typing_extensions import Self

__all__ = ["ModelHub", "Repository"]

_FILE = re.compile(r"/(?P<id>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<name>.+)")
_FACTS = re.compile(r"/api/models/(?P<id>[^/]+/[^/]+)(/revision/(?P<revision>[^/]+))?")
_TREE = re.compile(r"/api/models/(?P<id>[^/]+/[^/]+)/tree/(?P<revision>[^/]+)(/.*)?")


@dataclass
class Repository:
    """A model of the hub.

    Attributes:
        files: Their names and bytes.
        token: Who does not send it is told that the model is gated.
        ends_after: How many bytes of each file of weights are sent before the connection is closed.
    """

    files: Mapping[str, bytes]
    _: KW_ONLY
    token: str | None = None
    ends_after: int | None = None

    @classmethod
    def of(
        cls, directory: Path, more: Mapping[str, bytes] | None = None, *, token: str | None = None
    ) -> Repository:
        """The files of a directory, and more."""
        files = {path.name: path.read_bytes() for path in directory.iterdir()}
        return cls({**files, **(more or {})}, token=token)

    @property
    def commit(self) -> str:
        """It changes when a file does."""
        parts = [f"{name}:{_digest(data)}" for name, data in sorted(self.files.items())]
        return _digest("\n".join(parts).encode())


class ModelHub:
    """Listens from the beginning; `close()` ends it."""

    def __init__(self) -> None:
        self.models: dict[str, Repository] = {}
        self.seen: list[str] = []
        self.downloads: list[str] = []
        self.connections: set[socket.socket] = set()
        self.fails = False
        hub = self

        class Handler(_Handler):
            of = hub

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        for connection in list(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    of: ModelHub

    def setup(self) -> None:
        super().setup()
        self.of.connections.add(self.connection)

    def finish(self) -> None:
        self.of.connections.discard(self.connection)
        super().finish()

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.of.seen.append(f"{self.command} {path}")
        asked = _FILE.fullmatch(path) or _TREE.fullmatch(path) or _FACTS.fullmatch(path)
        if self.of.fails:
            self._refuse(503, "", "It is being mended.")
            return
        if asked is None:
            self._refuse(404, "EntryNotFound", "There is no such page.")
            return
        model = self.of.models.get(asked["id"])
        if model is None:
            # The hub does not tell strangers which models there are.
            self._refuse(401, "RepoNotFound", "Invalid username or password.")
            return
        if asked["revision"] not in {None, "main", model.commit}:
            self._refuse(404, "RevisionNotFound", f"Invalid rev id: {asked['revision']}")
            return
        # The facts of a gated model are for all, its files and their list are not.
        if asked.re is _FACTS:
            files = [{"rfilename": name, "size": len(data)} for name, data in model.files.items()]
            facts = {"_id": "1", "id": asked["id"], "sha": model.commit, "siblings": files}
            self._send_json({**facts, "private": False, "gated": bool(model.token)}, model)
        elif model.token and self.headers["Authorization"] != f"Bearer {model.token}":
            status = 403 if self.headers["Authorization"] else 401
            message = f"Access to model {asked['id']} is restricted."
            self._refuse(status, "GatedRepo", message, model)
        elif asked.re is _TREE:
            self._send_json([_entry(name, data) for name, data in model.files.items()], model)
        elif asked["name"] not in model.files:
            self._refuse(404, "EntryNotFound", "Entry not found", model)
        else:
            self._send_file(asked["name"], model)

    def _send_file(self, name: str, model: Repository) -> None:
        data = model.files[name]
        first = 0
        if wanted := re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or ""):
            first = int(wanted[1])
        self.send_response(206 if first else 200)
        self.send_header("ETag", f'"{_digest(data)}"')
        self.send_header("X-Repo-Commit", model.commit)
        self.send_header("Content-Length", str(len(data) - first))
        if first:
            self.send_header("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        if self.command == "HEAD":
            return
        self.of.downloads.append(name)
        if model.ends_after is None or not name.endswith(".safetensors"):
            self.wfile.write(data[first:])
            return
        self.wfile.write(data[first : model.ends_after])
        self.close_connection = True

    def _send_json(self, value: object, model: Repository) -> None:
        self._send(200, json.dumps(value).encode(), {"X-Repo-Commit": model.commit})

    def _refuse(
        self, status: int, code: str, message: str, model: Repository | None = None
    ) -> None:
        more = {} if model is None else {"X-Repo-Commit": model.commit}
        body = json.dumps({"error": message}).encode()
        self._send(status, body, {"X-Error-Code": code, "X-Error-Message": message, **more})

    def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _entry(name: str, data: bytes) -> dict[str, Any]:
    return {"type": "file", "path": name, "size": len(data), "oid": _digest(data)}


def _digest(data: bytes) -> str:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()
