"""Several jobs followed at once."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING

import pytest

from finetune_client import Client
from finetune_client.local import LocalServer, running
from tests.support.terminal import in_terminal

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Finetune


@pytest.fixture
def env(remote: str) -> dict[str, str]:
    return {"OPENAI_BASE_URL": remote, "OPENAI_API_KEY": "sk-made-up"}


@pytest.fixture
def ids(remote: str, train: Path) -> list[str]:
    with Client(base_url=remote, api_key="sk-made-up") as client:
        return [client.jobs.create(model="tiny", training_file=train).id for _ in range(2)]


def test_follow__several_in_a_pipe_with_their_names(
    finetune: Finetune, env: dict[str, str], ids: list[str]
) -> None:
    done = finetune("follow", *ids, ids[0], **env)
    assert done.exit_code == 0, done.output
    for job_id in ids:
        own = [line for line in done.output.splitlines() if line.startswith(f"{job_id}: ")]
        assert re.match(
            rf"{job_id}: step \d+/\d+ train_loss \d", next(o for o in own if "step" in o)
        )
        assert re.fullmatch(rf"{job_id}: succeeded, ft:tiny:local::\w+", own[-1])


def test_follow__several_as_json(finetune: Finetune, env: dict[str, str], ids: list[str]) -> None:
    done = finetune("follow", *ids, "--json", **env)
    rows = [json.loads(line) for line in done.output.splitlines()]
    assert {row["kind"] for row in rows} == {"event", "end"}
    ends = {row["name"]: row["fine_tuned_model"] for row in rows if row["kind"] == "end"}
    assert set(ends) == set(ids)
    assert all(name.startswith("ft:tiny:local:") for name in ends.values())


def test_follow__several_is_status_1_if_one_fails(finetune: Finetune, train: Path) -> None:
    with LocalServer(step_seconds=60) as server, running(server) as base_url:
        with Client(base_url=base_url, api_key="sk-made-up") as client:
            ids = [client.jobs.create(model="tiny", training_file=train).id for _ in range(2)]
            for job_id in ids:
                client.jobs.cancel(job_id)
        options = ("--base-url", base_url)
        done = finetune("follow", *ids, *options, OPENAI_API_KEY="sk-made-up")
    assert done.exit_code == 1
    assert f"{ids[0]}: cancelled" in done.stdout.splitlines()
    assert done.stderr == (
        f"Error: 2 of 2 jobs did not succeed: {ids[0]} (cancelled), {ids[1]} (cancelled).\n"
    )


def test_follow__options_of_a_single_job(finetune: Finetune) -> None:
    done = finetune("follow", "a", "b", "--after", "event-1")
    assert done.exit_code == 2
    assert "--after and --metrics are for a single job." in done.output


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pty")
@pytest.mark.parametrize("colours", [True, False])
def test_follow__several_become_one_table(
    env: dict[str, str], ids: list[str], *, colours: bool
) -> None:
    more = {} if colours else {"NO_COLOR": "1"}
    status, shown = in_terminal("follow", *ids, env={**env, **more})
    assert status == 0
    assert ("\x1b[32m" in shown) is colours
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown)
    last = plain.replace("\r", "").rpartition("job ")[2].splitlines()
    assert last[0].split() == ["status", "step", "train", "valid"]
    for job_id, line in zip(ids, last[1:3], strict=True):
        assert re.fullmatch(rf"{job_id} +succeeded +(\d+)/\1 +\d\.\d{{4}} *", line)
        assert len(line) <= 80
    for job_id, line in zip(ids, last[3:5], strict=True):
        assert line.startswith(f"{job_id}: succeeded, ft:tiny:local::")
