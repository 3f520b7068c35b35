"""What happened to a market since its strips were asked last."""

from dataclasses import dataclass, field

from appliance.chunks.strip import Strip
from appliance.forming import Rows
from appliance.interval import Interval


@dataclass(slots=True)
class Story:
    """What happened to a market: its newest commits, and the strips that shall take them."""

    strips: dict[Interval, Strip] = field(default_factory=dict)
    entries: list[Rows] = field(default_factory=list)
    rows: int = 0
    base: int = 0
    """How many commits came before `entries`."""
    revisions: int = 0

    @property
    def position(self) -> int:
        """Return how many commits there were."""
        return self.base + len(self.entries)
