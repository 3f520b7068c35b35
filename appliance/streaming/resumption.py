"""A client that comes back: what it missed in each of its streams, if that is known for sure."""

from typing import Final

from appliance.errors import RequestError
from appliance.streaming.client import Client
from appliance.streaming.hub import Position
from appliance.streaming.streams import Streams
from appliance.streaming.topic import Record

_SHARE: Final = 2
"""What was missed may fill half of a client's queue; of more, it had better read the past."""


class Resumption:
    """The streams that one client comes back to at a time."""

    def __init__(self, streams: Streams, client: Client) -> None:
        """Know of none yet."""
        self._streams = streams
        self._hub = streams.hub
        self._client = client
        self._recovered: dict[str, bool] = {}
        self._missed: list[tuple[str, Record]] = []
        self._bytes = 0

    def add(self, text: str, position: Position | None) -> bool:
        """Subscribe the client; return whether all that it missed since `position` is known.

        Without a position it never was here.

        Raises:
            RequestError: it names no stream, one that is subscribed already, or one too many.
            TooLarge: there are too many subscriptions or streams.
        """
        stream = self._streams.parse(text)
        missed = self._hub.missed(stream.name, position) if position else None
        if not self._streams.join(self._client, stream):
            raise RequestError("stream is subscribed already: send RESUME instead of SUBSCRIBE")
        recovered = missed is not None and self._has_room(missed)
        self._recovered[stream.name] = recovered
        if missed is not None and recovered:
            self._missed += ((stream.name, record) for record in missed)
        if position:
            self._hub.count_return(recovered)
        return recovered

    def _has_room(self, missed: list[Record]) -> bool:
        limits = self._hub.limits
        size = self._bytes + sum(len(record.event.payload) for record in missed)
        count = len(self._missed) + len(missed)
        if count > limits.queue_messages // _SHARE or size > limits.queue_bytes // _SHARE:
            return False
        self._bytes = size
        return True

    def send(self) -> None:
        """Queue what was missed, as it happened, then how each stream stands."""
        self._hub.replay(self._client, sorted(self._missed, key=lambda each: each[1].place))
        for name, recovered in self._recovered.items():
            states = self._streams.states(name)
            if not recovered and not states:
                states = self._streams.newest(name)
            self._hub.show(self._client, name, states)
