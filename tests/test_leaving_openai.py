"""The shell commands of ``docs/leaving-openai.md``, run in their order as a reader would."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from finetune_client.archive import layout
from finetune_client.local import LocalServer, running
from tests.support.account import make_account
from tests.support.local_chat import add_chat

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "leaving-openai.md"
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMES = {
    "ftjob-abc": "ftjob-000000",
    "ft:gpt-4o-mini-2024-07-18:my-org::abc": "ft:tiny:local:n0:00000000",
    "my-new-model": "tiny",
}
"""What stands on the page -> what is in the account here."""


def commands() -> list[str]:
    lines = "".join(BLOCK.findall(PAGE.read_text(encoding="utf-8"))).splitlines()
    assert lines[:2] == [
        "pip install '.[cli]'",
        "export OPENAI_API_KEY=sk-your-key",
    ]
    for there, here in NAMES.items():
        lines = [line.replace(there, here) for line in lines]
    return lines[2:]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A shell in which ``finetune`` is what is tested here."""
    program = tmp_path / "bin" / "finetune"
    program.parent.mkdir()
    python = shlex.quote(sys.executable)
    program.write_text(f'#!/bin/sh\nexec {python} -m finetune_client.cli "$@"\n')
    program.chmod(0o755)
    return {
        **os.environ,
        "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "OPENAI_API_KEY": "sk-your-key",
        "TMPDIR": str(tmp_path),
        "FINETUNE_DIRECTORY": str(tmp_path / "local"),
    }


@pytest.mark.skipif(shutil.which("sh") is None, reason="the page is for a POSIX shell")
def test_page__its_commands_run_in_their_order(tmp_path: Path, environment: dict[str, str]) -> None:
    make_account(tmp_path / "server", jobs=4, events=8, models=2, large_bytes=3_000)
    work = tmp_path / "work"
    work.mkdir()
    prompts = [
        {"prompt": f"What is {n} times {n}?", "completion": str(n * n)} for n in range(1, 13)
    ]
    lines = "".join(json.dumps(one) + "\n" for one in prompts)
    (work / "prompts.jsonl").write_text(lines, encoding="utf-8")
    with LocalServer(tmp_path / "server") as server:
        asked = add_chat(server)
        with running(server) as url:
            said = {}
            for command in commands():
                done = subprocess.run(
                    ["sh", "-c", command],
                    cwd=work,
                    env={**environment, "OPENAI_BASE_URL": url},
                    check=False,
                    capture_output=True,
                    text=True,
                )
                assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
                said[command] = done.stdout
    index = layout.read_json(work / "my-account" / layout.INDEX)
    assert index["counts"]["jobs"] == 4
    assert index["missing"] == []
    assert len(asked) == 2 * 12 + 12  # the last ones of the new model alone
    assert len((work / "from-answers.jsonl").read_bytes().splitlines()) == 12
    outputs = [*said.values()]
    assert len(outputs) == 8
    nebius, azure = (json.loads(text)["request"] for text in outputs[4:6])
    assert nebius["url"] == "https://api.tokenfactory.nebius.com/v1/fine_tuning/jobs"
    assert azure["url"].startswith("https://my-resource.openai.azure.com/")
    assert outputs[6].splitlines()[-1].startswith("Model: ft:tiny:local:n0:")
    assert "tiny against ft:tiny:local:n0:00000000: " in outputs[7]
