"""A service behind the faults whose files have content, can be had in stretches, and remember."""

from __future__ import annotations

import hashlib
import re
import threading
from typing import TYPE_CHECKING, Any

from tests.support.faults.answers import Answer
from tests.support.faults.api import Api

if TYPE_CHECKING:
    from tests.support.faults.wire import Seen

__all__ = ["DATA", "FileService"]

DATA = bytes(range(256)) * 4000
"""About a megabyte, of which no two stretches of a few bytes that lie side by side are the same."""


class FileService(Api):
    """One file to be had, and all that is sent.

    Attributes:
        content: The content of every file.
        file: What the file object says beside the usual, such as ``bytes``.
        tag: What the content's answers carry, if anything.
        ranges: Whether a Range is heeded.
        shift: How far off the stretch is that a Range gets.
        most: The most bytes that a Range gets.
        says_whole: Whether the answer to a Range says how long the whole content is.
        stored: The files that were sent: (name, purpose, content).
        parts: The parts that arrived, by id, in the order they came.
        digests: What ``md5`` said at each completion.
        hold: A part waits for this before it is answered, if `free` parts came before it.
        says: What the answer to an upload claims as ``bytes``; the truth unless given.
    """

    def __init__(self, content: bytes = b"", **settings: Any) -> None:
        super().__init__()
        self.content = content
        self.file: dict[str, Any] = {}
        self.tag: str | None = '"1"'
        self.ranges = True
        self.shift = 0
        self.most = 1_000_000_000
        self.says_whole = True
        self.stored: list[tuple[str, str, bytes]] = []
        self.parts: dict[str, bytes] = {}
        self.digests: list[str | None] = []
        self.hold = threading.Event()
        self.free = 1_000_000
        self._gate = threading.Lock()
        self.says: dict[str, Any] = {}
        self.wanted: list[str | None] = []
        self.__dict__.update(settings)

    def carry_out(self, seen: Seen) -> Answer:
        if seen.method == "POST" and not seen.complete:
            return Answer(status=400)
        if seen.path.endswith("/parts") and not self._is_free():
            self.hold.wait(30)
        return super().carry_out(seen)

    def _is_free(self) -> bool:
        """Let so many parts through; those that come at the same moment are counted one by one."""
        with self._gate:
            self.free -= 1
            return self.free >= 0

    def _route(self, seen: Seen) -> Answer:
        if re.fullmatch("/files/[^/]+/content", seen.path):
            return self._content(seen)
        if seen.method == "GET" and seen.path.startswith("/files/"):
            return Answer.of(self._object(seen.path.removeprefix("/files/"), len(self.content)))
        if seen.line == "POST /files":
            return self._store(seen)
        if seen.path.endswith("/parts"):
            return self._part(seen)
        if seen.path.endswith("/complete"):
            return self._complete(seen)
        return super()._route(seen)

    def _object(self, name: str, size: int) -> dict[str, Any]:
        row = {"id": name, "object": "file", "bytes": size, "created_at": 1, "filename": "a.jsonl"}
        return {**row, "purpose": "user_data", **self.file}

    def _content(self, seen: Seen) -> Answer:
        wanted = seen.header("range")
        self.wanted.append(wanted)
        headers = {"Content-Type": "application/octet-stream"}
        if self.tag:
            headers["ETag"] = self.tag
        condition = seen.header("if-range")
        if not wanted or not self.ranges or condition not in {None, self.tag}:
            return Answer(body=self.content, headers=headers)
        start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if start >= len(self.content):
            return Answer(status=416, body=b"{}", headers=headers)
        start += self.shift
        size = len(self.content)
        end = min(size, start + self.most)
        whole = size if self.says_whole else "*"
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{whole}"
        return Answer(status=206, body=self.content[start:end], headers=headers)

    def _store(self, seen: Seen) -> Answer:
        fields = _fields(seen)
        name, content = fields["file"]
        self.stored.append((name, fields["purpose"][1].decode(), content))
        row = self._object(self._new("file", "file-"), len(content))
        return Answer.of({**row, "filename": name, **self.says})

    def _part(self, seen: Seen) -> Answer:
        part = self._new("part", "part_")
        self.parts[part] = _fields(seen)["data"][1]
        return Answer.of({"id": part, "object": "upload.part", "created_at": 1})

    def _complete(self, seen: Seen) -> Answer:
        asked = seen.json()
        self.digests.append(asked.get("md5"))
        content = b"".join(self.parts[part] for part in asked["part_ids"])
        if asked.get("md5") not in {None, hashlib.md5(content).hexdigest()}:
            return Answer.of({"error": {"message": "The md5 is another.", "code": "md5"}}, 400)
        self.stored.append(("", "", content))
        row = self._object(self._new("completion", "file-"), len(content))
        upload = {"id": seen.path.split("/")[2], "object": "upload", "status": "completed"}
        return Answer.of({**upload, "file": {**row, **self.says}})


def _fields(seen: Seen) -> dict[str, tuple[str, bytes]]:
    """Take a multipart body apart: field -> (file name, content)."""
    boundary = (seen.header("content-type") or "").split("boundary=")[1].encode()
    fields = {}
    for part in seen.body.split(b"--" + boundary)[1:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        text = head.decode()
        name = re.search(r'filename="([^"]*)"', text)
        field = re.findall(r'[ ;]name="([^"]*)"', text)[0]
        fields[field] = (name[1] if name else "", content[:-2])
    return fields
