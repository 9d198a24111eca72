from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from finetune_client.local.http.api_keys import (
    DEFAULT_PROJECT,
    ApiKeys,
    parse_api_keys,
    read_api_keys,
)

if TYPE_CHECKING:
    from pathlib import Path

TEXT = """\
# who may use the server
alice: sk-1

bob:sk-2:with-a-colon, alice:sk-3
"""
KEYS = {"sk-1": "alice", "sk-2:with-a-colon": "bob", "sk-3": "alice"}
NOT_PRINTABLE = (
    "A key of the project 'a' has other characters than printable ASCII, or a blank or a comma."
)


def test_parse__reads_lines_and_lists() -> None:
    assert parse_api_keys(TEXT) == KEYS


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "There are no keys."),
        ("# nobody\n", "There are no keys."),
        ("a:k\nsecret", "Line 2 is not PROJECT:KEY."),
        ("a:", "Line 1 is not PROJECT:KEY."),
        (":secret", "Line 1 is not PROJECT:KEY."),
        ("a:secret\nb:secret", "The key in line 2 is there twice."),
        (
            "a b:secret",
            "'a b' is not the name of a project: 1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-'.",
        ),
        (
            "a:secret key",
            NOT_PRINTABLE,
        ),
        (
            "a:geheimnisä",
            NOT_PRINTABLE,
        ),
    ],
)
def test_parse__says_what_is_wrong_and_never_the_key(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        parse_api_keys(text)
    assert str(caught.value) == message


@pytest.mark.skipif(sys.platform == "win32", reason="it has no such modes")
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620])
def test_read__refuses_a_file_that_others_may_read(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "keys"
    path.write_text(TEXT, encoding="utf-8")
    path.chmod(mode)
    with pytest.raises(ValueError, match="chmod") as caught:
        read_api_keys(path)
    assert str(caught.value) == (
        f"Other users may read or change it (its mode is {mode:04o}): run chmod 600 {path}."
    )


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_read__reads_a_file_of_ones_own(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "keys"
    path.write_bytes(b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode())
    path.chmod(mode)
    assert read_api_keys(path) == KEYS


def test_keys__have_projects_and_are_not_kept_themselves() -> None:
    keys = ApiKeys(KEYS)
    assert keys
    assert [keys.project_of(key) for key in ("sk-1", "sk-3", "sk-2:with-a-colon")] == [
        *("alice", "alice", "bob")
    ]
    for other in ("", "sk-", "sk-11", "SK-1", "\udcff"):
        assert keys.project_of(other) is None
    assert "sk-1" not in repr(vars(keys))


def test_keys__without_any_every_key_is_taken() -> None:
    keys = ApiKeys({})
    assert not keys
    assert (keys.project_of("x"), keys.project_of("")) == (DEFAULT_PROJECT, None)
