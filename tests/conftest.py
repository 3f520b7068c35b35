"""What tests share: a store on a directory of its own, and a clock that stands still."""

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from appliance.datafeed import Datafeed
from appliance.ingest import Ingest
from appliance.metrics import Metrics
from appliance.model import Commit
from appliance.settings import Settings
from appliance.store.store import Store
from tests.anvil import Anvil, missing_reason, start

_LINES: Final = pytest.StashKey[list[str]]()
NOW = 1_750_000_000
"""2025-06-15 15:06:40 UTC, the time of every test."""


@dataclass(repr=False)
class Opened:
    """A store that runs, and the commits it has published."""

    store: Store
    metrics: Metrics
    commits: list[Commit] = field(default_factory=list)

    def datafeed(self) -> Datafeed:
        """Return a datafeed whose clock stands at NOW."""
        store = self.store
        return Datafeed(
            store.reader, store.writer, store.catalogue, self.metrics, clock=lambda: NOW
        )

    def ingest(self) -> Ingest:
        """Return an ingest that writes to this store; call it on an event loop."""
        ingest = Ingest(self.metrics)
        ingest.open(self.store.writer)
        return ingest


Opener = Callable[[], Opened]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a node; run the browser's tests last: Playwright keeps this thread's loop."""
    for item in items:
        if "anvil" in getattr(item, "fixturenames", ()):
            item.add_marker("anvil")
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


def pytest_runtest_setup() -> None:
    """Put back what web3 raises when a test imports it: see appliance/rpc/line.py."""
    sys.setrecursionlimit(1_000)


@pytest.fixture
def open_store(tmp_path: Path) -> Iterator[Opener]:
    """Open the same store again and again; what is open at the end is closed."""
    opened: list[Opened] = []

    def open_it() -> Opened:
        metrics = Metrics()
        commits: list[Commit] = []
        store = Store(Settings(data_dir=tmp_path), metrics, commits.append)
        store.open()
        opened.append(Opened(store, metrics, commits))
        return opened[-1]

    yield open_it
    for each in opened:
        each.store.close()


@pytest.fixture
def opened(open_store: Opener) -> Opened:
    """Return an empty store that runs."""
    return open_store()


@pytest.fixture
def anvil() -> Iterator[Anvil]:
    """Run a node of the test's own, with nothing on its chain."""
    reason = missing_reason()
    # A build machine without a node would otherwise be green without having followed one.
    if reason and os.environ.get("CI") == "true":
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)
    with start() as node:
        yield node


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Print a line at the end of the run, below the name of the test that tells it."""
    lines = request.config.stash.setdefault(_LINES, [])
    lines.append(f"{request.node.nodeid}:")
    return lambda line: lines.append(f"  {line}")


@pytest.fixture
def quiet() -> Callable[[str], None]:
    """Print a line only if the test fails."""
    return print


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Write what the long forms of tests told."""
    for line in terminalreporter.config.stash.get(_LINES, []):
        terminalreporter.write_line(line)
