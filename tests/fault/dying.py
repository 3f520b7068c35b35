"""The command, made to die as by `kill -9` at a step of a request: DIES_AT names it."""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any, Final

from appliance.cli import main
from appliance.store.idempotency import Keys
from appliance.store.writer import Writer
from appliance.web import trades

STEPS: Final = ("before its key is noted", "before it is stored", "before it is answered")


def _die(*_: Any, **__: Any) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


def _patch(step: str) -> None:
    """Have a function that is called at `step` kill the process instead."""
    places: dict[str, Callable[[], None]] = {
        STEPS[0]: lambda: setattr(Keys, "bind", _die),
        STEPS[1]: lambda: setattr(Writer, "submit", _die),
        STEPS[2]: lambda: setattr(trades, "answer", _die),
    }
    places[step]()


if __name__ == "__main__":
    _patch(os.environ["DIES_AT"])
    sys.exit(main())
