"""The core of the package used as a script would, wherever it runs.

python -m tests.support.pretended_use DIRECTORY

Each function of `USES` is run in a directory of its own below; a line says how it ended. See
``tests/test_other_systems.py``.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import finetune_client
from finetune_client import Client
from finetune_client.archive import save
from finetune_client.atomic_file import replacing
from finetune_client.file_lock import LockFile
from finetune_client.ledger import Ledger
from finetune_client.local import LocalServer, running
from finetune_client.training_data import check
from tests.support.example_lines import good_lines
from tests.support.spawned import acquired, checked, created, in_processes

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["USES"]


def _training_file(folder: Path, lines: int = 30) -> Path:
    path = folder / "train.jsonl"
    path.write_bytes(b"\n".join(good_lines("chat", lines)))
    return path


def the_system(folder: Path) -> None:
    """It is the other one: what only Linux has is not there."""
    wanted = os.environ["PRETENDED_SYSTEM"]
    assert sys.platform == wanted
    assert hasattr(os, "fork") == (wanted == "darwin")
    assert not hasattr(os, "sched_getaffinity")
    if wanted == "win32":
        assert os.name == "nt"
        path = folder / "file"
        with path.open("wb"):
            assert _refused(path.unlink) is PermissionError
            assert _refused(lambda: path.replace(folder / "other")) is PermissionError
        (folder / "other").touch()
        assert _refused(lambda: path.rename(folder / "other")) is FileExistsError
        assert _refused((folder / "12:30").touch) is OSError
        assert _refused(lambda: os.open(folder, os.O_RDONLY)) is PermissionError


def _refused(act: Callable[[], object]) -> type[OSError] | None:
    try:
        act()
    except OSError as error:
        return type(error)
    return None


def every_module(folder: Path) -> None:
    """All that can be imported is; the trainers of real models need torch."""
    for module in pkgutil.walk_packages(finetune_client.__path__, "finetune_client."):
        if ".llm" not in module.name and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    if sys.platform == "win32":
        assert finetune_client.file_lock.msvcrt  # type: ignore[attr-defined,unused-ignore]


def atomic_file(folder: Path) -> None:
    target = folder / "data.jsonl"
    for content in (b"old", b"new"):
        with replacing(target) as file:
            file.write(content)
    target.chmod(0o400)
    try:
        with replacing(target) as file:
            file.write(b"never")
            raise KeyError  # noqa: TRY301  # as a caller's block may
    except KeyError:
        pass
    assert target.read_bytes() == b"new"
    assert list(folder.iterdir()) == [target]


def file_lock(folder: Path) -> None:
    path = folder / "lock"
    lock = LockFile(path)
    for _ in range(2):
        assert lock.acquire()
        assert not LockFile(path).acquire()
        assert in_processes(acquired, (path,)) == [False]
        lock.release()
        assert not path.exists()
    assert in_processes(acquired, (path,)) == [True]


def ledger(folder: Path) -> None:
    path = folder / "jobs.ledger"
    jobs = set(in_processes(created, *((path, f"ftjob-{number}") for number in range(3))))
    assert len(jobs) == 1
    assert [entry.job_id for entry in Ledger(path).entries()] == list(jobs)
    assert created(path, "ftjob-9") in jobs
    assert list(folder.iterdir()) == [path]


def checking(folder: Path) -> None:
    path = _training_file(folder, 300)
    alone = check(path, workers=1)
    assert check(path, workers=2) == alone
    assert in_processes(checked, (path, 2)) == [(True, alone.statistics, [])]
    path.unlink()


def server(folder: Path) -> None:
    """Two lives of a server in one directory, in process and on a port."""
    directory, training = folder / "state", _training_file(folder)
    with Client.local(directory) as client:
        job = client.jobs.create(
            model="tiny", training_file=training, hyperparameters={"n_epochs": 1}
        )
        job = client.jobs.wait(job.id, poll_interval=0.05)
        assert job.fine_tuned_model
        assert job.result_files
        assert client.jobs.metrics(job.id).series("train_loss")
    with LocalServer(directory) as local, running(local) as url:
        with Client("k", base_url=url) as client:
            assert [one.id for one in client.jobs.list()] == [job.id]
            target = folder / "results.csv"
            for _ in range(2):
                client.files.download(job.result_files[0], target)
            assert target.read_bytes().startswith(b"step,")
            client.files.delete(job.result_files[0])
            client.models.delete(job.fine_tuned_model)
        try:
            LocalServer(directory).close()
        except BlockingIOError:
            return
    raise AssertionError("two servers used one directory")


def uploads(folder: Path) -> None:
    path, state = _training_file(folder, 3000), folder / "state.json"
    with Client.local() as client:
        upload = client.uploads.upload_file(path, part_size=65536, workers=3, state=state)
        assert upload.file is not None
        assert upload.file.bytes == path.stat().st_size
        assert client.files.content(upload.file.id) == path.read_bytes()
    assert not state.exists()


def archive(folder: Path) -> None:
    with Client.local(folder / "state") as client:
        job = client.jobs.create(model="tiny", training_file=_training_file(folder))
        client.jobs.wait(job.id, poll_interval=0.05)
        for _ in range(2):
            report = save(client, folder / "archive")
            assert report.is_complete
    kept = json.loads((folder / "archive" / job.id / "server_job.json").read_text("utf-8"))
    assert kept["id"] == job.id


USES = (
    the_system,
    every_module,
    atomic_file,
    file_lock,
    ledger,
    checking,
    server,
    uploads,
    archive,
)


def main() -> None:
    for use in USES:
        folder = Path(sys.argv[1], use.__name__)
        folder.mkdir()
        try:
            use(folder)
        except Exception:  # noqa: BLE001  # it is printed, and the next is tried
            print(f"failed: {use.__name__}\n{traceback.format_exc()}")
        else:
            print(f"good: {use.__name__}")


if __name__ == "__main__":
    main()
