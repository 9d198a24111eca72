"""How a file is to be sent in parts, checked before anything is sent."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from finetune_client.errors import RequestError
from finetune_client.resources.arguments import path_of
from finetune_client.resources.files.progress import reporting
from finetune_client.resources.files.rules import (
    check_purpose,
    check_size,
    expiry,
    mime_type as guessed_type,
    name_for,
)
from finetune_client.resources.files.upload_calls import SessionCalls
from finetune_client.resources.files.upload_in_parts import FileUpload
from finetune_client.resources.files.upload_state import UploadTarget

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from finetune_client.models import Upload
    from finetune_client.resources.files.progress import Progress
    from finetune_client.resources.files.sources import Source
    from finetune_client.resources.options import Options
    from finetune_client.transport import Session

__all__ = ["PART_SIZE", "FilePlan", "send_in_parts"]

PART_SIZE: Final = 64 * 1024 * 1024
"""The largest part, in bytes, and the usual one; the official SDK's parts have this size."""

_WORKERS: Final = range(1, 33)
_MD5: Final = re.compile(r"[0-9a-fA-F]{32}")


@dataclass(frozen=True, kw_only=True, slots=True)
class FilePlan:
    """What `Uploads.upload_file` takes beside the file."""

    purpose: str
    part_size: int = PART_SIZE
    workers: int = 4
    progress: Progress = None
    state: str | os.PathLike[str] | None = None
    mime_type: str | None = None
    filename: str | None = None
    expires_after: Mapping[str, Any] | int | None = None
    md5: str | Literal[False] | None = None

    def check(self) -> None:
        """Refuse what cannot be.

        Raises:
            RequestError: A value is out of its range.
        """
        check_purpose(self.purpose)
        if self.state is not None:
            path_of(self.state, "state")
        if type(self.part_size) is not int or not 1 <= self.part_size <= PART_SIZE:
            raise RequestError(
                f"part_size must be from 1 to {PART_SIZE} bytes (64 MiB), not {self.part_size!r}."
            )
        if type(self.workers) is not int or self.workers not in _WORKERS:
            raise RequestError(f"workers must be from 1 to 32, not {self.workers!r}.")
        for name, text in {"filename": self.filename, "mime_type": self.mime_type}.items():
            if not isinstance(text, str | None):
                raise RequestError(f"{name} must be text, not {text!r:.100}.")
        if self.md5 and not _MD5.fullmatch(str(self.md5)):
            raise RequestError(f"md5 must be 32 hexadecimal digits, not {self.md5!r}.")

    def target(self, source: Source, base_url: str) -> UploadTarget:
        """Say what is sent, and where."""
        name = self.filename or name_for(source, self.purpose)
        return UploadTarget(
            base_url=base_url,
            purpose=self.purpose,
            filename=name,
            mime_type=self.mime_type or source.content_type or guessed_type(name),
            size=source.size,
            modified=source.modified,
            part_size=self.part_size,
        )


def send_in_parts(session: Session, source: Source, plan: FilePlan, options: Options) -> Upload:
    """Send a source as planned; see `Uploads.upload_file`."""
    session.require("uploads", "sending a file in parts")
    plan.check()
    life = expiry(session, plan.expires_after)
    limit = session.provider.max_upload_bytes
    check_size(source, limit, "an upload in parts", "split it into several files")
    target = plan.target(source, session.config.base_url.url)
    with reporting(plan.progress, target.filename) as report:
        sending = FileUpload(
            calls=SessionCalls(session, target, life, options),
            source=source,
            target=target,
            workers=plan.workers,
            report=report,
            now=session.clock.now(),
            state_path=plan.state,
            md5=plan.md5.lower() if plan.md5 else plan.md5,
        )
        return sending.run()
