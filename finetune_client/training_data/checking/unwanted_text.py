"""What no text of an example should hold: special tokens, secrets, half characters, mere nulls.

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
    from finetune_client.training_data.problems import ProblemCollector

__all__ = ["LONGEST_NULL_TEXT", "TextCheck", "holds_secret", "holds_special_text", "is_null_text"]

_NULL_TEXTS = frozenset({"null", "None", "nan", "NaN"})
LONGEST_NULL_TEXT = 8
"""Characters, white space included; longer texts need not be looked at."""

_SPECIAL_TOKEN = re.compile(r"<\|[A-Za-z][A-Za-z0-9_]{2,}\|>")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")

_ESCAPED = re.compile(
    rb"""\\(?:
        u00(?:3[cC]|7[cC])                                                # < or |
      | u[dD](?:
            [89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])                     # a first half alone
          | [c-fC-F][0-9a-fA-F]{2}(?<![^\\]\\u[dD][89abAB]..\\u[dD]...)   # a second half alone
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
        raw: Where there may be one in the bytes of lines. It begins with a single character that
            is rare in most texts: `re` finds such a pattern ten times as fast as one that begins
            with a choice, and three times as fast as a loop of `bytes.find`.
    """

    kind: str
    pattern: re.Pattern[str]
    raw: bytes


def _secret(kind: str, before: str, anchor: str, after: str, begin: str = "") -> _SecretKind:
    pattern = f"(?<![A-Za-z0-9]){begin}{before}{anchor}{after}(?![A-Za-z0-9])"
    return _SecretKind(kind, re.compile(pattern), f"(?<={before}{anchor}){after}".encode())


_HYPHEN = (
    _secret("an API key", "sk", "-", r"(?=[A-Za-z_-]{0,99}[0-9])[A-Za-z0-9_-]{20,}"),
    _secret("a token of GitLab", "glpat", "-", r"[A-Za-z0-9_-]{20,}"),
    _secret("a token of Slack", "xox[abprs]", "-", r"[A-Za-z0-9-]{10,}"),
)
_UNDERSCORE = (
    _secret("a token of GitHub", "ghp", "_", r"[A-Za-z0-9]{36}"),
    _secret("a token of GitHub", "github_pat", "_", r"[A-Za-z0-9_]{22,}"),
    _secret("a token of Hugging Face", "hf", "_", r"[A-Za-z0-9]{30,}"),
)
_LETTER = (
    _secret("a key of AWS", "", "A", r"KIA[0-9A-Z]{16}"),
    _secret("a key of Google", "", "A", r"Iza[A-Za-z0-9_-]{35}"),
    _secret("a private key", "PRIV", "A", r"TE KEY-----", begin=r"-----BEGIN [A-Z ]*"),
)
_SECRETS = (*_HYPHEN, *_UNDERSCORE, *_LETTER)
_RAW_SECRETS = tuple(
    re.compile(anchor + follows + b"(?:" + b"|".join(secret.raw for secret in secrets) + b")")
    for anchor, follows, secrets in (
        (b"-", b"(?=[A-Za-z0-9_-]{10})", _HYPHEN),
        (b"_", b"(?=[A-Za-z0-9_]{22})", _UNDERSCORE),
        (b"A", b"(?=[KIT])", _LETTER),
    )
)
"""What follows the character in every kind of a group is looked at first: in prose it is rarely
there, and to try each kind in turn takes longer."""


def holds_secret(data: bytes) -> bool:
    """Return whether a line, or many, may hold a secret."""
    return any(pattern.search(data) for pattern in _RAW_SECRETS)


def holds_special_text(line: bytes) -> bool:
    """Return whether a line may hold a special token or half a character."""
    return (b"|" in line and b"<|" in line) or (
        b"\\u" in line and _ESCAPED.search(line) is not None
    )


def is_null_text(text: str) -> bool:
    """Return whether a text is what a library writes for an empty value."""
    return len(text) <= LONGEST_NULL_TEXT and text.strip() in _NULL_TEXTS


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
