"""The index of an archive: what it holds, with sizes and checksums, as JSON and as a page."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final

from finetune_client import __version__
from finetune_client.archive import layout
from finetune_client.archive.page import page
from finetune_client.archive.report import ArchiveReport, Missing
from finetune_client.atomic_file import DRAFTS, replacing
from finetune_client.errors import RequestError
from finetune_client.file_digest import file_digest
from finetune_client.providers.training_rules import of_family

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from finetune_client.client import Client
    from finetune_client.providers import Provider

__all__ = ["Index"]

_VERSION: Final = 1


class Index:
    """What an archive holds.

    Attributes:
        data: The content of ``index.json``.
    """

    def __init__(self, root: Path, provider: Provider, data: dict[str, Any]) -> None:
        self._root = root
        self._provider = provider
        self.data = data

    @classmethod
    def open(cls, root: Path, client: Client) -> Index:
        """Read the index of a folder, or begin a new one.

        Raises:
            RequestError: It is that of another server, or cannot be read.
            OSError: It cannot be written.
        """
        path = root / layout.INDEX
        base_url = client.base_url
        data = layout.read_json(path)
        if data is None:
            data = {
                "version": _VERSION,
                "provider": client.provider.name,
                "base_url": base_url,
                "archived_at": None,
            }
            _write(path, data)
        elif not isinstance(data, dict) or data.get("base_url") != base_url:
            there = data.get("base_url") if isinstance(data, dict) else None
            raise RequestError(
                f"The folder {str(root)!r} is the archive of {there or 'another program'}, not of "
                f"{base_url}; give another folder."
            )
        return cls(root, client.provider, data)

    @property
    def archived_at(self) -> float | None:
        """The Unix time of the last archiving that came to its end."""
        moment = self.data.get("archived_at")
        return None if moment is None else datetime.fromisoformat(moment).timestamp()

    def write(
        self,
        *,
        missing: Sequence[Missing] | None = None,
        archived_at: float | None = None,
        fetched_files: int = 0,
        fetched_bytes: int = 0,
    ) -> ArchiveReport:
        """Write the index of what is there, and return what it says.

        Args:
            missing: What could not be had; by default what the index said before.
            archived_at: The Unix time; by default what the index said before.
            fetched_files: How many files were downloaded.
            fetched_bytes: How large they are.
        """
        root = self._root
        if missing is None:
            missing = [Missing(**one) for one in self.data.get("missing", ())]
        if archived_at is not None:
            moment = datetime.fromtimestamp(archived_at, timezone.utc)
            self.data["archived_at"] = moment.isoformat(timespec="seconds")
        models = layout.read_json(root / layout.MODELS) or []
        jobs = [*self._jobs({model["id"]: model.get("shutdown_date") for model in models})]
        jobs.sort(key=lambda row: row["created_at"] or 0, reverse=True)
        files = self._files()
        of_account = [name for name in files if name.startswith(f"{layout.FILES}/")]
        report = ArchiveReport(
            directory=root,
            jobs=len(jobs),
            events=sum(row["events"] for row in jobs),
            checkpoints=sum(row["checkpoints"] for row in jobs),
            models=len(models),
            files=len(of_account),
            bytes=sum(file["bytes"] for file in files.values()),
            fetched_files=fetched_files,
            fetched_bytes=fetched_bytes,
            missing=[*missing],
        )
        counts = ("jobs", "events", "checkpoints", "models", "files", "bytes")
        self.data |= {
            "version": _VERSION,
            "written_by": f"finetune-client {__version__}",
            "is_complete": report.is_complete,
            "counts": {name: getattr(report, name) for name in counts},
            "missing": [asdict(one) for one in missing],
            "jobs": jobs,
            "files": files,
        }
        with replacing(root / layout.PAGE) as file:
            file.write(page(root, self.data).encode("utf-8", "replace"))
        _write(root / layout.INDEX, self.data)
        return report

    def _jobs(self, shutdown_dates: dict[str, str | None]) -> Iterator[dict[str, Any]]:
        """Yield a row for each job in the archive, also for those that the server lists no more."""
        for path in self._root.glob(f"*/{layout.SERVER_JOB}"):
            job = layout.read_json(path)
            tuned = job.get("fine_tuned_model")
            day = shutdown_dates.get(tuned) if isinstance(tuned, str) else None
            model = job.get("model")
            if tuned and day is None and isinstance(model, str):
                day = of_family(model, self._provider.shutdowns)
            events = path.with_name(layout.EVENTS)
            created = job.get("created_at")
            yield {
                "id": job.get("id"),
                "folder": path.parent.name,
                "status": job.get("status"),
                "error": _message_of(job.get("error")),
                "model": model,
                "fine_tuned_model": tuned,
                "shutdown_date": day,
                "created_at": created if isinstance(created, int) else None,
                "events": events.read_bytes().count(b"\n") if events.is_file() else 0,
                "checkpoints": len(layout.read_json(path.with_name(layout.CHECKPOINTS)) or ()),
            }

    def _files(self) -> dict[str, dict[str, Any]]:
        """Return size and SHA-256 of each file; one that has not changed since is not read again."""
        root = self._root
        index = root / layout.INDEX
        known = self.data.get("files", {})
        since = index.stat().st_mtime_ns
        listed: dict[str, Any] = {
            row["id"]: row for row in layout.read_json(root / layout.FILE_LIST) or ()
        }
        names = {layout.safe_name(file_id): file_id for file_id in listed}
        found = {}
        for path in sorted(root.rglob("*")):
            name = path.relative_to(root).as_posix()
            own = name in {layout.INDEX, layout.PAGE, layout.LOCK}
            if own or not path.is_file() or path.match(DRAFTS):
                continue
            state = path.stat()
            entry = known.get(name)
            is_same = entry and entry["bytes"] == state.st_size and state.st_mtime_ns < since
            checksum = entry["sha256"] if is_same else file_digest(path)
            found[name] = {"bytes": state.st_size, "sha256": checksum}
            file_id = names.get(path.stem) if name.startswith(f"{layout.FILES}/") else None
            if file_id is not None:
                keys = ("id", "filename", "purpose")
                found[name] |= {key: listed[file_id].get(key) for key in keys}
        return found


def _message_of(error: object) -> str | None:
    message = error.get("message") if isinstance(error, dict) else None
    return message if isinstance(message, str) and message else None


def _write(path: Path, data: dict[str, Any]) -> None:
    with replacing(path) as file:
        file.write((json.dumps(data, indent=1) + "\n").encode())
