"""A running appliance and a browser to look at it with."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from tests.browser.visit import ADMIN_KEY, Visit

BROWSERS = ("/usr/bin/chromium-headless-shell", "/usr/bin/chromium")
READY_WITHIN_S = 60.0


def _browser_path() -> str:
    for path in BROWSERS:
        if Path(path).exists():
            return path
    reason = "no chromium-headless-shell; apt-get install chromium-headless-shell"
    # A build machine without a browser would otherwise be green without having looked.
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = _browser_path()
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=path,
            args=["--disable-dev-shm-usage", "--font-render-hinting=none", "--no-sandbox"],
        )
        yield launched
        launched.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _health(url: str) -> dict[str, Any] | None:
    try:
        with urllib.request.urlopen(f"{url}/health/ready", timeout=2) as response:
            return dict(json.load(response))
    except (OSError, urllib.error.URLError):
        return None


def _is_up(report: dict[str, Any] | None) -> bool:
    """Ready, and the demo's history written."""
    return report is not None and not any(p["state"] == "seeding" for p in report["parts"])


@contextmanager
def served(folder: Path, *arguments: str, port: int | None = None) -> Iterator[str]:
    """Run the appliance on a port, a free one unless told, until the block ends."""
    port = port or _free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "appliance", "serve", "--port", str(port)]
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--data-dir", str(folder / "data"), *arguments],
            env={**os.environ, "API_KEYS": f"{ADMIN_KEY}:admin", "VERIFY_INTERVAL": "0"},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + READY_WITHIN_S
        while not _is_up(_health(url)):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="session")
def server(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an appliance with the demo market; needs the browser, to be skipped first."""
    with served(tmp_path_factory.mktemp("demo"), "--demo") as url:
        yield url


@pytest.fixture(scope="session")
def empty_server(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an appliance without a single trade."""
    with served(tmp_path_factory.mktemp("empty"), "--no-demo") as url:
        yield url


@contextmanager
def _visiting(context: BrowserContext) -> Iterator[Visit]:
    visit = Visit(context.new_page())
    try:
        yield visit
        assert [] == visit.complaints
        assert [] == visit.foreign
    finally:
        context.close()


@pytest.fixture
def visit(browser: Browser, server: str) -> Iterator[Visit]:
    """A reader at a desk. Any console error, policy violation or foreign request fails the test."""
    context = browser.new_context(
        base_url=server, viewport={"width": 1440, "height": 900}, color_scheme="dark"
    )
    with _visiting(context) as reader:
        yield reader


@pytest.fixture
def phone(browser: Browser, server: str) -> Iterator[Visit]:
    """A reader on a phone."""
    context = browser.new_context(
        base_url=server,
        viewport={"width": 390, "height": 844},
        is_mobile=True,
        has_touch=True,
        color_scheme="dark",
    )
    with _visiting(context) as reader:
        yield reader


@pytest.fixture
def empty_visit(browser: Browser, empty_server: str) -> Iterator[Visit]:
    """A reader of an appliance that has no trades."""
    with _visiting(browser.new_context(base_url=empty_server, color_scheme="dark")) as reader:
        yield reader
