"""The server of the stream benchmark: `appliance serve`, and a bare loop to compare it with.

It takes commands as JSON lines on standard input and answers each with a line: `cpu` tells the CPU
seconds of the process and of its event loop's thread, and the resident bytes; `fan_out` publishes
an event to every stream; `bare` writes as many ready bytes to as many open WebSockets.
"""

import asyncio
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from appliance import app, settings
from appliance.settings import Settings
from appliance.signals import Ending
from appliance.streaming.hub import Hub
from appliance.streaming.message import Event

_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
Answer = dict[str, float]


class Served:
    """The appliance that runs in this process."""

    def __init__(self) -> None:
        """Take hold of it as it is built."""
        self.hub: Hub | None = None
        build = app.build

        def remember(settings: Settings, address: str = "") -> app.Appliance:
            appliance = build(settings, address)
            self.hub = appliance.streams.hub
            return appliance

        app.build = remember

    def obey(self) -> None:
        """Take commands until there are no more."""
        commands: dict[str, Callable[..., Answer]] = {"cpu": _cpu}
        commands |= {"bare": self._bare, "fan_out": self._fan_out}
        for line in sys.stdin:
            command = json.loads(line)
            print(json.dumps(commands[command.pop("do")](**command)), flush=True)
        os._exit(0)  # whoever measures is gone

    def _protocols(self) -> list[Any]:
        clients: Any = self.hub._clients if self.hub else ()
        return [client.sink.protocol for client in clients]

    def _fan_out(self, size: int, rounds: int, spacing_s: float) -> Answer:
        """Publish a state of `size` bytes to every topic, `rounds` times; return the cost."""
        payload = b'{"x":"%s"}' % (b"x" * (size - 8))
        publishing = self._publish(payload, rounds, spacing_s)
        return asyncio.run_coroutine_threadsafe(publishing, self._protocols()[0].loop).result()

    async def _publish(self, payload: bytes, rounds: int, spacing_s: float) -> Answer:
        hub: Any = self.hub
        names = [name for name, topic in hub._topics.items() if topic.watchers]
        before, begun = hub._metrics.socket_writes._value.get(), _loop_s()
        for _ in range(rounds):
            for name in names:
                hub.publish(name, [Event(payload, "")])
            await asyncio.sleep(spacing_s)
        writes = hub._metrics.socket_writes._value.get() - before
        return {"loop_s": _loop_s() - begun, "writes": writes}

    def _bare(self, size: int, rounds: int, spacing_s: float) -> Answer:
        """Write ready frames of `size` bytes to each socket, `rounds` times; return the cost."""
        frame = b"\x82\x7e" + (size - 4).to_bytes(2, "big") + bytes(size - 4)
        protocols = self._protocols()
        writing = _write([protocol.transport for protocol in protocols], frame, rounds, spacing_s)
        return asyncio.run_coroutine_threadsafe(writing, protocols[0].loop).result()


async def _write(transports: list[Any], frame: bytes, rounds: int, spacing_s: float) -> Answer:
    begun = _loop_s()
    for _ in range(rounds):
        for transport in transports:
            transport.write(frame)
        await asyncio.sleep(spacing_s)
    return {"loop_s": _loop_s() - begun, "writes": rounds * len(transports)}


def _cpu() -> Answer:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {"cpu_s": time.process_time(), "loop_s": _loop_s(), "bytes": pages * _PAGE}


def _loop_s() -> float:
    """Return the CPU seconds of the main thread, in which the event loop runs."""
    return int(Path(f"/proc/self/task/{os.getpid()}/schedstat").read_text().split()[0]) / 1e9


def main() -> None:
    """Serve with the settings of the environment until standard input ends."""
    threading.Thread(target=Served().obey, daemon=True).start()
    ending = Ending()
    ending.remember()
    app.serve(settings.read(os.environ), ending)


if __name__ == "__main__":
    main()
