"""The weights of a model: which checkpoint they are of, and its files in a directory.

A checkpoint's files are its weights on Nebius and on servers like it:
https://docs.tokenfactory.nebius.com/api-reference/introduction
"""

from __future__ import annotations

import errno
import json
import os
import re
import unicodedata
from contextlib import contextmanager, suppress
from itertools import takewhile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from finetune_client.atomic_file import DRAFTS, replacing, settle
from finetune_client.errors import (
    APIResponseError,
    BadRequestError,
    NotFoundError,
    RequestError,
    UnprocessableEntityError,
)
from finetune_client.file_lock import LockFile
from finetune_client.models import FileObject, FineTuningJob, FineTuningJobCheckpoint, Model
from finetune_client.resources.arguments import as_directory
from finetune_client.resources.files.progress import open_progress
from finetune_client.resources.pager import LARGEST_PAGE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from finetune_client.resources.files.files import Files
    from finetune_client.resources.files.progress import OnProgress, Progress
    from finetune_client.resources.jobs.jobs import Jobs
    from finetune_client.resources.options import RequestOptions

__all__ = ["WeightsSource", "download_weights", "find_checkpoint"]

WeightsSource = str | FineTuningJob | Model | FineTuningJobCheckpoint
"""A model's name or a job's id, or one of the objects."""

_OURS: Final = ".finetune-"
"""What the names of our own files begin with; no file of a server may be called so."""

_INDEX: Final = f"{_OURS}weights.json"
_LONGEST_NAME: Final = 255
"""In bytes; so it is on nearly every file system."""

_SEPARATORS: Final = re.compile(r"[/\\]")
_NOT_IN_NAMES: Final = re.compile(r'[\x00-\x1f\x7f<>:"|?*]')
_DEVICES: Final = re.compile(r"con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]", re.IGNORECASE)


def find_checkpoint(
    jobs: Jobs,
    model: WeightsSource,
    checkpoint: str | int | FineTuningJobCheckpoint | None,
    options: RequestOptions,
) -> FineTuningJobCheckpoint:
    """Return the checkpoint whose files are a model's weights.

    Args:
        jobs: Where to look.
        model: The model, its job, or the checkpoint itself.
        checkpoint: Which one of the job: its id, its name as a model, its step, or the object;
            `None` for the one with the highest step.
        options: The options of every request.

    Raises:
        RequestError: There is no such checkpoint, or an argument is of the wrong kind.
        APIError: No job is or made the model; or see `finetune_client.errors`.
    """
    if isinstance(model, FineTuningJobCheckpoint):
        if checkpoint is not None:
            raise RequestError("checkpoint is given twice: model is a checkpoint already.")
        return model
    if isinstance(checkpoint, FineTuningJobCheckpoint):
        return checkpoint
    if checkpoint is not None and (
        isinstance(checkpoint, bool) or not isinstance(checkpoint, str | int)
    ):
        raise RequestError(
            f"checkpoint must be an id, a step or a checkpoint, not {type(checkpoint).__name__}."
        )
    name, wanted = model.id if isinstance(model, Model) else model, checkpoint
    job_id = _job_id(jobs, name, options)
    if wanted is None and isinstance(name, str) and ":ckpt-step-" in name:
        wanted = name
    found = list(jobs.checkpoints.list(job_id, limit=LARGEST_PAGE, **options))
    if wanted is not None:
        fitting = [
            one
            for one in found
            if wanted in {one.id, one.step_number, one.fine_tuned_model_checkpoint}
        ]
        if not fitting:
            known = ", ".join(f"{one.id} (step {one.step_number})" for one in found) or "none"
            raise RequestError(
                f"The job {job_id!r} has no checkpoint {wanted!r}; it has: {known}. Nothing was "
                "written."
            )
        return fitting[0]
    if not found:
        raise RequestError(
            f"The job {job_id!r} has no checkpoints, so there are no weights of it. Nothing was "
            "written."
        )
    return max(found, key=lambda one: (one.step_number or 0, one.created_at or 0))


def _job_id(jobs: Jobs, name: object, options: RequestOptions) -> str:
    """Return the id of a job, which may be given by the name of the model that it made."""
    if isinstance(name, FineTuningJob):
        return name.id
    if not isinstance(name, str) or not name:
        raise RequestError(
            "model must be the name of a model, the id of a job, a FineTuningJob, a Model or a "
            f"checkpoint, not {type(name).__name__ if name != '' else 'an empty text'}."
        )
    if name.startswith("ftckpt"):
        raise RequestError(
            f"{name!r} is the id of a checkpoint, and the API finds none without its job: "
            f"client.models.download(job_id, directory, checkpoint={name!r})."
        )
    try:
        return jobs.retrieve(name, **options).id
    except (NotFoundError, BadRequestError, UnprocessableEntityError) as error:
        for job in jobs.list(limit=LARGEST_PAGE, **options):
            made = job.fine_tuned_model
            if made and (name == made or name.startswith(f"{made}:ckpt-step-")):
                return job.id
        raise type(error)(
            f"No job has the id {name!r} or made a model of that name, so its weights cannot be "
            "found; give the job that made it.",
            outcome=error.outcome,
            method=error.method,
            path=error.path,
            status_code=error.status_code,
            request_id=error.request_id,
            body=error.body,
        ) from error


def download_weights(
    files: Files,
    checkpoint: FineTuningJobCheckpoint,
    directory: str | os.PathLike[str],
    *,
    server: str,
    deadline: float | None,
    progress: Progress,
    options: RequestOptions,
) -> Path:
    """Write the files of a checkpoint into a directory; see `Models.download`.

    Args:
        files: What they are fetched with.
        checkpoint: Its ``result_files`` are fetched.
        directory: Where to write.
        server: The base URL, which stands in the index.
        deadline: When all must be over, on the monotonic clock; `None` for no limit.
        progress: As in `Files.download`, over all files together.
        options: The options of every request.
    """
    path = as_directory(directory, "directory")
    if not checkpoint.result_files:
        raise RequestError(
            f"The checkpoint {checkpoint.id!r} has no files, so the server gives no weights of it. "
            "Nothing was written."
        )
    ids = dict.fromkeys(checkpoint.result_files)
    named = _named(checkpoint.id, [files.retrieve(file_id, **options) for file_id in ids])
    place = _Place(
        path,
        named,
        {
            "server": server,
            "job": checkpoint.fine_tuning_job_id,
            "checkpoint": checkpoint.id,
            "files": {name: {"id": file.id, "bytes": file.bytes} for name, file in named.items()},
        },
    )
    if place.is_complete():
        place.tidy()
        return path
    total, done = sum(file.bytes or 0 for file in named.values()), 0
    with place.filling(), open_progress(progress, path.name) as on_progress:
        for number, (name, file) in enumerate(named.items()):
            shifted = _shifted(on_progress, done, total)
            if not place.has(name):
                with place.writing(name, number) as (sink, already):
                    if already != file.bytes:  # else it was killed before it got its name
                        files.write_content(
                            file,
                            sink,
                            on_progress=shifted,
                            deadline=deadline,
                            done=already,
                            **options,
                        )
            done += file.bytes or 0
            on_progress(done, total)
    return path


def _shifted(on_progress: OnProgress, before: int, total: int) -> OnProgress:
    """Return a function that tells the progress of one file as that of all."""
    return lambda done, _: on_progress(before + done, max(total, before + done))


class _Place:
    """A directory that is filled beside itself, or in itself if it is there and empty.

    Args:
        path: The directory.
        names: The files that belong into it.
        index: What is written down of them: with it a later call recognises what is there.

    Raises:
        RequestError: It is a file.
    """

    def __init__(
        self, path: Path, names: Mapping[str, FileObject], index: Mapping[str, Any]
    ) -> None:
        self._names = names
        self._index = index
        self._target = Path(os.path.realpath(path))
        self._is_there = self._target.is_dir()
        if not self._is_there and self._target.exists():
            raise RequestError(f"{os.fspath(path)!r} is a file; give the path of a directory.")
        # A directory that is there may be where a disk is mounted, or where this process works:
        # it cannot be replaced by another one.
        self._beside = self._target.with_name(f"{self._target.name}.part")
        self._draft = self._target / f"{_OURS}part" if self._is_there else self._beside

    def is_complete(self) -> bool:
        """Return whether all of it was downloaded before, and is still there."""
        return _read_index(self._target) == self._index and all(
            _is_whole(self._target / name, file) for name, file in self._names.items()
        )

    def tidy(self) -> None:
        """Remove what a call left that was killed when all was in its place already."""
        with suppress(OSError):
            self._draft.rmdir()
        for draft in (self._draft, self._beside):
            with suppress(OSError):
                if (path := _lock_path(draft)).exists() and (lock := LockFile(path)).acquire():
                    lock.release()

    @contextmanager
    def filling(self) -> Iterator[None]:
        """Fill the draft in the block, then put it into its place; it stays if the block raises."""
        self._draft.parent.mkdir(parents=True, exist_ok=True)
        lock = LockFile(_lock_path(self._draft))
        held = True
        with suppress(OSError):  # a file system without locks: nothing keeps two calls apart
            held = lock.acquire()
        if not held:
            raise RequestError(f"Another download into {str(self._target)!r} is running.")
        try:
            self._begin()
            yield
            self._finish()
        finally:
            lock.release()

    def _begin(self) -> None:
        if (found := _read_index(self._draft)) == self._index:
            return
        if self._draft.exists() and (found is not None or _has_others(self._draft)):
            raise _exists(self._draft, "This is left of another download; delete it to start over")
        if self._is_there and _has_others(self._target):
            raise _exists(self._target, "The directory is not empty; give a new one")
        self._draft.mkdir(exist_ok=True)
        for left in self._draft.glob(DRAFTS):  # by a call that was killed before it had an index
            left.unlink()
        with replacing(self._draft / _INDEX) as file:
            file.write(json.dumps(self._index, indent=2).encode("ascii"))

    def has(self, name: str) -> bool:
        """Return whether a file is there whole."""
        # It is in the directory itself if a call was killed while it moved the files there.
        return (self._draft / name).is_file() or _is_whole(self._target / name, self._names[name])

    @contextmanager
    def writing(self, name: str, number: int) -> Iterator[tuple[IO[bytes], int]]:
        """Open what there is of a file, to be continued; it gets its name when the block ends well."""
        partial, whole = self._draft / f"{_OURS}{number}.part", self._draft / name
        whole.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("ab") as sink:
            yield sink, sink.tell()
            sink.flush()
            os.fsync(sink.fileno())
        partial.replace(whole)

    def _finish(self) -> None:
        if not self._is_there:
            settle(self._draft)
            self._draft.rename(self._target)
            settle(self._target.parent)
            return
        for name in self._names:
            if (source := self._draft / name).exists():
                (self._target / name).parent.mkdir(parents=True, exist_ok=True)
                source.replace(self._target / name)
        for folder in sorted(self._draft.rglob("*"), reverse=True):
            if folder.is_dir():
                folder.rmdir()
        (self._draft / _INDEX).replace(self._target / _INDEX)  # last: it says that all is there
        self._draft.rmdir()
        settle(self._target)


def _lock_path(draft: Path) -> Path:
    return draft.with_name(f"{draft.name}.lock")


def _exists(path: Path, message: str) -> FileExistsError:
    return FileExistsError(errno.EEXIST, message, str(path))


def _has_others(directory: Path) -> bool:
    """Return whether there is anything in a directory but our own files."""
    return any(not one.name.startswith(_OURS) for one in directory.iterdir())


def _read_index(directory: Path) -> Any:
    """Return what is written down of a download; `None` if nothing readable is."""
    with suppress(OSError, ValueError):
        return json.loads((directory / _INDEX).read_bytes())
    return None


def _is_whole(path: Path, file: FileObject) -> bool:
    return path.is_file() and file.bytes in {None, path.stat().st_size}


def _named(checkpoint_id: str, files: list[FileObject]) -> dict[str, FileObject]:
    """Return the files by the paths that they get, with slashes, below the directory.

    Folders that all of them are in are left out: servers call a file by its place on their disk.

    Raises:
        APIResponseError: A name could lead out of the directory, or means something else on some
            system; or two files would be one.
    """
    split = [_SEPARATORS.split(file.filename or file.id) for file in files]
    levels = zip(*(parts[:-1] for parts in split), strict=False)
    shared = sum(1 for _ in takewhile(lambda level: len(set(level)) == 1, levels))
    named: dict[str, FileObject] = {}
    seen: set[str] = set()
    folders: set[str] = set()
    for file, parts in zip(files, split, strict=True):
        rest = parts[shared:]
        if not all(map(_is_safe, rest)):
            raise _refused(file, f"{file.filename!r}, which is not safe as a name here")
        # Windows and macOS take names for the same that differ in case or in how they are encoded.
        keys = [unicodedata.normalize("NFC", part).casefold() for part in rest]
        above = {"/".join(keys[:depth]) for depth in range(1, len(keys))}
        key = "/".join(keys)
        if key in seen | folders or above & seen:
            raise _refused(
                file, f"{file.filename!r}, like another file of the checkpoint {checkpoint_id!r}"
            )
        seen.add(key)
        folders |= above
        named["/".join(rest)] = file
    return named


def _is_safe(part: str) -> bool:
    """Return whether a part of a path is a plain name on every system."""
    try:
        size = len(part.encode())
    except UnicodeEncodeError:
        return False
    return (
        0 < size <= _LONGEST_NAME
        and part[-1] not in " ."  # which Windows drops; and no "." or ".."
        and _NOT_IN_NAMES.search(part) is None
        and _DEVICES.fullmatch(part.partition(".")[0].rstrip()) is None
        and not part.lower().startswith(_OURS)
    )


def _refused(file: FileObject, what: str) -> APIResponseError:
    return APIResponseError(
        f"The server calls the file {file.id!r} {what}; nothing was written. Fetch it under a name "
        f"of your own: client.files.download({file.id!r}, path).",
        outcome="bad_answer",
        method="GET",
        path=f"/files/{file.id}",
    )
