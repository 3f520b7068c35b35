"""What the fault tests tell: printed whole at the end of `make fault`."""

from collections.abc import Callable
from typing import Final

import pytest

_LINES: Final = pytest.StashKey[list[str]]()


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
    """Write what the tests told."""
    for line in terminalreporter.config.stash.get(_LINES, []):
        terminalreporter.write_line(line)
