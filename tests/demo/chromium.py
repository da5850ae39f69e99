"""A headless Chromium, told what to do over its DevTools pipe: no driver, no package."""

import contextlib
import itertools
import json
import os
import pathlib
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from typing import Any

PROGRAM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
# Of a machine that does other things too.
_SECONDS = 60.0


class Page:
    """One open page: JavaScript is run in it, keys are typed into it."""

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._to, self._from = to_browser, from_browser
        self._ids = itertools.count(1)
        self._unread = b""
        self._session: dict[str, str] = {}
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = {"sessionId": attached["sessionId"]}

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A command of the DevTools protocol, and its result."""
        number = next(self._ids)
        command = {"id": number, "method": method, "params": parameters, **self._session}
        os.write(self._to, json.dumps(command).encode() + b"\0")
        deadline = time.monotonic() + _SECONDS
        while True:
            answer = self._read(deadline)
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return answer["result"]

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression, a promise's when it is there."""
        answer = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait_for(self, script: str) -> Any:
        """The value of an expression as soon as it is true."""
        deadline = time.monotonic() + _SECONDS
        while not (value := self.run(script)):
            assert time.monotonic() < deadline, f"{script} did not come true"
            time.sleep(0.05)
        return value

    def type_into(self, selector: str, text: str) -> None:
        """Replaces what a field holds, as by the keyboard."""
        self.run(f"document.querySelector({json.dumps(selector)}).select()")
        self.call("Input.insertText", text=text)

    def _read(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._unread:
            ready, _, _ = select.select([self._from], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, "Chromium does not answer"
            part = os.read(self._from, 1 << 16)
            assert part, "Chromium ended"
            self._unread += part
        message, _, self._unread = self._unread.partition(b"\0")
        return json.loads(message)


@contextlib.contextmanager
def open_page(profile: pathlib.Path) -> Iterator[Page]:
    """Starts Chromium with a fresh profile, and ends it."""
    # It reads commands from descriptor 3 and writes answers to 4.
    their_in, our_out = os.pipe()
    our_in, their_out = os.pipe()
    command = [
        *("bash", "-c", f'exec "$@" 3<&{their_in} 4>&{their_out}', "chromium"),
        *(PROGRAM, "--headless=new", "--remote-debugging-pipe", "--no-sandbox"),
        *("--disable-gpu", "--no-first-run", "--disable-extensions", "--hide-scrollbars"),
        f"--user-data-dir={profile}",
    ]
    browser = subprocess.Popen(
        command,
        pass_fds=(their_in, their_out),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(their_in)
    os.close(their_out)
    try:
        yield Page(our_out, our_in)
    finally:
        browser.terminate()
        browser.wait(_SECONDS)
        os.close(our_out)
        os.close(our_in)
