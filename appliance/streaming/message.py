"""An event, and its bytes in every form in which clients are sent it, each made at most once."""

from collections.abc import Hashable
from enum import IntEnum
from typing import Final, NamedTuple

OVERHEAD: Final = 64
"""What a queued message costs beside its text, about."""


class Event(NamedTuple):
    """Something that happened to a topic, as JSON without its number.

    The `state` of something that goes on changing replaces an older one of the same name that
    was not sent yet; all other events are counted, and none of them is ever left out.
    `extended`: only for clients that said HELLO.
    """

    payload: bytes
    state: Hashable | None = None
    extended: bool = False


class Form(IntEnum):
    """How a client is sent events."""

    RAW = 0
    WRAPPED = 1
    """In `{"stream":…,"data":…}`."""
    EXTENDED = 2
    """With `u`, and with events that Binance would not send."""
    EXTENDED_WRAPPED = 3
    BLOCK = 4
    """Of server-sent events: extended and wrapped."""

    def said_hello(self) -> "Form":
        """Return the form after a HELLO."""
        return Form(self | 2) if self not in EXTENDED else self


EXTENDED: Final = frozenset({Form.EXTENDED, Form.EXTENDED_WRAPPED, Form.BLOCK})
"""The forms of clients that said HELLO, or need not."""
_WRAPPED: Final = frozenset({Form.WRAPPED, Form.EXTENDED_WRAPPED, Form.BLOCK})
_UNFRAMED: Final[tuple[bytes | None, ...]] = (None,) * len(Form)


class Message:
    """What waits to be sent: an event of a topic, or an answer, which has no topic.

    `u` is the event's number in its topic, `place` its place among the counted events of all
    topics, as server-sent events are told it (empty for states, whose place says nothing).
    """

    __slots__ = ("_payload", "_topic", "_u", "extended", "frames", "key", "place", "size")

    def __init__(self, event: Event, topic: str = "", u: int = 0, place: str = "") -> None:
        """Frame nothing before somebody wants it."""
        self._payload = event.payload
        self._topic = topic
        self._u = u
        self.frames = list(_UNFRAMED)
        """What goes over the wire in each form, as far as somebody wanted it."""
        self.extended = event.extended
        self.key: Hashable = self if event.state is None else (topic, event.state)
        self.place = place
        self.size = len(event.payload) + OVERHEAD

    def frame(self, form: Form) -> bytes:
        """Return what goes over the wire."""
        found = self.frames[form]
        if found is None:
            found = self.frames[form] = self._framed(form)
        return found

    def _framed(self, form: Form) -> bytes:
        text = self._payload
        if self._topic and form in EXTENDED:
            text = numbered(text, self._u)
        if self._topic and form in _WRAPPED:
            text = b'{"stream":"%s","data":%s}' % (self._topic.encode(), text)
        return block(text, self.place) if form is Form.BLOCK else text_frame(text)


def numbered(text: bytes, u: int) -> bytes:
    """Return a JSON object, or each object of a list of flat ones, with `u`."""
    end = b',"u":%d}' % u
    if text[:1] == b"[":
        return text[:-2].replace(b"},", end + b",") + end + b"]"
    return text[:-1] + end


def text_frame(text: bytes) -> bytes:
    """Return `text` as one unmasked WebSocket text frame, as servers send it (RFC 6455, 5.2)."""
    size = len(text)
    if size < 126:
        header = bytes((0x81, size))
    elif size < 1 << 16:
        header = b"\x81\x7e" + size.to_bytes(2, "big")
    else:
        header = b"\x81\x7f" + size.to_bytes(8, "big")
    return header + text


def block(text: bytes, place: str = "") -> bytes:
    """Return one block of server-sent events; JSON has no line ends that would have to be cut."""
    head = b"id: %s\n" % place.encode() if place else b""
    return head + (b"data: %s\n\n" % text if text else b"\n")
