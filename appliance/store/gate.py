"""Keep readers out while candles are rebuilt: they see the state before or after, never between."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Gate:
    """Many readers at once, or one rebuild alone; a waiting rebuild goes first."""

    def __init__(self) -> None:
        """Let everybody in."""
        self._changed = threading.Condition()
        self._readers = 0
        self._closed = False

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Wait while the gate is closed, then hold it open."""
        with self._changed:
            self._changed.wait_for(lambda: not self._closed)
            self._readers += 1
        try:
            yield
        finally:
            with self._changed:
                self._readers -= 1
                self._changed.notify_all()

    @contextmanager
    def closed(self) -> Iterator[None]:
        """Let no reader in, wait until all are out, and open again at the end."""
        with self._changed:
            self._closed = True
            self._changed.wait_for(lambda: not self._readers)
        try:
            yield
        finally:
            with self._changed:
                self._closed = False
                self._changed.notify_all()
