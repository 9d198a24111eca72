from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from typing import TYPE_CHECKING

import pytest

from finetune_client import Client, webhooks
from tests.support.processes import end_with
from tests.support.unmeasured import unmeasured
from tests.support.webhook_receiver import receiving

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    Finetune = Callable[..., Result]


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_serve__answers_until_ctrl_c(tmp_path: Path) -> None:
    command = [sys.executable, "-u", "-m", "finetune_client.cli", "serve", "--port", "0"]
    options = ["--directory", str(tmp_path / "kept"), "--workers", "3", "--any-model"]
    child = subprocess.Popen(
        [*command, *options],
        env=unmeasured(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    try:
        [url] = re.findall(r"http://127\.0\.0\.1:\d+/v1", child.stdout.readline())
        request = urllib.request.Request(
            url + "/models/gpt-4o-mini", headers={"Authorization": "Bearer any"}
        )
        with urllib.request.urlopen(request, timeout=5) as answer:
            assert json.load(answer)["object"] == "model"
        [page] = re.findall(r"http://127\.0\.0\.1:\d+/$", child.stdout.readline().strip())
        with urllib.request.urlopen(page, timeout=5) as answer:
            assert b"<title>Fine-tuning jobs</title>" in answer.read()
    finally:
        _, said = end_with(signal.SIGINT, child)
    assert (child.returncode, said) == (0, "")


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_serve__on_the_network_with_keys(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("team:sk-1\n", encoding="utf-8")
    keys.chmod(0o600)
    command = [sys.executable, "-u", "-m", "finetune_client.cli", "serve", "--port", "0"]
    options = ["--host", "0.0.0.0", "--allow-network", "--allowed-host", "tunes.example"]
    child = subprocess.Popen(
        [*command, *options, "--api-key-file", str(keys)],
        env=unmeasured(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    try:
        said = child.stdout.readline()
        [port] = re.findall(
            r"Serving http://127\.0\.0\.1:(\d+)/v1 until Ctrl-C; with one of its keys", said
        )
        assert re.fullmatch(
            rf"Other machines use http://(\S+):{port}/v1 or http://tunes\.example:{port}/v1; any other "
            r"name of this machine must be allowed with --allowed-host NAME\.\n",
            child.stdout.readline(),
        )
        assert child.stdout.readline().startswith("Jobs and curves in a browser: ")
        assert "OPENAI_API_KEY=KEY" in child.stdout.readline()
        headers = {"Authorization": "Bearer sk-1", "Host": "tunes.example"}
        request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/models", headers=headers)
        with urllib.request.urlopen(request, timeout=5) as answer:
            assert json.load(answer)["object"] == "list"
    finally:
        end_with(signal.SIGINT, child)
    assert child.returncode == 0


NETWORK = "'0.0.0.0' can be reached from other machines"
HOW = "On the command line: --allow-network, and --api-key-file or the variable FINETUNE_SERVE_API_KEYS."

CODE_ELSEWHERE = (
    "A server that runs python graders lets whoever reaches it run code with your rights, so no other "
    "machine may reach it: take neither allow_network nor allowed_hosts, and listen on localhost. On "
    "the command line: leave out --allow-python-graders, or --allow-network and --allowed-host."
)


@pytest.mark.parametrize(
    ("options", "keys", "message"),
    [
        (
            ["--host", "0.0.0.0"],
            None,
            f"{NETWORK}. Listen on localhost, or allow the network explicitly. {HOW}",
        ),
        (
            ["--host", "0.0.0.0", "--allow-network"],
            None,
            f"{NETWORK}, so the server must check keys: give it some. {HOW}",
        ),
        (["--allow-python-graders", "--allow-network"], "team:sk-1", CODE_ELSEWHERE),
        (
            ["--allow-python-graders", "--allow-network", "--host", "0.0.0.0"],
            "team:sk-1",
            CODE_ELSEWHERE,
        ),
        (["--allow-python-graders", "--allowed-host", "tunes.example"], None, CODE_ELSEWHERE),
        (
            [],
            "secret",
            "FINETUNE_SERVE_API_KEYS does not give the keys of a server. Line 1 is not PROJECT:KEY.",
        ),
        (
            [],
            "",
            "FINETUNE_SERVE_API_KEYS does not give the keys of a server. There are no keys.",
        ),
    ],
)
def test_serve__refuses_what_would_not_be_safe(
    finetune: Finetune,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    keys: str | None,
    message: str,
) -> None:
    if keys is not None:
        monkeypatch.setenv("FINETUNE_SERVE_API_KEYS", keys)
    done = finetune("serve", "--port", 0, *options)
    assert (done.exit_code, done.output) == (2, f"Error: {message}\n")


def test_serve__temporary_keeps_nothing_in_a_directory(finetune: Finetune, tmp_path: Path) -> None:
    done = finetune("serve", "--temporary", "--directory", tmp_path / "server")
    assert done.exit_code == 2
    assert done.stderr.endswith(
        "Error: --temporary keeps nothing, so it does not go with --directory.\n"
    )
    assert not (tmp_path / "server").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="it has no such modes")
def test_serve__refuses_a_key_file_that_others_may_read(finetune: Finetune, tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text("team:sk-1", encoding="utf-8")
    path.chmod(0o644)
    done = finetune("serve", "--port", 0, "--api-key-file", path)
    assert done.exit_code == 2
    assert done.output == (
        f"Error: The file {path} does not give the keys of a server. Other users may read or change "
        f"it (its mode is 0644): run chmod 600 {path}.\n"
    )


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGTERM")
def test_serve__leaves_nothing_behind_when_it_is_terminated(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-u", "-m", "finetune_client.cli", "serve", "--temporary", "--port", "0"],
        env=unmeasured(TMPDIR=str(tmp_path)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    try:
        assert child.stdout.readline().startswith("Serving ")
        assert list(tmp_path.iterdir())
    finally:
        _, said = end_with(signal.SIGTERM, child)
    assert (child.returncode, said) == (0, "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_serve__posts_webhooks_signed_with_the_secret_of_the_environment() -> None:
    secret = "a secret that no list of processes shows"
    with receiving() as receiver:
        command = [sys.executable, "-u", "-m", "finetune_client.cli", "serve", "--port", "0"]
        child = subprocess.Popen(
            [*command, "--webhook", receiver.url],
            env=unmeasured(FINETUNE_SERVE_WEBHOOK_SECRET=secret),
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        try:
            [url] = re.findall(r"http://127\.0\.0\.1:\d+/v1", child.stdout.readline())
            with Client("local", base_url=url) as client:
                file = client.files.create(file=("bad.jsonl", b"{}\n" * 10))
                job = client.jobs.create(model="tiny", training_file=file.id)
            got = receiver.next()
        finally:
            end_with(signal.SIGINT, child)
    event = webhooks.unwrap(got.body, got.headers, secret)
    assert (event.job_id, event.job_status) == (job.id, "failed")


def test_serve__webhooks_without_a_secret_are_said_in_a_sentence(finetune: Finetune) -> None:
    done = finetune("serve", "--port", 0, "--webhook", "http://127.0.0.1:9/")
    assert done.exit_code == 2
    assert done.output == (
        "Error: Webhooks are signed: give their secret too, as webhook_secret=, --webhook-secret "
        "or FINETUNE_SERVE_WEBHOOK_SECRET. Any long random text will do; the receiver verifies "
        "with the same.\n"
    )


def test_serve__a_taken_port_is_said_in_a_sentence(finetune: Finetune) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = finetune("serve", "--port", port)
    assert done.exit_code == 2
    assert done.output == (
        f"Error: Cannot listen on port {port} of localhost: Address already in use. "
        "Choose another with --port, or any free one with --port 0.\n"
    )


def test_serve__a_damaged_database_is_said_in_a_sentence(
    finetune: Finetune, tmp_path: Path
) -> None:
    path = tmp_path / "state.sqlite3"
    path.write_bytes(b"something else" * 100)
    done = finetune("serve", "--port", 0, "--directory", tmp_path)
    assert done.exit_code == 1
    assert done.output == (
        "Error: The command cannot continue: The database of the embedded server cannot be used "
        f"(file is not a database): {str(path)!r}.\n"
    )


def test_serve__a_directory_of_the_unreleased_version_is_said_in_a_sentence(
    finetune: Finetune, tmp_path: Path
) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "file-1.json").write_bytes(b"{}")
    done = finetune("serve", "--port", 0, "--directory", tmp_path)
    assert done.exit_code == 1
    assert done.output == (
        "Error: The command cannot continue: This directory was used by a version of "
        "finetune_client before the first release, which kept its state in another way; give "
        f"another directory: {str(tmp_path)!r}.\n"
    )
