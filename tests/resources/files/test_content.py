from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import pytest

from finetune_client.errors import RequestError
from finetune_client.resources.files.content import FileBytes

if TYPE_CHECKING:
    from pathlib import Path

    from finetune_client import Client
    from tests.support.file_service import FileService

DATA = 'step,"Verlust é"\r\n1,0.5\n'.encode()


def test_content__of_a_client(client: Client, service: FileService) -> None:
    content = client.files.content("file-1")
    assert type(content) is FileBytes
    assert content == service.content == content.content == content.read() == content.read()


def test_bytes__are_plain_bytes_in_every_way() -> None:
    content = FileBytes(DATA)
    assert isinstance(content, bytes)
    assert content == DATA
    assert hash(content) == hash(DATA)
    assert repr(content) == repr(DATA)
    assert {DATA: 1}[content] == 1
    again = pickle.loads(pickle.dumps(content))
    assert (again, type(again)) == (DATA, FileBytes)
    assert type(content[1:] + b"x") is bytes
    assert not hasattr(content, "__dict__")


def test_text__is_utf_8_as_far_as_it_goes() -> None:
    assert FileBytes(DATA).text == DATA.decode()
    assert FileBytes(b"a\xff\xe9").text == "a\ufffd\ufffd"


def test_json__is_one_document() -> None:
    assert FileBytes(b'{"a": 1.5}').json() == {"a": 1.5}
    assert FileBytes(b'{"a": 1.5}').json(parse_float=str) == {"a": "1.5"}
    with pytest.raises(ValueError, match="Extra data"):
        FileBytes(b"{}\n{}").json()


def test_iter__in_blocks_and_lines() -> None:
    content = FileBytes(DATA)
    assert list(content.iter_bytes()) == [DATA]
    assert list(content.iter_bytes(10)) == [DATA[:10], DATA[10:20], DATA[20:]]
    assert list(FileBytes(b"").iter_bytes()) == []
    assert list(content.iter_lines()) == ['step,"Verlust é"', "1,0.5"]
    assert list(FileBytes('"a\u2028b"\n'.encode()).iter_lines()) == ['"a\u2028b"']


def test_write__replaces_a_file(tmp_path: Path) -> None:
    target = tmp_path / "result.csv"
    for path in (target, str(target)):
        target.write_bytes(b"before")
        FileBytes(DATA).write_to_file(path)
        assert target.read_bytes() == DATA
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("path", [None, "", 7])
def test_write__to_what_is_not_a_path(path: Any) -> None:
    with pytest.raises(RequestError, match=r"^file must be a path, not "):
        FileBytes(DATA).write_to_file(path)
