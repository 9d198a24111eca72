from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from finetune_client.local.training.llm.processes import Launch, environment

ONE: dict[str, Any] = {"processes": 1, "accelerate_config": None, "launcher": (), "threads": None}


def command(**changes: Any) -> list[str]:
    return Launch(**{**ONE, **changes}).command("package.child", Path("/run"))


def test_command__of_one_process() -> None:
    assert command() == [sys.executable, "-m", "package.child", "/run"]
    assert not Launch(**ONE).has_launcher


def test_command__of_several() -> None:
    line = command(processes=4)
    assert line[1:5] == ["-m", "torch.distributed.run", "--nproc_per_node", "4"]
    assert line[-3:] == ["-m", "package.child", "/run"]


def test_command__by_a_config_of_accelerate_behind_a_launcher() -> None:
    line = command(accelerate_config=Path("fsdp2.yaml"), launcher=("srun", "-N", "2"), processes=4)
    assert line == [
        *("srun", "-N", "2", sys.executable),
        *("-m", "accelerate.commands.launch", "--config_file", "fsdp2.yaml"),
        *("-m", "package.child", "/run"),
    ]
    assert Launch(**{**ONE, "launcher": ("srun",)}).has_launcher


def test_environment__keeps_the_users_and_adds_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.malloc.arena_max=2")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    monkeypatch.setenv("HF_HOME", "/models")
    env = environment(3)
    assert env["HF_HOME"] == "/models"
    assert env["OMP_NUM_THREADS"] == "3"
    assert env["GLIBC_TUNABLES"].startswith("glibc.malloc.mmap_threshold=")
    assert env["GLIBC_TUNABLES"].endswith(":glibc.malloc.arena_max=2")
    root, elsewhere = env["PYTHONPATH"].split(os.pathsep)
    assert (Path(root) / "finetune_client" / "__init__.py").exists()
    assert elsewhere == "/elsewhere"


def test_environment__leaves_the_threads_to_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert "OMP_NUM_THREADS" not in environment(None)


@pytest.mark.parametrize("module", ["child", "generating", "merging"])
def test_modules_that_run_by_themselves__are_not_imported_first(module: str) -> None:
    name = f"finetune_client.local.training.llm.{module}"
    code = f"import sys, finetune_client.local; sys.exit({name!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
