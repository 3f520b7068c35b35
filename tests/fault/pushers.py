"""Clients that push batches over HTTP as fast as they are answered, and remember what was."""

import threading
import time
from dataclasses import dataclass, field

import msgspec
import urllib3
from urllib3.exceptions import HTTPError

from tests.processes import Server

KEY = "pushers-key"
FIRST_S = 1_700_000_000


@dataclass
class Pushers:
    """Threads that push, each to a market of its own; `acknowledged` holds ids of trades."""

    server: Server
    count: int = 4
    batch: int = 500
    acknowledged: set[str] = field(default_factory=set)
    answers: list[int] = field(default_factory=list)

    def __enter__(self) -> "Pushers":
        """Begin to push."""
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._push, args=(n,)) for n in range(self.count)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop pushing."""
        self._end.set()
        for thread in self._threads:
            thread.join()

    def until(self, acknowledged: int, patience_s: float = 60.0) -> None:
        """Wait until so many trades are acknowledged."""
        deadline = time.monotonic() + patience_s
        while len(self.acknowledged) < acknowledged:
            assert time.monotonic() < deadline, (len(self.acknowledged), self.answers[-5:])
            time.sleep(0.01)

    def until_answered(self, status: int, patience_s: float = 60.0) -> None:
        """Wait until a batch is answered with `status`."""
        deadline = time.monotonic() + patience_s
        while status not in self.answers:
            assert time.monotonic() < deadline, self.answers[-5:]
            time.sleep(0.01)

    def _push(self, number: int) -> None:
        url = f"http://127.0.0.1:{self.server.port}/api/trades"
        headers = {"X-API-Key": KEY, "Content-Type": "application/x-ndjson"}
        pool, at = urllib3.PoolManager(retries=False, timeout=30), 0
        while not self._end.is_set():
            ids = [f"{number}-{at + i}" for i in range(self.batch)]
            body = b"\n".join(_line(number, at + i, name) for i, name in enumerate(ids))
            try:
                answer = pool.request("POST", url, body=body, headers=headers)
            except HTTPError:
                break  # the server is gone
            self.answers.append(answer.status)
            if answer.status == 200:
                self.acknowledged |= set(ids)
                at += self.batch
            elif answer.status < 500:
                break
            else:
                time.sleep(0.02)
        pool.clear()


def _line(number: int, at: int, name: str) -> bytes:
    trade = {"symbol": f"M{number}", "time": FIRST_S + at, "price": 1 + at % 7, "size": 1}
    return msgspec.json.encode(trade | {"id": name})
