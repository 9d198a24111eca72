"""``finetune archive``: what it prints, and with which status it ends."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import responses
from click.testing import CliRunner, Result
from rich.console import Console

from finetune_client.archive import ArchiveProgress, layout
from finetune_client.cli import archive as module
from finetune_client.cli.commands import cli
from finetune_client.local import LocalServer, running
from finetune_client.local.faults import parse_faults
from finetune_client.training_data import check
from tests.support.account import make_account
from tests.support.local_chat import add_chat
from tests.support.processes import end_with
from tests.support.unmeasured import unmeasured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Finetune = Callable[..., Result]

TUNED = "ft:tiny:local:n0:00000000"
API = "https://api.openai.com/v1"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LocalServer]:
    make_account(tmp_path / "server", jobs=4, events=8, models=2, large_bytes=10)
    with LocalServer(tmp_path / "server", faults="") as made:
        yield made


@pytest.fixture
def asked(server: LocalServer) -> list[dict[str, Any]]:
    return add_chat(server)


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    path = tmp_path / "prompts.jsonl"
    lines = (json.dumps({"prompt": f"What is {n} times {n}?"}) + "\n" for n in range(1, 14))
    path.write_text("".join(lines))
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "archive"


def test_archive__in_plain_lines(finetune: Finetune, remote: str, root: Path) -> None:
    done = finetune("archive", root)
    assert (done.exit_code, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[:4] == [f"jobs: {n} of 4" for n in range(1, 5)]
    assert "files: 9 of 9" in lines
    assert lines[-2].startswith(
        "4 jobs, 8 events, 2 checkpoints, 9 files and 5 models, 0.0 MB in all."
    )
    assert lines[-2].endswith(" New files: 9.")
    assert lines[-1] == f"Page: {root / layout.PAGE}"
    again = finetune("archive", root).stdout.splitlines()
    assert again[-2].endswith(" MB in all.")


def test_archive__as_json(finetune: Finetune, remote: str, root: Path) -> None:
    done = finetune("archive", root, "--json", "--concurrency", 2)
    [facts] = [json.loads(line) for line in done.stdout.splitlines()]
    assert (facts["kind"], facts["jobs"], facts["fetched_files"]) == ("archive", 4, 9)
    assert (facts["missing"], facts["is_complete"], facts["directory"]) == ([], True, str(root))


def test_archive__what_could_not_be_had(
    finetune: Finetune, server: LocalServer, remote: str, root: Path
) -> None:
    assert server.faults is not None
    for fault in parse_faults("404@/file-00000002/content"):
        server.faults.add(fault)
    done = finetune("archive", root)
    assert done.exit_code == 0
    assert done.stderr == (
        "Could not be had:\n  file file-00000002: The fault 404 was asked for. "
        "(HTTP 404, GET /files/file-00000002/content)\n"
    )
    for fault in parse_faults("400@/file-00000002/content,500x9@/v1/models"):
        server.faults.add(fault)
    again = finetune("archive", root)
    assert again.exit_code == 1
    assert again.stderr.startswith("Could not be had:\n  models: The fault 500 was asked for.")
    assert again.stderr.endswith("\nRun the same command again: it fetches what is missing.\n")
    as_json = finetune("archive", root, "--json")
    assert (as_json.exit_code, json.loads(as_json.stdout)["is_complete"]) == (1, False)


def test_archive__a_refused_key_and_a_wrong_folder(
    finetune: Finetune, server: LocalServer, remote: str, root: Path
) -> None:
    assert server.faults is not None
    server.faults.add(parse_faults("401@/fine_tuning/jobs")[0])
    refused = finetune("archive", root)
    assert refused.exit_code == 1
    assert refused.stderr.startswith("Error: The fault 401 was asked for.")
    root.joinpath("index.json").unlink()
    root.joinpath("notes").touch()
    wrong = finetune("archive", root)
    assert wrong.exit_code == 2
    assert "is not an archive: it has 'notes' in it" in wrong.stderr


def test_ask__keeps_answers_and_writes_a_training_file(
    finetune: Finetune,
    asked: list[dict[str, Any]],
    remote: str,
    root: Path,
    prompts: Path,
    tmp_path: Path,
) -> None:
    out = tmp_path / "out.jsonl"
    arguments = ("archive", root, "--ask", prompts, "--max-tokens", 50, "--as-training-file", out)
    done = finetune(*arguments, "-m", TUNED)
    assert done.exit_code == 0, done.output
    assert done.stderr.startswith("13 questions to 1 model: 13 calls, about ")
    assert done.stderr.endswith(", at most 650 in answers.\n")
    lines = done.stdout.splitlines()
    assert lines[-3:] == [
        "answers: 13 of 13",
        f"13 answers in {root / layout.ANSWERS}.",
        f"{out}: 12 examples; left out: 1 that were cut off.",
    ]
    assert {body["max_tokens"] for body in asked} == {50}
    assert check(out).ok
    every = finetune(*arguments)
    assert len(asked) == 26
    assert "(13 answers already here)" in every.stderr
    assert every.stderr.endswith(
        "The answers of 2 models are in one file; --model chooses one of them.\n"
    )
    again = finetune(*arguments, "--json")
    facts = json.loads(again.stdout)
    assert len(asked) == 26
    assert (facts["answers"], facts["answers_missing"]) == (26, [])
    assert facts["training_file"] == {"path": str(out), "examples": 24, "cut_off": 2, "empty": 0}


def test_ask__a_model_that_is_gone(
    finetune: Finetune, asked: list[dict[str, Any]], remote: str, root: Path, prompts: Path
) -> None:
    done = finetune("archive", root, "--ask", prompts, "-m", "ft:gone", "--concurrency", 1)
    assert done.exit_code == 1  # nobody answered
    assert len(asked) < 13
    assert (
        "  answers ft:gone: The model `ft:gone` does not exist or has been shut down."
        in done.stderr
    )


def test_ask__few_lines_are_told_to_be_too_few(
    finetune: Finetune, asked: list[dict[str, Any]], remote: str, root: Path, tmp_path: Path
) -> None:
    prompts = tmp_path / "few.jsonl"
    prompts.write_text('{"prompt": "What is 2 times 2?"}\n')
    out = tmp_path / "out.jsonl"
    arguments = ("archive", root, "--ask", prompts, "-m", TUNED)
    done = finetune(*arguments, "--as-training-file", out)
    assert (done.exit_code, len(asked)) == (0, 1)
    assert f"{out}: 1 example." in done.stdout
    assert "too_few_examples" in done.stderr
    refused = finetune(*arguments, "--as-training-file", prompts)
    assert refused.exit_code == 2
    assert prompts.read_text() == '{"prompt": "What is 2 times 2?"}\n'


def test_ask__an_account_without_tuned_models(
    finetune: Finetune, root: Path, prompts: Path
) -> None:
    with LocalServer() as empty, running(empty) as url:
        done = finetune(
            "archive", root, "--ask", prompts, OPENAI_BASE_URL=url, OPENAI_API_KEY="sk-made-up"
        )
    assert done.exit_code == 2
    assert done.stderr == "Error: The account has no tuned model to ask; name one with --model.\n"


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
def test_archive__ctrl_c_says_that_nothing_is_lost(
    finetune: Finetune, server: LocalServer, remote: str, root: Path
) -> None:
    assert server.faults is not None
    server.faults.add(parse_faults("delay=0.3x99@/events")[0])
    command = [sys.executable, "-m", "finetune_client.cli", "archive", str(root)]
    env = unmeasured(
        PYTHONPATH=str(Path(__file__).parents[2]),
        OPENAI_BASE_URL=remote,
        OPENAI_API_KEY="sk-made-up",
    )
    with subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        while not (root / "models.json").is_file():
            time.sleep(0.01)
        out, error = end_with(signal.SIGINT, process)
    server.faults.clear()
    assert (process.returncode, out) == (130, "")
    assert error == "\nStopped. Run the same command again: it fetches what is missing.\n"
    assert finetune("archive", root).exit_code == 0


@pytest.mark.parametrize(
    "option", [("-m", "x"), ("--max-tokens", 5), ("--as-training-file", "out.jsonl")]
)
def test_ask__its_options_need_it(
    finetune: Finetune, root: Path, option: tuple[object, ...]
) -> None:
    done = finetune("archive", root, *option)
    assert done.exit_code == 2
    assert done.stderr.endswith(
        "Error: --model, --max-tokens and --as-training-file go with --ask.\n"
    )


@pytest.mark.parametrize(("answer", "calls"), [("n", 0), ("y", 13)])
def test_ask__asks_once_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, root: Path, prompts: Path, answer: str, calls: int
) -> None:
    terminal = SimpleNamespace(isatty=lambda: True)
    both = SimpleNamespace(stdin=terminal, stderr=terminal)
    monkeypatch.setattr("finetune_client.cli.connect.sys", both)
    message = {"role": "assistant", "content": "4"}
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        for path in ("fine_tuning/jobs", "files", "models"):
            mock.get(f"{API}/{path}", json={"data": [], "has_more": False})
        chat = mock.post(
            f"{API}/chat/completions",
            json={"id": "c", "choices": [{"message": message, "finish_reason": "stop"}]},
        )
        arguments = ["archive", str(root), "--ask", str(prompts), "-m", "ft:gpt-4o-mini:o::1"]
        done = CliRunner().invoke(
            cli, arguments, input=f"{answer}\n", env={"OPENAI_API_KEY": "sk-made-up"}
        )
        assert chat.call_count == calls
    assert done.stderr.count("Continue? [y/N]") == 1
    assert done.exit_code == (0 if calls else 1)


def test_bars__show_jobs_and_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    make = Console
    monkeypatch.setattr(
        "rich.console.Console",
        lambda **_: make(file=shown, force_terminal=True, width=100, highlight=False),
    )
    bars = module._Bars()
    with bars.saving() as show:
        show(ArchiveProgress(phase="jobs", done=3, total=300))
        show(
            ArchiveProgress(
                phase="files", done=1, total=40, bytes_done=5_000_000, bytes_total=412_000_000
            )
        )
    with bars.asking(7) as answered:
        answered(None)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.getvalue())
    assert " 1/40 5.0 MB of 412.0 MB " in plain
    assert " 1/7 " in plain
