"""The server of the stream benchmark: `appliance serve`, and a bare loop to compare it with.

It takes commands as JSON lines on standard input and answers each with a line: `cpu` tells the CPU
seconds of the process and of its event loop's thread, and the resident bytes; `bare` writes ready
frames to every open WebSocket.
"""

import asyncio
import gc
import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any, Final

from sanic.server.websockets.impl import OPEN

from appliance import app, settings
from appliance.signals import Ending

_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    """Serve with the settings of the environment until standard input ends."""
    threading.Thread(target=_obey, daemon=True).start()
    ending = Ending()
    ending.remember()
    app.serve(settings.read(os.environ), ending)


def _obey() -> None:
    for line in sys.stdin:
        command = json.loads(line)
        answer = _bare(**command) if command.pop("do") == "bare" else _cpu()
        print(json.dumps(answer), flush=True)
    os._exit(0)  # whoever measures is gone


def _cpu() -> dict[str, float]:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {"cpu_s": time.process_time(), "loop_s": _loop_s(), "bytes": pages * _PAGE}


def _loop_s() -> float:
    """Return the CPU seconds of the main thread, in which the event loop runs."""
    return int(Path(f"/proc/self/task/{os.getpid()}/schedstat").read_text().split()[0]) / 1e9


def _bare(size: int, rounds: int, spacing_s: float) -> dict[str, float]:
    """Write a ready frame of `size` bytes to each open socket, `rounds` times; return the cost."""
    frame = b"\x82\x7e" + (size - 4).to_bytes(2, "big") + bytes(size - 4)
    protocols = _protocols()
    writing = _write([protocol.transport for protocol in protocols], frame, rounds, spacing_s)
    return asyncio.run_coroutine_threadsafe(writing, protocols[0].loop).result()


async def _write(
    transports: list[Any], frame: bytes, rounds: int, spacing_s: float
) -> dict[str, float]:
    begun = _loop_s()
    for _ in range(rounds):
        for transport in transports:
            transport.write(frame)
        await asyncio.sleep(spacing_s)
    return {"loop_s": _loop_s() - begun, "writes": rounds * len(transports)}


def _protocols() -> list[Any]:
    """Return the server's side of all open WebSockets."""
    found = [o for o in gc.get_objects() if hasattr(type(o), "websocket_handshake")]
    return [p for p in found if p.websocket is not None and p.websocket.ws_proto.state is OPEN]


if __name__ == "__main__":
    main()
