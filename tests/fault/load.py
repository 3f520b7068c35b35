"""Writers that push trades over HTTP until each request is acknowledged, and a server to be killed.

A writer whose request fails because the server is gone waits until it is let go on, then sends the
same request again. So at a kill every writer has at most one request of unknown fate.
"""

import random
import threading
import time
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import numpy as np
import urllib3
from urllib3.exceptions import HTTPError

from tests.fault.feed import Feed, body

KEY: Final = "fault-key-0123456789"
_HEADERS: Final = {"X-API-Key": KEY, "Content-Type": "application/x-ndjson"}
_PARK_S: Final = 60.0


@dataclass
class Counts:
    """What the writers saw, all of them."""

    requests: int = 0
    trades: int = 0
    again: int = 0
    retractions: int = 0


@dataclass
class Gate:
    """Where writers wait while the server is down."""

    port: int = 0
    stopping: bool = False
    open: threading.Event = field(default_factory=threading.Event)
    counts: Counts = field(default_factory=Counts)
    lock: threading.Lock = field(default_factory=threading.Lock)


class Writer(threading.Thread):
    """Feeds one source to the server."""

    def __init__(self, name: str, seed: str, gate: Gate, retracts: bool = False) -> None:
        """If it `retracts`, every third request of a feed on a chain is a retraction."""
        super().__init__(name=f"writer-{name}", daemon=True)
        self.random = random.Random(f"{seed}-{name}")
        self.feed = Feed(name, self.random)
        self.parked = threading.Event()
        self.failure: str | None = None
        self._gate = gate
        self._retracts = retracts and self.feed.on_chain
        self._again = False

    def run(self) -> None:
        pool = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(connect=2, read=60))
        try:
            while self._wait() and self.failure is None:
                self._request(pool)
        except Exception as error:  # noqa: BLE001 - told by the test
            self.failure = repr(error)
        finally:
            self.parked.set()
            pool.clear()

    def _wait(self) -> bool:
        if not self._gate.open.is_set():
            self.parked.set()
            self._gate.open.wait()
        return not self._gate.stopping

    def _request(self, pool: urllib3.PoolManager) -> None:
        feed, sent = self.feed, self.feed.sent
        if sent is None:
            retract = self._retracts and feed.end and not self.random.randrange(3)
            sent = feed.retraction() if retract else feed.batch()
        if sent.retract_from is not None:
            block = feed.block(sent.retract_from)
            path, payload = (
                "admin/retract",
                msgspec.json.encode({"chain_id": 0, "from_block": block}),
            )
        else:
            path = "trades"
            payload = body(feed.name, sent.numbers, feed.forks(sent.numbers))
        url = f"http://127.0.0.1:{self._gate.port}/api/{path}"
        headers = _HEADERS | ({"Idempotency-Key": feed.key} if feed.key else {})
        try:
            answer = pool.request("POST", url, body=payload, headers=headers)
        except HTTPError:
            self._again = True
            time.sleep(0.01)  # the server is being killed: the gate is about to close
            return
        if answer.status == 503:  # it is stopping, or the store stumbled: the same again
            self._again = True
            time.sleep(0.05)
            return
        self._acknowledged(answer.status, answer.data)

    def _acknowledged(self, status: int, answer: bytes) -> None:
        feed, sent = self.feed, self.feed.sent
        assert sent is not None
        if status != 200:
            self.failure = f"{feed.name}: {status} {answer[:300]!r}"
            return
        new = feed.acknowledge()
        if sent.retract_from is None:
            self._compare(msgspec.json.decode(answer), len(sent.numbers), new)
        with self._gate.lock:
            counts = self._gate.counts
            counts.requests += 1
            counts.again += self._again
            counts.trades += new
            counts.retractions += sent.retract_from is not None
        self._again = False

    def _compare(self, receipt: dict[str, Any], rows: int, new: int) -> None:
        """A request sent once tells exactly what was new; sent again, perhaps nothing was."""
        accepted = {new, 0} if self._again else {new}
        if receipt["accepted"] not in accepted or sum(receipt.values()) != rows:
            self.failure = f"{self.feed.name}: {rows} rows, {new} new, receipt {receipt}"


def park(writers: list[Writer], gate: Gate) -> None:
    """Let no further request be sent, and wait until none is on its way; the server is dead."""
    gate.open.clear()
    deadline = time.monotonic() + _PARK_S
    for writer in writers:
        assert writer.parked.wait(deadline - time.monotonic()), f"{writer.name} does not stop"


def resume(writers: list[Writer], gate: Gate) -> None:
    """Let parked writers go on."""
    for writer in writers:
        writer.parked.clear()
    gate.open.set()


def held(writers: list[Writer]) -> dict[str, np.ndarray[Any, Any]]:
    """Return what each feed may have stored: without, and with, its request on its way."""
    return {w.feed.name: np.stack([w.feed.held, w.feed.expected()]) for w in writers}
