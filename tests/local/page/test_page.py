"""The page in a real browser, which also holds it against its own content security policy."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from finetune_client.local import LocalServer, running
from tests.support.browser import ENTER, TAB, Browser, browser_is_there, open_browser
from tests.support.gated_trainer import GatedTrainer
from tests.support.local_api import LocalApi, chat_lines, jsonl

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.skipif(not browser_is_there(), reason="needs chromium and chromedriver"),
    pytest.mark.usefixtures("impatient"),
]
SCRIPT_NAME = "<img src=x onerror=alert(1)>.jsonl"
LINES = jsonl(chat_lines(12))


@pytest.fixture(scope="module")
def one_browser() -> Iterator[Browser]:
    # Removed with what a browser still writes while it ends.
    kept = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    with kept as directory, open_browser(Path(directory)) as browser:
        yield browser


@pytest.fixture
def browser(one_browser: Browser) -> Iterator[Browser]:
    """A browser; whatever its console says against the page is an error."""
    one_browser.resize(1200, 900)
    yield one_browser
    problems = one_browser.problems()
    one_browser.go("about:blank")
    assert problems == []


@pytest.fixture
def trainer() -> GatedTrainer:
    return GatedTrainer(6)


@pytest.fixture
def api(trainer: GatedTrainer) -> Iterator[LocalApi]:
    """A server on a port, whose steps the test lets pass."""
    opened = LocalServer(trainer=trainer)
    with opened as server, running(server) as base, requests.Session() as session:
        session.trust_env = False
        session.headers["Authorization"] = "Bearer local"
        yield LocalApi(session, base)


def page_of(api: LocalApi, job_id: str = "") -> str:
    root = api.base.removesuffix("/v1")
    return f"{root}/#job={job_id}" if job_id else f"{root}/"


def started(api: LocalApi, **body: Any) -> str:
    """Create a job, and wait until it is trained."""
    job_id: str = api.create(training_file=api.upload(LINES), **body)["id"]
    api.job(job_id, until=("running",))
    return job_id


def test_page__shows_a_job_as_it_trains(
    browser: Browser, api: LocalApi, trainer: GatedTrainer
) -> None:
    job_id = started(api, suffix="first")
    browser.go(page_of(api))
    browser.wait_for_text("#job-rows", "first")
    browser.wait_for_text("#job-rows .status", "running")
    assert browser.text("#job-title") == "No job is chosen"

    browser.click("#job-rows a")
    browser.wait_for_text("#job-title", "Job first")
    browser.wait_for_text("#no-curve", "There is no step yet.")
    trainer.let(2)
    browser.wait_for_text("#events", "Step 2/6: training loss=0.50")
    browser.wait_for_text("#newest", "Step 2: train_loss 0.5")
    browser.wait_for_text("#checkpoint-rows", "ckpt-step-2")
    label = "return document.querySelector('#curve svg').getAttribute('aria-label')"
    browser.wait(lambda: browser.run(label) == "train_loss by step")
    drawn = "return [...document.querySelectorAll('#curve text')].map((one) => one.textContent)"
    assert {"loss", "step", "epoch", "train_loss"} <= set(browser.run(drawn))
    assert browser.run("return document.getElementById('job-progress').value") == 2 / 6
    assert not browser.is_shown("#use")

    trainer.let(4)
    browser.wait_for_text("#job-status", "succeeded")
    browser.wait_for_text("#events", "The job has successfully completed")
    assert browser.text("#announcement") == "Job first: succeeded"
    model = api.job(job_id)["fine_tuned_model"]
    assert browser.text("#model-name") == model
    assert f'model="{model}"' in browser.text("#use-python")
    assert api.base in browser.text("#use-curl")
    assert not browser.is_shown("#cancel")
    browser.wait_for_text("#model", model)


def test_page__pauses_resumes_and_cancels(
    browser: Browser, api: LocalApi, trainer: GatedTrainer
) -> None:
    job_id = started(api)
    browser.go(page_of(api, job_id))
    browser.wait(lambda: browser.is_shown("#pause"))
    browser.click("#pause")
    while trainer.next() != "stop":
        pass
    trainer.let(1)
    browser.wait(lambda: browser.is_shown("#resume"))
    assert api.job(job_id)["status"] == "paused"
    browser.click("#resume")
    browser.wait_for_text("#job-status", "running")

    browser.click("#cancel")
    browser.wait(lambda: browser.is_shown("#confirm"))
    browser.click("#confirm button[value=keep]")
    browser.wait(lambda: not browser.is_shown("#confirm"))
    assert api.job(job_id)["status"] == "running"
    browser.click("#cancel")
    browser.click("#confirm button[value=cancel]")
    browser.wait_for_text("#job-status", "cancelled")
    assert api.job(job_id)["status"] == "cancelled"
    assert browser.focused() == "job-title"


def test_page__shows_names_and_messages_as_text(
    browser: Browser, api: LocalApi, trainer: GatedTrainer, tmp_path: Path
) -> None:
    path = tmp_path / SCRIPT_NAME
    path.write_text(LINES, encoding="utf-8")
    browser.go(page_of(api))
    browser.wait(lambda: browser.is_shown("#start"))
    browser.type("#training-upload", str(path))
    browser.type("#suffix", "<b onclick=alert(2)>")
    browser.click("#start")
    browser.wait_for_text("#job-title", "Job <b onclick=alert(2)>")
    browser.wait_for_text("#facts", SCRIPT_NAME)
    assert SCRIPT_NAME in browser.text("#training-file")
    trainer.let(6)
    browser.wait_for_text("#model-name", "<b onclick=alert(2)>")
    browser.wait_for_text("#events", "New fine-tuned model created: ft:tiny:local:<b onclick")
    assert browser.run("return document.querySelectorAll('img, b, script:not([src])').length") == 0


def test_page__shows_a_job_of_the_address_that_does_not_exist_as_text(
    browser: Browser, api: LocalApi
) -> None:
    browser.go(page_of(api, "<img src=x onerror=alert(1)>"))
    browser.wait_for_text("#job-title", "No such job")
    assert browser.text("#job-hint") == ("Could not find fine tune: <img src=x onerror=alert(1)>")
    assert browser.run("return document.images.length") == 0
    assert all("404" in said for said in browser.problems())


def test_page__uploads_files_and_starts_a_job(
    browser: Browser, api: LocalApi, tmp_path: Path
) -> None:
    path = tmp_path / "valid.jsonl"
    path.write_text(jsonl(chat_lines(3, first=50)), encoding="utf-8")
    file_id = api.upload(LINES, "train.jsonl")
    browser.go(page_of(api))
    browser.wait_for_text("#training-file", "train.jsonl")
    choose = "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('change'))"
    script = f"((...given) => {{ {choose.replace('arguments', 'given')} }})"
    for role, value in (("training", file_id), ("validation", "upload")):
        field = f"document.getElementById('{role}-file')"
        browser.run(f"{script}({field}, arguments[0])", value)
    assert not browser.is_shown("#training-upload")
    browser.type("#validation-upload", str(path))
    browser.type("#epochs", "4")
    browser.click("#start")
    browser.wait_for_text("#facts", "valid.jsonl")
    [job] = api.ok("GET", "/fine_tuning/jobs")["data"]
    assert job["training_file"] == file_id
    valid = api.ok("GET", f"/files/{job['validation_file']}")
    assert (valid["filename"], valid["bytes"]) == ("valid.jsonl", path.stat().st_size)
    told = api.events(job["id"])[0]["message"]
    assert told == f"Created fine-tuning job: {job['id']}"
    assert browser.run("return location.hash") == f"#job={job['id']}"


def test_page__says_why_a_job_is_refused_and_why_it_failed(
    browser: Browser, api: LocalApi, tmp_path: Path
) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text('{"messages": "<i>"}\n' * 12, encoding="utf-8")
    browser.go(page_of(api))
    browser.wait(lambda: browser.is_shown("#start"))
    browser.type("#training-upload", str(path))
    browser.click("#start")
    browser.wait_for_text("#job-status", "failed")
    [job] = api.ok("GET", "/fine_tuning/jobs")["data"]
    assert browser.text("#job-error") == f"{job['error']['message']} (training_file)"

    for file in api.ok("GET", "/files")["data"]:
        api.ok("DELETE", f"/files/{file['id']}")
    browser.click("#start")
    browser.wait_for_text("#new-problem", f"No such File object: {job['training_file']}")
    assert browser.focused() == "start"
    assert "404" in "".join(browser.problems())


def test_page__can_be_used_with_the_keyboard_alone(
    browser: Browser, api: LocalApi, trainer: GatedTrainer
) -> None:
    job_id = started(api, suffix="first")
    browser.go(page_of(api))
    browser.wait_for_text("#job-rows", "first")
    browser.tab_to("first")
    browser.press(ENTER)
    browser.wait_for_text("#job-status", "running")
    assert browser.focused() == "job-title"
    browser.tab_to("cancel")
    trainer.let(2)
    browser.wait_for_text("#events", "Step 2/6")
    assert browser.focused() == "cancel"  # the refresh has left it there
    browser.press(ENTER)
    browser.wait(lambda: browser.is_shown("#confirm"))
    assert browser.focused() == "Keep it running"
    browser.press(TAB, ENTER)
    browser.wait_for_text("#job-status", "cancelled")
    assert api.job(job_id)["status"] == "cancelled"
    for wanted in ("model", "training-upload", "epochs", "start"):
        browser.tab_to(wanted)


def test_page__names_everything_for_a_screen_reader(
    browser: Browser, api: LocalApi, trainer: GatedTrainer
) -> None:
    trainer.let(1)
    browser.go(page_of(api, started(api)))
    browser.wait(lambda: browser.is_shown("#curve svg"))
    nodes = browser.devtools("Accessibility.getFullAXTree")["nodes"]
    roles = {"button", "link", "textbox", "combobox", "spinbutton", "progressbar", "table"}
    named = [
        (role, node["name"]["value"])
        for node in nodes
        if not node["ignored"] and (role := node["role"]["value"]) in roles | {"region", "image"}
    ]
    assert {role for role, _ in named} >= roles - {"progressbar", "table"}
    assert [role for role, name in named if not name.strip()] == []
    live = [node for node in nodes if node["role"]["value"] == "status"]
    assert len(live) == 2


def test_page__refuses_to_read_a_text_as_html(browser: Browser, api: LocalApi) -> None:
    browser.go(page_of(api))
    write = "try { document.body.innerHTML = '<b>'; return 'done' } catch (e) { return e.name }"
    assert browser.run(write) == "TypeError"
    assert any("TrustedHTML" in said for said in browser.problems())


def with_a_key(server: LocalServer, key: str) -> None:
    """Have a server refuse every other key, as one does that checks them."""
    app: Any = server.app

    def checked() -> Any:
        from flask import request

        given = request.headers.get("Authorization")
        if request.path.startswith("/v1") and given != f"Bearer {key}":
            return {"error": {"message": "Incorrect API key <b>provided</b>."}}, 401
        return None

    app.before_request(checked)


def test_page__asks_for_a_key_where_one_is_checked(browser: Browser) -> None:
    with LocalServer() as server:
        with_a_key(server, "right-key")
        with running(server) as base:
            root = base.removesuffix("/v1")
            browser.go(f"{root}/")
            browser.wait(lambda: browser.is_shown("#key-form"))
            assert not browser.is_shown("#main")
            browser.wait(lambda: browser.focused() == "key")
            browser.type("#key", f"wrong-key{ENTER}")
            browser.wait_for_text("#key-reason", "Incorrect API key <b>provided</b>.")
            browser.type("#key", f"right-key{ENTER}")
            browser.wait(lambda: browser.is_shown("#main"))
            browser.wait_for_text("#connection", "Live")
            assert browser.run("return document.cookie + location.href") == f"{root}/"
            assert browser.run("return [localStorage.length, sessionStorage.length]") == [0, 1]

            browser.go(f"{root}/#reload")
            browser.command("POST", "/refresh")
            browser.wait_for_text("#connection", "Live")
            browser.click("#forget-key")
            browser.wait(lambda: browser.is_shown("#key-form"))
            assert browser.run("return sessionStorage.length") == 0
    problems = browser.problems()
    assert [said for said in problems if "401" not in said] == []


def test_page__survives_a_server_that_is_away(browser: Browser) -> None:
    with LocalServer() as server:
        with running(server) as base:
            port = int(base.removesuffix("/v1").rsplit(":", 1)[1])
            browser.go(base.removesuffix("v1"))
            browser.wait_for_text("#connection", "Live")
        browser.wait_for_text("#connection", "The server does not answer. Trying again …")
        with running(server, port=port):
            browser.wait(lambda: browser.text("#connection") == "Live")
    assert all("ERR_CONNECTION" in said for said in browser.problems())


@pytest.mark.parametrize("width", [320, 400, 1200])
def test_page__is_never_wider_than_the_window(
    browser: Browser, api: LocalApi, trainer: GatedTrainer, width: int
) -> None:
    trainer.let(2)
    job_id = started(api, suffix="a-name-without-a-place-to-break-" * 2)
    browser.resize(width, 900)
    browser.go(page_of(api, job_id))
    browser.wait(lambda: browser.is_shown("#curve svg"))
    widest = "return document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    assert browser.run(widest)
