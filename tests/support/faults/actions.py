"""What can go wrong with an answer: one small function for each, by name in `ACTIONS`.

An action is given the exchange and says whether the connection stays open.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.support.faults.answers import Answer, bomb, of_args, render, render_head

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping

    from tests.support.faults.api import Api
    from tests.support.faults.wire import Seen, Wire

__all__ = ["ACTIONS", "EARLY", "Exchange", "Fault", "fault"]

JSON = {"Content-Type": "application/json"}
CHUNKED = {"Transfer-Encoding": "chunked", **JSON}


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """One instruction: it is followed once, by the first request whose line starts with `on`.

    `works` says that the request is carried out before things go wrong.
    """

    action: str
    works: bool = False
    on: str = ""
    args: Mapping[str, Any] = field(default_factory=dict)


def fault(action: str, *, works: bool = False, on: str = "", **args: Any) -> Fault:
    if action not in ACTIONS:
        raise ValueError(f"there is no fault named {action}")
    return Fault(action=action, works=works, on=on, args=args)


@dataclass(kw_only=True, slots=True)
class Exchange:
    """A request, the fault it met, and what an action needs to answer it."""

    wire: Wire
    seen: Seen
    fault: Fault
    api: Api
    stopped: threading.Event
    _sound: Answer | None = None

    def sound(self) -> Answer:
        """Carry the request out, once, and give the answer it should have had."""
        if self._sound is None:
            self._sound = self.api.carry_out(self.seen)
        return self._sound

    def sound_bytes(self) -> bytes:
        return render(self.sound())

    def arg(self, name: str, default: Any) -> Any:
        return self.fault.args.get(name, default)

    def drip(self, data: bytes, *, every: float, size: int = 1) -> None:
        """Send a little at a time until the peer leaves or the server ends."""
        for start in range(0, len(data), size):
            if not self.wire.send(data[start : start + size]) or self.stopped.wait(every):
                return


def _pass(x: Exchange) -> bool:
    return x.wire.send(x.sound_bytes())


def _answer(x: Exchange) -> bool:
    return x.wire.send(render(of_args(x.fault.args))) and not x.arg("then_close", default=False)


def _reset(x: Exchange) -> bool:
    x.wire.reset()
    return False


def _close(x: Exchange) -> bool:
    return False


def _hang(x: Exchange) -> bool:
    x.wire.wait_gone()
    return False


def _raw(x: Exchange) -> bool:
    x.wire.send(x.arg("text", "").encode("latin-1"))
    return bool(x.arg("keep", default=False))


def _cut(x: Exchange) -> bool:
    answer = x.sound()
    x.wire.send(render(answer)[: -(len(answer.body) // 2)])
    if x.arg("reset", default=False):
        x.wire.reset()
    return False


def _cut_open(x: Exchange) -> bool:
    """A body that ends with the connection, so that nothing says it was cut."""
    answer = x.sound()
    half = answer.body[: len(answer.body) // 2]
    x.wire.send(render_head(answer, {"Connection": "close"}) + half)
    return False


def _cut_chunks(x: Exchange) -> bool:
    answer = x.sound()
    half = answer.body[: len(answer.body) // 2]
    x.wire.send(render_head(answer, CHUNKED) + _chunk(half))
    return False


def _cut_gzip(x: Exchange) -> bool:
    """A compressed stream that lacks its end, with a Content-Length that is right."""
    answer = x.sound()
    half = gzip.compress(answer.body, 1)[:-20]
    zipped = {**answer.headers, "Content-Encoding": "gzip"}
    return x.wire.send(render(Answer(body=half, headers=zipped)))


def _gzip(x: Exchange) -> bool:
    answer = x.sound()
    zipped = {**answer.headers, "Content-Encoding": "gzip"}
    return x.wire.send(render(Answer(body=gzip.compress(answer.body), headers=zipped)))


def _short_length(x: Exchange) -> bool:
    """Claim fewer bytes than are sent: the rest lies in wait for the next request."""
    answer = x.sound()
    return x.wire.send(render(answer, length=len(answer.body) - x.arg("less", 10)))


def _twice(x: Exchange) -> bool:
    """Send the answer twice: the second lies in wait for the next request."""
    return x.wire.send(x.sound_bytes() * 2)


def _informed(x: Exchange) -> bool:
    """Send 1xx answers before the real one, in one piece or with a wait between."""
    early = "".join(f"HTTP/1.1 {code} Early\r\n\r\n" for code in x.arg("codes", [103]))
    if not x.arg("late", 0):
        return x.wire.send(early.encode() + x.sound_bytes())
    x.wire.send(early.encode())
    x.stopped.wait(x.arg("late", 0))
    return x.wire.send(x.sound_bytes())


def _drip(x: Exchange) -> bool:
    head, _, body = x.sound_bytes().partition(b"\r\n\r\n")
    x.wire.send(head + b"\r\n\r\n")
    x.drip(body, every=x.arg("every", 0.05), size=x.arg("size", 1))
    return True


def _drip_open(x: Exchange) -> bool:
    """Blanks for ever, one at a time: valid JSON white space that never ends."""
    x.wire.send(render_head(Answer(headers=JSON), {"Connection": "close"}))
    while x.wire.send(b" ") and not x.stopped.wait(x.arg("every", 0.05)):
        pass
    return False


def _slow_head(x: Exchange) -> bool:
    x.wire.send(b"HTTP/1.1 200 OK\r\n")
    number = 0
    while x.wire.send(b"X-%d: 1\r\n" % number) and not x.stopped.wait(x.arg("every", 0.05)):
        number += 1
    return False


def _endless(x: Exchange) -> bool:
    """A body of blanks without end, in chunks or until the connection closes."""
    status, block = x.arg("status", 200), b" " * 65536
    if x.arg("chunked", default=False):
        framing, block = CHUNKED, _chunk(block)
    else:
        framing = {"Connection": "close", **JSON}
    x.wire.send(render_head(Answer(status=status), framing))
    while x.wire.send(block) and not x.stopped.is_set():
        pass
    return False


def _endless_head(x: Exchange) -> bool:
    x.wire.send(b"HTTP/1.1 200 OK\r\n")
    line = b"X-Flood: " + b"x" * x.arg("width", 1000) + b"\r\n"
    while x.wire.send(line) and not x.stopped.is_set():
        pass
    return False


def _bomb(x: Exchange) -> bool:
    headers = {"Content-Encoding": "gzip", **JSON, **x.arg("headers", {})}
    body = bomb(x.arg("megabytes", 200))
    return x.wire.send(render(Answer(status=x.arg("status", 200), body=body, headers=headers)))


def _stale(x: Exchange) -> bool:
    """Answer, and close the idle connection without a word about it."""
    x.wire.send(x.sound_bytes())
    if x.arg("reset", default=False):
        x.stopped.wait(0.02)
        x.wire.reset()
    return False


def _deaf(x: Exchange) -> bool:
    """Read no more of the request, and stay."""
    x.stopped.wait()
    return False


def _slow_reader(x: Exchange) -> bool:
    """Take the body a little at a time, then answer."""
    wanted, blocks, have = int(x.seen.header("content-length") or 0), [], 0
    while have < wanted and (some := x.wire.read_some(x.arg("size", 65536))):
        blocks.append(some)
        have += len(some)
        x.stopped.wait(x.arg("every", 0.01))
    x.seen.body, x.seen.complete = b"".join(blocks), have == wanted
    return x.wire.send(x.sound_bytes())


def _early(x: Exchange) -> bool:
    """Answer before the body is read; then drop what still comes, or with `rude` reset."""
    _answer(x)
    if x.arg("rude", default=False):
        x.wire.reset()
        return False
    x.wire.half_close()
    x.wire.wait_gone()
    return False


def _early_reset(x: Exchange) -> bool:
    x.wire.read_some(x.arg("after", 1))
    x.wire.reset()
    return False


def _chunk(block: bytes) -> bytes:
    return b"%x\r\n" % len(block) + block + b"\r\n"


ACTIONS: dict[str, Callable[[Exchange], bool]] = {
    "pass": _pass,
    "answer": _answer,
    "reset": _reset,
    "close": _close,
    "hang": _hang,
    "raw": _raw,
    "cut": _cut,
    "cut open": _cut_open,
    "cut chunks": _cut_chunks,
    "cut gzip": _cut_gzip,
    "gzip": _gzip,
    "short length": _short_length,
    "twice": _twice,
    "informed": _informed,
    "drip": _drip,
    "drip open": _drip_open,
    "slow head": _slow_head,
    "endless": _endless,
    "endless head": _endless_head,
    "bomb": _bomb,
    "stale": _stale,
    "deaf": _deaf,
    "slow reader": _slow_reader,
    "early": _early,
    "early reset": _early_reset,
}
EARLY = frozenset({"deaf", "slow reader", "early", "early reset"})
"""Actions that come before the body is read."""
