"""Fine-tuning jobs.

https://developers.openai.com/api/reference
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from finetune_client import resources
from finetune_client.backports import Unpack
from finetune_client.errors import RequestError
from finetune_client.lazy import part
from finetune_client.models import (
    AnyIntegration,
    AnyMethod,
    FineTuningJob,
    FineTuningJobEvent,
    FineTuningJobRequest,
    Hyperparameters,
)
from finetune_client.models.codec import PydanticModel
from finetune_client.models.listing import job_list_query
from finetune_client.resources.arguments import as_list, check_callable, list_query
from finetune_client.resources.base import Resource
from finetune_client.resources.options import (
    PollOptions,
    RequestOptions,
    options_of_uploads,
    with_options,
    without_extra_body,
)
from finetune_client.resources.pager import LARGEST_PAGE, Pager
from finetune_client.transport import path_segment, query_pairs
from finetune_client.transport.request import Request

if TYPE_CHECKING:
    from finetune_client.ledger import Claim
    from finetune_client.resources.files.files import Files
    from finetune_client.resources.jobs.creating import CreateStep
    from finetune_client.resources.jobs.polling import JobPolling

__all__ = ["Jobs"]

JobList: TypeAlias = "list[FineTuningJob]"

_PATH = "/fine_tuning/jobs"

_log = logging.getLogger("finetune_client")


class Jobs(Resource):
    """Fine-tuning jobs: ``client.jobs``.

    https://developers.openai.com/api/reference
    """

    @part
    def checkpoints(self) -> resources.JobCheckpoints:
        """The checkpoints of a job."""
        return resources.JobCheckpoints(self._session)

    def create(
        self,
        *,
        model: str,
        training_file: resources.FileArgument,
        method: AnyMethod | PydanticModel | None = None,
        hyperparameters: Hyperparameters | Mapping[str, Any] | PydanticModel | None = None,
        validation_file: resources.FileArgument | None = None,
        suffix: str | None = None,
        seed: int | None = None,
        metadata: Mapping[str, str] | None = None,
        integrations: Sequence[AnyIntegration | PydanticModel] | None = None,
        idempotency_key: str | None = None,
        check: bool = True,
        expires_after: Mapping[str, Any] | int | None = None,
        upload_options: RequestOptions | None = None,
        on_step: resources.OnStep | None = None,
        **options: Unpack[RequestOptions],
    ) -> FineTuningJob:
        """Create a job. It is paid for, so it is never sent twice when its outcome is unknown.

        Args:
            model: What to start from.
            training_file: The id of an uploaded file, or a `pathlib.Path`, which is checked,
                uploaded with purpose ``fine-tune`` and replaced by its id.
            method: How to train: a model such as `SupervisedMethod`, or the API's dict, or an object
                of the official SDK's.
            hyperparameters: Settings of a supervised job, the deprecated way.
            validation_file: As ``training_file``.
            suffix: Goes into the name of the new model.
            seed: Makes training repeatable.
            metadata: Up to 16 pairs of texts.
            integrations: Where the job is to report to.
            idempotency_key: Names the job for later runs: if a job has this key already, it is
                returned and nothing is created. Each call makes a key if none is given.
            check: False sends whatever was given, unchecked.
            expires_after: When the server deletes the files that are uploaded, see
                `Files.create`.
            upload_options: `RequestOptions` for the files that are uploaded, such as
                ``{"extra_body": {...}}`` for further fields of their form; they win over the call's.
            on_step: Called with a `CreateStep` for each step. What it raises ends the call.
            **options: See `RequestOptions`. They hold for every request that the call makes, but
                ``extra_body`` is for the job alone; only what a gateway routes by
                (`Provider.routing_fields`) goes into the form of a file too.

        Raises:
            RequestError: Something is wrong with the values; nothing was sent.
            TrainingDataError: A file is not fit to train on; nothing was sent.
            JobMayExistError: The job may have been created, and could not be found.
            APIError: It was certainly not created.
        """
        from finetune_client.resources.jobs.creating import (
            CreateStep,
            check_files,
            check_request,
            create_job,
            paths_in,
        )
        from finetune_client.resources.jobs.idempotency_keys import checked_key, new_key
        from finetune_client.resources.jobs.ledger_claims import claim_key, released_unless_sent

        other_options = without_extra_body(options)
        file_options = options_of_uploads(
            options, upload_options, self._session.provider.routing_fields
        )
        check_callable("on_step", on_step)
        report_step = on_step or _ignore_step
        paths = paths_in({"training_file": training_file, "validation_file": validation_file})
        request = FineTuningJobRequest(
            model=model,
            training_file=None if "training_file" in paths else training_file,  # type: ignore[arg-type]  # not a path
            validation_file=None if "validation_file" in paths else validation_file,  # type: ignore[arg-type]  # not a path
            suffix=suffix,
            seed=seed,
            method=method,  # type: ignore[arg-type]  # the request reads what is pydantic's
            hyperparameters=hyperparameters,  # type: ignore[arg-type]  # likewise
            integrations=integrations,  # type: ignore[arg-type]  # likewise
            metadata=metadata,
        )
        body = request.to_dict()
        if check:
            check_request(request, body, paths, self._session)
        key = new_key() if idempotency_key is None else checked_key(idempotency_key)
        complete = with_options(Request(method="POST", path=_PATH, json=body), options).json
        with claim_key(self._session, key, complete, paths) as claim:
            with released_unless_sent(claim):
                found = None
                if claim is not None and not claim.is_fresh:
                    found = self._job_of_claim(claim, complete, other_options)
                elif idempotency_key is not None:
                    found = self._find_existing(key, claim, other_options)
                if found is not None:
                    report_step(CreateStep(kind="found", job=found))
                    return found
                if check and paths:
                    check_files(paths, body, self._session.provider, report_step)
                for argument, path in paths.items():
                    body[argument] = self._upload(path, expires_after, report_step, file_options)
                report_step(CreateStep(kind="creating"))
            job = create_job(
                self._session,
                Request(
                    method="POST", path=_PATH, json=body, idempotent=False, fresh_connection=True
                ),
                key,
                options,
                claim=claim,
                find=lambda: self.find(key, **other_options),
                list_newest=lambda: self.list(limit=LARGEST_PAGE, **other_options).data,
            )
            if claim is not None:
                claim.created(job.id)
        report_step(CreateStep(kind="created", job=job))
        return job

    def _find_existing(
        self, key: str, claim: Claim | None, options: RequestOptions
    ) -> FineTuningJob | None:
        provider = self._session.provider
        if claim is None and not provider.marks_jobs:
            _log.warning(
                "%s is not known to keep metadata: idempotency_key is sent, but a job that was "
                "created with it may not be found again",
                provider.name,
            )
        job = None if "metadata" in provider.lacks else self.find(key, **options)
        if claim is not None and job is not None:
            claim.created(job.id)
        return job

    def _job_of_claim(
        self, claim: Claim, body: Mapping[str, Any], options: RequestOptions
    ) -> FineTuningJob:
        from finetune_client.resources.jobs.ledger_claims import job_of_claim

        has_metadata = "metadata" not in self._session.provider.lacks
        return job_of_claim(
            claim,
            body,
            retrieve=lambda job_id: self.retrieve(job_id, **options),
            find=(lambda: self.find(claim.entry.key, **options)) if has_metadata else None,
            list_newest=lambda: self.list(limit=LARGEST_PAGE, **options),
        )

    def _upload(
        self,
        path: Path,
        expires_after: Mapping[str, Any] | int | None,
        on_step: Callable[[CreateStep], object],
        options: RequestOptions,
    ) -> str:
        """Upload a file and return its id; wait if the server still processes it."""
        from finetune_client.resources.files.files import is_being_processed
        from finetune_client.resources.jobs.creating import CreateStep

        def report_progress(sent: int, total: int) -> None:
            on_step(CreateStep(kind="uploading", path=path, sent=sent, total=total))

        file = self._files.upload(
            path,
            purpose="fine-tune",
            expires_after=expires_after,
            progress=report_progress,
            **options,
        )
        on_step(CreateStep(kind="uploaded", path=path, file=file))
        if is_being_processed(file):
            file = self._files.wait_for_processing(
                file.id,
                extra_headers=options.get("extra_headers"),
                extra_query=options.get("extra_query"),
            )
        return file.id

    @cached_property
    def _files(self) -> Files:
        from finetune_client.resources.files.files import Files

        return Files(self._session)

    def find(self, idempotency_key: str, **options: Unpack[RequestOptions]) -> FineTuningJob | None:
        """Return the job that was created with a key; `None` if no job has it.

        A job has its key as the metadata pair ``idempotency_key``, which `create` sets where the
        provider is known to keep it (OpenAI and the server of this package).

        Raises:
            ConfigurationError: The provider keeps no metadata, so no job has a key.
        """
        from finetune_client.models.jobs import IDEMPOTENCY_PAIR
        from finetune_client.resources.jobs.idempotency_keys import checked_key
        from finetune_client.resources.jobs.lost_answers import first_with_key

        self._session.require("metadata", "finding a job by its idempotency key")
        key = checked_key(idempotency_key)
        filtered = "metadata_filter" not in self._session.provider.lacks
        metadata = {IDEMPOTENCY_PAIR: key} if filtered else None
        return first_with_key(self.list(metadata=metadata, limit=LARGEST_PAGE, **options), key)

    def retrieve(self, fine_tuning_job_id: str, **options: Unpack[RequestOptions]) -> FineTuningJob:
        """Return a job as it is now."""
        name = path_segment(fine_tuning_job_id, "fine_tuning_job_id")
        request = Request(method="GET", path=f"{_PATH}/{name}", expect_id=fine_tuning_job_id)
        return self._read(request, FineTuningJob.from_dict, options)

    def list(
        self,
        *,
        after: str | None = None,
        limit: int | None = None,
        metadata: Mapping[str, str] | None = None,
        without_metadata: bool = False,
        **options: Unpack[RequestOptions],
    ) -> Pager[FineTuningJob]:
        """List jobs, newest first.

        Args:
            after: The id of a job; the list begins after it.
            limit: Rows of a page; the server's default is 10 or 20.
            metadata: Only jobs that have all these pairs.
            without_metadata: Only jobs that have no metadata.
            **options: See `RequestOptions`.

        Raises:
            RequestError: A value is of the wrong kind, or both filters are given.
            ConfigurationError: The provider cannot filter.
        """
        query = job_list_query(
            after=after, limit=limit, metadata=metadata, without_metadata=without_metadata
        )
        if "metadata" in query:
            self._session.require("metadata_filter", "listing jobs by metadata")
        request = Request(method="GET", path=_PATH, query=query_pairs(query))
        return self._pager(request, FineTuningJob, options, after=after)

    def cancel(self, fine_tuning_job_id: str, **options: Unpack[RequestOptions]) -> FineTuningJob:
        """Stop a job for good."""
        self._session.require("cancel", "cancelling a job")
        return self._act(fine_tuning_job_id, "cancel", options)

    def pause(self, fine_tuning_job_id: str, **options: Unpack[RequestOptions]) -> FineTuningJob:
        """Pause a job; it can be resumed, and what it has learned so far can be used."""
        self._session.require("pause", "pausing a job")
        return self._act(fine_tuning_job_id, "pause", options)

    def resume(self, fine_tuning_job_id: str, **options: Unpack[RequestOptions]) -> FineTuningJob:
        """Resume a paused job."""
        self._session.require("pause", "resuming a job")
        return self._act(fine_tuning_job_id, "resume", options)

    def _act(self, job_id: str, action: str, options: RequestOptions) -> FineTuningJob:
        name = path_segment(job_id, "fine_tuning_job_id")
        request = Request(method="POST", path=f"{_PATH}/{name}/{action}", expect_id=job_id)
        return self._read(request, FineTuningJob.from_dict, options)

    def list_events(
        self,
        fine_tuning_job_id: str,
        *,
        after: str | None = None,
        limit: int | None = None,
        **options: Unpack[RequestOptions],
    ) -> Pager[FineTuningJobEvent]:
        """List what happened to a job, newest first.

        Args:
            fine_tuning_job_id: The job.
            after: The id of an event; the list begins after it, so with older ones.
            limit: Rows of a page; the server's default is 20.
            **options: See `RequestOptions`.
        """
        self._session.require("events", "listing a job's events")
        name = path_segment(fine_tuning_job_id, "fine_tuning_job_id")
        query = list_query(after=after, limit=limit)
        request = Request(method="GET", path=f"{_PATH}/{name}/events", query=query)
        return self._pager(request, FineTuningJobEvent, options, after=after)

    def metrics(
        self, fine_tuning_job_id: str | FineTuningJob, **options: Unpack[RequestOptions]
    ) -> resources.Metrics:
        """Return the training curves of a job.

        They are from its result file, or else from its events, or else from its checkpoints. Where
        a result file has only measurements on batches of the validation file, those on the whole of
        it are taken from the checkpoints.

        Args:
            fine_tuning_job_id: The job; a `FineTuningJob` that has ended saves asking for it.
            **options: See `RequestOptions`.
        """
        from finetune_client.resources.jobs.curves import read_curves

        given = fine_tuning_job_id
        job = given if isinstance(given, FineTuningJob) else self.retrieve(given, **options)
        has_files = "result_files" not in self._session.provider.lacks
        return read_curves(
            job,
            content=(lambda file_id: self._files.content(file_id, **options))
            if has_files
            else None,
            list_events=lambda: self.list_events(job.id, limit=LARGEST_PAGE, **options),
            list_checkpoints=lambda: self.checkpoints.list(job.id, limit=LARGEST_PAGE, **options),
        )

    def follow(
        self,
        fine_tuning_job_id: str,
        *,
        timeout: float | None = None,
        poll_interval: float | None = None,
        after: str | None = None,
        linger: float = 0,
        max_outage: float = 600,
        stalled_after: float | None = None,
        on_stalled: resources.OnStalled | None = None,
        **options: Unpack[PollOptions],
    ) -> Iterator[FineTuningJobEvent]:
        """Yield each event of a job once, oldest first, as it comes, until the job has ended.

        It does not raise because the job failed; `retrieve` shows how it ended.

        Args:
            fine_tuning_job_id: The job.
            timeout: Seconds for all of it; `None` for no limit.
            poll_interval: Seconds between two polls; without it they grow from the provider's
                ``first_poll`` to its ``longest_poll``.
            after: The id of the last event that is known already, to continue from there.
            linger: Seconds to continue polling after the job has ended (Azure sends the last
                events minutes later).
            max_outage: Seconds that polls may fail in a row before the failure is raised.
            stalled_after: Seconds without an event or a change of status after which a job that has
                not ended and is not paused has stalled; `None` for no limit.
            on_stalled: Called with a job that has stalled, again after each further such span,
                instead of raising an error.
            **options: See `PollOptions`.

        Raises:
            JobStalledError: A job has stalled, and there is no ``on_stalled``.
            WaitTimeoutError: The time was over first.
            APIError: Polling failed in a way that will not pass, or for too long.
        """
        from finetune_client.waiting import follow

        polling = self._polling(
            options, timeout, poll_interval, max_outage, stalled_after, on_stalled
        )
        _check_ids(fine_tuning_job_id, after)
        watcher = polling.watch_events(fine_tuning_job_id, after, linger)
        return follow(watcher, polling.pace, on_stalled=on_stalled)

    def wait(
        self,
        fine_tuning_job_id: str,
        *,
        timeout: float | None = None,
        poll_interval: float | None = None,
        on_event: Callable[[FineTuningJobEvent], object] | None = None,
        after: str | None = None,
        raise_on_failure: bool = True,
        on_paused: resources.OnPaused = "wait",
        max_outage: float = 600,
        stalled_after: float | None = None,
        on_stalled: resources.OnStalled | None = None,
        **options: Unpack[PollOptions],
    ) -> FineTuningJob:
        """Return a job when it has ended. Ctrl-C ends the wait, never the job.

        Args:
            fine_tuning_job_id: The job.
            timeout: Seconds for all of it; `None` for no limit.
            poll_interval: Seconds between two polls; without it they grow from the provider's
                ``first_poll`` to its ``longest_poll``.
            on_event: Called with each event once, oldest first.
            after: The id of the last event that ``on_event`` is not to be called with.
            raise_on_failure: Whether a job that failed or was cancelled is an error.
            on_paused: What to do when the job is paused: "wait", "return" it, or "raise".
            max_outage: Seconds that polls may fail in a row before the failure is raised.
            stalled_after: Seconds without an event or a change of status after which a job that has
                not ended and is not paused has stalled; `None` for no limit.
            on_stalled: Called with a job that has stalled, again after each further such span,
                instead of raising an error.
            **options: See `PollOptions`.

        Raises:
            JobFailedError: The job failed or was cancelled, or is paused and ``on_paused`` is
                "raise".
            JobStalledError: A job has stalled, and there is no ``on_stalled``.
            WaitTimeoutError: The time was over first; `job` is the job as last seen.
            APIError: Polling failed in a way that will not pass, or for too long.
        """
        from finetune_client.waiting import wait

        polling = self._polling(
            options, timeout, poll_interval, max_outage, stalled_after, on_stalled
        )
        _check_ids(fine_tuning_job_id, after)
        check_callable("on_event", on_event)
        if on_event or stalled_after is not None:
            watcher = polling.watch_events(fine_tuning_job_id, after)
        else:
            watcher = polling.watch_state(fine_tuning_job_id)
        return wait(
            watcher,
            polling.pace,
            on_event=on_event,
            raise_on_failure=raise_on_failure,
            on_paused=on_paused,
            on_stalled=on_stalled,
        )

    def watch(
        self,
        fine_tuning_job_id: str,
        *,
        timeout: float | None = None,
        poll_interval: float | None = None,
        max_outage: float = 600,
        **options: Unpack[PollOptions],
    ) -> FineTuningJob:
        """Show a job until it has ended: its status, how far it is, the time left, its curve.

        In a notebook it is one cell that is drawn anew. Interrupting the cell leaves the job alone,
        and returns it as last seen. Elsewhere it writes plain lines, and Ctrl-C raises
        `KeyboardInterrupt` as in `wait`.

        Args:
            fine_tuning_job_id: The job.
            timeout: Seconds for all of it; `None` for no limit.
            poll_interval: Seconds between two polls; see `wait`.
            max_outage: Seconds that polls may fail in a row before the failure is raised.
            **options: See `PollOptions`.

        Returns:
            The job as last seen, also where it failed: this is for looking, `wait` for scripts.

        Raises:
            WaitTimeoutError: The time was over first.
            APIError: Polling failed in a way that will not pass, or for too long.
        """
        from finetune_client.resources.jobs.watching import JobView, in_notebook
        from finetune_client.waiting import wait

        polling = self._polling(options, timeout, poll_interval, max_outage, None, None)
        _check_ids(fine_tuning_job_id, None)
        notebook = in_notebook()
        view = JobView(self._session.clock, notebook=notebook)
        try:
            return wait(
                polling.watch_events(fine_tuning_job_id),
                polling.pace,
                on_event=view.add,
                on_poll=view.poll,
                raise_on_failure=False,
            )
        except KeyboardInterrupt:
            if not notebook or view.job is None:
                raise
            view.note = f"no longer watched; see client.jobs.retrieve({fine_tuning_job_id!r})"
            view.draw()
            return view.job

    def sweep(
        self,
        request: FineTuningJobRequest | Mapping[str, Any],
        grid: resources.Grid,
        *,
        idempotency_key: str | None = None,
        concurrency: int = 4,
        metric: str | None = None,
        check: bool = True,
        expires_after: Mapping[str, Any] | int | None = None,
        timeout: float | None = None,
        poll_interval: float | None = None,
        max_outage: float = 600,
        on_step: resources.OnStep | None = None,
        on_event: resources.OnSweepEvent | None = None,
        on_run: resources.OnRun | None = None,
        **options: Unpack[PollOptions],
    ) -> resources.Sweep:
        """Create a job for each setting of a grid, wait for all of them, and compare them.

        Each job has an idempotency key, made from the sweep's key and the setting. The same sweep,
        run again, finds its jobs (see `find`; where the server keeps no metadata, by the client's
        ledger) and creates only those that are missing. All settings are checked before the first
        job is created.

        Args:
            request: What all jobs have in common: a `FineTuningJobRequest` or its dict, in which
                ``training_file`` and ``validation_file`` may be a `pathlib.Path`.
            grid: Name -> its values; there is a job for each combination. A name is a
                hyperparameter (``"n_epochs"``), a field of the request (``"seed"``), or a path with
                dots (``"method.dpo.hyperparameters.beta"``).
            idempotency_key: The sweep's key. By default it is made from the request and what is in
                its files, so that the same call finds its jobs; another one makes new jobs.
            concurrency: How many jobs of the sweep are under way at once, at most. Where the server
                takes fewer (429), the sweep waits until one has ended.
            metric: The curve to compare by; by default `Metrics.validation`, else the first loss.
            check: False sends whatever was given, unchecked.
            expires_after: When the server deletes the files that are uploaded, see `Files.create`.
            timeout: Seconds for all of it; `None` for no limit.
            poll_interval: Seconds between two rounds of polls, see `wait`.
            max_outage: Seconds that polls of a job may fail in a row.
            on_step: Called with each `CreateStep` of the files and the jobs, see `create`.
            on_event: Called with a `SweepRun` and each event of its job.
            on_run: Called with a `SweepRun` when its job was created or found, and when it ended.
            **options: See `PollOptions`.

        Returns:
            The runs with their jobs and curves, the comparison and the best run. A job that failed is
            in it, and is no error.

        Raises:
            RequestError: Something is wrong with the grid or with a setting; nothing was sent.
            TrainingDataError: A file is not fit to train on; nothing was sent.
            JobMayExistError: A job may have been created, and could not be found.
            WaitTimeoutError: The time was over first.
            APIError: A call failed. The jobs that were created continue, and are found by the same
                call.
        """
        from finetune_client.resources.jobs.sweeping import Creator, finish, plan_runs, run_all

        _check_concurrency(concurrency)
        for name, function in (("on_step", on_step), ("on_event", on_event), ("on_run", on_run)):
            check_callable(name, function)
        polling = self._polling(options, timeout, poll_interval, max_outage, None, None)
        key, runs, paths = plan_runs(request, grid, self._session.provider, idempotency_key)
        creator = Creator(
            self._session,
            runs,
            paths,
            find=lambda key: self.find(key, **options),
            upload=lambda path: self._upload(
                path,
                expires_after,
                on_step or _ignore_step,
                {
                    "extra_headers": options.get("extra_headers"),
                    "extra_query": options.get("extra_query"),
                },
            ),
            create=lambda **arguments: self.create(
                **arguments, check=check, expires_after=expires_after, **options
            ),
            on_step=on_step or _ignore_step,
        )
        if check:
            creator.check()
        try:
            run_all(
                runs,
                create=creator.create,
                watch=polling.watch_events,
                new_pace=polling.new_pace,
                clock=self._session.clock,
                concurrency=concurrency,
                timeout=timeout,
                on_event=on_event,
                on_run=on_run,
            )
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                "Nothing was cancelled, and the server continues with the jobs that there are. The "
                f"same sweep, run again, finds them; its idempotency_key is {key!r}."
            ) from None
        for run in runs:
            if run.job is not None:
                run.metrics = self.metrics(run.job, **options)
        return finish(key, runs, metric)

    def wait_all(
        self,
        fine_tuning_job_ids: Iterable[str],
        *,
        timeout: float | None = None,
        poll_interval: float | None = None,
        on_event: Callable[[str, FineTuningJobEvent], object] | None = None,
        on_job: Callable[[FineTuningJob], object] | None = None,
        raise_on_failure: bool = False,
        on_paused: resources.OnPaused = "wait",
        max_outage: float = 600,
        stalled_after: float | None = None,
        on_stalled: resources.OnStalled | None = None,
        **options: Unpack[PollOptions],
    ) -> JobList:
        """Return several jobs when all have ended, in the order of the ids.

        One loop polls each job that has not ended, so no thread is needed.

        Args:
            fine_tuning_job_ids: The jobs.
            timeout: Seconds for all of it; `None` for no limit.
            poll_interval: Seconds between two rounds; without it they grow from the provider's
                ``first_poll`` to its ``longest_poll``.
            on_event: Called with a job's id and each of its events once, oldest first.
            on_job: Called with each job when it has ended.
            raise_on_failure: Whether, when all have ended, one that failed is an error.
            on_paused: What to do with a job that is paused, see `wait`.
            max_outage: Seconds that polls of a job may fail in a row.
            stalled_after: Seconds without an event or a change of status after which a job that has
                not ended and is not paused has stalled; `None` for no limit.
            on_stalled: Called with a job that has stalled, again after each further such span,
                instead of raising an error.
            **options: See `PollOptions`.

        Raises:
            RequestError: ``fine_tuning_job_ids`` is one text, not a list.
            JobFailedError: A job failed or was cancelled, and ``raise_on_failure`` is true.
            JobStalledError: A job has stalled, and there is no ``on_stalled``.
            WaitTimeoutError: The time was over first; `jobs` are those that have not ended.
            APIError: Polling one failed in a way that will not pass, or for too long.
        """
        from finetune_client.waiting import wait_all

        polling = self._polling(
            options, timeout, poll_interval, max_outage, stalled_after, on_stalled
        )
        ids = as_list(fine_tuning_job_ids)
        if not isinstance(ids, list):
            raise RequestError("fine_tuning_job_ids must be a list of ids; for one job take wait.")
        for job_id in ids:
            path_segment(job_id, "fine_tuning_job_ids")
        check_callable("on_event", on_event)
        check_callable("on_job", on_job)
        with_events = on_event is not None or stalled_after is not None
        watch = polling.watch_events if with_events else polling.watch_state
        unique = [*dict.fromkeys(ids)]
        ended = wait_all(
            [watch(job_id) for job_id in unique],
            polling.pace,
            on_event=on_event,
            on_job=on_job,
            raise_on_failure=raise_on_failure,
            on_paused=on_paused,
            on_stalled=on_stalled,
        )
        by_id = dict(zip(unique, ended, strict=True))
        return [by_id[job_id] for job_id in ids]

    def _polling(
        self,
        options: PollOptions,
        timeout: float | None,
        poll_interval: float | None,
        max_outage: float,
        stalled_after: float | None,
        on_stalled: resources.OnStalled | None,
    ) -> JobPolling:
        from finetune_client.resources.jobs.polling import JobPolling

        return JobPolling(
            self._session,
            type(self),
            options,
            timeout=timeout,
            poll_interval=poll_interval,
            max_outage=max_outage,
            stalled_after=stalled_after,
            on_stalled=on_stalled,
        )


def _check_ids(job_id: str, after: str | None) -> None:
    path_segment(job_id, "fine_tuning_job_id")
    if after is not None:
        path_segment(after, "after")


def _check_concurrency(value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise RequestError(f"concurrency must be a whole number above 0, got {value!r}.")


def _ignore_step(step: CreateStep) -> None:
    """Do nothing: nobody asked for the steps."""
