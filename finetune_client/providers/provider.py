"""What differs between the servers that speak this API, as one small value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal

from finetune_client.providers.request_limits import Limits
from finetune_client.providers.training_rules import TrainingRules

__all__ = ["Feature", "Provider"]

Feature = Literal[
    "cancel",  # cancelling a job
    "checkpoints",  # a job's checkpoints
    "delete_model",
    "events",  # a job's events
    "file_content",  # the bytes of a file
    "file_delete",
    "file_expiry",  # `expires_after` when uploading
    "files_paging",  # `after`, `limit`, `order` when listing files
    "graders",  # run and validate
    "integrations",
    "metadata",  # a job's metadata
    "metadata_filter",  # listing jobs by metadata
    "method",  # `method` in a job; without it only `hyperparameters`
    "method_and_hyperparameters",  # both in one job
    "pause",  # pause and resume of a job
    "permissions",  # checkpoint permissions
    "result_files",  # a job's files of metrics
    "suffix",  # a suffix for the name of the new model
    "uploads",  # the Uploads API
    "weights",  # a checkpoint's files, which are the model's weights
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Provider:
    """One kind of server: everything about it that the package needs to know.

    Attributes:
        name: What `Client(provider=...)` takes and messages say.
        base_url: Where it is, if it is in one place.
        hosts: The hosts it is recognised by; one with a leading dot means every host below it, and
            ``*`` stands for any text.
        url_ends_with: The end that a base URL on one of the hosts must have to be this provider's.
        key_header: The header of the key: ``Authorization`` (as Bearer) or ``api-key``.
        query: What goes into the query of every request, such as ``api-version``.
        chat_path: Where chat completions are, below the base URL; ``{model}`` stands for the name of
            the model.
        lacks: The features it does not have, each with the evidence for it. Asking for one is an
            error, and nothing is sent; ``dataclasses.replace(provider, lacks={})`` asks all the
            same.
        marks_jobs: A create may put its idempotency key into the job's metadata.
        keeps_ids: An answer's id equals the id asked for, so another one is an error.
        counts_bytes: The ``bytes`` of a file object are those that were sent, so another number after an
            upload is an error; elsewhere it is logged as a warning.
        environment: The variables the key is looked up in, first that is set.
        limits: Which values it takes in a request.
        training_rules: What it takes in a training file.
        methods: The kinds of method that its documentation has.
        grader_types: The types of grader that its documentation has; None for those of the API.
        known_fields: Keys of a job that only this provider has, so that they are not misspelt.
        routing_fields: Keys of a job by which a gateway finds who trains; only this provider has
            them. They go into the form of a file too that is uploaded for the job.
        known_hyperparameters: The same as ``known_fields`` for the settings of a job.
        hints: Text in the message or the code of the server's errors, in lower case -> a sentence
            that says what to do, which is added to the error's message.
        last_job_day: The last day on which it creates jobs, ``YYYY-MM-DD``, if that is set.
        shutdowns: Family of models -> the day on which they, and all that was fine-tuned from
            them, are shut down. Where two fit, the first counts.
        late_events: Seconds after the end of a job in which further events of it may come.
        bills: Whether what it does costs money, as far as is known.
        first_poll, longest_poll: Seconds between two polls of a job: at first, and at most.
        max_file_bytes: The largest file that ``POST /files`` takes; infinite if it takes any.
        max_upload_bytes: The largest file that the Uploads API takes.
    """

    name: str
    base_url: str | None = None
    hosts: tuple[str, ...] = ()
    url_ends_with: str = ""
    key_header: Literal["Authorization", "api-key"] = "Authorization"
    query: Mapping[str, str] = field(default_factory=dict)
    chat_path: str = "/chat/completions"
    lacks: Mapping[Feature, str] = field(default_factory=dict)
    marks_jobs: bool = False
    keeps_ids: bool = False
    counts_bytes: bool = False
    environment: tuple[str, ...] = ("OPENAI_API_KEY",)
    limits: Limits = field(default_factory=Limits)
    training_rules: TrainingRules = field(default_factory=TrainingRules)
    methods: tuple[str, ...] = ("supervised", "dpo", "reinforcement")
    grader_types: tuple[str, ...] | None = None
    known_fields: frozenset[str] = frozenset()
    routing_fields: frozenset[str] = frozenset()
    known_hyperparameters: frozenset[str] = frozenset()
    hints: tuple[tuple[str, str], ...] = ()
    last_job_day: str | None = None
    shutdowns: Mapping[str, str] = field(default_factory=dict)
    late_events: float = 0.0
    bills: bool = True
    first_poll: float = 2.0
    longest_poll: float = 30.0
    max_file_bytes: float = 512 * 1000 * 1000
    max_upload_bytes: float = 8 * 1000 * 1000 * 1000

    @property
    def own_fields(self) -> frozenset[str]:
        """The keys of a job that only this provider has."""
        return self.known_fields | self.routing_fields

    def is_at(self, host: str, url: str) -> bool:
        """Return whether a base URL is one of this provider's.

        Args:
            host: The URL's host, in lower case.
            url: The whole URL, without a slash at the end.
        """
        known = any(
            fnmatchcase(host, f"*{name}" if name[0] == "." else name) for name in self.hosts
        )
        return known and url.endswith(self.url_ends_with)
