"""One stream: who watches it, and what happened lately, for those who lost their connection.

Two numbers tell where a reader was. `u` counts the topic's events but for states. The place counts
those of all topics together, so that one number says what a client with many streams has. Both
begin beyond what an earlier topic of the same name can have reached: whoever comes back after
nobody was followed for a while is told that something is missing.
"""

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from appliance.streaming.message import OVERHEAD, Event

if TYPE_CHECKING:
    from appliance.streaming.client import Client


class Record(NamedTuple):
    """An event that was counted."""

    u: int
    place: int
    event: Event


class Topic:
    """A stream that is followed."""

    __slots__ = (
        *("_bytes", "_place_before", "_records", "_u_before"),
        *("left_at", "name", "u", "watchers"),
    )

    def __init__(self, name: str, place: int) -> None:
        """Know nothing of what was before `place`."""
        self.name = name
        self.u = place
        self.watchers: dict[Client, None] = {}
        self.left_at: float | None = None
        """When the last client left; None while there is one."""
        self._records: deque[Record] = deque()
        self._bytes = 0
        self._u_before = self._place_before = place  # all events after these are kept

    def count(self, event: Event, place: int, room: tuple[int, int]) -> None:
        """Give an event the next number, and keep it with what `room` (messages, bytes) holds."""
        self.u += 1
        self._records.append(Record(self.u, place, event))
        self._bytes += len(event.payload) + OVERHEAD
        most, most_bytes = room
        while self._records and (len(self._records) > most or self._bytes > most_bytes):
            oldest = self._records.popleft()
            self._bytes -= len(oldest.event.payload) + OVERHEAD
            self._u_before, self._place_before = oldest.u, oldest.place

    def skip(self, count: int, place: int) -> None:
        """Count events that are not told: who has the number before misses something."""
        self.u += count
        self._records.clear()
        self._bytes = 0
        self._u_before, self._place_before = self.u, place

    def since(self, u: int) -> list[Record] | None:
        """Return what was counted after number `u`; None unless that is all that happened."""
        if not self._u_before <= u <= self.u:
            return None
        return [record for record in self._records if record.u > u]

    def since_place(self, place: int) -> list[Record] | None:
        """Return what was counted after a place among all events; None as in `since`."""
        if place < self._place_before:
            return None
        return [record for record in self._records if record.place > place]
