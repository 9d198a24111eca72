"""Files that describe a job, as JSON or TOML: the keys of the create request.

``training_file`` and ``validation_file`` may name files on this machine, relative to the folder of
the job file, which are uploaded when the job is created.

https://developers.openai.com/api/reference
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from finetune_client.atomic_file import replacing
from finetune_client.errors import ConfigurationError, RequestError
from finetune_client.models import FineTuningJobRequest, unknown_fields
from finetune_client.models.job_request import needed_features, request_problems
from finetune_client.resources.jobs.idempotency_keys import checked_key

if TYPE_CHECKING:
    from finetune_client.models import FineTuningJob
    from finetune_client.providers import Provider

__all__ = ["FILE_FIELDS", "JobFile", "file_argument"]

FILE_FIELDS: Final = ("training_file", "validation_file")
"""The keys of a request that stand for files."""

_KEY: Final = "idempotency_key"
_FILE_ID: Final = re.compile(r"file-[A-Za-z0-9_-]+")
_DATA_FILE: Final = re.compile(r".*\.(jsonl|json|csv|tsv|txt)", re.IGNORECASE | re.DOTALL)
_UPLOADED_LATER: Final = "the id of a file that is to be uploaded"


@dataclass(kw_only=True, slots=True)
class JobFile:
    """A job as a file describes it.

    ``client.jobs.create(**JobFile.read("job.toml").arguments())`` creates it.

    Attributes:
        request: The request, without the files that are still to be uploaded.
        paths: ``training_file`` and ``validation_file`` -> the file to upload, where it is one on
            this machine.
        idempotency_key: Names the job for later runs, see `Jobs.create`.
    """

    request: FineTuningJobRequest
    paths: dict[str, Path] = field(default_factory=dict)
    idempotency_key: str | None = None

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> JobFile:
        """Read a job file; `problems` says what is wrong with what it describes.

        Args:
            path: A name that ends in ``.json`` or ``.toml``.

        Raises:
            RequestError: It is neither, or cannot be parsed, or is not an object.
            ConfigurationError: It is TOML, and this Python needs the package tomli for that.
            OSError: It cannot be read.
        """
        source = Path(path)
        body = dict(_parse(source))
        paths = {}
        for name in FILE_FIELDS:
            given = _file_in(body.get(name), source.parent)
            if isinstance(given, Path):
                paths[name] = given
                del body[name]
            elif given is not None:
                body[name] = given
        key = body.pop(_KEY, None)
        return cls(request=FineTuningJobRequest.from_dict(body), paths=paths, idempotency_key=key)

    @classmethod
    def of_job(
        cls, job: FineTuningJob, provider: Provider, paths: Mapping[str, Path] | None = None
    ) -> JobFile:
        """Return what would make the same job again.

        The settings are those that the job reports: where ``"auto"`` was asked for, most servers
        report the number they chose. The idempotency key of the job is left out, since it names
        that job alone.

        Args:
            job: A job, as the server has it.
            provider: The server's; keys that it alone has are kept.
            paths: Files that are here, in place of the ids of the job's.
        """
        request = FineTuningJobRequest(
            model=job.model,
            training_file=job.training_file,
            validation_file=job.validation_file,
            suffix=job.user_provided_suffix or _suffix_of(job),
            seed=job.seed,
            metadata=dict(job.metadata or {}) or None,
        )
        own_keys = {k: v for k, v in job.extra.items() if k in provider.own_fields}
        body = {**own_keys, **request.to_dict(), **_training_of(job)}
        for integration in job.integrations or []:
            written = integration.to_dict()
            if isinstance(written.get("wandb"), dict):
                written["wandb"] = {k: v for k, v in written["wandb"].items() if k != "run_id"}
            body.setdefault("integrations", []).append(written)
        for name in paths or {}:
            body.pop(name, None)
        return cls(request=FineTuningJobRequest.from_dict(body), paths=dict(paths or {}))

    def problems(self, provider: Provider) -> list[str]:
        """List all that is wrong with it before anything is sent, each with its place.

        Args:
            provider: Who is to create the job.
        """
        body = self.request.to_dict()
        complete = {**body, **dict.fromkeys(self.paths, _UPLOADED_LATER)}
        found = request_problems(complete, provider.limits)
        found += [
            f'{name}: there is no file {str(path)!r} (an id that looks like a path is {{"id": "..."}})'
            for name, path in self.paths.items()
            if not path.is_file()
        ]
        if self.idempotency_key is not None:
            try:
                checked_key(self.idempotency_key)
            except RequestError as error:
                found.append(f"{_KEY}: {error.message}")
        found += [
            f"{feature if feature in body else 'hyperparameters'}: the provider {provider.name!r} "
            f"does not support {what}: {provider.lacks[feature]}"
            for feature, what in needed_features(body)
            if feature in provider.lacks
        ]
        return found

    def unknown_fields(self, provider: Provider) -> list[str]:
        """Name the keys that no field knows, which are sent as they are; see `unknown_fields`."""
        return unknown_fields(self.request.to_dict(), provider=provider)

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of `Jobs.create` that create the job."""
        request = self.request
        given = {
            "validation_file": request.validation_file,
            "suffix": request.suffix,
            "seed": request.seed,
            "method": request.method,
            "hyperparameters": request.hyperparameters,
            "integrations": request.integrations,
            "metadata": request.metadata,
            "extra_body": request.extra or None,
            "idempotency_key": self.idempotency_key,
            **self.paths,
        }
        return {
            "model": request.model,
            "training_file": request.training_file,
            **{name: value for name, value in given.items() if value is not None},
        }

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write it as JSON, whole or not at all; `read` gives back what is equal to it.

        Args:
            path: A name that ends in ``.json``. A file below its folder is written relative to it.

        Raises:
            RequestError: The name ends in something else, or JSON cannot hold the request.
            OSError: It cannot be written.
        """
        target = Path(path)
        if target.suffix.lower() != ".json":
            raise RequestError(
                f"A job file is written as JSON: give a name that ends in .json, not {target.name!r}."
            )
        content = self.to_json(target.parent)
        with replacing(target) as file:
            file.write(content)

    def to_json(self, folder: Path, *, within: Path | None = None) -> bytes:
        """Return what a job file in a folder holds.

        Args:
            folder: Where the job file is to be.
            within: Files below this folder are written relative to ``folder``, so that all of it
                can be moved; by default those below ``folder``.

        Raises:
            RequestError: JSON cannot hold the request.
        """
        body = self.request.to_dict()
        for name in FILE_FIELDS:
            if name in self.paths:
                body[name] = _written_path(self.paths[name], folder, within or folder)
            elif isinstance(body.get(name), str) and not _FILE_ID.fullmatch(body[name]):
                body[name] = {"id": body[name]}
        if self.idempotency_key is not None:
            body[_KEY] = self.idempotency_key
        try:
            text = json.dumps(body, indent=2, ensure_ascii=False, allow_nan=False)
            return f"{text}\n".encode()
        except (TypeError, ValueError) as error:
            raise RequestError(f"The job cannot be written as JSON: {error}.") from None


def file_argument(text: str, folder: Path) -> str | Path:
    """Return the path or the id that a text stands for.

    It is an id if it begins with ``file-`` and has only characters of an id; else a path if there is
    such a file, or if it has a slash or the ending of a data file.

    Args:
        text: What stands in a job file or on a command line.
        folder: What a path is relative to.
    """
    if not text.strip() or "\0" in text or _FILE_ID.fullmatch(text):
        return text
    path = folder / Path(text).expanduser()
    looks_like_one = "/" in text or os.sep in text or _DATA_FILE.fullmatch(text)
    try:
        return path if looks_like_one or path.is_file() else text
    except OSError:  # longer than a name can be
        return text


def _file_in(value: Any, folder: Path) -> str | Path | None:
    """Read what stands for a file: text, ``{"id": ...}`` or ``{"path": ...}``; None for others."""
    if isinstance(value, str):
        return file_argument(value, folder)
    if isinstance(value, Mapping) and len(value) == 1:
        kind, text = next(iter(value.items()))
        if isinstance(text, str) and kind == "id":
            return text
        if isinstance(text, str) and kind == "path" and text:
            return folder / Path(text).expanduser()
    return None


def _written_path(path: Path, folder: Path, within: Path) -> str | dict[str, str]:
    """Write a path so that it is read as one, relative to ``folder`` if it is below ``within``."""
    below = path.is_relative_to(within)
    text = Path(os.path.relpath(path, folder)).as_posix() if below else str(path.absolute())
    return text if _DATA_FILE.fullmatch(text) else {"path": text}


def _parse(path: Path) -> Mapping[str, Any]:
    kind = path.suffix.lower()
    if kind not in {".json", ".toml"}:
        raise RequestError(
            f"A job file is JSON or TOML: its name must end in .json or .toml, got {path.name!r}."
        )
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
        data = json.loads(text) if kind == ".json" else _loads_toml(text)
    except ConfigurationError:  # it is a ValueError too
        raise
    except json.JSONDecodeError as error:
        reason = f"{error.msg} (at line {error.lineno}, column {error.colno})"
    except UnicodeDecodeError as error:
        reason = f"it is not UTF-8 (at byte {error.start + 1})"
    except RecursionError:
        reason = "it is nested too deeply"
    except ValueError as error:  # of tomllib, which names the place itself
        reason = str(error)
    else:
        if isinstance(data, dict):
            return data
        reason = f"it must be an object, got {type(data).__name__}"
    raise RequestError(f"The job file {str(path)!r} cannot be read: {reason.rstrip('.')}.")


def _loads_toml(text: str) -> Any:
    if sys.version_info >= (3, 11):
        import tomllib

        return tomllib.loads(text)
    try:
        import tomli
    except ModuleNotFoundError:
        raise ConfigurationError(
            "Reading TOML needs the package tomli on this Python: pip install "
            "'finetune-client[cli]', or write the job file as JSON."
        ) from None
    return tomli.loads(text)


def _suffix_of(job: FineTuningJob) -> str | None:
    """Return the suffix in the name of a tuned model, ``ft:BASE:ORGANIZATION:SUFFIX:ID``."""
    parts = (job.fine_tuned_model or "").split(":")
    return parts[3] or None if len(parts) == 5 and parts[0] == "ft" else None


def _training_of(job: FineTuningJob) -> dict[str, Any]:
    """Return ``method`` or ``hyperparameters``; most servers report a supervised job's in both."""
    settings = job.hyperparameters.to_dict() if job.hyperparameters else {}
    if job.method is None:
        return {"hyperparameters": settings} if settings else {}
    method = job.method.to_dict()
    kind = job.method.type
    own = method.get(kind)
    if settings and not (isinstance(own, dict) and own.get("hyperparameters")):
        method[kind] = {**(own if isinstance(own, dict) else {}), "hyperparameters": settings}
    return {"method": method}
