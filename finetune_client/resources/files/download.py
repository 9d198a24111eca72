"""A file's content as it comes: checked, and gone on with when a transfer is cut."""

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
from finetune_client.resources.base import answer_facts
from finetune_client.resources.files.rules import fits, is_named_page, is_page, longest
from finetune_client.transport.exchange.response_body import content_length

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from finetune_client.models import FileObject
    from finetune_client.resources.files.progress import Report
    from finetune_client.transport import Request, Session, StreamedResponse

__all__ = ["IDENTITY", "Download", "checked_blocks"]

IDENTITY: Final = {"Accept-Encoding": "identity"}
TRIES: Final = 5
"""So many transfers in a row may bring less than `STEP` more than was there already."""
STEP: Final = 1024 * 1024
BLOCK: Final = 256 * 1024
"""Bytes written at a time; with 64 KiB a download over loopback took a sixth longer."""
_RANGE: Final = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")


class Download:
    """One content, written into a file; a transfer that is cut is gone on with.

    The rest is asked for by Range, and by If-Range where the server gave a strong ETag. A server
    that answers with the whole content, or with a stretch of another one, makes it start over.

    Args:
        session: What it is fetched over.
        request: The GET of the content.
        sink: Where it is written; it can be emptied.
        look: Gets the file object; called when something depends on it.
        sized: Compare the length with the file object's in any case, not only where the answer
            does not say itself how long it is.
        report: Called with ``(done, total)``.
    """

    def __init__(
        self,
        session: Session,
        request: Request,
        sink: IO[bytes],
        *,
        look: Callable[[], FileObject],
        sized: bool,
        report: Report,
    ) -> None:
        self._session = session
        self._request = request
        self._sink = sink
        self._look = look
        self._sized = sized
        self._report = report
        self._done = 0
        self._furthest = 0
        self._limit = math.inf
        self._begun = False
        self._etag: str | None = None
        self._total: int | None = None
        self._whole: int | None = None
        self._end: int | None = None
        if sized:
            self._total = look().bytes
            self._limit = longest(look())

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
            except (APIConnectionError, IntegrityError):  # noqa: PERF203  # nothing beside a transfer
                misses = 1 if self._done >= self._furthest + STEP else misses + 1
                self._furthest = max(self._furthest, self._done)
                over = not self._begun or self._done > self._limit or misses >= TRIES
                if over or not self._pause(misses):
                    raise
            except APIStatusError as error:
                if error.status_code != 416 or not self._done:
                    raise
                misses += 1
                self._empty()
                if not self._pause(misses):
                    raise

    def _pause(self, misses: int) -> bool:
        """Wait before the next transfer; False if the total timeout leaves no time for it."""
        clock, deadline = self._session.clock, self._request.deadline
        delay = _delay(misses, clock.random())
        if deadline is not None and clock.monotonic() + delay >= deadline:
            return False
        clock.sleep(delay)
        return True

    def _transfer(self) -> None:
        request = replace(self._request, headers={**self._request.headers, **self._wanted()})
        with self._session.stream(request) as reply:
            self._begin(reply)
            rest = checked_blocks(request, reply, look=self._look, done=self._done, size=BLOCK)
            for block in rest:
                self._sink.write(block)
                self._done += len(block)
                self._report(self._done, self._total or self._done)
                if self._done > self._limit:
                    break
        if self._sized:
            _check_length(request, reply, self._look(), self._done)
        self._check_end(reply)

    def _check_end(self, reply: StreamedResponse) -> None:
        """See that it ends where the answers say: a server may give less than is asked for."""
        end = self._end if self._whole is None else self._whole
        if end is not None and self._done != end:
            done = self._done
            if done > end:
                self._empty()
            raise _broken(self._request, reply, f"came with {done} bytes of {end}")

    def _wanted(self) -> dict[str, str]:
        if not self._done:
            return IDENTITY
        strong = self._etag is not None and not self._etag.startswith("W/")
        condition = {"If-Range": self._etag} if strong and self._etag else {}
        return {**IDENTITY, "Range": f"bytes={self._done}-", **condition}

    def _begin(self, reply: StreamedResponse) -> None:
        """See where the answer starts, and make the sink end there."""
        self._begun = True
        etag = reply.headers.get("ETag")
        if reply.status == 206:
            self._continue(reply, etag)
            return
        if self._done:
            self._empty()
        self._etag = etag
        self._whole = self._end = content_length(reply.headers)
        if self._total is None:
            self._total = self._whole
        self._report(0, self._total or 0)

    def _continue(self, reply: StreamedResponse, etag: str | None) -> None:
        said = reply.headers.get("Content-Range") or ""
        found = _RANGE.fullmatch(said.strip())
        if found and self._done and int(found[1]) == self._done and self._is_same(found[3], etag):
            self._end = int(found[2]) + 1
            self._whole = self._whole if found[3] == "*" else int(found[3])
            return
        asked = self._done
        self._empty()
        raise _broken(
            self._request,
            reply,
            f"was asked for from byte {asked} on, and the answer is another stretch "
            f"(Content-Range: {said or 'none'})",
        )

    def _is_same(self, whole: str, etag: str | None) -> bool:
        """Tell whether a stretch is of the content that came before, as far as it says."""
        tags, sizes = {self._etag, etag}, {self._whole, None if whole == "*" else int(whole)}
        return len(tags - {None}) < 2 and len(sizes - {None}) < 2

    def _empty(self) -> None:
        self._sink.seek(0)
        self._sink.truncate()
        self._done = 0


def checked_blocks(
    request: Request,
    reply: StreamedResponse,
    *,
    look: Callable[[], FileObject],
    done: int = 0,
    size: int = 65_536,
) -> Iterator[bytes]:
    """Give the blocks of an answer that is what was asked for.

    Args:
        request: What was asked for.
        reply: The answer.
        look: Gets the file object; called when the answer looks like a web page, or does not
            say how long it is.
        done: How many bytes came before these.
        size: The most bytes in a block.

    Raises:
        APIResponseError: The answer is compressed, or a web page in the file's stead.
        IntegrityError: It ended before the file does.
    """
    _refuse_coded(request, reply)
    first = True
    for block in reply.blocks(size):
        if first and is_page(reply.headers.get("Content-Type"), b"" if done else block):
            _refuse_page(request, reply, look())
        first = False
        yield block
        done += len(block)
    if not _is_framed(reply):
        _check_length(request, reply, look(), done)


def _is_framed(reply: StreamedResponse) -> bool:
    """Tell whether the answer says itself where it ends."""
    coding = reply.headers.get("Transfer-Encoding") or ""
    return content_length(reply.headers) is not None or "chunked" in coding.lower()


def _refuse_coded(request: Request, reply: StreamedResponse) -> None:
    coding = (reply.headers.get("Content-Encoding") or "identity").strip().lower()
    if coding not in {"", "identity"}:
        raise _strange(
            request, reply, f"is coded as {coding!r}, although it was asked for as it is"
        )


def _refuse_page(request: Request, reply: StreamedResponse, file: FileObject) -> None:
    length = content_length(reply.headers)
    if not is_named_page(file) and (length is None or length != file.bytes):
        raise _strange(
            request,
            reply,
            "is a web page, as a proxy or a login portal sends it, and not the file's content",
        )


def _check_length(request: Request, reply: StreamedResponse, file: FileObject, done: int) -> None:
    if not fits(file, done, framed=_is_framed(reply)):
        raise _broken(request, reply, f"came with {done} bytes, and the file has {file.bytes}")


def _strange(request: Request, reply: StreamedResponse, what: str) -> APIResponseError:
    message = f"The answer to GET {request.path} {what}."
    return APIResponseError(message, **answer_facts(request, reply))


def _broken(request: Request, reply: StreamedResponse, what: str) -> IntegrityError:
    message = f"The content of GET {request.path} {what}."
    return IntegrityError(message, **answer_facts(request, reply))


def _delay(misses: int, chance: float) -> float:
    """Seconds to wait: half a second, doubled each time up to eight, less up to a quarter."""
    return backoff(misses, first=0.5, longest=8.0) * (1 - 0.25 * chance)
