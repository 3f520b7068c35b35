"""Take the README's pictures in `docs/` from the real page with the demo's markets."""

import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.error import URLError
from urllib.request import urlopen

from playwright.sync_api import Browser, sync_playwright

DOCS = Path(__file__).resolve().parents[1] / "docs"
BROWSER = "/usr/bin/chromium-headless-shell"
ARGUMENTS = ["--disable-dev-shm-usage", "--font-render-hinting=none", "--no-sandbox"]
SEEDED = b'"name":"demo","state":"live"'
MOVED_MS = 20_000
"""Long enough for some live bars and a full tape."""
STUDIES = """localStorage.setItem('chart', JSON.stringify({ studies: [
    { kind: 'ema', values: [50] }, { kind: 'bollinger', values: [20, 2] },
    { kind: 'rsi', values: [14] }, { kind: 'interest', values: [] }] }))"""


@dataclass(frozen=True)
class Picture:
    """One picture: what is opened, how, and what is clicked then."""

    name: str
    path: str
    size: tuple[int, int]
    scheme: Literal["dark", "light"] = "dark"
    script: str = ""
    click: str = ""
    scale: int = 1


PICTURES = (
    Picture("dashboard.png", "/?symbol=BTC&interval=5m", (1440, 900)),
    Picture(
        "integrate.png", "/?symbol=GOLD&interval=15m", (1440, 900), "light", STUDIES,
        "#integrate-button",
    ),
    Picture("phone.png", "/?symbol=ETH&interval=1m", (390, 844), scale=2),
)  # fmt: skip


def main() -> None:
    """Start a server, wait until the demo is seeded, take the pictures, stop."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "appliance", "serve", "--demo"]
        server = subprocess.Popen([*command, "--port", str(port), "--data-dir", folder])
        try:
            _wait(f"http://127.0.0.1:{port}/health/ready")
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=BROWSER, args=ARGUMENTS)
                for picture in PICTURES:
                    _take(browser, f"http://127.0.0.1:{port}", picture)
                browser.close()
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


def _take(browser: Browser, url: str, picture: Picture) -> None:
    width, height = picture.size
    context = browser.new_context(
        base_url=url,
        viewport={"width": width, "height": height},
        color_scheme=picture.scheme,
        device_scale_factor=picture.scale,
        is_mobile=width < 600,
        has_touch=width < 600,
    )
    # Without it the library rounds as real devices do, and headless Chromium does not.
    context.add_init_script("delete ResizeObserverEntry.prototype.devicePixelContentBoxSize")
    if picture.script:
        context.add_init_script(picture.script)
    page = context.new_page()
    page.goto(picture.path)
    page.wait_for_timeout(MOVED_MS)
    if picture.click:
        page.click(picture.click)
        page.wait_for_timeout(2_000)
    page.screenshot(path=DOCS / picture.name)
    context.close()


if __name__ == "__main__":
    main()
