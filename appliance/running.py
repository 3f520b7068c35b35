"""Tell the command line where the running server is: DATA_DIR/server.json, mode 0600.

The file holds the address, a random admin token, and a public instance id. Before a token is
sent anywhere, the server at that address must answer with the same instance id: a file left
behind by a crash may point at a stranger.
"""

import contextlib
import os
from pathlib import Path
from secrets import token_urlsafe
from typing import Final

import msgspec
import urllib3
from urllib3.exceptions import HTTPError

__all__ = ["HTTPError", "Running", "announce", "find", "get", "post", "read", "remove", "write"]

FILE: Final = "server.json"
_TIMEOUT_S: Final = 3.0


class Running(msgspec.Struct, frozen=True):
    """A running server: where it listens, and how to prove to be its owner."""

    address: str
    token: str
    instance: str
    pid: int


def announce(address: str) -> Running:
    """Return a new record for this process; it is public only once `write` was called."""
    return Running(address, token_urlsafe(32), token_urlsafe(12), os.getpid())


def write(data_dir: Path, running: Running) -> None:
    """Store the record so that only the owner of the directory can read it."""
    path = data_dir / FILE
    draft = path.with_suffix(".tmp")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600, exist_ok=False)
    draft.write_bytes(msgspec.json.encode(running))
    draft.replace(path)


def remove(data_dir: Path, running: Running) -> None:
    """Delete the record if it is still this one."""
    if read(data_dir) == running:
        (data_dir / FILE).unlink(missing_ok=True)


def read(data_dir: Path) -> Running | None:
    """Return the record, None if there is none that can be read."""
    with contextlib.suppress(OSError, msgspec.MsgspecError):
        return msgspec.json.decode((data_dir / FILE).read_bytes(), type=Running)
    return None


def find(data_dir: Path) -> Running | None:
    """Return the live server of `data_dir`, None if none answers with the recorded instance."""
    running = read(data_dir)
    if running is None:
        return None
    try:
        answer = urllib3.request(
            "GET", f"{running.address}/version", timeout=_TIMEOUT_S, retries=False
        )
        instance = msgspec.json.decode(answer.data).get("instance")
    except (HTTPError, msgspec.MsgspecError, AttributeError):
        return None
    return running if instance == running.instance else None


def get(server: Running, path: str) -> tuple[int, bytes]:
    """Return status and body of a GET request to the server."""
    answer = urllib3.request("GET", server.address + path, timeout=60.0, retries=False)
    return answer.status, answer.data


def post(server: Running, path: str, body: bytes, content_type: str) -> tuple[int, bytes]:
    """Return status and body of a POST request to the server, as its admin."""
    headers = {"Authorization": f"Bearer {server.token}", "Content-Type": content_type}
    answer = urllib3.request(
        "POST", server.address + path, body=body, headers=headers, timeout=600.0, retries=False
    )
    return answer.status, answer.data
