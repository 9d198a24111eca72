"""Checkpoints of fine-tuned models, and who may use them.

https://developers.openai.com/api/reference
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from finetune_client.backports import Unpack
from finetune_client.caller import warn_caller
from finetune_client.lazy import part
from finetune_client.models import CheckpointPermission, Deleted, FineTuningJobCheckpoint, Page
from finetune_client.models.checks import needed_texts
from finetune_client.resources.arguments import as_list, check_arguments, list_query
from finetune_client.resources.base import Resource
from finetune_client.resources.options import RequestOptions
from finetune_client.resources.pager import Pager
from finetune_client.transport import path_segment
from finetune_client.transport.request import Request

__all__ = ["Checkpoints", "JobCheckpoints", "Permissions"]

Order = Literal["ascending", "descending"]


class JobCheckpoints(Resource):
    """The checkpoints of a job: ``client.jobs.checkpoints``.

    https://developers.openai.com/api/reference
    """

    def list(
        self,
        fine_tuning_job_id: str,
        *,
        after: str | None = None,
        limit: int | None = None,
        **options: Unpack[RequestOptions],
    ) -> Pager[FineTuningJobCheckpoint]:
        """List the checkpoints of a job, newest first.

        Args:
            fine_tuning_job_id: The job.
            after: The id of a checkpoint; the list begins after it.
            limit: Rows of a page; the server's default is 10.
            **options: See `RequestOptions`.
        """
        self._session.require("checkpoints", "listing a job's checkpoints")
        name = path_segment(fine_tuning_job_id, "fine_tuning_job_id")
        request = Request(
            method="GET",
            path=f"/fine_tuning/jobs/{name}/checkpoints",
            query=list_query(after=after, limit=limit),
        )
        return self._pager(request, FineTuningJobCheckpoint, options, after=after)


class Permissions(Resource):
    """Which projects may use a checkpoint: ``client.checkpoints.permissions``.

    https://developers.openai.com/api/reference

    The checkpoint is named by its model's name, such as ``ft:gpt-4o-mini-2024-07-18:org::B7R9VjQd``
    or the ``fine_tuned_model_checkpoint`` of a job's checkpoint, not by an id. An admin key is
    needed.
    """

    def create(
        self,
        fine_tuned_model_checkpoint: str,
        *,
        project_ids: Sequence[str],
        **options: Unpack[RequestOptions],
    ) -> Pager[CheckpointPermission]:
        """Let projects use a checkpoint; return the new permissions.

        It is not repeated when its outcome is unknown: list the permissions then.

        Raises:
            RequestError: ``project_ids`` is not a list of texts.
        """
        ids = as_list(project_ids)
        check_arguments("create permissions", needed_texts("project_ids", ids))
        request = Request(
            method="POST",
            path=self._path(fine_tuned_model_checkpoint),
            json={"project_ids": ids},
            idempotent=False,
            admin=True,
        )
        page = self._read(request, lambda data: Page.from_dict(data, CheckpointPermission), options)
        return Pager.of(page, name=f"POST {request.path}")

    def list(
        self,
        fine_tuned_model_checkpoint: str,
        *,
        after: str | None = None,
        limit: int | None = None,
        order: Order | None = None,
        project_id: str | None = None,
        **options: Unpack[RequestOptions],
    ) -> Pager[CheckpointPermission]:
        """List the permissions of a checkpoint.

        Args:
            fine_tuned_model_checkpoint: The checkpoint's name as a model.
            after: The id of a permission; the list begins after it.
            limit: Rows of a page; the server's default is 10.
            order: ``ascending`` or ``descending`` (the default) by time.
            project_id: Only the permissions of this project.
            **options: See `RequestOptions`.
        """
        query = list_query(after=after, limit=limit, order=order, project_id=project_id)
        path = self._path(fine_tuned_model_checkpoint)
        request = Request(method="GET", path=path, query=query, admin=True)
        return self._pager(request, CheckpointPermission, options, after=after, by_last_id=True)

    def retrieve(
        self,
        fine_tuned_model_checkpoint: str,
        *,
        after: str | None = None,
        limit: int | None = None,
        order: Order | None = None,
        project_id: str | None = None,
        **options: Unpack[RequestOptions],
    ) -> Page[CheckpointPermission]:
        """Return one page of what `list` returns; kept for scripts of the official SDK.

        Warns:
            DeprecationWarning: As in the official SDK: `list` has all pages.
        """
        warn_caller(
            "permissions.retrieve is deprecated, as in the official SDK; use permissions.list, "
            "which has all pages.",
            DeprecationWarning,
        )
        pager = self.list(
            fine_tuned_model_checkpoint,
            after=after,
            limit=limit,
            order=order,
            project_id=project_id,
            **options,
        )
        return pager.first_page()

    def delete(
        self,
        permission_id: str,
        *,
        fine_tuned_model_checkpoint: str,
        **options: Unpack[RequestOptions],
    ) -> Deleted:
        """Delete a permission."""
        name = path_segment(permission_id, "permission_id")
        request = Request(
            method="DELETE",
            path=f"{self._path(fine_tuned_model_checkpoint)}/{name}",
            expect_id=permission_id,
            admin=True,
        )
        return self._read(request, Deleted.from_dict, options)

    def _path(self, checkpoint: str) -> str:
        self._session.require("permissions", "checkpoint permissions")
        name = path_segment(checkpoint, "fine_tuned_model_checkpoint")
        return f"/fine_tuning/checkpoints/{name}/permissions"


class Checkpoints(Resource):
    """Checkpoints as models: ``client.checkpoints``. The list is ``client.jobs.checkpoints``."""

    @part
    def permissions(self) -> Permissions:
        """Which projects may use a checkpoint."""
        return Permissions(self._session)
