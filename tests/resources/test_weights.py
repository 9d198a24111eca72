"""A model's weights, from a service that gives them as the files of its checkpoints."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from finetune_client import Client
from finetune_client.errors import (
    APIConnectionError,
    APIResponseError,
    APITimeoutError,
    ConfigurationError,
    IntegrityError,
    NotFoundError,
    RequestError,
)
from finetune_client.file_lock import LockFile
from finetune_client.models import FineTuningJob, FineTuningJobCheckpoint, Model
from tests.support.fault_server import FaultServer, fault
from tests.support.faults.answers import Answer
from tests.support.faults.clients import connect, failure, sleepless
from tests.support.file_service import DATA, FileService
from tests.support.local_api import chat_lines, jsonl

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.faults.wire import Seen

ROOT = Path(__file__).parents[2]
FILES = {
    "file-1": ("/data/ftjob-1/step-20/adapter_config.json", b'{"r": 16}'),
    "file-2": ("/data/ftjob-1/step-20/adapter_model.safetensors", DATA),
    "file-3": ("/data/ftjob-1/step-20/1_Pooling/config.json", b"{}"),
}
WEIGHTS = {
    "adapter_config.json": FILES["file-1"][1],
    "adapter_model.safetensors": DATA,
    "1_Pooling/config.json": b"{}",
}
INDEX = ".finetune-weights.json"
CONTENT = "GET /files/file-2/content"


class WeightsService(FileService):
    """One job with two checkpoints, and the files of the last one."""

    def __init__(self) -> None:
        super().__init__()
        self.files: dict[str, tuple[str | None, bytes]] = dict(FILES)
        self.model: str | None = "ft:m:o::1"
        self.checkpoints: list[dict[str, Any]] = [
            self.checkpoint("ftckpt_2", 20, [*FILES]),
            self.checkpoint("ftckpt_1", 3, ["file-1"]),
        ]

    def checkpoint(self, name: str, step: int, files: Any) -> dict[str, Any]:
        row = {"id": name, "object": "fine_tuning.job.checkpoint", "fine_tuning_job_id": "ftjob-1"}
        model = f"{self.model}:ckpt-step-{step}"
        more = {"fine_tuned_model_checkpoint": model, "step_number": step, "created_at": step}
        return {**row, **more, "result_files": files}

    def _route(self, seen: Seen) -> Answer:
        job = {"id": "ftjob-1", "object": "fine_tuning.job", "fine_tuned_model": self.model}
        if seen.line == "GET /fine_tuning/jobs":
            return Answer.of({"object": "list", "data": [{"id": "ftjob-2"}, job]})
        if seen.path == "/fine_tuning/jobs/ftjob-1/checkpoints":
            return Answer.of({"object": "list", "data": self.checkpoints})
        if seen.path.startswith("/fine_tuning/jobs/"):
            found = seen.path.endswith("/ftjob-1")
            return Answer.of(job) if found else Answer.of({"error": {"message": "none"}}, 404)
        if seen.path.startswith("/files/"):
            name, self.content = self.files[seen.path.split("/")[2]]
            self.file = {"filename": name, "purpose": "fine-tune"}
        return super()._route(seen)


@pytest.fixture
def service() -> WeightsService:
    return WeightsService()


@pytest.fixture
def server(service: WeightsService) -> Iterator[FaultServer]:
    with FaultServer(api=service) as server:
        yield server


@pytest.fixture
def client(server: FaultServer) -> Iterator[Client]:
    with connect(server, provider="nebius") as client:
        sleepless(client)
        yield client


def _tree(directory: Path) -> dict[str, bytes]:
    """All files of a directory by their paths, without our own."""
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
        and not any(part.startswith(".finetune-") for part in path.relative_to(directory).parts)
    }


def _fetched(server: FaultServer) -> list[str]:
    return [line.split("/")[2] for line in server.lines if line.endswith("/content")]


def test_download__writes_each_file_under_its_own_name(
    client: Client, server: FaultServer, tmp_path: Path
) -> None:
    target = tmp_path / "models" / "mine"
    told: list[tuple[int, int]] = []
    found = client.models.download(
        "ftjob-1", target, progress=lambda done, total: told.append((done, total))
    )
    assert found == target
    assert _tree(target) == WEIGHTS
    assert os.listdir(tmp_path / "models") == ["mine"]  # noqa: PTH208
    total = sum(map(len, WEIGHTS.values()))
    assert told[0] == (0, total)
    assert told[-1] == (total, total)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert json.loads((target / INDEX).read_text(encoding="ascii")) == {
        "server": server.url,
        "job": "ftjob-1",
        "checkpoint": "ftckpt_2",
        "files": {
            name: {"id": file_id, "bytes": len(content)}
            for file_id, (name, content) in zip(FILES, WEIGHTS.items(), strict=True)
        },
    }


LAST = FineTuningJobCheckpoint(id="ftckpt_9", result_files=["file-2"])


@pytest.mark.parametrize(
    ("model", "checkpoint", "expected"),
    [
        (FineTuningJob(id="ftjob-1"), None, "ftckpt_2"),
        ("ft:m:o::1", None, "ftckpt_2"),
        (Model(id="ft:m:o::1"), None, "ftckpt_2"),
        ("ft:m:o::1:ckpt-step-3", None, "ftckpt_1"),
        (Model(id="ft:m:o::1:ckpt-step-3"), None, "ftckpt_1"),
        ("ftjob-1", "ftckpt_1", "ftckpt_1"),
        ("ftjob-1", 3, "ftckpt_1"),
        ("ftjob-1", "ft:m:o::1:ckpt-step-3", "ftckpt_1"),
        ("ftjob-1", LAST, "ftckpt_9"),
        (LAST, None, "ftckpt_9"),
    ],
)
def test_download__takes_whatever_names_the_weights(
    client: Client, tmp_path: Path, model: Any, checkpoint: Any, expected: str
) -> None:
    client.models.download(model, tmp_path / "w", checkpoint=checkpoint)
    assert json.loads((tmp_path / "w" / INDEX).read_text())["checkpoint"] == expected


def test_download__the_last_checkpoint_is_the_one_of_the_highest_step(
    client: Client, service: WeightsService, tmp_path: Path
) -> None:
    service.checkpoints.reverse()
    client.models.download("ftjob-1", tmp_path / "w")
    assert _tree(tmp_path / "w") == WEIGHTS


@pytest.mark.parametrize(
    ("model", "checkpoint", "message"),
    [
        (
            "ftjob-1",
            "ftckpt_7",
            (
                "The job 'ftjob-1' has no checkpoint 'ftckpt_7'; it has: ftckpt_2 (step 20), ftckpt_1 "
                "(step 3). Nothing was written."
            ),
        ),
        (
            "ftckpt_1",
            None,
            (
                "'ftckpt_1' is the id of a checkpoint, and the API finds none without its job: "
                "client.models.download(job_id, directory, checkpoint='ftckpt_1')."
            ),
        ),
        (
            "ftjob-1",
            True,
            "checkpoint must be an id, a step or a checkpoint, not bool.",
        ),
        (LAST, 3, "checkpoint is given twice: model is a checkpoint already."),
        (
            7,
            None,
            (
                "model must be the name of a model, the id of a job, a FineTuningJob, a Model or a "
                "checkpoint, not int."
            ),
        ),
        (
            "",
            None,
            (
                "model must be the name of a model, the id of a job, a FineTuningJob, a Model or a "
                "checkpoint, not an empty text."
            ),
        ),
        (
            FineTuningJobCheckpoint(id="ftckpt_9", result_files=[]),
            None,
            (
                "The checkpoint 'ftckpt_9' has no files, so the server gives no weights of it. Nothing "
                "was written."
            ),
        ),
    ],
)
def test_download__what_names_no_weights_is_refused(
    client: Client, tmp_path: Path, model: Any, checkpoint: Any, message: str
) -> None:
    call = lambda: client.models.download(model, tmp_path / "w", checkpoint=checkpoint)  # noqa: E731
    assert failure(call, RequestError).message == message
    assert list(tmp_path.iterdir()) == []


def test_download__a_job_without_checkpoints(
    client: Client, service: WeightsService, tmp_path: Path
) -> None:
    service.checkpoints = []
    error = failure(lambda: client.models.download("ftjob-1", tmp_path / "w"), RequestError)
    assert error.message == (
        "The job 'ftjob-1' has no checkpoints, so there are no weights of it. Nothing was written."
    )


def test_download__a_name_that_no_job_has(client: Client, tmp_path: Path) -> None:
    error = failure(lambda: client.models.download("mine", tmp_path / "w"), NotFoundError)
    assert error.message == (
        "No job has the id 'mine' or made a model of that name, so its weights cannot be found; "
        "give the job that made it."
    )
    assert (error.status_code, error.path) == (404, "/fine_tuning/jobs/mine")


def test_download__where_there_are_no_weights_nothing_is_sent(
    server: FaultServer, tmp_path: Path
) -> None:
    with connect(server) as client:
        error = failure(
            lambda: client.models.download("ftjob-1", tmp_path / "w"), ConfigurationError
        )
    assert error.message == (
        "The provider 'openai' does not support downloading a model's weights: a checkpoint has no "
        "files in its API's specification (2026-11). Nothing was sent. To ask all the same, give "
        "the client provider=dataclasses.replace(provider, lacks={})."
    )
    assert server.lines == []


UNSAFE = [
    "..",
    "../evil",
    "a/../../evil",
    "/etc/passwd",
    "C:\\evil",
    "C:evil",
    "..\\evil",
    "a//b",
    "nul",
    "NUL.bin",
    "com1.safetensors",
    "LPT¹",
    "con .txt",
    "a.",
    "a ",
    "a\0b",
    "a\nb",
    "a:b",
    'a"b',
    "a|b",
    "\ud800",
    ".finetune-weights.json",
    ".FineTune-0.part",
    "folder/",
    "x" * 256,
    "ü" * 128,
]


@pytest.mark.parametrize("name", UNSAFE)
def test_download__a_name_that_is_not_safe_is_refused_before_anything_is_written(
    client: Client, service: WeightsService, server: FaultServer, tmp_path: Path, name: str
) -> None:
    service.files = {"file-1": ("good.json", b"{}"), "file-2": (name, b"evil")}
    checkpoint = FineTuningJobCheckpoint(id="c", result_files=["file-1", "file-2"])
    error = failure(lambda: client.models.download(checkpoint, tmp_path / "w"), APIResponseError)
    assert error.message == (
        f"The server calls the file 'file-2' {name!r}, which is not safe as a name here; nothing "
        "was written. Fetch it under a name of your own: client.files.download('file-2', path)."
    )
    assert list(tmp_path.iterdir()) == []
    assert _fetched(server) == []


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("a.bin", "a.bin"),
        ("a.bin", "A.BIN"),
        ("\u00e9.bin", "e\u0301.bin"),
        ("a", "a/b"),
        ("a/b", "A"),
        ("x/Straße/a", "x/STRASSE/a"),
    ],
)
def test_download__two_files_of_one_name_are_refused(
    client: Client, service: WeightsService, tmp_path: Path, first: str, second: str
) -> None:
    service.files = {"file-1": (first, b"1"), "file-2": (second, b"2"), "file-3": ("z", b"3")}
    checkpoint = FineTuningJobCheckpoint(id="c", result_files=["file-1", "file-2", "file-3"])
    error = failure(lambda: client.models.download(checkpoint, tmp_path / "w"), APIResponseError)
    assert error.message == (
        f"The server calls the file 'file-2' {second!r}, like another file of the checkpoint 'c'; "
        "nothing was written. Fetch it under a name of your own: "
        "client.files.download('file-2', path)."
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("../../up/adapter.bin", "adapter.bin"),  # folders that all files are in are left out
        ("C:\\runs\\1\\adapter.bin", "adapter.bin"),
        ("/abs/adapter.bin", "adapter.bin"),
        ("träning 训练.bin", "träning 训练.bin"),
        (".hidden", ".hidden"),
        ("concise.txt", "concise.txt"),
        (None, "file-1"),
        ("", "file-1"),
    ],
)
def test_download__folders_that_all_files_are_in_are_left_out(
    client: Client, service: WeightsService, tmp_path: Path, name: str | None, expected: str
) -> None:
    service.files = {"file-1": (name, b"1")}
    checkpoint = FineTuningJobCheckpoint(id="c", result_files=["file-1", "file-1"])
    client.models.download(checkpoint, tmp_path / "w")
    assert _tree(tmp_path / "w") == {expected: b"1"}


ONCE = {
    "reset": fault("reset", on=CONTENT),
    "cut": fault("cut", on=CONTENT),
    "cut without a length": fault("cut open", on=CONTENT),
    "503": fault("answer", on=CONTENT, status=503, json={}),
}


@pytest.mark.parametrize("broken", ONCE.values(), ids=ONCE)
def test_download__a_transfer_that_breaks_once_is_resumed(
    client: Client, server: FaultServer, tmp_path: Path, broken: Any
) -> None:
    server.script(broken)
    client.models.download("ftjob-1", tmp_path / "w")
    assert _tree(tmp_path / "w") == WEIGHTS


def _stop_after(bytes_: int) -> Any:
    def stop(done: int, _total: int) -> None:
        if done > bytes_:
            raise KeyboardInterrupt

    return stop


@pytest.mark.parametrize("existing", [False, True])
@pytest.mark.parametrize("etag", ['"1"', None])
def test_download__the_same_call_continues_where_the_last_one_ended(
    client: Client,
    service: WeightsService,
    server: FaultServer,
    tmp_path: Path,
    existing: bool,
    etag: str | None,
) -> None:
    service.tag = etag
    target = tmp_path / "w"
    if existing:
        target.mkdir()
    with pytest.raises(KeyboardInterrupt):
        client.models.download("ftjob-1", target, progress=_stop_after(500_000))
    assert target.exists() is existing
    assert _tree(target) == {}
    client.models.download("ftjob-1", target)
    assert _tree(target) == WEIGHTS
    assert _fetched(server) == ["file-1", "file-2", "file-2", "file-3"]
    begun = [wanted for wanted in service.wanted if wanted]
    assert len(begun) == 1
    assert 500_000 - 9 < int(begun[0].removeprefix("bytes=").removesuffix("-")) < len(DATA)
    assert sorted(os.listdir(tmp_path)) == ["w"]  # noqa: PTH208
    assert [one.name for one in target.iterdir() if one.name.startswith(".")] == [INDEX]


def test_download__the_rest_of_what_is_another_file_now_is_not_taken(
    client: Client, service: WeightsService, tmp_path: Path
) -> None:
    target = tmp_path / "w"
    with pytest.raises(KeyboardInterrupt):
        client.models.download("ftjob-1", target, progress=_stop_after(500_000))
    partial = target.with_name("w.part") / ".finetune-1.part"
    partial.write_bytes(DATA + b"more than there is")
    client.models.download("ftjob-1", target)
    assert _tree(target) == WEIGHTS


def test_download__all_that_is_there_already_is_not_fetched_again(
    client: Client, server: FaultServer, tmp_path: Path
) -> None:
    client.models.download("ftjob-1", tmp_path / "w")
    assert client.models.download("ftjob-1", tmp_path / "w") == tmp_path / "w"
    assert _fetched(server) == ["file-1", "file-2", "file-3"]


def test_download__never_writes_among_other_files(
    client: Client, server: FaultServer, tmp_path: Path
) -> None:
    (tmp_path / "other.txt").write_text("mine")
    with pytest.raises(FileExistsError) as caught:
        client.models.download("ftjob-1", tmp_path)
    assert (caught.value.strerror, caught.value.filename) == (
        "The directory is not empty; give a new one",
        str(tmp_path),
    )
    assert _tree(tmp_path) == {"other.txt": b"mine"}
    client.models.download("ftjob-1", tmp_path / "w")
    with pytest.raises(FileExistsError):  # another checkpoint
        client.models.download("ftjob-1", tmp_path / "w", checkpoint=3)
    assert _tree(tmp_path / "w") == WEIGHTS
    (tmp_path / "w" / "adapter_config.json").write_bytes(b"changed")
    with pytest.raises(FileExistsError):
        client.models.download("ftjob-1", tmp_path / "w")
    assert (tmp_path / "w" / "adapter_config.json").read_bytes() == b"changed"


def test_download__what_is_left_of_another_download_is_not_touched(
    client: Client, tmp_path: Path
) -> None:
    target = tmp_path / "w"
    with pytest.raises(KeyboardInterrupt):
        client.models.download("ftjob-1", target, progress=_stop_after(500_000))
    draft = tmp_path / "w.part"
    before = {path: path.read_bytes() for path in draft.rglob("*") if path.is_file()}
    with pytest.raises(FileExistsError) as caught:
        client.models.download("ftjob-1", target, checkpoint=3)
    assert (caught.value.strerror, caught.value.filename) == (
        "This is left of another download; delete it to start over",
        str(draft),
    )
    assert {path: path.read_bytes() for path in draft.rglob("*") if path.is_file()} == before


KILLED = """
import os, sys
from pathlib import Path
from finetune_client import Client

url, directory, step, count = sys.argv[1:]

def die_at_the_last(real):
    calls = iter(range(1, 100))
    def wrapped(*args, **kwargs):
        if next(calls) == int(count):
            os.kill(os.getpid(), 9)
        return real(*args, **kwargs)
    return wrapped

owner = os if step == "fsync" else Path
setattr(owner, step, die_at_the_last(getattr(owner, step)))
with Client("sk-1", base_url=url, provider="nebius") as client:
    client.models.download("ftjob-1", directory)
"""


@pytest.mark.skipif(os.name != "posix", reason="Windows has no kill -9")
@pytest.mark.parametrize(
    ("existing", "step", "count"),
    [
        (False, "replace", 1),  # before there is an index
        (False, "fsync", 4),  # a file is there, but not on the disk yet
        (False, "replace", 3),  # nor has it its name
        (False, "rename", 1),  # all are there
        (True, "replace", 6),  # one is in its place
        (True, "rmdir", 1),  # all are, but not the index
        (True, "rmdir", 2),  # the index is, too
    ],
)
def test_download__killed_and_called_again(
    client: Client, server: FaultServer, tmp_path: Path, existing: bool, step: str, count: int
) -> None:
    target = tmp_path / "w"
    if existing:
        target.mkdir()
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, server.url, str(target), step, str(count)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert killed.returncode == -9
    assert existing or not target.exists()
    client.models.download("ftjob-1", target)
    client.models.download("ftjob-1", target)
    assert _tree(target) == WEIGHTS
    assert sorted(path.name for path in target.glob(".*")) == [INDEX]
    assert [path.name for path in tmp_path.iterdir()] == ["w"]
    assert _fetched(server) == ["file-1", "file-2", "file-3"]


def test_download__another_file_of_the_same_name_is_not_taken_for_one_that_was_moved(
    client: Client, tmp_path: Path
) -> None:
    target = tmp_path / "w"
    target.mkdir()
    with pytest.raises(KeyboardInterrupt):
        client.models.download("ftjob-1", target, progress=_stop_after(500_000))
    (target / "adapter_model.safetensors").write_bytes(b"half of it")
    client.models.download("ftjob-1", target)
    assert _tree(target) == WEIGHTS


def test_download__killed_before_there_was_an_index(client: Client, tmp_path: Path) -> None:
    draft = tmp_path / "w.part"
    draft.mkdir()
    (draft / ".finetune-0123456789abcdef.part").write_bytes(b"{")
    client.models.download("ftjob-1", tmp_path / "w")
    assert _tree(tmp_path / "w") == WEIGHTS
    assert sorted(path.name for path in (tmp_path / "w").glob(".*")) == [INDEX]


def test_download__two_at_once_into_one_directory(client: Client, tmp_path: Path) -> None:
    target = tmp_path / "w"
    other = LockFile(tmp_path / "w.part.lock")
    assert other.acquire()
    try:
        error = failure(lambda: client.models.download("ftjob-1", target), RequestError)
    finally:
        other.release()
    assert error.message == f"Another download into {str(target)!r} is running."
    client.models.download("ftjob-1", target)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["w"]


def test_download__a_file_in_the_way(client: Client, server: FaultServer, tmp_path: Path) -> None:
    target = tmp_path / "w"
    target.write_bytes(b"mine")
    error = failure(lambda: client.models.download("ftjob-1", target), RequestError)
    assert error.message == f"{str(target)!r} is a file; give the path of a directory."
    assert target.read_bytes() == b"mine"
    assert failure(lambda: client.models.download("ftjob-1", ""), RequestError).message == (
        "directory must be a path, not an empty text."
    )
    assert _fetched(server) == []


def test_download__into_the_directory_that_this_process_works_in(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    client.models.download("ftjob-1", ".")
    assert _tree(tmp_path) == WEIGHTS


@pytest.mark.skipif(os.name != "posix", reason="links need a privilege on Windows")
def test_download__through_a_link(client: Client, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert client.models.download("ftjob-1", f"{tmp_path}/link/") == tmp_path / "link"
    assert _tree(tmp_path / "real") == WEIGHTS


def test_download__a_file_that_never_comes_leaves_no_directory(
    client: Client, server: FaultServer, tmp_path: Path
) -> None:
    server.script(*[fault("reset", on=CONTENT) for _ in range(20)])
    failure(lambda: client.models.download("ftjob-1", tmp_path / "w"), APIConnectionError)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["w.part"]
    server.pending.clear()
    client.models.download("ftjob-1", tmp_path / "w")
    assert _tree(tmp_path / "w") == WEIGHTS


def test_download__content_that_is_not_as_long_as_the_file_says(
    client: Client, service: WeightsService, tmp_path: Path
) -> None:
    checkpoint = FineTuningJobCheckpoint(id="c", result_files=["file-1"])
    real = service._object
    service._object = lambda name, size: real(name, size + 1)  # type: ignore[method-assign]
    failure(lambda: client.models.download(checkpoint, tmp_path / "w"), IntegrityError)
    assert not (tmp_path / "w").exists()


def test_download__all_files_share_one_total_timeout(server: FaultServer, tmp_path: Path) -> None:
    with connect(server, provider="nebius", total_timeout=60) as client:
        naps = sleepless(client)
        failure(
            lambda: client.models.download(
                "ftjob-1", tmp_path / "w", progress=lambda *_: naps.append(61)
            ),
            APITimeoutError,
        )
    assert _fetched(server) == ["file-1"]


@pytest.mark.parametrize("by", ["job", "id", "model", "checkpoint"])
def test_local__its_own_server_gives_the_weights(tmp_path: Path, by: str) -> None:
    pytest.importorskip("flask")
    numpy = pytest.importorskip("numpy")
    with Client.local() as client:
        file = client.files.create(file=("train.jsonl", jsonl(chat_lines(10)).encode()))
        job = client.jobs.wait(client.jobs.create(model="tiny", training_file=file.id).id)
        newest, *_ = client.jobs.checkpoints.list(job.id)
        sources: dict[str, Any] = {
            "job": job,
            "id": job.id,
            "model": job.fine_tuned_model,
            "checkpoint": newest,
        }
        client.models.download(sources[by], tmp_path / "weights")
    names = {path.name for path in (tmp_path / "weights").iterdir()}
    assert names == {"model.npz", INDEX}
    with numpy.load(tmp_path / "weights" / "model.npz") as arrays:
        assert arrays["weights"].shape == (257, 257)
