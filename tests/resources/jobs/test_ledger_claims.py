"""`jobs.create` with a ledger, against a server that keeps no metadata."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from finetune_client import Client
from finetune_client.errors import (
    APIConnectionError,
    BadRequestError,
    ConfigurationError,
    JobMayExistError,
    NotFoundError,
    RequestError,
    TrainingDataError,
)
from finetune_client.ledger import Ledger
from tests.support.fake_time import FakeTime
from tests.support.fault_server import FaultServer, fault
from tests.support.faults.api import Api
from tests.support.unmeasured import unmeasured

if TYPE_CHECKING:
    from collections.abc import Iterator

    from finetune_client.models import FineTuningJob
    from finetune_client.resources import CreateStep
    from tests.support.faults.answers import Answer
    from tests.support.faults.wire import Seen

ROOT = Path(__file__).parents[3]
CREATE = "POST /fine_tuning/jobs"
EXPIRY = 1_209_600


def write_examples(path: Path, *, first: int = 0) -> Path:
    turns = [
        [{"role": "user", "content": f"q{number}"}, {"role": "assistant", "content": "a"}]
        for number in range(first, first + 12)
    ]
    path.write_text("".join(json.dumps({"messages": one}) + "\n" for one in turns))
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_examples(tmp_path / "train.jsonl")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger"


@pytest.fixture(params=["compatible", "azure", "azure-classic"])
def provider(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(api=Api(keeps_metadata=False)) as made:
        yield made


@pytest.fixture
def client(
    server: FaultServer, path: Path, provider: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Client]:
    monkeypatch.setenv("OPENAI_API_VERSION", "2024-10-21")  # which the classic API must have
    with Client(
        "sk-test", base_url=server.url, provider=provider, max_retries=0, ledger=path
    ) as made:
        made._session.clock = FakeTime(now=time.time()).clock
        yield made


def create(client: Client, file: Path | str, key: str | None = "k", **more: Any) -> FineTuningJob:
    if client.provider.name == "azure" and isinstance(file, Path):
        more = {"expires_after": EXPIRY, **more}
    return client.jobs.create(model="gpt-4o-mini", training_file=file, idempotency_key=key, **more)


def states(path: Path) -> dict[str, str | None]:
    return {entry.key: entry.job_id for entry in Ledger(path).entries()}


def test_create__a_second_time_gives_the_first_job(
    client: Client, server: FaultServer, file: Path, path: Path
) -> None:
    steps: list[CreateStep] = []
    first = create(client, file)
    again = create(client, file, on_step=steps.append)
    assert again.id == first.id
    assert [(step.kind, step.job) for step in steps] == [("found", again)]
    assert server.api.count("job") == server.api.count("file") == 1
    assert server.lines[-1] == f"GET /fine_tuning/jobs/{first.id}"
    (entry,) = Ledger(path).entries()
    assert (entry.server, entry.key, entry.job_id) == (server.url, "k", first.id)


def test_create__is_known_by_what_is_in_its_files(
    client: Client, server: FaultServer, file: Path, tmp_path: Path
) -> None:
    first = create(client, file)
    moved = file.rename(tmp_path / "moved.jsonl")
    assert create(client, moved).id == first.id
    write_examples(moved, first=100)
    with pytest.raises(RequestError, match="belongs to another request, which created job"):
        create(client, moved)
    assert server.api.count("job") == server.api.count("file") == 1


@pytest.mark.parametrize(
    "other",
    [
        {"seed": 1},
        {"extra_body": {"trainingType": "GlobalStandard"}},
        {"hyperparameters": {"n_epochs": 2}},
    ],
    ids=str,
)
def test_create__of_another_request_with_the_same_key_is_refused(
    client: Client, server: FaultServer, other: dict[str, Any]
) -> None:
    create(client, "file-abc")
    with pytest.raises(RequestError, match=r"^The idempotency key 'k' belongs to another request"):
        create(client, "file-abc", **other)
    assert server.lines.count(CREATE) == 1


def test_create__without_a_key_records_one_of_its_own(client: Client, path: Path) -> None:
    first, second = (create(client, "file-abc", None) for _ in range(2))
    assert first.id != second.id
    assert {*states(path).values()} == {first.id, second.id}


def test_create__that_was_refused_frees_the_key(
    client: Client, server: FaultServer, path: Path
) -> None:
    server.script(fault("answer", on=CREATE, status=400, json={}))
    with pytest.raises(BadRequestError):
        create(client, "file-abc")
    assert states(path) == {}
    assert create(client, "file-abc").id == "ftjob-1000"


def test_create__that_reached_nobody_frees_the_key(path: Path) -> None:
    server = FaultServer(listening=False)
    with (
        server,
        Client("sk-test", base_url=server.url, max_retries=0, ledger=path) as client,
        pytest.raises(APIConnectionError),
    ):
        create(client, "file-abc", None)
    assert states(path) == {}


def test_create__that_cannot_be_sent_frees_the_key(client: Client, path: Path) -> None:
    with pytest.raises(RequestError, match="timeout must be above zero"):
        create(client, "file-abc", None, timeout=-1)
    assert states(path) == {}


def test_create__of_an_unfit_file_frees_the_key(client: Client, path: Path, file: Path) -> None:
    file.write_text('{"messages": []}\n' * 12)
    with pytest.raises(TrainingDataError):
        create(client, file)
    assert states(path) == {}


@pytest.mark.parametrize("kind", ["uploading", "uploaded", "creating"])
def test_create__that_was_stopped_before_it_was_sent_frees_the_key(
    client: Client, path: Path, file: Path, server: FaultServer, kind: str
) -> None:
    def stop(step: CreateStep) -> None:
        if step.kind == kind:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        create(client, file, on_step=stop)
    assert states(path) == {}
    assert create(client, file).id == "ftjob-1000"
    assert server.api.count("job") == 1


def test_create__that_was_stopped_after_it_was_sent_has_its_job(client: Client, path: Path) -> None:
    def stop(step: CreateStep) -> None:
        if step.kind == "created":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        create(client, "file-abc", on_step=stop)
    assert states(path) == {"k": "ftjob-1000"}


def test_create__whose_answer_was_lost_is_unknown_until_it_is_settled(
    client: Client, server: FaultServer, path: Path, file: Path
) -> None:
    server.script(fault("reset", on=CREATE, works=True))
    with pytest.raises(JobMayExistError) as caught:
        create(client, file)
    settle = (
        "Look for the job on the server. If it is there, record it with: finetune ledger set k JOB "
        f"--ledger {path} (JOB is its id); if it is not, free the key with: finetune ledger forget "
        f"k --ledger {path}"
    )
    assert caught.value.message.endswith(f"Jobs like it: ftjob-1000 (validating_files). {settle}")
    assert [job.id for job in caught.value.candidates] == ["ftjob-1000"]
    assert states(path) == {"k": None}
    with pytest.raises(JobMayExistError) as caught:
        create(client, file)
    begun = Ledger(path).entries()[0].begun
    assert caught.value.message == (
        f"A create with the idempotency key 'k' that began at {begun:%Y-%m-%d %H:%M:%S} UTC was "
        "cut short, so its job may exist, and may be billed; nothing was sent now. Jobs like it: "
        f"ftjob-1000 (validating_files). {settle}"
    )
    assert [job.id for job in caught.value.candidates] == ["ftjob-1000"]
    assert caught.value.idempotency_key == "k"
    assert server.api.count("job") == 1
    Ledger(path).set("k", "ftjob-1000")
    assert create(client, file).id == "ftjob-1000"
    assert server.api.count("job") == 1


def test_create__that_is_unknown_leaves_out_jobs_that_it_cannot_have_made(
    client: Client, server: FaultServer
) -> None:
    server.script(fault("reset", on=CREATE, works=True))
    with pytest.raises(JobMayExistError):
        create(client, "file-abc")
    [job] = server.api.jobs
    server.api.jobs += [
        {**job, "id": "ftjob-old", "created_at": job["created_at"] - 3600},
        {**job, "id": "ftjob-model", "model": "gpt-4.1"},
        {**job, "id": "ftjob-file", "training_file": "file-other"},
    ]
    with pytest.raises(JobMayExistError) as caught:
        create(client, "file-abc")
    assert [found.id for found in caught.value.candidates] == [job["id"]]


def test_create__that_is_unknown_says_so_too_when_nothing_can_be_listed(
    client: Client, server: FaultServer
) -> None:
    server.script(fault("reset", on=CREATE))
    with pytest.raises(JobMayExistError):
        create(client, "file-abc")
    server.close()
    with pytest.raises(
        JobMayExistError, match=r"Jobs like it: unknown, as they could not be listed\."
    ):
        create(client, "file-abc")


def test_create__whose_job_is_gone_says_how_the_key_is_freed(
    client: Client, server: FaultServer, path: Path
) -> None:
    job = create(client, "file-abc")
    server.script(fault("answer", on=f"GET /fine_tuning/jobs/{job.id}", status=404, json={}))
    with pytest.raises(NotFoundError) as caught:
        create(client, "file-abc")
    assert str(caught.value).endswith(
        " The ledger has this job for the idempotency key 'k'. If it is of no use to you, free the "
        f"key with: finetune ledger forget k --ledger {path}"
    )
    assert server.api.count("job") == 1


def test_create__where_metadata_is_kept_finds_what_was_cut_short(path: Path) -> None:
    with (
        FaultServer() as server,
        Client("sk-test", base_url=server.url, provider="openai", ledger=path) as client,
    ):
        first_look = fault("pass", on="GET")
        server.script(first_look, fault("reset", on=CREATE, works=True), fault("hang", on="GET"))
        with pytest.raises(JobMayExistError):
            client.with_options(total_timeout=0.5).jobs.create(
                model="m", training_file="file-abc", idempotency_key="k"
            )
        job = client.jobs.create(model="m", training_file="file-abc", idempotency_key="k")
        assert (job.id, server.api.count("job")) == ("ftjob-1000", 1)
        assert states(path) == {"k": "ftjob-1000"}


def test_create__where_metadata_is_kept_finds_what_another_machine_created(path: Path) -> None:
    with (
        FaultServer() as server,
        Client("sk-test", base_url=server.url, provider="openai") as client,
    ):
        job = create(client, "file-abc")
        assert create(client.with_options(ledger=path), "file-abc").id == job.id
        assert (states(path), server.api.count("job")) == ({"k": job.id}, 1)


def test_create__with_ctrl_c_while_it_is_sent_says_how_to_settle_it(
    client: Client, server: FaultServer, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(client._session, "send", interrupt)
    with pytest.raises(KeyboardInterrupt, match=r"^The job may have been .* finetune ledger set "):
        create(client, "file-abc", None)
    assert [*states(path).values()] == [None]


# The client


def test_ledger__is_the_same_file_wherever_the_program_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with (
        FaultServer(api=Api(keeps_metadata=False)) as server,
        Client("sk-test", base_url=server.url) as plain,
    ):
        client = plain.with_options(ledger="ledger")
        monkeypatch.chdir("/")
        create(client, "file-abc")
        create(client.with_options(timeout=5), "file-abc")
        assert server.api.count("job") == 1
    assert states(tmp_path / "ledger") == {"k": "ftjob-1000"}


def test_ledger__is_taken_by_azure(path: Path) -> None:
    endpoint = "https://r.openai.azure.com"
    with Client.azure(endpoint, api_key="k", api_version="v1", ledger=path) as client:
        assert client._session.config.ledger == path


def test_ledger__that_is_no_path_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"^The ledger must be the path of a file, not 3"):
        Client("sk-test", ledger=3)  # type: ignore[arg-type]  # that is the point


def test_ledger__is_refused_by_the_embedded_server(path: Path) -> None:
    said = (
        "A client of the embedded server takes no ledger: that server keeps each job's idempotency "
        "key, so jobs.create finds the job by itself."
    )
    with pytest.raises(ConfigurationError) as caught:
        Client.local(ledger=path)
    assert str(caught.value) == said
    with Client.local() as client, pytest.raises(ConfigurationError) as caught:
        client.with_options(ledger=path)
    assert str(caught.value) == said


# Processes

PROGRAM = """
import os, signal, sys
from pathlib import Path
from finetune_client import Client, JobMayExistError
from finetune_client.ledger import Claim, Ledger

url, ledger, file, stage, times = sys.argv[1:]

def reach(here):
    if here == stage:
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))

begin, created = Ledger.begin, Claim.created

def beginning(*args, **options):
    reach("before begin")
    return begin(*args, **options)

def recording(*args):
    reach("before created")
    created(*args)
    reach("after created")

def step(step):
    reach(step.kind)

def answered(info):
    if (info.method, info.path) == ("POST", "/fine_tuning/jobs"):
        reach("answered")

Ledger.begin, Claim.created = beginning, recording
client = Client("sk-test", base_url=url, ledger=ledger, on_response=answered)
for _ in range(int(times)):
    try:
        job = client.jobs.create(
            model="gpt-4o-mini", training_file=Path(file), idempotency_key="k", on_step=step
        )
    except JobMayExistError as error:
        print("may exist", *(job.id for job in error.candidates))
    else:
        reach("returned")
        print("job", job.id)
"""

STAGES = {
    "before begin": ("job", 0),
    "checked": ("unknown", 0),
    "uploading": ("unknown", 0),
    "uploaded": ("unknown", 0),
    "creating": ("unknown", 0),
    "sent": ("unknown", 1),
    "answered": ("unknown", 1),
    "before created": ("unknown", 1),
    "after created": ("job", 1),
    "created": ("job", 1),
    "returned": ("job", 1),
}
"""Where a process is killed: what the next one finds, and how many jobs there are then."""


class Killing(Api):
    """Kills whoever creates a job, when it is created and before it is answered."""

    victim: subprocess.Popen[str] | None = None

    def carry_out(self, seen: Seen) -> Answer:
        answer = super().carry_out(seen)
        if self.victim is not None and seen.line.startswith(CREATE):
            self.victim.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))
            self.victim.wait()
        return answer


def start(
    server: FaultServer, path: Path, file: Path, *, stage: str = "", times: int = 1
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, server.url, path, file, stage, str(times)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def outcome(server: FaultServer, path: Path, file: Path) -> list[str]:
    with start(server, path, file) as child:
        output, _ = child.communicate()
        assert child.returncode == 0
        return output.split()


@pytest.mark.parametrize("stage", STAGES)
def test_process__that_is_killed_and_run_again_never_creates_a_second_job(
    path: Path, file: Path, stage: str
) -> None:
    api = Killing(keeps_metadata=False)
    with FaultServer(api=api) as server:
        with start(server, path, file, stage=stage) as child:
            api.victim = child if stage == "sent" else None
            output, _ = child.communicate()
        api.victim = None
        assert (child.returncode != 0, output) == (True, "")
        expected, jobs = STAGES[stage]
        there = [job["id"] for job in api.jobs]
        assert len(there) == jobs

        told = outcome(server, path, file)
        if expected == "unknown":
            assert told == ["may", "exist", *there]
            assert api.count("job") == jobs
            if there:  # as a person settles it
                Ledger(path).set("k", there[0])
            else:
                Ledger(path).forget("k")
            told = outcome(server, path, file)
        [job] = api.jobs
        assert told == ["job", job["id"]]
        assert outcome(server, path, file) == told
        assert api.count("job") == 1


def test_processes__at_the_same_time_create_one_job(path: Path, file: Path) -> None:
    with FaultServer(api=Api(keeps_metadata=False)) as server:
        children = [start(server, path, file, times=5) for _ in range(6)]
        output = "".join(child.communicate()[0] for child in children)
        assert [child.returncode for child in children] == [0] * 6
        [job] = server.api.jobs
        assert output.splitlines() == [f"job {job['id']}"] * 30
        assert server.api.count("file") == 1


def test_client__without_a_ledger_loads_no_sqlite(file: Path) -> None:
    program = (
        "import sys\nfrom finetune_client import Client\n"
        "with Client('sk-test', base_url=sys.argv[1], provider='openai') as client:\n"
        "    client.jobs.create(model='m', training_file='file-abc', idempotency_key='k')\n"
        "print({'sqlite3', 'finetune_client.ledger'} & set(sys.modules))\n"
    )
    with FaultServer() as server:
        done = subprocess.run(
            [sys.executable, "-c", program, server.url],
            capture_output=True,
            text=True,
            check=True,
            env=unmeasured(PYTHONPATH=str(ROOT)),
        )
    assert done.stdout == "set()\n"
