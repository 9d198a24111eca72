"""The content of a file as it comes: checked, and resumed when a transfer is cut."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import IO, TYPE_CHECKING, Final

from finetune_client.clock import backoff
from finetune_client.errors import (
    APIConnectionError,
    APIResponseError,
    APIStatusError,
    IntegrityError,
)
from finetune_client.models.files import FilePurpose
from finetune_client.resources.base import response_facts
from finetune_client.transport.exchange.response_body import content_length

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from finetune_client.models import FileObject
    from finetune_client.resources.files.progress import OnProgress
    from finetune_client.transport import Request, Session, StreamedResponse

__all__ = ["IDENTITY", "Download", "checked_blocks"]

IDENTITY: Final = {"Accept-Encoding": "identity"}
_MAX_MISSES: Final = 5
"""So many transfers in a row may bring less than `_LEAST_GAIN` beyond what was there already."""

_LEAST_GAIN: Final = 1024 * 1024
_BLOCK_SIZE: Final = 256 * 1024
"""Bytes written at a time; with 64 KiB a download over loopback took a sixth longer."""

_RANGE: Final = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")


class Download:
    """One download into a file; a transfer that is cut is resumed.

    The rest is asked for by Range, and by If-Range where the server sent a strong ETag. If the
    answer is the whole content, or a range of another content, the download starts over.

    Args:
        session: What it is fetched with.
        request: The GET of the content.
        sink: Where it is written; it can be emptied.
        retrieve: Returns the file object; called when something depends on it.
        sized: Compare the length with the file object's in any case, not only where the answer
            does not say how long it is.
        on_progress: Called with ``(done, total)``.
        done: The bytes that the sink has already, from an earlier download of the same file.
    """

    def __init__(
        self,
        session: Session,
        request: Request,
        sink: IO[bytes],
        *,
        retrieve: Callable[[], FileObject],
        sized: bool,
        on_progress: OnProgress,
        done: int = 0,
    ) -> None:
        self._session = session
        self._request = request
        self._sink = sink
        self._retrieve = retrieve
        self._sized = sized
        self._on_progress = on_progress
        self._done = done
        self._furthest = done
        self._limit = math.inf
        self._has_begun = False
        self._etag: str | None = None
        self._total: int | None = None
        self._whole: int | None = None
        self._end: int | None = None
        if sized:
            self._total = retrieve().bytes
            self._limit = _max_bytes(retrieve())

    def run(self) -> None:
        """Fetch all of it.

        Raises:
            APIConnectionError, IntegrityError: It was cut, again and again.
            APIResponseError: What came is compressed, or a web page.
            APIError: The server refused.
        """
        misses = 0
        while True:
            try:
                return self._transfer()
            except (APIConnectionError, IntegrityError):  # noqa: PERF203  # costs nothing beside a transfer
                misses = 1 if self._done >= self._furthest + _LEAST_GAIN else misses + 1
                self._furthest = max(self._furthest, self._done)
                give_up = not self._has_begun or self._done > self._limit or misses >= _MAX_MISSES
                if give_up or not self._pause(misses):
                    raise
            except APIStatusError as error:
                if error.status_code != 416 or not self._done:
                    raise
                misses += 1
                self._empty()
                if not self._pause(misses):
                    raise

    def _pause(self, misses: int) -> bool:
        """Wait before the next transfer; return False if the total timeout leaves no time for it."""
        clock, deadline = self._session.clock, self._request.deadline
        delay = _delay(misses, clock.random())
        if deadline is not None and clock.monotonic() + delay >= deadline:
            return False
        clock.sleep(delay)
        return True

    def _transfer(self) -> None:
        request = replace(self._request, headers={**self._request.headers, **self._range_headers()})
        with self._session.stream(request) as response:
            self._start(response)
            rest = checked_blocks(
                request, response, retrieve=self._retrieve, done=self._done, size=_BLOCK_SIZE
            )
            for block in rest:
                self._sink.write(block)
                self._done += len(block)
                self._on_progress(self._done, self._total or self._done)
                if self._done > self._limit:
                    break
        if self._sized:
            _check_length(request, response, self._retrieve(), self._done)
        self._check_end(response)

    def _check_end(self, response: StreamedResponse) -> None:
        """Check that it ends where the answers say: a server may send less than is asked for."""
        end = self._end if self._whole is None else self._whole
        if end is not None and self._done != end:
            done = self._done
            if done > end:
                self._empty()
            raise _cut(self._request, response, f"came with {done} bytes of {end}")

    def _range_headers(self) -> dict[str, str]:
        if not self._done:
            return IDENTITY
        strong = self._etag is not None and not self._etag.startswith("W/")
        condition = {"If-Range": self._etag} if strong and self._etag else {}
        return {**IDENTITY, "Range": f"bytes={self._done}-", **condition}

    def _start(self, response: StreamedResponse) -> None:
        """Note where the answer starts, and make the sink end there."""
        self._has_begun = True
        etag = response.headers.get("ETag")
        if response.status == 206:
            self._continue(response, etag)
            return
        if self._done:
            self._empty()
        self._etag = etag
        self._whole = self._end = content_length(response.headers)
        if self._total is None:
            self._total = self._whole
        self._on_progress(0, self._total or 0)

    def _continue(self, response: StreamedResponse, etag: str | None) -> None:
        content_range = response.headers.get("Content-Range") or ""
        found = _RANGE.fullmatch(content_range.strip())
        if found and self._done and int(found[1]) == self._done and self._is_same(found[3], etag):
            self._end = int(found[2]) + 1
            self._whole = self._whole if found[3] == "*" else int(found[3])
            return
        asked = self._done
        self._empty()
        raise _cut(
            self._request,
            response,
            f"was asked for from byte {asked} on, and the answer is another range "
            f"(Content-Range: {content_range or 'none'})",
        )

    def _is_same(self, whole: str, etag: str | None) -> bool:
        """Return whether a range is of the content that came before, as far as it says."""
        tags, sizes = {self._etag, etag}, {self._whole, None if whole == "*" else int(whole)}
        return len(tags - {None}) < 2 and len(sizes - {None}) < 2

    def _empty(self) -> None:
        self._sink.seek(0)
        self._sink.truncate()
        self._done = 0


def checked_blocks(
    request: Request,
    response: StreamedResponse,
    *,
    retrieve: Callable[[], FileObject],
    done: int = 0,
    size: int = 65_536,
) -> Iterator[bytes]:
    """Yield the blocks of an answer, and check that it is what was asked for.

    Args:
        request: What was asked for.
        response: The answer.
        retrieve: Returns the file object; called when the answer looks like a web page, or does
            not say how long it is.
        done: How many bytes came before these.
        size: The most bytes in a block.

    Raises:
        APIResponseError: The answer is compressed, or a web page instead of the file.
        IntegrityError: It ended before the file does.
    """
    _check_encoding(request, response)
    first = True
    for block in response.blocks(size):
        if first and _is_page(response.headers.get("Content-Type"), b"" if done else block):
            _check_page(request, response, retrieve())
        first = False
        yield block
        done += len(block)
    if not response.is_framed:
        _check_length(request, response, retrieve(), done)


def _check_encoding(request: Request, response: StreamedResponse) -> None:
    coding = (response.headers.get("Content-Encoding") or "identity").strip().lower()
    if coding not in {"", "identity"}:
        raise _unusable(
            request,
            response,
            f"is encoded as {coding!r}, although it was asked for without an encoding",
        )


def _check_page(request: Request, response: StreamedResponse, file: FileObject) -> None:
    length = content_length(response.headers)
    named = (file.filename or "").lower().endswith((".html", ".htm"))
    if not named and (length is None or length != file.bytes):
        raise _unusable(
            request,
            response,
            "is a web page, as a proxy or a login portal sends it, and not the content of the file",
        )


def _check_length(
    request: Request, response: StreamedResponse, file: FileObject, done: int
) -> None:
    if not _fits(file, done, framed=response.is_framed):
        raise _cut(request, response, f"came with {done} bytes, and the file has {file.bytes}")


def _unusable(request: Request, response: StreamedResponse, what: str) -> APIResponseError:
    message = f"The answer to GET {request.path} {what}."
    return APIResponseError(message, **response_facts(request, response))


def _cut(request: Request, response: StreamedResponse, what: str) -> IntegrityError:
    message = f"The content of GET {request.path} {what}."
    return IntegrityError(message, **response_facts(request, response))


def _delay(misses: int, random_fraction: float) -> float:
    """Return the seconds to wait: half a second, doubled up to eight, less up to a quarter."""
    return backoff(misses, first=0.5, longest=8.0) * (1 - 0.25 * random_fraction)


def _fits(file: FileObject, received: int, *, framed: bool) -> bool:
    """Return whether a download of so many bytes can be all of a file.

    Results of training are not always sent as they are counted: OpenAI has been sending them
    in base64. For these, a length that the answer itself states (``framed``) is enough.
    """
    if file.bytes is None or file.bytes == received:
        return True
    in_base64 = 4 * -(-file.bytes // 3)
    is_result = file.purpose == FilePurpose.FINE_TUNE_RESULTS
    return is_result and (framed or received == in_base64)


def _max_bytes(file: FileObject) -> float:
    """Return the most bytes that a download can have; infinity if that is not known."""
    is_result = file.purpose == FilePurpose.FINE_TUNE_RESULTS
    return math.inf if file.bytes is None or is_result else file.bytes


def _is_page(content_type: str | None, first: bytes) -> bool:
    """Return whether an answer looks like a web page, as proxies and portals send with 200."""
    if content_type and content_type.partition(";")[0].strip().lower() == "text/html":
        return True
    return first.lstrip()[:15].lower().startswith((b"<!doctype html", b"<html"))
