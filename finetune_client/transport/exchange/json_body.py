"""JSON, written and read."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from finetune_client.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["UnreadableError", "decode_json", "encode_json", "excerpt"]


class UnreadableError(Exception):
    """The text is not JSON that can be read; says why."""


def encode_json(data: Any) -> bytes:
    """Write plain data as the body of a request.

    Raises:
        RequestError: It has NaN, infinity, half a surrogate pair, or something that JSON has no
            word for.
    """
    try:
        text = json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return text.encode()
    except UnicodeEncodeError:
        reason = "it has text in it that is not valid Unicode"
    except (TypeError, ValueError) as error:
        reason = str(error)
    except RecursionError:
        reason = "it is nested too deeply"
    raise RequestError(f"The body cannot be written as JSON: {reason}.")


def decode_json(body: bytes) -> Any:
    """Read a response. NaN and infinity are let in: Python servers send them for a loss.

    Raises:
        UnreadableError: It is empty, is not UTF-8, or is not one JSON document.
    """
    fast_decode = _fast_decoder()
    if fast_decode is not None:
        try:
            return fast_decode(body)
        except Exception:  # noqa: BLE001, S110  # whatever it is: `json` reads it, or says why not
            pass
    if not body.strip():
        raise UnreadableError("it is empty")
    try:
        return json.loads(body.decode("utf-8-sig"))
    except UnicodeDecodeError:
        reason = "it is not UTF-8"
    except RecursionError:
        reason = "it is nested too deeply"
    except ValueError as error:
        reason = f"it is not JSON ({' '.join(str(error).split())[:100]})"
    raise UnreadableError(reason)


@cache
def _fast_decoder() -> Callable[[bytes], Any] | None:
    """Return msgspec's decoder if it is installed, the extra ``fast``.

    It takes half the time of `json` and refuses what some servers send: NaN, 1e400, half a
    surrogate pair, a byte order mark. It is loaded by the first response, since that takes 20 ms.
    """
    try:
        from msgspec.json import decode
    except ImportError:
        return None
    return decode


def excerpt(text: str, longest: int) -> str:
    """Return a server's text fit for a message: one line, printable, not too long."""
    clean = "".join(c if c.isprintable() else " " for c in text[: 4 * longest])
    line = " ".join(clean.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"
