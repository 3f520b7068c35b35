"""Bars on a terminal, one for each kind of work; elsewhere nothing is drawn."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from tqdm import tqdm

_BAR: Final = "{desc:<9} {percentage:3.0f} % |{bar}| {elapsed}"


@contextmanager
def bars() -> Iterator[Callable[[str, float], None]]:
    """Yield what draws how far a work is, by its name and 0 to 1."""
    drawn: dict[str, tqdm[object]] = {}

    def show(what: str, done: float) -> None:
        if what not in drawn:
            drawn[what] = tqdm(
                total=1.0, desc=what, bar_format=_BAR, disable=not sys.stderr.isatty()
            )
        drawn[what].update(done - drawn[what].n)

    try:
        yield show
    finally:
        for bar in drawn.values():
            bar.close()
