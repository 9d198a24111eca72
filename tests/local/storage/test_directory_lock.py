"""One server at a time in a directory, also after a kill and across forks."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from finetune_client import Client
from finetune_client.errors import ConfigurationError
from finetune_client.local import LocalServer
from tests.support.local_api import BASE, LocalApi

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Connect = Callable[[LocalServer], LocalApi]

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")


def refusal(directory: Path) -> str:
    with pytest.raises(BlockingIOError) as caught:
        LocalServer(directory)
    return str(caught.value)


def test_directory__is_one_servers_until_it_closes(tmp_path: Path) -> None:
    with LocalServer(tmp_path):
        assert refusal(tmp_path).endswith(
            "] Another server is using this directory; close it first, or give another one: "
            f"{str(tmp_path)!r}"
        )
    with LocalServer(tmp_path):
        pass


def test_directory__of_a_killed_process_is_free(tmp_path: Path) -> None:
    program = (
        "import sys, time\nfrom finetune_client.local import LocalServer\n"
        "server = LocalServer(sys.argv[1])\nprint('ready', flush=True)\ntime.sleep(30)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        refusal(tmp_path)
        child.kill()
    LocalServer(tmp_path).close()


@pytest.mark.skipif(sys.platform == "win32", reason="flock is of POSIX")
def test_directory__on_a_file_system_without_locks_is_used_all_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def flock(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", flock)
    with LocalServer(tmp_path) as server:
        being_written = server._store.put(b"x")
        with LocalServer(tmp_path):
            assert server._store.path(being_written).read_bytes() == b"x"


@forks
def test_fork__leaves_the_server_to_its_parent(connect: Connect, tmp_path: Path) -> None:
    for server in (LocalServer(), LocalServer(tmp_path)):
        api = connect(server)
        file = api.upload(b"x\n")
        child = os.fork()
        if child == 0:
            try:
                told = ""
                try:
                    api.session.get(f"{BASE}/models")
                except ConfigurationError as error:
                    told = str(error)
                server.close()
                server._store.close()
            finally:
                os._exit("in the process that made it, not in a fork of that." in told)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
        assert api.session.get(f"{BASE}/files/{file}/content").content == b"x\n"
    refusal(tmp_path)


@forks
def test_fork__a_wait_in_it_ends_at_once_and_says_where_the_server_is() -> None:
    with Client.local() as client:
        child = os.fork()
        if child == 0:
            told = ""
            try:
                client.jobs.wait("ftjob-1", timeout=30)
            except ConfigurationError as error:
                told = str(error)
            finally:
                os._exit("in the process that made it, not in a fork of that." in told)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1


@forks
def test_fork__that_lives_on_does_not_keep_the_directory(tmp_path: Path) -> None:
    server = LocalServer(tmp_path)
    child = os.fork()
    if child == 0:
        time.sleep(30)
        os._exit(0)
    try:
        server.close()
        LocalServer(tmp_path).close()
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
