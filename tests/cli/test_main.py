from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.unmeasured import unmeasured

if TYPE_CHECKING:
    from pathlib import Path


def _python(code: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)


@pytest.mark.parametrize("package", ["click", "plotille"])
def test_main__without_its_extra_says_what_to_install(package: str) -> None:
    code = (
        f"import sys; sys.modules[{package!r}] = None; sys.argv = ['finetune', 'show', 'ftjob-1']\n"
        "from finetune_client.cli.main import main; main()"
    )
    done = _python(code)
    assert done.returncode == 1
    assert done.stderr == (
        f"The command finetune needs the package {package}, which is not installed. "
        "Install it with: pip install 'finetune-client[cli]'\n"
    )


def test_main__shows_what_the_encoding_does_not_have_as_an_escape(train: Path) -> None:
    renamed = train.rename(train.with_name("\u65e5.jsonl"))
    done = subprocess.run(
        [sys.executable, "-m", "finetune_client.cli", "check", renamed.name],
        cwd=renamed.parent, env={**os.environ, "PYTHONIOENCODING": "latin-1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("\\u65e5.jsonl is fit to train on")


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
def test_main__ends_quietly_while_it_is_still_loading(tmp_path: Path, number: str) -> None:
    package = tmp_path / "click"  # as slow as a disk may be
    package.mkdir()
    wait = f"import os, signal; os.kill(os.getpid(), signal.{number}); signal.pause()\n"
    (package / "__init__.py").write_text(wait, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "finetune_client.cli", "list"],
        env=unmeasured(PYTHONPATH=str(tmp_path)),
        capture_output=True, text=True, check=False, timeout=20,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_main__ends_quietly_when_it_is_interrupted_at_the_very_end() -> None:
    code = (
        "import atexit, os, signal, sys; sys.argv = ['finetune', '--version']\n"
        "atexit.register(os.kill, os.getpid(), signal.SIGINT)\n"
        "from finetune_client.cli.main import main; main()"
    )
    done = _python(code)
    assert (done.returncode, done.stderr) == (-signal.SIGINT, "")


def test_main__runs_in_a_thread_too() -> None:
    code = (
        "import sys, threading; sys.argv = ['finetune', '--version']\n"
        "from finetune_client.cli.main import main\n"
        "thread = threading.Thread(target=main); thread.start(); thread.join()"
    )
    done = _python(code)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("finetune, version ")


@pytest.mark.skipif(sys.platform == "win32", reason="another default there")
def test_main__leaves_what_ignores_ctrl_c_so_and_takes_sigterm_back() -> None:
    code = (
        "import signal, sys; sys.argv = ['finetune', '--version']\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "from finetune_client.cli.main import main\n"
        "try:\n    main()\n"
        "except SystemExit:\n"
        "    print(*(int(signal.getsignal(n)) for n in (signal.SIGINT, signal.SIGTERM)))\n"
    )
    done = _python(code)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("\n1 0\n")
