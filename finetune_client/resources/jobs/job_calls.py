"""The plain calls about fine-tuning jobs: each is one request, or one list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from finetune_client.models import FineTuningJob, FineTuningJobEvent, job_list_query
from finetune_client.resources.arguments import list_query
from finetune_client.resources.base import Resource
from finetune_client.transport import path_segment, query_pairs
from finetune_client.transport.request import Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Unpack

    from finetune_client.resources.options import Options
    from finetune_client.resources.pager import Pager

__all__ = ["MOST_A_PAGE", "PATH", "JobCalls"]

PATH = "/fine_tuning/jobs"

MOST_A_PAGE = 100
"""Rows of a page where all are walked; servers give no more."""


class JobCalls(Resource):
    """The plain calls of `Jobs`."""

    __slots__ = ()

    def retrieve(self, fine_tuning_job_id: str, **options: Unpack[Options]) -> FineTuningJob:
        """Return a job as it is now."""
        name = path_segment(fine_tuning_job_id, "fine_tuning_job_id")
        request = Request(method="GET", path=f"{PATH}/{name}", expect_id=fine_tuning_job_id)
        return self._read(request, FineTuningJob.from_dict, options)

    def list(
        self,
        *,
        after: str | None = None,
        limit: int | None = None,
        metadata: Mapping[str, str] | None = None,
        without_metadata: bool = False,
        **options: Unpack[Options],
    ) -> Pager[FineTuningJob]:
        """List jobs, newest first.

        Args:
            after: The id of a job; those after it in the list are given.
            limit: How many a page holds; the server's default is 10 or 20.
            metadata: Only jobs that have all these pairs.
            without_metadata: Only jobs that have no metadata.
            **options: See `Options`.

        Raises:
            RequestError: A value is of the wrong kind, or both filters are given.
            ConfigurationError: The provider cannot filter.
        """
        query = job_list_query(
            after=after, limit=limit, metadata=metadata, without_metadata=without_metadata
        )
        if "metadata" in query:
            self._session.require("metadata_filter", "listing jobs by metadata")
        request = Request(method="GET", path=PATH, query=query_pairs(query))
        return self._pager(request, FineTuningJob, options, after=after)

    def cancel(self, fine_tuning_job_id: str, **options: Unpack[Options]) -> FineTuningJob:
        """Stop a job for good."""
        return self._act(fine_tuning_job_id, "cancel", options)

    def pause(self, fine_tuning_job_id: str, **options: Unpack[Options]) -> FineTuningJob:
        """Pause a job; it can be resumed, and what it has learned so far can be used."""
        self._session.require("pause", "pausing a job")
        return self._act(fine_tuning_job_id, "pause", options)

    def resume(self, fine_tuning_job_id: str, **options: Unpack[Options]) -> FineTuningJob:
        """Let a paused job go on."""
        self._session.require("pause", "resuming a job")
        return self._act(fine_tuning_job_id, "resume", options)

    def _act(self, id: str, verb: str, options: Options) -> FineTuningJob:
        name = path_segment(id, "fine_tuning_job_id")
        request = Request(method="POST", path=f"{PATH}/{name}/{verb}", expect_id=id)
        return self._read(request, FineTuningJob.from_dict, options)

    def list_events(
        self,
        fine_tuning_job_id: str,
        *,
        after: str | None = None,
        limit: int | None = None,
        **options: Unpack[Options],
    ) -> Pager[FineTuningJobEvent]:
        """List what happened to a job, newest first.

        Args:
            fine_tuning_job_id: The job.
            after: The id of an event; those after it in the list, so older ones, are given.
            limit: How many a page holds; the server's default is 20.
            **options: See `Options`.
        """
        name = path_segment(fine_tuning_job_id, "fine_tuning_job_id")
        query = list_query(after=after, limit=limit)
        request = Request(method="GET", path=f"{PATH}/{name}/events", query=query)
        return self._pager(request, FineTuningJobEvent, options, after=after)
