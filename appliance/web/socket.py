"""One WebSocket on the server's side: frames in, ready frames out, without a task of its own.

Sanic's own keeps two tasks and six locks for each connection and starts a task for whatever
arrives, also for a client that floods it and reads nothing. This one leaves frames to the same
library, answers where it is told, and drops what a client that does not read would be sent.
"""

import asyncio
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from sanic import Request
from sanic.exceptions import SanicException
from sanic.http import Stage
from sanic.log import websockets_logger
from sanic.server.protocols.websocket_protocol import WebSocketProtocol
from websockets.exceptions import InvalidHandshake
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

from appliance.streaming.limits import BAD_MESSAGE, SHUTDOWN
from appliance.web.express import BEGINNING, Express

GOODBYE_S: Final = 5.0
"""How long the other side may take to read why it is closed; then the connection is cut."""
_INVALID_TEXT: Final = 1007
_ABNORMAL: Final = 1006
_PING: Final = b"\x89\x00"
_PONG: Final = 0x8A
_EARLY_MAX: Final = 1 << 20
_UNSENT_MAX: Final = 64 << 10


class StreamProtocol(WebSocketProtocol):
    """Sanic's connection, whose WebSockets are ours, and which tells when it can be written to."""

    __slots__ = ("_express", "is_writable", "on_writable")

    def __init__(self, **options: Any) -> None:
        """Begin as Sanic does."""
        super().__init__(**options)
        self.is_writable = True
        self.on_writable: Callable[[], None] | None = None
        self._express: Express | None = getattr(self.app.ctx, "express", None)

    def data_received(self, data: bytes) -> None:
        """Answer at once what can be, if nothing else is under way here."""
        lane, answer = self._express, None
        if lane is not None and data.startswith(BEGINNING) and self._is_waiting():
            answer = lane.answer(data)
        if answer is None:
            super().data_received(data)  # type: ignore[no-untyped-call]
        else:
            self.write(answer)

    def _is_waiting(self) -> bool:
        """Return whether what comes now begins a request, and can be answered."""
        http = self.http
        return (
            http is not None
            and http.stage is Stage.IDLE
            and http.keep_alive
            and not http.request_body  # what a handler did not read is read after its answer
            and not self.recv_buffer
            and self.is_writable
        )

    def pause_writing(self) -> None:
        """Note that the other side takes nothing for now."""
        self.is_writable = False
        super().pause_writing()  # type: ignore[no-untyped-call]

    def resume_writing(self) -> None:
        """Tell that it takes something again."""
        self.is_writable = True
        super().resume_writing()  # type: ignore[no-untyped-call]
        if self.on_writable is not None:
            self.on_writable()

    def write(self, data: bytes) -> None:
        """Write what is ready, unless the connection ends; the answer in progress lives on."""
        self._time = time.monotonic()
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(data)

    def keep_unsent_short(self) -> None:
        """Let the system take no more than what will soon be on its way.

        It would take megabytes for a client that does not read, and states that are with it can
        no longer be replaced by newer ones.
        """
        connection = self.transport.get_extra_info("socket") if self.transport else None
        if connection is not None and hasattr(socket, "TCP_NOTSENT_LOWAT"):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_MAX)

    async def websocket_handshake(
        self, request: Request, subprotocols: Sequence[str] | None = None
    ) -> "Socket":
        """Answer the upgrade and return the WebSocket."""
        frames = ServerProtocol(
            max_size=self.websocket_max_size, state=State.OPEN, logger=websockets_logger
        )
        try:
            response = frames.accept(self.sanic_request_to_ws_request(request))
        except InvalidHandshake as error:  # a header that HTTP knows and WebSockets do not
            raise SanicException(ascii(str(error)), 400) from None
        if response.status_code != 101:
            raise SanicException(bytes(response.body).decode(), response.status_code)
        lines = [f"HTTP/1.1 101 {response.reason_phrase}"]
        lines += [f"{name}: {value}" for name, value in response.headers.raw_items()]
        await self.send("\r\n".join([*lines, "", ""]).encode())  # type: ignore[no-untyped-call]
        self.keep_unsent_short()
        timeouts: Any = self._callback_check_timeouts
        if timeouts is not None:  # they would keep this in memory once it is closed
            timeouts.cancel()
        opened = Socket(frames, self)
        self.websocket = opened  # type: ignore[assignment]
        return opened


class Socket:
    """A WebSocket, and the sink of its client."""

    __slots__ = (
        *("_early", "_fragments", "_is_open", "_is_text", "_lost", "_timer", "_transport"),
        *("heard_at", "loop", "on_frame", "on_text", "protocol", "ws_proto"),
    )

    def __init__(self, frames: ServerProtocol, protocol: StreamProtocol) -> None:
        """Keep what comes before `start`."""
        self.ws_proto = frames
        self.protocol = protocol
        self.loop: asyncio.AbstractEventLoop = protocol.loop
        self.heard_at = time.monotonic()
        self.on_frame: Callable[[], bool] = lambda: True
        self.on_text: Callable[[str], None] | None = None
        self._early = bytes(protocol.recv_buffer)  # sent with the request, which is no mistake
        self._fragments: list[bytes] = []
        self._is_text = False
        self._is_open = True
        self._transport: Any = protocol.transport
        self._lost: asyncio.Future[None] = self.loop.create_future()
        self._timer: asyncio.TimerHandle | None = None
        protocol.recv_buffer.clear()

    def start(self, on_text: Callable[[str], None], on_frame: Callable[[], bool]) -> None:
        """Call `on_frame` for each frame and, if it returned True, `on_text` for each message."""
        self.on_text, self.on_frame = on_text, on_frame
        early, self._early = self._early, b""
        if early:
            self.data_received(early)

    async def wait_lost(self) -> None:
        """Wait for the end of the connection."""
        await asyncio.shield(self._lost)

    # The sink

    @property
    def is_writable(self) -> bool:
        """Return whether what is written now would soon be on its way."""
        return self._is_open and self.protocol.is_writable

    def write(self, data: bytes) -> None:
        """Send frames."""
        if not self._transport.is_closing():
            self._transport.write(data)

    def beat(self) -> None:
        """Send a ping, but not to one who has not read the last thing yet."""
        if self.is_writable:
            self.write(_PING)

    def end(self, code: int, reason: str) -> None:
        """Begin to close: what is on its way goes out before, and some time is given to read it."""
        if self.ws_proto.state is State.OPEN:
            self.ws_proto.send_close(code, reason)
            self._send()
        self._part()

    # What Sanic calls

    def data_received(self, data: bytes) -> None:
        """Take bytes off the wire."""
        if self.on_text is None and self._is_open:
            self._early += data
            if len(self._early) > _EARLY_MAX:
                self.end(BAD_MESSAGE, "too much at once")
            return
        self.heard_at = time.monotonic()
        self.ws_proto.receive_data(data)
        for event in self.ws_proto.events_received():
            if isinstance(event, Frame) and self.on_frame():
                self._take(event)
        self._send()

    def eof_received(self) -> bool:
        """Close, as the other side sends nothing more."""
        self.ws_proto.receive_eof()
        self._is_open = False
        return False

    def connection_lost(self, _: Exception | None) -> None:
        """Wake whoever waits."""
        if self.ws_proto.state is not State.CLOSED:
            self.ws_proto.fail(_ABNORMAL)
            self.ws_proto.state = State.CLOSED
        self._is_open = False
        if self._timer is not None:
            self._timer.cancel()
        if not self._lost.done():
            self._lost.set_result(None)

    def end_connection(self, code: int = 1000, reason: str = "") -> None:
        """Close after the handler was cancelled."""
        self.end(code, reason)

    def fail_connection(self, code: int = SHUTDOWN, reason: str = "") -> None:
        """Close as the server stops."""
        self.end(code, reason)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close, and wait until the connection ended."""
        self.end(code, reason)
        await self.wait_lost()

    # What comes and goes

    def _take(self, frame: Frame) -> None:
        """Take one frame; a message is whole with its last one."""
        if not self._is_open:
            return
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY):
            self._fragments, self._is_text = [], frame.opcode is Opcode.TEXT
        elif frame.opcode is not Opcode.CONT:
            return
        self._fragments.append(bytes(frame.data))
        if not frame.fin:
            return
        data, self._fragments = b"".join(self._fragments), []
        if not self._is_text:
            self.end(BAD_MESSAGE, "requests must be JSON in text messages")
            return
        try:
            text = data.decode()
        except UnicodeDecodeError:
            self.end(_INVALID_TEXT, "text must be UTF-8")
            return
        if self.on_text is not None:
            self.on_text(text)

    def _send(self) -> None:
        """Write the frames that the library made; an empty one means that no more will come."""
        self._is_open = self.ws_proto.state is State.OPEN
        for data in self.ws_proto.data_to_send():
            if self._transport.is_closing():
                return
            if not data:
                self._transport.write_eof()
                self._part()
            elif data[0] != _PONG or self.protocol.is_writable:
                self._transport.write(data)

    def _part(self) -> None:
        """Send nothing more, and cut the connection if the other side does not end it soon."""
        if self._timer is None and not self._lost.done():
            self._timer = self.loop.call_later(GOODBYE_S, self._transport.abort)
