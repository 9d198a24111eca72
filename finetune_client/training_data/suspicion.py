"""What no text of an example should hold: special tokens, secrets, half characters.

Looking for these in every string would cost more than reading the JSON. So `suspicious` first
looks at the bytes of many lines at once for what each of them must contain; only lines that
look so are gone through string by string.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from finetune_client.training_data.decoding import Doubled, NotANumber
from finetune_client.training_data.problems import under

if TYPE_CHECKING:
    from finetune_client.training_data.problems import Found

__all__ = ["StringCheck", "suspicious"]

SPECIAL_TOKEN = re.compile(r"<\|[A-Za-z][A-Za-z0-9_]{2,}\|>")
LONE_SURROGATE = re.compile("[\ud800-\udfff]")

ESCAPED = re.compile(
    rb"""\\u(?:
        00[37][cC]                                                       # < or |
      | [dD](?:
            [89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])                    # a first half alone
          | [c-fC-F][0-9a-fA-F]{2}(?<![^\\]\\u[dD][89abAB]..\\u[dD]...)  # a second half alone
        )
    )""",
    re.VERBOSE,
)
"""What JSON may write a special token or half a character with; also some that are neither."""


@dataclass(frozen=True, slots=True)
class Secret:
    """One kind of secret; `needle` is what it always contains, with an underscore or without."""

    kind: str
    needle: bytes
    underscored: bool
    pattern: re.Pattern[str]
    raw: re.Pattern[bytes]


def _secret(kind: str, needle: str, pattern: str) -> Secret:
    bounded = f"{pattern}(?![A-Za-z0-9])"
    return Secret(
        kind,
        needle.encode(),
        "_" in needle,
        re.compile(f"(?<![A-Za-z0-9]){bounded}"),
        re.compile(pattern.encode()),
    )


SECRETS = (
    _secret("an API key", "sk-", r"sk-(?=[A-Za-z_-]*[0-9])[A-Za-z0-9_-]{20,}"),
    _secret("a key of AWS", "AKIA", r"AKIA[0-9A-Z]{16}"),
    _secret("a private key", "-----BEGIN", r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    _secret("a token of GitHub", "ghp_", r"ghp_[A-Za-z0-9]{36}"),
    _secret("a token of GitHub", "github_pat_", r"github_pat_[A-Za-z0-9_]{22,}"),
    _secret("a token of GitLab", "glpat-", r"glpat-[A-Za-z0-9_-]{20,}"),
    _secret("a key of Google", "AIza", r"AIza[A-Za-z0-9_-]{35}"),
    _secret("a token of Slack", "xox", r"xox[abposr]-[A-Za-z0-9-]{10,}"),
    _secret("a token of Hugging Face", "hf_", r"hf_[A-Za-z0-9]{30,}"),
)


def suspicious(data: bytes, *, secrets: bool) -> bool:
    """Tell whether lines may hold any of these; they do not where the answer is no."""
    if b"<|" in data or (b"\\u" in data and ESCAPED.search(data)):
        return True
    if not secrets:
        return False
    underscored = b"_" in data
    return any(
        (underscored or not each.underscored) and each.needle in data and each.raw.search(data)
        for each in SECRETS
    )


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
