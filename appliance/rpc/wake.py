"""Be told of new blocks over a WebSocket: a reason to look now, and nothing else.

What a subscription says is never believed: it may miss blocks, repeat them, or fall silent. The
blocks themselves are asked for over HTTP, and the follower looks there on its own too.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from appliance.rpc.rate import Waiting
from appliance.rpc.url import hide, keys, names
from appliance.rpc.wordings import shown, text

if TYPE_CHECKING:
    import aiohttp

log = logging.getLogger(__name__)
_SUBSCRIBE: Final = {"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": ["newHeads"]}
_PING_S: Final = 20.0
_CONNECT_S: Final = 10.0
_FIRST_DELAY_S: Final = 1.0
_LONGEST_DELAY_S: Final = 60.0


class _Refused(Exception):
    """The node does not subscribe us."""


class _Answer(msgspec.Struct):
    result: Any = None
    error: Any = None


@dataclass(slots=True)
class _Seen:
    """What one connection has told: `heads` counts messages."""

    event: asyncio.Event
    heads: int = 0


async def wakes(url: str, waiting: Waiting | None = None) -> AsyncGenerator[None, None]:
    """Yield when there may be a new block; several since the last time are one.

    It never ends by itself: a lost connection is made again, after a growing delay. Close it with
    `contextlib.aclosing`. Raise ConfigError for a URL that is not ws:// or wss://.
    """
    name = names([url], ("ws", "wss"))[0]
    event = asyncio.Event()
    task = asyncio.create_task(_listen(url, name, event, waiting or Waiting()), name="wake")
    task.add_done_callback(lambda _: event.set())
    try:
        while True:
            await event.wait()
            event.clear()
            if task.done():
                task.result()  # raises what the listener died of
            yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _listen(url: str, name: str, event: asyncio.Event, waiting: Waiting) -> None:
    """Set `event` for every new head, and when a connection is made: blocks may have passed."""
    import aiohttp

    from appliance.rpc.failure import words

    delay_s, told = _FIRST_DELAY_S, ""
    async with aiohttp.ClientSession() as session:
        while True:
            seen = _Seen(event)
            try:
                await _follow(session, url, seen)
                lost = "closed the subscription"
            except (aiohttp.ClientError, OSError) as error:
                lost = words(error)
            except _Refused as error:
                lost = f"refuses the subscription: {hide(str(error), keys(url))}"
            if seen.heads:
                delay_s, told = _FIRST_DELAY_S, ""
            if lost != told:
                log.warning("%s: %s; new blocks are looked for without it", name, lost)
            told = lost
            await waiting.sleep(delay_s * (0.5 + waiting.jitter()))
            delay_s = min(_LONGEST_DELAY_S, delay_s * 2)


async def _follow(session: "aiohttp.ClientSession", url: str, seen: "_Seen") -> None:
    """Subscribe and tell `seen` of every message, until the connection ends."""
    async with asyncio.timeout(_CONNECT_S):
        socket = await session.ws_connect(url, heartbeat=_PING_S)
    try:
        await socket.send_json(_SUBSCRIBE)
        _accepted(await socket.receive(timeout=_CONNECT_S))
        seen.event.set()
        async for _ in socket:
            seen.heads += 1
            seen.event.set()
    finally:
        await socket.close()


def _accepted(message: "aiohttp.WSMessage") -> None:
    """Raise _Refused when the first message is not that of a subscription."""
    try:
        answer = msgspec.json.decode(message.data or b"", type=_Answer)
    except (msgspec.DecodeError, TypeError):
        raise _Refused("the connection was closed, or the answer is not JSON") from None
    if answer.error or not answer.result:
        raise _Refused(shown(text(answer.error, None) or "there is no subscription", 0))
