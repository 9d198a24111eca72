"""What differs between the servers that speak this API, as small values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "AZURE",
    "AZURE_CLASSIC",
    "COMPATIBLE",
    "LOCAL",
    "OPENAI",
    "PROVIDERS",
    "Feature",
    "Provider",
    "guess_provider",
]

Feature = Literal[
    "pause",  # pause and resume of a job
    "permissions",  # checkpoint permissions
    "graders",  # run and validate
    "uploads",  # the Uploads API
    "delete_model",
    "metadata",  # a job's metadata
    "metadata_filter",  # listing jobs by metadata
    "integrations",
    "method",  # `method` in a job; without it only `hyperparameters`
    "files_paging",  # `after`, `limit`, `order` when listing files
    "file_expiry",  # `expires_after` when uploading
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Provider:
    """One kind of server.

    Attributes:
        name: What `Client(provider=...)` takes and messages say.
        base_url: Where it is, if it is in one place.
        key_header: The header of the key: ``Authorization`` (as Bearer) or ``api-key``.
        query: What goes into the query of every request, such as ``api-version``.
        lacks: The features it does not have; asking for one is an error before anything is sent.
        marks_jobs: A create may put its idempotency key into the job's metadata.
        keeps_ids: An answer's id equals the id asked for, so another one is an error.
        needs_file_expiry: An upload without ``expires_after`` would be refused.
        environment: The variables the key is looked up in, first that is set.
        limits: The name of its limits on request values, see `finetune_client.models.limits`.
        first_poll, longest_poll: Seconds between two looks at a job: at first, and at most.
        max_file_bytes: The largest file that ``POST /files`` takes.
        max_upload_bytes: The largest file that the Uploads API takes.
    """

    name: str
    base_url: str | None = None
    key_header: Literal["Authorization", "api-key"] = "Authorization"
    query: Mapping[str, str] = field(default_factory=dict)
    lacks: frozenset[Feature] = frozenset()
    marks_jobs: bool = False
    keeps_ids: bool = False
    needs_file_expiry: bool = False
    environment: tuple[str, ...] = ("OPENAI_API_KEY",)
    limits: str = "openai"
    first_poll: float = 2.0
    longest_poll: float = 30.0
    max_file_bytes: int = 512 * 1000 * 1000
    max_upload_bytes: int = 8 * 1000 * 1000 * 1000


OPENAI = Provider(
    name="openai", base_url="https://api.openai.com/v1", marks_jobs=True, keeps_ids=True
)
LOCAL = Provider(
    name="local",
    marks_jobs=True,
    keeps_ids=True,
    environment=(),
    first_poll=0.05,
    longest_poll=0.5,
)
COMPATIBLE = Provider(name="compatible")
AZURE = Provider(
    name="azure",
    key_header="api-key",
    keeps_ids=True,
    needs_file_expiry=True,
    lacks=frozenset({"permissions", "uploads", "delete_model", "metadata_filter"}),
    environment=("AZURE_OPENAI_API_KEY",),
    limits="azure",
    max_upload_bytes=9 * 1000 * 1000 * 1000,
)
AZURE_CLASSIC = Provider(
    name="azure-classic",
    key_header="api-key",
    keeps_ids=True,
    lacks=frozenset(
        {
            "pause",
            "permissions",
            "graders",
            "metadata",
            "metadata_filter",
            "integrations",
            "method",
            "files_paging",
            "file_expiry",
        }
    ),
    environment=("AZURE_OPENAI_API_KEY",),
    limits="azure",
    max_upload_bytes=9 * 1000 * 1000 * 1000,
)

PROVIDERS: dict[str, Provider] = {
    provider.name: provider for provider in (OPENAI, LOCAL, COMPATIBLE, AZURE, AZURE_CLASSIC)
}

_OPENAI_HOSTS = ("api.openai.com", ".api.openai.com")
_AZURE_HOSTS = (
    ".openai.azure.com",
    ".cognitiveservices.azure.com",
    ".services.ai.azure.com",
    ".openai.azure.us",
    ".openai.azure.cn",
)


def guess_provider(host: str, url: str) -> Provider:
    """Tell from a base URL whose it is; `COMPATIBLE` if it is nobody's that we know.

    Args:
        host: In lower case.
        url: The whole base URL, without a slash at the end.
    """
    if host == _OPENAI_HOSTS[0] or host.endswith(_OPENAI_HOSTS[1]):
        return OPENAI
    if host.endswith(_AZURE_HOSTS):
        return AZURE if url.endswith("/v1") else AZURE_CLASSIC
    return COMPATIBLE
