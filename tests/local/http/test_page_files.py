from __future__ import annotations

import re
from pathlib import Path

import pytest
import requests

from finetune_client.local.http.page_files import PAGE_FILES
from tests.support.local_api import port_of

PAGE = Path(__file__).parents[3] / "finetune_client" / "local" / "page"


def call(base: str, path: str, method: str = "GET", **headers: str) -> requests.Response:
    return requests.request(method, base.removesuffix("/v1") + path, headers=headers, timeout=10)


@pytest.mark.parametrize("path", PAGE_FILES)
def test_page__loads_without_a_key_and_is_kept_apart(base: str, path: str) -> None:
    name, mimetype = PAGE_FILES[path]
    answer = call(base, path)
    assert (answer.status_code, answer.content) == (200, (PAGE / name).read_bytes())
    assert answer.headers["content-type"].split(";")[0] == mimetype
    policy = dict(
        part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; ")
    )
    assert policy["default-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert "script-src" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-frame-options"] == "DENY"
    assert "set-cookie" not in answer.headers
    assert call(base, path, "HEAD").headers["content-length"] == str(len(answer.content))


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/", {"Host": "evil.example"}, 421),
        ("GET", "/", {"Origin": "https://evil.example"}, 403),
        ("GET", "/ui/page.js", {"Host": "evil.example"}, 421),
        ("POST", "/", {}, 401),
        ("GET", "/ui", {}, 401),
        ("GET", "/ui/", {}, 401),
        ("GET", "/ui/index.html", {}, 401),
        ("GET", "/ui/../server.py", {}, 401),
        ("GET", "/ui/%2e%2e/server.py", {}, 401),
        ("GET", "/ui/jobs/ftjob-1/curve.svg", {}, 401),
        ("GET", "/ui/page.js/../../v1/files", {}, 401),
        ("GET", "/v1/files?/ui/page.js", {}, 401),
    ],
)
def test_page__opens_nothing_else(
    base: str, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    session = requests.Session()
    request = requests.Request(method, base, headers=headers).prepare()
    request.url = base.removesuffix("/v1") + path  # as it stands
    with session:
        assert session.send(request, timeout=10).status_code == status


def test_page__may_call_the_api_of_its_own_origin(base: str) -> None:
    port = port_of(base)
    key = {"Authorization": "Bearer x"}
    assert call(base, "/v1/models", Origin=f"http://127.0.0.1:{port}", **key).status_code == 200
    for origin in (f"http://127.0.0.1:{port + 1}", "http://127.0.0.1", f"http://localhost:{port}"):
        assert call(base, "/v1/models", Origin=origin, **key).status_code == 403


def test_page__has_no_script_or_style_of_its_own_and_asks_nobody_else() -> None:
    text = (PAGE / "index.html").read_text(encoding="utf-8")
    assert re.findall(r"<style|<script>|\son\w+=|\sstyle=", text) == []
    used = re.findall(r'(?:src|href)="([^"]+)"', text)
    assert sorted(used) == sorted(path for path in PAGE_FILES if path != "/")
    for path in PAGE.iterdir():
        urls = re.findall(r"https?://[^\s\"'`)]+", path.read_text(encoding="utf-8"))
        assert [url for url in urls if url != "http://www.w3.org/2000/svg"] == []


def test_page__finds_every_element_that_its_script_names() -> None:
    names = set(re.findall(r'\sid="([^"]+)"', (PAGE / "index.html").read_text(encoding="utf-8")))
    used = set(re.findall(r'byId\("([^"]+)"\)', (PAGE / "page.js").read_text(encoding="utf-8")))
    assert len(used) > 30
    assert used - names == set()
