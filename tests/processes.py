"""The command as its users start it: a process of its own, on a free port, with its own log."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import urllib3

PATIENCE_S = 60.0
"""Not what is expected, but what a busy machine may need."""


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def environment(**variables: str) -> dict[str, str]:
    """Return what a process gets: none of the settings of whoever runs the tests."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return kept | {"PYTHONFAULTHANDLER": "0", "BALLAST_SIZE": "1mb"} | variables


def command(*arguments: object) -> list[str]:
    """Return the command line."""
    return [sys.executable, "-m", "appliance", *map(str, arguments)]


def run(*arguments: object, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end."""
    return subprocess.run(
        command(*arguments),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        env=environment(**variables),
        check=False,
    )


class Server:
    """`appliance serve` on a data directory."""

    def __init__(self, data_dir: Path, *flags: str, **variables: str) -> None:
        """Start it; it is not ready yet."""
        self.data_dir, self.port = data_dir, free_port()
        self.log_path = data_dir.with_suffix(".log")
        self._pool = urllib3.PoolManager(retries=False, timeout=10)
        flags = ("--port", str(self.port), "--data-dir", str(data_dir), *flags)
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                command("serve", *flags), stderr=log, env=environment(**variables)
            )

    @property
    def log(self) -> str:
        return self.log_path.read_text()

    @property
    def record(self) -> Path:
        return self.data_dir / "server.json"

    def until(self, what: str) -> "Server":
        """Wait until the log says `what`."""
        deadline = time.monotonic() + PATIENCE_S
        while what not in self.log:
            assert self.process.poll() is None, self.log
            assert time.monotonic() < deadline, self.log
            time.sleep(0.02)
        return self

    def until_stored(self, trades: int) -> "Server":
        """Wait until so many trades are stored."""
        deadline = time.monotonic() + PATIENCE_S
        while self.ask("/health/ready")[1]["trades_stored"] < trades:
            assert time.monotonic() < deadline, self.log
            time.sleep(0.02)
        return self

    def ask(self, path: str) -> tuple[int, Any]:
        """Return status and JSON of a GET request."""
        answer = self._pool.request("GET", f"http://127.0.0.1:{self.port}{path}")
        return answer.status, msgspec.json.decode(answer.data)

    def end(self, number: signal.Signals) -> tuple[int, float]:
        """Send a signal; return the exit code and how many seconds the end took."""
        begun = time.monotonic()
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE_S)
        self._pool.clear()
        return code, time.monotonic() - begun

    def kill(self) -> None:
        """End it for sure."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE_S)
        self._pool.clear()
