"""Saving what an account holds: only reads, and only what is not in the archive yet."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from finetune_client.archive import layout
from finetune_client.archive.index import Index
from finetune_client.archive.locking import locked
from finetune_client.archive.report import ArchiveProgress, ArchiveReport, Missing, reason_of
from finetune_client.atomic_file import replacing
from finetune_client.clock import SYSTEM_CLOCK
from finetune_client.errors import (
    APIConnectionError,
    APIError,
    AuthenticationError,
    RequestError,
)
from finetune_client.job_files import FILE_FIELDS, JobFile
from finetune_client.metrics import Metrics
from finetune_client.models import (
    FileObject,
    FineTuningJob,
    FineTuningJobCheckpoint,
    FineTuningJobEvent,
)
from finetune_client.models.files import FilePurpose
from finetune_client.resources.pager import LARGEST_PAGE
from finetune_client.transport import path_segment

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from finetune_client.archive.report import OnProgress
    from finetune_client.client import Client
    from finetune_client.providers import Feature
    from finetune_client.resources.pager import Pager

__all__ = ["save"]

T = TypeVar("T")

_MOST_IN_A_ROW = 5
"""So many jobs or files whose connection failed, without one that came, end the archiving."""

_LARGEST_CSV = 64 * 1024 * 1024
"""No result file with metrics is larger; weights are."""

_PURPOSES = (FilePurpose.FINE_TUNE, FilePurpose.FINE_TUNE_RESULTS)


def save(
    client: Client,
    directory: str | os.PathLike[str],
    *,
    concurrency: int = 4,
    on_progress: OnProgress | None = None,
    now: Callable[[], float] = SYSTEM_CLOCK.now,
) -> ArchiveReport:
    """Save all jobs with their events, checkpoints, metrics and files, and the models, in a folder.

    It reads only. Run it again to fetch what is new: files that are there, and the events and
    checkpoints of jobs that had ended, are not asked for again. Nothing in the folder is ever half
    written, so it may be killed at any moment and run again. What the server refuses is listed,
    and the rest continues.

    With an admin key it saves the permissions of checkpoints too. What the provider does not have
    (`Provider.lacks`) is left out.

    Args:
        client: The client.
        directory: A new or empty folder, or an earlier archive of the same server. Only its owner
            can read it (mode 0700), where the system has that.
        concurrency: How many jobs or files at once.
        on_progress: Called with an `ArchiveProgress`, from one thread at a time; what it raises
            ends the archiving.
        now: Returns the Unix time in seconds.

    Returns:
        What the archive holds, and what could not be had.

    Raises:
        RequestError: The folder is something else than an archive of this server, or another
            process is writing to it; nothing was sent.
        AuthenticationError: The key is refused.
        APIError: The jobs cannot be listed, or the server cannot be reached any more.
        OSError: The folder cannot be written to.
    """
    if concurrency < 1:
        raise RequestError(f"concurrency must be a whole number from 1, got {concurrency!r}.")
    root = Path(directory).absolute()
    with locked(root):
        index = Index.open(root, client)
        saving = _Saving(
            client, root, concurrency, on_progress or _ignore_progress, index.archived_at
        )
        saving.run()
        saving.report_progress(ArchiveProgress(phase="index"))
        return index.write(
            missing=saving.missing,
            archived_at=now(),
            fetched_files=saving.fetched_files,
            fetched_bytes=saving.fetched_bytes,
        )


def _write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, unless it holds this already."""
    try:
        if path.stat().st_size == len(content) and path.read_bytes() == content:
            return
    except FileNotFoundError:
        pass
    with replacing(path) as file:
        file.write(content)


def _json(data: Any) -> bytes:
    return (json.dumps(data, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "surrogatepass")


def _lines(rows: Iterable[Any]) -> bytes:
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    return text.encode("utf-8", "surrogatepass")


def _ignore_progress(progress: ArchiveProgress) -> None:
    """Do nothing: nobody asked for the progress."""


class _StoppedError(Exception):
    """Another thread has ended the archiving."""


class _Failures(list["tuple[Missing, APIError | RequestError]"]):
    """What could not be had of one job or file."""

    def note(self, what: str, owner: str | None, error: APIError | RequestError) -> None:
        """Add one failure."""
        self.append((reason_of(what, owner, error), error))

    @property
    def may_pass(self) -> bool:
        """Whether another try may succeed."""
        return any(not missing.is_final for missing, _ in self)

    def raise_if(self, hopeless: bool) -> None:
        """Raise the last error if there is no hope for the others."""
        if hopeless:
            raise self[-1][1]

    @property
    def is_connection_lost(self) -> bool:
        """Whether the server could not be reached."""
        return any(isinstance(error, APIConnectionError) for _, error in self)


class _Saving:
    """One run of `save`.

    Attributes:
        missing: What could not be had.
        fetched_files, fetched_bytes: What was downloaded.
    """

    def __init__(
        self,
        client: Client,
        root: Path,
        concurrency: int,
        on_progress: OnProgress,
        archived_at: float | None,
    ) -> None:
        self._client = client
        self._root = root
        self._concurrency = concurrency
        self._on_progress = on_progress
        self._archived_at = archived_at
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._lacks = client.provider.lacks
        self._with_permissions = client.has_admin_key and "permissions" not in self._lacks
        self._listed: dict[str, FileObject] = {}
        self._bytes: dict[str, int] = {}
        self._bytes_total = 0
        self._files_total = 0
        self.missing: list[Missing] = []
        self.fetched_files = 0
        self.fetched_bytes = 0

    def report_progress(self, progress: ArchiveProgress) -> None:
        """Report how far it is."""
        with self._lock:
            self._on_progress(progress)

    def run(self) -> None:
        """Fetch all that is not here."""
        self.report_progress(ArchiveProgress(phase="lists"))
        self._note_lack("events", "events")
        self._note_lack("checkpoints", "checkpoints")
        jobs = self._list_jobs()
        self._list_files()
        self._list_models()
        self._each("jobs", {job.id: job for job in jobs}, self._save_job)
        if not self._note_lack("file_content", "files"):
            self._save_files(jobs)
        here = self._files_here()
        for job in jobs:
            self._describe(job, here)

    def _note_lack(self, feature: Feature, what: str) -> bool:
        reason = self._lacks.get(feature)
        if reason is not None:
            message = f"The provider {self._client.provider.name!r} does not have them: {reason}."
            self.missing.append(Missing(what=what, message=message, is_final=True))
        return reason is not None

    def _list_jobs(self) -> list[FineTuningJob]:
        jobs: list[FineTuningJob] = []
        for page in self._client.jobs.list(limit=LARGEST_PAGE).pages():
            jobs += page.data
            for row in page.unreadable:
                message = f"A row of the list of jobs cannot be read: {json.dumps(row)[:500]}"
                self.missing.append(Missing(what="job", message=message))
        return jobs

    def _list_files(self) -> None:
        """Save the list of files; the ones that jobs name are fetched without it as well."""
        path = self._root / layout.FILE_LIST
        rows: dict[str, Any] = {row["id"]: row for row in layout.read_json(path) or ()}
        failures = _Failures()
        try:
            for file in self._client.files.list():
                rows[file.id] = file.to_dict()
                self._listed[file.id] = file
        except AuthenticationError:
            raise
        except APIError as error:
            failures.note("files", None, error)
        self.missing += [missing for missing, _ in failures]
        _write_whole(path, _json(list(rows.values())))

    def _list_models(self) -> None:
        """Save the models, and keep those that were there once: their days are worth knowing."""
        path = self._root / layout.MODELS
        rows: dict[str, Any] = {row["id"]: row for row in layout.read_json(path) or ()}
        failures = _Failures()
        try:
            rows.update((model.id, model.to_dict()) for model in self._client.models.list())
        except AuthenticationError:
            raise
        except APIError as error:
            failures.note("models", None, error)
        self.missing += [missing for missing, _ in failures]
        _write_whole(path, _json(list(rows.values())))

    def _each(self, phase: Any, items: Mapping[str, T], work: Callable[[T], _Failures]) -> None:
        """Do the work for each item, a few at a time, and once more for what may pass.

        Raises:
            APIError: A key is refused, or the server cannot be reached.
        """
        done = 0
        failed: dict[str, _Failures] = {}
        for again in (False, True):
            todo = {key: items[key] for key in failed if failed[key].may_pass} if again else items
            in_a_row = 0
            with ThreadPoolExecutor(self._concurrency, thread_name_prefix="finetune-save") as pool:
                calls = {pool.submit(work, item): key for key, item in todo.items()}
                try:
                    for call in as_completed(calls):
                        failures = call.result()
                        failed[calls[call]] = failures
                        in_a_row = in_a_row + 1 if failures.is_connection_lost else 0
                        failures.raise_if(in_a_row >= _MOST_IN_A_ROW)
                        done += not again
                        self.report_progress(self._progress(phase, done, len(items)))
                except BaseException:
                    self._stop.set()
                    pool.shutdown(cancel_futures=True)
                    raise
        self.missing += [missing for key in items for missing, _ in failed[key]]

    def _progress(self, phase: Any, done: int, total: int) -> ArchiveProgress:
        if phase != "files":
            return ArchiveProgress(phase=phase, done=done, total=total)
        return ArchiveProgress(
            phase=phase,
            done=done,
            total=total,
            bytes_done=sum(list(self._bytes.values())),
            bytes_total=self._bytes_total,
        )

    def _save_job(self, job: FineTuningJob) -> _Failures:
        """Fetch what is not here of one job; its object is written last, as the mark that it is whole."""
        failures = _Failures()
        folder = self._root / layout.safe_name(job.id)
        folder.mkdir(exist_ok=True)
        path = folder / layout.SERVER_JOB
        saved = layout.read_json(path)
        is_ended = job.is_terminal and saved is not None and saved.get("status") == job.status
        is_whole = is_ended and self._had_all_events(job)
        sent = None if is_whole else self._fetch(failures, "job", job.id, self._as_sent, job)
        is_stale = False
        lists: dict[str, tuple[str, Callable[[], Pager[Any]], Callable[[list[Any]], bytes]]] = {
            "events": (
                layout.EVENTS,
                lambda: self._client.jobs.list_events(job.id, limit=LARGEST_PAGE),
                lambda rows: _lines(_oldest_first(rows)),
            ),
            "checkpoints": (
                layout.CHECKPOINTS,
                lambda: self._client.jobs.checkpoints.list(job.id, limit=LARGEST_PAGE),
                _json,
            ),
        }
        for what, (name, request, write) in lists.items():
            there = (folder / name).is_file()
            if what in self._lacks or (is_whole and there):
                continue
            rows = self._fetch(failures, what, job.id, _rows, request)
            if rows is not None:
                _write_whole(folder / name, write(rows))
            elif there:
                is_stale = True
        if self._with_permissions:
            self._save_permissions(job, folder, failures)
        # With an older list beside it, the older object stays: the next run asks for both again.
        if sent is not None and not is_stale:
            _write_whole(path, _json(sent))
        return failures

    def _had_all_events(self, job: FineTuningJob) -> bool:
        """Return whether no further event of an ended job can have come since the last archiving."""
        late = self._client.provider.late_events
        if not late or job.finished_at is None:
            return True
        return self._archived_at is not None and self._archived_at > job.finished_at + late

    def _fetch(
        self, failures: _Failures, what: str, owner: str, fetch: Callable[..., T], *args: Any
    ) -> T | None:
        """Return what ``fetch`` returns; None if the server does not give it.

        Raises:
            AuthenticationError: The key is refused.
        """
        if self._stop.is_set():
            raise _StoppedError
        try:
            return fetch(*args)
        except AuthenticationError:
            raise
        except (APIError, RequestError) as error:  # the latter: an id that cannot be in a path
            failures.note(what, owner, error)
        return None

    def _as_sent(self, job: FineTuningJob) -> Any:
        """Return the job's object with all that the server sends, nulls included."""
        name = path_segment(job.id, "fine_tuning_job_id")
        sent = self._client.request("GET", f"/fine_tuning/jobs/{name}")
        return sent if isinstance(sent, dict) and sent.get("id") == job.id else job.to_dict()

    def _save_permissions(self, job: FineTuningJob, folder: Path, failures: _Failures) -> None:
        """Save who may use the job's checkpoints: this may change, and is asked each time."""
        path = folder / layout.PERMISSIONS
        found: dict[str, Any] = layout.read_json(path) or {}
        for name in _model_names(job, folder):
            try:
                rows = self._fetch(
                    failures,
                    "permissions",
                    name,
                    _rows,
                    partial(self._client.checkpoints.permissions.list, name, limit=LARGEST_PAGE),
                )
            except AuthenticationError as error:  # of the admin key; the other one may be good
                self._with_permissions = False
                failures.note("permissions", None, error)
                return
            if rows is not None:
                found[name] = rows
        if found:
            _write_whole(path, _json(found))

    def _save_files(self, jobs: Sequence[FineTuningJob]) -> None:
        wanted = self._wanted_files(jobs)
        here = self._files_here()
        todo = {key: suffix for key, suffix in wanted.items() if layout.safe_name(key) not in here}
        if not todo:
            return
        (self._root / layout.FILES).mkdir(exist_ok=True)
        sizes = [self._listed[key].bytes or 0 for key in todo if key in self._listed]
        self._bytes_total = sum(sizes)
        self._files_total = len(todo)
        self._each("files", {key: (key, todo[key]) for key in todo}, self._save_file)

    def _wanted_files(self, jobs: Sequence[FineTuningJob]) -> dict[str, str]:
        """Return the files to have: id -> the ending of its name where its own is not known."""
        has_metrics = "result_files" not in self._lacks
        wanted: dict[str, str] = {}
        for job in jobs:
            results = [*(job.result_files or ())]
            folder = self._root / layout.safe_name(job.id)
            for row in layout.read_json(folder / layout.CHECKPOINTS) or ():
                more = row.get("result_files") if isinstance(row, dict) else None
                results += [one for one in more or () if isinstance(one, str)]
            wanted.update(dict.fromkeys(results, ".csv" if has_metrics else ""))
            data = (getattr(job, name) for name in FILE_FIELDS)
            wanted.update((file_id, ".jsonl") for file_id in data if file_id)
        for file in self._listed.values():
            if file.purpose in _PURPOSES:
                is_data = file.purpose == FilePurpose.FINE_TUNE
                wanted.setdefault(file.id, ".jsonl" if is_data else ".csv")
        return wanted

    def _files_here(self) -> dict[str, Path]:
        """Return the files that are in the archive, by the name of their id."""
        folder = self._root / layout.FILES
        return {path.stem: path for path in folder.glob("[!.]*")}

    def _save_file(self, wanted: tuple[str, str]) -> _Failures:
        file_id, suffix = wanted
        failures = _Failures()
        listed = self._listed.get(file_id)
        name = layout.file_name(file_id, listed.filename if listed else None, suffix)
        target = self._root / layout.FILES / name

        def on_progress(done: int, total: int) -> None:  # noqa: ARG001  # the list has the total
            if self._stop.is_set():
                raise _StoppedError
            self._bytes[file_id] = done
            self.report_progress(self._progress("files", self.fetched_files, self._files_total))

        download = partial(self._client.files.download, progress=on_progress)
        if self._fetch(failures, "file", file_id, download, file_id, target) is None:
            self._bytes.pop(file_id, None)
            return failures
        with self._lock:
            self.fetched_files += 1
            self.fetched_bytes += target.stat().st_size
        return failures

    def _describe(self, job: FineTuningJob, here: Mapping[str, Path]) -> None:
        """Write the job file and the curves of a job, from what is here."""
        folder = self._root / layout.safe_name(job.id)
        metrics = self._metrics(job, folder, here)
        if metrics:
            _write_whole(folder / layout.METRICS, metrics.to_csv().encode())
        ids = {name: getattr(job, name) for name in FILE_FIELDS}
        paths = {
            name: here[layout.safe_name(file_id)]
            for name, file_id in ids.items()
            if file_id and layout.safe_name(file_id) in here
        }
        job_file = JobFile.of_job(job, self._client.provider, paths)
        try:
            content = job_file.to_json(folder, within=self._root)
        except RequestError as error:
            self.missing.append(Missing(what="job_file", id=job.id, message=error.message))
        else:
            _write_whole(folder / layout.JOB_FILES[0], content)

    def _metrics(self, job: FineTuningJob, folder: Path, here: Mapping[str, Path]) -> Metrics:
        """Return the curves from the first of these that has any: result files, events, checkpoints."""
        has_metrics = "result_files" not in self._lacks
        for file_id in (job.result_files or ()) if has_metrics else ():
            path = here.get(layout.safe_name(file_id))
            if path is not None and path.stat().st_size <= _LARGEST_CSV:
                metrics = Metrics.from_csv(path.read_bytes())
                if metrics:
                    return metrics
        events = folder / layout.EVENTS
        rows = events.read_bytes().splitlines() if events.is_file() else ()
        metrics = Metrics.from_events(
            FineTuningJobEvent.from_dict(row) for row in map(json.loads, rows) if _is_object(row)
        )
        if metrics:
            return metrics
        checkpoints = layout.read_json(folder / layout.CHECKPOINTS) or ()
        return Metrics.from_checkpoints(
            FineTuningJobCheckpoint.from_dict(row) for row in checkpoints if _has_id(row)
        )


def _rows(request: Callable[[], Pager[Any]]) -> list[Any]:
    """Return all rows of a list as JSON, also those that cannot be read."""
    return [row for page in request().pages() for row in page.to_dict()["data"]]


def _oldest_first(rows: list[Any]) -> list[Any]:
    """Return events in the order of their times; lists are newest first."""
    times = [row.get("created_at") if isinstance(row, dict) else None for row in rows]
    turned = rows[::-1]
    if not all(isinstance(time, int) for time in times):
        return turned
    return sorted(turned, key=lambda row: row["created_at"])


def _model_names(job: FineTuningJob, folder: Path) -> list[str]:
    """Return the names under which a job's model and its checkpoints can be used."""
    rows = layout.read_json(folder / layout.CHECKPOINTS) or ()
    names = [row.get("fine_tuned_model_checkpoint") for row in rows if _is_object(row)]
    found = dict.fromkeys([job.fine_tuned_model, *names])
    return [name for name in found if isinstance(name, str) and name]


def _is_object(row: object) -> bool:
    return isinstance(row, dict)


def _has_id(row: object) -> bool:
    return isinstance(row, dict) and isinstance(row.get("id"), str)
