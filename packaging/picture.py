"""Take the README's picture, `docs/dashboard.png`, from the real page with the demo's markets."""

import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from playwright.sync_api import sync_playwright

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "dashboard.png"
BROWSER = "/usr/bin/chromium-headless-shell"
ARGUMENTS = ["--disable-dev-shm-usage", "--font-render-hinting=none", "--no-sandbox"]
SEEDED = b'"name":"demo","state":"live"'
MOVED_MS = 20_000
"""Long enough for some live bars and a full tape."""


def main() -> None:
    """Start a server, wait until the demo is seeded, take the picture, stop."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "appliance", "serve", "--demo"]
        server = subprocess.Popen([*command, "--port", str(port), "--data-dir", folder])
        try:
            _wait(f"http://127.0.0.1:{port}/health/ready")
            _take(f"http://127.0.0.1:{port}/?symbol=BTC&interval=5m")
        finally:
            server.terminate()
            server.wait()


def _wait(url: str) -> None:
    for _ in range(120):
        try:
            with urlopen(url, timeout=5) as answer:  # noqa: S310 - our own server
                if SEEDED in answer.read():
                    return
        except (URLError, ConnectionError):
            pass
        time.sleep(0.5)
    raise SystemExit("the demo was not seeded within a minute")


def _take(url: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1440, "height": 900}, color_scheme="dark")
        page.goto(url)
        page.wait_for_timeout(MOVED_MS)
        page.screenshot(path=PICTURE)
        browser.close()


if __name__ == "__main__":
    main()
