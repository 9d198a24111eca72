"""What no text of an example should hold: special tokens, secrets, half characters.

To look for these in every string would take longer than to read the JSON. So the bytes of a line
(or of many at once) are first searched for what each of them must contain, and only lines that
have it are gone through string by string.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from finetune_client.training_data.checking.decoding import DoubledKeys, NotANumber
from finetune_client.training_data.problems import under

if TYPE_CHECKING:
    from collections.abc import Mapping

    from finetune_client.training_data.problems import ProblemCollector

__all__ = ["TextCheck", "holds_secret", "may_hold_unwanted"]

_SPECIAL_TOKEN = re.compile(r"<\|[A-Za-z][A-Za-z0-9_]{2,}\|>")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")

_ESCAPED = re.compile(
    rb"""\\u(?:
        00(?:3[cC]|7[cC])                                                # < or |
      | [dD](?:
            [89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])                    # a first half alone
          | [c-fC-F][0-9a-fA-F]{2}(?<![^\\]\\u[dD][89abAB]..\\u[dD]...)  # a second half alone
        )
    )""",
    re.VERBOSE,
)
"""What JSON may write special tokens and half characters with, and some that are neither."""


class _SecretKind(NamedTuple):
    """One kind of secret.

    Attributes:
        kind: What it is, in words.
        pattern: What it looks like in a text.
        anchor: A character that it always has and that is rare in most texts: `bytes.find` of one
            character takes a twentieth of the time that it takes to find several.
        nearby: The two characters that stand `_OFFSETS` characters from the anchor.
        before: How many characters before the anchor `raw` matches.
        raw: What it looks like in the bytes of a line.
    """

    kind: str
    pattern: re.Pattern[str]
    anchor: bytes
    nearby: tuple[bytes, ...]
    before: int
    raw: re.Pattern[bytes]


_OFFSETS: Mapping[bytes, int] = {b"A": 1, b"-": -2, b"_": -2}
"""Where the two characters near an anchor begin."""


def _secret(kind: str, pattern: str, anchor: bytes, nearby: bytes, before: int) -> _SecretKind:
    bounded = re.compile(f"(?<![A-Za-z0-9]){pattern}(?![A-Za-z0-9])")
    raw = re.compile(pattern.encode().removeprefix(b"-----BEGIN [A-Z ]*"))
    return _SecretKind(kind, bounded, anchor, tuple(nearby.split()), before, raw)


_SECRETS = (
    _secret("a key of AWS", r"AKIA[0-9A-Z]{16}", b"A", b"KI", 0),
    _secret("a key of Google", r"AIza[A-Za-z0-9_-]{35}", b"A", b"Iz", 0),
    _secret("a private key", r"-----BEGIN [A-Z ]*PRIVATE KEY-----", b"A", b"TE", 4),
    _secret("an API key", r"sk-(?=[A-Za-z_-]{0,99}[0-9])[A-Za-z0-9_-]{20,}", b"-", b"sk", 2),
    _secret("a token of GitLab", r"glpat-[A-Za-z0-9_-]{20,}", b"-", b"at", 5),
    _secret("a token of Slack", r"xox[abprs]-[A-Za-z0-9-]{10,}", b"-", b"xa xb xp xr xs", 4),
    _secret("a token of GitHub", r"ghp_[A-Za-z0-9]{36}", b"_", b"hp", 3),
    _secret("a token of GitHub", r"github_pat_[A-Za-z0-9_]{22,}", b"_", b"at", 10),
    _secret("a token of Hugging Face", r"hf_[A-Za-z0-9]{30,}", b"_", b"hf", 2),
)

_ANCHORS = tuple(
    (
        anchor,
        offset,
        {two: (s.before, s.raw) for s in _SECRETS if s.anchor == anchor for two in s.nearby},
    )
    for anchor, offset in _OFFSETS.items()
)


def holds_secret(data: bytes) -> bool:
    """Tell whether a line, or many, may hold a secret."""
    for anchor, offset, kinds in _ANCHORS:
        place = data.find(anchor)
        while place >= 0:
            kind = kinds.get(data[place + offset : place + offset + 2])
            if kind is not None and kind[1].match(data, place - kind[0]):
                return True
            place = data.find(anchor, place + 1)
    return False


def may_hold_unwanted(line: bytes, *, secrets: bool) -> bool:
    """Tell whether a line may hold what `TextCheck` finds."""
    return (
        b"<|" in line
        or (b"\\u" in line and _ESCAPED.search(line) is not None)
        or (secrets and holds_secret(line))
    )


class TextCheck:
    """Goes through everything in an example."""

    def __init__(self, report_problem: ProblemCollector, *, secrets: bool) -> None:
        self._report_problem = report_problem
        self._secrets = _SECRETS if secrets else ()

    def check(self, value: object, path: str = "") -> None:
        if isinstance(value, str):
            self._string(value, path)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                self.check(item, under(path, index))
        elif isinstance(value, dict):
            self._object(value, path)
        elif isinstance(value, NotANumber):
            self._report_problem("not_a_number", path, found=_constant(value))

    def _object(self, value: dict[str, Any], path: str) -> None:
        if isinstance(value, DoubledKeys):
            for key in value.doubled:
                self._report_problem("duplicate_key", under(path, key))
        for key, item in value.items():
            self.check(item, under(path, key))

    def _string(self, text: str, path: str) -> None:
        if half := _LONE_SURROGATE.search(text):
            self._report_problem("lone_surrogate", path, escape=f"{ord(half[0]):04x}")
        if token := _SPECIAL_TOKEN.search(text):
            self._report_problem("special_token", path, token=token[0])
        if text.startswith("data:image/"):
            return
        for secret in self._secrets:
            if secret.pattern.search(text):
                self._report_problem("secret", path, kind=secret.kind)


def _constant(value: NotANumber) -> str:
    if value != value:  # noqa: PLR0124 - only NaN differs from itself
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"
