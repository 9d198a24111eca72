from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.support.local_api import BASE, LocalApi

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def form(size: int) -> tuple[dict[str, str], Iterator[bytes], int]:
    head = (
        b'--BB\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nfine-tune\r\n'
        b'--BB\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    )
    tail = b"\r\n--BB--\r\n"
    blocks = iter((head, *([b"x" * 1000] * (size // 1000)), tail))
    return {"Content-Type": "multipart/form-data; boundary=BB"}, blocks, len(head + tail) + size


@pytest.mark.parametrize("sized", [True, False])
def test_adapter__streams_bodies(api: LocalApi, *, sized: bool) -> None:
    headers, blocks, length = form(300_000)
    if sized:
        headers["Content-Length"] = str(length)
    request = requests.Request("POST", f"{BASE}/files", data=blocks, headers=headers).prepare()
    if sized:
        del request.headers["Transfer-Encoding"]
    answer = api.session.send(request)
    assert answer.json()["bytes"] == 300_000
    with api.session.get(f"{BASE}/files/{answer.json()['id']}/content", stream=True) as got:
        first = got.raw.read(10)
        assert first == b"x" * 10
        assert sum(len(block) for block in got.raw.stream(5000)) == 299_990
        assert got.raw.read(1) == b""


def test_adapter__raises_what_the_body_raised(api: LocalApi) -> None:
    class NoMoreError(Exception):
        pass

    def body() -> Iterator[bytes]:
        yield b"--BB\r\n"
        raise NoMoreError

    headers = {"Content-Type": "multipart/form-data; boundary=BB"}
    with pytest.raises(NoMoreError):
        api.session.post(f"{BASE}/files", data=body(), headers=headers)
    assert api.ok("GET", "/files")["data"] == []


def test_adapter__a_body_that_ends_early_is_refused(api: LocalApi) -> None:
    headers, blocks, length = form(5000)
    headers["Content-Length"] = str(length + 10)
    request = requests.Request("POST", f"{BASE}/files", data=blocks, headers=headers).prepare()
    del request.headers["Transfer-Encoding"]
    assert api.session.send(request).status_code == 400
    assert api.ok("GET", "/files")["data"] == []


@pytest.mark.parametrize("kind", ["file", "bytes", "text"])
def test_adapter__takes_every_kind_of_body(api: LocalApi, tmp_path: Path, kind: str) -> None:
    # With urllib3 1.26, requests itself counts the characters of text, not its bytes.
    name = "e" if kind == "text" else "é"
    text = f'{{"grader": {{"type": "string_check", "name": "{name}", "input": "", "reference": "", '
    text += '"operation": "eq"}}'
    path = tmp_path / "body.json"
    path.write_text(text, encoding="utf-8")
    headers = {"Content-Type": "application/json"}
    with path.open("rb") as file:
        bodies: dict[str, Any] = {"file": file, "bytes": text.encode(), "text": text}
        url = "/fine_tuning/alpha/graders/validate"
        answer = api.ok("POST", url, data=bodies[kind], headers=headers)
    assert answer["grader"]["name"] == name
