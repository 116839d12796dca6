"""A real Chromium for tests, driven through the DevTools protocol over a pipe: no driver, no package, no open port."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-extensions", "--disable-component-update", "--disable-sync", "--no-default-browser-check",
    "--hide-scrollbars", "--remote-debugging-pipe",
)  # fmt: skip
SECONDS = 30.0


def find() -> str | None:
    """Returns the path of a Chromium on this machine, or None."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Browser:
    """One page of a browser; `requests` has every address it asked for, `errors` what its scripts complained of."""

    def __init__(self, write: Any, read: Any) -> None:
        self._write, self._read, self._rest = write, read, b""
        self._count = 0
        self.requests: list[str] = []
        self.errors: list[str] = []
        target = self._call("Target.createTarget", {"url": "about:blank"}, None)["targetId"]
        self._session = self._call("Target.attachToTarget", {"targetId": target, "flatten": True}, None)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> Any:
        """Sends a command to the page and returns its result."""
        return self._call(method, parameters, self._session)

    def _call(self, method: str, parameters: dict[str, Any], session: str | None) -> Any:
        self._count += 1
        message = {
            "id": self._count,
            "method": method,
            "params": parameters,
            **({"sessionId": session} if session else {}),
        }
        self._write.write(json.dumps(message).encode() + b"\0")
        self._write.flush()
        while True:
            answer = self._receive()
            if answer.get("id") == self._count:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            part = os.read(self._read.fileno(), 1 << 20)
            assert part, "the browser ended"
            self._rest += part
        message, _, self._rest = self._rest.partition(b"\0")
        event = json.loads(message)
        given = event.get("params", {})
        if event.get("method") == "Network.requestWillBeSent":
            self.requests.append(given["request"]["url"])
        elif event.get("method") == "Runtime.exceptionThrown":
            self.errors.append(
                given["exceptionDetails"].get("text", "") + str(given["exceptionDetails"].get("exception"))
            )
        elif event.get("method") == "Log.entryAdded" and given["entry"]["level"] == "error":
            self.errors.append(given["entry"]["text"])
        elif event.get("method") == "Runtime.consoleAPICalled" and given["type"] == "error":
            self.errors.append(str(given["args"]))
        return event

    def open(self, address: str, width: int = 1200, height: int = 800, dark: bool = False) -> None:
        """Opens an address in a window of that size and colour scheme, and waits until it is loaded."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.navigate", url=address)
        self.wait("document.readyState === 'complete' && location.href !== 'about:blank'")

    def value(self, script: str) -> Any:
        """Returns what a JavaScript expression (or promise) is."""
        found = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait(self, script: str, seconds: float = SECONDS) -> None:
        """Waits until an expression is true."""
        deadline = time.monotonic() + seconds
        while not self.value(script):
            assert time.monotonic() < deadline, f"not true within {seconds:g} s: {script}"
            time.sleep(0.05)

    def type(self, text: str) -> None:
        """Types text where the focus is."""
        self.call("Input.insertText", text=text)

    def press(self, key: str, alt: bool = False, shift: bool = False) -> None:
        """Presses a key, such as Enter, Tab, Escape or KeyN."""
        letter = key.removeprefix("Key").lower() if key.startswith("Key") else key
        codes = {"Enter": 13, "Tab": 9, "Escape": 27, " ": 32}
        event = {
            "key": letter, "code": "Space" if key == " " else key, "modifiers": alt + 8 * shift,
            "windowsVirtualKeyCode": codes.get(key, ord(letter[0].upper())),
        }  # fmt: skip
        text = {"Enter": "\r", " ": " "}.get(key, "")
        self.call("Input.dispatchKeyEvent", type="keyDown", **event, **({"text": text} if text else {}))
        self.call("Input.dispatchKeyEvent", type="keyUp", **event)

    def screenshot(self, path: Path) -> None:
        """Writes a PNG of the window."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def contrast(self, selector: str) -> float:
        """Returns the contrast ratio (WCAG) between an element's text and the background behind it."""
        return self.value(
            """(() => {
              const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
              const linear = (v) => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
              const light = (c) => {
                const [r, g, b] = c.slice(0, 3).map(linear);
                return .2126 * r + .7152 * g + .0722 * b;
              };
              let at = document.querySelector(SELECTOR);
              const ink = rgb(getComputedStyle(at).color);
              let paper = [255, 255, 255];
              for (; at; at = at.parentElement) {
                const c = rgb(getComputedStyle(at).backgroundColor);
                if (c.length < 4 || c[3] > 0) { paper = c; break; }
              }
              const [a, b] = [light(ink), light(paper)].sort((x, y) => y - x);
              return (a + .05) / (b + .05);
            })()""".replace("SELECTOR", json.dumps(selector))
        )


@contextlib.contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """A browser with a new profile in `profile`, ended with the block."""
    program = find()
    assert program, "no Chromium on this machine"
    to_read, to_write = os.pipe()  # our commands
    from_read, from_write = os.pipe()  # its answers

    def place() -> None:  # Chromium reads commands from file descriptor 3 and answers on 4
        os.dup2(to_read, 10)
        os.dup2(from_write, 11)
        os.dup2(10, 3)
        os.dup2(11, 4)

    process = subprocess.Popen(
        [program, *FLAGS, f"--user-data-dir={profile}"],
        preexec_fn=place, close_fds=False,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(to_read)
    os.close(from_write)
    try:
        with os.fdopen(to_write, "wb") as write, os.fdopen(from_read, "rb") as read:
            yield Browser(write, read)
    finally:
        process.kill()
        process.wait(10)
