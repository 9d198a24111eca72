"""Nothing waits for the garbage collector: neither connections, nor errors and what they hold."""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING, Any

import pytest

from finetune_client.errors import FineTuneError
from finetune_client.transport import Request
from tests.support.fault_server import FaultServer, fault
from tests.support.faults.clients import connect, sleepless
from tests.support.faults.operations import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from finetune_client import Client

CALLS: dict[str, Callable[[Client], Any]] = {
    name: OPERATIONS[name]
    for name in ("retrieve a job", "create a job", "upload a file", "download a file")
} | {
    "stream a file": lambda c: list(c.files.stream("file-7")),
    "upload in parts": lambda c: c.uploads.upload_file(("a.jsonl", b"x" * 9), part_size=3),
}
TROUBLE = {
    "none": [],
    "lost": [fault("close", works=True)] * 20,
    "cut once": [fault("cut")],
    "cut": [fault("cut")] * 20,
    "refused": [fault("answer", status=403)] * 20,
    "not JSON": [fault("answer", text="<html>")] * 20,
}


@pytest.fixture(autouse=True)
def _no_collector() -> Iterator[None]:
    gc.disable()
    gc.freeze()  # what other tests left is not looked at, which takes no time either
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        yield
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.unfreeze()
        gc.enable()


@pytest.mark.parametrize("trouble", TROUBLE)
@pytest.mark.parametrize("call", CALLS)
def test_errors__keep_nothing_alive_and_nothing_open(call: str, trouble: str) -> None:
    with FaultServer() as server:
        server.script(*TROUBLE[trouble])
        client = connect(server)
        sleepless(client)
        held = _error(lambda: CALLS[call](client))
        server.pending.clear()
        client.jobs.retrieve("ftjob-after")
        client.close()
        ends = time.monotonic() + 20
        while server.wires and time.monotonic() < ends:
            time.sleep(0.001)
        assert server.wires == []
        del held
    gc.collect()
    assert [each for each in gc.garbage if isinstance(each, BaseException)] == []


def _error(call: Callable[[], Any]) -> FineTuneError | None:
    try:
        call()
    except FineTuneError as error:
        return error
    return None


def test_close__does_not_wait_for_an_answer_that_somebody_keeps() -> None:
    with FaultServer() as server:
        client = connect(server)
        with client._session.stream(Request(method="GET", path="/files/file-7/content")) as kept:
            list(kept.blocks())
        client.close()
        ends = time.monotonic() + 20
        while server.wires and time.monotonic() < ends:
            time.sleep(0.001)
        assert server.wires == []
        assert kept.status == 200
