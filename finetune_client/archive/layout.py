"""How a folder is laid out in which the jobs of an account are kept.

::

    DIR/
    ├── index.json                  an object; "provider" names the provider of the account
    └── ftjob-abc/                  one folder for each job, named by its id
        ├── job.json (or job.toml)  a job file: the request that makes the same job
        ├── training_file.jsonl     its files, where they could be had
        └── validation_file.jsonl
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from finetune_client.errors import RequestError
from finetune_client.job_files import FILE_FIELDS, JobFile

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["DATA_FILES", "INDEX", "JOB_FILES", "provider_of_account", "read_job"]

INDEX: Final = "index.json"
JOB_FILES: Final = ("job.json", "job.toml")
"""The names of a job file; the first that is there is read, and the first is what is written."""
DATA_FILES: Final = {name: f"{name}.jsonl" for name in FILE_FIELDS}
"""A key of the request -> the name of its file."""


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
