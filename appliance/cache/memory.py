"""The level in memory: what was used lately stays, up to a number of bytes.

It counts and forgets; it does not look anything up: owners hold their things themselves, and let
go of those that `trim` returns. To use a thing is to set its mark, which costs nothing; whoever is
marked when it is its turn to go is unmarked, and waits for another turn.
"""

from collections import OrderedDict
from typing import Final, Generic, Protocol, TypeVar

from appliance.metrics import Metrics

LEVEL: Final = "memory"
ANSWERS: Final = "answers"


class Kept(Protocol):
    """A thing that takes room. `counted` belongs to the level that holds it."""

    counted: int
    recent: bool
    """Whether it was used since this was last unset."""

    @property
    def size(self) -> int:
        """Return how many bytes it takes now."""
        ...


K = TypeVar("K", bound=Kept)


class Memory(Generic[K]):
    """Things in the order in which it is their turn to go."""

    def __init__(self, limit: int, metrics: Metrics, level: str = LEVEL) -> None:
        """Hold up to `limit` bytes; metrics name the `level`."""
        self._limit = limit
        self._things: OrderedDict[int, K] = OrderedDict()
        self._evictions = metrics.cache_evictions.labels(level)
        self.bytes = 0
        metrics.cache_bytes.labels(level).set_function(lambda: self.bytes)

    @property
    def is_full(self) -> bool:
        """Return whether there is something to trim."""
        return self.bytes > self._limit

    def hold(self, thing: K) -> None:
        """Take a thing; or count one again that has grown."""
        self._things.setdefault(id(thing), thing)
        size = thing.size
        self.bytes += size - thing.counted
        thing.counted = size

    def drop(self, thing: K) -> None:
        """Count a thing no more; its owner has let go of it. Unknown ones do not matter."""
        if self._things.pop(id(thing), None) is not None:
            self.bytes -= thing.counted
            thing.counted = 0

    def trim(self) -> list[K]:
        """Count no more what was not used for the longest time until the rest fits; return it."""
        evicted = []
        while self.is_full and self._things:
            key, thing = next(iter(self._things.items()))
            if thing.recent:
                thing.recent = False
                self._things.move_to_end(key)
            else:
                self.drop(thing)
                evicted.append(thing)
        self._evictions.inc(len(evicted))
        return evicted
