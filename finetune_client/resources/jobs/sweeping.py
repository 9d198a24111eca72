"""Sweeps: one job for each setting of a grid, compared by the validation file.

Each job has an idempotency key of its own, which is made from the sweep's key and the setting, so
that the same sweep, run again, finds its jobs instead of paying for new ones.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from finetune_client.display import counted
from finetune_client.errors import RateLimitError, RequestError, WaitTimeoutError
from finetune_client.file_digest import file_digest
from finetune_client.metrics import Comparison, Metrics, compare
from finetune_client.models import FineTuningJob, FineTuningJobEvent, FineTuningJobRequest
from finetune_client.models.codec import to_plain
from finetune_client.models.methods import MethodType
from finetune_client.resources.jobs.creating import CreateStep, OnStep, check_files, check_request
from finetune_client.resources.jobs.idempotency_keys import checked_key
from finetune_client.tables import html_table
from finetune_client.waiting import Pace, Watcher

if TYPE_CHECKING:
    from finetune_client.clock import Clock
    from finetune_client.providers import Provider
    from finetune_client.transport import Session

__all__ = [
    "Creator",
    "Grid",
    "OnRun",
    "OnSweepEvent",
    "Sweep",
    "SweepRun",
    "finish",
    "plan_runs",
    "run_all",
]

Grid: TypeAlias = Mapping[str, Iterable[Any]]
"""Name of a setting -> its values."""

_QUOTA = "insufficient_quota"
"""The code of a 429 that no waiting helps against."""

_FIELDS = frozenset(one.name for one in fields(FineTuningJobRequest)) - {"extra"}

_FIRST_PAUSE = 5.0
"""Seconds before a create that was refused with 429 is tried again, if no job of the sweep is under
way whose end may make room."""

_MOST_REFUSALS = 20
"""So many refusals in a row, with no job of the sweep under way, are the server's last word."""


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class SweepRun:
    """One setting of a sweep, and its job.

    Attributes:
        settings: Name -> value, as in the grid.
        idempotency_key: The key of its job.
        request: The JSON form of the request, without files that are still to be uploaded.
        job: The job as last seen, once it was created or found.
        metrics: Its curves, once it has ended.
        found: Whether the job was there already.
    """

    settings: dict[str, Any]
    idempotency_key: str
    request: dict[str, Any]
    job: FineTuningJob | None = None
    metrics: Metrics = field(default_factory=Metrics)
    found: bool = False

    @property
    def label(self) -> str:
        """The settings in a line: ``n_epochs=2, batch_size=8``."""
        pairs = ((name.rpartition(".")[2], value) for name, value in self.settings.items())
        return ", ".join(f"{name}={_short(value)}" for name, value in pairs)

    def __repr__(self) -> str:
        job = self.job
        return f"<SweepRun {self.label}: {f'{job.id} {job.status}' if job else 'no job yet'}>"


OnSweepEvent: TypeAlias = Callable[[SweepRun, FineTuningJobEvent], object]
"""Is called with each event of each job, oldest first."""

OnRun: TypeAlias = Callable[[SweepRun], object]
"""Is called when a job was created or found, and when it has ended."""


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class Sweep:
    """What came of a sweep.

    Attributes:
        idempotency_key: The sweep's key: with it the same sweep finds its jobs.
        runs: One for each setting, in the order of the grid.
        comparison: The runs side by side, the best first; `None` if none has a curve.
    """

    idempotency_key: str
    runs: list[SweepRun]
    comparison: Comparison | None = None

    @property
    def jobs(self) -> list[FineTuningJob]:
        """The jobs, in the order of the grid."""
        return [run.job for run in self.runs if run.job is not None]

    @property
    def metrics(self) -> dict[str, Metrics]:
        """The label of each run -> its curves."""
        return {run.label: run.metrics for run in self.runs}

    @property
    def best(self) -> SweepRun | None:
        """The run whose best value is the best of all, among the jobs that succeeded."""
        by_label = {run.label: run for run in self.runs}
        for label, value, *_ in self.comparison.rows if self.comparison else ():
            run = by_label[label]
            if not math.isnan(value) and run.job is not None and run.job.is_succeeded:
                return run
        return None

    @property
    def failed(self) -> list[SweepRun]:
        """The runs whose jobs failed or were cancelled."""
        return [run for run in self.runs if run.job is not None and not run.job.is_succeeded]

    def to_dict(self) -> dict[str, Any]:
        """Return all of it but the curves, as plain JSON."""
        values = {label: facts for label, *facts in self.comparison.rows} if self.comparison else {}
        best = self.best
        return {
            "idempotency_key": self.idempotency_key,
            "compared_by": self.comparison.name if self.comparison else None,
            "best": best.label if best else None,
            "runs": [
                {
                    "label": run.label,
                    "settings": to_plain(run.settings),
                    "idempotency_key": run.idempotency_key,
                    "job": run.job.to_dict() if run.job else None,
                    "found": run.found,
                    **dict(
                        zip(("best", "at_step", "last"), values.get(run.label, ()), strict=False)
                    ),
                }
                for run in self.runs
            ],
        }

    def __str__(self) -> str:
        """Return the comparison as plain text, and the model of the best run."""
        lines = [str(self.comparison) if self.comparison else "No run has a curve to compare."]
        lines += [f"{run.label}: {run.job.status}" for run in self.failed if run.job]
        best = self.best
        if best is not None and best.job is not None:
            lines.append(f"Best: {best.label}, {best.job.fine_tuned_model or best.job.id}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<Sweep {self.idempotency_key}: {counted(len(self.runs), 'run')}, {len(self.failed)} failed>"

    def _repr_html_(self) -> str:
        """Show the comparison and the jobs in a notebook."""
        rows = [
            (run.label, run.job.id, run.job.status, run.job.fine_tuned_model)
            for run in self.runs
            if run.job is not None
        ]
        table = html_table(("settings", "job", "status", "model"), rows)
        compared = (
            self.comparison._repr_html_() if self.comparison else ""
        )  # what notebooks call it
        return f"<div>{compared}{table}</div>"


def plan_runs(
    request: FineTuningJobRequest | Mapping[str, Any],
    grid: Grid,
    provider: Provider,
    key: str | None,
) -> tuple[str, list[SweepRun], dict[str, Path]]:
    """Return the sweep's key, a run for each setting, and the files that are still to be uploaded.

    Args:
        request: What all jobs have in common; files may be paths.
        grid: What they differ in.
        provider: Tells where hyperparameters stand.
        key: The sweep's key; by default it is made from the request and what is in its files.

    Raises:
        RequestError: The grid is empty or names a setting twice, or the key is not valid.
        OSError: A file cannot be read.
    """
    body = deepcopy(dict(to_plain(request)))
    paths = {
        name: Path(body.pop(name))
        for name in ("training_file", "validation_file")
        if isinstance(body.get(name), Path)
    }
    names, columns = _axes(grid)
    if key is None:
        contents = {name: file_digest(path) for name, path in paths.items()}
        key = f"sweep-{_digest({'request': body, 'files': contents})}"
    runs = []
    for values in itertools.product(*columns):
        settings = dict(zip(names, values, strict=True))
        changed = deepcopy(body)
        for name, value in settings.items():
            _put(changed, name, to_plain(value), provider)
        own_key = checked_key(f"{key}-{_digest(to_plain(settings))}")
        runs.append(SweepRun(settings=settings, idempotency_key=own_key, request=changed))
    if len({run.idempotency_key for run in runs}) < len(runs):
        raise RequestError(
            "The grid has a setting twice: each value of a name must be another one."
        )
    return key, runs, paths


def _axes(grid: Grid) -> tuple[list[str], list[list[Any]]]:
    columns: list[list[Any]] = []
    for name, values in grid.items():
        if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
            raise RequestError(f"grid[{name!r}] must be a list of values, got {values!r:.80}.")
        columns.append(list(values))
        if not columns[-1]:
            raise RequestError(f"grid[{name!r}] has no value.")
    if not columns:
        raise RequestError("The grid has no setting: give a name and its values.")
    return list(grid), columns


def _put(body: dict[str, Any], name: str, value: Any, provider: Provider) -> None:
    """Set one setting: a path with dots, a field of the request, or else a hyperparameter."""
    if "." in name:
        path = name.split(".")
    elif name in _FIELDS:
        path = [name]
    elif "method" not in body and ("hyperparameters" in body or "method" in provider.lacks):
        path = ["hyperparameters", name]
    else:
        kind = body.setdefault("method", {"type": MethodType.SUPERVISED}).get("type")
        path = ["method", str(kind), "hyperparameters", name]
    if path[0] == "method" and len(path) > 2:
        method = dict(body.get("method") or {})
        body["method"] = {"type": method.get("type") or path[1], **method}
    place = body
    for step in path[:-1]:
        inner = place.get(step)
        place[step] = dict(inner) if isinstance(inner, Mapping) else {}
        place = place[step]
    place[path[-1]] = value


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(to_plain(value), default=str)
    return text if len(text) <= 40 else f"{text[:39]}…"


class Creator:
    """Creates the jobs of a sweep; what is uploaded for one is used by all.

    Args:
        session: Its provider says what is known of a job again.
        runs: The runs.
        paths: The files that are still to be uploaded, by their argument of `Jobs.create`.
        find: Returns the job that has a key, if there is one.
        upload: Uploads a file, and returns its id.
        create: `Jobs.create`, with what is the same for all jobs.
        on_step: Called with each `CreateStep`.
    """

    def __init__(
        self,
        session: Session,
        runs: Sequence[SweepRun],
        paths: Mapping[str, Path],
        *,
        find: Callable[[str], FineTuningJob | None],
        upload: Callable[[Path], str],
        create: Callable[..., FineTuningJob],
        on_step: OnStep,
    ) -> None:
        self._session = session
        self._paths = paths
        self._find = find
        self._upload = upload
        self._create = create
        self._on_step = on_step
        self._uploaded: dict[str, str] = {}
        self._requests = {run.label: FineTuningJobRequest.from_dict(run.request) for run in runs}
        self._runs = runs

    def check(self) -> None:
        """Check all requests, and the files for each model, before anything is sent.

        Raises:
            RequestError: Something is wrong with a setting.
            TrainingDataError: A file is not fit to train on.
        """
        session = self._session
        for run in self._runs:
            check_request(self._requests[run.label], run.request, self._paths, session)
        first = self._runs[0].request
        check_files(self._paths, first, session.provider, self._on_step)
        for run in self._runs[1:]:
            if run.request.get("model") != first.get("model"):
                check_files(self._paths, run.request, session.provider, lambda _: None)

    def create(self, run: SweepRun) -> FineTuningJob:
        """Create the job of a run, or find it; uploads the files if no run has yet."""
        provider = self._session.provider
        if self._paths and not self._uploaded and "metadata" not in provider.lacks:
            found = self._find(run.idempotency_key)
            if found is not None:
                run.found = True
                return found
        files: Mapping[str, Any] = self._paths
        if provider.marks_jobs:  # a ledger knows a job by what is in its files, not by their ids
            for name, path in self._paths.items():
                if name not in self._uploaded:
                    self._uploaded[name] = self._upload(path)
            files = self._uploaded

        def note(step: CreateStep) -> None:
            if step.kind == "found":
                run.found = True
            if step.kind != "checked":
                self._on_step(step)

        request = self._requests[run.label]
        given = {name: getattr(request, name) for name in _FIELDS}
        return self._create(
            **{**given, **files},
            idempotency_key=run.idempotency_key,
            on_step=note,
            extra_body=request.extra or None,
        )


def run_all(
    runs: Sequence[SweepRun],
    *,
    create: Callable[[SweepRun], FineTuningJob],
    watch: Callable[[str], Watcher],
    new_pace: Callable[[float | None], Pace],
    clock: Clock,
    concurrency: int,
    timeout: float | None,
    on_event: OnSweepEvent | None,
    on_run: OnRun | None,
) -> None:
    """Create the jobs, as many at once as allowed, and wait until all have ended.

    Args:
        runs: The runs; their `job` is kept up to date.
        create: Creates the job of a run, or finds it.
        watch: Returns the watcher of a job.
        new_pace: Returns the pauses of polls, for so many seconds.
        clock: Tells the time.
        concurrency: How many jobs are under way at once, at most.
        timeout: Seconds for all of it; `None` for no limit.
        on_event: See `OnSweepEvent`.
        on_run: See `OnRun`.

    Raises:
        RateLimitError: The quota is used up, or there is never room for a job.
        WaitTimeoutError: The time was over first.
        APIError: A create or a poll failed in a way that does not pass.
    """
    deadline = None if timeout is None else clock.monotonic() + timeout
    waiting, refusals, room = list(runs), 0, concurrency
    active: list[tuple[SweepRun, Watcher]] = []

    def pace_now() -> Pace:
        return new_pace(None if deadline is None else max(0.0, deadline - clock.monotonic()))

    pace = pace_now()
    while waiting or active:
        pause = 0.0
        while waiting and len(active) < room:
            try:
                job = create(waiting[0])
            except RateLimitError as error:
                refusals += 1
                if error.code == _QUOTA or (not active and refusals > _MOST_REFUSALS):
                    raise
                room = max(1, len(active))
                pause = max(error.retry_after or 0.0, 0.0 if active else _FIRST_PAUSE)
                break
            refusals, pace = 0, pace_now()
            run = waiting.pop(0)
            run.job = job
            active.append((run, watch(job.id)))
            if on_run:
                on_run(run)
        for run, watcher in list(active):
            for event in _poll(watcher):
                if on_event:
                    on_event(run, event)
            run.job = watcher.job or run.job
            if watcher.done:
                active.remove((run, watcher))
                room, pace = concurrency, pace_now()
                if on_run:
                    on_run(run)
        if active or pause:
            asked = max([pause, *(watcher.retry_after for _, watcher in active)])
            if not pace.pause(asked):
                raise _timed_out([run for run, _ in active], waiting)
        elif waiting and deadline is not None and clock.monotonic() >= deadline:
            raise _timed_out([], waiting)


def _poll(watcher: Watcher) -> Iterator[FineTuningJobEvent]:
    yield from watcher.poll()
    if watcher.is_closing and not watcher.done and not watcher.failed:
        yield from watcher.poll()


def _timed_out(active: Sequence[SweepRun], waiting: Sequence[SweepRun]) -> WaitTimeoutError:
    jobs = [run.job for run in active if run.job is not None]
    names = ", ".join(f"{job.id} ({job.status})" for job in jobs) or "none"
    return WaitTimeoutError(
        f"The time to wait is over. Jobs that have not ended: {names}; settings without a job: "
        f"{len(waiting)}. Nothing was cancelled. The same sweep, run again, finds its jobs.",
        job=jobs[0] if jobs else None,
        jobs=jobs,
    )


def finish(key: str, runs: list[SweepRun], metric: str | None) -> Sweep:
    """Return the result of a sweep whose jobs have ended and whose curves are there."""
    curves = {run.label: run.metrics for run in runs}
    comparison = compare(curves, metric) if any(curves.values()) else None
    return Sweep(idempotency_key=key, runs=runs, comparison=comparison)
