"""Starting the processes of a run, and ending them."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from finetune_client.local.training.trainer import TrainingError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from finetune_client.file_lock import LockFile

__all__ = ["ChildProcess", "Launch", "check_installed", "environment", "run_module"]

_GRACE_SECONDS = 5.0
_PACKAGES = Path(__file__).parents[4]
_MALLOC = ("mmap_threshold=1073741824", "trim_threshold=8589934592", "top_pad=268435456")
"""glibc gives each large block back to the system and asks for it again, zeroed: half of the system
time of training on a CPU. It reads these when a process starts."""


def environment(threads: int | None) -> dict[str, str]:
    """Return the environment of a process that works with models."""
    env = dict(os.environ)
    tunables = [one for one in env.get("GLIBC_TUNABLES", "").split(":") if one]
    env["GLIBC_TUNABLES"] = ":".join([*(f"glibc.malloc.{one}" for one in _MALLOC), *tunables])
    paths = [str(_PACKAGES), *filter(None, env.get("PYTHONPATH", "").split(os.pathsep))]
    env["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(paths))
    env["PYTHONUNBUFFERED"] = "1"
    env["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    env["HF_HUB_DISABLE_TELEMETRY"] = "1"
    env["TRL_EXPERIMENTAL_SILENCE"] = "1"
    # Threads of OpenMP that wait for each other by turning in circles take two to three times the
    # processor time as soon as another program wants the same cores.
    env.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if threads is not None:
        env["OMP_NUM_THREADS"] = str(threads)
    return env


def run_module(
    module: str, argument: str, *, cwd: Path, threads: int | None
) -> subprocess.CompletedProcess[str]:
    """Run one of our modules to its end, and return what it has printed.

    Raises:
        TrainingError: torch is not installed.
    """
    check_installed()
    return subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", module, argument],
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        cwd=cwd,
        env=environment(threads),
    )


def check_installed() -> None:
    """Raise if torch is not installed."""
    if importlib.util.find_spec("torch") is None:
        raise TrainingError(
            "Training needs torch and other packages: pip install 'finetune-client[llm]'",
            code="trainer_not_installed",
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Launch:
    """How the processes of a run are started.

    Attributes:
        processes: How many train together on this machine.
        accelerate_config: A config file of accelerate; it says how many there are instead.
        launcher: A command before all others.
        threads: Of each process.
    """

    processes: int
    accelerate_config: Path | None
    launcher: tuple[str, ...]
    threads: int | None

    @property
    def has_launcher(self) -> bool:
        """Whether the process that is started has processes of its own."""
        return bool(self.processes > 1 or self.accelerate_config or self.launcher)

    def command(self, module: str, directory: Path) -> list[str]:
        """Return the command that starts the processes of a run."""
        child = ["-m", module, str(directory)]
        python = [*self.launcher, sys.executable]
        if self.accelerate_config is not None:
            config = ["--config_file", str(self.accelerate_config)]
            return [*python, "-m", "accelerate.commands.launch", *config, *child]
        if self.processes == 1:
            return [*python, *child]
        # accelerate launch --cpu would run one process alone, without a word.
        torchrun = ["-m", "torch.distributed.run", "--nproc_per_node", str(self.processes)]
        place = ["--rdzv_backend", "c10d", "--rdzv_endpoint", "127.0.0.1:0"]
        return [*python, *torchrun, *place, "--local_addr", "127.0.0.1", *child]

    def start(
        self, module: str, directory: Path, log: Path, owner: LockFile, gpus: Sequence[str] = ()
    ) -> ChildProcess:
        """Start the processes of a run; its owner's lock is released when they have ended.

        Args:
            module: What they run.
            directory: The run's directory, which is absolute.
            log: The file that they print to.
            owner: Held while the run is wanted.
            gpus: The GPUs that they see; all for none.

        Raises:
            TrainingError: The launcher cannot be started.
        """
        threads = self.threads
        if threads is None and self.processes > 1:
            threads = max(1, (os.cpu_count() or 1) // self.processes)
        env = environment(threads)
        if gpus:
            env["CUDA_VISIBLE_DEVICES"] = ",".join(gpus)
        try:
            with log.open("ab") as output:
                process = subprocess.Popen(  # noqa: S603 - our own module
                    self.command(module, directory),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd=directory,
                    env=env,
                    start_new_session=True,
                )
        except OSError as error:
            owner.release()
            message = f"The processes that train cannot be started: {error}."
            raise TrainingError(message, code="trainer_died") from error
        return ChildProcess(process, owner, is_launcher=self.has_launcher)


class ChildProcess:
    """A process that was started in a session of its own, or the launcher of several.

    Args:
        process: The process.
        owner: The lock by which the processes see that they are wanted.
        is_launcher: It has processes of its own, which it ends when it is asked to end.
    """

    def __init__(
        self, process: subprocess.Popen[bytes], owner: LockFile, *, is_launcher: bool
    ) -> None:
        self._process = process
        self._owner = owner
        self._is_launcher = is_launcher

    def has_ended(self) -> bool:
        """Tell whether it has ended."""
        return self._process.poll() is not None

    def ending(self) -> str:
        """Return how it ended, in words."""
        status = self._process.wait()
        if status >= 0:
            return f"exit status {status}"
        reason = "; the system does so when memory is short" if status == -9 else ""
        return f"killed by signal {-status}{reason}"

    def kill(self) -> None:
        """End it at once; a launcher has a moment to end its processes, which also watch it."""
        self._owner.release()
        if self.has_ended():
            return
        if self._is_launcher:
            self._signal(signal.SIGTERM)
            threading.Thread(target=self._reap, name="finetune-reap", daemon=True).start()
            return
        self._process.kill()
        self._process.wait()

    def _reap(self) -> None:
        try:
            self._process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self._signal(getattr(signal, "SIGKILL", signal.SIGTERM))
            self._process.wait()

    def _signal(self, number: int) -> None:
        if sys.platform == "win32":  # it has no groups of processes
            self._process.kill()
        else:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
