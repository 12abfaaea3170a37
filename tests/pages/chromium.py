"""Debian's Chromium, driven through its debugging pipe: no port, no driver, no library."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
_PATIENCE = 60.0


class Browser:
    """One browser with one page."""

    def __init__(self) -> None:
        self._profile = tempfile.mkdtemp(prefix="assaymark-chromium-")
        to_read, self._write = os.pipe()
        self._read, to_write = os.pipe()
        words = [
            PROGRAM,
            "--headless=new",
            "--remote-debugging-pipe",
            f"--user-data-dir={self._profile}",
            "--no-first-run",
            "--disable-gpu",
        ]
        words += ["--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update", "about:blank"]
        if os.geteuid() == 0:
            words.insert(1, "--no-sandbox")

        def arrange() -> None:  # the browser reads its orders from 3 and answers on 4
            source, target = os.dup(to_read), os.dup(to_write)
            os.dup2(source, 3)
            os.dup2(target, 4)

        self._process = subprocess.Popen(
            words,
            preexec_fn=arrange,  # noqa: PLW1509 - the tests have no thread of their own here
            close_fds=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_read)
        os.close(to_write)
        self._buffer, self._number = b"", 0
        self.told: list[dict[str, Any]] = []
        """Events of the page, e.g. what its policy refused."""
        self._session = ""
        page = next(each for each in self.ask("Target.getTargets")["targetInfos"] if each["type"] == "page")
        self._session = self.ask("Target.attachToTarget", targetId=page["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **given: Any) -> dict[str, Any]:
        """One order; gives its answer."""
        self._number += 1
        order: dict[str, Any] = {"id": self._number, "method": method, "params": given}
        if self._session:
            order["sessionId"] = self._session
        os.write(self._write, json.dumps(order).encode() + b"\0")
        number = self._number
        while True:
            told = self._hear()
            if told.get("id") == number:
                assert "error" not in told, (method, told["error"])
                answer: dict[str, Any] = told["result"]
                return answer
            if "method" in told:
                self.told.append(told)

    def _hear(self) -> dict[str, Any]:
        deadline = time.monotonic() + _PATIENCE
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, "the browser does not answer"
            chunk = os.read(self._read, 1 << 20)
            assert chunk, "the browser ended"
            self._buffer += chunk
        message, _, self._buffer = self._buffer.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        return found

    def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        answer = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, script: str, seconds: float = 30) -> Any:
        """Until the expression holds; what it gave."""
        deadline = time.monotonic() + seconds
        found: Any = None
        while time.monotonic() < deadline:
            try:
                found = self.run(f"document.readyState === 'complete' && !!({script})")
            except AssertionError as error:  # the page was left in this very moment
                if "navigated or closed" not in str(error):
                    raise
                found = None
            if found:
                return found
            time.sleep(0.1)
        raise AssertionError(f"{script} did not come to hold: {self.text()[:2000]}")

    def open(self, url: str) -> None:
        """Go there, and wait until it is loaded."""
        self.run("window.assayLeft = true")
        self.ask("Page.navigate", url=url)
        self.wait("!window.assayLeft && location.href !== 'about:blank'")

    def source(self, awaited: str, seconds: float = 30) -> str:
        """The document, once it holds these words and its end; for pages whose scripts are off."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with suppress(AssertionError):  # the node of a page that was left
                root = self.ask("DOM.getDocument", depth=0)["root"]["nodeId"]
                found = self.ask("DOM.getOuterHTML", nodeId=root)["outerHTML"]
                if awaited in found and "</footer>" in found:  # the title comes long before the rest
                    return str(found)
            time.sleep(0.1)
        raise AssertionError(f"{awaited!r} did not come")

    def text(self) -> str:
        """What a reader sees."""
        return str(self.run("document.body ? document.body.innerText : ''"))

    def fill(self, **values: str) -> None:
        """Type into fields by their names."""
        for name, value in values.items():
            self.run(f"document.querySelector('[name={name}]').focus()")
            self.run(f"document.querySelector('[name={name}]').select && document.querySelector('[name={name}]').select()")
            self.ask("Input.insertText", text=value)

    def press(self, key: str, code: int = 0) -> None:
        """A key of the keyboard."""
        text = "\r" if key == "Enter" else ""
        for kind in ("keyDown", "keyUp"):
            self.ask(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, text=text if kind == "keyDown" else ""
            )

    def picture(self, file: Path) -> None:
        """Keep what it looks like."""
        file.write_bytes(base64.b64decode(self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=True)["data"]))

    def violations(self) -> list[str]:
        """What the page's security policy refused, and errors of its scripts."""
        said = [each["params"]["entry"]["text"] for each in self.told if each["method"] == "Log.entryAdded"]
        return [text for text in said if "Content Security Policy" in text or "integrity" in text] + [
            str(each["params"]) for each in self.told if each["method"] == "Runtime.exceptionThrown"
        ]

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._write)
        os.close(self._read)
        shutil.rmtree(self._profile, ignore_errors=True)
