"""Say what a test run proved, and refuse a run that proved less than it should.

In: the JUnit file that pytest wrote. Out: how many tests ran, which were skipped and why, whether
the browser and the real day of mainnet trades were among them. Status 1 if the browser was not.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

BROWSER_TESTS = "tests.browser."
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


def browser_failures(results: Sequence[Result]) -> list[str]:
    """Return why the browser part of the run does not count; empty when it does."""
    chosen = [result for result in results if result.name.startswith(BROWSER_TESTS)]
    if not chosen:
        return [f"no test below {BROWSER_TESTS[:-1]} ran: the pages were not looked at"]
    return [f"browser test skipped: {r.name}" for r in chosen if r.skipped is not None]


def main(report: Path) -> int:
    """Print the summary; return the exit status."""
    results = read_results(report)
    for result in results:
        if result.skipped is not None:
            print(f"skipped: {result.name}: {result.skipped}")
    print(describe(results, "tests", ""))
    print(describe(results, "browser", BROWSER_TESTS))
    print(describe(results, "real mainnet day", REAL_DAY_TESTS))
    failures = browser_failures(results)
    for failure in failures:
        print(f"error: {failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
