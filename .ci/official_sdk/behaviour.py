"""What the official client, plain requests and ours do when things go wrong, side by side.

    python .ci/official_sdk/behaviour.py [--size]

The server on this machine fails as it is told. The table that is printed stands in
``docs/compatibility.md``, under "When things go wrong": what is not the same there is named, and the
exit status is 1. With ``--size`` each is also installed, to see what it brings.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import venv
import warnings
from contextlib import closing
from dataclasses import is_dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import requests  # noqa: E402  # the path comes first
from openai import OpenAI  # noqa: E402

from finetune_client import Client, ShutdownWarning  # noqa: E402
from tests.support.fault_server import FaultServer, fault  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

JOB: dict[str, Any] = {"model": "gpt-4o-mini-2024-07-18", "training_file": "file-abc"}
HEAD = ("when", "here", "the official SDK", "plain requests")
GOOD = '{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}\n'
SECTION = "## When things go wrong"


class Calls:
    """The calls that are written the same with ours and the official client."""

    jobs: Any

    def retrieve(self) -> Any:
        return self.jobs.retrieve("ftjob-1")

    def create(self) -> Any:
        return self.jobs.create(**JOB).id

    def list(self) -> Any:
        return len(list(islice((job.id for job in self.jobs.list()), 1000)))


class Ours(Calls):
    def __init__(self, url: str) -> None:
        self._client = Client("sk-test", base_url=url, provider="openai")
        self.jobs = self._client.jobs

    def upload(self, path: Path) -> Any:
        return self.jobs.create(model=JOB["model"], training_file=path).id

    def downloads(self) -> dict[str, Callable[[Path], Any]]:
        return {"": lambda target: self._client.files.download("file-abc", target)}

    def close(self) -> None:
        self._client.close()


class Official(Calls):
    def __init__(self, url: str) -> None:
        self._client = OpenAI(api_key="sk-test", base_url=url)
        self.jobs = self._client.fine_tuning.jobs

    def upload(self, path: Path) -> Any:
        file = self._client.files.create(file=path, purpose="fine-tune")
        return self._client.fine_tuning.jobs.create(model=JOB["model"], training_file=file.id).id

    def downloads(self) -> dict[str, Callable[[Path], Any]]:
        return {
            "streamed: ": self._stream,
            "in memory: ": lambda target: self._client.files.content("file-abc").write_to_file(
                target
            ),
        }

    def _stream(self, target: Path) -> None:
        with self._client.files.with_streaming_response.content("file-abc") as answer:
            answer.stream_to_file(target)

    def close(self) -> None:
        self._client.close()


class Plain:
    """As it is written without a thought of failure."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.headers["Authorization"] = "Bearer sk-test"
        self.jobs = None

    def retrieve(self) -> Any:
        return self._json("GET", "/fine_tuning/jobs/ftjob-1")

    def _json(self, method: str, path: str, **options: Any) -> Any:
        answer = self._session.request(method, self._url + path, timeout=60, **options)
        answer.raise_for_status()
        return answer.json()

    def create(self) -> Any:
        return self._json("POST", "/fine_tuning/jobs", json=JOB)["id"]

    def list(self) -> Any:
        rows = 0
        after = None
        while rows < 1000:
            page = self._json("GET", "/fine_tuning/jobs", params={"after": after})
            rows += len(page["data"])
            if not page["has_more"]:
                break
            after = page["data"][-1]["id"]
        return rows

    def upload(self, path: Path) -> Any:
        with path.open("rb") as file:
            form = {"data": {"purpose": "fine-tune"}, "files": {"file": file}}
            made = self._json("POST", "/files", **form)
        return self._json("POST", "/fine_tuning/jobs", json={**JOB, "training_file": made["id"]})[
            "id"
        ]

    def downloads(self) -> dict[str, Callable[[Path], Any]]:
        return {"streamed: ": self._stream, "in memory: ": self._write}

    def _stream(self, target: Path) -> None:
        url = f"{self._url}/files/file-abc/content"
        with self._session.get(url, stream=True, timeout=60) as answer, target.open("wb") as file:
            answer.raise_for_status()
            for block in answer.iter_content(65536):
                file.write(block)

    def _write(self, target: Path) -> None:
        answer = self._session.get(f"{self._url}/files/file-abc/content", timeout=60)
        answer.raise_for_status()
        target.write_bytes(answer.content)

    def close(self) -> None:
        self._session.close()


CLIENTS = (Ours, Official, Plain)


def ending(call: Callable[[], object]) -> str:
    """Return how a call ended: the error's name, or nothing."""
    try:
        call()
    except Exception as error:  # noqa: BLE001  # whatever it is, it is named
        return f", `{type(error).__name__}`"
    return ""


def lost_create(make: Callable[[str], Any], action: str, **more: Any) -> str:
    """A create that takes effect, and whose answer is lost."""
    with FaultServer() as server, closing(make(server.url)) as client:
        server.script(fault(action, works=True, on="POST", **more))
        end = ending(client.create)
        jobs = server.api.count("job")
    return f"{jobs} job{'s' if jobs > 1 else ''}{end}"


def endless_list(make: Callable[[str], Any]) -> str:
    """A server that says of each page that more follow, and always sends the same one."""
    rows = [{"id": f"ftjob-{number}", "object": "fine_tuning.job"} for number in range(2)]
    answer = {"object": "list", "data": rows, "has_more": True}
    with FaultServer() as server, closing(make(server.url)) as client:
        server.script(*(fault("answer", json=answer) for _ in range(1000)))
        end = ending(client.list)
        asked = len(server.seen)
    return f"{asked} requests{end}" if end else "no end"


def bad_file(make: Callable[[str], Any]) -> str:
    """A training file whose third line is no JSON."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.jsonl"
        path.write_text(GOOD * 2 + "{'messages': []}\n" + GOOD * 10, encoding="utf-8")
        with FaultServer() as server, closing(make(server.url)) as client:
            end = ending(lambda: client.upload(path))
            sent = server.api.count("file")
    return (
        f"refused before it is sent{end}"
        if end and not sent
        else f"uploaded, and a job created{end}"
    )


def cut_download(make: Callable[[str], Any], times: int) -> str:
    """A download that is cut in the middle, to where the file of yesterday is."""
    said = []
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "results.csv"
        for number in range(2):
            target.write_bytes(b"the file of yesterday")
            with FaultServer() as server, closing(make(server.url)) as client:
                forms = list(client.downloads().items())
                if number == len(forms):
                    break
                name, download = forms[number]
                cut = fault("cut", on="GET /files/file-abc/content")
                server.script(*[cut] * times)
                end = ending(partial(download, target))
            if target.read_bytes() == b"the file of yesterday":
                left = "the old file stays"
            else:
                left = "half a file" if end else "the whole file"
            said.append(f"{name}{left}{end}")
    return "; ".join(said)


def key_sent(make: Callable[[str], Any]) -> str:
    """A create that goes well."""
    with FaultServer() as server, closing(make(server.url)) as client:
        client.create()
        [created] = [seen for seen in server.seen if seen.method == "POST"]
    return "an `Idempotency-Key`" if created.header("idempotency-key") else "none"


def waiting(make: Callable[[str], Any]) -> str:
    """The call that waits for a job's end, if there is one."""
    with FaultServer() as server, closing(make(server.url)) as client:
        return "`jobs.wait`" if hasattr(client.jobs, "wait") else "none"


def kind(make: Callable[[str], Any]) -> str:
    """What a job is."""
    with FaultServer() as server, closing(make(server.url)) as client:
        job = client.retrieve()
    if is_dataclass(job):
        return "a dataclass"
    return "a pydantic model" if hasattr(job, "model_dump") else f"a {type(job).__name__}"


CASES: dict[str, Callable[[Callable[[str], Any]], str]] = {
    "a create is sent, its key": key_sent,
    "a create takes effect, its connection is reset": lambda make: lost_create(make, "reset"),
    "a create takes effect, the answer is 500": lambda make: lost_create(
        make, "answer", status=500, json={"error": {"message": "oops"}}
    ),
    "a training file has a line that is no JSON": bad_file,
    "a list never ends": endless_list,
    "a download is cut once": lambda make: cut_download(make, 1),
    "a download is cut again and again": lambda make: cut_download(make, 50),
    "a job is waited for, the call": waiting,
    "a job is retrieved, what it is": kind,
}


def installed(requirement: str) -> str:
    """Return how many packages a requirement brings, and how large they are."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = str(Path(folder) / ("Scripts" if sys.platform == "win32" else "bin") / "python")
        site = Path(
            subprocess.check_output(
                [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], text=True
            ).strip()
        )
        before = set(site.iterdir())
        subprocess.run([python, "-m", "pip", "install", "-q", requirement], check=True)
        new = [one for one in site.iterdir() if one not in before]
        packages = sum(one.name.endswith(".dist-info") for one in new)
        files = [file for one in new for file in ([one] if one.is_file() else one.rglob("*"))]
        size = sum(one.stat().st_size for one in files if one.is_file() and one.suffix != ".pyc")
    return f"{packages} packages, {size / 1e6:.0f} MB"


def main() -> int:
    warnings.simplefilter("ignore", ShutdownWarning)  # the jobs are made up
    rows = [(name, *(case(make) for make in CLIENTS)) for name, case in CASES.items()]
    lines = [f"| {' | '.join(row)} |" for row in (HEAD, ("---",) * 4, *rows)]
    print("\n".join(lines))
    if "--size" in sys.argv:
        sizes = [installed(one) for one in (str(ROOT), "openai", "requests")]
        print(f"| what is installed | {' | '.join(sizes)} |")
    page = (ROOT / "docs/compatibility.md").read_text(encoding="utf-8")
    section = page.partition(f"\n{SECTION}\n")[2].partition("\n## ")[0]
    stated = re.findall(r"^\| .* \|$", section, re.MULTILINE)
    different = [line for line in lines if line not in stated]
    if different:
        print("not so in docs/compatibility.md:", *different, sep="\n")
    return int(bool(different))


if __name__ == "__main__":
    sys.exit(main())
