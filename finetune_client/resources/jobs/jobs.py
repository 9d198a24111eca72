"""Fine-tuning jobs.

https://platform.openai.com/docs/api-reference/fine-tuning
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from finetune_client.models import FineTuningJobRequest
from finetune_client.resources.checkpoints import JobCheckpoints
from finetune_client.resources.files.files import Files
from finetune_client.resources.jobs.creating import create_job
from finetune_client.resources.jobs.curves import metrics_of
from finetune_client.resources.jobs.drafts import check_draft, check_files, local_files, shown
from finetune_client.resources.jobs.idempotency import MARK, bearing, checked_key
from finetune_client.resources.jobs.job_calls import MOST_A_PAGE
from finetune_client.resources.jobs.job_waiting import JobWaiting
from finetune_client.resources.options import without_body

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from typing_extensions import Unpack

    from finetune_client.metrics import Metrics
    from finetune_client.models import (
        AnyIntegration,
        AnyMethod,
        FineTuningJob,
        Hyperparameters,
    )
    from finetune_client.resources.jobs.drafts import FileArgument
    from finetune_client.resources.options import Options
    from finetune_client.transport import Session

__all__ = ["BEING_PROCESSED", "Jobs"]

BEING_PROCESSED = frozenset({"pending", "running"})
"""What Azure says of a file that no job can use yet."""

_log = logging.getLogger("finetune_client")


class Jobs(JobWaiting):
    """Fine-tuning jobs: ``client.jobs``.

    https://platform.openai.com/docs/api-reference/fine-tuning

    Attributes:
        checkpoints: The checkpoints of a job.
    """

    __slots__ = ("checkpoints",)

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.checkpoints = JobCheckpoints(session)

    def create(
        self,
        *,
        model: str,
        training_file: FileArgument,
        method: AnyMethod | None = None,
        hyperparameters: Hyperparameters | Mapping[str, Any] | None = None,
        validation_file: FileArgument | None = None,
        suffix: str | None = None,
        seed: int | None = None,
        metadata: Mapping[str, str] | None = None,
        integrations: Sequence[AnyIntegration] | None = None,
        idempotency_key: str | None = None,
        check: bool = True,
        **options: Unpack[Options],
    ) -> FineTuningJob:
        """Create a job. It is paid for, so it is never sent twice when its outcome is unknown.

        Args:
            model: What to start from.
            training_file: The id of an uploaded file, or a `pathlib.Path`, which is checked,
                uploaded with purpose ``fine-tune`` and replaced by its id.
            method: How to train: a model such as `SupervisedMethod`, or the API's dict.
            hyperparameters: Settings of a supervised job, the deprecated way.
            validation_file: As ``training_file``.
            suffix: Goes into the name of the new model.
            seed: Makes training repeatable.
            metadata: Up to 16 pairs of texts.
            integrations: Where the job shall report to.
            idempotency_key: Names the job for runs to come: if a job bears this key already, it
                is returned and nothing is created. One is made for each call if none is given.
            check: False sends whatever was given, unchecked.
            **options: See `Options`.

        Raises:
            RequestError: Something is wrong with the values; nothing was sent.
            TrainingDataError: A file is not fit to train on; nothing was sent.
            JobMayExistError: The job may have been created, and could not be found.
            APIError: It was certainly not created.
        """
        around = without_body(options)
        files = local_files({"training_file": training_file, "validation_file": validation_file})
        draft = FineTuningJobRequest(
            model=model,
            training_file=shown(training_file),
            validation_file=shown(validation_file),
            suffix=suffix,
            seed=seed,
            method=method,
            hyperparameters=hyperparameters,
            integrations=integrations,
            metadata=metadata,
        )
        if check:
            check_draft(draft, self._session, files)
        if idempotency_key is not None:
            found = self._created_before(idempotency_key, around)
            if found is not None:
                return found
        if check:
            check_files(files, draft, self._session.provider)
        for argument, path in files.items():
            setattr(draft, argument, self._uploaded(path, around))
        return create_job(self, self._session, draft.to_dict(), idempotency_key, options)

    def _uploaded(self, path: Path, options: Options) -> str:
        """Upload a file; where the server says that it is still at work on it, wait."""
        files = Files(self._session)
        file = files.upload(path, purpose="fine-tune", **options)
        if file.status in BEING_PROCESSED:
            file = files.wait_for_processing(
                file.id,
                extra_headers=options.get("extra_headers"),
                extra_query=options.get("extra_query"),
            )
        return file.id

    def _created_before(self, key: str, options: Options) -> FineTuningJob | None:
        checked_key(key)
        provider = self._session.provider
        if not provider.marks_jobs:
            _log.warning(
                "%s is not known to keep metadata: idempotency_key is sent, but a job that was "
                "created with it may not be found again",
                provider.name,
            )
        return None if "metadata" in provider.lacks else self.find(key, **options)

    def find(self, idempotency_key: str, **options: Unpack[Options]) -> FineTuningJob | None:
        """Return the job that was created with a key; `None` if none bears it.

        A job bears its key as the metadata pair ``idempotency_key``, which `create` sets where
        the provider is known to keep it (OpenAI and the server of this package).

        Raises:
            ConfigurationError: The provider keeps no metadata, so no job bears a key.
        """
        self._session.require("metadata", "finding a job by its idempotency key")
        key = checked_key(idempotency_key)
        filtered = "metadata_filter" not in self._session.provider.lacks
        chosen = {MARK: key} if filtered else None
        return bearing(self.list(metadata=chosen, limit=MOST_A_PAGE, **options), key)

    def metrics(self, fine_tuning_job_id: str, **options: Unpack[Options]) -> Metrics:
        """Return the training curves of a job: from its result file, or else from its events."""
        return metrics_of(self, Files(self._session), fine_tuning_job_id, options)
