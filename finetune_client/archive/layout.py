"""How a folder is laid out in which the jobs of an account are kept.

::

    DIR/
    ├── index.json                  what the archive holds; "provider" names that of the account
    ├── index.html                  the same as a page
    ├── models.json, files.json     the models and files that the server listed
    ├── answers.jsonl               what the tuned models answered, if they were asked
    ├── files/file-abc.jsonl        each file once, as the server sent it, named by its id
    └── ftjob-abc/                  one folder for each job, named by its id
        ├── job.json (or job.toml)  a job file: the request that makes the same job; it names the
        │                           files in files/ relative to itself
        ├── server_job.json         the job's object as the server sent it
        ├── events.jsonl            what happened, oldest first
        ├── checkpoints.json        its checkpoints, as a list
        ├── permissions.json        checkpoint -> who may use it
        └── metrics.csv             its training curves

A folder may also have ``training_file.jsonl`` and ``validation_file.jsonl`` in it, for those who
put a job together by hand: they stand for ids that its job file names.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

from finetune_client.errors import RequestError
from finetune_client.job_files import FILE_FIELDS, JobFile

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "ANSWERS",
    "CHECKPOINTS",
    "DATA_FILES",
    "EVENTS",
    "FILES",
    "FILE_LIST",
    "INDEX",
    "JOB_FILES",
    "LOCK",
    "METRICS",
    "MODELS",
    "PAGE",
    "PERMISSIONS",
    "SERVER_JOB",
    "file_name",
    "provider_of_account",
    "read_job",
    "read_json",
    "safe_name",
]

INDEX: Final = "index.json"
PAGE: Final = "index.html"
LOCK: Final = ".lock"
MODELS: Final = "models.json"
FILE_LIST: Final = "files.json"
FILES: Final = "files"
ANSWERS: Final = "answers.jsonl"
SERVER_JOB: Final = "server_job.json"
EVENTS: Final = "events.jsonl"
CHECKPOINTS: Final = "checkpoints.json"
PERMISSIONS: Final = "permissions.json"
METRICS: Final = "metrics.csv"
JOB_FILES: Final = ("job.json", "job.toml")
"""The names of a job file; the first that is there is read, and the first is what is written."""
DATA_FILES: Final = {name: f"{name}.jsonl" for name in FILE_FIELDS}
"""A key of the request -> the name of its file."""

_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
_TAKEN: Final = re.compile(r"files|con|prn|aux|nul|(com|lpt)[0-9]", re.IGNORECASE)
"""Our own folder, and names that Windows keeps for devices."""

_SUFFIXES: Final = frozenset(
    {
        ".bin",
        ".csv",
        ".gguf",
        ".gz",
        ".json",
        ".jsonl",
        ".npz",
        ".safetensors",
        ".tar",
        ".tsv",
        ".txt",
        ".zip",
    }
)
"""Endings that a file may have here: none that a browser runs."""


def safe_name(server_id: str) -> str:
    """Return a name for the folder or the file of an id: the id, or a digest of an odd one."""
    if _PLAIN.fullmatch(server_id) and not _TAKEN.fullmatch(server_id):
        return server_id
    return "id-" + hashlib.sha256(server_id.encode("utf-8", "surrogatepass")).hexdigest()[:40]


def file_name(file_id: str, filename: str | None, default: str) -> str:
    """Return the name of a file in ``files/``.

    Args:
        file_id: Its id.
        filename: Its name at the server, whose ending is kept.
        default: The ending where that is not known, such as ``.jsonl``.
    """
    suffix = PurePath(filename or "").suffix.lower()
    return safe_name(file_id) + (suffix if suffix in _SUFFIXES else default)


def read_json(path: Path) -> Any:
    """Return what a file of the archive holds; None if it is not there.

    Raises:
        RequestError: It is not JSON.
    """
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise RequestError(
            f"{str(path)!r} is not JSON: {error}. Put it right, or delete it to have it fetched again."
        ) from None


def read_job(folder: Path) -> JobFile:
    """Read the job that a folder describes.

    The files in the folder stand for the ids that the job file may name, which mean nothing on
    another server.

    Raises:
        RequestError: There is no job file, or it cannot be read.
        OSError: It cannot be read.
    """
    source = next((folder / name for name in JOB_FILES if (folder / name).is_file()), None)
    if source is None:
        raise RequestError(
            f"The folder {str(folder)!r} does not describe a job: it has no {' or '.join(JOB_FILES)}."
        )
    job = JobFile.read(source)
    for name, file in DATA_FILES.items():
        if name not in job.paths and (folder / file).is_file():
            job.paths[name] = folder / file
            setattr(job.request, name, None)
    return job


def provider_of_account(folder: Path) -> str | None:
    """Return the provider that the index beside a job's folder names; None if there is none.

    Raises:
        RequestError: The index cannot be read.
    """
    index = folder.absolute().parent / INDEX
    if not index.is_file():
        return None
    try:
        data = json.loads(index.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RequestError(f"The index {str(index)!r} is not JSON: {error}.") from None
    provider = data.get("provider") if isinstance(data, dict) else None
    return provider if isinstance(provider, str) else None
