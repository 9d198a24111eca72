"""The server's side of answering with real models: one process that keeps the last model loaded."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from finetune_client.local.training.llm.processes import environment
from finetune_client.local.training.trainer import GenerationError, Piece

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from finetune_client.local.training.llm.sources import Source
    from finetune_client.local.training.trainer import GenerateRequest

__all__ = ["Generator"]

_MODULE = "finetune_client.local.training.llm.generating"
_LOG_BYTES = 2000
_PARAMETERS = {
    "context_length_exceeded": "messages",
    "invalid_value": "messages",
    "model_not_found": "model",
    "model_not_supported": "model",
}
"""Code of an error -> the parameter of the request that is at fault."""

_CLOSE_SECONDS = 2.0


class Generator:
    """Answers, one request at a time; others wait.

    Args:
        cache: The directory where GGUF files are converted to, and where the log of the process is.
        dtype: See `Options`.
        threads: See `Options`.
    """

    def __init__(self, cache: Path, *, dtype: str, threads: int | None) -> None:
        self._cache = cache
        self._dtype = dtype
        self._threads = threads
        self._request_lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._closed = False
        self._number = 0

    def generate(
        self, source: Source, tuned: Path | None, request: GenerateRequest
    ) -> Iterator[Piece]:
        """Yield the answers piece by piece; closing the iterator ends them.

        Args:
            source: The base model.
            tuned: The directory of a tuned model of it; `None` for the base itself.
            request: What is asked for.

        Raises:
            GenerationError: There is no answer; its code says why.
        """
        with self._request_lock:
            process = self._started()
            self._number += 1
            asked = {
                "id": self._number,
                "source": asdict(source),
                "cache": str(self._cache),
                "tuned": None if tuned is None else str(tuned),
                **asdict(request),
            }
            self._send(process, asked)
            is_done = False
            try:
                for line in self._lines(process, self._number):
                    is_done = "done" in line or "error" in line
                    if "error" in line:
                        raise _error_of(line["error"])
                    if not is_done:
                        yield Piece(**{key: value for key, value in line.items() if key != "id"})
            finally:
                if not is_done and process is self._process:
                    with suppress(GenerationError):
                        self._send(process, {"cancel": self._number})

    def _started(self) -> subprocess.Popen[str]:
        if self._closed:
            raise GenerationError("The server is closing.", code="server_stopped")
        if self._process is None or self._process.poll() is not None:
            self._end()
            self._cache.mkdir(parents=True, exist_ok=True, mode=0o700)
            with self._log.open("wb") as log:
                self._process = subprocess.Popen(  # noqa: S603 - our own module
                    [sys.executable, "-m", _MODULE, self._dtype, str(self._threads or "")],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    encoding="utf-8",
                    cwd=self._cache,
                    env=environment(self._threads),
                    start_new_session=True,
                )
        return self._process

    @property
    def _log(self) -> Path:
        return self._cache / "generating.log"

    def _send(self, process: subprocess.Popen[str], request: Mapping[str, Any]) -> None:
        if process.stdin is None:
            raise self._death()
        try:
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
        except OSError as error:
            raise self._death() from error

    def _lines(self, process: subprocess.Popen[str], number: int) -> Iterator[dict[str, Any]]:
        for text in process.stdout or ():
            line = json.loads(text)
            if line["id"] == number:  # another's was given up
                yield line
                if "done" in line or "error" in line:
                    return
        self._end()
        raise self._death()

    def _death(self) -> GenerationError:
        with suppress(OSError):
            lines = self._log.read_text(encoding="utf-8", errors="replace")[-_LOG_BYTES:].strip()
            if lines:
                message = f"The process that answers has ended. Its last words:\n{lines}"
                return GenerationError(message, code="server_error")
        return GenerationError("The process that answers has ended.", code="server_error")

    def release(self) -> None:
        """End the process if it is idle, for whoever needs the memory; the next request starts one."""
        if self._request_lock.acquire(blocking=False):
            try:
                self._end()
            finally:
                self._request_lock.release()

    def close(self) -> None:
        """End the process at once; a request that is under way fails."""
        self._closed = True
        process = self._process
        if process is not None:
            process.kill()
        # Whoever has stopped reading in the middle of an answer keeps the lock.
        if self._request_lock.acquire(timeout=_CLOSE_SECONDS):
            try:
                self._end()
            finally:
                self._request_lock.release()

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with suppress(OSError):
                        pipe.close()


def _error_of(error: Mapping[str, str]) -> GenerationError:
    code = error["code"]
    return GenerationError(error["message"], code=code, param=_PARAMETERS.get(code))
