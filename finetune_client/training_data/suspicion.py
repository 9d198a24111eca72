"""What no text of an example should hold: special tokens, secrets, half characters.

Looking for these in every string would cost more than reading the JSON. So the bytes of a line
(or of many at once) are first looked through for what each of them must contain; only lines that
have it are gone through string by string.
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from finetune_client.training_data.decoding import Doubled, NotANumber
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
    """One kind of secret: `needle` is what it always contains, `raw` finds it in JSON."""

    kind: str
    needle: bytes
    pattern: re.Pattern[str]
    raw: re.Pattern[bytes]


def _secret(kind: str, needle: str, pattern: str) -> Secret:
    bounded = re.compile(f"(?<![A-Za-z0-9]){pattern}(?![A-Za-z0-9])")
    return Secret(kind, needle.encode(), bounded, re.compile(pattern.encode()))


SECRETS_BY_MARK: Mapping[bytes, tuple[Secret, ...]] = {
    b"K": (
        _secret("a key of AWS", "AKIA", r"AKIA[0-9A-Z]{16}"),
        _secret("a private key", "-----BEGIN", r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    ),
    b"-": (
        _secret("an API key", "sk-", r"sk-(?=[A-Za-z_-]*[0-9])[A-Za-z0-9_-]{20,}"),
        _secret("a token of GitLab", "glpat-", r"glpat-[A-Za-z0-9_-]{20,}"),
        _secret("a token of Slack", "xox", r"xox[abposr]-[A-Za-z0-9-]{10,}"),
    ),
    b"_": (
        _secret("a token of GitHub", "ghp_", r"ghp_[A-Za-z0-9]{36}"),
        _secret("a token of GitHub", "github_pat_", r"github_pat_[A-Za-z0-9_]{22,}"),
        _secret("a token of Hugging Face", "hf_", r"hf_[A-Za-z0-9]{30,}"),
    ),
    b"z": (_secret("a key of Google", "AIza", r"AIza[A-Za-z0-9_-]{35}"),),
}
"""A character that is rare in most texts, and the secrets that have it: a line without it is
passed over in a twentieth of the time."""

SECRETS = tuple(itertools.chain.from_iterable(SECRETS_BY_MARK.values()))


def escapes(data: bytes) -> bool:
    """Tell whether lines may have escapes that hide something."""
    return b"\\u" in data and ESCAPED.search(data) is not None


def secretive(line: bytes) -> bool:
    """Tell whether a line may hold a secret."""
    for mark, secrets in SECRETS_BY_MARK.items():
        if mark in line:
            for _, needle, _, raw in secrets:
                if needle in line and raw.search(line):
                    return True
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
