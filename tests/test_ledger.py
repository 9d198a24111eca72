"""The ledger, with processes that die and files that are not what they should be."""

from __future__ import annotations

import os
import shlex
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from finetune_client import file_lock
from finetune_client.errors import ConfigurationError, JobMayExistError, RequestError
from finetune_client.ledger import Entry, Ledger, request_digest
from tests.support.fake_time import FakeTime
from tests.support.spawned import created, in_processes

if TYPE_CHECKING:
    from collections.abc import Callable

SERVER = "https://api.example.com/v1"
DIGEST = request_digest({"model": "tiny", "training_file": "file-1"})
ROOT = Path(__file__).parents[1]
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger"


@pytest.fixture
def ledger(path: Path) -> Ledger:
    return Ledger(path)


def create(ledger: Ledger, job_id: str, key: str = "k", server: str = SERVER) -> str | None:
    """Create a job as a caller would; return the one that the ledger knows already."""
    with ledger.begin(server, key, DIGEST, timeout=10) as claim:
        if claim.job_id is None:
            claim.created(job_id)
            return None
        return claim.job_id


def cut_short(ledger: Ledger, key: str = "k", server: str = SERVER) -> None:
    with ledger.begin(server, key, DIGEST, timeout=0):
        pass


def refusal(act: Callable[[], object], kind: type[Exception] = ConfigurationError) -> str:
    with pytest.raises(kind) as caught:
        act()
    return str(caught.value)


# One process


def test_begin__gives_the_job_that_was_created(path: Path) -> None:
    time = FakeTime(now=1_800_000_000.9)
    ledger = Ledger(path, time.clock)
    with ledger.begin(SERVER, "k", DIGEST, timeout=0) as claim:
        assert (claim.job_id, claim.is_unknown, claim.entry.state) == (None, False, "begun")
        time.wall += 5
        claim.created("ftjob-1")
        assert (claim.job_id, claim.entry.state) == ("ftjob-1", "created")
    with Ledger(path).begin(SERVER, "k", DIGEST, timeout=0) as claim:
        assert (claim.job_id, claim.is_unknown) == ("ftjob-1", False)
        assert claim.entry == Entry(
            server=SERVER,
            key="k",
            digest=DIGEST,
            job_id="ftjob-1",
            begun_at=1_800_000_000,
            created_at=1_800_000_005,
        )
    assert ledger.entries() == [claim.entry]


def test_begin__of_a_key_that_was_released_is_the_first_again(ledger: Ledger) -> None:
    with ledger.begin(SERVER, "k", DIGEST, timeout=0) as claim:
        claim.release()
    assert ledger.entries() == []
    assert create(ledger, "ftjob-1") is None
    assert create(ledger, "ftjob-2") == "ftjob-1"


def test_begin__after_one_that_was_cut_short_is_unknown(ledger: Ledger, path: Path) -> None:
    with (
        pytest.raises(KeyboardInterrupt),
        ledger.begin(SERVER, "k", DIGEST, timeout=0),
    ):
        raise KeyboardInterrupt
    for _ in range(2):  # until it is settled
        with ledger.begin(SERVER, "k", DIGEST, timeout=0) as claim:
            assert (claim.job_id, claim.is_unknown) == (None, True)
    name = shlex.quote(str(path))
    assert claim.advice == (
        "Look for the job on the server. If it is there, record it with: finetune ledger set k JOB "
        f"--ledger {name} (JOB is its id); if it is not, free the key with: finetune ledger forget "
        f"k --ledger {name}"
    )


@pytest.mark.parametrize("found", [True, False])
def test_begin__of_an_unknown_one_can_settle_it(ledger: Ledger, *, found: bool) -> None:
    cut_short(ledger)
    with ledger.begin(SERVER, "k", DIGEST, timeout=0) as claim:
        claim.created("ftjob-1") if found else claim.release()
    assert create(ledger, "ftjob-2") == ("ftjob-1" if found else None)


def test_begin__of_another_request_is_refused(ledger: Ledger, path: Path) -> None:
    other = request_digest({"model": "tiny", "training_file": "file-2"})

    def begin() -> None:
        with ledger.begin(SERVER, "my key", other, timeout=0):
            pytest.fail("it went ahead")

    cut_short(ledger, "my key")
    said = (
        "The idempotency key 'my key' belongs to another request, which {}; nothing was sent. Use "
        "another key for this request. If that job is of no use to you, free the key with: "
        f"finetune ledger forget 'my key' --ledger {shlex.quote(str(path))}"
    )
    assert refusal(begin, RequestError) == said.format("may have created a job")
    ledger.set("my key", "ftjob-1")
    assert refusal(begin, RequestError) == said.format("created job ftjob-1")


def test_begin__is_for_one_server(ledger: Ledger) -> None:
    other = "https://eu.example.com/v1"
    assert create(ledger, "ftjob-1") is None
    assert create(ledger, "ftjob-2", server=other) is None
    assert create(ledger, "ftjob-3") == "ftjob-1"
    assert create(ledger, "ftjob-3", server=other) == "ftjob-2"


def test_begin__does_not_wait_for_other_keys(path: Path) -> None:
    ledger = Ledger(path, FakeTime().clock)
    with ledger.begin(SERVER, "k", DIGEST, timeout=0) as one:
        with ledger.begin(SERVER, "l", DIGEST, timeout=0) as two:
            two.created("ftjob-2")
        one.created("ftjob-1")
    assert {entry.key: entry.job_id for entry in ledger.entries()} == {
        "k": "ftjob-1",
        "l": "ftjob-2",
    }


def test_begin__waits_no_longer_than_it_may(path: Path) -> None:
    time = FakeTime()
    with (
        Ledger(path).begin(SERVER, "k", DIGEST, timeout=0),
        pytest.raises(JobMayExistError) as caught,
        Ledger(path, time.clock).begin(SERVER, "k", DIGEST, timeout=2.5),
    ):
        pytest.fail("it went ahead")
    assert caught.value.message == (
        "Another process or thread is creating the job of idempotency key 'k' and was not done "
        "within 2.5 seconds, so the job may exist. Make the same call again to get it."
    )
    assert caught.value.idempotency_key == "k"
    assert 2.5 <= time.at < 2.7


def test_claim__that_has_ended(ledger: Ledger) -> None:
    with ledger.begin(SERVER, "k", DIGEST, timeout=0) as claim:
        pass
    said = "This process has no claim on the idempotency key 'k' any more; begin again."
    assert refusal(lambda: claim.created("ftjob-1"), RequestError) == said
    assert refusal(claim.release, RequestError) == said


def test_ledger__is_one_private_file_at_rest(ledger: Ledger, path: Path) -> None:
    create(ledger, "ftjob-1")
    cut_short(ledger, "l")
    assert list(path.parent.iterdir()) == [path]
    if os.name == "posix":
        assert path.stat().st_mode & 0o777 == 0o600


def test_ledger__is_synced_to_the_disk_before_a_create_is_sent(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, str]] = []

    class Watched(sqlite3.Connection):
        def close(self) -> None:
            mode = self.execute("PRAGMA journal_mode").fetchone()[0]
            seen.append((self.execute("PRAGMA synchronous").fetchone()[0], mode))
            super().close()

    connect_by(monkeypatch, Watched)
    create(ledger, "ftjob-1")
    assert set(seen) == {(3, "delete")}  # 3 is EXTRA


def connect_by(monkeypatch: pytest.MonkeyPatch, factory: type[sqlite3.Connection]) -> None:
    connect = sqlite3.connect

    def opened(*args: Any, **options: Any) -> sqlite3.Connection:
        return connect(*args, factory=factory, **options)

    monkeypatch.setattr(sqlite3, "connect", opened)


@pytest.mark.skipif(os.name != "posix", reason="not everyone may make a link on Windows")
def test_ledger__is_one_whatever_it_is_called(
    ledger: Ledger, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = path.with_name("link")
    link.symlink_to(path)
    monkeypatch.chdir(path.parent)
    other = Ledger("link", FakeTime().clock)
    monkeypatch.chdir("/")
    with ledger.begin(SERVER, "k", DIGEST, timeout=0) as claim:
        with pytest.raises(JobMayExistError), other.begin(SERVER, "k", DIGEST, timeout=0):
            pytest.fail("it went ahead")
        claim.created("ftjob-1")
    assert create(other, "ftjob-2") == "ftjob-1"


def test_request_digest__is_of_what_is_asked_for() -> None:
    one = {"model": "tiny", "method": {"type": "dpo", "dpo": {"beta": 0.5}}, "suffix": "\u00e9"}
    same = {"suffix": "\u00e9", "method": {"dpo": {"beta": 0.5}, "type": "dpo"}, "model": "tiny"}
    assert request_digest(one) == request_digest(same)
    assert request_digest(one) != request_digest({**one, "suffix": "e"})
    # What ledgers on disk hold: with another digest each key would belong to another request.
    assert request_digest(one) == "d928a22db38ec735ab3867cf4a79a6483f66e544e8b0da0560dc9ba650a246a8"


# By hand


def test_entries__are_told_oldest_first(path: Path) -> None:
    time = FakeTime()
    ledger = Ledger(path, time.clock)
    for key in ("b", "a"):
        create(ledger, f"ftjob-{key}", key)
        time.wall += 1
    cut_short(ledger, "0")
    assert [entry.key for entry in ledger.entries()] == ["b", "a", "0"]
    last = ledger.entries()[-1]
    assert last.begun == datetime.fromtimestamp(1_800_000_002, timezone.utc)
    assert last.to_dict() == {
        "server": SERVER,
        "key": "0",
        "digest": DIGEST,
        "job_id": None,
        "begun_at": 1_800_000_002,
        "created_at": None,
        "state": "begun",
    }


def test_set__settles_an_entry(path: Path) -> None:
    time = FakeTime()
    ledger = Ledger(path, time.clock)
    cut_short(ledger)
    time.wall += 60
    entry = ledger.set("k", "ftjob-1")
    assert (entry.job_id, entry.created_at) == ("ftjob-1", 1_800_000_060)
    assert ledger.entries() == [entry]
    assert create(ledger, "ftjob-2") == "ftjob-1"
    ledger.set("k", "ftjob-3")  # it was the wrong one
    assert create(ledger, "ftjob-2") == "ftjob-3"


def test_forget__frees_the_key(ledger: Ledger) -> None:
    create(ledger, "ftjob-1")
    assert ledger.forget("k").job_id == "ftjob-1"
    assert create(ledger, "ftjob-2") is None


def test_settling__of_a_key_of_several_servers(ledger: Ledger) -> None:
    other = "https://eu.example.com/v1"
    cut_short(ledger)
    cut_short(ledger, server=other)
    assert refusal(lambda: ledger.set("k", "ftjob-1"), RequestError) == (
        f"The ledger has the idempotency key 'k' for several servers ({SERVER}, {other}); say "
        "which one by its base URL."
    )
    ledger.set("k", "ftjob-1", f"{other}/")
    ledger.forget("k", SERVER)
    assert [(entry.server, entry.job_id) for entry in ledger.entries()] == [(other, "ftjob-1")]


def test_settling__of_a_key_that_is_not_there(ledger: Ledger, path: Path) -> None:
    cut_short(ledger)
    see = f"; see its entries with: finetune ledger list --ledger {shlex.quote(str(path))}"
    assert refusal(lambda: ledger.forget("l"), RequestError) == (
        f"The ledger has no entry for the idempotency key 'l'{see}"
    )
    assert refusal(lambda: ledger.set("k", "ftjob-1", "http://localhost"), RequestError) == (
        f"The ledger has no entry for the idempotency key 'k' on http://localhost{see}"
    )


@pytest.mark.parametrize("job_id", ["", " ", "ftjob\n1", "\udcff"])
def test_set__to_what_is_not_a_job(ledger: Ledger, job_id: str) -> None:
    cut_short(ledger)
    assert refusal(lambda: ledger.set("k", job_id), RequestError) == (
        f"{job_id!r} is not the id of a job; give the one that the server shows."
    )


def test_settling__leaves_a_create_alone_that_is_under_way(ledger: Ledger) -> None:
    said = (
        "The job of idempotency key 'k' is being created by another process or thread right now; "
        "wait until it is done, or end it."
    )
    with ledger.begin(SERVER, "k", DIGEST, timeout=0) as claim:
        assert refusal(lambda: ledger.set("k", "ftjob-2"), RequestError) == said
        assert refusal(lambda: ledger.forget("k"), RequestError) == said
        claim.created("ftjob-1")
    assert ledger.entries()[0].job_id == "ftjob-1"


# Threads and forks


def test_processes__that_multiprocessing_spawned_create_one_job(path: Path) -> None:
    jobs = in_processes(created, *((path, f"ftjob-{number}") for number in range(4)))
    assert len(set(jobs)) == 1
    assert [entry.job_id for entry in Ledger(path).entries()] == jobs[:1]


@pytest.fixture(params=["this system", "Windows"])
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Lock files as this system does, and as Windows does."""
    if request.param == "Windows" and sys.platform != "win32":
        import fcntl

        def locking(handle: int, *_: int) -> None:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise PermissionError(13, "Permission denied") from None

        windows = SimpleNamespace(locking=locking, LK_NBLCK=2)
        monkeypatch.setattr(file_lock, "sys", SimpleNamespace(platform="win32"))
        monkeypatch.setattr(file_lock, "msvcrt", windows, raising=False)
    return str(request.param)


@pytest.mark.usefixtures("system")
def test_threads__one_creates_and_the_others_get_its_job(ledger: Ledger, path: Path) -> None:
    start = threading.Barrier(8)
    outcomes: list[str | None] = []

    def run(number: int) -> None:
        start.wait()
        with ledger.begin(SERVER, "k", DIGEST, timeout=30) as claim:
            outcomes.append(claim.job_id)
            assert not claim.is_unknown
            if claim.job_id is None:
                time.sleep(0.05)
                claim.created(f"ftjob-{number}")

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (entry,) = ledger.entries()
    assert sorted(outcomes, key=str) == [None, *[entry.job_id] * 7]
    assert list(path.parent.iterdir()) == [path]


def test_threads__with_keys_of_their_own_wait_for_the_file_only(ledger: Ledger) -> None:
    start = threading.Barrier(5)
    outcomes: list[str | None] = []

    def run(number: int) -> None:
        start.wait()
        outcomes.extend(create(ledger, "ftjob-1", f"{number}-{turn}") for turn in range(4))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == [None] * 20
    assert {entry.state for entry in ledger.entries()} == {"created"}


@pytest.mark.usefixtures("system")
@pytest.mark.parametrize("end", ["created", "released", "cut short"])
def test_threads__who_waits_learns_how_it_ended(ledger: Ledger, end: str) -> None:
    told: list[tuple[str | None, bool]] = []

    def wait() -> None:
        with ledger.begin(SERVER, "k", DIGEST, timeout=30) as claim:
            told.append((claim.job_id, claim.is_unknown))

    thread = threading.Thread(target=wait)
    with ledger.begin(SERVER, "k", DIGEST, timeout=0) as claim:
        thread.start()
        thread.join(0.3)
        assert told == []
        if end == "created":
            claim.created("ftjob-1")
        elif end == "released":
            claim.release()
    thread.join()
    expected = {"created": ("ftjob-1", False), "released": (None, False), "cut short": (None, True)}
    assert told == [expected[end]]


@forks
def test_fork__in_a_claim_leaves_it_to_the_parent(ledger: Ledger, path: Path) -> None:
    claimed = ledger.begin(SERVER, "k", DIGEST, timeout=0)
    claim = claimed.__enter__()
    child = os.fork()
    if child == 0:
        refused = 1
        try:
            try:
                claim.created("ftjob-child")
            except RequestError:
                refused = 0
            claimed.__exit__(None, None, None)
        finally:
            os._exit(refused)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    with (
        pytest.raises(JobMayExistError),
        Ledger(path, FakeTime().clock).begin(SERVER, "k", DIGEST, timeout=0),
    ):
        pytest.fail("it went ahead")
    claim.created("ftjob-1")
    claimed.__exit__(None, None, None)
    assert create(ledger, "ftjob-2") == "ftjob-1"


@forks
def test_fork__that_lives_on_does_not_keep_the_claim(path: Path) -> None:
    program = (
        "import os, sys, time\nfrom finetune_client.ledger import Ledger\n"
        "with Ledger(sys.argv[1]).begin(sys.argv[2], 'k', sys.argv[3], timeout=0):\n"
        "    if os.fork() == 0:\n"
        "        print(os.getpid(), flush=True)\n"
        "        time.sleep(30)\n"
        "        os._exit(0)\n"
        "    sys.stdin.read(1)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(path), SERVER, DIGEST],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment(),
    ) as parent:  # fmt: skip
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
        parent.wait()
        try:
            with Ledger(path, FakeTime().clock).begin(SERVER, "k", DIGEST, timeout=0) as claim:
                assert claim.is_unknown
        finally:
            os.kill(child, 9)


# Processes

PROGRAM = """
import os, signal, sqlite3, sys, time
from pathlib import Path
from finetune_client.ledger import Ledger

path, server, digest, jobs, stage, times, pause = sys.argv[1:]
jobs = Path(jobs)
inserts = 0

def reach(here):
    if here == stage:
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))

class Mortal(sqlite3.Connection):
    def execute(self, sql, *args):
        global inserts
        inserts += sql.startswith("INSERT")
        writes = sql.startswith(("CREATE", "INSERT")) or sql == "COMMIT" and self.total_changes
        step = f"{sql.split()[0]} {inserts}"
        if writes:
            reach(f"before {step}")
        done = super().execute(sql, *args)
        if writes:
            reach(f"after {step}")
        return done

connect = sqlite3.connect
sqlite3.connect = lambda *args, **options: connect(*args, factory=Mortal, **options)

def create():
    reach("before begin")
    with Ledger(path).begin(server, "k", digest, timeout=30) as claim:
        if claim.is_unknown:
            return "unknown"
        if claim.job_id is not None:
            return f"known {claim.job_id}"
        reach("before send")
        job_id = f"ftjob-{os.getpid()}"
        with jobs.open("a") as file:
            print(job_id, file=file)
        reach("after send")
        time.sleep(float(pause))
        claim.created(job_id)
        reach("after created")
    reach("after the block")
    return f"sent {job_id}"

for _ in range(int(times)):
    print(create())
"""

STAGES = {
    "before begin": ("sent", 0),
    "before CREATE 0": ("sent", 0),
    "after CREATE 0": ("sent", 0),
    "before INSERT 1": ("sent", 0),
    "before COMMIT 1": ("sent", 0),
    "after COMMIT 1": ("unknown", 0),
    "before send": ("unknown", 0),
    "after send": ("unknown", 1),
    "before INSERT 2": ("unknown", 1),
    "before COMMIT 2": ("unknown", 1),
    "after COMMIT 2": ("known", 1),
    "after created": ("known", 1),
    "after the block": ("known", 1),
}
"""Where a process is killed: what the next one finds, and how many jobs there are then."""


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def start(
    path: Path, jobs: Path, *, stage: str = "", times: int = 1, pause: float = 0
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, path, SERVER, DIGEST, jobs, stage, str(times), str(pause)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    )


def outcome(path: Path, jobs: Path, stage: str = "") -> tuple[int, list[str]]:
    with start(path, jobs, stage=stage) as child:
        output, _ = child.communicate()
        return child.returncode, output.splitlines()


@pytest.mark.parametrize("stage", STAGES)
def test_process__that_is_killed_and_run_again_creates_one_job(
    path: Path, tmp_path: Path, stage: str
) -> None:
    jobs = tmp_path / "jobs"
    jobs.touch()
    code, output = outcome(path, jobs, stage)
    assert (code != 0, output) == (True, [])
    expected, created = STAGES[stage]
    there = jobs.read_text(encoding="utf-8").split()
    assert len(there) == created

    _, (line,) = outcome(path, jobs)
    assert line.split()[0] == expected
    if expected == "unknown":  # which a person settles
        if there:
            Ledger(path).set("k", there[0])
        else:
            Ledger(path).forget("k")
        _, (line,) = outcome(path, jobs)
    (job,) = jobs.read_text(encoding="utf-8").split()
    assert line.split()[1] == job
    assert outcome(path, jobs) == (0, [f"known {job}"])
    left = {file.suffix for file in tmp_path.iterdir()} - {""}
    assert left == ({".lock"} if stage in {"after COMMIT 2", "after created"} else set())


def test_processes__at_the_same_time_create_one_job(path: Path, tmp_path: Path) -> None:
    jobs = tmp_path / "jobs"
    children = [start(path, jobs, times=5, pause=0.2) for _ in range(6)]
    output = "".join(child.communicate()[0] for child in children)
    (job,) = jobs.read_text(encoding="utf-8").split()
    assert sorted(output.splitlines()) == [*[f"known {job}"] * 29, f"sent {job}"]
    assert [child.returncode for child in children] == [0] * 6
    assert sorted(tmp_path.iterdir()) == [jobs, path]


def test_process__that_is_killed_while_another_waits(ledger: Ledger, path: Path) -> None:
    jobs = path.with_name("jobs")
    told: list[tuple[str | None, bool]] = []

    def wait() -> None:
        with ledger.begin(SERVER, "k", DIGEST, timeout=30) as claim:
            told.append((claim.job_id, claim.is_unknown))

    with start(path, jobs, pause=30) as child:
        while not jobs.exists():
            time.sleep(0.01)
        thread = threading.Thread(target=wait)
        thread.start()
        thread.join(0.3)
        assert told == []
        child.kill()
        thread.join()
        child.communicate()
    assert told == [(None, True)]


# Files that cannot be used


@pytest.mark.parametrize("value", [None, True, 3])
def test_ledger__must_be_a_path(value: Any) -> None:
    assert refusal(lambda: Ledger(value)) == (
        f"The ledger must be the path of a file, not {value!r}."
    )


def test_ledger__of_a_name_with_nul() -> None:
    assert refusal(lambda: cut_short(Ledger("a\0b"))) == (
        "The ledger must be the path of a file, not 'a\\x00b'."
    )


def test_entries__of_no_file_make_none(ledger: Ledger, path: Path) -> None:
    said = f"There is no ledger {str(path)!r}; the first job that is created with it makes it."
    assert refusal(ledger.entries) == said
    assert refusal(lambda: ledger.set("k", "ftjob-1")) == said
    assert refusal(lambda: ledger.forget("k")) == said
    assert not path.exists()


def test_entries__of_an_empty_file(ledger: Ledger, path: Path) -> None:
    path.touch()
    assert ledger.entries() == []
    assert create(ledger, "ftjob-1") is None


def test_ledger__in_no_folder(path: Path) -> None:
    lost = Ledger(path / "sub" / "ledger")
    assert refusal(lambda: cut_short(lost)) == (
        f"There is no folder {str(path / 'sub')!r} for the ledger; make it, or give another."
    )


def test_ledger__that_is_a_folder(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    said = f"{str(tmp_path)!r} is a folder; give the path of a file for the ledger."
    assert refusal(lambda: cut_short(ledger)) == said
    assert refusal(ledger.entries) == said


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"key,job\nk,ftjob-1\n" * 100, "file is not a database"),
        (b"SQLite format 3\0" + b"\xff" * 4080, "file is not a database"),
    ],
)
def test_ledger__that_is_not_one(ledger: Ledger, path: Path, content: bytes, why: str) -> None:
    path.write_bytes(content)
    said = (
        f"{str(path)!r} is not a ledger, or is damaged ({why}). Give another path, or put a copy "
        "of the ledger there; without one, each key that it held creates its job again."
    )
    assert refusal(ledger.entries) == said
    assert refusal(lambda: cut_short(ledger)) == said
    assert path.read_bytes() == content


def test_ledger__that_is_damaged(ledger: Ledger, path: Path) -> None:
    create(ledger, "ftjob-1")
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    assert refusal(lambda: create(ledger, "ftjob-2")) == (
        f"{str(path)!r} is not a ledger, or is damaged (database disk image is malformed). Give "
        "another path, or put a copy of the ledger there; without one, each key that it held "
        "creates its job again."
    )


def test_ledger__that_is_another_programs(ledger: Ledger, path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE bookmarks (url TEXT)")
    assert refusal(lambda: cut_short(ledger)) == (
        f"{str(path)!r} is a database of another program, not a ledger; give the path of a ledger, "
        "or of a new file."
    )


def test_ledger__of_a_newer_version(ledger: Ledger, path: Path) -> None:
    create(ledger, "ftjob-1")
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 2")
    assert refusal(ledger.entries) == (
        f"The ledger {str(path)!r} is of version 2, and this finetune_client knows version 1 only; "
        "update finetune-client."
    )


def test_ledger__that_another_program_has_locked(
    ledger: Ledger, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(ledger, "ftjob-1")
    monkeypatch.setattr("finetune_client.ledger._BUSY_TIMEOUT", 0.05)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert refusal(ledger.entries) == (
            f"The ledger {str(path)!r} is locked by another program; close that one, and try again."
        )


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="everything can be written here"
)
def test_ledger__that_cannot_be_written(ledger: Ledger, path: Path) -> None:
    said = (
        f"The ledger {str(path)!r} cannot be written; allow writing to it and to its folder, or "
        "give another path."
    )
    path.parent.chmod(0o500)
    assert refusal(lambda: cut_short(ledger)) == said
    path.parent.chmod(0o700)
    create(ledger, "ftjob-1")
    path.chmod(0o400)
    assert create(ledger, "ftjob-2") == "ftjob-1"
    assert refusal(lambda: cut_short(ledger, "l")) == said
    path.chmod(0o600)
    path.parent.chmod(0o500)
    assert create(ledger, "ftjob-2") == "ftjob-1"
    assert refusal(lambda: cut_short(ledger, "l")) == said
    path.parent.chmod(0o700)


@pytest.mark.skipif(sys.platform == "win32", reason="flock is of POSIX")
def test_ledger__on_a_file_system_without_locks(
    ledger: Ledger, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", flock)
    assert refusal(lambda: cut_short(ledger)) == (
        f"The ledger {str(path)!r} cannot be used (Operation not supported); give a path on a disk "
        "of this machine."
    )


@pytest.fixture
def full_disk(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Let the file have no more pages than it has."""

    class Bounded(sqlite3.Connection):
        def execute(self, *args: Any) -> sqlite3.Cursor:
            super().execute("PRAGMA max_page_count = 1")
            return super().execute(*args)

    def fill() -> None:
        with closing(sqlite3.connect(ledger.path)) as database:
            free = "x" * 3000
            database.executemany(
                "INSERT INTO entries (server, key, digest, begun_at) VALUES ('', ?, ?, 0)",
                [(str(number), free) for number in range(5)],
            )
            database.commit()
        connect_by(monkeypatch, Bounded)

    return fill


def test_begin__on_a_full_disk(ledger: Ledger, path: Path, full_disk: Callable[[], None]) -> None:
    create(ledger, "ftjob-1")
    full_disk()
    said = f"The disk of the ledger {str(path)!r} is full; make room on it, and try again."
    assert refusal(lambda: cut_short(ledger, "l" * 5000)) == said
    assert create(ledger, "ftjob-2") == "ftjob-1"


def test_created__that_cannot_be_recorded_warns(
    ledger: Ledger, path: Path, full_disk: Callable[[], None]
) -> None:
    with ledger.begin(SERVER, "k", DIGEST, timeout=0) as claim:
        full_disk()
        with pytest.warns(RuntimeWarning) as caught:
            claim.created("ftjob-1" * 1000)
    assert claim.job_id == "ftjob-1" * 1000
    name = shlex.quote(str(path))
    assert str(caught[0].message) == (
        f"Job {claim.job_id} was created, but could not be recorded. The disk of the ledger "
        f"{str(path)!r} is full; make room on it, and try again. Then record it with: finetune "
        f"ledger set k {claim.job_id} --ledger {name}"
    )
    assert caught[0].filename == __file__
    with ledger.begin(SERVER, "k", DIGEST, timeout=0) as claim:
        assert claim.is_unknown


def test_release__that_cannot_be_recorded_warns(ledger: Ledger, path: Path) -> None:
    with ledger.begin(SERVER, "k", DIGEST, timeout=0) as claim:
        path.write_bytes(b"another file\n" * 100)
        with pytest.warns(RuntimeWarning) as caught:
            claim.release()
    assert str(caught[0].message) == (
        "No job was created, but the idempotency key 'k' could not be freed. "
        f"{str(path)!r} is not a ledger, or is damaged (file is not a database). Give another "
        "path, or put a copy of the ledger there; without one, each key that it held creates its "
        "job again. Then free it with: finetune ledger forget k "
        f"--ledger {shlex.quote(str(path))}"
    )


def test_created__of_a_file_that_was_deleted_makes_it_again(ledger: Ledger, path: Path) -> None:
    with ledger.begin(SERVER, "k", DIGEST, timeout=0) as claim:
        path.unlink()
        claim.created("ftjob-1")
    assert create(ledger, "ftjob-2") == "ftjob-1"
