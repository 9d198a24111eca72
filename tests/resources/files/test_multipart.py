from __future__ import annotations

import io

import pytest
from hypothesis import given, settings, strategies as st
from werkzeug.formparser import parse_form_data

from finetune_client.errors import RequestError
from finetune_client.resources.files.multipart import Multipart
from finetune_client.resources.files.progress import ignore_progress
from finetune_client.resources.files.sources import BLOCK_SIZE, open_source


def _parsed(body: Multipart) -> tuple[list[tuple[str, str]], str, str | None, bytes]:
    """Read a body with a server's parser, which shares no code with ours."""
    whole = b"".join(body)
    assert len(whole) == len(body)
    environ = {
        "REQUEST_METHOD": "POST",
        "CONTENT_TYPE": body.content_type,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(whole),
    }
    _, form, files = parse_form_data(environ)
    (field, file) = next(iter(files.items()))
    with file.stream as stream:
        return list(form.items()), field, file.filename, stream.read()


def test_multipart__the_parts_stand_on_the_wire_as_the_official_client_sends_them() -> None:
    fields = [
        ("purpose", "fine-tune"),
        ("expires_after[anchor]", "created_at"),
        ("expires_after[seconds]", "3600"),
    ]
    with open_source(b'{"a": 1}\n') as source:
        body = Multipart(
            fields, name="file", content=source, filename="train.jsonl", on_progress=ignore_progress
        )
        boundary = body.content_type.removeprefix("multipart/form-data; boundary=")
        assert (
            b"".join(body)
            == (
                f'--{boundary}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nfine-tune\r\n'
                f'--{boundary}\r\nContent-Disposition: form-data; name="expires_after[anchor]"\r\n\r\n'
                "created_at\r\n"
                f'--{boundary}\r\nContent-Disposition: form-data; name="expires_after[seconds]"\r\n\r\n'
                "3600\r\n"
                f'--{boundary}\r\nContent-Disposition: form-data; name="file"; '
                'filename="train.jsonl"\r\nContent-Type: application/octet-stream\r\n\r\n'
                '{"a": 1}\n\r\n'
                f"--{boundary}--\r\n"
            ).encode()
        )


def test_multipart__each_iteration_gives_the_whole_body_in_small_blocks() -> None:
    with open_source(b"x" * 500_000) as source:
        body = Multipart(
            [], name="data", content=source, filename="upload", on_progress=ignore_progress
        )
        first, second = list(body), list(body)
    assert first == second
    assert max(map(len, first)) == BLOCK_SIZE


def test_multipart__tells_how_far_it_is_and_begins_again_with_each_try() -> None:
    told: list[tuple[int, int]] = []
    with open_source(b"x" * 150_000) as source:
        body = Multipart(
            [],
            name="data",
            content=source,
            filename="upload",
            on_progress=lambda sent, size: told.append((sent, size)),
        )
        iterator = iter(body)
        next(iterator)
        next(iterator)
        for _ in body:
            pass
    whole = [(0, 150_000), (65_536, 150_000), (131_072, 150_000), (150_000, 150_000)]
    assert told == [(0, 150_000), *whole]


def test_multipart__names_of_any_language_arrive_and_stay_in_their_place() -> None:
    names = {
        "données d'entraînement.jsonl": "données d'entraînement.jsonl",
        "训练 🎓.jsonl": "训练 🎓.jsonl",
        'a"; filename="b.jsonl': 'a"; filename="b.jsonl',
        "a\r\nX-Evil: 1\r\n\r\nb": "a%0D%0AX-Evil: 1%0D%0A%0D%0Ab",
        "a\x00b": "a%00b",
        "C:\\data\\": "C:\\data\\",
        '\\"': '\\"',
        "a\udcffb": "a?b",
    }
    with open_source(b"content") as source:
        for name, expected in names.items():
            body = Multipart(
                [("purpose", "é")],
                name="file",
                content=source,
                filename=name,
                on_progress=ignore_progress,
            )
            assert _parsed(body) == ([("purpose", "é")], "file", expected, b"content")


@settings(max_examples=30, deadline=None)
@given(content=st.binary(min_size=1, max_size=140_000), name=st.text(min_size=1, max_size=40))
def test_multipart__any_content_arrives_as_it_is(content: bytes, name: str) -> None:
    with open_source((name, content)) as source:
        body = Multipart(
            [("purpose", "fine-tune")],
            name="file",
            content=source,
            filename=name,
            content_type="text/jsonl",
            on_progress=ignore_progress,
        )
        fields, field, _, arrived = _parsed(body)
    assert (fields, field, arrived) == ([("purpose", "fine-tune")], "file", content)


def test_with_fields__replaces_fields_of_the_same_name_and_adds_the_others() -> None:
    fields = [("purpose", "fine-tune"), ("expires_after[anchor]", "created_at")]
    with open_source(b"x") as source:
        body = Multipart(
            fields, name="file", content=source, filename="a.jsonl", on_progress=ignore_progress
        )
        more = body.with_fields([("expires_after[seconds]", "9"), ("model", "m"), ("tags[]", "a")])
        assert _parsed(more)[0] == [
            ("purpose", "fine-tune"),
            ("expires_after[seconds]", "9"),
            ("model", "m"),
            ("tags[]", "a"),
        ]
        assert _parsed(more)[1:] == ("file", "a.jsonl", b"x")
        assert _parsed(body)[0] == fields
        with pytest.raises(RequestError) as caught:
            body.with_fields([("file", "other")])
    assert caught.value.message == "extra_body cannot replace the field 'file': it is the file."
