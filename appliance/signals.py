"""Signals that end the process, from its first moment to its last.

Docker and systemd ask once. Until the server runs, what was asked is only remembered: an
exception out of a handler ends up wherever the import of a library happens to be, and Python may
still die of SIGINT after one was caught. Once it runs, `until_told` returns.
"""

import asyncio
import signal
from typing import Final

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

    def _tell(self, *_: object) -> None:
        self.told = True

    async def until_told(self) -> None:
        """Wait for a signal, or for none if one came before."""
        await asyncio.sleep(_SETTLE_S)
        event = asyncio.Event()
        for number in ENDING:
            asyncio.get_running_loop().add_signal_handler(number, event.set)
        if not self.told:
            await event.wait()
        self.told = True
