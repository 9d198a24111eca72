"""What no text of an example should hold: special tokens, secrets, half characters.

Looking for these in every string would cost more than reading the JSON. So the bytes of a line
(or of many at once) are first looked through for what each of them must contain; only lines that
have it are gone through string by string.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from finetune_client.training_data.checking.decoding import Doubled, NotANumber
from finetune_client.training_data.problems import under

if TYPE_CHECKING:
    from collections.abc import Mapping

    from finetune_client.training_data.problems import Found

__all__ = ["StringCheck", "escapes", "secretive"]

SPECIAL_TOKEN = re.compile(r"<\|[A-Za-z][A-Za-z0-9_]{2,}\|>")
LONE_SURROGATE = re.compile("[\ud800-\udfff]")

ESCAPED = re.compile(
    rb"""\\u(?:
        00(?:3[cC]|7[cC]|22)                                             # < or | or "
      | [dD](?:
            [89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])                    # a first half alone
          | [c-fC-F][0-9a-fA-F]{2}(?<![^\\]\\u[dD][89abAB]..\\u[dD]...)  # a second half alone
        )
    )""",
    re.VERBOSE,
)
"""What JSON may write special tokens, quotes and half characters with; also some that are none."""


class Secret(NamedTuple):
    """One kind of secret.

    Attributes:
        kind: What it is, in words.
        pattern: How it looks.
        mark: A character that it always has and that is rare in most texts; a single character
            is found in a third of the time that several take.
        near: The two characters that stand `shift` characters from the mark.
        before: How many characters before the mark the secret, or what is to match, begins.
        raw: What is to match there.
    """

    kind: str
    pattern: re.Pattern[str]
    mark: bytes
    near: tuple[bytes, ...]
    before: int
    raw: re.Pattern[bytes]


SHIFTS: Mapping[bytes, int] = {b"K": 1, b"-": -2, b"_": -2, b"z": -2}
"""Where the two characters near a mark begin."""


def _secret(kind: str, pattern: str, mark: bytes, near: bytes, before: int) -> Secret:
    bounded = re.compile(f"(?<![A-Za-z0-9]){pattern}(?![A-Za-z0-9])")
    raw = re.compile(pattern.encode().removeprefix(b"-----BEGIN [A-Z ]*"))
    return Secret(kind, bounded, mark, tuple(near.split()), before, raw)


SECRETS = (
    _secret("a key of AWS", r"AKIA[0-9A-Z]{16}", b"K", b"IA", 1),
    _secret("a private key", r"-----BEGIN [A-Z ]*PRIVATE KEY-----", b"K", b"EY", 8),
    _secret("an API key", r"sk-(?=[A-Za-z_-]{0,99}[0-9])[A-Za-z0-9_-]{20,}", b"-", b"sk", 2),
    _secret("a token of GitLab", r"glpat-[A-Za-z0-9_-]{20,}", b"-", b"at", 5),
    _secret("a token of Slack", r"xox[abprs]-[A-Za-z0-9-]{10,}", b"-", b"xa xb xp xr xs", 4),
    _secret("a token of GitHub", r"ghp_[A-Za-z0-9]{36}", b"_", b"hp", 3),
    _secret("a token of GitHub", r"github_pat_[A-Za-z0-9_]{22,}", b"_", b"at", 10),
    _secret("a token of Hugging Face", r"hf_[A-Za-z0-9]{30,}", b"_", b"hf", 2),
    _secret("a key of Google", r"AIza[A-Za-z0-9_-]{35}", b"z", b"AI", 2),
)

MARKS = tuple(
    (
        mark,
        shift,
        {near: (s.before, s.raw) for s in SECRETS if s.mark == mark for near in s.near},
    )
    for mark, shift in SHIFTS.items()
)


def escapes(data: bytes) -> bool:
    """Tell whether lines may have escapes that hide something."""
    return b"\\u" in data and ESCAPED.search(data) is not None


def secretive(line: bytes) -> bool:
    """Tell whether a line may hold a secret."""
    for mark, shift, kinds in MARKS:
        place = line.find(mark)
        while place >= 0:
            kind = kinds.get(line[place + shift : place + shift + 2])
            if kind is not None and kind[1].match(line, place - kind[0]):
                return True
            place = line.find(mark, place + 1)
    return False


class StringCheck:
    """Goes through everything in an example."""

    def __init__(self, found: Found, *, secrets: bool) -> None:
        self._found = found
        self._secrets = SECRETS if secrets else ()

    def walk(self, value: object, path: str = "") -> None:
        if isinstance(value, str):
            self._string(value, path)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                self.walk(item, under(path, index))
        elif isinstance(value, dict):
            self._object(value, path)
        elif isinstance(value, NotANumber):
            self._found("not_a_number", path, found=_constant(value))

    def _object(self, value: dict[str, Any], path: str) -> None:
        if isinstance(value, Doubled):
            for key in value.doubled:
                self._found("duplicate_key", under(path, key))
        for key, item in value.items():
            self.walk(item, under(path, key))

    def _string(self, text: str, path: str) -> None:
        if half := LONE_SURROGATE.search(text):
            self._found("lone_surrogate", path, escape=f"{ord(half[0]):04x}")
        if token := SPECIAL_TOKEN.search(text):
            self._found("special_token", path, token=token[0])
        if text.startswith("data:image/"):
            return
        for secret in self._secrets:
            if secret.pattern.search(text):
                self._found("secret", path, kind=secret.kind)


def _constant(value: NotANumber) -> str:
    if value != value:  # noqa: PLR0124 - only NaN differs from itself
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"
