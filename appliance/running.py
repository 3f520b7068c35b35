"""Own the data directory, and tell the command line where its server is.

DATA_DIR/server.json, mode 0600, is there while a server runs.

It holds the address, a random admin token, and a public instance id. Before a token is
sent anywhere, the server at that address must answer with the same instance id: a file left
behind by a crash may point at a stranger.
"""

import contextlib
import os
import tempfile
from http import HTTPStatus
from pathlib import Path
from secrets import token_urlsafe
from typing import Final

import msgspec
import urllib3
from urllib3.exceptions import HTTPError

from appliance.errors import ApplianceError, BadRequest, ConfigError, Conflict, Retryable

__all__ = ["Running", "announce", "ask", "find", "get", "post", "prepare", "read", "refusal"]
__all__ += ["remove", "write"]

FILE: Final = "server.json"
_TIMEOUT_S: Final = 3.0
_GET_S: Final = 60.0
_POST_S: Final = 600.0
_VERSION_BYTES_MAX: Final = 64 << 10
"""Who answers may be a stranger, with no end to what he says."""


class Running(msgspec.Struct, frozen=True):
    """A running server: where it listens, and how to prove to be its owner."""

    address: str
    token: str
    instance: str
    pid: int


def prepare(data_dir: Path) -> None:
    """Make the data directory, for its owner only, unless it exists.

    Raises:
        ConfigError: nothing can be written there.
    """
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=data_dir).close()  # also where a file system is read-only
    except OSError as error:
        raise ConfigError(
            f"DATA_DIR must be a directory that can be written, was {str(data_dir)!r}: "
            f"{error.strerror}; choose another with --data-dir"
        ) from None


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
    with contextlib.suppress(OSError, ValueError, msgspec.MsgspecError):
        return msgspec.json.decode((data_dir / FILE).read_bytes(), type=Running)
    return None


def find(data_dir: Path) -> Running | None:
    """Return the live server of `data_dir`, None if none answers with the recorded instance."""
    running = read(data_dir)
    if running is None or not running.address.startswith("http://"):
        return None
    try:
        with contextlib.closing(_request(f"{running.address}/version")) as answer:
            body = answer.read(_VERSION_BYTES_MAX)
        instance = msgspec.json.decode(body).get("instance")
    except (HTTPError, OSError, ValueError, msgspec.MsgspecError, AttributeError):
        return None
    return running if instance == running.instance else None


def _request(url: str) -> urllib3.BaseHTTPResponse:
    return urllib3.request(
        "GET", url, timeout=_TIMEOUT_S, retries=False, redirect=False, preload_content=False
    )


def get(server: Running, path: str) -> tuple[int, bytes]:
    """Return status and body of a GET request to the server.

    Raises:
        Retryable: it went away.
    """
    try:
        answer = urllib3.request(
            "GET", server.address + path, timeout=_GET_S, retries=False, redirect=False
        )
    except HTTPError as error:
        raise _gone(server, error) from None
    return answer.status, answer.data


def ask(server: Running, path: str) -> tuple[int, bytes]:
    """Return status and body of a GET request to the server, as its admin.

    Raises:
        Retryable: it went away.
    """
    headers = {"Authorization": f"Bearer {server.token}"}
    try:
        answer = urllib3.request(
            *("GET", server.address + path),
            headers=headers,
            timeout=_GET_S,
            retries=False,
            redirect=False,
        )
    except HTTPError as error:
        raise _gone(server, error) from None
    return answer.status, answer.data


def post(server: Running, path: str, body: bytes, content_type: str) -> tuple[int, bytes]:
    """Return status and body of a POST request to the server, as its admin.

    Raises:
        Retryable: it went away.
    """
    headers = {"Authorization": f"Bearer {server.token}", "Content-Type": content_type}
    try:
        answer = urllib3.request(
            *("POST", server.address + path),
            body=body,
            headers=headers,
            timeout=_POST_S,
            retries=False,
            redirect=False,
        )
    except HTTPError as error:
        raise _gone(server, error) from None
    return answer.status, answer.data


def refusal(status: int, body: bytes) -> ApplianceError:
    """Return the error of an answer as the one that the server raised."""
    try:
        message = str(msgspec.json.decode(body)["error"]["message"])
    except (msgspec.MsgspecError, KeyError, TypeError, ValueError):
        message = f"the server answered {status}"
    if status == Conflict.status:
        return Conflict(message)
    return Retryable(message) if status >= HTTPStatus.INTERNAL_SERVER_ERROR else BadRequest(message)


def _gone(server: Running, error: HTTPError) -> Retryable:
    return Retryable(f"the server at {server.address} went away: {error}")
