"""A real browser without a window: chromedriver's WebDriver protocol, spoken with plain requests.

https://www.w3.org/TR/webdriver2
"""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["ENTER", "TAB", "Browser", "browser_is_there", "open_browser"]

ENTER, TAB = "\ue007", "\ue004"
_SECONDS = 20.0
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


def browser_is_there() -> bool:
    """Whether Chromium and its driver are installed."""
    return bool(shutil.which("chromedriver") and (shutil.which("chromium") or chrome()))


def chrome() -> str | None:
    """The path of a Chrome that is not called chromium."""
    return shutil.which("google-chrome") or shutil.which("chromium-browser")


class Browser:
    """One tab of a browser."""

    def __init__(self, session: requests.Session, url: str) -> None:
        self._session = session
        self._url = url

    def command(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Send a command, and give its value."""
        answer = self._session.request(
            method, self._url + path, json=body if method == "GET" else body or {}, timeout=60
        )
        value = answer.json()["value"]
        assert answer.status_code == 200, value
        return value

    def go(self, url: str) -> None:
        self.command("POST", "/url", {"url": url})

    def run(self, script: str, *values: object) -> Any:
        """Run the body of a function in the page, with ``arguments``."""
        return self.command("POST", "/execute/sync", {"script": script, "args": list(values)})

    def text(self, selector: str) -> str:
        """The text that is shown of the first element, or nothing."""
        one = "document.querySelector(arguments[0])"
        script = f"return {one}?.innerText ?? {one}?.textContent ?? ''"  # SVG has only the latter
        text: str = self.run(script, selector)
        return text

    def is_shown(self, selector: str) -> bool:
        script = "return Boolean(document.querySelector(arguments[0])?.checkVisibility())"
        return bool(self.run(script, selector))

    def wait(self, condition: Callable[[], Any], what: str = "") -> Any:
        """Wait until a condition holds, and give its value."""
        deadline = time.monotonic() + _SECONDS
        while not (value := condition()):
            assert time.monotonic() < deadline, what or self.text("body")
            time.sleep(0.05)
        return value

    def wait_for_text(self, selector: str, part: str) -> None:
        self.wait(lambda: part in self.text(selector), f"{part!r} in {selector}")

    def _element(self, selector: str) -> str:
        found = {"using": "css selector", "value": selector}
        element: str = self.command("POST", "/element", found)[_ELEMENT]
        return element

    def click(self, selector: str) -> None:
        """Click where a pointer can: what is covered or hidden is an error."""
        self.command("POST", f"/element/{self._element(selector)}/click")

    def type(self, selector: str, text: str) -> None:
        """Type into a field; a path into one for files."""
        self.command("POST", f"/element/{self._element(selector)}/value", {"text": text})

    def press(self, *keys: str) -> None:
        """Press keys where the focus is."""
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        keyboard = {"type": "key", "id": "keyboard", "actions": actions}
        self.command("POST", "/actions", {"actions": [keyboard]})

    def focused(self) -> str:
        """The id of the element that has the focus, or its text."""
        script = "const one = document.activeElement; return one.id || one.textContent"
        focused: str = self.run(script)
        return focused

    def tab_to(self, wanted: str) -> None:
        """Press Tab until an element with this id, or this text, has the focus."""
        for _ in range(60):
            if self.focused() == wanted:
                return
            self.press(TAB)
        raise AssertionError(f"Tab does not lead to {wanted!r}")

    def resize(self, width: int, height: int, *, scale: float = 1) -> None:
        """Make the page so large, in CSS pixels; a screenshot has ``scale`` times as many."""
        size = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": False}
        self.devtools("Emulation.setDeviceMetricsOverride", **size)

    def devtools(self, name: str, **parameters: object) -> Any:
        """Send a command of the DevTools protocol."""
        body = {"cmd": name, "params": parameters}
        return self.command("POST", "/goog/cdp/execute", body)

    def problems(self) -> list[str]:
        """What the console has said since the last call: errors, refusals of the policy."""
        rows = self.command("POST", "/se/log", {"type": "browser"})
        return [row["message"] for row in rows if row["level"] in {"SEVERE", "WARNING"}]

    def screenshot(self, path: Path) -> None:
        picture = self.devtools("Page.captureScreenshot", format="png")["data"]
        path.write_bytes(base64.b64decode(picture))


@contextmanager
def _driver(log: Path) -> Iterator[str]:
    """Start chromedriver; the value is its URL."""
    with log.open("w+b") as said:
        driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=said, stderr=said)
        try:
            deadline = time.monotonic() + _SECONDS
            while not (port := re.search(rb"on port (\d+)\.", log.read_bytes())):
                assert driver.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
            yield f"http://127.0.0.1:{port[1].decode()}"
        finally:
            driver.terminate()
            driver.wait(_SECONDS)


@contextmanager
def open_browser(directory: Path) -> Iterator[Browser]:
    """Open a browser that keeps its profile in a directory."""
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    # It is to speak to nobody but the pages that it is sent to.
    flags += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    flags += ["--no-first-run"]
    options: dict[str, Any] = {"args": [*flags, f"--user-data-dir={directory / 'profile'}"]}
    if not shutil.which("chromium"):
        options["binary"] = chrome()
    wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
    with _driver(directory / "chromedriver.log") as url, requests.Session() as session:
        session.trust_env = False
        answer = session.post(
            f"{url}/session", json={"capabilities": {"alwaysMatch": wanted}}, timeout=60
        )
        value = answer.json()["value"]
        assert answer.status_code == 200, value
        browser = Browser(session, f"{url}/session/{value['sessionId']}")
        try:
            yield browser
        finally:
            browser.command("DELETE", "")
