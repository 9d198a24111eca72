"""Fetching models from the Hugging Face hub, into the cache that all its programs share.

Runs in the processes that load models. huggingface_hub reads the environment (``HF_ENDPOINT``,
``HF_HOME``, ``HF_TOKEN``, ``HF_HUB_OFFLINE``), makes downloads go on where they broke off, and keeps
two processes from downloading the same file.
"""

from __future__ import annotations

from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from huggingface_hub import HfApi, constants, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
)
from huggingface_hub.utils import httpx

from finetune_client.local.training.llm.sources import TOKENIZER_FILES
from finetune_client.local.training.trainer import TrainingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["fetch", "repository_of"]

_WEIGHTS = ("model.safetensors", "model-*-of-*.safetensors")
_SMALL = (
    *("config.json", "generation_config.json", "model.safetensors.index.json"),
    *TOKENIZER_FILES,
)
"""With the weights, all that is downloaded of a repository: neither pickles nor code."""

_NOT_DOWNLOADED = "model_not_downloaded"

# hf_xet, which moves the bytes of large files, raises RuntimeError.
_BREAKS = (OSError, httpx.TransportError, RuntimeError)


class _UnavailableError(TrainingError):
    """The hub does not give a model; the cache may have it."""


def fetch(
    repository: str,
    *,
    report: Callable[[str], None] = lambda _: None,
    check: Callable[[str], object] = lambda _: None,
) -> str:
    """Return the directory of a model of the hub; what the cache does not have is downloaded.

    A hub that does not give the model is no error if the cache has it whole.

    Args:
        repository: Its id.
        report: Called with what a user should know: that weights are downloaded now, or why the copy in
            the cache is used.
        check: Called with the directory before that, when it has all but the weights.

    Raises:
        TrainingError: There is no such model, it may not be read, it has no weights in safetensors,
            or it cannot be downloaded.
    """
    try:
        with _translated(repository):
            facts = HfApi().model_info(
                repository, files_metadata=True, timeout=constants.HF_HUB_ETAG_TIMEOUT
            )
            weights = _weights_of(repository, facts)
            directory = str(snapshot_download(repository, allow_patterns=list(_SMALL)))
        missing = [file for file in weights if not Path(directory, file.rfilename).exists()]
        if missing:
            check(directory)
            size = sum(file.size or 0 for file in missing)
            report(
                f"Downloading the weights of the model '{repository}' from {constants.ENDPOINT}: "
                f"{size / 1e6:,.1f} MB."
            )
        with _translated(repository):
            return str(
                snapshot_download(
                    repository, revision=Path(directory).name, allow_patterns=list(_WEIGHTS)
                )
            )
    except _UnavailableError as error:
        cached = _cached(repository)
        if cached is None:
            raise
        if not constants.HF_HUB_OFFLINE:
            report(f"{error} Until then the copy in the cache is used.")
        return cached


def repository_of(directory: Path) -> str | None:
    """Return the id of the repository whose files are in a directory of the cache, if it is one."""
    folder = directory.parent.parent.name
    if directory.parent.name != "snapshots" or not folder.startswith("models--"):
        return None
    return folder.removeprefix("models--").replace("--", "/")


def _cached(repository: str) -> str | None:
    """Return the directory of the cache that has the whole model, as far as the cache can tell."""
    try:
        found = snapshot_download(
            repository, allow_patterns=[*_SMALL, *_WEIGHTS], local_files_only=True
        )
    except LocalEntryNotFoundError:
        return None
    has_weights = any(next(Path(found).glob(pattern), None) for pattern in _WEIGHTS)
    return str(found) if has_weights else None


def _weights_of(repository: str, facts: Any) -> list[Any]:
    """Return the files of weights that a repository has; raise if it has none."""
    files = facts.siblings or []
    found = [file for file in files if any(fnmatchcase(file.rfilename, name) for name in _WEIGHTS)]
    if found:
        return found
    remedy = "Choose one that has."
    if gguf := [file.rfilename for file in files if file.rfilename.endswith(".gguf")]:
        remedy = (
            "It has GGUF: download one of these files, and give its path; for example: "
            f"hf download {repository} {gguf[0]} --local-dir DIRECTORY"
        )
    raise TrainingError(
        f"The model '{repository}' on {constants.ENDPOINT} has no weights in safetensors "
        f"({' or '.join(_WEIGHTS)}). Other formats are not downloaded: a pickle can run any code "
        f"when it is opened. {remedy}",
        code="model_not_found",
    )


@contextmanager
def _translated(repository: str) -> Iterator[None]:
    """Turn the errors of the hub, and of the way to it, into what a user can act on."""
    hub = constants.ENDPOINT
    try:
        yield
    except HFValidationError as error:
        message = f"{repository!r} cannot be the id of a model: {error}"
        raise TrainingError(message, code="model_not_found") from error
    except GatedRepoError as error:
        raise _UnavailableError(
            f"The model '{repository}' is gated. Ask for access at {hub}/{repository}, and start the "
            "server or the command again with HF_TOKEN set to a token of the account that has it.",
            code="model_not_found",
        ) from error
    except RepositoryNotFoundError as error:
        raise _UnavailableError(
            f"There is no model '{repository}' on {hub}, or it is private. Check the id; for a private "
            "model, start the server or the command again with HF_TOKEN set to a token that may read "
            "it. If a directory was meant, there is none of this path where that was started.",
            code="model_not_found",
        ) from error
    except HfHubHTTPError as error:
        said = (error.server_message or error.response.reason_phrase).rstrip(".")
        raise _UnavailableError(
            f"The model '{repository}' cannot be downloaded: {hub} answered "
            f"{error.response.status_code} ({said}). Check the token in HF_TOKEN if there is one, or "
            "try again later.",
            code=_NOT_DOWNLOADED,
        ) from error
    except _BREAKS as error:
        if constants.HF_HUB_OFFLINE:
            raise _UnavailableError(
                f"The model '{repository}' is not, or not whole, in the cache of the Hugging Face hub on "
                "this machine, and HF_HUB_OFFLINE forbids to download it. Start the server or the "
                "command again without that, or give the path of a directory that holds the model.",
                code=_NOT_DOWNLOADED,
            ) from error
        if isinstance(error, OSError) and error.errno is not None:  # of the disk, not of the hub
            raise _UnavailableError(
                f"The model '{repository}' cannot be written to the cache of the Hugging Face hub on this "
                f"machine: {error.strerror}. Make that possible, or start the server or the command "
                "again with HF_HOME set to a directory with room for it.",
                code=_NOT_DOWNLOADED,
            ) from error
        reason = str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__
        raise _UnavailableError(
            f"The model '{repository}' cannot be downloaded from {hub}: {reason}. Try again with a "
            "connection (files that are whole are not downloaded twice), or give the path of a "
            "directory that holds the model.",
            code=_NOT_DOWNLOADED,
        ) from error
