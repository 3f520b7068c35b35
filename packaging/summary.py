"""Say what a test run proved, and refuse a run that proved less than it should.

In: the JUnit file that pytest wrote. Out: how many tests ran, which were skipped and why, whether
the browser, the node and the real day of mainnet trades were among them. Status 1 if the browser
or the node was not.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

BROWSER_TESTS = "tests.browser."
NODE_TESTS = "tests.test_following_anvil"
# What tests/conftest.py says of any test, wherever it is, that found no node.
NO_NODE = "no anvil"
REAL_DAY_TESTS = "tests.test_real_day"


@dataclass(frozen=True)
class Result:
    """One test of the run; `skipped` holds the reason, or None when the test ran."""

    name: str
    skipped: str | None


def read_results(report: Path) -> list[Result]:
    """Return every test of a JUnit file, in the order of the run."""
    # The file comes from our own pytest, a moment ago: no hostile XML to expect.
    cases = ElementTree.parse(report).getroot().iter("testcase")  # noqa: S314
    return [_result(case) for case in cases]


def _result(case: ElementTree.Element) -> Result:
    skipped = case.find("skipped")
    # A module that is skipped as a whole has no class name.
    name = ".".join(part for part in (case.get("classname"), case.get("name")) if part)
    reason = None if skipped is None else skipped.get("message", "no reason given")
    return Result(name, reason)


def describe(results: Sequence[Result], subject: str, prefix: str) -> str:
    """Return one line: how many tests below `prefix` ran, or why they did not."""
    chosen = [result for result in results if result.name.startswith(prefix)]
    ran = sum(result.skipped is None for result in chosen)
    if not chosen:
        return f"{subject}: no such test"
    if ran == 0:
        return f"{subject}: skipped: {chosen[0].skipped}"
    return f"{subject}: ran ({ran} {'test' if ran == 1 else 'tests'})"


def failures(results: Sequence[Result]) -> list[str]:
    """Return why the run does not count; empty when browser and node were part of it."""
    found = []
    for kind, prefix in (("browser", BROWSER_TESTS), ("anvil", NODE_TESTS)):
        chosen = [result for result in results if result.name.startswith(prefix)]
        if not chosen:
            found.append(f"no test below {prefix.rstrip('.')} ran: {kind} tests are missing")
        found += [f"{kind} test skipped: {r.name}" for r in chosen if r.skipped is not None]
    elsewhere = (r for r in results if not r.name.startswith(NODE_TESTS))
    found += [f"anvil test skipped: {r.name}" for r in elsewhere if NO_NODE in (r.skipped or "")]
    return found


def main(report: Path) -> int:
    """Print the summary; return the exit status."""
    results = read_results(report)
    for result in results:
        if result.skipped is not None:
            print(f"skipped: {result.name}: {result.skipped}")
    print(describe(results, "tests", ""))
    print(describe(results, "browser", BROWSER_TESTS))
    print(describe(results, "anvil", NODE_TESTS))
    print(describe(results, "real mainnet day", REAL_DAY_TESTS))
    found = failures(results)
    for failure in found:
        print(f"error: {failure}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
