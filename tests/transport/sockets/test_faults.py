"""The table of faults, `payloads/faults.json`, over real sockets.

Each row is an operation and a fault. It says how the call ends, how often the request stood on
the wire, how often it was carried out, how many sleeps and look-ups there were.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from finetune_client.errors import FineTuneError, JobMayExistError
from tests.support.fault_server import Fault, FaultServer
from tests.support.faults.api import Api
from tests.support.faults.clients import connect, failure, sleepless
from tests.support.faults.operations import OPERATIONS, create

if TYPE_CHECKING:
    from collections.abc import Iterator

TABLE = json.loads((Path(__file__).parents[2] / "payloads" / "faults.json").read_text())
LOOK = "GET /fine_tuning/jobs"


@dataclass(frozen=True, kw_only=True)
class Row:
    name: str
    operation: dict[str, Any]
    fault: dict[str, Any]
    cell: dict[str, Any]
    times: int
    timeout: float
    id: str

    @property
    def refused(self) -> bool:
        return bool(self.fault["action"] == "refused")

    @property
    def effects(self) -> int:
        """How many new things the work done makes: a state changes once, other work adds up."""
        done = int(self.cell["done"])
        if "effect" not in self.operation:
            return 0
        return done if self.operation.get("each") else min(done, 1)

    @property
    def looks(self) -> int | None:
        """How often the list of jobs is asked for, beside the operation itself."""
        if self.operation["line"] == LOOK:
            return 0
        before = self.operation.get("looks_before", 0)
        after = self.cell.get("looks", 0)
        return int(before) + int(after)

    def script(self) -> list[Fault]:
        """Only the operation meets the fault, not a look-up that follows it."""
        if self.refused:
            return []
        return [Fault(on=self.operation["line"], **self.fault)] * self.times


def _rows() -> Iterator[Row]:
    for entry in TABLE["matrix"]:
        for name, operation in TABLE["operations"].items():
            cell = entry.get(operation["column"], entry.get("each"))
            chosen = entry["operations"] == "all" or operation.get("sample")
            if not cell or not chosen or not operation["line"].startswith(entry.get("only", "")):
                continue
            for fault in entry["faults"]:
                yield Row(
                    name=name,
                    operation=operation,
                    fault=TABLE["faults"][fault],
                    cell=cell,
                    times=entry.get("times", 1),
                    timeout=entry.get("timeout", 30),
                    id=f"{fault} x{entry.get('times', 1)}: {name}",
                )


@pytest.mark.parametrize("row", [pytest.param(row, id=row.id) for row in _rows()])
def test_faults__end_as_the_table_says(row: Row) -> None:
    api = Api(**row.operation.get("server", {}))
    with FaultServer(api=api, listening=not row.refused) as server:
        provider = row.operation.get("provider", "openai")
        server.script(*row.script())
        with connect(server, provider=provider, timeout=(10, row.timeout)) as client:
            naps = sleepless(client, server.listen if row.refused else None)
            ends, facts = _outcome(row, client)
    assert ends == row.cell["ends"], facts
    assert _wire(server, row) == {"tries": row.cell["tries"], "looks": row.looks}
    assert server.api.count(row.operation.get("effect", "")) == row.effects
    assert len(server.api.effects) == row.effects
    assert server.pending == []
    assert len(naps) == row.cell.get("naps", len(naps))
    assert row.cell.get("facts", {}).items() <= facts.items()
    assert len(facts.get("candidates", [])) == row.cell.get("candidates", 0)


def _outcome(row: Row, client: Any) -> tuple[str, dict[str, Any]]:
    try:
        value = OPERATIONS.get(row.name, OPERATIONS["create a job"])(client)
    except FineTuneError as error:
        return type(error).__name__, vars(error)
    assert value or row.name == "list jobs"
    return "answer", {}


def _wire(server: FaultServer, row: Row) -> dict[str, int]:
    counts = Counter(server.lines)
    tries = counts.pop(row.operation["line"], 0)
    looks = counts.pop(LOOK, 0)
    assert not counts, f"requests nobody asked for: {counts}"
    return {"tries": tries, "looks": looks}


def test_table__leaves_no_fault_unused() -> None:
    used = {fault for entry in TABLE["matrix"] for fault in entry["faults"]}
    assert used == set(TABLE["faults"])


def test_create__has_one_key_for_all_tries_and_another_for_each_call() -> None:
    with FaultServer() as server, connect(server) as client:
        sleepless(client)
        for _ in range(2):
            server.script(Fault(action="answer", args={"status": 429}))
            create(client)
        keys = [seen.header("idempotency-key") for seen in server.seen]
        marks = [seen.json()["metadata"]["idempotency_key"] for seen in server.seen]
    assert keys == marks
    assert keys[0] == keys[1] != keys[2] == keys[3]


def test_create__again_with_the_same_key_finds_the_job() -> None:
    with FaultServer() as server:
        found = []
        for _ in range(2):
            with connect(server) as client:
                found.append(create(client, idempotency_key="order-4711").id)
        assert server.api.count("job") == 1
    assert found[0] == found[1]


def test_create__that_was_lost_can_be_made_again_with_its_key() -> None:
    with FaultServer(api=Api(lag=3)) as server, connect(server) as client:
        sleepless(client)
        server.script(Fault(action="reset", works=True, on="POST"))
        error = failure(lambda: create(client), JobMayExistError)
        server.api.lag = 0
        again = create(client, idempotency_key=error.idempotency_key)
        assert server.api.count("job") == 1
        assert again.id == server.api.jobs[0]["id"]
