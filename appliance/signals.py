"""Signals that end the process, from its first moment to its last.

Docker and systemd ask once. Until the server runs, what was asked is only remembered: an
exception out of a handler ends up wherever the import of a library happens to be, and Python may
still die of SIGINT after one was caught. Once it runs, `until_told` returns. A second Ctrl-C ends
the process wherever it is: the journal holds what is not stored yet.
"""

import asyncio
import os
import signal
from typing import Final

INTERRUPTED: Final = 130
"""The exit code that shells expect after Ctrl-C."""
ENDING: Final = (signal.SIGINT, signal.SIGTERM)
_SETTLE_S: Final = 0.1
"""Signals that reach a loop between its start-up and its run for ever are lost."""


class Ending:
    """Whether the process was told to end."""

    def __init__(self) -> None:
        """Remember nothing before `remember`."""
        self.told = False

    def remember(self) -> None:
        """Take the signals, from whoever has them."""
        for number in ENDING:
            signal.signal(number, self._tell)

    def _tell(self, number: int, *_: object) -> None:
        if self.told and number == signal.SIGINT:
            os._exit(INTERRUPTED)
        self.told = True

    async def until_told(self) -> None:
        """Wait for a signal, or for none if one came before."""
        await asyncio.sleep(_SETTLE_S)
        event = asyncio.Event()

        def hear(number: int) -> None:
            self._tell(number)
            event.set()

        for number in ENDING:
            asyncio.get_running_loop().add_signal_handler(number, hear, number)
        if not self.told:
            await event.wait()
