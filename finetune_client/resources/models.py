"""Models that the server offers.

https://developers.openai.com/api/reference
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from finetune_client import resources
from finetune_client.backports import Unpack
from finetune_client.models import Deleted, FineTuningJobCheckpoint, Model
from finetune_client.resources.base import Resource
from finetune_client.resources.files.progress import Progress
from finetune_client.resources.options import RequestOptions
from finetune_client.resources.pager import Pager
from finetune_client.resources.shutdowns import log_shutdowns
from finetune_client.transport import path_segment
from finetune_client.transport.request import Request

__all__ = ["Models"]


class Models(Resource):
    """Models that the server offers: ``client.models``.

    https://developers.openai.com/api/reference
    """

    def list(self, **options: Unpack[RequestOptions]) -> Pager[Model]:
        """List the models; the API sends them on one page.

        Those that are shut down within 90 days are logged; see `Model.shuts_down`.
        """
        return self._pager(
            Request(method="GET", path="/models"),
            Model,
            options,
            paged=False,
            on_rows=self._log_shutdowns,
        )

    def retrieve(self, model: str, **options: Unpack[RequestOptions]) -> Model:
        """Return a model by its name; that it is shut down within 90 days is logged."""
        request = Request(
            method="GET", path=f"/models/{path_segment(model, 'model')}", expect_id=model
        )
        found = self._read(request, Model.from_dict, options)
        self._log_shutdowns([found])
        return found

    def _log_shutdowns(self, models: Iterable[Model]) -> None:
        log_shutdowns(models, self._session.clock.now())

    def delete(self, model: str, **options: Unpack[RequestOptions]) -> Deleted:
        """Delete a fine-tuned model; the owner of the key must have the Owner role."""
        self._session.require("delete_model", "deleting a model")
        path = f"/models/{path_segment(model, 'model')}"
        return self._read(
            Request(method="DELETE", path=path, expect_id=model), Deleted.from_dict, options
        )

    def download(
        self,
        model: resources.WeightsSource,
        directory: str | os.PathLike[str],
        *,
        checkpoint: str | int | FineTuningJobCheckpoint | None = None,
        progress: Progress = None,
        **options: Unpack[RequestOptions],
    ) -> Path:
        """Write a model's weights into a directory, whole or not at all.

        A checkpoint's files are the weights where the server gives any (Nebius). They are written
        to ``directory`` with ``.part`` at its end, which becomes ``directory`` once all of them are
        whole and on the disk. A transfer that is cut is resumed; if the call fails, the same call
        continues where it ended. If all is there already, nothing is fetched.

        Args:
            model: The id of a job, a `FineTuningJob`, the name of the model that it made, a `Model`
                or a `FineTuningJobCheckpoint`. A name is looked for in the list of jobs.
            directory: A new or an empty directory; the folders above it are made. In an empty one
                the files appear one right after the other, once all of them are whole.
            checkpoint: Which one of the job: its id, its name as a model, or its step; `None` for
                the last.
            progress: A function ``(received, total)`` in bytes of all files, or `True` for a bar.
            **options: See `RequestOptions`.

        Returns:
            ``directory``. Each file has the name that the server calls it by, without the folders
            that all of them are in. ``.finetune-weights.json`` says where they are from.

        Raises:
            ConfigurationError: The provider gives no weights.
            RequestError: There is no such checkpoint, it has no files, or ``directory`` is a file.
            APIResponseError: The server calls a file by a name that is not safe, such as
                ``../config.json``, or two files by one name.
            IntegrityError: A transfer was cut again and again.
            FileExistsError: ``directory`` is not empty, or ``.part`` is left of another download.
            OSError: It cannot be written.
            APIError: See `finetune_client.errors`.
        """
        from finetune_client.resources.files.files import Files
        from finetune_client.resources.jobs.jobs import Jobs
        from finetune_client.resources.weights import download_weights, find_checkpoint

        session = self._session
        session.require("weights", "downloading a model's weights")
        session.require("file_content", "downloading a model's weights")
        deadline = session.deadline()
        return download_weights(
            Files(session),
            find_checkpoint(Jobs(session), model, checkpoint, options),
            directory,
            server=session.config.base_url.url,
            deadline=deadline,
            progress=progress,
            options=options,
        )
