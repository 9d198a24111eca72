"""After a fork both sides use the client at once, and each gets its own answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.support.fault_server import FaultServer, fault

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")

CHILD = """
import json, os, sys
from finetune_client import Client

client = Client("sk-test", base_url=sys.argv[1], provider=sys.argv[2], timeout=(5, 10))
depth = int(sys.argv[3])
client.jobs.retrieve("ftjob-first")
sides = ["p"]
readers = []
for level in range(depth):
    reader, writer = os.pipe()
    if os.fork() == 0:
        sides.append(f"c{level}")
        readers, out = [], writer
    else:
        os.close(writer)
        readers.append(reader)
me = "-".join(sides)
wrong = []
for number in range(20):
    asked = f"ftjob-{me}-{number}"
    got = client.jobs.retrieve(asked).id
    if got != asked:
        wrong.append([asked, got])
created = client.jobs.create(model="m", training_file=f"file-{me}")
if created.training_file != f"file-{me}":
    wrong.append([f"file-{me}", created.training_file])
for reader in readers:
    with os.fdopen(reader) as pipe:
        wrong += json.load(pipe)
client.close()
if me == "p":
    print(json.dumps(wrong))
else:
    with os.fdopen(out, "w") as pipe:
        json.dump(wrong, pipe)
    os._exit(0)
"""


@pytest.mark.parametrize("provider", ["openai", "compatible"])
@pytest.mark.parametrize("depth", [1, 2])
def test_fork__crosses_no_answers(depth: int, provider: str) -> None:
    with FaultServer() as server:
        server.script(fault("pass"), *[fault("informed", codes=[])] * 5)
        done = subprocess.run(
            [
                sys.executable,
                "-W",
                "ignore::UserWarning",
                "-c",
                CHILD,
                server.url,
                provider,
                str(depth),
            ],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
        assert json.loads(done.stdout) == []
        assert done.stderr == ""
        assert server.api.count("job") == 2**depth
        assert _connections_are_apart(server)


def _connections_are_apart(server: FaultServer) -> bool:
    """No connection carried the requests of two processes (but for the first, before the fork)."""
    owners: dict[int, set[str]] = {}
    for seen in server.seen:
        if seen.path.startswith("/fine_tuning/jobs/ftjob-p"):
            owner = seen.path.rpartition("/ftjob-")[2].rpartition("-")[0]
            owners.setdefault(seen.connection, set()).add(owner)
    return all(len(each) == 1 for each in owners.values())
